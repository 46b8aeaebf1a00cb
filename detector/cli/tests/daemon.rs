//! `run`, `health` and `demo`: the daemon as its users meet it.

mod support;

use std::{fs, io::Write, process::Stdio};

use flate2::{Compression, write::GzEncoder};
use support::{Daemon, RULE, create_job, delete_group, noise, post, program, request, run, stderr, stdout};

#[test]
fn judges_what_is_posted_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), "");
    let address = daemon.address();
    let (status, answer) = post(address, &format!("{}\nrubbish\n{}\n", create_job(), noise(1)));
    assert_eq!(status, 202, "{answer}");
    assert!(answer.contains("{\"accepted\":2,\"rejected\":1}"), "{answer}");
    assert_eq!(post(address, &delete_group()).0, 202);
    let alert = daemon.alert();
    assert_eq!(alert["rule"], RULE);

    let get = |path: &str| request(address, "GET", path, "", b"");
    let (status, answer) = get("/v1/alerts");
    assert!(status == 200 && answer.contains(RULE) && answer.contains("\"next\":null"), "{answer}");
    let id = alert["id"].as_str().unwrap();
    assert!(get(&format!("/v1/alerts/{id}")).1.contains(&format!("{{\"id\":\"{id}\"")));
    assert_eq!(get("/v1/alerts/unknown").0, 404);
    assert!(get("/v1/state").1.contains("\"rejected\""));
    assert_eq!((get("/healthz").0, get("/readyz").0), (200, 200));
    let (_, metrics) = get("/metrics");
    for line in ["bedrock_watch_alerts_firing{severity=\"critical\"} 1", "bedrock_watch_input_unreadable_total 1"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let (_, page) = get("/");
    let strict = page.contains("default-src 'none'") && page.contains("script-src 'self'");
    assert!(strict && !page.contains("<script>") && !page.contains("http://"), "{page}");
    assert_eq!(get("/console/main.js").0, 200);
    daemon.end();
}

#[test]
fn accepts_every_form_and_refuses_what_is_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), "body_bytes_max = 20000\n");
    let address = daemon.address();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(format!("{{\"Records\":[{},{}]}}", create_job(), noise(1)).as_bytes()).unwrap();
    let (status, answer) = request(address, "POST", "/v1/events", "", &gzip.finish().unwrap());
    assert!(status == 202 && answer.contains("\"accepted\":2,\"rejected\":0"), "{answer}");
    let large = noise(1).repeat(20);
    assert_eq!(post(address, &large).0, 413);
    // Small, but a hundred times as large when it is decompressed.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..1_000 {
        gzip.write_all(noise(1).as_bytes()).unwrap();
    }
    assert_eq!(request(address, "POST", "/v1/events", "", &gzip.finish().unwrap()).0, 413);
    assert_eq!(request(address, "GET", "/v1/events", "", b"").0, 405);
    daemon.end();
}

#[test]
fn web_pages_cannot_use_a_daemon_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), "");
    let address = daemon.address();
    assert_eq!(request(address, "GET", "/v1/alerts", "host: evil.example\r\n", b"").0, 403);
    assert_eq!(request(address, "POST", "/v1/events", "origin: https://evil.example\r\n", b"{}").0, 403);
    assert_eq!(request(address, "GET", "/v1/alerts", "host: localhost:1\r\n", b"").0, 200);
    daemon.end();
}

#[test]
fn beyond_loopback_a_key_with_the_right_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[http]\nlisten = \"0.0.0.0:0\"\n\
                  [[api_key]]\nname = \"sender\"\nkey = \"${SENDER_KEY}\"\nrights = [\"events\"]\n\
                  [[api_key]]\nname = \"reader\"\nkey_file = \"reader.key\"\n";
    fs::write(folder.path().join("config.toml"), config).unwrap();
    fs::write(folder.path().join("reader.key"), "reader-key-0123456789\n").unwrap();
    let mut command = program(folder.path());
    command.args(["run", "--config", "config.toml"]).env("SENDER_KEY", "sender-key-0123456789");
    let mut daemon = Daemon::start(&mut command);
    let mut address = daemon.address();
    address.set_ip([127, 0, 0, 1].into());
    let check = |method: &str, path: &str, headers: &str, status: u16| {
        assert_eq!(request(address, method, path, headers, b"").0, status, "{method} {path} {headers}");
    };
    check("GET", "/healthz", "", 200);
    check("GET", "/readyz", "", 200);
    check("GET", "/v1/alerts", "", 401);
    check("GET", "/", "", 401);
    check("POST", "/v1/events", "", 401);
    check("POST", "/v1/events", "x-api-key: wrong-key-0123456789\r\n", 401);
    check("POST", "/v1/events", "x-api-key: reader-key-0123456789\r\n", 403);
    check("POST", "/v1/events", "x-api-key: sender-key-0123456789\r\n", 202);
    check("POST", "/v1/events", "authorization: Bearer sender-key-0123456789\r\n", 202);
    check("GET", "/v1/alerts", "authorization: Bearer reader-key-0123456789\r\n", 200);
    check("GET", "/v1/alerts", "x-api-key: sender-key-0123456789\r\n", 403);
    daemon.end();
}

#[test]
fn remembers_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), "");
    assert_eq!(post(daemon.address(), &create_job()).0, 202);
    daemon.end();
    let mut daemon = Daemon::configured(folder.path(), "");
    let address = daemon.address();
    assert_eq!(post(address, &delete_group()).0, 202);
    assert_eq!(daemon.alert()["rule"], RULE);
    daemon.end();
    // The alert is still there, and a copy of its event raises nothing.
    let mut daemon = Daemon::configured(folder.path(), "");
    let address = daemon.address();
    assert_eq!(request(address, "GET", "/v1/alerts", "", b"").1.matches("\"event_ids\"").count(), 1);
    assert_eq!(post(address, &delete_group()).0, 202);
    daemon.end();
    assert_eq!(daemon.stdout.iter().count(), 0);
}

#[test]
fn a_damaged_memory_or_one_in_use_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), "");
    daemon.address();
    let mut second = Daemon::configured(folder.path(), "");
    second.wait_for("is used by another bedrock-watch");
    assert_eq!(second.wait().code(), Some(1));
    daemon.end();
    let state = folder.path().join("bedrock-watch.db.snapshot");
    let mut bytes = fs::read(&state).unwrap();
    bytes.pop();
    fs::write(&state, bytes).unwrap();
    let mut daemon = Daemon::configured(folder.path(), "");
    daemon.wait_for("is damaged");
    assert_eq!(daemon.wait().code(), Some(1));
}

#[test]
fn a_record_from_the_future_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), "");
    let (_, answer) = post(daemon.address(), &create_job().replace("2026-11-20T", "2076-11-20T"));
    assert!(answer.contains("\"accepted\":0,\"rejected\":1"), "{answer}");
    daemon.wait_for("lies in the future");
    daemon.end();
}

#[test]
fn follows_a_file_and_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("trail.jsonl");
    let append = |line: &str| {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        writeln!(file, "{line}").unwrap();
    };
    append(&create_job());
    let source = "[[source]]\nkind = \"file\"\npath = \"trail.jsonl\"\nfrom_start = true\npoll_ms = 10\n";
    let mut daemon = Daemon::configured(folder.path(), source);
    let address = daemon.address();
    while !request(address, "GET", "/metrics", "", b"").1.contains("bedrock_watch_records_total 1\n") {}
    daemon.end();
    append(&delete_group());
    let mut daemon = Daemon::configured(folder.path(), source);
    assert_eq!(daemon.alert()["rule"], RULE);
    daemon.end();
}

#[test]
fn ends_with_standard_input_where_there_is_no_other_source() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, "[http]\nenabled = false\n[[source]]\nkind = \"stdin\"\n").unwrap();
    let mut command = program(folder.path());
    let mut daemon = Daemon::start(command.args(["run", "--config", "config.toml"]).stdin(Stdio::piped()));
    let mut stdin = daemon.stdin();
    write!(stdin, "{}\n{}\n", create_job(), delete_group()).unwrap();
    stdin.flush().unwrap();
    // It comes while standard input is still open.
    assert_eq!(daemon.alert()["rule"], RULE);
    drop(stdin);
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn sigterm_ends_it_though_standard_input_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    fs::write(folder.path().join("c.toml"), "[http]\nenabled = false\n[[source]]\nkind = \"stdin\"\n").unwrap();
    let mut daemon = Daemon::start(command.args(["run", "--config", "c.toml"]).stdin(Stdio::piped()));
    let stdin = daemon.stdin();
    daemon.wait_for("reading standard input");
    daemon.end();
    drop(stdin);
}

#[test]
fn health_asks_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), "");
    let address = daemon.address().to_string();
    let output = run(folder.path(), &["health", "--address", &address]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    daemon.end();
}

#[test]
fn a_port_that_is_taken_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!("[http]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    fs::write(folder.path().join("config.toml"), config).unwrap();
    let output = run(folder.path(), &["run", "--config", "config.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("choose another `listen`"), "{}", stderr(&output));
}

#[test]
fn the_demo_shows_every_expected_alert() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["demo", "--exit", "--pace", "0", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("every expected one among them"), "{}", stderr(&output));
    assert!(stdout(&output).lines().any(|line| line.contains(RULE)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn the_demo_stays_until_it_is_told_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(program(folder.path()).args(["demo", "--pace", "0"]));
    daemon.wait_for("The daemon stays");
    daemon.end();
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), "");
    let address = daemon.address();
    // A request that never ends keeps the daemon within its grace.
    let mut stuck = std::net::TcpStream::connect(address).unwrap();
    write!(stuck, "POST /v1/events HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\n\r\nhalf").unwrap();
    assert_eq!(request(address, "GET", "/healthz", "", b"").0, 200);
    daemon.terminate();
    daemon.wait_for("shutting down");
    daemon.terminate();
    assert_eq!(daemon.wait().code(), Some(1));
}
