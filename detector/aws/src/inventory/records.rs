//! What was seen, as records for the engine: observations in the form of EventBridge events.
//!
//! Several observations a place, because each holds from another moment, and because a record has a limit.

use bedrock_watch_engine::{Observation, ObservedGroup, ObservedJob, Second};
use bedrock_watch_service::source::Records;
use serde_json::json;

use super::{jobs::is_live, places::Target, sweep::Seen};

/// Jobs in one observation.
const JOBS_MAX: usize = 100;
/// Knowledge bases and agents in one observation.
const ASSISTANTS_MAX: usize = 100;
/// Groups in one observation; each may have 1,000 rules (Amazon VPC quotas).
const GROUPS_MAX: usize = 20;

/// The records of what was seen in one place.
pub(super) fn of(seen: &Seen, sweep: u64) -> Records {
    let mut writer = Writer { target: &seen.target, sweep, number: 0, records: Records::default() };
    for jobs in seen.jobs.chunks(JOBS_MAX) {
        writer.write(seen.at, Observation { jobs: jobs.to_vec(), ..Observation::default() });
    }
    if let Some(network) = &seen.network {
        // A job that names a group comes first, so that both are known when the group is judged.
        let missing: Vec<String> = live_groups(seen).filter(|id| network.missing.contains(*id)).cloned().collect();
        if !missing.is_empty() {
            writer.write(network.at, Observation { missing_security_groups: missing, ..Observation::default() });
        }
        let groups: Vec<ObservedGroup> = network.groups.values().cloned().collect();
        // Groups without their rules would look like groups that let nothing out.
        for groups in groups.chunks(GROUPS_MAX).take_while(|_| network.has_rules) {
            writer.write(network.at, Observation { security_groups: groups.to_vec(), ..Observation::default() });
        }
        if !network.endpoints.is_empty() {
            let vpc_endpoints = network.endpoints.clone();
            writer.write(network.at, Observation { vpc_endpoints, ..Observation::default() });
        }
    }
    if let Some((at, logging)) = &seen.logging {
        writer.write(*at, Observation { invocation_logging: Some(logging.clone()), ..Observation::default() });
    }
    for assistants in seen.assistants.chunks(ASSISTANTS_MAX) {
        writer.write(seen.at, Observation { dependents: assistants.to_vec(), ..Observation::default() });
    }
    writer.records
}

/// The records of some jobs of one place, seen at `at`.
pub(super) fn of_jobs(target: &Target, at: Second, jobs: Vec<ObservedJob>, ask: u64) -> Records {
    let mut writer = Writer { target, sweep: ask, number: 0, records: Records::default() };
    writer.write(at, Observation { jobs, ..Observation::default() });
    writer.records
}

fn live_groups(seen: &Seen) -> impl Iterator<Item = &String> {
    let live = seen.jobs.iter().filter(|job| is_live(&job.status));
    let named: std::collections::BTreeSet<&String> = live.flat_map(|job| &job.security_group_ids).collect();
    named.into_iter()
}

struct Writer<'a> {
    target: &'a Target,
    sweep: u64,
    number: u32,
    records: Records,
}

impl Writer<'_> {
    fn write(&mut self, at: Second, mut observation: Observation) {
        let Target { account, region, .. } = self.target;
        // Unique among the observations of a second, so that none is taken for another.
        observation.id = format!("inventory-{account}-{region}-{:016x}-{}", self.sweep, self.number);
        self.number = self.number.saturating_add(1);
        (observation.at, observation.account, observation.region) = (at, account.clone(), region.clone());
        let event = json!({
            "version": "0",
            "id": observation.id,
            "detail-type": "Inventory Observation",
            "source": "bedrock-watch",
            "account": account,
            "time": at.to_rfc3339(),
            "region": region,
            "resources": [],
            "detail": observation,
        });
        self.records.push(event.to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use bedrock_watch_engine::{Activity, decode::decode};

    use super::*;
    use crate::inventory::network::Network;

    fn seen(network: Option<Network>) -> Seen {
        let job = |status: &str, group: &str| ObservedJob {
            job_arn: format!("arn:aws:bedrock:eu-west-1:111122223333:model-customization-job/titan/{group}"),
            status: status.to_owned(),
            security_group_ids: vec![group.to_owned()],
            ..ObservedJob::default()
        };
        Seen {
            target: Target { account: "111122223333".to_owned(), region: "eu-west-1".to_owned(), of_all: false },
            at: Second(1_795_046_400),
            jobs: vec![job("InProgress", "sg-1"), job("Completed", "sg-2")],
            network,
            logging: None,
            assistants: Vec::new(),
            failures: Vec::new(),
        }
    }

    fn observations(seen: &Seen) -> Vec<Observation> {
        let records = of(seen, 7);
        let decoded = records.iter().map(|record| match decode(record) {
            Ok(Activity::Inventory(observation)) => *observation,
            other => panic!("{other:?}"),
        });
        decoded.collect()
    }

    #[test]
    fn the_engine_reads_what_is_written() {
        let seen = seen(None);
        let [only] = observations(&seen).try_into().unwrap();
        assert_eq!((only.at, &*only.account, &*only.region), (seen.at, "111122223333", "eu-west-1"));
        assert_eq!(only.jobs, seen.jobs);
    }

    #[test]
    fn only_what_live_jobs_name_is_missing_and_groups_without_rules_are_not_told() {
        let both = ["sg-1".to_owned(), "sg-2".to_owned()].into();
        let group = ObservedGroup { group_id: "sg-3".to_owned(), ..ObservedGroup::default() };
        let groups = std::collections::BTreeMap::from([("sg-3".to_owned(), group)]);
        let network = Network { at: Second(1_795_046_410), missing: both, groups, ..Network::default() };
        let told = observations(&seen(Some(network.clone())));
        assert_eq!(told.iter().flat_map(|one| one.missing_security_groups.clone()).collect::<Vec<_>>(), ["sg-1"]);
        assert!(told.iter().all(|one| one.security_groups.is_empty()));
        let told = observations(&seen(Some(Network { has_rules: true, ..network })));
        assert!(told.iter().any(|one| one.security_groups.len() == 1 && one.at == Second(1_795_046_410)));
        let mut ids: Vec<&String> = told.iter().map(|one| &one.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), told.len(), "every observation has an id of its own");
    }
}
