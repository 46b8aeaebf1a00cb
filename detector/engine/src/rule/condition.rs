//! The `condition` of a rule, compiled: which of its searches must hold.
//!
//! The grammar is rsigma-parser's. Deliberately refused: aggregations (`| count() > 5`), which Sigma 2 replaced by
//! correlations, and quantifiers that always or never hold.

use rsigma_parser::{ConditionExpr, Quantifier, SelectorPattern};

use super::{
    logic::{Logic, Search},
    problem::{Place, Problems, listed, nearest},
    yaml::{Kind, Node},
};

/// The longest condition, in bytes.
const CONDITION_MAX: usize = 4 * 1024;
/// The deepest nesting of a condition's brackets and negations.
const NESTING_MAX: usize = 32;

/// Compiles a condition, or several of which any may hold.
pub(super) fn condition(node: &Node, searches: &[Search], problems: &mut Problems<'_>) -> Logic {
    let mut compiled = match &node.kind {
        Kind::Text(text) => vec![one(text, node.place, searches, problems)],
        Kind::List(elements) if !elements.is_empty() => elements
            .iter()
            .map(|element| match element.text() {
                Some(text) => one(text, element.place, searches, problems),
                None => {
                    problems.add(element.place, format!("a condition is a text, and this is {}", element.noun()));
                    Logic::Any(Vec::new())
                }
            })
            .collect(),
        _ => {
            problems.add(node.place, format!("the condition is a text, and this is {}", node.noun()));
            Vec::new()
        }
    };
    match (compiled.len(), compiled.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            compiled.extend(last);
            Logic::Any(compiled)
        }
    }
}

fn one(text: &str, place: Place, searches: &[Search], problems: &mut Problems<'_>) -> Logic {
    match parse(text) {
        Ok(expression) => Builder { text, place, searches }.build(&expression, problems),
        Err((column, message)) => {
            problems.add(place.right(column), message);
            Logic::Any(Vec::new())
        }
    }
}

/// Parses a condition, also one over rules; an error has its column, from 0.
pub(super) fn parse(text: &str) -> Result<ConditionExpr, (usize, String)> {
    if text.len() > CONDITION_MAX {
        return Err((0, format!("the condition has {} bytes; at most {CONDITION_MAX} are read", text.len())));
    }
    if let Some((before, _)) = text.split_once('|') {
        let message = "aggregations in a condition are no longer part of Sigma; write a correlation rule \
                       (event_count, value_count, temporal or temporal_ordered)";
        return Err((before.chars().count(), message.to_owned()));
    }
    let deepest = text
        .split_whitespace()
        .filter(|word| *word == "not")
        .count()
        .saturating_add(text.chars().filter(|c| *c == '(').count());
    if deepest > NESTING_MAX.saturating_mul(4) || nesting(text) > NESTING_MAX {
        return Err((0, format!("the condition is nested deeper than {NESTING_MAX} levels")));
    }
    rsigma_parser::parse_condition(text).map_err(|error| {
        let column = error.location().map_or(0, |location| location.col.saturating_sub(1) as usize);
        let column = if text.contains('\n') { 0 } else { column };
        (
            column,
            "this is no condition; combine searches by `and`, `or`, `not`, brackets, `1 of name*`, `all of them`"
                .to_owned(),
        )
    })
}

fn nesting(text: &str) -> usize {
    let (mut deepest, mut now) = (0_usize, 0_usize);
    for c in text.chars() {
        match c {
            '(' => now = now.saturating_add(1),
            ')' => now = now.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(now);
    }
    deepest
}

struct Builder<'a> {
    text: &'a str,
    place: Place,
    searches: &'a [Search],
}

impl Builder<'_> {
    fn build(&self, expression: &ConditionExpr, problems: &mut Problems<'_>) -> Logic {
        let all = |parts: &[ConditionExpr], problems: &mut Problems<'_>| -> Vec<Logic> {
            parts.iter().map(|part| self.build(part, problems)).collect()
        };
        match expression {
            ConditionExpr::And(parts) => Logic::All(all(parts, problems)),
            ConditionExpr::Or(parts) => Logic::Any(all(parts, problems)),
            ConditionExpr::Not(part) => Logic::Not(Box::new(self.build(part, problems))),
            ConditionExpr::Identifier(name) => match self.searches.iter().position(|search| search.name == *name) {
                Some(index) => Logic::Search(index),
                None => {
                    problems.add(self.place_of(name), self.unknown(name));
                    Logic::Any(Vec::new())
                }
            },
            ConditionExpr::Selector { quantifier, pattern } => self.select(quantifier, pattern, problems),
        }
    }

    fn select(&self, quantifier: &Quantifier, pattern: &SelectorPattern, problems: &mut Problems<'_>) -> Logic {
        let chosen: Vec<Logic> = (0..)
            .zip(self.searches)
            .filter(|(_, search)| pattern.matches_detection_name(&search.name))
            .map(|(index, _)| Logic::Search(index))
            .collect();
        let written = pattern.to_string();
        if chosen.is_empty() {
            problems.add(self.place_of(&written), format!("no search is named like `{written}`; {}", self.known()));
        }
        match quantifier {
            Quantifier::Any => Logic::Any(chosen),
            Quantifier::All => Logic::All(chosen),
            Quantifier::Count(wanted) => {
                let wanted = usize::try_from(*wanted).unwrap_or(usize::MAX);
                if !chosen.is_empty() && (wanted == 0 || wanted > chosen.len()) {
                    let message = format!(
                        "`{wanted} of {written}` {}; {} searches are named so",
                        if wanted == 0 { "always holds" } else { "never holds" },
                        chosen.len()
                    );
                    problems.add(self.place_of(&written), message);
                }
                Logic::AtLeast(wanted, chosen)
            }
        }
    }

    fn place_of(&self, word: &str) -> Place {
        if self.text.contains('\n') {
            return self.place;
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '*';
        let whole = self.text.match_indices(word).find(|(at, _)| {
            let before = self.text.get(..*at).and_then(|text| text.chars().next_back());
            let after = self.text.get(at.saturating_add(word.len())..).and_then(|text| text.chars().next());
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        });
        let column = whole.and_then(|(at, _)| self.text.get(..at)).map_or(0, |before| before.chars().count());
        self.place.right(column)
    }

    fn unknown(&self, name: &str) -> String {
        let hint = match nearest(name, self.searches.iter().map(|search| search.name.as_str())).first() {
            Some(likely) => format!(", did you mean `{likely}`?"),
            None => ";".to_owned(),
        };
        format!("no search is named `{name}`{hint} {}", self.known())
    }

    fn known(&self) -> String {
        format!("there is {}", listed(self.searches.iter().map(|search| search.name.as_str())))
    }
}
