//! Joins buckets whose content was put at risk with what keeps its data there: jobs, knowledge bases, invocation logs.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{
    World,
    dependent::Dependent,
    derive::dependent_fact,
    logging::Posture,
    resource::{Loss, LossInterval, ResourceKey},
    state_event::{Repair, StateEvent, count, text},
};

type Place<'a> = (&'a str, &'a str);

impl World {
    /// The state events about a bucket that was exposed: one for each account and region that uses it.
    pub(super) fn derive_exposures(&self, bucket: &ResourceKey, name: &str, events: &mut Vec<StateEvent>) {
        let Some(ledger) = self.ledgers.get(bucket) else { return };
        let all = self.users_of(bucket);
        let mut users: BTreeMap<Place<'_>, Vec<(u32, &Dependent)>> = BTreeMap::new();
        for (number, one) in &all {
            users.entry((&*one.account, &*one.region)).or_default().push((*number, one));
        }
        for (account, region) in self.logging_users.get(bucket).into_iter().flatten() {
            users.entry((&**account, &**region)).or_default();
        }
        for interval in ledger.losses().filter(|interval| matches!(interval.loss, Loss::Exposed(_))) {
            for ((account, region), users) in &users {
                let back = interval.back.map(|back| back.moment.at);
                let mut affected = self.affected(users, bucket, interval.evidence.moment.at, back);
                affected.sort_by(|(_, left), (_, right)| left.label().cmp(right.label()));
                let (logged, still_logged) = self.logs_to(account, region, bucket, &interval);
                let mut dependents: Vec<Json> = affected.iter().map(|(_, one)| dependent_fact(one)).collect();
                if logged {
                    dependents.push(json!({ "kind": "invocation_logging", "arn": null, "name": name, "status": null }));
                }
                let mut facts = Map::new();
                let change = interval.loss.as_str();
                let by = &interval.evidence.principal;
                facts.insert("changes".to_owned(), json!([change]));
                facts.insert("changed_by".to_owned(), json!(by));
                facts.insert("dependency_kind".to_owned(), json!("bucket"));
                facts.insert("dependency_account".to_owned(), json!(ledger.account));
                let affected_count = count(dependents.len());
                facts.insert("dependents".to_owned(), Json::Array(dependents));
                events.push(StateEvent {
                    event: "DataExposed",
                    account: (*account).into(),
                    region: (*region).into(),
                    subject: name.to_owned(),
                    fields: vec![
                        ("dependency.kind", text("bucket")),
                        ("dependency.id", text(name)),
                        ("dependency.change", text(change)),
                        ("dependents.affected", affected_count),
                    ],
                    evidence: vec![interval.evidence.clone()],
                    further: 0,
                    facts,
                    over: back.is_some() || (self.none_needs(&affected, bucket) && !still_logged),
                    repair: Repair::Dependency {
                        resource: bucket.clone(),
                        users: affected.iter().map(|(number, _)| *number).collect(),
                    },
                });
            }
        }
    }

    /// Whether invocation logs went to a bucket at some time while it was exposed, and whether they still do.
    fn logs_to(&self, account: &str, region: &str, bucket: &ResourceKey, interval: &LossInterval<'_>) -> (bool, bool) {
        let key = (Box::from(account), Box::from(region));
        let Some(history) = self.logging.get(&key) else { return (false, false) };
        let delivers = |posture: &Posture| match posture {
            Posture::On(delivery) => delivery.resources(account, region).iter().any(|(known, _)| known == bucket),
            _ => false,
        };
        let (from, back) = (&interval.evidence.moment, interval.back.map(|back| &back.moment));
        let logged = history.steps().any(|step| {
            let set = &step.change.evidence.moment;
            let replaced = step.later.first().map(|next| &next.evidence.moment);
            let overlaps = back.is_none_or(|back| set < back) && replaced.is_none_or(|replaced| replaced > from);
            overlaps && delivers(&step.change.after)
        });
        (logged, delivers(history.now()))
    }
}
