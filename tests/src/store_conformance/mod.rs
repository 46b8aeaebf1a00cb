//! What every store must do: each sentence of the `Store` trait's documentation, as a test of any store.
//!
//! A library, so that a store in another crate runs the same cases. Each case gets a store that is empty. Times are
//! those of the test, in seconds after an arbitrary beginning; nothing here waits.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a case that fails fails its test; this is a library only so that several test files can share it"
)]

mod alerts;
mod deliveries;
mod evidence;
mod fences;
mod incidents;
mod memory;

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc};

use bedrock_watch_engine::{
    Second,
    alert::{Actor, Alert, ChangeKind, Severity, Status, SubjectKind},
};
use bedrock_watch_service::store::{Change, Claim, Commit, Destination, Recorded, Store};
use jiff::{SignedDuration, Timestamp};

/// A case: a name that says what must hold, and what finds out.
pub type Case = (&'static str, fn(Arc<dyn Store>) -> Pin<Box<dyn Future<Output = ()> + Send>>);

/// Every case.
#[must_use]
pub fn cases() -> Vec<Case> {
    [alerts::CASES, deliveries::CASES, evidence::CASES, fences::CASES, incidents::CASES, memory::CASES].concat()
}

/// A change of an alert called `id`, told to one sink; for tests of a single store.
#[must_use]
pub fn sample_change(id: &str, kind: ChangeKind, sink: &str) -> Change {
    change(kind, alert(id), &[sink])
}

/// Makes cases of functions.
macro_rules! list {
    ($($name:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] = &[$((stringify!($name), |store| Box::pin($name(store)))),*];
    };
}
use list;

/// The sinks of most cases.
const SLACK: &str = "slack";
const PAGER: &str = "pager";

/// `seconds` after the beginning.
fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_795_000_000 + seconds)
}

/// A firing alert.
fn alert(id: &str) -> Alert {
    Alert {
        id: id.to_owned(),
        rule: "customization-job-security-group-deleted".to_owned(),
        title: "Security group of a customization job deleted".to_owned(),
        summary: "mallory deleted sg-0aaa \u{202e}\n\"quoted\" \\ \u{0}".to_owned(),
        severity: Severity::High,
        status: Status::Firing,
        account: "111122223333".to_owned(),
        region: Some("us-east-1".to_owned()),
        subject_kind: SubjectKind::CustomizationJobDependency,
        subject_id: "sg-0aaa".to_owned(),
        principal: Some("arn:aws:iam::111122223333:user/mallory".to_owned()),
        actor: Actor { user_agent: Some("aws-cli".repeat(100)), ..Actor::default() },
        first_event_time: Second(1_763_470_800),
        last_event_time: Second(1_763_470_860),
        event_ids: vec!["e1".to_owned()],
        event_count: 1,
        facts: serde_json::json!({ "jobs": [{ "arn": "arn" }], "learning": false }).as_object().cloned().unwrap(),
        attack: vec!["T1485".to_owned()],
        runbook: "rules/customization-job-security-group-deleted/runbook.md".to_owned(),
        repair: Vec::new(),
    }
}

/// The same alert, grown.
fn grown(id: &str, event_count: u64) -> Alert {
    Alert { event_count, ..alert(id) }
}

/// The same alert, over.
fn over(id: &str, status: Status) -> Alert {
    Alert { status, ..alert(id) }
}

/// A change told to these sinks at once.
fn change(kind: ChangeKind, alert: Alert, sinks: &[&str]) -> Change {
    let destinations = sinks.iter().map(|sink| destination(sink)).collect();
    Change {
        kind,
        alert: Arc::new(alert),
        trace_id: None,
        destinations,
        silence: None,
        suppressed: None,
        only_if_new: false,
    }
}

/// The change with which an alert begins.
fn fired(id: &str, sinks: &[&str]) -> Change {
    change(ChangeKind::Fired, alert(id), sinks)
}

/// The change with which it ends.
fn resolved(id: &str, sinks: &[&str]) -> Change {
    change(ChangeKind::Resolved, over(id, Status::Resolved), sinks)
}

/// At once, alone, always.
fn destination(sink: &str) -> Destination {
    Destination { sink: sink.to_owned(), not_before: None, group: None, skip_if_undone: false }
}

/// Commits changes, and says what they were to the store.
async fn commit(store: &dyn Store, changes: Vec<Change>, seconds: i64) -> Vec<Recorded> {
    let commit = Commit { journal: Vec::new(), positions: BTreeMap::new(), changes };
    store.commit(commit, at(seconds)).await.unwrap().recorded
}

/// Commits one change.
async fn commit_one(store: &dyn Store, change: Change, seconds: i64) -> Recorded {
    commit(store, vec![change], seconds).await[0]
}

/// Claims everything due for a sink, for a minute.
async fn claim(store: &dyn Store, sink: &str, seconds: i64) -> Vec<Claim> {
    store.claim(sink, "worker", at(seconds), at(seconds + 60), 1_000).await.unwrap()
}

/// Claims the one delivery that must be due.
async fn claim_one(store: &dyn Store, sink: &str, seconds: i64) -> Claim {
    let mut claims = claim(store, sink, seconds).await;
    assert_eq!(claims.len(), 1, "{claims:?}");
    claims.remove(0)
}

/// The ids of the alerts claimed.
fn ids(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.alert.alert.id.as_str()).collect()
}

/// The numbers of the revisions claimed.
fn pending(claim: &Claim) -> Vec<u32> {
    claim.pending.iter().map(|revision| revision.revision).collect()
}
