//! Asks AWS for everything the checks look at. An answer that cannot be had is noted as such and stops nothing.

mod account;
mod bus;
mod caller;
mod canary;
mod entry;
mod error;
mod key;
mod organization;
mod role;
mod traffic;
mod trail;

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use bedrock_watch_service::config::{Config, SinkConfig, SinkKind, aws::AwsSink};

pub use canary::send as send_canary;
pub(crate) use error::refused;
pub use organization::organization;

use bus::rules_leading_to;

use super::{
    facts::{Asked, Caller, Daemon, Entry, Facts, Key, Role, SinkAnswer},
    rights,
};
use crate::Aws;

/// What the machine can say without AWS.
#[derive(Debug, Default)]
pub struct Local {
    /// Each sink by name, and what it answered.
    pub sinks: Vec<(String, Result<String, String>)>,
    /// The daemon's answer, where its address is known.
    pub daemon: Option<Daemon>,
}

/// Asks for everything about the daemon's own account and region.
pub async fn gather(aws: &Aws, config: &Config, local: Local) -> Facts {
    let own = aws.own();
    let region = aws.region().to_owned();
    let (caller, clock_ahead_s) = caller::ask(own).await;
    let account = caller.as_ref().map_or("", |caller: &Caller| caller.account.as_str()).to_owned();
    let entries = entry::all(own, &config.sources).await;
    let arns: Vec<String> = entries.iter().filter_map(|entry| entry.arn().map(str::to_owned)).collect();
    let (trails, rules, global_rules, agents, knowledge_bases, invocation_logging, security_contact) = tokio::join!(
        Box::pin(trail::ask(own)),
        Box::pin(rules_leading_to(own, &arns)),
        Box::pin(global_rules(own, &region, &account)),
        Box::pin(account::agents(own)),
        Box::pin(account::knowledge_bases(own)),
        Box::pin(account::invocation_logging(own)),
        Box::pin(account::security_contact(own)),
    );
    let targets = || rules.iter().flatten().flat_map(|rule| &rule.targets);
    let roles = roles(own, targets().filter_map(|target| Some((target.role.clone()?, target.arn.clone())))).await;
    let dead_letters = entry::queues(own, targets().filter_map(|target| target.dead_letter.clone())).await;
    let keys = keys(own, &entries).await;
    let denied = match &caller {
        Ok(caller) => denied(own, config, caller, (&region, &entries)).await,
        Err(error) => Err(error.clone()),
    };
    let mut sinks: Vec<_> = local.sinks.into_iter().map(|(name, answer)| (name, answer.into())).collect();
    sinks.extend(aws_sinks(own, &config.sinks).await);
    Facts {
        region,
        caller,
        trails,
        entries,
        rules,
        global_rules,
        roles,
        keys,
        dead_letters,
        denied,
        agents,
        knowledge_bases,
        invocation_logging,
        security_contact,
        clock_ahead_s,
        sinks,
        daemon: local.daemon,
        canary: None,
    }
}

/// The rules of us-east-1 that lead to the bus of this region.
async fn global_rules(own: &SdkConfig, region: &str, account: &str) -> Option<Asked<Vec<super::facts::Rule>>> {
    const GLOBAL: &str = "us-east-1";
    if region == GLOBAL {
        return None;
    }
    let there = own.to_builder().region(aws_config::Region::from_static(GLOBAL)).build();
    let bus = format!("arn:aws:events:{region}:{account}:event-bus/default");
    Some(rules_leading_to(&there, &[bus]).await)
}

async fn roles(own: &SdkConfig, targets: impl Iterator<Item = (String, String)>) -> BTreeMap<String, Asked<Role>> {
    let mut resources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (role, target) in targets {
        resources.entry(role).or_default().insert(target);
    }
    let mut roles = BTreeMap::new();
    for (arn, targets) in resources {
        roles.insert(arn.clone(), role::of_target(own, &arn, &targets).await);
    }
    roles
}

async fn keys(own: &SdkConfig, entries: &[Entry]) -> BTreeMap<String, Asked<Key>> {
    let ids: BTreeSet<&String> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Stream { stream: Ok(stream), .. } => stream.key.as_ref(),
            Entry::Queue { queue: Ok(queue), .. } => queue.key.as_ref(),
            _ => None,
        })
        .collect();
    let mut keys = BTreeMap::new();
    for id in ids {
        keys.insert(id.clone(), key::ask(own, id).await);
    }
    keys
}

/// What the caller may not do, of what the configuration needs.
async fn denied(
    own: &SdkConfig,
    config: &Config,
    caller: &Caller,
    (region, entries): (&str, &[Entry]),
) -> Asked<BTreeSet<String>> {
    let known = rights::Known { account: &caller.account, region, entries, config };
    let mut denied = BTreeSet::new();
    let Some(source) = role::of_caller(own, &caller.arn).await? else { return Ok(denied) };
    for (actions, resources) in rights::needed(&known) {
        denied.extend(role::denied(own, &source, &actions, &resources).await?);
    }
    Ok(denied)
}

/// What AWS's sinks answer; nothing is sent to them.
async fn aws_sinks(own: &SdkConfig, sinks: &[SinkConfig]) -> Vec<(String, SinkAnswer)> {
    let mut answers = Vec::new();
    for sink in sinks {
        let SinkKind::Aws(kind) = &sink.kind else { continue };
        let answer = match kind {
            AwsSink::EventBridge { bus, .. } => bus::describe(own, bus).await,
            AwsSink::Sns { topic_arn } => account::topic(own, topic_arn).await,
            AwsSink::SecurityHub { .. } => {
                let why = "Security Hub answers only to findings, and none is sent".to_owned();
                answers.push((sink.name.clone(), SinkAnswer::NotAsked(why)));
                continue;
            }
        };
        answers.push((sink.name.clone(), answer.map_err(|error| error.to_string()).into()));
    }
    answers
}
