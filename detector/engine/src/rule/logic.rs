//! The compiled form of a rule's detection: a small tree that keeps the order in which it was written.
//!
//! Deliberately unoptimised: every node stands for something the author wrote, so that a part can be taken out and
//! named in a message. Speed comes from the dispatch by source and name, from the order of [`super::plan`] and from not
//! allocating.

use super::{pattern::Pattern, value::Field};

/// A named search of a rule's `detection`.
#[derive(Debug, Clone)]
pub(super) struct Search {
    pub(super) name: String,
    pub(super) logic: Logic,
}

/// A boolean expression over an event.
#[derive(Debug, Clone)]
pub(super) enum Logic {
    /// Every part holds; holds when there is none.
    All(Vec<Self>),
    /// Some part holds; fails when there is none.
    Any(Vec<Self>),
    /// The part does not hold.
    Not(Box<Self>),
    /// At least so many of the parts hold.
    AtLeast(usize, Vec<Self>),
    /// The named search, by its index.
    Search(usize),
    /// A test of one field, or of every text of the event.
    Item(Box<Item>),
}

impl Logic {
    /// Calls `visit` with every test, in the order of writing.
    pub(super) fn each_item<'a>(&'a self, visit: &mut impl FnMut(&'a Item)) {
        match self {
            Self::All(parts) | Self::Any(parts) | Self::AtLeast(_, parts) => {
                for part in parts {
                    part.each_item(visit);
                }
            }
            Self::Not(part) => part.each_item(visit),
            Self::Search(_) => {}
            Self::Item(item) => visit(item),
        }
    }
}

/// One `field|modifier: values` of a detection.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The key as it was written, for people.
    pub(super) key: String,
    /// What is tested; `None` searches every text of the event.
    pub(super) field: Option<Field>,
    /// Whether every value must be found (`|all`), and not only one.
    pub(super) every: bool,
    /// Whether the answer is turned around for a field that exists (`|neq`).
    pub(super) negated: bool,
    /// The values, each a test of its own.
    pub(super) tests: Vec<Test>,
}

impl Item {
    /// Calls `visit` with the field and with the fields its values refer to.
    pub(super) fn each_field<'a>(&'a self, visit: &mut impl FnMut(&'a Field)) {
        if let Some(field) = &self.field {
            visit(field);
        }
        for test in &self.tests {
            if let Check::Reference { field, .. } = &test.check {
                visit(field);
            }
        }
    }
}

/// One value of an item.
#[derive(Debug, Clone)]
pub(super) struct Test {
    /// The value as it was written, for people.
    pub(super) written: String,
    pub(super) check: Check,
}

/// What a value asks of a field.
#[derive(Debug, Clone)]
pub(super) enum Check {
    /// Its text, a number or boolean written out, looks so.
    Text(Pattern),
    /// Its text looks like one of these: a value that a modifier expanded.
    AnyText(Vec<Pattern>),
    /// It is a number, or a text that reads as one, and compares so.
    Number(Comparison, f64),
    /// It is a time, and this part of it, in UTC, compares so.
    Part(TimePart, Comparison, f64),
    /// It is this boolean, or a text that means it.
    Bool(bool),
    /// It is missing or null.
    Null,
    /// It is there and not null, or the opposite.
    Exists(bool),
    /// It is an address in this network.
    Network(ipnet::IpNet),
    /// It relates so to the value of another field.
    Reference { field: Field, relation: Relation, cased: bool },
}

/// A part of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimePart {
    Minute,
    Hour,
    /// Of the month.
    Day,
    /// Of the year, as ISO 8601 counts them.
    Week,
    Month,
    Year,
}

impl TimePart {
    /// This part of an RFC 3339 time.
    pub(super) fn of(self, text: &str) -> Option<f64> {
        let at = text.parse::<jiff::Timestamp>().ok()?.to_zoned(jiff::tz::TimeZone::UTC);
        Some(f64::from(match self {
            Self::Minute => i16::from(at.minute()),
            Self::Hour => i16::from(at.hour()),
            Self::Day => i16::from(at.day()),
            Self::Week => i16::from(at.date().iso_week_date().week()),
            Self::Month => i16::from(at.month()),
            Self::Year => at.year(),
        }))
    }
}

/// How numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    pub(super) fn holds(self, found: f64, wanted: f64) -> bool {
        match self {
            Self::Equal => (found - wanted).abs() < f64::EPSILON,
            Self::Greater => found > wanted,
            Self::GreaterOrEqual => found >= wanted,
            Self::Less => found < wanted,
            Self::LessOrEqual => found <= wanted,
        }
    }
}

/// How a text relates to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
}
