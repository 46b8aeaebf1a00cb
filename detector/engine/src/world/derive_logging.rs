//! Joins logging configurations with what they stand on: from the history of one account and region, the state events
//! it gives.

use serde_json::{Map, Value as Json, json};

use crate::{rule::Value, time::Second};

use super::{
    World,
    blindness::{BlindInterval, Names, RegionCalls},
    logging::{Delivery, Posture, Step},
    resource::Loss,
    state_event::{Repair, StateEvent, text},
};

impl World {
    /// The stretches in which nothing was logged, of an account and region.
    pub(crate) fn blind_intervals(&self, account: &str, region: &str) -> Vec<BlindInterval> {
        let Some(history) = self.logging.get(&(Box::from(account), Box::from(region))) else { return Vec::new() };
        history.steps().filter(Step::blinds).map(|step| interval(&step)).collect()
    }

    /// Whether nothing was logged in an account and region at a second.
    pub(crate) fn is_blind_at(&self, account: &str, region: &str, at: Second) -> bool {
        let history = self.logging.get(&(Box::from(account), Box::from(region)));
        let mut blinding = history.into_iter().flat_map(|history| history.steps()).filter(Step::blinds);
        blinding.any(|step| {
            let until = step.restoring().map(|change| change.evidence.moment.at);
            at >= step.change.evidence.moment.at && until.is_none_or(|until| at < until)
        })
    }

    /// The state events about logging of an account and region. `calls` are the inference calls made there.
    pub(crate) fn derive_logging(
        &self,
        account: &str,
        region: &str,
        calls: Option<&RegionCalls>,
        names: &Names<'_>,
    ) -> Vec<StateEvent> {
        let Some(history) = self.logging.get(&(Box::from(account), Box::from(region))) else { return Vec::new() };
        let mut events = Vec::new();
        for step in history.steps() {
            if step.change.made {
                events.push(changed(account, region, &step, calls, names));
            }
            if let Posture::On(delivery) = &step.change.after {
                self.lost_destinations(account, region, &step, delivery, &mut events);
            }
        }
        // The last one: an alert is about an account and region, not about each time they were asked.
        let found_off = history.steps().filter(Step::is_found_off).last();
        events.extend(found_off.map(|step| found(account, region, &step, calls, names)));
        for event in &mut events {
            if let (Repair::Logging { configuration }, Some(first)) = (&mut event.repair, event.evidence.first()) {
                let last = history.last_delivery_before(&first.moment);
                *configuration = last.map(|delivery| delivery.configuration.clone());
            }
        }
        events
    }

    /// Destinations lost while the configuration of `step` was in force.
    fn lost_destinations(
        &self,
        account: &str,
        region: &str,
        step: &Step<'_>,
        delivery: &Delivery,
        events: &mut Vec<StateEvent>,
    ) {
        let from = &step.change.evidence.moment;
        let until = step.later.first().map(|next| &next.evidence.moment);
        for (resource, name) in delivery.resources(account, region) {
            let losses = self.ledgers.get(&resource).into_iter().flat_map(|ledger| ledger.losses());
            let in_force = losses.filter(|interval| *interval.loss == Loss::Deleted).filter(|interval| {
                let at = &interval.evidence.moment;
                at > from && until.is_none_or(|until| at < until)
            });
            for interval in in_force {
                let diverted = step.later.iter().any(|next| match &next.after {
                    Posture::On(delivery) => delivery.arrives(account, region, |resource| {
                        let ledger = self.ledgers.get(resource);
                        ledger.is_some_and(|ledger| ledger.is_deleted_at(&next.evidence.moment))
                    }),
                    _ => false,
                });
                let mut facts = Map::new();
                facts.insert("destination".to_owned(), json!(name));
                facts.insert("destination_kind".to_owned(), json!(resource.kind()));
                facts.insert("deleted_by".to_owned(), json!(interval.evidence.principal));
                events.push(StateEvent {
                    event: "InvocationLoggingDestinationLost",
                    account: account.into(),
                    region: region.into(),
                    subject: name.clone(),
                    fields: vec![("logging.destination.kind", text(resource.kind()))],
                    evidence: vec![interval.evidence.clone()],
                    further: 0,
                    facts,
                    over: interval.back.is_some() || diverted,
                    repair: Repair::Logging { configuration: None },
                });
            }
        }
    }
}

fn interval(step: &Step<'_>) -> BlindInterval {
    let until = step.restoring().map(|change| change.evidence.moment.at);
    BlindInterval { moment: step.change.evidence.moment.clone(), until }
}

fn changed(account: &str, region: &str, step: &Step<'_>, calls: Option<&RegionCalls>, names: &Names<'_>) -> StateEvent {
    let evidence = &step.change.evidence;
    let mut fields =
        vec![("logging.before", text(step.before.as_str())), ("logging.after", text(step.change.after.as_str()))];
    let mut facts = Map::new();
    let mut over = step.restoring().is_some();
    facts.insert("changed_by".to_owned(), json!(evidence.principal));
    match (step.before, &step.change.after) {
        (Posture::On(before), Posture::On(after)) => {
            let (lost, moved) = (before.lost_in(after), before.moved_in(after));
            fields.push(("logging.reduced", Value::Bool(!lost.is_empty())));
            fields.push(("logging.moved", Value::Bool(!moved.is_empty())));
            facts.insert("no_longer_delivered".to_owned(), json!(lost));
            facts.insert("moved".to_owned(), json!(moved));
            over = step.later.iter().any(|next| matches!(&next.after, Posture::On(next) if next.covers(before)));
        }
        (Posture::Unknown | Posture::On(_), Posture::Off) => {
            blind_facts(&mut facts, step, calls, names);
        }
        _ => {}
    }
    StateEvent {
        event: "InvocationLoggingChanged",
        account: account.into(),
        region: region.into(),
        subject: evidence.moment.id.to_string(),
        fields,
        evidence: vec![evidence.clone()],
        further: 0,
        facts,
        over,
        repair: Repair::Logging { configuration: None },
    }
}

/// Logging that was off when AWS was asked, though nobody was seen switching it off.
fn found(account: &str, region: &str, step: &Step<'_>, calls: Option<&RegionCalls>, names: &Names<'_>) -> StateEvent {
    let mut facts = Map::new();
    let used = blind_facts(&mut facts, step, calls, names) > 0;
    StateEvent {
        event: "InvocationLoggingFoundOff",
        account: account.into(),
        region: region.into(),
        // The same for every worker that asks, and after every restart.
        subject: format!("{account}:{region}"),
        fields: vec![
            ("logging.before", text(step.before.as_str())),
            ("logging.after", text(step.change.after.as_str())),
            ("logging.used", Value::Bool(used)),
        ],
        evidence: vec![step.change.evidence.clone()],
        further: 0,
        facts,
        over: step.restoring().is_some(),
        repair: Repair::Logging { configuration: None },
    }
}

/// What is known of a blind stretch; returns how many calls were made in it.
fn blind_facts(facts: &mut Map<String, Json>, step: &Step<'_>, calls: Option<&RegionCalls>, names: &Names<'_>) -> u64 {
    let interval = interval(step);
    let blind = calls.map(|calls| calls.within(&interval, names)).unwrap_or_default();
    let since = interval.moment.at;
    facts.insert("blind_since".to_owned(), json!(since.to_rfc3339()));
    facts.insert("blind_until".to_owned(), json!(interval.until.map(Second::to_rfc3339)));
    facts.insert("blind_seconds".to_owned(), json!(interval.until.map(|until| until.since(since))));
    facts.insert("blind_invocations".to_owned(), json!(blind.calls));
    let restored = step.restoring();
    let in_full = restored.map(|change| match (step.before, &change.after) {
        (Posture::On(before), Posture::On(after)) => after.covers(before),
        _ => false,
    });
    facts.insert("restored_by".to_owned(), json!(restored.map(|change| &change.evidence.principal)));
    facts.insert("restored_in_full".to_owned(), json!(in_full));
    facts.insert("blind_principals".to_owned(), json!(blind.principals));
    blind.calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::Actor,
        order::{Evidence, Moment},
        world::logging::{LoggingChange, LoggingHistory},
    };

    fn change(at: u32, after: Posture) -> LoggingChange {
        let moment = Moment { at: Second(at), native: false, id: format!("e{at}").into() };
        let evidence = Evidence { moment, name: "Put".into(), principal: "p".into(), actor: Actor::default() };
        LoggingChange { evidence, after, made: true }
    }

    #[test]
    fn delivery_order_does_not_matter() {
        let on = Posture::of(&json!({"s3Config": {"bucketName": "logs"}}));
        let changes = [change(10, on.clone()), change(20, Posture::Off), change(30, Posture::Off), change(40, on)];
        let summary = |order: &[usize]| {
            let mut history = LoggingHistory::default();
            for &place in order {
                history.enter(changes[place].clone(), 64);
            }
            let steps: Vec<_> = history
                .steps()
                .map(|step| (step.before.as_str(), step.change.after.as_str(), interval(&step).until))
                .collect();
            steps
        };
        let expected = summary(&[0, 1, 2, 3]);
        for order in [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            assert_eq!(summary(&order), expected);
        }
        assert_eq!(expected[1], ("on", "off", Some(Second(40))));
    }

    #[test]
    fn finds_logging_off_that_nobody_was_seen_switching_off() {
        let on = || Posture::of(&json!({"s3Config": {"bucketName": "logs"}}));
        let seen = |at, after| LoggingChange { made: false, ..change(at, after) };
        let check = |what: &str, changes: &[LoggingChange], blinding: &[u32], found: &[u32]| {
            let mut history = LoggingHistory::default();
            for change in changes {
                history.enter(change.clone(), 64);
            }
            let seconds = |wanted: fn(&Step<'_>) -> bool| -> Vec<u32> {
                history.steps().filter(wanted).map(|step| step.change.evidence.moment.at.0).collect()
            };
            assert_eq!(seconds(|step| step.blinds()), blinding, "{what}: blind from");
            assert_eq!(seconds(|step| step.is_found_off()), found, "{what}: found off at");
        };
        let off = || Posture::Off;
        check("off at start", &[seen(100, off()), seen(400, off())], &[100], &[100]);
        check("was on, seen off once", &[change(10, on()), seen(100, off())], &[100], &[]);
        check("was on, off for long", &[seen(10, on()), seen(100, off()), seen(999, off())], &[100], &[]);
        check("was on, off for longer", &[seen(10, on()), seen(100, off()), seen(1_000, off())], &[100], &[100]);
        check("the event was late", &[change(10, on()), change(90, off()), seen(100, off())], &[90], &[]);
        check(
            "clocks differ",
            &[change(10, on()), seen(100, off()), change(102, off()), seen(2_000, off())],
            &[102],
            &[],
        );
        check("switched off twice", &[seen(100, off()), change(700, off())], &[100], &[100]);
        check("on again and off", &[seen(100, off()), change(700, on()), change(800, off())], &[100, 800], &[100]);
    }
}
