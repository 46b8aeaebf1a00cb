//! What never matches a rule, said in the configuration: principals, accounts and values of fields, with a reason.
//!
//! Deliberately in event time: an exception that has expired no longer holds for what happened since, and still does for
//! what happened before, so that a replay gives the same answer on any day.

use super::{
    detection,
    field::resolve,
    logic::Logic,
    matcher,
    problem::{Place, Problems},
    value::Fields,
    vocabulary::Domain,
    yaml::{Key, Kind, Node},
};
use crate::time::Second;

/// What never matches a rule. Everything that is named must fit; `*` and `?` stand for any text and any character.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusion {
    /// Normalised principals.
    pub principals: Vec<String>,
    /// Accounts.
    pub accounts: Vec<String>,
    /// Values of fields, as rules name and test them: the key may have modifiers.
    pub fields: Vec<(String, Vec<String>)>,
    /// Why.
    pub reason: String,
    /// From this event time on it no longer holds.
    pub expires: Option<Second>,
}

/// An exception, compiled.
#[derive(Debug, Clone)]
pub(super) struct Excluded {
    said: Exclusion,
    logic: Logic,
}

impl Excluded {
    /// As it was said.
    pub(super) const fn said(&self) -> &Exclusion {
        &self.said
    }

    /// Whether it holds for an event.
    pub(super) fn holds(&self, event: &(impl Fields + ?Sized)) -> bool {
        let expired = match (self.said.expires, event.time()) {
            (Some(expires), Some(at)) => at >= expires,
            // Without a time nothing can be said to be before its end.
            (Some(_), None) => true,
            (None, _) => false,
        };
        !expired && matcher::holds(&self.logic, &[], event)
    }
}

/// Compiles an exception for a rule of `domain`; the error names the key and says what is wrong.
pub(super) fn compile(said: &Exclusion, domain: Domain) -> Result<Excluded, (&'static str, String)> {
    let mut parts = Vec::new();
    if !said.principals.is_empty() {
        resolve("watch.principal", domain).map_err(|_| {
            let message = "this rule is not about what a principal does; name `accounts` or `fields`";
            ("principals", message.to_owned())
        })?;
        parts.push(part("watch.principal", &said.principals, domain).map_err(|message| ("principals", message))?);
    }
    if !said.accounts.is_empty() {
        parts.push(part("watch.account", &said.accounts, domain).map_err(|message| ("accounts", message))?);
    }
    for (field, values) in &said.fields {
        parts.push(part(field, values, domain).map_err(|message| ("fields", message))?);
    }
    if parts.is_empty() {
        return Err((
            "reason",
            "an exception names principals, accounts or fields; mode = \"off\" leaves the rule out".to_owned(),
        ));
    }
    Ok(Excluded { said: said.clone(), logic: Logic::All(parts) })
}

fn part(key: &str, values: &[String], domain: Domain) -> Result<Logic, String> {
    if key.split('|').next().is_none_or(str::is_empty) {
        return Err(format!("`{key}` names no field"));
    }
    let place = Place::START;
    let text = |value: &String| Node { place, kind: Kind::Text(value.clone()) };
    let values = match values {
        [only] => text(only),
        several => Node { place, kind: Kind::List(several.iter().map(text).collect()) },
    };
    let map = Node { place, kind: Kind::Map(vec![(Key { place, text: key.to_owned() }, values)]) };
    let mut problems = Problems::new("");
    let logic = detection::search(&map, domain, &mut problems);
    match problems.into_found().into_iter().next() {
        Some(problem) => Err(problem.message),
        None => Ok(logic),
    }
}
