//! The store in DynamoDB and S3, against moto: the cases every store must pass, and what only several workers can do.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "all of it is a test; a failing case says its name")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_sdk_dynamodb::types::{AttributeValue, TimeToLiveStatus};
use bedrock_watch_aws::{Aws, dynamodb::DynamoStore};
use bedrock_watch_engine::alert::ChangeKind;
use bedrock_watch_service::{
    cloud::Cloud as _,
    config::aws::DynamoDbStore,
    store::{Commit, JournalEntry, Matcher, Note, Recorded, Silence, Snapshot, Store, StoreError},
};
use bedrock_watch_tests::{
    emulators::{self, Emulator},
    store_conformance::{cases, sample_change},
};
use jiff::{SignedDuration, Timestamp};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const BUCKET: &str = "memory";

/// An emulator with a bucket for snapshots.
async fn emulator() -> (Emulator, Aws) {
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let place = aws_sdk_s3::types::BucketLocationConstraint::EuCentral1;
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(place).build();
    s3(&aws).create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await.unwrap();
    (emulator, aws)
}

fn s3(aws: &Aws) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(aws.own()).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}

fn config(table: &str) -> DynamoDbStore {
    DynamoDbStore { table: table.to_owned(), snapshot_bucket: BUCKET.to_owned(), snapshot_prefix: format!("{table}/") }
}

async fn open(aws: &Aws, table: &str) -> DynamoStore {
    DynamoStore::open(aws.own(), &config(table)).await.unwrap()
}

async fn objects(aws: &Aws) -> usize {
    s3(aws).list_objects_v2().bucket(BUCKET).send().await.unwrap().contents().len()
}

fn journal(text: &str) -> Commit {
    let ends = vec![u32::try_from(text.len()).unwrap()];
    let entry = JournalEntry { source: "http".to_owned(), records: text.into(), ends };
    Commit { journal: vec![entry], ..Commit::default() }
}

fn position(source: &str, position: &str) -> Commit {
    Commit { positions: [(source.to_owned(), position.to_owned())].into(), ..Commit::default() }
}

fn snapshot(journal: u64, byte: u8) -> Snapshot {
    Snapshot { journal, bytes: vec![byte; 1_000], ..Snapshot::default() }
}

/// The emulator takes most of the time and uses one core, so there are two of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms() {
    let cases = cases();
    assert!(cases.len() > 20);
    let (_one, one) = emulator().await;
    let (_other, other) = emulator().await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut lanes = tokio::task::JoinSet::new();
    for aws in [one, other] {
        let (cases, next) = (cases.clone(), Arc::clone(&next));
        lanes.spawn(async move {
            while let Some((name, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                println!("case {name}");
                // Through the seam by which the daemon gets it.
                case(aws.store(&config(name)).await.unwrap()).await;
            }
        });
    }
    lanes.join_all().await;
}

#[tokio::test]
async fn what_was_committed_is_there_for_another_worker() {
    let (_emulator, aws) = emulator().await;
    let now = Timestamp::now();
    let (one, other) = (open(&aws, "shared").await, open(&aws, "shared").await);
    let change = || Commit { changes: vec![sample_change("a", ChangeKind::Fired, "slack")], ..Commit::default() };
    assert_eq!(one.commit(change(), now).await.unwrap().recorded, [Recorded::Revision(1)]);
    assert_eq!(other.commit(change(), now).await.unwrap().recorded, [Recorded::Known], "the first one wins");
    let until = now + SignedDuration::from_mins(1);
    assert_eq!(one.claim("slack", "one", now, until, 10).await.unwrap().len(), 1);
    assert!(other.claim("slack", "other", now, until, 10).await.unwrap().is_empty());
    // Numbers of the journal are never given twice, whoever asks.
    for (round, store) in [&one, &other, &one, &other].into_iter().enumerate() {
        let committed = store.commit(journal("text"), now).await.unwrap();
        assert_eq!(committed.journal_through, u64::try_from(round).unwrap() + 1);
    }
}

#[tokio::test]
async fn workers_that_find_the_same_alert_at_once_tell_it_once() {
    let (_emulator, aws) = emulator().await;
    let now = Timestamp::now();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let store = open(&aws, "race").await;
        workers.spawn(async move {
            let changes = (0..40).map(|number| sample_change(&format!("{number}"), ChangeKind::Fired, "slack"));
            let commit = Commit { changes: changes.collect(), ..Commit::default() };
            store.commit(commit, now).await.unwrap().recorded
        });
    }
    let recorded = workers.join_all().await.concat();
    assert_eq!(recorded.iter().filter(|recorded| **recorded == Recorded::Revision(1)).count(), 40);
    assert_eq!(recorded.iter().filter(|recorded| **recorded == Recorded::Known).count(), 5 * 40);
}

#[tokio::test]
async fn scopes_have_positions_journal_and_snapshot_of_their_own() {
    let (_emulator, aws) = emulator().await;
    let now = Timestamp::now();
    let all = open(&aws, "scopes").await;
    let (one, other) = (all.scoped("shard 1", 1), all.scoped("shard 2", 1));
    for (store, text) in [(&all, "all"), (&one, "one"), (&other, "other")] {
        store.commit(journal(text), now).await.unwrap();
        store.commit(position("stream", text), now).await.unwrap();
        store.save_snapshot(snapshot(0, text.as_bytes()[0])).await.unwrap();
    }
    for (store, text) in [(&all, "all"), (&one, "one"), (&other, "other")] {
        let found = store.journal(0, 10).await.unwrap();
        assert_eq!((found.len(), found[0].0, found[0].1.records.as_slice()), (1, 1, text.as_bytes()));
        assert_eq!(store.positions().await.unwrap()["stream"], text);
        assert_eq!(store.load_snapshot().await.unwrap().unwrap().bytes[0], text.as_bytes()[0]);
    }
    // Alerts are everybody's.
    let change = Commit { changes: vec![sample_change("a", ChangeKind::Fired, "slack")], ..Commit::default() };
    one.commit(change.clone(), now).await.unwrap();
    assert_eq!(other.commit(change, now).await.unwrap().recorded, [Recorded::Known]);
}

#[tokio::test]
async fn a_former_owner_of_a_scope_writes_nothing() {
    let (_emulator, aws) = emulator().await;
    let now = Timestamp::now();
    let store = open(&aws, "epochs").await;
    let (former, owner) = (store.scoped("shard", 7), store.scoped("shard", 8));
    former.commit(journal("first"), now).await.unwrap();
    former.commit(position("stream", "1"), now).await.unwrap();
    former.save_snapshot(snapshot(0, 1)).await.unwrap();
    owner.commit(position("stream", "2"), now).await.unwrap();
    owner.commit(journal("second"), now).await.unwrap();
    owner.save_snapshot(snapshot(1, 2)).await.unwrap();
    let overtaken = |error: StoreError| {
        assert!(matches!(error, StoreError::Overtaken { .. }), "{error}");
        assert!(error.to_string().contains("`shard`"), "{error}");
    };
    overtaken(former.commit(position("stream", "3"), now).await.unwrap_err());
    overtaken(former.commit(journal("third"), now).await.unwrap_err());
    overtaken(former.save_snapshot(snapshot(2, 3)).await.unwrap_err());
    assert_eq!(owner.positions().await.unwrap()["stream"], "2");
    assert_eq!(owner.journal(0, 10).await.unwrap().len(), 1, "the first is in the snapshot");
    assert_eq!(owner.load_snapshot().await.unwrap(), Some(snapshot(1, 2)));
    assert_eq!(objects(&aws).await, 1, "former snapshots are deleted");
}

#[tokio::test]
async fn long_journal_entries_and_alerts_fit() {
    let (_emulator, aws) = emulator().await;
    let now = Timestamp::now();
    let store = open(&aws, "long").await;
    // Random text does not compress, so that it takes several items.
    let text: String = std::iter::repeat_with(fastrand::alphanumeric).take(3_000_000).collect();
    for expected in 1..=2 {
        assert_eq!(store.commit(journal(&text), now).await.unwrap().journal_through, expected);
    }
    let found = store.journal(1, 10).await.unwrap();
    assert!(found.len() == 1 && found[0].1.records == text.as_bytes());
    store.save_snapshot(snapshot(2, 1)).await.unwrap();
    assert!(store.journal(0, 10).await.unwrap().is_empty());
    // An alert beyond all measure loses its facts and nothing else; said again, it is known.
    let mut change = sample_change("a", ChangeKind::Fired, "slack");
    Arc::make_mut(&mut change.alert).facts.insert("long".to_owned(), text.into());
    let commit = || Commit { changes: vec![change.clone()], ..Commit::default() };
    assert_eq!(store.commit(commit(), now).await.unwrap().recorded, [Recorded::Revision(1)]);
    assert_eq!(store.commit(commit(), now).await.unwrap().recorded, [Recorded::Known]);
    let stored = store.alert("a").await.unwrap().unwrap();
    assert!(stored.alert.facts.contains_key("left_out"), "{:?}", stored.alert.facts.keys());
}

/// A silence that holds from an hour before its end.
fn silence(id: &str, ends_at: Timestamp) -> Silence {
    Silence {
        id: id.to_owned(),
        starts_at: ends_at - SignedDuration::from_hours(1),
        ends_at,
        author: "ada".to_owned(),
        reason: "maintenance".to_owned(),
        matcher: Matcher { rule: Some("invocation-*".to_owned()), ..Matcher::default() },
    }
}

/// When each item of a table ends, in seconds since 1970, by the first part of its partition's name.
async fn ends(aws: &Aws, table: &str) -> Vec<(String, Option<i64>)> {
    let scan = aws_sdk_dynamodb::Client::new(aws.own()).scan().table_name(table).consistent_read(true);
    let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    let end = |item: &std::collections::HashMap<String, AttributeValue>| {
        let partition = item["pk"].as_s().unwrap().split('#').next().unwrap().to_owned();
        // DynamoDB looks at numbers only, and takes them for seconds.
        (partition, item.get("expires_at").map(|end| end.as_n().unwrap().parse().unwrap()))
    };
    items.iter().map(end).collect()
}

#[tokio::test]
async fn what_is_of_no_use_later_ends_by_itself_and_nothing_else_does() {
    const DAY_S: i64 = 86_400;
    let (_emulator, aws) = emulator().await;
    let (now, store) = (Timestamp::now(), open(&aws, "ends").await);
    let asked = aws_sdk_dynamodb::Client::new(aws.own()).describe_time_to_live().table_name("ends").send().await;
    let said = asked.unwrap().time_to_live_description.unwrap();
    assert_eq!(said.attribute_name(), Some("expires_at"));
    assert!(matches!(said.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)));

    // Random text does not compress, so that it takes parts beside the entry.
    let text: String = std::iter::repeat_with(fastrand::alphanumeric).take(1_000_000).collect();
    store.commit(journal(&text), now).await.unwrap();
    let changes = vec![sample_change("a", ChangeKind::Fired, "slack")];
    let commit = Commit { changes, ..position("stream", "1") };
    store.commit(commit, now).await.unwrap();
    store.save_snapshot(snapshot(0, 1)).await.unwrap();
    let note = Note {
        sink: "slack".to_owned(),
        incident: "i".to_owned(),
        version: 0,
        held_until: None,
        memo: "{}".to_owned(),
    };
    assert!(store.put_note(&note).await.unwrap());
    store.put_silence(silence("s", now + SignedDuration::from_hours(5)), now).await.unwrap();

    let expected: BTreeMap<&str, i64> =
        [("silences", 30 * DAY_S + 5 * 3_600), ("note", 120 * DAY_S), ("part", 365 * DAY_S)].into();
    let items = ends(&aws, "ends").await;
    for (partition, end) in &items {
        let after = end.map(|end| end - now.as_second());
        match (expected.get(partition.as_str()), after) {
            // The test itself takes some seconds.
            (Some(expected), Some(after)) => {
                assert!((*expected..expected + 600).contains(&after), "{partition}: {after}")
            }
            (expected, after) => assert_eq!(expected.copied(), after, "{partition}"),
        }
    }
    for partition in expected.keys() {
        assert!(items.iter().any(|(found, _)| found == partition), "no item of {partition} in {items:?}");
    }
    assert!(items.iter().filter(|(_, end)| end.is_none()).count() > 5, "the alert, its delivery and more: {items:?}");
}

/// DynamoDB takes up to two days to delete what has ended. Notes and parts of the journal may be read meanwhile, as they
/// are no less true; a silence may not hold.
#[tokio::test]
async fn what_has_ended_and_is_still_in_the_table_is_not_served() {
    let (_emulator, aws) = emulator().await;
    let (now, store) = (Timestamp::now(), open(&aws, "ended").await);
    let ago = |days: i64| now - SignedDuration::from_hours(24 * days);
    store.put_silence(silence("long ago", ago(31)), ago(32)).await.unwrap();
    store.put_silence(silence("lately", ago(1)), ago(2)).await.unwrap();
    let items = ends(&aws, "ended").await;
    let past = items.iter().filter(|(_, end)| end.is_some_and(|end| end < now.as_second())).count();
    assert_eq!(past, 1, "one is past its end and still there: {items:?}");

    assert_eq!(store.silences(now, false).await.unwrap(), []);
    let shown: Vec<String> = store.silences(now, true).await.unwrap().into_iter().map(|silence| silence.id).collect();
    assert_eq!(shown, ["lately"]);
    assert!(!store.end_silence("long ago", now).await.unwrap());
    let change = sample_change("a", ChangeKind::Fired, "slack");
    store.commit(Commit { changes: vec![change], ..Commit::default() }, now).await.unwrap();
    assert_eq!(store.alert("a").await.unwrap().unwrap().silence, None);
}

#[tokio::test]
async fn a_damaged_snapshot_is_told_apart() {
    let (_emulator, aws) = emulator().await;
    let store = open(&aws, "damaged").await;
    store.save_snapshot(snapshot(0, 1)).await.unwrap();
    let listed = s3(&aws).list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let key = listed.contents()[0].key().unwrap().to_owned();
    s3(&aws).put_object().bucket(BUCKET).key(key).body(b"rubbish".to_vec().into()).send().await.unwrap();
    let error = store.load_snapshot().await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let missing = DynamoDbStore { snapshot_bucket: "missing".to_owned(), ..config("damaged") };
    let store = DynamoStore::open(aws.own(), &missing).await.unwrap();
    let error = store.save_snapshot(snapshot(0, 1)).await.unwrap_err().to_string();
    assert!(error.contains("NoSuchBucket") && error.contains("missing"), "{error}");
}

#[tokio::test]
async fn a_table_of_another_program_is_left_alone() {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType::S,
    };
    let (_emulator, aws) = emulator().await;
    let client = aws_sdk_dynamodb::Client::new(aws.own());
    let attribute = AttributeDefinition::builder().attribute_name("id").attribute_type(S).build().unwrap();
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
    let call = client.create_table().table_name("other").billing_mode(BillingMode::PayPerRequest);
    call.attribute_definitions(attribute).key_schema(key).send().await.unwrap();
    let error = DynamoStore::open(aws.own(), &config("other")).await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    let error = aws.store(&config("other")).await.unwrap_err().to_string();
    assert!(error.contains("the DynamoDB table other"), "{error}");
}
