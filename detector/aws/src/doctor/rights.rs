//! What the configuration needs the task role to be allowed: the statements of `infra/iam/daemon.json` that concern it,
//! with the resources that the configuration names. And what no task role needs.
//!
//! Deliberately no judgement: AWS is asked about it elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_watch_service::config::{
    Config, SinkKind, SourceConfig,
    aws::{AwsSink, KinesisMode},
    evidence::Archived,
};
use serde_json::Value;

use super::{
    facts::{Asked, Entry, Key, Queue},
    partition, policy,
};
use crate::dynamodb::{BY_DUE, BY_ORDER};

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
    /// The customer keys of these, by what names them there.
    pub(super) keys: &'a BTreeMap<String, Asked<Key>>,
    /// The buckets of the trails' log files.
    pub(super) buckets: &'a [String],
    /// What is configured.
    pub(super) config: &'a Config,
}

/// What the service never does and an intruder would do in its name: with the rights for it, whoever takes over the
/// service can switch off what it watches, or use what it protects.
pub(super) const DANGEROUS: [&str; 12] = [
    "bedrock:DeleteModelInvocationLoggingConfiguration",
    "bedrock:InvokeModel",
    "cloudtrail:StopLogging",
    "ec2:DeleteSecurityGroup",
    "events:DisableRule",
    "iam:AttachRolePolicy",
    "iam:CreateAccessKey",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "kinesis:DeleteStream",
    "kms:ScheduleKeyDeletion",
    "s3:DeleteBucket",
];

/// Whether the caller is a person at a terminal, whose rights are not the service's: a user, or who signed in through
/// IAM Identity Center.
#[must_use]
pub(super) fn is_person(arn: &str) -> bool {
    [":user/", ":federated-user/", ":root", "/AWSReservedSSO_"].iter().any(|part| arn.contains(part))
}

/// Actions and the resources they are needed for, statement by statement. `source` is whose policies are asked about.
#[must_use]
pub(super) fn needed(known: &Known<'_>, source: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let mut needed = Vec::new();
    for (statement, actions) in statements() {
        let Some(resources) = resources(&statement, known, source) else { continue };
        if statement == "Store" {
            // Of the table's indexes, which are resources of their own, the service only reads.
            let indexes =
                INDEXES.iter().flat_map(|index| resources.iter().map(move |arn| format!("{arn}/index/{index}")));
            needed.push((vec!["dynamodb:Query".to_owned()], indexes.collect()));
        }
        needed.push((actions, resources));
    }
    needed
}

/// The names and actions of the policy's statements.
fn statements() -> Vec<(String, Vec<String>)> {
    let policy: Value = serde_json::from_str(DAEMON_POLICY).unwrap_or_default();
    let statements = policy.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |statement: &Value| {
        let actions =
            statement.get("Action")?.as_array()?.iter().filter_map(|action| Some(action.as_str()?.to_owned()));
        Some((statement.get("Sid")?.as_str()?.to_owned(), actions.collect()))
    };
    statements.iter().filter_map(of).collect()
}

/// The resources of a statement, by its name; `None` where the configuration does not need it, or where nothing is known
/// about the resource, which [`unknown`] says.
fn resources(statement: &str, known: &Known<'_>, source: &str) -> Option<Vec<String>> {
    let config = known.config;
    let (account, region, partition) = (known.account, known.region, partition::name(known.region));
    let table = |name: &str| format!("arn:{partition}:dynamodb:{region}:{account}:table/{name}");
    let bucket = |name: &str| format!("arn:{partition}:s3:::{name}");
    let everything = |wanted: bool| wanted.then(|| vec!["*".to_owned()]);
    let store = config.store.dynamodb.as_ref();
    match statement {
        "ReadStreams" => streams(known),
        "FanOut" if fans_out(config) => streams(known),
        "StreamKey" => some(keys(known).filter(|key| !is_given(key, source)).map(|key| key.arn.clone()).collect()),
        "ReadQueues" => some(known.entries.iter().filter_map(|entry| Some(queue(entry)?.arn.clone())).collect()),
        "ListLogFiles" => Some(vec![bucket(log_files(known)?)]),
        "ReadLogFiles" => Some(vec![format!("{}/*", bucket(log_files(known)?))]),
        "Store" => Some(vec![table(&store?.table)]),
        "ListSnapshots" => Some(vec![bucket(&store?.snapshot_bucket)]),
        "Snapshots" => Some(vec![format!("{}/{}*", bucket(&store?.snapshot_bucket), store?.snapshot_prefix)]),
        "Evidence" => match config.evidence.archived.as_ref()? {
            Archived::Bucket { bucket: name, prefix } => Some(vec![format!("{}/{prefix}*", bucket(name))]),
            Archived::Folder(_) => None,
        },
        "Leases" => config.leases.enabled.then(|| vec![table(&config.leases.table)]),
        "Inventory" => everything(config.inventory.enabled),
        "Coverage" => everything(config.inventory.organization),
        "Way" => everything(config.canary.enabled),
        "Canary" => config.canary.enabled.then(|| vec![bus_arn(&config.canary.bus, account, region)]),
        "SinkEventBridge" => sinks(config, |sink| match sink {
            AwsSink::EventBridge { bus, .. } => vec![bus_arn(bus, account, region)],
            _ => Vec::new(),
        }),
        "SinkSns" => sinks(config, |sink| match sink {
            AwsSink::Sns { topic_arn } => vec![topic_arn.clone()],
            _ => Vec::new(),
        }),
        "SinkSecurityHub" => sinks(config, |sink| match sink {
            AwsSink::SecurityHub { region: other } => {
                let hub = format!("arn:{partition}:securityhub:{}:{account}", other.as_deref().unwrap_or(region));
                vec![format!("{hub}:product/{account}/default"), format!("{hub}:hub/default")]
            }
            _ => Vec::new(),
        }),
        "OtherAccounts" => {
            let access = config.routing.accounts.values().filter_map(|account| account.access.as_ref());
            some(access.filter_map(|access| access.role_arn.clone()).collect())
        }
        // Secrets were read before anything is asked: without that right there is no configuration.
        _ => None,
    }
}

/// What the configuration needs beyond what is asked about, and why it is not.
#[must_use]
pub(super) fn unknown(known: &Known<'_>) -> Vec<String> {
    let mut unknown = Vec::new();
    let reads_files = known.entries.iter().any(|entry| matches!(entry, Entry::LogFiles { .. }));
    if reads_files && log_files(known).is_none() {
        unknown.push("s3:GetObject and s3:ListBucket of log files, whose bucket no trail or several name".to_owned());
    }
    let errors = known.keys.iter().filter_map(|(id, key)| Some((id, key.as_ref().err()?)));
    unknown.extend(errors.map(|(id, error)| format!("kms:Decrypt with {id}: {error}")));
    unknown
}

/// What the caller may not do whatever its own policies say: a customer key that neither names it nor leaves it to IAM.
#[must_use]
pub(super) fn denied_by_keys(known: &Known<'_>, source: &str) -> BTreeSet<String> {
    let root = root_arn(known.region, known.account);
    let shut = |key: &&Key| {
        let policy = key.policy.as_deref();
        !is_given(key, source) && policy.is_ok_and(|policy| !policy::allows(policy, &root, DECRYPT))
    };
    keys(known).find(shut).map(|_| DECRYPT.to_owned()).into_iter().collect()
}

/// The right to read what a customer key encrypts.
const DECRYPT: &str = "kms:Decrypt";
/// The indexes of the table of `[store]`.
const INDEXES: [&str; 2] = [BY_ORDER, BY_DUE];

/// The root of an account, by which key policies leave decisions to IAM.
#[must_use]
pub(super) fn root_arn(region: &str, account: &str) -> String {
    format!("arn:{}:iam::{account}:root", partition::name(region))
}

/// The customer keys.
fn keys<'a>(known: &Known<'a>) -> impl Iterator<Item = &'a Key> + use<'a> {
    known.keys.values().filter_map(|key| key.as_ref().ok()).filter(|key| !key.aws_managed)
}

/// Whether the key itself gives `source` the right, by its policy or a grant, whatever the policies of `source` say.
fn is_given(key: &Key, source: &str) -> bool {
    let by_policy = key.policy.as_deref().is_ok_and(|policy| policy::allows(policy, source, DECRYPT));
    by_policy || key.grantees.as_ref().is_ok_and(|grantees| grantees.contains(source))
}

fn streams(known: &Known<'_>) -> Option<Vec<String>> {
    let streams = known.entries.iter().filter(|entry| matches!(entry, Entry::Stream { .. }));
    some(streams.filter_map(|entry| Some(entry.arn()?.to_owned())).collect())
}

fn queue(entry: &Entry) -> Option<&Queue> {
    match entry {
        Entry::Queue { queue, .. } | Entry::LogFiles { queue, .. } => queue.as_ref().ok(),
        _ => None,
    }
}

/// The bucket of the log files that are read: notifications name it, so that it is known where there is but one.
fn log_files<'a>(known: &Known<'a>) -> Option<&'a String> {
    if !known.entries.iter().any(|entry| matches!(entry, Entry::LogFiles { .. })) {
        return None;
    }
    let first = known.buckets.first()?;
    known.buckets.iter().all(|bucket| bucket == first).then_some(first)
}

fn some(arns: Vec<String>) -> Option<Vec<String>> {
    (!arns.is_empty()).then_some(arns)
}

fn fans_out(config: &Config) -> bool {
    config.sources.iter().any(
        |source| matches!(source, SourceConfig::Kinesis(kinesis) if matches!(kinesis.mode, KinesisMode::FanOut { .. })),
    )
}

fn sinks(config: &Config, arns: impl Fn(&AwsSink) -> Vec<String>) -> Option<Vec<String>> {
    let sinks = config.sinks.iter().filter_map(|sink| match &sink.kind {
        SinkKind::Aws(sink) => Some(arns(sink)),
        _ => None,
    });
    some(sinks.flatten().collect())
}

fn bus_arn(bus: &str, account: &str, region: &str) -> String {
    if bus.starts_with("arn:") {
        return bus.to_owned();
    }
    format!("arn:{}:events:{region}:{account}:event-bus/{bus}", partition::name(region))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
        [aws]
        region = "cn-north-1"
        [store]
        kind = "dynamodb"
        table = "alerts"
        snapshot_bucket = "memory"
        [evidence]
        bucket = "proof"
        [inventory]
        mode = "off"
        [[source]]
        kind = "s3"
        queue_url = "https://sqs/files"
        [[sink]]
        kind = "security_hub"
        name = "hub"
    "#;
    const ACCOUNT: &str = "111122223333";
    const ROLE: &str = "arn:aws-cn:iam::111122223333:role/task";

    fn key(policy: &str) -> Key {
        Key {
            arn: "arn:aws-cn:kms:cn-north-1:111122223333:key/1".to_owned(),
            aws_managed: false,
            state: "Enabled".to_owned(),
            policy: Ok(policy.to_owned()),
            grantees: Ok(BTreeSet::new()),
        }
    }

    fn with<T>(key: &Key, buckets: &[&str], ask: impl FnOnce(&Known<'_>) -> T) -> T {
        let config = Config::load("test.toml", CONFIG, &|_| None).unwrap();
        let queue = Queue {
            arn: "arn:aws-cn:sqs:cn-north-1:111122223333:files".to_owned(),
            has_redrive: true,
            policy: None,
            key: Some("1".to_owned()),
        };
        let entries = [Entry::LogFiles { url: "https://sqs/files".to_owned(), queue: Ok(queue) }];
        let keys = BTreeMap::from([("1".to_owned(), Ok(key.clone()))]);
        let buckets: Vec<String> = buckets.iter().map(|bucket| (*bucket).to_owned()).collect();
        ask(&Known {
            account: ACCOUNT,
            region: "cn-north-1",
            entries: &entries,
            keys: &keys,
            buckets: &buckets,
            config: &config,
        })
    }

    fn allowing(principal: &str) -> String {
        format!(r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"kms:*"}}]}}"#)
    }

    #[test]
    fn every_statement_is_asked_about_with_its_resources() {
        let key = key(&allowing("arn:aws-cn:iam::111122223333:root"));
        let needed = with(&key, &["trail"], |known| needed(known, ROLE));
        let check = |action: &str, expected: &[&str]| {
            let of = needed.iter().filter(|(actions, _)| actions.iter().any(|one| one == action));
            let resources: Vec<&str> = of.flat_map(|(_, resources)| resources.iter().map(String::as_str)).collect();
            assert_eq!(resources, expected, "{action}");
        };
        let table = "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/alerts";
        check("dynamodb:PutItem", &[table]);
        check("dynamodb:Query", &[&format!("{table}/index/by_order"), &format!("{table}/index/by_due"), table]);
        check("kms:Decrypt", &["arn:aws-cn:kms:cn-north-1:111122223333:key/1"]);
        check("sqs:ReceiveMessage", &["arn:aws-cn:sqs:cn-north-1:111122223333:files"]);
        check("s3:DeleteObject", &["arn:aws-cn:s3:::memory/memory/*"]);
        check("s3:ListBucket", &["arn:aws-cn:s3:::trail", "arn:aws-cn:s3:::memory"]);
        let hub = "arn:aws-cn:securityhub:cn-north-1:111122223333";
        check(
            "securityhub:BatchImportFindings",
            &[&format!("{hub}:product/111122223333/default"), &format!("{hub}:hub/default")],
        );
        let proof = needed.iter().any(|(actions, resources)| {
            actions == &["s3:GetObject", "s3:PutObject"]
                && resources.iter().all(|arn| arn.starts_with("arn:aws-cn:s3:::proof/"))
        });
        assert!(proof, "{needed:?}");
        check("kinesis:GetRecords", &[]);
    }

    #[test]
    fn what_is_not_known_is_named() {
        let key = key(&allowing(ROLE));
        let check = |buckets: &[&str], expected: usize| {
            assert_eq!(with(&key, buckets, unknown).len(), expected, "{buckets:?}");
        };
        check(&["trail"], 0);
        check(&["trail", "trail"], 0);
        check(&["trail", "other"], 1);
        check(&[], 1);
    }

    #[test]
    fn a_key_decides_for_itself_or_leaves_it_to_iam() {
        let check = |principal: &str, asked: bool, denied: bool| {
            let key = key(&allowing(principal));
            let needed = with(&key, &["trail"], |known| needed(known, ROLE));
            let is_asked = needed.iter().any(|(actions, _)| actions.iter().any(|action| action == DECRYPT));
            let is_denied = !with(&key, &["trail"], |known| denied_by_keys(known, ROLE)).is_empty();
            assert_eq!((is_asked, is_denied), (asked, denied), "{principal}");
        };
        check(ROLE, false, false);
        check("arn:aws-cn:iam::111122223333:root", true, false);
        check("arn:aws-cn:iam::111122223333:role/other", true, true);
    }

    #[test]
    fn people_are_told_from_roles() {
        let check = |arn: &str, expected: bool| assert_eq!(is_person(arn), expected, "{arn}");
        check("arn:aws:iam::111122223333:user/me", true);
        check("arn:aws:iam::111122223333:root", true);
        check("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123/me", true);
        check("arn:aws:sts::111122223333:assumed-role/bedrock-watch-task/0123", false);
    }
}
