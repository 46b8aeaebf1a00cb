//! EventBridge: rules, their targets, and what patterns match.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_eventbridge::{Client, types::Target as SdkTarget};

use super::refused;
use crate::doctor::{
    facts::{Asked, Rule, Target},
    pattern,
    samples::SAMPLES,
};

/// The bus on which AWS's own events arrive.
const DEFAULT_BUS: &str = "default";
/// Pages of rules or targets that are read.
const PAGES_MAX: usize = 100;

/// The rules of the default bus that have one of `arns` as a target, each with those targets only.
pub(crate) async fn rules_leading_to(config: &SdkConfig, arns: &[String]) -> Asked<Vec<Rule>> {
    let client = Client::new(config);
    let mut names = std::collections::BTreeSet::new();
    for arn in arns {
        names.extend(names_leading_to(&client, arn).await?);
    }
    let mut rules = Vec::new();
    for name in names {
        let mut rule = rule(&client, &name).await?;
        rule.targets.retain(|target| arns.contains(&target.arn));
        rules.push(rule);
    }
    Ok(rules)
}

async fn names_leading_to(client: &Client, arn: &str) -> Asked<Vec<String>> {
    let mut names = Vec::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let call = client.list_rule_names_by_target().target_arn(arn).event_bus_name(DEFAULT_BUS);
        let page = call.set_next_token(next).send().await;
        let page = page.map_err(|error| refused("events:ListRuleNamesByTarget", &error))?;
        names.extend(page.rule_names().iter().cloned());
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(names)
}

/// Every rule of the default bus, with every target.
pub(crate) async fn all_rules(config: &SdkConfig) -> Asked<Vec<Rule>> {
    let client = Client::new(config);
    let mut names = Vec::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let page = client.list_rules().event_bus_name(DEFAULT_BUS).set_next_token(next).send().await;
        let page = page.map_err(|error| refused("events:ListRules", &error))?;
        // Rules of others, of which there can be hundreds, are not asked about.
        let mentioning = page.rules().iter().filter(|rule| rule.event_pattern().is_some_and(may_match));
        names.extend(mentioning.filter_map(|rule| rule.name().map(str::to_owned)));
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    let mut rules = Vec::new();
    for name in names {
        rules.push(rule(&client, &name).await?);
    }
    Ok(rules)
}

/// Whether a pattern may match Bedrock's events.
fn may_match(text: &str) -> bool {
    let Ok(pattern) = serde_json::from_str(text) else { return false };
    SAMPLES.iter().any(|sample| pattern::matches(&pattern, &sample.event("", "")) != Some(false))
}

async fn rule(client: &Client, name: &str) -> Asked<Rule> {
    let described = client.describe_rule().name(name).event_bus_name(DEFAULT_BUS).send().await;
    let described = described.map_err(|error| refused("events:DescribeRule", &error))?;
    let text = described.event_pattern().unwrap_or_default().to_owned();
    Ok(Rule {
        name: name.to_owned(),
        state: described.state().map_or_else(|| "ENABLED".to_owned(), |state| state.as_str().to_owned()),
        tested: tested(client, &text).await,
        pattern: text,
        targets: targets(client, name).await?,
    })
}

async fn targets(client: &Client, rule: &str) -> Asked<Vec<Target>> {
    let mut targets = Vec::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let call = client.list_targets_by_rule().rule(rule).event_bus_name(DEFAULT_BUS).set_next_token(next);
        let page = call.send().await.map_err(|error| refused("events:ListTargetsByRule", &error))?;
        targets.extend(page.targets().iter().map(target));
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(targets)
}

fn target(target: &SdkTarget) -> Target {
    Target {
        id: target.id().to_owned(),
        arn: target.arn().to_owned(),
        role: target.role_arn().map(str::to_owned),
        partition_key_path: target.kinesis_parameters().map(|of| of.partition_key_path().to_owned()),
        dead_letter: target.dead_letter_config().and_then(|of| of.arn()).map(str::to_owned),
        transforms: target.input().is_some() || target.input_path().is_some() || target.input_transformer().is_some(),
    }
}

/// What AWS says about samples for which our own matcher has no answer.
async fn tested(client: &Client, text: &str) -> BTreeMap<String, bool> {
    let mut tested = BTreeMap::new();
    let pattern = serde_json::from_str(text).unwrap_or_default();
    for sample in SAMPLES {
        let event = sample.event("123456789012", "us-east-1");
        if pattern::matches(&pattern, &event).is_some() {
            continue;
        }
        let asked = client.test_event_pattern().event_pattern(text).event(event.to_string()).send().await;
        let Ok(answer) = asked else { break };
        tested.insert(sample.name.to_owned(), answer.result());
    }
    tested
}

/// Whether a bus is there.
pub(super) async fn describe(config: &SdkConfig, bus: &str) -> Asked<String> {
    let asked = Client::new(config).describe_event_bus().name(bus).send().await;
    asked.map_err(|error| refused("events:DescribeEventBus", &error))?;
    Ok(format!("the event bus {bus} is there (no alert was sent)"))
}
