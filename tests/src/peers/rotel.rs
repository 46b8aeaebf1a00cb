//! A receiver of OTLP that nobody here wrote: rotel, which says on standard output what it is sent.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use super::{free_port, python::Venv};
use crate::repository::root;

/// How long it may take to listen.
const START: Duration = Duration::from_secs(60);
/// Prints where the real program is; the one among the environment's programs starts it as a child.
const WHERE: &str = "import rotel, pathlib; print(pathlib.Path(rotel.__file__).parent / 'rotel-agent')";

/// The environment of `tests/peers/telemetry.txt`.
///
/// # Errors
/// When it cannot be installed; the message says what is needed.
pub fn venv(scratch: &str) -> Result<Venv, String> {
    Venv::of(scratch, &root().join("tests/peers/telemetry.txt"))
}

/// A running rotel; it ends with this.
#[derive(Debug)]
pub struct Rotel {
    /// Where it takes gRPC.
    pub grpc: String,
    /// Where it takes protobuf over HTTP.
    pub http: String,
    child: Child,
    lines: Receiver<String>,
}

/// A span as rotel says it: what is behind the colon, by what is before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// 32 hexadecimal digits.
    pub trace: String,
    /// 16 hexadecimal digits.
    pub id: String,
    /// The same of its parent; empty for a root.
    pub parent: String,
    /// What it is called.
    pub name: String,
    /// `client`, `producer` and so on, in the receiver's words.
    pub kind: String,
    /// Its attributes, each as `name: Kind(value)`.
    pub attributes: Vec<String>,
    /// The spans it is linked to: trace and id.
    pub links: Vec<(String, String)>,
}

impl Rotel {
    /// Starts it; `shows` is `traces` or `metrics`.
    ///
    /// # Errors
    /// When it cannot be installed or does not listen.
    pub fn start(scratch: &str, shows: &str) -> Result<Self, String> {
        let text = |error: std::io::Error| format!("cannot start rotel: {error}");
        let python = venv(scratch)?.program("python");
        let found = Command::new(python).args(["-c", WHERE]).output().map_err(text)?;
        let program = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        let ports = [free_port().map_err(text)?, free_port().map_err(text)?];
        let [grpc, http] = ports.map(|port| format!("127.0.0.1:{port}"));
        let mut command = Command::new(program);
        command.args(["start", "--otlp-grpc-endpoint", &grpc, "--otlp-http-endpoint", &http]);
        command.args(["--exporter", "blackhole", "--debug-log", shows, "--debug-log-verbosity", "detailed"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(text)?;
        let stdout = child.stdout.take().ok_or("rotel has no standard output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.map_while(|line| sender.send(line).ok()).for_each(drop);
        });
        let rotel = Self { grpc: format!("http://{grpc}"), http: format!("http://{http}"), child, lines };
        let end = Instant::now() + START;
        while TcpStream::connect(&grpc).is_err() || TcpStream::connect(&http).is_err() {
            if Instant::now() > end {
                return Err(format!("rotel does not listen on {grpc} and {http}"));
            }
            std::thread::yield_now();
        }
        Ok(rotel)
    }

    /// Ends it in order, and gives back everything it said.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn end(mut self) -> Result<Vec<String>, String> {
        let text = |error: std::io::Error| format!("cannot end rotel: {error}");
        let kill = format!("kill -TERM {}", self.child.id());
        Command::new("sh").args(["-c", &kill]).status().map_err(text)?;
        self.child.wait().map_err(text)?;
        Ok(self.lines.iter().collect())
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        // Ending what has ended is no error worth telling.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The spans in what rotel said.
#[must_use]
pub fn spans(lines: &[String]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for line in lines.iter().map(|line| line.trim()) {
        if line.starts_with("Span #") {
            spans.push(Span::default());
        }
        let Some(span) = spans.last_mut() else { continue };
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim().to_owned();
        match name.trim() {
            "Trace ID" => span.trace = value,
            "Parent ID" => span.parent = value,
            "ID" => span.id = value,
            "Name" => span.name = value,
            "Kind" => span.kind = value,
            "-> Trace ID" => span.links.push((value, String::new())),
            "-> ID" => span.links.last_mut().into_iter().for_each(|link| link.1.clone_from(&value)),
            _ => span.attributes.extend(line.strip_prefix("-> ").map(str::to_owned)),
        }
    }
    spans
}
