//! What a CloudTrail record's name or source must be for a rule to be able to match it: the ground on which records
//! are skipped before they are decoded.
//!
//! Always a superset of what matches, never exact: a rule that cannot be bounded makes the bound [`Bound::Everything`].

use super::{
    logic::{Check, Item, Logic, Relation, Search},
    pattern::{Pattern, Token, relates_folded},
    value::{Field, RecordField},
};

/// What a record must look like for any of several rules to be able to match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// Some rule may match any record.
    Everything,
    /// Only records that one of these admits; none, when there is none.
    Names(Vec<NamePattern>),
}

/// A condition on the record's name or source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamePattern {
    /// What is compared.
    pub field: NameField,
    /// How it is compared.
    pub kind: NameKind,
    /// With what, in lower case because case does not matter; as it must be written for [`NameField::Anywhere`].
    pub text: String,
}

/// A field that bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameField {
    /// `eventName`.
    EventName,
    /// `eventSource`.
    EventSource,
    /// The record's whole text: the last resort, for a rule that asks for neither name nor source.
    Anywhere,
}

/// How a name is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// It is this.
    Equals,
    /// It begins so.
    Prefix,
    /// It ends so.
    Suffix,
    /// It contains this.
    Contains,
}

impl Bound {
    /// Whether a record with this source and name may be matched.
    #[must_use]
    pub fn admits(&self, source: &str, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Names(patterns) => patterns.iter().any(|pattern| pattern.admits(source, name)),
        }
    }

    /// Everything on Bedrock.
    pub(super) fn of_bedrock() -> Self {
        Self::Names(vec![NamePattern {
            field: NameField::EventSource,
            kind: NameKind::Prefix,
            text: "bedrock".to_owned(),
        }])
    }

    /// What any of several rules may match.
    pub(super) fn union<'a>(bounds: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut names = Vec::new();
        for bound in bounds {
            match bound {
                Self::Everything => return Self::Everything,
                Self::Names(patterns) => names.extend(patterns.iter().cloned()),
            }
        }
        names.sort();
        names.dedup();
        Self::Names(names)
    }
}

impl NamePattern {
    /// Whether a record with this source and name has what is asked.
    #[must_use]
    pub fn admits(&self, source: &str, name: &str) -> bool {
        let value = match self.field {
            NameField::EventName => name,
            NameField::EventSource => source,
            // Only who has the record's text can tell.
            NameField::Anywhere => return true,
        };
        let relation = match self.kind {
            NameKind::Equals => Relation::Equals,
            NameKind::Prefix => Relation::StartsWith,
            NameKind::Suffix => Relation::EndsWith,
            NameKind::Contains => Relation::Contains,
        };
        relates_folded(value, &self.text, relation)
    }

    /// How little it lets through, the most selective first.
    const fn looseness(&self) -> u8 {
        match (self.field, self.kind) {
            (NameField::EventName, NameKind::Equals) => 0,
            (NameField::EventSource, NameKind::Equals) => 1,
            (NameField::EventName, NameKind::Prefix) => 2,
            (NameField::EventName, NameKind::Suffix) => 3,
            (NameField::EventName, NameKind::Contains) => 4,
            (NameField::EventSource, _) => 5,
            (NameField::Anywhere, _) => 6,
        }
    }
}

/// The two fields that bound CloudTrail records.
pub(super) fn record_name(field: &Field) -> Option<NameField> {
    match field {
        Field::Record(RecordField::EventName) => Some(NameField::EventName),
        Field::Record(RecordField::EventSource) => Some(NameField::EventSource),
        _ => None,
    }
}

/// The bound of one expression; `which` says what field, if any, stands for a name.
pub(super) fn bound(logic: &Logic, searches: &[Search], which: &dyn Fn(&Field) -> Option<NameField>) -> Bound {
    match logic {
        Logic::All(parts) => tightest(parts.iter().map(|part| bound(part, searches, which))),
        Logic::Any(parts) => {
            let bounds: Vec<Bound> = parts.iter().map(|part| bound(part, searches, which)).collect();
            Bound::union(&bounds)
        }
        Logic::AtLeast(wanted, parts) => {
            let bounds: Vec<Bound> = parts.iter().map(|part| bound(part, searches, which)).collect();
            match *wanted {
                0 => Bound::Everything,
                all if all >= bounds.len() => tightest(bounds),
                _ => Bound::union(&bounds),
            }
        }
        Logic::Search(index) => {
            searches.get(*index).map_or(Bound::Everything, |search| bound(&search.logic, searches, which))
        }
        Logic::Not(_) => Bound::Everything,
        Logic::Item(item) => item_bound(item, which),
    }
}

fn item_bound(item: &Item, which: &dyn Fn(&Field) -> Option<NameField>) -> Bound {
    let Some(field) = item.field.as_ref().filter(|_| !item.negated) else { return Bound::Everything };
    let Some(name) = which(field) else { return text_bound(item, field) };
    let bounds: Vec<Bound> = item.tests.iter().map(|test| check_bound(&test.check, name)).collect();
    if item.every { tightest(bounds) } else { Bound::union(&bounds) }
}

/// The texts of which a record must have one, where case matters and they can be written in one way only.
fn text_bound(item: &Item, field: &Field) -> Bound {
    if !matches!(field, Field::Record(_) | Field::Path(_)) {
        return Bound::Everything;
    }
    let bounds: Vec<Bound> = item.tests.iter().map(|test| needle(&test.check)).collect();
    if item.every { tightest(bounds) } else { Bound::union(&bounds) }
}

fn needle(check: &Check) -> Bound {
    /// Shorter texts are found in too many records.
    const LENGTH_MIN: usize = 6;
    let Check::Text(
        Pattern::Equals(literal)
        | Pattern::StartsWith(literal)
        | Pattern::EndsWith(literal)
        | Pattern::Contains(literal),
    ) = check
    else {
        return Bound::Everything;
    };
    let Some(text) = literal.cased_text().filter(|text| text.len() >= LENGTH_MIN) else { return Bound::Everything };
    // A number or boolean can be written in several ways, but in none with such a letter.
    let is_text = text.bytes().any(|byte| byte.is_ascii_uppercase() && byte != b'E');
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    if !(is_text && is_plain) {
        return Bound::Everything;
    }
    Bound::Names(vec![NamePattern { field: NameField::Anywhere, kind: NameKind::Contains, text: text.to_owned() }])
}

fn check_bound(check: &Check, name: NameField) -> Bound {
    match check {
        Check::Text(pattern) => pattern_bound(pattern, name),
        Check::AnyText(patterns) => {
            let bounds: Vec<Bound> = patterns.iter().map(|pattern| pattern_bound(pattern, name)).collect();
            Bound::union(&bounds)
        }
        _ => Bound::Everything,
    }
}

fn pattern_bound(pattern: &Pattern, field: NameField) -> Bound {
    let (kind, text) = match pattern {
        Pattern::Equals(literal) => (NameKind::Equals, literal.text.as_str()),
        Pattern::StartsWith(literal) => (NameKind::Prefix, literal.text.as_str()),
        Pattern::EndsWith(literal) => (NameKind::Suffix, literal.text.as_str()),
        Pattern::Contains(literal) => (NameKind::Contains, literal.text.as_str()),
        Pattern::Glob { tokens, .. } => return glob_bound(tokens, field),
        Pattern::Regex(_) => return Bound::Everything,
    };
    named(field, kind, text)
}

/// The fixed start of a wildcard pattern, else its fixed end, else the longest fixed piece.
fn glob_bound(tokens: &[Token], field: NameField) -> Bound {
    let pieces: Vec<String> = tokens
        .split(|token| !matches!(token, Token::Is(_)))
        .map(|piece| piece.iter().filter_map(|token| if let Token::Is(c) = token { Some(*c) } else { None }).collect())
        .collect();
    let first = pieces.first().filter(|piece| !piece.is_empty()).map(|piece| (NameKind::Prefix, piece));
    let last = pieces.last().filter(|piece| !piece.is_empty()).map(|piece| (NameKind::Suffix, piece));
    let longest = pieces
        .iter()
        .filter(|piece| !piece.is_empty())
        .max_by_key(|piece| piece.len())
        .map(|piece| (NameKind::Contains, piece));
    match first.or(last).or(longest) {
        Some((kind, text)) => named(field, kind, text),
        None => Bound::Everything,
    }
}

/// Folding a piece of a text outside ASCII can differ from folding the whole, so only ASCII bounds.
fn named(field: NameField, kind: NameKind, text: &str) -> Bound {
    if !text.is_ascii() || (text.is_empty() && kind != NameKind::Equals) {
        return Bound::Everything;
    }
    Bound::Names(vec![NamePattern { field, kind, text: text.to_ascii_lowercase() }])
}

/// Where all must hold, any one bounds; the most selective is kept.
fn tightest(bounds: impl IntoIterator<Item = Bound>) -> Bound {
    let mut best: Option<(u8, usize, Vec<NamePattern>)> = None;
    for candidate in bounds {
        let Bound::Names(names) = candidate else { continue };
        let looseness = names.iter().map(NamePattern::looseness).max().unwrap_or(0);
        let better = match &best {
            Some((present, count, _)) => (looseness, names.len()) < (*present, *count),
            None => true,
        };
        if better {
            best = Some((looseness, names.len(), names));
        }
    }
    best.map_or(Bound::Everything, |(_, _, names)| Bound::Names(names))
}
