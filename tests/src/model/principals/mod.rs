//! The principal rules: what one principal did in one account, second by second.
//!
//! A rule is judged at every second in which the principal made a call it is about; the window of D that ends at s is
//! (s-D, s]. Every second at which the condition holds makes the alert of its UTC day; the alert then rests on all the
//! principal's calls of that kind of that day.

mod access;
mod baseline;
mod burst;
mod fanout;
mod firsts;
mod probing;
mod row;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use self::row::Row;
use super::{
    alert::{Expected, facts},
    event::{DAY, Event, Time, What},
};

/// The alerts of the principal rules. At the end of a replay all of them are resolved.
pub(super) fn alerts(events: &[Event]) -> Vec<Expected<'_>> {
    let rows: Vec<Row<'_>> = events.iter().filter_map(Row::of).collect();
    let principals: BTreeSet<(&str, &str)> = rows.iter().map(|row| (row.account, row.principal)).collect();
    let mut alerts = Vec::new();
    for (account, name) in principals {
        let of_account: Vec<Row<'_>> = rows.iter().filter(|row| row.account == account).cloned().collect();
        let own: Vec<Row<'_>> = of_account.iter().filter(|row| row.principal == name).cloned().collect();
        let heard_of = |event: &&Event| event.account == account && !matches!(event.what, What::Inventory(_));
        let known_since = events.iter().filter(heard_of).map(Event::time).min();
        let principal = Principal { account, name, own, of_account, known_since };
        alerts.extend(burst::alerts(&principal));
        alerts.extend(fanout::models(&principal));
        alerts.extend(fanout::regions(&principal));
        alerts.extend(probing::alerts(&principal));
        alerts.extend(access::with_long_term_key(&principal));
        alerts.extend(access::enabled_then_used(&principal));
        alerts.extend(firsts::first_use(&principal));
        alerts.extend(firsts::reconnaissance(&principal));
    }
    alerts
}

/// One principal in one account.
struct Principal<'a> {
    account: &'a str,
    name: &'a str,
    /// Its calls, in judging order.
    own: Vec<Row<'a>>,
    /// Everybody's calls in the account.
    of_account: Vec<Row<'a>>,
    /// The account's earliest event of any kind.
    known_since: Option<Time>,
}

/// A second at which a rule's condition held.
struct Satisfied {
    at: Time,
    severity: &'static str,
    facts: Map<String, Value>,
}

impl<'a> Principal<'a> {
    /// The seconds in which the principal made calls of a kind.
    fn seconds(&self, kind: impl Fn(&Row<'_>) -> bool) -> BTreeSet<Time> {
        self.own.iter().filter(|row| kind(row)).map(|row| row.time).collect()
    }

    /// Its calls of a kind in [from, to).
    fn between(&self, from: Time, to: Time, kind: impl Fn(&Row<'_>) -> bool) -> Vec<&Row<'a>> {
        self.own.iter().filter(|row| from <= row.time && row.time < to && kind(row)).collect()
    }

    /// Its calls of a kind in the window of `length` that ends at `s`.
    fn window(&self, s: Time, length: Time, kind: impl Fn(&Row<'_>) -> bool) -> Vec<&Row<'a>> {
        self.between(s - length + 1, s + 1, kind)
    }

    fn day(&self, day: Time, kind: impl Fn(&Row<'_>) -> bool) -> Vec<&Row<'a>> {
        self.between(day * DAY, (day + 1) * DAY, kind)
    }

    /// "carry `facts.learning = true` until the account has 7 known days".
    fn learning(&self, s: Time) -> bool {
        self.known_since.is_none_or(|known| s - known < 7 * DAY)
    }

    /// One alert a day from the seconds at which a condition held; `rests_on` gives the day's calls and facts.
    fn alerts(
        &self,
        rule: &'static str,
        satisfied: Vec<Satisfied>,
        rests_on: impl Fn(Time, &Satisfied) -> (Vec<&'a Event>, Value),
    ) -> Vec<Expected<'a>> {
        let mut days: BTreeMap<Time, Vec<Satisfied>> = BTreeMap::new();
        for second in satisfied {
            days.entry(second.at.div_euclid(DAY)).or_default().push(second);
        }
        let mut alerts = Vec::new();
        for (day, mut seconds) in days {
            seconds.sort_by_key(|second| second.at);
            let Some(first) = seconds.first() else { continue };
            let (events, of_day) = rests_on(day, first);
            let mut alert_facts = first.facts.clone();
            alert_facts.extend(facts(of_day));
            let high = seconds.iter().any(|second| second.severity == "high");
            let regions: BTreeSet<&str> = events.iter().map(|event| event.region.as_str()).collect();
            let only = regions.first().filter(|_| regions.len() == 1);
            alerts.push(Expected {
                rule,
                account: self.account.to_owned(),
                region: only.map(|&region| region.to_owned()),
                subject_kind: "principal",
                subject_id: self.name.to_owned(),
                firing: false,
                severity: if high { "high" } else { first.severity },
                events,
                principal: Some(self.name.to_owned()),
                facts: alert_facts,
            });
        }
        alerts
    }
}

/// The events behind rows.
fn events_of<'a>(rows: &[&Row<'a>]) -> Vec<&'a Event> {
    rows.iter().map(|row| row.event).collect()
}

/// How many distinct values rows have.
fn distinct<T: Ord>(values: impl Iterator<Item = Option<T>>) -> usize {
    values.flatten().collect::<BTreeSet<T>>().len()
}
