//! What the configuration needs the task role to be allowed: the statements of `infra/iam/daemon.json` that concern it,
//! with the resources that the configuration names.

use bedrock_watch_service::config::{
    Config, SinkKind, SourceConfig,
    aws::{AwsSink, KinesisMode},
};
use serde_json::Value;

use super::facts::Entry;

/// The policy of the task role, as it is deployed.
pub const DAEMON_POLICY: &str = include_str!("../../../../infra/iam/daemon.json");

/// What is known about the resources.
#[derive(Debug)]
pub(super) struct Known<'a> {
    /// The own account.
    pub(super) account: &'a str,
    /// The own region.
    pub(super) region: &'a str,
    /// The streams and queues.
    pub(super) entries: &'a [Entry],
    /// What is configured.
    pub(super) config: &'a Config,
}

/// Actions and the resources they are needed for, statement by statement.
#[must_use]
pub(super) fn needed(known: &Known<'_>) -> Vec<(Vec<String>, Vec<String>)> {
    let policy: Value = serde_json::from_str(DAEMON_POLICY).unwrap_or_default();
    let statements = policy.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |statement: &Value| {
        let resources = resources(statement.get("Sid").and_then(Value::as_str).unwrap_or_default(), known)?;
        let actions = statement
            .get("Action")
            .and_then(Value::as_array)?
            .iter()
            .filter_map(|action| Some(action.as_str()?.to_owned()));
        Some((actions.collect(), resources))
    };
    statements.iter().filter_map(of).collect()
}

/// The resources of a statement, by its name; `None` where the configuration does not need it, or where nothing is known
/// about the resource.
fn resources(statement: &str, known: &Known<'_>) -> Option<Vec<String>> {
    let config = known.config;
    let (account, region) = (known.account, known.region);
    let table = |name: &str| format!("arn:aws:dynamodb:{region}:{account}:table/{name}");
    let arns = |wanted: fn(&Entry) -> bool| {
        let arns: Vec<String> = known
            .entries
            .iter()
            .filter(|entry| wanted(entry))
            .filter_map(|entry| Some(entry.arn()?.to_owned()))
            .collect();
        (!arns.is_empty()).then_some(arns)
    };
    let everything = |wanted: bool| wanted.then(|| vec!["*".to_owned()]);
    let store = config.store.dynamodb.as_ref();
    match statement {
        "ReadStreams" => arns(|entry| matches!(entry, Entry::Stream { .. })),
        "FanOut" if fans_out(config) => arns(|entry| matches!(entry, Entry::Stream { .. })),
        "ReadQueues" => arns(|entry| matches!(entry, Entry::Queue { .. })),
        "Store" => Some(vec![table(&store?.table)]),
        "ListSnapshots" => Some(vec![format!("arn:aws:s3:::{}", store?.snapshot_bucket)]),
        "Snapshots" => {
            let store = store?;
            Some(vec![format!("arn:aws:s3:::{}/{}*", store.snapshot_bucket, store.snapshot_prefix)])
        }
        "Leases" => config.leases.enabled.then(|| vec![table(&config.leases.table)]),
        "Inventory" => everything(config.inventory.enabled),
        "Coverage" => everything(config.inventory.organization),
        "Canary" => config.canary.enabled.then(|| vec![bus_arn(&config.canary.bus, account, region)]),
        "SinkEventBridge" => sinks(config, |sink| match sink {
            AwsSink::EventBridge { bus, .. } => Some(bus_arn(bus, account, region)),
            _ => None,
        }),
        "SinkSns" => sinks(config, |sink| match sink {
            AwsSink::Sns { topic_arn } => Some(topic_arn.clone()),
            _ => None,
        }),
        "OtherAccounts" => {
            let access = config.routing.accounts.values().filter_map(|account| account.access.as_ref());
            let roles: Vec<String> = access.filter_map(|access| access.role_arn.clone()).collect();
            (!roles.is_empty()).then_some(roles)
        }
        // Keys, secrets, log files and Security Hub: what they are called is not known here.
        _ => None,
    }
}

fn fans_out(config: &Config) -> bool {
    config.sources.iter().any(
        |source| matches!(source, SourceConfig::Kinesis(kinesis) if matches!(kinesis.mode, KinesisMode::FanOut { .. })),
    )
}

fn sinks(config: &Config, arn: impl Fn(&AwsSink) -> Option<String>) -> Option<Vec<String>> {
    let sinks = config.sinks.iter().filter_map(|sink| match &sink.kind {
        SinkKind::Aws(sink) => arn(sink),
        _ => None,
    });
    let arns: Vec<String> = sinks.collect();
    (!arns.is_empty()).then_some(arns)
}

fn bus_arn(bus: &str, account: &str, region: &str) -> String {
    if bus.starts_with("arn:") { bus.to_owned() } else { format!("arn:aws:events:{region}:{account}:event-bus/{bus}") }
}
