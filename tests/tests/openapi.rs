//! `openapi.json` against the running server: every path and method in both, every answer as documented.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test"
)]

use std::collections::BTreeSet;

use bedrock_watch_engine::alert::ChangeKind;
use bedrock_watch_service::{
    http,
    store::{Settlement, Store as _},
};
use bedrock_watch_tests::server::Server;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const OPEN: &str = "[http]\nlisten = \"127.0.0.1:0\"\nbody_bytes_max = 2000\n";
const KEYS: &str =
    "[http]\nlisten = \"0.0.0.0:0\"\n[[api_key]]\nname = \"none\"\nkey = \"none-0123456789-none\"\nrights = []\n";
const SLOW: &str = "[http]\nlisten = \"127.0.0.1:0\"\nrequests_per_s = 1\n";

fn document() -> Value {
    serde_json::from_str(include_str!("../../detector/service/openapi.json")).unwrap()
}

/// Every documented operation.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone()))
    });
    operations.collect()
}

/// Follows a reference within the document.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect(reference),
        None => value,
    }
}

/// A schema that stands alone.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

struct Checked {
    document: Value,
    /// Operations and statuses that were seen.
    seen: BTreeSet<(String, String, String)>,
}

impl Checked {
    /// Sends a request and compares the answer with the documentation of `method` on `template`.
    async fn check(&mut self, server: &Server, (method, template): (&str, &str), path: &str, body: &str, status: u16) {
        let mut request = server.request(method, path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let what = format!("{method} {path} {}", body.chars().take(200).collect::<String>());
        let response = request.send().await.unwrap();
        let found = response.status().as_u16();
        let documented = &self.document["paths"][template][method]["responses"][found.to_string()];
        assert!(!documented.is_null(), "{what}: status {found} is not documented");
        let documented = resolved(&self.document, documented);
        for (header, definition) in documented["headers"].as_object().into_iter().flatten() {
            let is_there = response.headers().contains_key(header);
            assert!(is_there || definition["required"] != json!(true), "{what}: {header} is missing");
        }
        let media_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        if template == "/v1/stream" && found == 200 {
            assert_eq!(media_type.as_deref(), Some("text/event-stream"));
        } else {
            let text = response.text().await.unwrap();
            assert_eq!(found, status, "{what}: {text}");
            self.check_body(documented, media_type.as_deref(), &text, &what);
        }
        self.seen.insert((template.to_owned(), method.to_owned(), found.to_string()));
    }

    fn check_body(&self, documented: &Value, media_type: Option<&str>, text: &str, what: &str) {
        let Some(content) = documented["content"].as_object() else {
            assert_eq!(text, "", "{what} has no documented body");
            return;
        };
        let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default();
        let content = content.get(media_type).unwrap_or_else(|| panic!("{what}: `{media_type}` is not documented"));
        if media_type == "application/json" {
            let value: Value = serde_json::from_str(text).unwrap();
            let validator = validator(&self.document, &content["schema"]);
            let errors: Vec<String> =
                validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(errors.is_empty(), "{what}: {errors:#?}\n{text}");
        }
    }
}

#[test]
fn paths_and_methods_are_those_of_the_router() {
    let served = http::paths().into_iter().flat_map(|(path, methods)| {
        methods.iter().map(|method| (path.to_owned(), (*method).to_owned())).collect::<Vec<_>>()
    });
    assert_eq!(operations(&document()), served.collect());
}

#[tokio::test]
async fn the_server_takes_exactly_the_documented_methods() {
    let server = Server::start(OPEN).await;
    let operations = operations(&document());
    for path in operations.iter().map(|(path, _)| path).collect::<BTreeSet<_>>() {
        for method in ["get", "post", "put", "patch", "delete"] {
            let documented = operations.contains(&(path.clone(), method.to_owned()));
            let status = server.request(method, &path.replace("{id}", "x")).send().await.unwrap().status().as_u16();
            assert_eq!(status == 405, !documented, "{method} {path}: {status}");
        }
    }
    assert_eq!(server.ask("get", "/v1/nothing", "").await.0, 404);
    server.end().await;
}

/// Statuses that need a failing disk, a client that takes half a minute, or 64 watchers; others test them.
fn is_out_of_reach(path: &str, status: &str) -> bool {
    status == "408" || (status == "503" && !["/healthz", "/readyz", "/v1/events"].contains(&path))
}

#[tokio::test]
async fn answers_are_as_documented() {
    let document = document();
    let mut checked = Checked { document: document.clone(), seen: BTreeSet::new() };
    let server = Server::start(OPEN).await;
    fill(&server).await;
    works(&mut checked, &server).await;
    odd_requests(&mut checked, &server).await;
    refuses(&mut checked, &server).await;
    server.end().await;
    let server = Server::start(&format!("{OPEN}[[source]]\nkind = \"stdin\"\n")).await;
    checked.check(&server, ("post", "/v1/events"), "/v1/events", "{}", 404).await;
    server.end().await;
    for (config, key, status) in [(KEYS, "", 401), (KEYS, "none-0123456789-none", 403), (SLOW, "", 429)] {
        let server = Server::start(config).await;
        for (path, method) in operations(&document) {
            if document["paths"][&path][&method]["responses"][status.to_string()].is_null() {
                continue;
            }
            if status == 429 {
                // The one request a second that is allowed.
                server.ask("get", "/v1/openapi.json", "").await;
            }
            let request = server.request(&method, &path.replace("{id}", "x")).header("x-api-key", key);
            let request = if key.is_empty() { server.request(&method, &path.replace("{id}", "x")) } else { request };
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{method} {path}");
            assert_eq!(response.headers().contains_key("retry-after"), status == 429, "{method} {path}");
            let text = response.text().await.unwrap();
            let documented = resolved(&document, &document["paths"][&path][&method]["responses"][status.to_string()]);
            checked.check_body(documented, Some("application/json"), &text, &format!("{method} {path}"));
            checked.seen.insert((path, method, status.to_string()));
        }
        server.end().await;
    }
    let mut unseen = Vec::new();
    for (path, method) in operations(&document) {
        for status in document["paths"][&path][&method]["responses"].as_object().unwrap().keys() {
            let is_seen = checked.seen.contains(&(path.clone(), method.clone(), status.clone()));
            if !is_seen && !is_out_of_reach(&path, status) {
                unseen.push(format!("{method} {path} {status}"));
            }
        }
    }
    assert_eq!(unseen, Vec::<String>::new(), "documented answers that no request here got");
}

/// Alerts in every state, one of them with a dead letter.
async fn fill(server: &Server) {
    server.change("a1", ChangeKind::Fired, |_| {}).await;
    server.change("a2", ChangeKind::Fired, |alert| alert.region = None).await;
    server.change("a3", ChangeKind::Fired, |_| {}).await;
    let resolved = bedrock_watch_engine::alert::Status::Resolved;
    server.change("a3", ChangeKind::Resolved, |alert| alert.status = resolved).await;
    let now = Timestamp::now();
    let until = now + SignedDuration::from_secs(60);
    let claims = server.store.claim("slack", "test", now, until, 10).await.unwrap();
    assert!(!claims.is_empty());
    for claim in claims {
        let dead = Settlement::Dead { error: "404 no_service".to_owned() };
        assert!(server.store.settle(&claim, &dead, now).await.unwrap());
    }
}

async fn works(checked: &mut Checked, server: &Server) {
    for path in ["/", "/healthz", "/readyz", "/metrics", "/v1/state", "/v1/stream", "/v1/openapi.json"] {
        checked.check(server, ("get", path), path, "", 200).await;
    }
    for file in ["main.js", "base.css", "icon.svg"] {
        checked.check(server, ("get", "/console/{file}"), &format!("/console/{file}"), "", 200).await;
    }
    for query in ["", "?status=firing&severity=low&limit=1", "?rule=x&account=1&principal=p", "?status=withdrawn"] {
        checked.check(server, ("get", "/v1/alerts"), &format!("/v1/alerts{query}"), "", 200).await;
    }
    checked.check(server, ("post", "/v1/events"), "/v1/events", "{\"eventVersion\":\"1.08\"}\nrubbish", 202).await;
    for id in ["a1", "a2", "a3"] {
        checked.check(server, ("get", "/v1/alerts/{id}"), &format!("/v1/alerts/{id}"), "", 200).await;
    }
    for file in ["main.js", "base.css", "icon.svg"] {
        checked.check(server, ("get", "/console/{file}"), &format!("/console/{file}"), "", 200).await;
    }
    for query in ["", "?status=firing&severity=low&limit=1", "?status=resolved"] {
        checked.check(server, ("get", "/v1/incidents"), &format!("/v1/incidents{query}"), "", 200).await;
    }
    for id in ["i-a1", "i-a3", "a2"] {
        checked.check(server, ("get", "/v1/incidents/{id}"), &format!("/v1/incidents/{id}"), "", 200).await;
    }
    let by = "{\"author\":\"ana\",\"reason\":\"it was the pipeline\"}";
    let (resolve, silences) = (("post", "/v1/alerts/{id}/resolve"), "/v1/silences");
    checked.check(server, resolve, "/v1/alerts/a1/resolve", by, 200).await;
    checked.check(server, resolve, "/v1/alerts/a1/resolve", by, 200).await;
    checked.check(server, ("get", "/v1/alerts/{id}"), "/v1/alerts/a1", "", 200).await;
    let wish = json!({
        "ends_at": Timestamp::now() + SignedDuration::from_hours(1), "author": "ana", "reason": "change 42",
        "rule": "invocation-*", "severity_max": "high",
    });
    assert!(validator(&checked.document, &json!({ "$ref": "#/components/schemas/NewSilence" })).is_valid(&wish));
    checked.check(server, ("post", silences), silences, &wish.to_string(), 201).await;
    checked.check(server, ("post", silences), silences, &wish.to_string(), 201).await;
    checked.check(server, ("get", silences), silences, "", 200).await;
    let listed: Value = serde_json::from_str(&server.ask("get", silences, "").await.1).unwrap();
    let id = |position: usize| listed["silences"][position]["id"].as_str().unwrap().to_owned();
    checked.check(server, ("delete", silences), &format!("/v1/silences?id={}", id(0)), "", 204).await;
    checked.check(server, ("delete", "/v1/silences/{id}"), &format!("/v1/silences/{}", id(1)), "", 204).await;
    checked.check(server, ("get", silences), "/v1/silences?ended=true", "", 200).await;
}

/// What no ordinary client sends.
async fn odd_requests(checked: &mut Checked, server: &Server) {
    let host = server.address;
    let chunked =
        format!("POST /v1/events HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n");
    let mut id =
        format!("GET /v1/stream HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nlast-event-id: ").into_bytes();
    id.extend(b"\xff\r\n\r\n");
    for (method, path, request) in [("post", "/v1/events", chunked.as_bytes()), ("get", "/v1/stream", &id)] {
        let answer = server.raw(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{method} {path}: {answer}");
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let documented = resolved(&checked.document, &checked.document["paths"][path][method]["responses"]["400"]);
        checked.check_body(documented, Some("application/json"), body, path);
        checked.seen.insert((path.to_owned(), method.to_owned(), "400".to_owned()));
    }
}

async fn refuses(checked: &mut Checked, server: &Server) {
    for query in ["?status=open", "?severity=huge", "?limit=many", "?after=rubbish", "?bogus=1"] {
        checked.check(server, ("get", "/v1/alerts"), &format!("/v1/alerts{query}"), "", 400).await;
    }
    checked.check(server, ("get", "/v1/alerts/{id}"), "/v1/alerts/nobody", "", 404).await;
    checked.check(server, ("get", "/console/{file}"), "/console/index.html", "", 404).await;
    for query in ["?status=open", "?severity=huge", "?limit=many", "?bogus=1"] {
        checked.check(server, ("get", "/v1/incidents"), &format!("/v1/incidents{query}"), "", 400).await;
    }
    checked.check(server, ("get", "/v1/incidents/{id}"), "/v1/incidents/i-nobody", "", 404).await;
    let resolve = ("post", "/v1/alerts/{id}/resolve");
    let by = "{\"author\":\"ana\",\"reason\":\"x\"}";
    checked.check(server, resolve, "/v1/alerts/nobody/resolve", by, 404).await;
    let new_resolution = validator(&checked.document, &json!({ "$ref": "#/components/schemas/NewResolution" }));
    for body in ["[]", "{}", "{\"author\":\"\",\"reason\":\"x\"}", "{\"author\":\"a\",\"reason\":\"x\",\"more\":1}"] {
        assert!(!new_resolution.is_valid(&serde_json::from_str(body).unwrap()), "{body}");
        checked.check(server, resolve, "/v1/alerts/a2/resolve", body, 400).await;
    }
    let silences = "/v1/silences";
    for body in
        ["{}", "rubbish", "{\"ends_at\":\"2026-11-22T00:00:00Z\",\"author\":\"a\",\"reason\":\"b\",\"rule\":\"*\"}"]
    {
        checked.check(server, ("post", silences), silences, body, 400).await;
    }
    checked.check(server, ("get", silences), "/v1/silences?ended=perhaps", "", 400).await;
    checked.check(server, ("delete", silences), silences, "", 400).await;
    checked.check(server, ("delete", silences), "/v1/silences?id=s-0", "", 404).await;
    checked.check(server, ("delete", "/v1/silences/{id}"), "/v1/silences/s-0", "", 404).await;
    let large = format!("\"{}\"", "x".repeat(70_000));
    for (operation, path) in [(("post", silences), silences), (resolve, "/v1/alerts/a2/resolve")] {
        checked.check(server, operation, path, &large, 413).await;
        checked.check(server, operation, path, "", 415).await;
    }
    checked.check(server, ("post", "/v1/events"), "/v1/events", &large, 413).await;
    server.status.set("sink slack", "it is down");
    checked.check(server, ("get", "/readyz"), "/readyz", "", 503).await;
    server.stop_loop.cancel();
    while server.ask("get", "/healthz", "").await.0 == 200 {}
    checked.check(server, ("get", "/healthz"), "/healthz", "", 503).await;
    checked.check(server, ("post", "/v1/events"), "/v1/events", "{}", 503).await;
}
