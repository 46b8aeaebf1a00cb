//! The invocation-logging configuration of an account and region, as successful Put and Delete events leave it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    dependencies::role_key,
    event::{Call, Event},
    json::text,
};

const DATA_TYPES: [&str; 5] = ["text", "image", "embedding", "video", "audio"];

/// What is delivered, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    pub types: BTreeSet<String>,
    pub log_group: Option<String>,
    pub bucket: Option<String>,
    /// The role that CloudWatch delivery uses.
    pub role: Option<String>,
}

/// What is known about the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Posture {
    Unknown,
    Off,
    On(Delivery),
}

impl Posture {
    /// After a Put or Delete; `None` when the event is neither, or failed.
    pub(super) fn after(event: &Event) -> Option<Self> {
        let call = event.success("bedrock.amazonaws.com")?;
        match call.name.as_str() {
            "DeleteModelInvocationLoggingConfiguration" => Some(Self::Off),
            "PutModelInvocationLoggingConfiguration" => Some(put(call)),
            _ => None,
        }
    }

    pub(super) fn on(&self) -> Option<&Delivery> {
        match self {
            Self::On(delivery) => Some(delivery),
            Self::Unknown | Self::Off => None,
        }
    }
}

/// "no destination, or every delivery flag false. An omitted flag counts as delivering; a Put whose `loggingConfig` is
/// missing makes the posture unknown".
fn put(call: &Call) -> Posture {
    let config = call.record.pointer("/requestParameters/loggingConfig").filter(|config| !config.is_null());
    let Some(config) = config else { return Posture::Unknown };
    let delivered =
        |kind: &&str| config.get(format!("{kind}DataDeliveryEnabled")).and_then(Value::as_bool) != Some(false);
    let delivery = Delivery {
        types: DATA_TYPES.iter().filter(|kind| delivered(kind)).map(|&kind| kind.to_owned()).collect(),
        log_group: text(config, "/cloudWatchConfig/logGroupName").map(str::to_owned),
        bucket: text(config, "/s3Config/bucketName").map(str::to_owned),
        role: text(config, "/cloudWatchConfig/roleArn").map(str::to_owned),
    };
    let somewhere = delivery.log_group.is_some() || delivery.bucket.is_some();
    if somewhere && !delivery.types.is_empty() { Posture::On(delivery) } else { Posture::Off }
}

impl Delivery {
    /// The data types that were delivered before and are no longer.
    pub(super) fn types_lost_since(&self, before: &Self) -> Vec<String> {
        before.types.difference(&self.types).cloned().collect()
    }

    /// Whether a destination is gone, or another than before.
    pub(super) fn destination_lost_since(&self, before: &Self) -> bool {
        gone(before.log_group.as_ref(), self.log_group.as_ref()) || gone(before.bucket.as_ref(), self.bucket.as_ref())
    }

    /// Whether everything that `before` delivered is delivered, to where it was.
    pub(super) fn covers(&self, before: &Self) -> bool {
        self.types_lost_since(before).is_empty() && !self.destination_lost_since(before)
    }

    /// Which destination of this configuration `event` deletes: its kind and name.
    pub(super) fn deleted_by(&self, event: &Event, region: &str, account: &str) -> Option<(&'static str, String)> {
        let named = |kind, name: &Option<String>| name.clone().map(|name| (kind, name));
        changes_destination(event, self, region, account, ["DeleteLogGroup", "DeleteBucket", "DeleteRole"]).and_then(
            |kind| match kind {
                "log_group" => named(kind, &self.log_group),
                "bucket" => named(kind, &self.bucket),
                _ => named(kind, &self.role),
            },
        )
    }

    /// Whether `event` creates again what `deleted_by` saw deleted.
    pub(super) fn recreated_by(&self, event: &Event, region: &str, account: &str, kind: &str) -> bool {
        let names = ["CreateLogGroup", "CreateBucket", "CreateRole"];
        changes_destination(event, self, region, account, names) == Some(kind)
    }
}

fn gone(before: Option<&String>, after: Option<&String>) -> bool {
    before.is_some() && before != after
}

/// The kind of the destination that a successful call with one of `names` is about, if this configuration has it.
fn changes_destination(
    event: &Event,
    delivery: &Delivery,
    region: &str,
    account: &str,
    [log_group, bucket, role]: [&str; 3],
) -> Option<&'static str> {
    let call = event.call().filter(|call| call.error.is_none())?;
    if call.name == log_group && call.source == "logs.amazonaws.com" {
        let here = event.account == account && event.region == region;
        return (here && call.request("/logGroupName") == delivery.log_group.as_deref()).then_some("log_group");
    }
    if call.name == bucket && call.source == "s3.amazonaws.com" {
        return (call.request("/bucketName") == delivery.bucket.as_deref()).then_some("bucket");
    }
    if call.name == role && call.source == "iam.amazonaws.com" {
        let key = call.request("/roleName").map(|name| format!("{}/{name}", event.account));
        return (key == delivery.role.as_deref().map(role_key)).then_some("role");
    }
    None
}
