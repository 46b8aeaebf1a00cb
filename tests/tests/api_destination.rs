//! EventBridge's API destination as the HTTP source sees it: one request for each event, byte for byte as EventBridge
//! sends it, and the alert that follows.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of it is a test, its helpers too"
)]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use bedrock_watch_engine::Second;
use bedrock_watch_tests::program::{DEADLINE, Daemon};
use jiff::Timestamp;
use serde_json::{Value, json};

const LOGGING: &str = include_str!("../../rules/events/bedrock/DeleteModelInvocationLoggingConfiguration.json");
const KEY: &str = "of-eventbridge-0123456789";
const ANOTHER_KEY: &str = "of-a-reader-0123456789";

/// A server beyond loopback, which needs keys: one for events, one for reading.
fn config() -> String {
    let key = |name: &str, key: &str, right: &str| {
        format!("[[api_key]]\nname = \"{name}\"\nkey = \"{key}\"\nrights = [\"{right}\"]\n")
    };
    format!(
        "[http]\nlisten = \"0.0.0.0:0\"\n{}{}[[sink]]\nkind = \"stdout\"\nformat = \"json\"\n",
        key("eventbridge", KEY, "events"),
        key("reader", ANOTHER_KEY, "read"),
    )
}

/// The envelope in which EventBridge wraps a record of CloudTrail. Each account has an alert of its own.
fn envelope(account: &str) -> Value {
    let mut detail: Value = serde_json::from_str(&LOGGING.replace("111122223333", account)).unwrap();
    let time = Second::from_unix(Timestamp::now().as_second()).unwrap().to_rfc3339();
    detail["eventTime"] = time.clone().into();
    detail["eventID"] = format!("{account}-0000-4000-8000-000000000000").into();
    json!({
        "version": "0",
        "id": format!("{account}-1111-4000-8000-000000000000"),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.bedrock",
        "account": account,
        "time": time,
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    })
}

/// Sends an event with this header, which the connection of the API destination adds; returns status and body.
fn invoke(address: SocketAddr, (name, value): (&str, &str), event: &Value) -> (u16, String) {
    let body = event.to_string();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: watch.example.com\r\nUser-Agent: Amazon/EventBridge/ApiDestinations\r\n\
         Content-Type: application/json; charset=utf-8\r\nRange: bytes=0-1048575\r\nAccept-Encoding: gzip,deflate\r\n\
         {name}: {value}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len(),
    );
    let mut stream = TcpStream::connect(("127.0.0.1", address.port())).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered in plain text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn what_an_api_destination_sends_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), &config());
    let address = daemon.address();
    let check = |account: &str, name: &str, value: &str, expected: u16| {
        let (status, said) = invoke(address, (name, value), &envelope(account));
        assert_eq!(status, expected, "{name} {account}: {said}");
        if expected != 202 {
            return;
        }
        let counted: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(counted, json!({ "accepted": 1, "rejected": 0 }), "{name} {account}");
        let alert = daemon.stdout.recv_timeout(DEADLINE).expect("an alert");
        let alert: Value = serde_json::from_str(&alert).unwrap();
        assert_eq!((&alert["rule"], &alert["account"]), (&json!("invocation-logging-disabled"), &json!(account)));
    };
    // What was refused changed nothing: the next account's alert is the next.
    check("210000000001", "x-api-key", "not-the-key-0123456789", 401);
    check("210000000001", "x-api-key", ANOTHER_KEY, 403);
    check("210000000002", "x-api-key", KEY, 202);
    check("210000000003", "Authorization", KEY, 202);
    check("210000000004", "Authorization", &format!("Bearer {KEY}"), 202);
    // EventBridge delivers at least once.
    let (status, said) = invoke(address, ("x-api-key", KEY), &envelope("210000000002"));
    assert_eq!(status, 202, "{said}");
    assert_eq!(daemon.end(), Vec::<String>::new(), "an event that came twice is judged once");
}
