//! `POST /v1/events` under load from many connections: every accepted record is judged, what is too much is refused
//! with 429, and nothing accepted is lost when the daemon is ended in the middle of it.
//!
//! The same by hand, against a daemon that runs:
//!
//! ```text
//! wrk -t2 -c64 -d30s -s post.lua http://127.0.0.1:8787/v1/events
//!     post.lua: wrk.method = "POST"; wrk.body = io.open("rules/events/bedrock/InvokeModel.json"):read("*a")
//! hey -z 30s -c 64 -m POST -D rules/events/bedrock/InvokeModel.json http://127.0.0.1:8787/v1/events
//! curl -s http://127.0.0.1:8787/metrics | grep -E 'records_(total|duplicate_total)'
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bedrock_watch_engine::Second;
use bedrock_watch_tests::program::{DEADLINE, Daemon};
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    task::JoinSet,
};

const JOB: &str = include_str!("../../rules/events/bedrock/CreateModelCustomizationJob.json");
const GROUP: &str = include_str!("../../rules/events/ec2/DeleteSecurityGroup.json");
/// The rule that finds the two together.
const RULE: &str = "customization-job-security-group-deleted";

/// Connections that post at once.
const CONNECTIONS: usize = 24;
/// How long the daemon waits for a body.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// Jobs in a batch that lose their group in the same batch.
const JOBS: u32 = 8;
/// Jobs in a batch whose group is deleted only after the restart.
const OPEN_JOBS: u32 = 2;
/// Batches accepted before the daemon is told to end.
const BATCHES: usize = 40;

const CONFIG: &str = "[http]\nlisten = \"127.0.0.1:0\"\nrequests_max = 8\n[pipeline]\nqueue_batches_max = 4\n\
    [[sink]]\nkind = \"stdout\"\nformat = \"json\"\n";

/// A record that differs from every other in its event id.
fn record(sample: &str, number: u32, change: impl FnOnce(&mut Value)) -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let mut event: Value = serde_json::from_str(sample).unwrap();
    let now = Second::from_unix(Timestamp::now().as_second()).unwrap();
    // A little in the past, so that no record lies ahead of this machine's clock.
    event["eventTime"] = now.minus(120).to_rfc3339().into();
    event["eventID"] = format!("00000000-{number:08x}-{:08x}", MADE.fetch_add(1, Ordering::Relaxed)).into();
    change(&mut event);
    event.to_string()
}

fn group(number: u32) -> String {
    format!("sg-{number:017x}")
}

fn created(number: u32) -> String {
    record(JOB, number, |event| {
        event["requestParameters"]["vpcConfig"]["securityGroupIds"] = json!([group(number)]);
        let arn = format!("arn:aws:bedrock:us-east-1:111122223333:model-customization-job/model/{number:012x}");
        event["responseElements"]["jobArn"] = arn.into();
    })
}

fn deleted(number: u32) -> String {
    record(GROUP, number, |event| {
        event["requestParameters"]["groupId"] = group(number).into();
        event["responseElements"]["groupId"] = group(number).into();
    })
}

/// The numbers of the jobs of a batch: those that lose their group at once, and the others.
fn jobs_of(batch: u32) -> (std::ops::Range<u32>, std::ops::Range<u32>) {
    let first = batch * (JOBS + OPEN_JOBS);
    (first..first + JOBS, first + JOBS..first + JOBS + OPEN_JOBS)
}

fn body_of(batch: u32) -> (String, u64) {
    let (lost, open) = jobs_of(batch);
    let mut lines: Vec<String> = lost.clone().chain(open).map(created).collect();
    lines.extend(lost.map(deleted));
    (lines.join("\n"), lines.len() as u64)
}

/// What clients that post at once have seen.
#[derive(Default)]
struct Seen {
    next: AtomicU32,
    accepted: Mutex<BTreeSet<u32>>,
    records: AtomicU64,
    refused: AtomicU64,
    stop: AtomicBool,
    /// Called for each batch that was accepted.
    progress: Notify,
}

/// Posts batches until it is told to stop or the daemon is gone.
async fn client(client: Client, address: SocketAddr, seen: Arc<Seen>) {
    while !seen.stop.load(Ordering::SeqCst) {
        let batch = seen.next.fetch_add(1, Ordering::SeqCst);
        let (body, records) = body_of(batch);
        loop {
            let request = client.post(format!("http://{address}/v1/events")).body(body.clone());
            let Ok(response) = request.send().await else { return };
            let status = response.status().as_u16();
            let retry_after = response.headers().contains_key("retry-after");
            let Ok(text) = response.text().await else { return };
            match status {
                202 => {
                    let answer: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(answer, json!({ "accepted": records, "rejected": 0 }));
                    seen.records.fetch_add(records, Ordering::SeqCst);
                    seen.accepted.lock().unwrap().insert(batch);
                    seen.progress.notify_one();
                    break;
                }
                429 => {
                    assert!(retry_after, "{text}");
                    seen.refused.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
                // It is being taken down.
                503 => return,
                other => panic!("{other}: {text}"),
            }
        }
    }
}

/// Lets many clients post until so many batches were accepted, then does `then`, and waits for the clients.
async fn load(address: SocketAddr, batches: usize, then: impl FnOnce(&Seen)) -> Arc<Seen> {
    let seen = Arc::new(Seen::default());
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        // A client each, so that each has a connection of its own.
        clients.spawn(client(Client::new(), address, Arc::clone(&seen)));
    }
    let enough = async {
        while seen.accepted.lock().unwrap().len() < batches {
            seen.progress.notified().await;
        }
    };
    tokio::time::timeout(DEADLINE, enough).await.expect("the daemon accepts batches");
    then(&seen);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    seen
}

async fn get(address: SocketAddr, path: &str) -> String {
    let response = Client::new().get(format!("http://{address}{path}")).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200, "{path}");
    response.text().await.unwrap()
}

/// How many alerts each group has.
async fn alerts(address: SocketAddr) -> BTreeMap<String, usize> {
    let (mut found, mut after) = (BTreeMap::new(), String::new());
    loop {
        let page = get(address, &format!("/v1/alerts?rule={RULE}&limit=200{after}")).await;
        let page: Value = serde_json::from_str(&page).unwrap();
        for alert in page["alerts"].as_array().unwrap() {
            *found.entry(alert["subject"]["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let Some(next) = page["next"].as_str() else { return found };
        after = format!("&after={next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_record_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let address = daemon.address();
    let seen = load(address, BATCHES, |seen| seen.stop.store(true, Ordering::SeqCst)).await;
    let metrics = get(address, "/metrics").await;
    let counter = |name: &str| -> u64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("bedrock_watch_{name} ")));
        line.unwrap_or_else(|| panic!("no {name}: {metrics}")).parse().unwrap()
    };
    let accepted = seen.records.load(Ordering::SeqCst);
    assert_eq!((counter("records_total"), counter("records_judged_total")), (accepted, accepted));
    assert_eq!((counter("records_rejected_total"), counter("records_duplicate_total")), (0, 0));
    let batches = seen.accepted.lock().unwrap().clone();
    let expected: BTreeMap<String, usize> =
        batches.iter().flat_map(|batch| jobs_of(*batch).0).map(|job| (group(job), 1)).collect();
    assert_eq!(alerts(address).await, expected);
    // Each alert was told exactly once, since nothing was interrupted.
    assert_eq!(daemon.end().len(), expected.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_refused_and_can_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "[http]\nlisten = \"127.0.0.1:0\"\nrequests_max = 2\n");
    let address = daemon.address();
    let (body, _) = body_of(0);
    let (first, rest) = body.split_at(body.len() / 2);
    // Two clients that have sent half of their body hold both places.
    let hold = async || {
        let mut slow = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let length = body.len();
            let head = format!(
                "POST /v1/events HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all(format!("{head}{first}").as_bytes()).await.unwrap();
            slow.push(stream);
        }
        slow
    };
    let post = async || {
        let response =
            Client::new().post(format!("http://{address}/v1/events")).body(created(999)).send().await.unwrap();
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), retry_after)
    };
    let refused = async || {
        loop {
            let (status, retry_after) = post().await;
            if status == 429 {
                return retry_after;
            }
            // The server has not read the heads of both yet.
            assert_eq!(status, 202);
        }
    };
    let held = async {
        loop {
            let slow = hold().await;
            // A body that takes longer is given up, and its place is free: where the machine stood still for so long,
            // this begins anew.
            if let Ok(retry_after) = tokio::time::timeout(BODY_WAIT, refused()).await {
                return (slow, retry_after);
            }
        }
    };
    let (mut slow, retry_after) = tokio::time::timeout(DEADLINE, held).await.expect("429");
    assert_eq!(retry_after.as_deref(), Some("1"));
    for stream in &mut slow {
        stream.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    }
    assert_eq!(post().await.0, 202);
    drop(daemon.end());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_when_the_daemon_is_ended_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(folder.path(), CONFIG);
    let seen = load(daemon.address(), BATCHES, |_| daemon.terminate()).await;
    assert_eq!(daemon.wait().code(), Some(0), "{:?}", daemon.stderr.iter().collect::<Vec<_>>());
    let accepted = seen.accepted.lock().unwrap().clone();
    assert!(accepted.len() >= BATCHES);

    let daemon = Daemon::start(folder.path(), CONFIG);
    let address = daemon.address();
    let found = alerts(address).await;
    assert!(found.values().all(|count| *count == 1), "no alert is there twice");
    let lost: Vec<u32> =
        accepted.iter().flat_map(|batch| jobs_of(*batch).0).filter(|job| !found.contains_key(&group(*job))).collect();
    assert_eq!(lost, Vec::<u32>::new(), "accepted, and no alert after the restart");

    // What was accepted without an alert is remembered as well: the other jobs lose their groups now.
    let open: Vec<u32> = accepted.iter().flat_map(|batch| jobs_of(*batch).1).collect();
    let body = open.iter().map(|job| deleted(*job)).collect::<Vec<_>>().join("\n");
    let answer = Client::new().post(format!("http://{address}/v1/events")).body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 202);
    let found = alerts(address).await;
    let lost: Vec<&u32> = open.iter().filter(|job| found.get(&group(**job)) != Some(&1)).collect();
    assert_eq!(lost, Vec::<&u32>::new(), "accepted before the restart, and forgotten");
    drop(daemon.end());
}
