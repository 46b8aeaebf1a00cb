//! State events: what the world has to say to the rules after something changed.
//!
//! A state event is derived from everything known, never from the record that arrived last; the same knowledge gives
//! the same events, whatever the order of arrival.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use crate::{
    order::Evidence,
    rule::{Field, Fields, Value},
    time::Second,
};

use super::resource::ResourceKey;

/// Something about jobs, their dependencies, logging or the service itself that somebody may care about.
#[derive(Debug, Clone)]
pub(crate) struct StateEvent {
    /// `watch.event`.
    pub(crate) event: &'static str,
    /// Account of the affected job or configuration.
    pub(crate) account: Box<str>,
    /// Region of the affected job or configuration.
    pub(crate) region: Box<str>,
    /// The alert's subject: the lost resource, or the disabling event.
    pub(crate) subject: String,
    /// Computed fields, without `watch.`.
    pub(crate) fields: Vec<(&'static str, Value<'static>)>,
    /// The events it rests on.
    pub(crate) evidence: Vec<Evidence>,
    /// How many more events it rests on, of which only the number is known.
    pub(crate) further: u64,
    pub(crate) facts: Map<String, Json>,
    /// Whether it is over.
    pub(crate) over: bool,
    /// What a repair would start from.
    pub(crate) repair: Repair,
}

/// What a repair would start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Repair {
    /// A dependency of these, by number.
    Dependency { resource: ResourceKey, users: Vec<u32> },
    /// The last configuration that delivered.
    Logging { configuration: Option<Box<str>> },
    /// The service's own way to its events.
    Detector,
}

impl Fields for StateEvent {
    fn time(&self) -> Option<Second> {
        self.evidence.iter().map(|evidence| evidence.moment.at).min()
    }

    fn value(&self, field: &Field) -> Value<'_> {
        let Field::Watch(name) = field else { return Value::Missing };
        match *name {
            "event" => Value::Text(Cow::Borrowed(self.event)),
            "account" => Value::Text(Cow::Borrowed(&self.account)),
            "region" => Value::Text(Cow::Borrowed(&self.region)),
            name => {
                self.fields.iter().find(|(known, _)| *known == name).map_or(Value::Missing, |(_, value)| value.clone())
            }
        }
    }
}

/// A text as field value.
pub(crate) fn text(value: &str) -> Value<'static> {
    Value::Text(Cow::Owned(value.to_owned()))
}

/// A number as field value.
pub(crate) fn count(value: usize) -> Value<'static> {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}
