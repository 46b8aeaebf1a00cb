//! What a CloudTrail record's name or source must be for a rule to be able to match it: the ground on which records
//! are skipped before they are decoded, and rules are not asked.
//!
//! Always a superset of what matches, never exact: a rule that cannot be bounded makes the bound [`Bound::Everything`].

use std::fmt;

use super::{
    logic::{Check, Item, Logic, Search},
    name_pattern::{NameKind, NamePattern},
    pattern::{Pattern, Token},
    value::{Field, RecordField},
};

/// What a record must look like for any of several rules to be able to match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// Some rule may match any record.
    Everything,
    /// Only records that one of these admits; none, when there is none.
    Terms(Vec<Term>),
}

/// One way in which a record may be of interest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// Its source and its name are so, as far as they are said; at least one of them is.
    Named {
        /// `eventSource`.
        source: Option<NamePattern>,
        /// `eventName`.
        name: Option<NamePattern>,
    },
    /// Its whole text has this, written so: the last resort, for a rule that asks for neither name nor source.
    Text(String),
}

/// A field that bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameField {
    EventName,
    EventSource,
}

/// To so many terms two bounds may multiply; past them, and past the longer of the two, only the tighter one is kept.
const TERMS_MAX: usize = 64;

impl Bound {
    /// Whether a record with this source and name may be matched.
    #[must_use]
    pub fn admits(&self, source: &str, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Terms(terms) => terms.iter().any(|term| term.admits(source, name)),
        }
    }

    /// Everything on Bedrock.
    pub(super) fn of_bedrock() -> Self {
        Self::Terms(vec![Term::of(NameField::EventSource, NamePattern::new(NameKind::Prefix, "bedrock"))])
    }

    /// What any of several rules may match.
    pub(super) fn union<'a>(bounds: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Vec::new();
        for bound in bounds {
            match bound {
                Self::Everything => return Self::Everything,
                Self::Terms(terms) => all.extend(terms.iter().cloned()),
            }
        }
        all.sort();
        all.dedup();
        Self::Terms(all)
    }

    /// What is within all of several bounds, or a little more.
    fn intersection(bounds: impl IntoIterator<Item = Self>) -> Self {
        bounds.into_iter().fold(Self::Everything, Self::and)
    }

    fn and(self, other: Self) -> Self {
        let (left, right) = match (self, other) {
            (Self::Everything, bound) | (bound, Self::Everything) => return bound,
            (Self::Terms(left), Self::Terms(right)) => (left, right),
        };
        let product = left.len().saturating_mul(right.len());
        if product > TERMS_MAX.max(left.len()).max(right.len()) {
            let is_tighter = (looseness(&right), right.len()) < (looseness(&left), left.len());
            return Self::Terms(if is_tighter { right } else { left });
        }
        let pairs = left.iter().flat_map(|left| right.iter().map(move |right| (left, right)));
        let mut terms: Vec<Term> = pairs.filter_map(|(left, right)| left.and(right)).collect();
        terms.sort();
        terms.dedup();
        Self::Terms(terms)
    }
}

/// How little the loosest of some terms lets through, the most selective first.
fn looseness(terms: &[Term]) -> u8 {
    terms.iter().map(Term::looseness).max().unwrap_or(0)
}

impl Term {
    fn of(field: NameField, pattern: NamePattern) -> Self {
        match field {
            NameField::EventName => Self::Named { source: None, name: Some(pattern) },
            NameField::EventSource => Self::Named { source: Some(pattern), name: None },
        }
    }

    /// Whether a record with this source and name has what is asked; only who has its text can tell of that.
    #[must_use]
    pub fn admits(&self, source: &str, name: &str) -> bool {
        let admits = |pattern: Option<&NamePattern>, value| pattern.is_none_or(|pattern| pattern.admits(value));
        match self {
            Self::Named { source: of_source, name: of_name } => {
                admits(of_name.as_ref(), name) && admits(of_source.as_ref(), source)
            }
            Self::Text(_) => true,
        }
    }

    /// The name, in lower case, if only one will do.
    pub(super) fn exact_name(&self) -> Option<String> {
        match self {
            Self::Named { name: Some(NamePattern { kind: NameKind::Equals, text }), .. } => Some(text.clone()),
            _ => None,
        }
    }

    /// Both at once, or a little more; `None` when no record can have both.
    fn and(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Named { source, name }, Self::Named { source: other_source, name: other_name }) => {
                let source = both(source.as_ref(), other_source.as_ref())?;
                Self::Named { source, name: both(name.as_ref(), other_name.as_ref())? }
            }
            // A name is looked up, while a text has to be searched for.
            (named @ Self::Named { .. }, Self::Text(_)) | (Self::Text(_), named @ Self::Named { .. }) => named.clone(),
            (Self::Text(left), Self::Text(right)) => {
                Self::Text(if right.len() > left.len() { right.clone() } else { left.clone() })
            }
        })
    }

    const fn looseness(&self) -> u8 {
        match self {
            Self::Named { name: Some(NamePattern { kind: NameKind::Equals, .. }), .. } => 0,
            Self::Named { source: Some(NamePattern { kind: NameKind::Equals, .. }), .. } => 1,
            Self::Named { name: Some(NamePattern { kind: NameKind::Prefix, .. }), .. } => 2,
            Self::Named { name: Some(NamePattern { kind: NameKind::Suffix, .. }), .. } => 3,
            Self::Named { name: Some(NamePattern { kind: NameKind::Contains, .. }), .. } => 4,
            Self::Named { name: None, .. } => 5,
            Self::Text(_) => 6,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { source: Some(source), name: Some(name) } => write!(f, "source {source}, name {name}"),
            Self::Named { source: Some(source), name: None } => write!(f, "source {source}"),
            Self::Named { source: None, name: Some(name) } => write!(f, "name {name}"),
            Self::Named { source: None, name: None } => f.write_str("any"),
            Self::Text(text) => write!(f, "text {text}"),
        }
    }
}

/// What is asked of one field by two terms; the outer `None` when nothing can be both.
fn both(left: Option<&NamePattern>, right: Option<&NamePattern>) -> Option<Option<NamePattern>> {
    match (left, right) {
        (Some(left), Some(right)) => left.and(right).map(Some),
        (pattern, None) | (None, pattern) => Some(pattern.cloned()),
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
        Logic::All(parts) => Bound::intersection(parts.iter().map(|part| bound(part, searches, which))),
        Logic::Any(parts) => {
            let bounds: Vec<Bound> = parts.iter().map(|part| bound(part, searches, which)).collect();
            Bound::union(&bounds)
        }
        Logic::AtLeast(wanted, parts) => {
            let bounds: Vec<Bound> = parts.iter().map(|part| bound(part, searches, which)).collect();
            match *wanted {
                0 => Bound::Everything,
                all if all >= bounds.len() => Bound::intersection(bounds),
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
    if item.every { Bound::intersection(bounds) } else { Bound::union(&bounds) }
}

/// The texts of which a record must have one, where case matters and they can be written in one way only.
fn text_bound(item: &Item, field: &Field) -> Bound {
    if !matches!(field, Field::Record(_) | Field::Path(_)) {
        return Bound::Everything;
    }
    let bounds: Vec<Bound> = item.tests.iter().map(|test| needle(&test.check)).collect();
    if item.every { Bound::intersection(bounds) } else { Bound::union(&bounds) }
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
    Bound::Terms(vec![Term::Text(text.to_owned())])
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
    Bound::Terms(vec![Term::of(field, NamePattern::new(kind, text))])
}
