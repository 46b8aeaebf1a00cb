//! `kill -9` at random moments (after so many lines of its start, or so many accepted posts), 50 times, under load from a
//! file and over HTTP: afterwards every alert of an
//! uninterrupted run is stored once, with the same final state, and was told: to PagerDuty at least once, and to Slack
//! with one message, or with others that say that they may be repeats. The evidence of it all is whole, and says of each
//! alert once that it began and what each sink was told.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "all of it is a test, its helpers too"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    time::{Instant, SystemTime},
};

use bedrock_watch_engine::{
    Second,
    alert::{ChangeKind, Status},
};
use bedrock_watch_service::{
    evidence::{
        Fact, Folder, Turn,
        chain::Entry,
        reading::{Period, read},
    },
    store::{AlertFilter, Store, sqlite::SqliteStore},
};
use bedrock_watch_tests::{
    program::{DEADLINE, Daemon, request},
    receivers::{
        pagers::{self, PAGERDUTY},
        server::Receiver,
    },
};
use jiff::Timestamp;
use rand::{Rng, SeedableRng, prelude::IndexedRandom as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::{Value, json};

const KILLS: usize = 50;
/// Lines that the daemon writes before it listens, and some.
const START_LINES: usize = 8;
/// Posts accepted before a kill, less than this.
const POSTS: u32 = 24;
const SINKS: [&str; 3] = ["stdout", "slack", "pagerduty"];
const TRAIL: &str = "trail.jsonl";
/// What marks events that only the file has: what they cause is judged again from the file alone.
const ONLY_IN_THE_FILE: &str = "DependencyViolation";

/// The configuration, with Slack and PagerDuty at `receiver`.
fn config(receiver: &Receiver) -> String {
    let pagers = pagers::config(receiver, "incident", &["stdout"]);
    format!(
        r#"
        [http]
        listen = "127.0.0.1:0"
        [store]
        snapshot_interval_s = 1
        [evidence]
        path = "evidence"
        archive_interval_s = 1
        [[source]]
        kind = "http"
        [[source]]
        kind = "file"
        path = "{TRAIL}"
        from_start = true
        poll_ms = 10
        [[sink]]
        kind = "stdout"
        name = "stdout"
        format = "json"
        {pagers}
        "#
    )
}

/// Events of some minutes ago, so that nothing in them changes merely because time passes while the test runs.
struct Events {
    now: u32,
    made: u32,
}

impl Events {
    fn sample(&mut self, sample: &str, account: &str, seconds_ago: u32, change: impl FnOnce(&mut Value)) -> String {
        self.made += 1;
        let mut event: Value = serde_json::from_str(&sample.replace("111122223333", account)).unwrap();
        event["eventTime"] = Second(self.now - seconds_ago).to_rfc3339().into();
        event["eventID"] = format!("00000000-0000-4000-8000-{:012}", self.made).into();
        change(&mut event);
        event.to_string()
    }

    /// What comes first: logging is switched off. And what then comes in any order: jobs lose their groups, models are
    /// used unlogged, and in bursts. Counts end at powers of two, at which they are told, so that what is told last is
    /// all there is to tell.
    fn all(&mut self) -> (Vec<String>, Vec<String>) {
        const JOB: &str = include_str!("../../rules/events/bedrock/CreateModelCustomizationJob.json");
        const GROUP: &str = include_str!("../../rules/events/ec2/DeleteSecurityGroup.json");
        const LOGGING: &str = include_str!("../../rules/events/bedrock/DeleteModelInvocationLoggingConfiguration.json");
        const CALL: &str = include_str!("../../rules/events/bedrock/InvokeModel.json");
        let accounts = ["222233334444", "333344445555"];
        let first = accounts.map(|account| self.sample(LOGGING, account, 590, |_| {}));
        let mut events = Vec::new();
        for number in 0..60 {
            let (group, arn) = (format!("sg-{number:017}"), format!("model/{number:012}"));
            events.push(self.sample(JOB, "111122223333", 600, |event| {
                event["requestParameters"]["vpcConfig"]["securityGroupIds"] = json!([group]);
                let job = format!("arn:aws:bedrock:us-east-1:111122223333:model-customization-job/{arn}");
                event["responseElements"]["jobArn"] = job.into();
            }));
            events.push(self.sample(GROUP, "111122223333", 500 - number, |event| {
                event["requestParameters"]["groupId"] = group.clone().into();
                event["responseElements"]["groupId"] = group.clone().into();
            }));
        }
        // Attempts on the groups of the first jobs, before they succeed: alerts that grow from the beginning on.
        for number in 0..4 {
            events.extend(
                (0..32)
                    .map(|attempt| {
                        self.sample(GROUP, "111122223333", 599 - attempt, |event| {
                            event["requestParameters"]["groupId"] = format!("sg-{number:017}").into();
                            event["errorCode"] = format!("Client.{ONLY_IN_THE_FILE}").into();
                            event["responseElements"] = Value::Null;
                        })
                    })
                    .collect::<Vec<_>>(),
            );
        }
        for account in accounts {
            events.extend((0..64).map(|number| self.sample(CALL, account, 580 - number, |_| {})).collect::<Vec<_>>());
        }
        for account in ["444455556666", "555566667777", "666677778888"] {
            let calls = (0..128).map(|number| {
                self.sample(CALL, account, 400 - number / 3, |event| {
                    event["userIdentity"] = json!({ "type": "IAMUser", "accountId": account, "userName": "batch",
                        "arn": format!("arn:aws:iam::{account}:user/batch"), "accessKeyId": "AKIAIOSFODNN7EXAMPLE" });
                })
            });
            events.extend(calls.collect::<Vec<_>>());
        }
        (first.to_vec(), events)
    }
}

fn append(folder: &Path, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join(TRAIL)).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Waits until the file is judged to its end (its position is that of its last line), and everybody was told.
async fn wait_until_all_is_told(folder: &Path) {
    let text = std::fs::read(folder.join(TRAIL)).unwrap();
    let last = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let store = SqliteStore::open_beside(&folder.join("bedrock-watch.db")).unwrap();
    let began = Instant::now();
    loop {
        let positions = store.positions().await.unwrap();
        let is_judged = positions.values().any(|position| position.ends_with(&format!("@{last}")));
        let mut waiting = 0;
        for sink in SINKS {
            waiting += store.waiting(sink).await.unwrap().alerts;
        }
        if is_judged && waiting == 0 {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "the file is not judged to {last}: {positions:?}; {waiting} not told");
        tokio::task::yield_now().await;
    }
}

/// What a run leaves: the alerts by id, as JSON, and the kinds of their revisions.
async fn left(folder: &Path) -> BTreeMap<String, (Value, Vec<ChangeKind>)> {
    let store = SqliteStore::open(&folder.join("bedrock-watch.db")).unwrap();
    let mut left = BTreeMap::new();
    for stored in store.alerts(&AlertFilter::default()).await.unwrap().alerts {
        let history = store.history(&stored.alert.id).await.unwrap();
        let kinds = history.iter().map(|revision| revision.kind).collect();
        let counts: Vec<u64> = history.iter().map(|revision| revision.alert.event_count).collect();
        assert!(counts.is_sorted(), "{} never goes back to what it was: {counts:?}", stored.alert.id);
        let known = left.insert(stored.alert.id.clone(), (serde_json::to_value(&*stored.alert).unwrap(), kinds));
        assert!(known.is_none(), "an alert is there once");
    }
    assert_eq!(store.dead_letters(10).await.unwrap(), [], "nothing was given up");
    left
}

/// The states of alerts that were told, by id.
fn told(lines: &[String]) -> BTreeMap<String, Vec<Value>> {
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines {
        // The last line before a kill may be half a line.
        let Ok(alert) = serde_json::from_str::<Value>(line) else { continue };
        told.entry(alert["id"].as_str().unwrap().to_owned()).or_default().push(alert);
    }
    told
}

/// Posts records until they are accepted; `None` when the daemon went away first.
fn post(address: SocketAddr, records: &[String]) -> Option<()> {
    loop {
        let (status, answer) = request(address, "POST", "/v1/events", records.join("\n").as_bytes())?;
        match status {
            202 => {
                assert!(answer.contains(&format!("\"accepted\":{}", records.len())), "{answer}");
                return Some(());
            }
            429 => {}
            // It is going away.
            503 => return None,
            _ => panic!("{status}: {answer}"),
        }
    }
}

async fn uninterrupted(folder: &Path, config: &str, (first, events): (&[String], &[String])) -> Vec<String> {
    let daemon = Daemon::start(folder, config);
    let address = daemon.address();
    post(address, first).unwrap();
    for (place, event) in events.iter().enumerate() {
        if place % 2 == 0 { append(folder, event) } else { post(address, std::slice::from_ref(event)).unwrap() }
    }
    wait_until_all_is_told(folder).await;
    daemon.end()
}

async fn killed(
    folder: &Path,
    config: &str,
    (first, events): (&[String], &[String]),
    random: &mut StdRng,
) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut to_post, mut posted): (Vec<String>, Vec<String>) = (Vec::new(), first.to_vec());
    let daemon = Daemon::start(folder, config);
    post(daemon.address(), first).unwrap();
    daemon.kill().join().unwrap();
    lines.extend(daemon.remains());
    for (life, slice) in events.chunks(events.len().div_ceil(KILLS - 1)).enumerate() {
        let (for_the_file, for_http): (Vec<_>, Vec<_>) =
            slice.iter().cloned().partition(|event| event.contains(ONLY_IN_THE_FILE) || random.random_bool(0.5));
        for_the_file.iter().for_each(|event| append(folder, event));
        to_post.extend(for_http.iter().cloned());
        posted.extend(for_http);
        let daemon = Daemon::start(folder, config);
        // A fourth of the lives ends while it starts; now and then one lasts until it has kept a snapshot.
        if random.random_bool(0.25) {
            daemon.wait_for_lines(random.random_range(0..START_LINES));
            daemon.kill().join().unwrap();
            lines.extend(daemon.remains());
            continue;
        }
        let address = daemon.address();
        let mut posts_left = random.random_range(0..POSTS);
        let before = (life % 8 == 7).then(|| snapshot(folder));
        let mut killer = None;
        // Under load until it is dead: first what is new, then copies of what was sent before.
        loop {
            if posts_left == 0 && killer.is_none() && before.is_none_or(|before| before != snapshot(folder)) {
                killer = Some(daemon.kill());
            }
            let some = if to_post.is_empty() { posted.choose(random).cloned() } else { to_post.first().cloned() };
            let Some(()) = post(address, some.as_slice()) else { break };
            to_post = to_post.split_off(to_post.len().min(1));
            posts_left = posts_left.saturating_sub(1);
        }
        killer.expect("only a kill ends it").join().unwrap();
        lines.extend(daemon.remains());
    }
    let daemon = Daemon::start(folder, config);
    let address = daemon.address();
    if !to_post.is_empty() {
        post(address, &to_post).unwrap();
    }
    wait_until_all_is_told(folder).await;
    lines.extend(daemon.end());
    lines
}

/// When the daemon last kept its memory.
fn snapshot(folder: &Path) -> Option<SystemTime> {
    std::fs::metadata(folder.join("bedrock-watch.db.snapshot")).and_then(|about| about.modified()).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_doubled() {
    let seed = std::env::var("BEDROCK_WATCH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| Timestamp::now().as_nanosecond().unsigned_abs() as u64);
    println!("seed {seed}; repeat with BEDROCK_WATCH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let now = u32::try_from(Timestamp::now().as_second()).unwrap();
    let (first, mut events) = Events { now, made: 0 }.all();
    events.shuffle(&mut random);
    let (whole, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receivers = [pagers::start().await.unwrap(), pagers::start().await.unwrap()];
    let configs = receivers.each_ref().map(config);
    let told_whole = told(&uninterrupted(whole.path(), &configs[0], (&first, &events)).await);
    let told_crashed = told(&killed(crashed.path(), &configs[1], (&first, &events), &mut random).await);
    let (expected, found) = (left(whole.path()).await, left(crashed.path()).await);
    assert!(expected.len() >= 69, "{} alerts", expected.len());
    let ids = |left: &BTreeMap<String, (Value, Vec<ChangeKind>)>| left.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(ids(&found), ids(&expected));
    for (id, (alert, kinds)) in &expected {
        let (again, kinds_again) = &found[id];
        for (field, value) in alert.as_object().unwrap() {
            assert_eq!(again.get(field), Some(value), "{field} of {id}, {}", alert["rule"]);
        }
        for kinds in [kinds, kinds_again] {
            let fired = kinds.iter().filter(|kind| **kind == ChangeKind::Fired).count();
            assert_eq!((fired, kinds.first()), (1, Some(&ChangeKind::Fired)), "{id} fired once: {kinds:?}");
        }
        // What was told last is how it stands.
        for told in [&told_whole, &told_crashed] {
            let told = told.get(id).unwrap_or_else(|| panic!("{id} was never told"));
            assert_eq!(told.last().unwrap()["event_count"], alert["event_count"], "{id}");
        }
    }
    let firing = expected.values().filter(|(alert, _)| alert["status"] == json!(Status::Firing)).count();
    println!("{} alerts, {firing} of them firing; {KILLS} kills", expected.len());
    assert!(told_crashed.keys().all(|id| expected.contains_key(id)), "nothing else was told");
    let runs = [evidence(whole.path(), &ids(&expected)).await, evidence(crashed.path(), &ids(&expected)).await];
    assert_eq!(runs[0], 1);
    println!("{} runs in the evidence", runs[1]);
    let repeats = receivers.each_ref().map(|receiver| paged_and_posted(receiver, &ids(&expected), firing > 0));
    assert_eq!(repeats[0], 0, "nothing is a possible repeat where nothing was interrupted");
    println!("{} Slack messages marked as possible repeats", repeats[1]);
}

/// Checks that the evidence is whole, in its archive and beyond it, and says of every alert once that it began and to
/// every sink that it was told; returns how many runs it knows of.
async fn evidence(folder: &Path, expected: &BTreeSet<String>) -> usize {
    let store = SqliteStore::open(&folder.join("bedrock-watch.db")).unwrap();
    let archive = Folder::new(folder.join("evidence"));
    let always = Period { from: Timestamp::MIN, to: Timestamp::MAX };
    let (mut begun, mut told, mut runs) = (Vec::new(), BTreeMap::<String, BTreeSet<String>>::new(), 0);
    let mut take = |entry: Entry| match entry.fact {
        Fact::Started(_) => runs += 1,
        Fact::Alert(alert) if alert.turn == Turn::Begun => begun.push(alert.alert),
        Fact::Delivered(delivered) => drop(told.entry(delivered.sink).or_default().insert(delivered.alert)),
        _ => {}
    };
    let verdict = read(Some(&archive), Some(&store), always, &mut take).await.unwrap();
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    begun.sort();
    assert_eq!(begun, expected.iter().cloned().collect::<Vec<_>>(), "each alert began once");
    for sink in SINKS {
        assert_eq!(told.get(sink), Some(expected), "{sink}");
    }
    runs
}

/// Checks that PagerDuty and Slack heard of every alert, that Slack has one message of each and one of each incident,
/// but for those that say that they may be repeats, and that a page is open where something fires; returns how many
/// repeats there are.
fn paged_and_posted(receiver: &Receiver, expected: &BTreeSet<String>, is_firing: bool) -> usize {
    let (mut paged, mut open) = (BTreeSet::new(), BTreeSet::new());
    let (mut posted, mut incidents) = (BTreeMap::<String, Vec<bool>>::new(), BTreeMap::<String, Vec<bool>>::new());
    for request in receiver.requests() {
        let body = &request.body;
        let is_repeat = body.to_string().contains("ossible repeat");
        let about = &body["metadata"]["event_payload"];
        if request.path == PAGERDUTY {
            let key = body["dedup_key"].as_str().unwrap().to_owned();
            assert!(expected.contains(&key), "the key of a page is that of an alert");
            let alert = body["payload"]["custom_details"]["more"].as_str().and_then(|more| more.split(' ').next_back());
            paged.extend(alert.map(str::to_owned));
            let _changed = if body["event_action"] == "trigger" { open.insert(key) } else { open.remove(&key) };
        } else if let Some(incident) = about["incident"].as_str() {
            incidents.entry(incident.to_owned()).or_default().push(is_repeat);
        } else if let Some(ids) = about["alert_ids"].as_array() {
            assert!(body.get("thread_ts").is_some(), "an alert is in its incident's thread");
            for id in ids {
                posted.entry(id.as_str().unwrap().to_owned()).or_default().push(is_repeat);
            }
        }
    }
    assert_eq!(paged, *expected, "PagerDuty heard of every alert and of no other");
    assert_eq!(posted.keys().cloned().collect::<BTreeSet<_>>(), *expected, "and so did Slack");
    assert_eq!(!open.is_empty(), is_firing, "a page is open while something fires: {open:?}");
    for (id, messages) in posted.iter().chain(&incidents) {
        let certain = messages.iter().filter(|is_repeat| !**is_repeat).count();
        assert!(certain <= 1, "{id} has {} messages, {certain} of them without saying so", messages.len());
    }
    println!("{} messages of incidents, {} open pages", incidents.len(), open.len());
    posted.values().chain(incidents.values()).flatten().filter(|is_repeat| **is_repeat).count()
}
