//! The three `invocation-logging-...` rules.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    alert::{Expected, facts, rfc3339},
    event::{Call, Event},
    inference::inference,
    logging::{Delivery, Posture},
};

/// The configuration of one account and region through time.
struct Place<'a> {
    account: &'a str,
    region: &'a str,
    events: &'a [Event],
    /// Each Put or Delete: its position among the events, and what was known before and after it.
    changes: Vec<(usize, Posture, Posture)>,
}

/// The alerts of the three rules.
pub(super) fn alerts(events: &[Event]) -> Vec<Expected<'_>> {
    let configured = events.iter().filter(|event| Posture::after(event).is_some());
    let places: BTreeSet<(&str, &str)> =
        configured.map(|event| (event.account.as_str(), event.region.as_str())).collect();
    let mut alerts = Vec::new();
    for (account, region) in places {
        let place = Place { account, region, events, changes: changes(events, account, region) };
        alerts.extend(place.disabled());
        alerts.extend(place.weakened());
        alerts.extend(place.destinations_lost());
    }
    alerts
}

fn changes(events: &[Event], account: &str, region: &str) -> Vec<(usize, Posture, Posture)> {
    let mut posture = Posture::Unknown;
    let mut changes = Vec::new();
    for (index, event) in events.iter().enumerate() {
        if event.account != account || event.region != region {
            continue;
        }
        if let Some(after) = Posture::after(event) {
            changes.push((index, posture, after.clone()));
            posture = after;
        }
    }
    changes
}

impl<'a> Place<'a> {
    /// The first change after `index` after which `enough` is delivered.
    fn restored_after(&self, index: usize, enough: impl Fn(usize, &Delivery) -> bool) -> Option<&'a Event> {
        let later = self.changes.iter().filter(|(at, ..)| *at > index);
        let restored = later.filter(|(at, _, after)| after.on().is_some_and(|delivery| enough(*at, delivery)));
        restored.filter_map(|(at, ..)| self.events.get(*at)).next()
    }

    fn expected(&self, rule: &'static str, severity: &'static str, subject_id: String) -> Expected<'a> {
        Expected {
            rule,
            account: self.account.to_owned(),
            region: Some(self.region.to_owned()),
            subject_kind: "invocation_logging",
            subject_id,
            firing: true,
            severity,
            events: Vec::new(),
            principal: None,
            facts: facts(json!({})),
        }
    }

    /// "disabling what is already known to be off raises nothing".
    fn disabled(&self) -> Vec<Expected<'a>> {
        let disabling =
            self.changes.iter().filter(|(_, before, after)| *after == Posture::Off && *before != Posture::Off);
        disabling
            .filter_map(|(index, ..)| {
                let event = self.events.get(*index)?;
                let restored = self.restored_after(*index, |_, _| true);
                Some(Expected {
                    firing: restored.is_none(),
                    events: vec![event],
                    principal: event.call().map(|call| call.principal.clone()),
                    facts: facts(self.blindness(event, restored)),
                    ..self.expected("invocation-logging-disabled", "critical", event.order.id.clone())
                })
            })
            .collect()
    }

    /// "inference calls, failed ones too, counted by event time from the disabling second, inclusive, to the restoring
    /// one, exclusive".
    fn blindness(&self, disabled: &Event, restored: Option<&Event>) -> Value {
        let blind = |event: &&Event| {
            event.account == self.account
                && event.region == self.region
                && event.time() >= disabled.time()
                && restored.is_none_or(|restored| event.time() < restored.time())
        };
        let calls: Vec<&Call> = self.events.iter().filter(blind).filter_map(inference).collect();
        let principals: BTreeSet<&str> = calls.iter().map(|call| call.principal.as_str()).collect();
        json!({
            "blind_since": rfc3339(disabled.time()),
            "blind_invocations": calls.len(),
            "blind_principals": principals,
            "blind_seconds": restored.map(|restored| restored.time() - disabled.time()),
        })
    }

    /// "something is no longer delivered that was before (a data type, a destination), or the destination moved".
    fn weakened(&self) -> Vec<Expected<'a>> {
        let weakening =
            self.changes.iter().filter_map(|(index, before, after)| Some((index, before.on()?, after.on()?)));
        weakening
            .filter(|(_, before, after)| !after.covers(before))
            .filter_map(|(index, before, _)| {
                let event = self.events.get(*index)?;
                let restored = self.restored_after(*index, |_, delivery| delivery.covers(before));
                Some(Expected {
                    firing: restored.is_none(),
                    events: vec![event],
                    principal: event.call().map(|call| call.principal.clone()),
                    ..self.expected("invocation-logging-weakened", "high", event.order.id.clone())
                })
            })
            .collect()
    }

    /// "The log group or bucket that the known configuration delivers to is deleted, or the role it uses."
    fn destinations_lost(&self) -> Vec<Expected<'a>> {
        let mut losses: BTreeMap<(&'static str, String), Vec<(&'a Event, bool)>> = BTreeMap::new();
        for (index, event) in self.events.iter().enumerate() {
            let Some(in_force) = self.in_force(index) else { continue };
            let Some((kind, name)) = in_force.deleted_by(event, self.region, self.account) else { continue };
            let recreated = self
                .events
                .iter()
                .skip(index + 1)
                .any(|later| in_force.recreated_by(later, self.region, self.account, kind));
            let elsewhere = self.restored_after(index, |at, delivery| self.delivers_somewhere(at, delivery));
            losses.entry((kind, name)).or_default().push((event, !recreated && elsewhere.is_none()));
        }
        losses
            .into_iter()
            .map(|((_, name), losses)| Expected {
                firing: losses.iter().any(|(_, lost)| *lost),
                principal: losses.first().and_then(|(event, _)| event.call()).map(|call| call.principal.clone()),
                events: losses.iter().map(|(event, _)| *event).collect(),
                facts: facts(json!({"destination": name})),
                ..self.expected("invocation-logging-destination-lost", "high", name)
            })
            .collect()
    }

    /// What is delivered when the event at `index` happens.
    fn in_force(&self, index: usize) -> Option<&Delivery> {
        let before = self.changes.iter().rfind(|(at, ..)| *at < index);
        before.and_then(|(_, _, after)| after.on())
    }

    /// Whether a destination of `delivery` stands when the event at `index` happens; a log group is reached only
    /// through its role.
    fn delivers_somewhere(&self, index: usize, delivery: &Delivery) -> bool {
        let lost = |kind: &str| {
            let until = self.events.iter().take(index);
            until.fold(false, |lost, event| match delivery.deleted_by(event, self.region, self.account) {
                Some((deleted, _)) if deleted == kind => true,
                _ => lost && !delivery.recreated_by(event, self.region, self.account, kind),
            })
        };
        let by_log_group = delivery.log_group.is_some() && !lost("log_group") && !lost("role");
        let by_bucket = delivery.bucket.is_some() && !lost("bucket");
        by_log_group || by_bucket
    }
}
