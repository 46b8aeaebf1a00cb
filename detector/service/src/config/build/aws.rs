//! `[aws]`, `[inventory]`, `[canary]`, `[leases]`, and the AWS kinds of sources, sinks and stores.

use super::{
    super::{
        SourceConfig,
        aws::{
            AccountAccess, AwsConfig, AwsSink, CanaryConfig, Carries, DynamoDbStore, InventoryConfig, KinesisMode,
            KinesisSource, KinesisStart, LeasesConfig, S3Source, SqsSource,
        },
        read::{Document, Table},
    },
    Findings,
    delivery::check_address,
    secret,
};

pub(super) fn aws(document: &Document, found: &mut Findings) -> AwsConfig {
    let table = document.table("aws");
    let endpoint_url = table.text("endpoint_url");
    if let Some(url) = &endpoint_url {
        check_address(document, &table, "endpoint_url", url, found);
    }
    AwsConfig {
        region: table.text("region"),
        endpoint_url,
        regions: table.texts("regions"),
        operation_timeout_ms: table.number("operation_timeout_ms"),
        calls_per_s: table.number_u32("calls_per_s"),
    }
}

pub(super) fn inventory(document: &Document, uses_aws: bool) -> InventoryConfig {
    let table = document.table("inventory");
    let enabled = match table.text("mode").as_deref() {
        Some("on") => true,
        Some("off") => false,
        _ => uses_aws,
    };
    InventoryConfig {
        enabled,
        interval_s: table.number("interval_s"),
        confirm_ms: table.number("confirm_ms"),
        organization: table.flag("organization"),
    }
}

pub(super) fn canary(document: &Document, found: &mut Findings) -> CanaryConfig {
    let table = document.table("canary");
    let (interval_s, within_s) = (table.number("interval_s"), table.number("within_s"));
    if within_s >= interval_s {
        let message = "`within_s` must be less than `interval_s`: one canary is awaited at a time";
        found.error(document, &table, "within_s", message);
    }
    CanaryConfig { enabled: table.flag("enabled"), bus: table.text("bus").unwrap_or_default(), interval_s, within_s }
}

pub(super) fn leases(
    document: &Document,
    sources: &[SourceConfig],
    has_shared_store: bool,
    found: &mut Findings,
) -> LeasesConfig {
    let table = document.table("leases");
    let enabled = table.flag("enabled");
    if enabled && !has_shared_store {
        found.error(document, &table, "enabled", "leases need a store that workers share: [store] kind = \"dynamodb\"");
    }
    if enabled {
        check_shareable(document, sources, found);
    }
    LeasesConfig {
        enabled,
        table: table.text("table").unwrap_or_default(),
        worker: table.text("worker"),
        failover_ms: table.number("failover_ms"),
    }
}

/// Workers can share one activity stream, whose shards say which account is whose. What every worker must know is on
/// another; anything else would reach one worker only, and that need not be the one that answers for the account.
fn check_shareable(document: &Document, sources: &[SourceConfig], found: &mut Findings) {
    let (mut activity, mut state): (u32, u32) = (0, 0);
    for (table, source) in document.tables("source").iter().zip(sources) {
        match source {
            SourceConfig::Kinesis(KinesisSource { carries: Carries::Activity, .. }) => {
                activity = activity.saturating_add(1);
                if activity > 1 {
                    found.error(document, table, "carries", "with leases there is one activity stream, to be split");
                }
            }
            SourceConfig::Kinesis(KinesisSource { carries: Carries::State, .. }) => state = state.saturating_add(1),
            SourceConfig::Kinesis(_) => {
                let message = "with leases a stream carries \"activity\", which is shared, or \"state\", which every \
                               worker reads whole";
                found.error(document, table, "carries", message);
            }
            _ => {
                let message = "with leases every source is a Kinesis stream: what comes in here would reach this \
                               worker only, and it need not be the one that answers for the account";
                found.error(document, table, "kind", message);
            }
        }
    }
    let leases = document.table("leases");
    for (streams, carries) in [(activity, "activity"), (state, "state")] {
        if streams == 0 {
            let message = format!("leases need a [[source]] of kind kinesis with carries = \"{carries}\"");
            found.error(document, &leases, "enabled", message);
        }
    }
}

pub(super) fn kinesis(document: &Document, table: &Table, found: &mut Findings) -> KinesisSource {
    let consumer = table.text("consumer");
    let mode = match (table.text("mode").as_deref(), consumer) {
        (Some("fan_out"), Some(consumer)) => KinesisMode::FanOut { consumer },
        (Some("fan_out"), None) => {
            found.error(document, table, "mode", "fan_out needs a `consumer`");
            KinesisMode::Polling
        }
        (_, consumer) => {
            if consumer.is_some() {
                found.warning(document, table, "consumer", "`consumer` has no effect without mode = \"fan_out\"");
            }
            KinesisMode::Polling
        }
    };
    KinesisSource {
        stream: table.text("stream").unwrap_or_default(),
        carries: match table.text("carries").as_deref() {
            Some("state") => Carries::State,
            Some("activity") => Carries::Activity,
            _ => Carries::Both,
        },
        mode,
        start: match table.text("start").as_deref() {
            Some("latest") => KinesisStart::Latest,
            _ => KinesisStart::TrimHorizon,
        },
        poll_ms: table.number("poll_ms"),
        lag_max_s: table.number("lag_max_s"),
    }
}

fn queue_url(document: &Document, table: &Table, found: &mut Findings) -> String {
    let url = table.text("queue_url").unwrap_or_default();
    check_address(document, table, "queue_url", &url, found);
    url
}

pub(super) fn sqs(document: &Document, table: &Table, found: &mut Findings) -> SqsSource {
    SqsSource { queue_url: queue_url(document, table, found), visibility_s: table.number_u32("visibility_s") }
}

pub(super) fn s3(document: &Document, table: &Table, found: &mut Findings) -> S3Source {
    S3Source { queue_url: queue_url(document, table, found), visibility_s: table.number_u32("visibility_s") }
}

pub(super) fn dynamodb(document: &Document, found: &mut Findings) -> Option<DynamoDbStore> {
    let table = document.table("store");
    if table.text("kind").as_deref() != Some("dynamodb") {
        for key in ["table", "snapshot_bucket"].into_iter().filter(|key| table.has(key)) {
            found.warning(document, &table, key, format!("`{key}` has no effect without kind = \"dynamodb\""));
        }
        return None;
    }
    let mut needed = |key: &str| {
        if !table.has(key) {
            found.error(document, &table, "kind", format!("kind = \"dynamodb\" needs `{key}`"));
        }
        table.text(key).unwrap_or_default()
    };
    Some(DynamoDbStore {
        table: needed("table"),
        snapshot_bucket: needed("snapshot_bucket"),
        snapshot_prefix: table.text("snapshot_prefix").unwrap_or_default(),
    })
}

pub(super) fn sink(document: &Document, table: &Table, found: &mut Findings) -> Option<AwsSink> {
    Some(match table.kind {
        "eventbridge" => {
            let source = table.text("source")?;
            if source.starts_with("aws.") {
                let message = "AWS refuses events of others whose `source` begins with `aws.`";
                found.error(document, table, "source", message);
            }
            AwsSink::EventBridge { bus: table.text("bus")?, source }
        }
        "sns" => AwsSink::Sns { topic_arn: table.text("topic_arn")? },
        _ => AwsSink::SecurityHub { region: table.text("region") },
    })
}

/// How an account is asked, if it is.
pub(super) fn access(document: &Document, table: &Table, found: &mut Findings) -> Option<AccountAccess> {
    let role_arn = table.text("role_arn");
    let external_id = secret(document, table, "external_id", found);
    if external_id.is_some() && role_arn.is_none() {
        found.error(document, table, "external_id", "`external_id` needs a `role_arn`");
    }
    let regions = table.texts("regions");
    (role_arn.is_some() || !regions.is_empty()).then_some(AccountAccess { role_arn, external_id, regions })
}
