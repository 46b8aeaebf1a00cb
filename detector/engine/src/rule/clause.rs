//! The parts of a rule that could be left out, and the rule without one of them: what a test needs to show that every
//! part of every rule is there for a reason.
//!
//! Deliberately works on compiled logic, which keeps one node for everything written.

use std::fmt;

use super::{
    definition::Rule,
    logic::{Item, Logic, Search},
};

/// A part of a rule that could be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    search: Option<String>,
    text: String,
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.search {
            Some(search) => write!(f, "{search}: {}", self.text),
            None => write!(f, "condition: {}", self.text),
        }
    }
}

/// Every clause of `rule`: each item, each of several values, each operand of the condition.
pub(super) fn clauses(rule: &Rule) -> Vec<Clause> {
    let mut found = Vec::new();
    for search in &rule.searches {
        visit(&search.logic, &rule.searches, Some(&search.name), &mut found);
    }
    visit(&rule.condition, &rule.searches, None, &mut found);
    found
}

fn visit(logic: &Logic, searches: &[Search], within: Option<&str>, found: &mut Vec<Clause>) {
    match logic {
        Logic::All(parts) | Logic::Any(parts) | Logic::AtLeast(_, parts) => {
            for part in parts {
                if within.is_none() && parts.len() > 1 {
                    found.push(Clause { search: None, text: format!("operand `{}`", written(part, searches)) });
                }
                visit(part, searches, within, found);
            }
        }
        Logic::Not(part) => visit(part, searches, within, found),
        Logic::Search(_) => {}
        Logic::Item(item) => {
            let search = within.map(str::to_owned);
            found.push(Clause { search: search.clone(), text: item_text(item) });
            if item.tests.len() > 1 {
                for test in &item.tests {
                    let text = format!("value `{}` of {}", test.written, item.key);
                    found.push(Clause { search: search.clone(), text });
                }
            }
        }
    }
}

fn item_text(item: &Item) -> String {
    let values: Vec<&str> = item.tests.iter().map(|test| test.written.as_str()).collect();
    match values.as_slice() {
        [one] => format!("{}: {one}", item.key),
        several => format!("{}: [{}]", item.key, several.join(", ")),
    }
}

/// An expression of the condition, as its author might have written it.
fn written(logic: &Logic, searches: &[Search]) -> String {
    let joined = |parts: &[Logic], word: &str| {
        let parts: Vec<String> = parts.iter().map(|part| written(part, searches)).collect();
        format!("({})", parts.join(word))
    };
    match logic {
        Logic::All(parts) => joined(parts, " and "),
        Logic::Any(parts) => joined(parts, " or "),
        Logic::AtLeast(wanted, parts) => format!("{wanted} of {}", joined(parts, ", ")),
        Logic::Not(part) => format!("not {}", written(part, searches)),
        Logic::Search(index) => searches.get(*index).map_or_else(String::new, |search| search.name.clone()),
        Logic::Item(item) => item.key.clone(),
    }
}

/// `rule` without its clause number `index` (in the order of [`clauses`]); `None` when there is no such clause.
pub(super) fn without(rule: &Rule, index: usize) -> Option<Rule> {
    if index >= clauses(rule).len() {
        return None;
    }
    let mut countdown = Countdown { left: Some(index) };
    let mut changed = rule.clone();
    let searches: Vec<Option<Logic>> =
        rule.searches.iter().map(|search| prune(&search.logic, Where::Search, &mut countdown, &[])).collect();
    let gone: Vec<bool> = searches.iter().map(Option::is_none).collect();
    for (search, logic) in changed.searches.iter_mut().zip(searches) {
        search.logic = logic.unwrap_or(Logic::Any(Vec::new()));
    }
    changed.condition =
        prune(&rule.condition, Where::Condition, &mut countdown, &gone).unwrap_or(Logic::All(Vec::new()));
    changed.levels.retain(|(search, _)| gone.get(*search) != Some(&true));
    Some(changed)
}

/// Counts clauses down to the one to leave out.
struct Countdown {
    left: Option<usize>,
}

impl Countdown {
    /// Whether the clause reached now is the one.
    fn hit(&mut self) -> bool {
        match self.left {
            Some(0) => {
                self.left = None;
                true
            }
            Some(more) => {
                self.left = Some(more.saturating_sub(1));
                false
            }
            None => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Search,
    Condition,
}

/// `logic` without the clause counted down to; `None` when nothing is left, which is then true in the `and` and absent
/// in the `or` around it.
fn prune(logic: &Logic, place: Where, countdown: &mut Countdown, gone: &[bool]) -> Option<Logic> {
    match logic {
        Logic::All(parts) => prune_parts(parts, place, countdown, gone).map(Logic::All),
        Logic::Any(parts) => prune_parts(parts, place, countdown, gone).map(Logic::Any),
        Logic::AtLeast(wanted, parts) => {
            prune_parts(parts, place, countdown, gone).map(|parts| Logic::AtLeast((*wanted).min(parts.len()), parts))
        }
        Logic::Not(part) => prune(part, place, countdown, gone).map(|part| Logic::Not(Box::new(part))),
        Logic::Search(index) => (gone.get(*index) != Some(&true)).then_some(Logic::Search(*index)),
        Logic::Item(item) => prune_item(item, countdown).map(|item| Logic::Item(Box::new(item))),
    }
}

fn prune_parts(parts: &[Logic], place: Where, countdown: &mut Countdown, gone: &[bool]) -> Option<Vec<Logic>> {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        let left_out = place == Where::Condition && parts.len() > 1 && countdown.hit();
        if let Some(part) = prune(part, place, countdown, gone)
            && !left_out
        {
            kept.push(part);
        }
    }
    (!kept.is_empty()).then_some(kept)
}

fn prune_item(item: &Item, countdown: &mut Countdown) -> Option<Item> {
    let left_out = countdown.hit();
    let mut kept = item.clone();
    if item.tests.len() > 1 {
        kept.tests = item.tests.iter().filter(|_| !countdown.hit()).cloned().collect();
    }
    (!left_out).then_some(kept)
}
