//! The real program, for tests that start and end it: builds it, runs it, talks to it.
//!
//! Nothing here sleeps: waits are for a line or an end, with a deadline that only a failure reaches.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test; this is a library only so that several test files can share it"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        OnceLock,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use super::repository::root;

/// Longer than anything takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The binary, built if it is not up to date.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        // The whole workspace is selected so that dependencies have the features they were built with for the tests.
        let arguments = ["build", "--locked", "--workspace", "--bin", "bedrock-watch", "--message-format", "json"];
        build.current_dir(root()).args(arguments);
        let output = build.stderr(Stdio::inherit()).output().expect("cargo can be started");
        assert!(output.status.success(), "the program does not build");
        let messages = String::from_utf8_lossy(&output.stdout).into_owned();
        let executable = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let executable = executable.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
        executable.expect("cargo names the program it built")
    })
}

/// A daemon that runs.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// Lines on standard output.
    pub stdout: Receiver<String>,
    /// Lines on standard error.
    pub stderr: Receiver<String>,
}

impl Daemon {
    /// Starts `run` in `folder` with this configuration.
    #[must_use]
    pub fn start(folder: &Path, config: &str) -> Self {
        Self::start_with(folder, config, &[])
    }

    /// As [`Self::start`], with these variables in its environment.
    #[must_use]
    pub fn start_with(folder: &Path, config: &str, environment: &[(&str, String)]) -> Self {
        let file = folder.join("config.toml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(binary());
        command.current_dir(folder).env_remove("RUST_LOG").args(["run", "--config"]).arg(file);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, stdout, stderr }
    }

    /// Where it listens; waits until it does.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let line = self.wait_for("listening");
        let address = line.rsplit("address=").next().unwrap_or_default();
        address.trim().parse().unwrap_or_else(|_| panic!("no address in {line}"))
    }

    /// Waits for a line on standard error that holds `text`.
    #[must_use]
    pub fn wait_for(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.stderr.recv_timeout(DEADLINE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no `{text}` came ({error}); standard error was {seen:#?}"),
            }
        }
    }

    /// Waits until it has written so many lines to standard error, or listens.
    pub fn wait_for_lines(&self, lines: usize) {
        let some = self.stderr.iter().take(lines);
        // `for_each` would go on past the line that says that it listens.
        some.take_while(|line| !line.contains("listening")).for_each(drop);
    }

    /// `kill -9`, from a thread of its own, so that the caller can go on keeping it busy.
    #[must_use]
    pub fn kill(&self) -> std::thread::JoinHandle<()> {
        let kill = format!("kill -KILL {}", self.child.id());
        std::thread::spawn(move || {
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        })
    }

    /// What it wrote to standard output until it was killed.
    #[must_use]
    pub fn remains(mut self) -> Vec<String> {
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), None, "it ended by itself: {:?}", self.stderr.iter().collect::<Vec<_>>());
        self.stdout.iter().collect()
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Stands still from now on (SIGSTOP).
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Goes on (SIGCONT).
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it in order; returns what it wrote to standard output.
    #[must_use]
    pub fn end(mut self) -> Vec<String> {
        self.terminate();
        let status = self.wait();
        let said = self.stderr.iter().collect::<Vec<_>>();
        assert_eq!(status.code(), Some(0), "{said:?}");
        // Shown when the test fails.
        eprintln!("{}", said.join("\n"));
        self.stdout.iter().collect()
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

/// Sends a request on a connection of its own; returns status and body. `None` when the server is not there, or goes
/// away before it has answered.
#[must_use]
pub fn request(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
