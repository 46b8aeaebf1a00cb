//! What the HTTP server does beyond answering: keys and rights, web pages, rates, TLS, the stream, and its end.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::string_slice,
    reason = "a helper that fails fails its test"
)]

use std::{fs, time::Duration};

use bedrock_watch_engine::alert::{ChangeKind, Severity};
use bedrock_watch_service::{http::Tls, store::Store as _};
use bedrock_watch_tests::server::Server;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const OPEN: &str = "[http]\nlisten = \"127.0.0.1:0\"\n";
/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn wish() -> Value {
    let ends_at = Timestamp::now() + SignedDuration::from_hours(1);
    json!({ "ends_at": ends_at, "author": "ana", "reason": "change 42", "rule": "invocation-*" })
}

#[tokio::test]
async fn each_key_may_do_what_its_rights_say() {
    let key = |name: &str| {
        format!("[[api_key]]\nname = \"{name}\"\nkey = \"{name}-key-0123456789\"\nrights = [\"{name}\"]\n")
    };
    let keys = key("events") + &key("read") + &key("write");
    let server = Server::start(&format!("[http]\nlisten = \"0.0.0.0:0\"\n{keys}")).await;
    let by = json!({ "author": "ana", "reason": "x" }).to_string();
    let table = [
        ("get", "/healthz", "", [200; 4]),
        ("get", "/readyz", "", [200; 4]),
        ("get", "/", "", [401, 403, 200, 403]),
        ("get", "/metrics", "", [401, 403, 200, 403]),
        ("get", "/v1/alerts", "", [401, 403, 200, 403]),
        ("get", "/v1/silences", "", [401, 403, 200, 403]),
        ("get", "/v1/openapi.json", "", [401, 403, 200, 403]),
        ("post", "/v1/events", "{}", [401, 202, 403, 403]),
        ("post", "/v1/alerts/x/resolve", &by, [401, 403, 403, 404]),
        ("post", "/v1/silences", &wish().to_string(), [401, 403, 403, 201]),
        ("delete", "/v1/silences/x", "", [401, 403, 403, 404]),
        ("delete", "/v1/silences?id=x", "", [401, 403, 403, 404]),
        ("get", "/v1/nothing", "", [401, 403, 404, 403]),
    ];
    for (method, path, body, expected) in table {
        for (name, expected) in ["nobody", "events", "read", "write"].into_iter().zip(expected) {
            let key = format!("{name}-key-0123456789");
            for (header, value) in [("x-api-key", key.clone()), ("authorization", format!("Bearer {key}"))] {
                let request = server.request(method, path).header("content-type", "application/json");
                let status = request.header(header, value).body(body.to_owned()).send().await.unwrap().status();
                assert_eq!(status.as_u16(), expected, "{method} {path} with {name} in {header}");
            }
            // As a browser sends it, which may be made to ask for anything: it reads, or is nobody.
            let expected = if method == "get" { expected } else { 401 };
            let request = server.request(method, path).header("content-type", "application/json");
            let response = request.basic_auth("ana", Some(key)).body(body.to_owned()).send().await.unwrap();
            assert_eq!(response.status().as_u16(), expected, "{method} {path} with {name} as a password");
            let asks = response.headers().contains_key("www-authenticate");
            assert_eq!(asks, expected == 401 && path == "/", "{method} {path} with {name} as a password");
        }
    }
    server.end().await;
}

#[tokio::test]
async fn web_pages_may_change_nothing_on_this_machine() {
    let server = Server::start(OPEN).await;
    let check = async |method: &str, path: &str, (header, value): (&str, &str), expected: u16| {
        let json = ("content-type", "application/json");
        let mut request = server.request(method, path).body(wish().to_string()).header(header, value);
        if header != json.0 {
            request = request.header(json.0, json.1);
        }
        let status = request.send().await.unwrap().status().as_u16();
        assert_eq!(status, expected, "{method} {path} {header}: {value}");
    };
    let origin = ("origin", "https://evil.example");
    check("post", "/v1/events", origin, 403).await;
    check("post", "/v1/silences", origin, 403).await;
    check("delete", "/v1/silences/x", origin, 403).await;
    check("post", "/v1/alerts/x/resolve", origin, 403).await;
    check("post", "/v1/silences", ("origin", "http://127.0.0.1:1"), 403).await;
    check("post", "/v1/silences", ("origin", "null"), 403).await;
    check("post", "/v1/silences", ("origin", &format!("http://{}", server.address)), 201).await;
    check("post", "/v1/silences", ("host", "evil.example"), 403).await;
    check("get", "/v1/alerts", ("host", "evil.example"), 403).await;
    check("post", "/v1/silences", ("content-type", "text/plain"), 415).await;
    check("post", "/v1/silences", ("content-type", "application/json; charset=utf-8"), 201).await;
    check("get", "/v1/alerts", origin, 200).await;
    server.end().await;
}

#[tokio::test]
async fn a_client_that_asks_too_often_waits_and_others_do_not() {
    let key = |name: &str| format!("[[api_key]]\nname = \"{name}\"\nkey = \"{name}-key-0123456789\"\n");
    let config = format!("[http]\nlisten = \"0.0.0.0:0\"\nrequests_per_s = 2\n{}{}", key("one"), key("two"));
    let server = Server::start(&config).await;
    let ask = async |name: &str| {
        let request = server.request("get", "/v1/openapi.json").header("x-api-key", format!("{name}-key-0123456789"));
        let response = request.send().await.unwrap();
        let retry = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), retry)
    };
    let mut limited = (200, None);
    // How many pass depends on how quick this machine is; that some do not, does not.
    for _ in 0..200 {
        limited = ask("one").await;
        if limited.0 == 429 {
            break;
        }
    }
    assert_eq!(limited, (429, Some("1".to_owned())));
    assert_eq!(ask("two").await.0, 200);
    // Guessing keys is slowed down as well.
    let mut guessed = 401;
    for guess in 0..200 {
        guessed = ask(&guess.to_string()).await.0;
        if guessed == 429 {
            break;
        }
    }
    assert_eq!(guessed, 429);
    server.end().await;
}

#[tokio::test]
async fn serves_https_and_nothing_else_where_it_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert_file, cert.pem()).unwrap();
    fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let config = format!("{OPEN}tls_cert = \"{}\"\ntls_key = \"{}\"\n", cert_file.display(), key_file.display());
    let server = Server::start(&config).await;
    assert_eq!(server.ask("get", "/healthz", "").await.0, 200);
    assert_eq!(server.ask("post", "/v1/events", "{}").await.0, 202);
    let plain = reqwest::get(format!("http://{}/healthz", server.address)).await;
    assert!(plain.is_err(), "{plain:?}");
    // A certificate that nobody vouches for is refused by an ordinary client.
    let strict = reqwest::get(format!("https://{}/healthz", server.address)).await;
    assert!(strict.is_err(), "{strict:?}");
    server.end().await;

    let acceptor = |cert: &std::path::Path, key: &std::path::Path| {
        let config = bedrock_watch_service::config::TlsConfig { cert: cert.to_owned(), key: key.to_owned() };
        Tls::new(&config).map(drop).unwrap_err().to_string()
    };
    assert!(acceptor(&folder.path().join("missing.pem"), &key_file).contains("missing.pem for HTTPS"));
    assert!(acceptor(&key_file, &key_file).contains("no PEM certificate"));
    assert!(acceptor(&cert_file, &cert_file).contains("see `tls_key`"));
    let other = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("other.pem"), other.signing_key.serialize_pem()).unwrap();
    assert!(acceptor(&cert_file, &folder.path().join("other.pem")).contains("do not fit together"));
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let make = || generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    // Replaced as tools do it: another file takes the name.
    let replace = |path: &std::path::Path, text: &str| {
        fs::write(folder.path().join("next"), text).unwrap();
        fs::rename(folder.path().join("next"), path).unwrap();
    };
    let (old, new) = (make(), make());
    replace(&cert_file, &old.cert.pem());
    replace(&key_file, &old.signing_key.serialize_pem());
    let config = format!("{OPEN}tls_cert = \"{}\"\ntls_key = \"{}\"\n", cert_file.display(), key_file.display());
    let server = Server::start(&config).await;
    let tls = server.tls.clone().unwrap();
    // Whether somebody who trusts this certificate alone is served.
    let trusts = async |trusted: &CertifiedKey<rcgen::KeyPair>| {
        let root = reqwest::Certificate::from_pem(trusted.cert.pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).resolve("localhost", server.address);
        let url = format!("https://localhost:{}/healthz", server.address.port());
        client.build().unwrap().get(url).send().await.is_ok_and(|response| response.status() == 200)
    };
    assert_eq!((trusts(&old).await, trusts(&new).await), (true, false));
    assert!(!tls.refresh().unwrap(), "nothing has changed");

    // In the middle of the replacement the two do not fit together.
    replace(&cert_file, &new.cert.pem());
    assert!(tls.refresh().unwrap_err().to_string().contains("do not fit together"));
    assert!(!tls.refresh().unwrap(), "it is told once");
    assert_eq!((trusts(&old).await, trusts(&new).await), (true, false));
    replace(&key_file, &new.signing_key.serialize_pem());
    assert!(tls.refresh().unwrap());
    assert_eq!((trusts(&old).await, trusts(&new).await), (false, true));

    replace(&cert_file, "no certificate");
    assert!(tls.refresh().unwrap_err().to_string().contains("no PEM certificate"));
    fs::remove_file(&cert_file).unwrap();
    assert!(tls.refresh().unwrap_err().to_string().contains("cert.pem for HTTPS"));
    assert_eq!((trusts(&old).await, trusts(&new).await), (false, true));

    // And by itself.
    let stop = tokio_util::sync::CancellationToken::new();
    let keeping = tokio::spawn(tls.keep_fresh(Duration::from_millis(1), stop.clone()));
    replace(&cert_file, &old.cert.pem());
    replace(&key_file, &old.signing_key.serialize_pem());
    let used = async { while !trusts(&old).await {} };
    tokio::time::timeout(DEADLINE, used).await.expect("the new certificate is used");
    stop.cancel();
    keeping.await.unwrap();
    server.end().await;
}

/// Reads events until there are so many.
async fn events(response: &mut reqwest::Response, text: &mut String, wanted: usize) -> Vec<(String, String)> {
    loop {
        let complete = text.rfind("\n\n").map_or("", |end| &text[..end]);
        let fields = |block: &str, name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
        };
        let blocks = complete.split("\n\n").filter(|block| block.contains("event:"));
        let found: Vec<(String, String)> =
            blocks.map(|block| (fields(block, "event:"), fields(block, "id:"))).collect();
        if found.len() >= wanted {
            return found;
        }
        let chunk = tokio::time::timeout(DEADLINE, response.chunk()).await.expect("events in time").unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
    }
}

#[tokio::test]
async fn the_stream_tells_changes_and_what_was_missed() {
    let server = Server::start(OPEN).await;
    let mut first = server.request("get", "/v1/stream").send().await.unwrap();
    server.change("a1", ChangeKind::Fired, |_| {}).await;
    server.change("a1", ChangeKind::Updated, |alert| alert.severity = Severity::Critical).await;
    let mut text = String::new();
    let seen = events(&mut first, &mut text, 2).await;
    assert_eq!(seen.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["fired", "updated"]);
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let alert: Value = serde_json::from_str(data).unwrap();
    let listed: Value = serde_json::from_str(&server.ask("get", "/v1/alerts/a1", "").await.1).unwrap();
    assert_eq!(alert["id"], "a1");
    assert_eq!(
        alert.as_object().unwrap().keys().collect::<Vec<_>>(),
        listed["alert"].as_object().unwrap().keys().collect::<Vec<_>>()
    );

    // A resolution by hand is told too, and wakes the sinks.
    let by = json!({ "author": "ana", "reason": "x" }).to_string();
    assert_eq!(server.ask("post", "/v1/alerts/a1/resolve", &by).await.0, 200);
    tokio::time::timeout(DEADLINE, server.nudged.notified()).await.expect("the sinks are woken");
    assert_eq!(events(&mut first, &mut text, 3).await[2].0, "resolved");
    // Once more changes nothing, and nobody is told.
    assert_eq!(server.ask("post", "/v1/alerts/a1/resolve", &by).await.0, 200);
    server.change("a2", ChangeKind::Fired, |_| {}).await;
    assert_eq!(events(&mut first, &mut text, 4).await[3].0, "fired");

    let check = async |last: &str, expected: &[&str]| {
        let request = server.request("get", "/v1/stream").header("last-event-id", last);
        let mut again = request.send().await.unwrap();
        let seen = events(&mut again, &mut String::new(), expected.len()).await;
        assert_eq!(seen.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), expected, "{last}");
    };
    check(&seen[0].1, &["updated", "resolved", "fired"]).await;
    check(&seen[1].1, &["resolved", "fired"]).await;
    check("another-7", &["reset"]).await;
    check("rubbish", &["reset"]).await;
    // The streams end with the server, which would otherwise wait for them.
    tokio::time::timeout(DEADLINE, server.end()).await.expect("the server ends");
}

#[tokio::test]
async fn silences_reach_the_loop_at_once() {
    let server = Server::start(OPEN).await;
    let (status, made) = server.ask("post", "/v1/silences", &wish().to_string()).await;
    assert_eq!(status, 201, "{made}");
    let made: Value = serde_json::from_str(&made).unwrap();
    let current = server.silences.current();
    assert_eq!(current.iter().map(|silence| silence.id.as_str()).collect::<Vec<_>>(), [made["id"].as_str().unwrap()]);
    let (status, _) = server.ask("delete", &format!("/v1/silences?id={}", current[0].id), "").await;
    assert_eq!((status, server.silences.current().len()), (204, 0));
    // Ended, and still known for a while.
    assert_eq!(server.store.silences(Timestamp::now(), true).await.unwrap().len(), 1);
    server.end().await;
}

#[tokio::test]
async fn lists_page_by_page_and_by_filter() {
    let server = Server::start(OPEN).await;
    for number in 0..5 {
        server
            .change(&format!("a{number}"), ChangeKind::Fired, |alert| {
                alert.severity = if number < 2 { Severity::Low } else { Severity::Critical };
            })
            .await;
    }
    let list = async |query: &str| {
        let (status, text) = server.ask("get", &format!("/v1/alerts{query}"), "").await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let ids = |page: &Value| {
        page["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| alert["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (mut paged, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = list(&query).await;
        assert!(ids(&page).len() <= 2);
        paged.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&after={next}");
    }
    assert_eq!(paged, ids(&list("").await));
    assert_eq!(paged.len(), 5);
    assert_eq!(ids(&list("?severity=high").await).len(), 3);
    assert_eq!(ids(&list("?rule=nothing").await).len(), 0);
    assert_eq!(ids(&list("?status=resolved").await).len(), 0);
    let (_, metrics) = server.ask("get", "/metrics", "").await;
    for line in [
        "alerts_firing{severity=\"critical\"} 3",
        "sink_waiting_alerts{sink=\"slack\"} 5",
        "sink_told_total{sink=\"slack\"} 7",
        "ready 1",
    ] {
        assert!(metrics.contains(&format!("bedrock_watch_{line}\n")), "{line}: {metrics}");
    }
    server.end().await;
}

#[tokio::test]
async fn connections_have_a_limit_and_slow_ones_do_not_keep_the_end_away() {
    let server = Server::start(&format!("{OPEN}connections_max = 2\n")).await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        idle.push(stream);
    }
    // The third waits until one of them is gone.
    let mut third = Box::pin(server.ask("get", "/healthz", ""));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut third).await;
    assert!(early.is_err(), "{early:?}");
    idle.pop();
    assert_eq!(tokio::time::timeout(DEADLINE, third).await.expect("an answer").0, 200);
    tokio::time::timeout(DEADLINE, server.end()).await.expect("idle connections are closed");
}
