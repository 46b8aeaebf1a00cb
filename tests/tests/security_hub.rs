//! Alerts told to Security Hub many at once: how many calls it takes, and that each alert is settled by what became of
//! its own finding. What one finding holds is `aws_sinks`' matter; here a receiver answers as Security Hub does.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "all of it is a test, its helpers too")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bedrock_watch_aws::Aws;
use bedrock_watch_engine::alert::{Alert, ChangeKind, Status};
use bedrock_watch_service::{
    cloud::Cloud as _,
    config::{
        SinkConfig, SinkKind,
        aws::{AwsConfig, AwsSink},
    },
    routing::ActiveSilences,
    sink::{Fault, Sink, Telling, payload::Context},
    status::Status as ServiceStatus,
    store::{Claim, Commit, Store},
};
use bedrock_watch_tests::{
    emulators::{ACCESS_KEY, ACCOUNT, REGION},
    program::DEADLINE,
    receivers::{
        alerts::{alert, at, change, claim, resolved},
        fake::{BRISK, Shared, clock, work},
        memory_store::MemoryStore,
        server::{Receiver, Request},
    },
};
use serde_json::{Value, json};

/// What the sink is called.
const NAME: &str = "hub";
const IMPORT: &str = "/findings/import";
const UPDATE: &str = "/findings/batchupdate";

/// Security Hub. The name of a finding says how it fares: `malformed` is refused, `busy` is refused unless it comes
/// alone, and with `poison` the whole call is refused.
fn hub(request: &Request, _: usize) -> (u16, String) {
    if request.path == UPDATE {
        return (200, json!({ "ProcessedFindings": [], "UnprocessedFindings": [] }).to_string());
    }
    if request.path != IMPORT {
        let identity = format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::{ACCOUNT}:user/x</Arn><UserId>X</UserId><Account>{ACCOUNT}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        );
        return (200, identity);
    }
    let ids = ids(request);
    if ids.iter().any(|id| id == "poison") {
        return (400, json!({ "__type": "InvalidInputException", "Message": "no such field" }).to_string());
    }
    let refuse = |id: &String| match id.as_str() {
        "malformed" => Some(json!({ "Id": id, "ErrorCode": "InvalidInput", "ErrorMessage": "no such type" })),
        "busy" if ids.len() > 1 => Some(json!({ "Id": id, "ErrorCode": "InternalError", "ErrorMessage": "later" })),
        _ => None,
    };
    let failed: Vec<Value> = ids.iter().filter_map(refuse).collect();
    let taken = ids.len().saturating_sub(failed.len());
    (200, json!({ "FailedCount": failed.len(), "SuccessCount": taken, "FailedFindings": failed }).to_string())
}

/// The findings of a call, by their ids.
fn ids(request: &Request) -> Vec<String> {
    let findings = request.body["Findings"].as_array().into_iter().flatten();
    findings.map(|finding| finding["Id"].as_str().unwrap_or_default().to_owned()).collect()
}

fn calls_of(receiver: &Receiver, path: &str) -> Vec<Request> {
    receiver.requests().into_iter().filter(|request| request.path == path).collect()
}

async fn sink(receiver: &Receiver) -> Arc<dyn Sink> {
    let config = AwsConfig {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(receiver.url("")),
        operation_timeout_ms: 10_000,
        ..Default::default()
    };
    let aws = Aws::connect_as(&config, &Default::default(), ACCESS_KEY).await.unwrap();
    let kind = SinkKind::Aws(AwsSink::SecurityHub { region: None });
    let config = SinkConfig { name: NAME.to_owned(), pace: BRISK, kind };
    aws.sink(&config, &Arc::new(Context::default())).unwrap()
}

fn fired(id: &str) -> Claim {
    claim(&[(ChangeKind::Fired, alert(id))], 0, None).unwrap()
}

#[tokio::test]
async fn alerts_that_wait_are_imported_together_and_settled_each_by_itself() {
    let receiver = Receiver::start(hub).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let now = clock();
    let mut expected: BTreeSet<String> = (0..150).map(|number| format!("alert-{number:03}")).collect();
    expected.insert("busy".to_owned());
    let waiting = expected.iter().map(String::as_str).chain(["malformed"]);
    let changes = waiting.map(|id| change(ChangeKind::Fired, &alert(id), &[NAME])).collect();
    store.commit(Commit { changes, ..Commit::default() }, now()).await.unwrap();

    let shared = Shared {
        store: Arc::clone(&store),
        now: Arc::clone(&now),
        status: ServiceStatus::default(),
        silences: ActiveSilences::default(),
        confirmations: None,
    };
    let workers = work(sink(&receiver).await, BRISK, &shared);
    let busy_alone = |requests: &[Request]| requests.iter().any(|request| ids(request) == ["busy"]);
    assert!(receiver.wait_until(DEADLINE, busy_alone).await.is_some(), "what failed for a time is tried again");
    workers.drain(Duration::from_secs(5)).await;

    let mut calls: Vec<Vec<String>> = calls_of(&receiver, IMPORT).iter().map(ids).collect();
    calls.sort_by_key(Vec::len);
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [1, 52, 100]);
    let mut told: Vec<String> = calls.concat();
    told.sort();
    let mut once: Vec<String> = expected.iter().cloned().chain(["busy", "malformed"].map(str::to_owned)).collect();
    once.sort();
    assert_eq!(told, once, "nothing is told twice but what was refused for a time");
    let left = store.waiting(NAME).await.unwrap();
    assert_eq!((left.alerts, left.dead), (0, 1));
    let dead = store.dead_letters(10).await.unwrap();
    let [letter] = dead.as_slice() else { unreachable!("{dead:?}") };
    assert!(format!("{letter:?}").contains("malformed") && letter.error.contains("no such type"), "{letter:?}");
    let [report] = &workers.counters()[..] else { unreachable!("there is one sink") };
    assert_eq!((report.counted.told, report.counted.requests), (151, 3));
}

#[tokio::test]
async fn what_is_over_is_closed_together_and_what_is_moot_is_not_told() {
    let receiver = Receiver::start(hub).await.unwrap();
    let sink = sink(&receiver).await;
    let over = |id: &str, kind: ChangeKind| {
        let status = if kind == ChangeKind::Withdrawn { Status::Withdrawn } else { Status::Resolved };
        let fired = alert(id);
        let over = Alert { status, ..resolved(&fired) };
        claim(&[(ChangeKind::Fired, fired), (kind, over)], 1, Some("2026-11-18T09:00:00Z")).unwrap()
    };
    // The sink never heard of this one, and it should never have been.
    let withdrawn = Alert { status: Status::Withdrawn, ..alert("unheard") };
    let unheard = claim(&[(ChangeKind::Withdrawn, withdrawn)], 0, None).unwrap();
    let claims = vec![
        over("one", ChangeKind::Resolved),
        unheard,
        fired("malformed"),
        over("two", ChangeKind::Resolved),
        fired("open"),
        over("wrong", ChangeKind::Withdrawn),
    ];
    let each = sink.tell_each(&Telling::plain(claims, at(600))).await;
    let references: Vec<Option<Option<&str>>> =
        each.outcomes.iter().map(|outcome| outcome.as_ref().ok().map(|told| told.reference.as_deref())).collect();
    let told = |id| Some(Some(id));
    assert_eq!(references, [told("one"), Some(None), None, told("two"), told("open"), told("wrong")]);
    let calls = calls_of(&receiver, IMPORT);
    let [import] = calls.as_slice() else { unreachable!("{calls:?}") };
    assert_eq!(ids(import), ["one", "malformed", "two", "open", "wrong"]);
    let states = import.body["Findings"].as_array().unwrap().iter().map(|finding| finding["RecordState"].as_str());
    assert_eq!(
        states.map(Option::unwrap).collect::<Vec<_>>(),
        ["ARCHIVED", "ACTIVE", "ARCHIVED", "ACTIVE", "ARCHIVED"]
    );
    let closed: Vec<(Value, Vec<Value>)> = calls_of(&receiver, UPDATE)
        .iter()
        .map(|request| {
            let of = request.body["FindingIdentifiers"].as_array().unwrap();
            (request.body["Workflow"]["Status"].clone(), of.iter().map(|one| one["Id"].clone()).collect())
        })
        .collect();
    assert_eq!(
        closed,
        [(json!("RESOLVED"), vec![json!("one"), json!("two")]), (json!("SUPPRESSED"), vec![json!("wrong")])]
    );
    assert_eq!(each.requests, 3);
}

#[tokio::test]
async fn a_finding_that_spoils_a_call_takes_no_other_with_it() {
    let receiver = Receiver::start(hub).await.unwrap();
    let sink = sink(&receiver).await;
    let ids: Vec<String> = (0..64).map(|number| format!("{number}")).collect();
    let mut claims: Vec<Claim> = ids.iter().map(|id| fired(id)).collect();
    claims.insert(40, fired("poison"));
    let each = sink.tell_each(&Telling::plain(claims, at(600))).await;
    for (place, outcome) in each.outcomes.iter().enumerate() {
        match outcome {
            Ok(told) => assert!(place != 40 && told.memo.is_some(), "{place}"),
            Err(error) => assert!(place == 40 && error.fault == Fault::Permanent, "{place}: {error}"),
        }
    }
    // Halving 65 finds it in seven steps, and each step leaves a half that is taken.
    assert!(each.requests <= 15, "{} requests", each.requests);
    assert_eq!(calls_of(&receiver, IMPORT).len(), each.requests as usize);
}
