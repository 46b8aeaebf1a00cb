//! Model invocation logs, as users meet them: every form is understood, and no prompt is found anywhere afterwards.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails fails its test")]

mod support;

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use support::{Daemon, create_job, post, request, run, run_with_input, stderr, stdout};

const SAMPLE: &str = include_str!("../../../rules/events/bedrock/ModelInvocationLog.json");
const CANARY: &str = "the-canary-sings";

/// A call of 30 dollars, on one line, with a canary wherever content may stand.
fn log(second: u32) -> String {
    let mut record: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
    record["timestamp"] = format!("2026-11-20T10:00:{second:02}Z").into();
    record["requestId"] = format!("1219f5ca-c9b8-5f5d-b7e2-b700066ff7{second:02}").into();
    record["modelId"] = "anthropic.claude-3-haiku-20240307-v1:0".into();
    record["input"]["inputTokenCount"] = 120_000_000.into();
    record["input"]["inputBodyJson"]["messages"][0]["content"][0]["text"] = CANARY.into();
    record["input"]["inputBodyJson"]["eventName"] = CANARY.into();
    record["output"]["outputBodyJson"] = CANARY.into();
    record["requestMetadata"] = serde_json::json!({"note": CANARY});
    record.to_string()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A message of a CloudWatch Logs subscription.
fn subscription(records: &[String]) -> String {
    let events: Vec<_> = records.iter().map(|record| serde_json::json!({"id": "1", "message": record})).collect();
    serde_json::json!({"messageType": "DATA_MESSAGE", "logGroup": "/bedrock", "logEvents": events}).to_string()
}

/// An event of EventBridge around a record.
fn event(record: &str) -> String {
    format!(
        r#"{{"version":"0","id":"e","detail-type":"Log","source":"custom","account":"1","time":"2026-11-20T10:00:00Z","region":"us-east-1","resources":[],"detail":{record}}}"#
    )
}

#[test]
fn every_form_is_the_same_log() {
    let logs: Vec<String> = (0..4).map(log).collect();
    let pretty = |record: &String| {
        let value: serde_json::Value = serde_json::from_str(record).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    let forms: [(&str, Vec<u8>); 6] = [
        ("JSON Lines", logs.join("\n").into_bytes()),
        ("gzip, as in S3", gzip(&logs.join("\n"))),
        ("subscription", subscription(&logs).into_bytes()),
        ("subscription, gzip", gzip(&subscription(&logs))),
        ("events", logs.iter().map(|record| event(record)).collect::<Vec<_>>().join("\n").into_bytes()),
        ("pretty-printed", logs.iter().map(pretty).collect::<Vec<_>>().join("\n").into_bytes()),
    ];
    let mut said = Vec::new();
    for (form, bytes) in forms {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("input"), bytes).unwrap();
        for more in [&["input"][..], &["input", "input"], &["--sort", "input"]] {
            let output = run(folder.path(), &[&["replay", "--final", "--format", "json"], more].concat());
            assert_eq!(output.status.code(), Some(0), "{form}: {}", stderr(&output));
            assert!(!stdout(&output).contains(CANARY) && !stderr(&output).contains(CANARY), "{form}");
            said.push(stdout(&output));
        }
    }
    let burst = said[0].lines().find(|line| line.contains("\"rule\":\"cost-burst\"")).expect("an alert about cost");
    let alert: serde_json::Value = serde_json::from_str(burst).unwrap();
    assert_eq!(alert["facts"]["estimated_usd"], 120.0, "{alert}");
    assert_eq!(alert["event_count"], 4);
    assert_eq!(alert["event_ids"][0], "1219f5ca-c9b8-5f5d-b7e2-b700066ff700");
    said.dedup();
    assert_eq!(said.len(), 1, "{said:#?}");
}

#[test]
fn records_that_cannot_be_read_are_rejected_without_a_word_of_them() {
    let whole = log(0);
    let broken = [
        whole.replace("\"timestamp\":\"2026-11-20T10:00:00Z\"", &format!("\"timestamp\":\"{CANARY}\"")),
        whole.replace("120000000", &format!("\"{CANARY}\"")),
        whole.replace("\"region\":\"us-east-1\"", &format!("\"region\":[\"{CANARY}\"]")),
        // Cut short.
        whole.get(..whole.len() - 30).unwrap().to_owned(),
    ];
    let folder = tempfile::tempdir().unwrap();
    for text in broken {
        assert!(text.contains(CANARY) && text != whole);
        let output = run_with_input(folder.path(), &["replay", "-"], text.as_bytes());
        assert!(stderr(&output).contains("1 rejected"), "{}", stderr(&output));
        assert!(!stdout(&output).contains(CANARY) && !stderr(&output).contains(CANARY), "{}", stderr(&output));
    }
}

#[test]
fn nothing_that_was_asked_or_answered_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), "");
    let address = daemon.address();
    let logs: Vec<String> = (0..8).map(log).collect();
    assert_eq!(post(address, &logs.join("\n")).0, 202);
    assert_eq!(request(address, "POST", "/v1/events", "", &gzip(&subscription(&logs))).0, 202);
    let cut = logs[0].get(..logs[0].len() - 30).unwrap();
    assert_eq!(post(address, &format!("{}\n{cut}\n", logs[0].replace("120000000", "\"many\""))).0, 202);
    let alert = daemon.alert();
    assert!(!alert.to_string().contains(CANARY));
    for path in ["/v1/alerts", "/v1/state", "/metrics", "/"] {
        assert!(!request(address, "GET", path, "", b"").1.contains(CANARY), "{path}");
    }
    assert_nowhere(folder.path());
    assert!(holds(folder.path(), "ModelInvocationLog"), "what is searched is where records are kept");
    // The snapshot, too, and what the journal holds before it.
    assert_eq!(post(address, &create_job()).0, 202);
    daemon.end();
    assert_nowhere(folder.path());
    assert!(daemon.stderr.iter().chain(daemon.stdout.iter()).all(|line| !line.contains(CANARY)));
}

/// Whether a file in `folder` holds `text`.
fn holds(folder: &Path, text: &str) -> bool {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.map(|path| fs::read(path).unwrap()).any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
}

/// No file below `folder` holds the canary.
fn assert_nowhere(folder: &Path) {
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere(&path);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", path.display());
        files += 1;
    }
    assert!(files > 0, "nothing was looked at in {}", folder.display());
}
