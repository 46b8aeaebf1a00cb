//! Explains what principals do by what is known of resources: which of a service role's calls its own jobs make, and
//! which agent or knowledge base a service role belongs to.
//!
//! Derived anew whenever an alert is written, so the order of arrival cannot matter.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::alert::Actor;

use super::{
    World,
    dependent::{Dependent, Kind},
    dependents::Outline,
    resource::ResourceKey,
};

impl World {
    /// The jobs that call models under the role `principal`: its own, and the synchronisations of its knowledge bases.
    ///
    /// What runs under the role is called by Bedrock in its name; a person or application that could assume it as well
    /// is not told apart.
    pub(crate) fn jobs_under(&self, principal: &str) -> Vec<Outline> {
        if self.dependents.len() == 0 {
            return Vec::new();
        }
        let Some(role) = ResourceKey::role_of_arn(principal) else { return Vec::new() };
        let mut jobs = self.dependents.outlines_under(&role);
        jobs.retain(|one| one.kind.invokes());
        jobs
    }

    /// Those of `jobs` that explain what was done in `stretches` (first and last second), as facts: in each of them one
    /// was running all through. Empty if none was in one of the stretches.
    pub(crate) fn explanation(&self, jobs: &[Outline], stretches: &[(u32, u32)]) -> Vec<Json> {
        let mut explaining: BTreeSet<u32> = BTreeSet::new();
        for &(first, last) in stretches {
            let runs = |job: &&Outline| {
                let started = job.started.is_some_and(|started| started.0 <= first);
                started && job.end.is_none_or(|end| end.at.0 >= last)
            };
            let mut running = jobs.iter().filter(runs).map(|job| job.number).peekable();
            if running.peek().is_none() {
                return Vec::new();
            }
            explaining.extend(running);
        }
        let mut explaining: Vec<Dependent> =
            explaining.into_iter().filter_map(|number| self.dependents.get(number)).collect();
        explaining.sort_by(|left, right| left.label().cmp(right.label()));
        explaining.dedup_by(|left, right| left.label() == right.label());
        explaining
            .into_iter()
            .map(|job| json!({ "kind": job.kind.as_str(), "arn": job.arn, "name": job.name }))
            .collect()
    }

    /// Names the agent or knowledge base that acted, where Bedrock acted under the service role `principal`: the one
    /// whose id the session's name contains, else the only one with that role.
    pub(crate) fn name_agent(&self, actor: &mut Actor, principal: Option<&str>) {
        let Some(via) = &actor.via else { return };
        let by_bedrock = via == "service:bedrock.amazonaws.com";
        if !by_bedrock && !via.starts_with("agent:") && !via.starts_with("knowledge_base:") {
            return;
        }
        let Some(role) = principal.and_then(ResourceKey::role_of_arn) else { return };
        let users = self.dependents.users_of(&role);
        let users: Vec<&Dependent> =
            users.values().filter(|one| matches!(one.kind, Kind::Agent | Kind::KnowledgeBase)).collect();
        let session = actor.session_name.as_deref().unwrap_or_default();
        let id_of = |one: &Dependent| one.arn.as_deref().and_then(|arn| arn.rsplit('/').next()).map(str::to_owned);
        let named = users.iter().find(|one| id_of(one).is_some_and(|id| session.contains(&id)));
        let only = if let [only] = users.as_slice() { Some(only) } else { None };
        if let Some(one) = named.or(only)
            && let Some(name) = one.name.as_deref().map(str::to_owned).or_else(|| id_of(one))
        {
            actor.via = Some(format!("{}:{name}", one.kind.as_str()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activity, decode::decode, settings::Settings};

    /// A world in which these calls happened, in this order.
    fn world(calls: &[(&str, Json, Json)]) -> World {
        let mut world = World::default();
        for (number, (name, request, response)) in calls.iter().enumerate() {
            let record = json!({
                "eventSource": "bedrock.amazonaws.com", "eventName": name, "eventID": format!("e{number}"),
                "eventTime": "2026-11-22T05:39:00Z", "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
                "requestParameters": request, "responseElements": response
            })
            .to_string();
            let Ok(Activity::Call(call)) = decode(record.as_bytes()) else { panic!("{record}") };
            drop(world.apply_call(&call, &Settings::standard()));
        }
        world
    }

    #[test]
    fn agents_are_called_by_their_name() {
        let role = "arn:aws:iam::111122223333:role/agents/support";
        let agent = |id: &str, name: &str| {
            let request = json!({ "agentName": name, "agentResourceRoleArn": role });
            ("CreateAgent", request, json!({ "agent": { "agentId": id, "agentName": name } }))
        };
        let check = |world: &World, via: &str, session: &str, expected: &str| {
            let mut actor =
                Actor { via: Some(via.to_owned()), session_name: Some(session.to_owned()), ..Actor::default() };
            world.name_agent(&mut actor, Some(role));
            assert_eq!(actor.via.as_deref(), Some(expected), "{via} {session}");
        };
        const SERVICE: &str = "service:bedrock.amazonaws.com";
        check(&world(&[]), SERVICE, "s", SERVICE);
        let one = world(&[agent("AGENT00001", "support")]);
        check(&one, SERVICE, "s", "agent:support");
        check(&one, "agent:SUPPORT", "s", "agent:support");
        check(&one, "console", "s", "console");
        check(&one, "service:lambda.amazonaws.com", "s", "service:lambda.amazonaws.com");
        let two = world(&[agent("AGENT00001", "support"), agent("AGENT00002", "sales")]);
        check(&two, SERVICE, "s", SERVICE);
        check(&two, SERVICE, "BedrockAgents-AGENT00002-x", "agent:sales");
        let renamed = json!({ "agentId": "AGENT00001", "agentName": "help", "agentResourceRoleArn": role });
        let later = world(&[agent("AGENT00001", "support"), ("UpdateAgent", renamed.clone(), Json::Null)]);
        check(&later, SERVICE, "s", "agent:help");
    }
}
