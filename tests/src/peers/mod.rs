//! Programs of other people that check what is sent, and what people are told to run: installed on first use, pinned, below the build's folder.
//!
//! A test that needs one fails with a hint when it cannot be installed; it is never left out. A machine must have Python
//! 3 with `venv`; Node comes as a Python package.

mod install;
pub mod node;
pub mod python;
pub mod rotel;

use std::{
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdout, Command as AsyncCommand},
    time::timeout,
};

use self::{node::Packages, python::Venv};
use crate::repository::root;

/// How long a peer may take to start listening.
const START: Duration = Duration::from_secs(120);
/// How long a script may run.
const SCRIPT: Duration = Duration::from_secs(120);

/// The environment of `tests/peers/requirements.txt`, which checks sinks. `scratch` is the build's folder for test files.
fn venv(scratch: &str) -> Result<Venv, String> {
    Venv::of(scratch, &root().join("tests/peers/requirements.txt"))
}

/// The Python that has what `tests/peers/requirements.txt` names.
///
/// # Errors
/// When it cannot be installed; the message says what is needed.
pub fn python(scratch: &str) -> Result<PathBuf, String> {
    Ok(venv(scratch)?.program("python"))
}

/// The Python that has what `tests/peers/aws.txt` names: the AWS CLI and a parser of SQL.
///
/// # Errors
/// When it cannot be installed; the message says what is needed.
pub fn aws_python(scratch: &str) -> Result<PathBuf, String> {
    Ok(Venv::of(scratch, &root().join("tests/peers/aws.txt"))?.program("python"))
}

/// Runs a script of `tests/peers` with this input, and gives back what it printed.
///
/// # Errors
/// When it cannot be run, fails, or takes too long.
pub async fn script(python: &Path, name: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let text = |error: io::Error| format!("{name}: {error}");
    let mut command = AsyncCommand::new(python);
    command.arg(root().join("tests/peers").join(name)).args(arguments).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(text)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.map_err(text)?;
    }
    let output = timeout(SCRIPT, child.wait_with_output()).await;
    let output = output.map_err(|_| format!("{name} took longer than {} s", SCRIPT.as_secs()))?.map_err(text)?;
    if !output.status.success() {
        return Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The Slack of `emulate`, on a free port; it ends with this.
#[derive(Debug)]
pub struct Slack {
    /// Where it listens.
    pub url: String,
    _child: Child,
    /// Kept open, so that what it writes later finds a reader.
    _stdout: BufReader<ChildStdout>,
}

/// Starts the Slack of `emulate`.
///
/// # Errors
/// When it cannot be installed or does not start.
pub async fn slack(scratch: &str) -> Result<Slack, String> {
    let text = |error: io::Error| format!("cannot start the Slack of emulate: {error}");
    let packages = Packages::of(scratch, &venv(scratch)?, "sinks", &root().join("tests/peers"))?;
    let port = free_port().map_err(text)?;
    let mut command = packages.command("emulate").map_err(text)?;
    command.args(["start", "--service", "slack", "--port", &port.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(text)?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or("emulate has no standard output")?);
    // It lists its services once they listen.
    timeout(START, line_with("emulate", &mut stdout, &format!("localhost:{port}")))
        .await
        .map_err(|_| format!("emulate does not listen after {} s", START.as_secs()))??;
    Ok(Slack { url: format!("http://127.0.0.1:{port}"), _child: child, _stdout: stdout })
}

/// Waits for a line of the program `name` that holds `text`, and gives it back.
pub(crate) async fn line_with(name: &str, stdout: &mut BufReader<ChildStdout>, text: &str) -> Result<String, String> {
    let mut said = String::new();
    loop {
        let start = said.len();
        let read = stdout.read_line(&mut said).await.map_err(|error| format!("cannot read from {name}: {error}"))?;
        if read == 0 {
            return Err(format!("{name} ended before it listened: {}", said.trim()));
        }
        if let Some(line) = said.get(start..).filter(|line| line.contains(text)) {
            return Ok(line.to_owned());
        }
    }
}

pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
