//! What the tests of the command line share: starting the program, talking to it, and records to give it.
//!
//! Nothing here sleeps: every wait is for a line or an end, with a deadline that only a failure reaches.

#![expect(dead_code, reason = "each test file uses some of it")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

const CREATE_JOB: &str = include_str!("../../../../rules/events/bedrock/CreateModelCustomizationJob.json");
const DELETE_GROUP: &str = include_str!("../../../../rules/events/ec2/DeleteSecurityGroup.json");
/// The rule that finds the two together.
pub(crate) const RULE: &str = "customization-job-security-group-deleted";

/// The program, in `folder`.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedrock-watch"));
    command.current_dir(folder).env_remove("RUST_LOG").env_remove("BEDROCK_WATCH_CONFIG").stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    program(folder).args(arguments).output().unwrap()
}

/// Runs the program to its end with something on standard input.
pub(crate) fn run_with_input(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = program(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A program that ends early closes its end, which is no failure of the test.
    drop(writer.join().unwrap());
    output
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// One line of JSON: a sample record at another time and with another id.
fn record(sample: &str, time: &str, id: &str) -> String {
    let mut record: serde_json::Value = serde_json::from_str(sample).unwrap();
    record["eventTime"] = time.into();
    record["eventID"] = id.into();
    record.to_string()
}

/// A customization job is created.
pub(crate) fn create_job() -> String {
    record(CREATE_JOB, "2026-11-20T10:00:00Z", "00000000-0000-4000-8000-000000000001")
}

/// The job's security group is deleted ten minutes later.
pub(crate) fn delete_group() -> String {
    record(DELETE_GROUP, "2026-11-20T10:10:00Z", "00000000-0000-4000-8000-000000000002")
}

/// A record of no interest, `minute` minutes after the creation.
pub(crate) fn noise(minute: u32) -> String {
    let time = format!("2026-11-20T10:{minute:02}:30Z");
    record(DELETE_GROUP, &time, &format!("00000000-0000-4000-8000-1{minute:011}"))
        .replace("DeleteSecurityGroup", "DescribeSecurityGroups")
}

/// A daemon that runs.
pub(crate) struct Daemon {
    child: Child,
    /// Lines on standard output.
    pub(crate) stdout: Receiver<String>,
    /// Lines on standard error.
    pub(crate) stderr: Receiver<String>,
}

impl Daemon {
    /// Starts `command`.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, stdout, stderr }
    }

    /// Starts `run` with a configuration that takes any free port; `more` is added to it.
    pub(crate) fn configured(folder: &Path, more: &str) -> Self {
        let config = folder.join("config.toml");
        std::fs::write(&config, format!("[http]\nlisten = \"127.0.0.1:0\"\n{more}")).unwrap();
        Self::start(program(folder).args(["run", "--config"]).arg(config))
    }

    /// Waits for a line on standard error that holds `text`.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.stderr.recv_timeout(DEADLINE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no `{text}` came ({error}); standard error was {seen:#?}"),
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.wait_for("listening");
        let address = line.rsplit("address=").next().unwrap();
        address.trim().parse().unwrap_or_else(|_| panic!("no address in {line}"))
    }

    /// The next line on standard output, as JSON.
    pub(crate) fn alert(&self) -> serde_json::Value {
        let line = self.stdout.recv_timeout(DEADLINE).expect("an alert");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let killed = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().unwrap();
        assert!(killed.success());
    }

    /// Closes standard input, if it was piped.
    pub(crate) fn stdin(&mut self) -> std::process::ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it in order.
    pub(crate) fn end(&mut self) {
        self.terminate();
        assert_eq!(self.wait().code(), Some(0), "{:?}", self.stderr.iter().collect::<Vec<_>>());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Only for tests that failed; ending what has ended is no error worth telling.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Sends a request as it is, and returns status and everything after the status line.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let host = if headers.to_lowercase().contains("host:") { String::new() } else { format!("host: {address}\r\n") };
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A server that refuses early may close before it has read everything.
    drop(stream.write_all(body));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer}")).parse().unwrap();
    (status, answer)
}

/// Posts records.
pub(crate) fn post(address: SocketAddr, body: &str) -> (u16, String) {
    request(address, "POST", "/v1/events", "", body.as_bytes())
}
