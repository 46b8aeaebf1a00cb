//! Evidence in DynamoDB and S3, against moto: several workers, lost answers, and a bucket that locks what is put into it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "all of it is a test, its helpers too")]

use std::sync::Arc;

use bedrock_watch_aws::{Aws, dynamodb::DynamoStore};
use bedrock_watch_service::{
    cloud::Cloud as _,
    config::aws::DynamoDbStore,
    evidence::{
        Archivist, Fact,
        archive::Archive,
        chain::Entry,
        fact::Gap,
        reading::{Period, read},
    },
    status::Status,
    store::Store,
};
use bedrock_watch_tests::emulators::{
    self, Emulator,
    faults::{Fault, Faults},
};
use jiff::{SignedDuration, Timestamp};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const BUCKET: &str = "evidence";
const ALWAYS: Period = Period { from: Timestamp::MIN, to: Timestamp::MAX };

/// An emulator with a bucket that locks.
async fn emulator() -> (Emulator, Aws) {
    use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
    let emulator = emulators::aws(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let s3 = aws_sdk_s3::config::Builder::from(aws.own()).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuCentral1).build();
    let create = s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place);
    create.object_lock_enabled_for_bucket(true).send().await.unwrap();
    (emulator, aws)
}

async fn open(aws: &Aws) -> DynamoStore {
    let config = DynamoDbStore {
        table: "bedrock-watch".to_owned(),
        snapshot_bucket: "memory".to_owned(),
        snapshot_prefix: String::new(),
    };
    DynamoStore::open(aws.own(), &config).await.unwrap()
}

fn gap(number: usize) -> Fact {
    Fact::Gap(Gap { part: format!("part {number:03}"), reason: String::new(), since: Timestamp::UNIX_EPOCH })
}

fn parts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("part {number:03}")).collect()
}

/// The parts that entries name, sorted; everything is whole.
async fn found(archive: Option<&dyn Archive>, store: Option<&dyn Store>) -> Vec<String> {
    let mut parts = Vec::new();
    let mut take = |entry: Entry| {
        if let Fact::Gap(gap) = entry.fact {
            parts.push(gap.part);
        }
    };
    assert_eq!(read(archive, store, ALWAYS, &mut take).await.unwrap().findings, []);
    parts.sort();
    parts
}

#[tokio::test]
async fn evidence_of_several_workers_is_archived_once_and_by_whoever_lives() {
    let (_emulator, aws) = emulator().await;
    let archive = aws.evidence(BUCKET, "ours/");
    let long_ago = Timestamp::now() - SignedDuration::from_hours(3);
    let (dead, living) = (open(&aws).await, Arc::new(open(&aws).await));
    for number in 0..20 {
        dead.attest(vec![gap(number)], long_ago).await.unwrap();
    }
    dead.scoped("shard-1", 7).attest(vec![gap(20)], long_ago).await.unwrap();
    living.attest(vec![gap(21)], Timestamp::now()).await.unwrap();
    assert_eq!(living.chains().await.unwrap().len(), 2, "the scopes of a process share its chain");
    let store: Arc<dyn Store> = Arc::<DynamoStore>::clone(&living);
    for round in 0..3 {
        living.attest(vec![gap(22 + round)], Timestamp::now()).await.unwrap();
        Archivist::new(Arc::clone(&store), Arc::clone(&archive), Status::default()).archive().await;
    }
    for chain in living.chains().await.unwrap() {
        assert_eq!((chain.archived, &chain.archived_hash), (chain.seq, &chain.hash), "{}", chain.worker);
        assert_eq!(living.evidence(&chain.worker, 0, 100).await.unwrap().len(), 1, "only the last is in the table");
    }
    assert_eq!(found(Some(&*archive), None).await, parts(25));
    assert_eq!(found(Some(&*archive), Some(&*store)).await, parts(25));
}

#[tokio::test]
async fn an_object_of_the_archive_is_never_replaced() {
    let (_emulator, aws) = emulator().await;
    let archive = aws.evidence(BUCKET, "ours/");
    let keys = ["w/2026-11-22/000000000001.jsonl", "w/2026-11-22/000000000009.jsonl"];
    let [first, second] = keys;
    assert_eq!(archive.get(first).await.unwrap(), None);
    assert!(archive.put(first, b"first\n".to_vec()).await.unwrap());
    assert!(!archive.put(first, b"second\n".to_vec()).await.unwrap());
    assert_eq!(archive.get(first).await.unwrap(), Some(b"first\n".to_vec()));
    assert!(archive.put(second, b"third\n".to_vec()).await.unwrap());
    assert_eq!(archive.list().await.unwrap(), keys);
    let error = aws.evidence("nowhere", "").put("w", Vec::new()).await.unwrap_err().to_string();
    assert!(error.contains("s3://nowhere/") && error.contains("is the bucket's name right?"), "{error}");
}

/// What is done and not answered is written once all the same, and the chain goes on behind it; also where what waits is
/// said again as a whole, with more behind it.
#[tokio::test]
async fn answers_that_are_lost_neither_lose_nor_double_an_entry() {
    let seed = rand::random();
    println!("seed {seed}");
    let (emulator, _) = emulator().await;
    let faults = Faults::before(&emulator.url, seed, 0, &[]).await.unwrap();
    let mut through = emulator.config();
    through.endpoint_url = Some(faults.url.clone());
    let (id, secret) = emulators::ACCESS_KEY;
    let aws = Aws::connect_as(&through, &std::collections::BTreeMap::new(), (id, secret)).await.unwrap();
    let store = open(&aws).await;
    // Most calls are not answered, so that those fail that ask what became of others.
    faults.spoil(50, &[Fault::Lost, Fault::Cut, Fault::Failed]);
    let (mut number, mut waiting) = (0, Vec::new());
    while number < 24 {
        for _ in 0..1 + number % 5 * 3 {
            waiting.push(gap(number));
            number += 1;
        }
        if store.attest(waiting.clone(), Timestamp::now()).await.is_ok() {
            waiting.clear();
        }
    }
    faults.spoil(0, &[]);
    store.attest(waiting, Timestamp::now()).await.unwrap();
    assert_eq!(found(None, Some(&store)).await, parts(number));
}
