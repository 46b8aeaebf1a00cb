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
pub(crate) use organization::EVERY_REGION;
pub use organization::organization;

use bus::rules_leading_to;

use super::{
    Ours,
    facts::{Asked, Caller, Covered, Daemon, Entry, Facts, Key, Rights, Role, SinkAnswer},
    partition, rights,
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
    let dead_letters = entry::dead_letters(own, targets().filter_map(|target| target.dead_letter.clone())).await;
    let keys = keys(own, &entries).await;
    let given = targets().filter_map(|target| Some((target.role.clone()?, target.arn.clone())));
    let roles = roles(own, given, (&entries, &keys)).await;
    let buckets: Vec<String> = trails.iter().flatten().filter_map(|trail| trail.bucket.clone()).collect();
    let rights = match &caller {
        Ok(Caller { account, arn }) => {
            let known =
                rights::Known { account, region: &region, entries: &entries, keys: &keys, buckets: &buckets, config };
            rights(own, arn, &known).await
        }
        Err(error) => Rights { denied: Err(error.clone()), unknown: Vec::new(), excess: None },
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
        rights,
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

/// What the way of events to the streams and queues of `ours` is made of.
pub(crate) async fn way(aws: &Aws, account: &str, ours: &Ours) -> Covered {
    let entries: Vec<String> = ours.entries().iter().cloned().collect();
    let (trails, rules) =
        tokio::join!(Box::pin(trail::ask(aws.own())), Box::pin(rules_leading_to(aws.own(), &entries)));
    let (account, region) = (account.to_owned(), aws.region().to_owned());
    Covered { name: format!("account {account}"), account, region, trails, rules }
}

/// The rules of the region in which global services log (us-east-1) that lead to the bus of this region.
async fn global_rules(own: &SdkConfig, region: &str, account: &str) -> Option<Asked<Vec<super::facts::Rule>>> {
    let global = partition::global_region(region);
    if region == global {
        return None;
    }
    let there = own.to_builder().region(aws_config::Region::from_static(global)).build();
    let bus = format!("arn:{}:events:{region}:{account}:event-bus/default", partition::name(region));
    Some(rules_leading_to(&there, &[bus]).await)
}

/// The roles of targets, each with what it must be able to do: with the targets, and with the keys of these.
async fn roles(
    own: &SdkConfig,
    targets: impl Iterator<Item = (String, String)>,
    (entries, keys): (&[Entry], &BTreeMap<String, Asked<Key>>),
) -> BTreeMap<String, Asked<Role>> {
    let key_of = |target: &String| {
        let entry = entries.iter().find(|entry| entry.arn() == Some(target))?;
        let Entry::Stream { stream: Ok(stream), .. } = entry else { return None };
        let id = stream.key.as_ref()?;
        let key = keys.get(id)?.as_ref().ok().filter(|key| !key.aws_managed)?;
        Some((id.clone(), key.arn.clone()))
    };
    let mut resources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (role, target) in targets {
        resources.entry(role).or_default().insert(target);
    }
    let mut roles = BTreeMap::new();
    for (arn, targets) in resources {
        let keys: BTreeMap<String, String> = targets.iter().filter_map(key_of).collect();
        roles.insert(arn.clone(), role::of_target(own, &arn, &targets, &keys).await);
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

/// What the caller may not do of what the configuration needs, and what it may do beyond that.
async fn rights(own: &SdkConfig, caller: &str, known: &rights::Known<'_>) -> Rights {
    let unknown = rights::unknown(known);
    let source = match role::of_caller(own, caller).await {
        Ok(Some(source)) => source,
        // The root user may do everything, and is nobody's task role.
        Ok(None) => return Rights { denied: Ok(BTreeSet::new()), unknown, excess: None },
        Err(error) => return Rights { denied: Err(error), unknown, excess: None },
    };
    let excess = if rights::is_person(caller) { None } else { Some(excess(own, &source).await) };
    Rights { denied: denied(own, &source, known).await, unknown, excess }
}

async fn denied(own: &SdkConfig, source: &str, known: &rights::Known<'_>) -> Asked<BTreeSet<String>> {
    let mut denied = rights::denied_by_keys(known, source);
    for (actions, resources) in rights::needed(known, source) {
        denied.extend(role::denied(own, source, &actions, &resources).await?);
    }
    Ok(denied)
}

/// What `source` may do and should not.
async fn excess(own: &SdkConfig, source: &str) -> Asked<BTreeSet<String>> {
    let dangerous = rights::DANGEROUS.map(str::to_owned);
    let denied = role::denied(own, source, &dangerous, &["*".to_owned()]).await?;
    Ok(dangerous.into_iter().filter(|action| !denied.contains(action)).collect())
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
