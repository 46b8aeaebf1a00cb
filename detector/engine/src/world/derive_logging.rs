//! Joins logging configurations with what they stand on: from the history of one account and region, the state events
//! it gives.

use serde_json::{Map, Value as Json, json};

use crate::rule::Value;

use super::{
    World,
    blindness::{BlindInterval, Names, RegionCalls},
    logging::{Delivery, LoggingChange, Posture, Step},
    resource::Loss,
    state_event::{Repair, StateEvent, text},
};

impl World {
    /// The stretches in which nothing was logged, of an account and region.
    pub(crate) fn blind_intervals(&self, account: &str, region: &str) -> Vec<BlindInterval> {
        let Some(history) = self.logging.get(&(Box::from(account), Box::from(region))) else { return Vec::new() };
        let blinding = history.steps().filter(|step| step.change.made && step.change.after == Posture::Off);
        blinding.filter(|step| *step.before != Posture::Off).map(|step| interval(&step)).collect()
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
                    facts,
                    over: interval.back.is_some() || diverted,
                    repair: Repair::Logging { configuration: None },
                });
            }
        }
    }
}

fn interval(step: &Step<'_>) -> BlindInterval {
    let until = restoring(step.later).map(|change| change.evidence.moment.at);
    BlindInterval { moment: step.change.evidence.moment.clone(), until }
}

/// The first of `later` after which something is delivered.
fn restoring(later: &[LoggingChange]) -> Option<&LoggingChange> {
    later.iter().find(|change| matches!(change.after, Posture::On(_)))
}

fn changed(account: &str, region: &str, step: &Step<'_>, calls: Option<&RegionCalls>, names: &Names<'_>) -> StateEvent {
    let evidence = &step.change.evidence;
    let mut fields =
        vec![("logging.before", text(step.before.as_str())), ("logging.after", text(step.change.after.as_str()))];
    let mut facts = Map::new();
    let mut over = restoring(step.later).is_some();
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
        (Posture::Unknown | Posture::On(_), Posture::Off) => blind_facts(&mut facts, step, calls, names),
        _ => {}
    }
    StateEvent {
        event: "InvocationLoggingChanged",
        account: account.into(),
        region: region.into(),
        subject: evidence.moment.id.to_string(),
        fields,
        evidence: vec![evidence.clone()],
        facts,
        over,
        repair: Repair::Logging { configuration: None },
    }
}

fn blind_facts(facts: &mut Map<String, Json>, step: &Step<'_>, calls: Option<&RegionCalls>, names: &Names<'_>) {
    let interval = interval(step);
    let blind = calls.map(|calls| calls.within(&interval, names)).unwrap_or_default();
    let since = interval.moment.at;
    facts.insert("blind_since".to_owned(), json!(since.to_rfc3339()));
    facts.insert("blind_until".to_owned(), json!(interval.until.map(crate::time::Second::to_rfc3339)));
    facts.insert("blind_seconds".to_owned(), json!(interval.until.map(|until| until.since(since))));
    facts.insert("blind_invocations".to_owned(), json!(blind.calls));
    let restored = restoring(step.later);
    let in_full = restored.map(|change| match (step.before, &change.after) {
        (Posture::On(before), Posture::On(after)) => after.covers(before),
        _ => false,
    });
    facts.insert("restored_by".to_owned(), json!(restored.map(|change| &change.evidence.principal)));
    facts.insert("restored_in_full".to_owned(), json!(in_full));
    facts.insert("blind_principals".to_owned(), json!(blind.principals));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::Actor,
        order::{Evidence, Moment},
        time::Second,
        world::logging::LoggingHistory,
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
}
