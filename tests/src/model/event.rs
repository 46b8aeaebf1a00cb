//! Records as events: unpacked, deduplicated and in judging order (contract, "Time, order, life" and "Principals").

use std::collections::BTreeMap;

use bedrock_watch_engine::Second;
use serde_json::Value;

use super::json::text;

/// Seconds since 1970.
pub(super) type Time = i64;

/// One hour.
pub(super) const HOUR: Time = 3_600;
/// One day.
pub(super) const DAY: Time = 86_400;

/// "(eventTime truncated to seconds, eventID); native events come after CloudTrail events of the same second, by
/// envelope id".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    pub time: Time,
    pub native: bool,
    pub id: String,
}

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub order: Order,
    pub account: String,
    pub region: String,
    pub what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Call(Call),
    /// `Model Customization Job State Change`: its `detail`.
    JobState(Value),
    /// An inventory observation: its `detail`.
    Inventory(Value),
}

/// A CloudTrail record.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub source: String,
    pub name: String,
    pub error: Option<String>,
    pub principal: String,
    /// Signed with a long-term key (`AKIA...`) or a Bedrock API key.
    pub long_lived: bool,
    pub record: Value,
}

impl Event {
    pub(super) fn time(&self) -> Time {
        self.order.time
    }

    pub(super) fn call(&self) -> Option<&Call> {
        match &self.what {
            What::Call(call) => Some(call),
            What::JobState(_) | What::Inventory(_) => None,
        }
    }

    /// The call, if it is one of that service and succeeded.
    pub(super) fn success(&self, source: &str) -> Option<&Call> {
        self.call().filter(|call| call.source == source && call.error.is_none())
    }
}

impl Call {
    /// The string at a path of `requestParameters`.
    pub(super) fn request(&self, path: &str) -> Option<&str> {
        text(&self.record, &format!("/requestParameters{path}"))
    }
}

/// Every event once, in judging order.
pub(super) fn in_judging_order(records: &[Value]) -> Vec<Event> {
    let by_id: BTreeMap<Order, Event> =
        records.iter().filter_map(event).map(|event| (event.order.clone(), event)).collect();
    by_id.into_values().collect()
}

fn event(record: &Value) -> Option<Event> {
    let Some(detail) = record.get("detail") else { return cloudtrail(record, None) };
    if detail.get("eventName").is_some() {
        return cloudtrail(detail, text(record, "/account"));
    }
    let what = match text(record, "/detail-type")? {
        "Model Customization Job State Change" => What::JobState(detail.clone()),
        "Inventory Observation" => What::Inventory(detail.clone()),
        _ => return None,
    };
    let order = Order {
        time: time(text(record, "/time")?)?,
        native: true,
        id: text(record, "/id").unwrap_or_default().to_owned(),
    };
    let account = text(record, "/account")?.to_owned();
    Some(Event { order, account, region: text(record, "/region")?.to_owned(), what })
}

fn cloudtrail(record: &Value, envelope_account: Option<&str>) -> Option<Event> {
    let account = text(record, "/recipientAccountId")
        .or(envelope_account)
        .or_else(|| text(record, "/userIdentity/accountId"))
        .unwrap_or_default()
        .to_owned();
    let call = Call {
        source: text(record, "/eventSource")?.to_owned(),
        name: text(record, "/eventName")?.to_owned(),
        error: text(record, "/errorCode").map(str::to_owned),
        principal: principal(record, &account),
        long_lived: long_lived(record),
        record: record.clone(),
    };
    let order =
        Order { time: time(text(record, "/eventTime")?)?, native: false, id: text(record, "/eventID")?.to_owned() };
    Some(Event { order, account, region: text(record, "/awsRegion")?.to_owned(), what: What::Call(call) })
}

pub(super) fn time(text: &str) -> Option<Time> {
    Second::parse(text).map(|second| Time::from(second.0))
}

/// Contract, "Principals".
fn principal(record: &Value, account: &str) -> String {
    let identity = |path: &str| text(record, &format!("/userIdentity{path}"));
    let known = match identity("/type").unwrap_or_default() {
        "AssumedRole" => identity("/sessionContext/sessionIssuer/arn").map(|role| {
            let shared = role.rsplit('/').next().is_some_and(|name| name.starts_with("AWSReservedSSO_"));
            match identity("/principalId").and_then(|id| id.split_once(':')) {
                Some((_, session)) if shared => format!("{role}/{session}"),
                _ => role.to_owned(),
            }
        }),
        "AWSService" => identity("/invokedBy").map(|name| format!("service:{name}")),
        "IdentityCenterUser" => identity("/arn")
            .map(str::to_owned)
            .or_else(|| identity("/onBehalfOf/userId").map(|user| format!("identitycenter:{user}"))),
        _ => identity("/arn").map(str::to_owned),
    };
    known
        .or_else(|| identity("/accessKeyId").map(str::to_owned))
        .or_else(|| identity("/principalId").map(str::to_owned))
        .unwrap_or_else(|| format!("unknown@{account}"))
}

fn long_lived(record: &Value) -> bool {
    let bearer = ["/additionalEventData/callWithBearerToken", "/requestParameters/callWithBearerToken"]
        .iter()
        .filter_map(|path| record.pointer(path))
        .any(|flag| flag.as_bool() == Some(true) || flag.as_str() == Some("true"));
    bearer || text(record, "/userIdentity/accessKeyId").is_some_and(|key| key.starts_with("AKIA"))
}
