//! Programs of other people that check what sinks send: installed on first use, pinned, below the build's folder.
//!
//! A test that needs one fails with a hint when it cannot be installed; it is never left out.

use std::{
    fs::{self, File},
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    process::{Child, Command as AsyncCommand},
    time::{Instant, timeout},
};

use crate::repository::root;

/// How long a peer may take to start listening.
const START: Duration = Duration::from_secs(30);
/// How long a script may run.
const SCRIPT: Duration = Duration::from_secs(120);

/// The Python that has what `tests/peers/requirements.txt` names. `scratch` is the build's folder for test files.
///
/// # Errors
/// When it cannot be installed; the message says what is needed.
pub fn python(scratch: &str) -> Result<PathBuf, String> {
    let hint = "this test needs python3 with venv, and PyPI";
    let folder = installed(scratch, "python", &["requirements.txt"], hint, |folder| {
        run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
        run(Command::new(folder.join("venv/bin/python")).args(pip).current_dir(folder))
    })?;
    Ok(folder.join("venv/bin/python"))
}

/// A program of `tests/peers/package.json`.
///
/// # Errors
/// When it cannot be installed; the message says what is needed.
pub fn node(scratch: &str, program: &str) -> Result<PathBuf, String> {
    let hint = "this test needs node 20 with npm, and the npm registry";
    let folder = installed(scratch, "node", &["package.json", "package-lock.json"], hint, |folder| {
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
            .current_dir(folder))
    })?;
    Ok(folder.join("node_modules/.bin").join(program))
}

/// Installs once for each version of `files`; tests that run at the same time wait for each other.
fn installed(
    scratch: &str,
    what: &str,
    files: &[&str],
    hint: &str,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let text = |error: io::Error| format!("cannot install peers: {error}; {hint}");
    let from = root().join("tests/peers");
    let folder = Path::new(scratch).join("peers").join(what);
    fs::create_dir_all(&folder).map_err(text)?;
    let lock = File::create(folder.join("lock")).map_err(text)?;
    lock.lock().map_err(text)?;
    let wanted = files.iter().map(|file| fs::read_to_string(from.join(file))).collect::<io::Result<String>>();
    let wanted = wanted.map_err(text)?;
    let done = folder.join("installed");
    if fs::read_to_string(&done).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    for file in files {
        fs::copy(from.join(file), folder.join(file)).map_err(text)?;
    }
    install(&folder).map_err(|error| format!("{error}; {hint}"))?;
    fs::write(&done, wanted).map_err(text)?;
    Ok(folder)
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
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
}

/// Starts the Slack of `emulate`.
///
/// # Errors
/// When it cannot be installed or does not start.
pub async fn slack(scratch: &str) -> Result<Slack, String> {
    let program = node(scratch, "emulate")?;
    let port = free_port().map_err(|error| format!("there is no free port: {error}"))?;
    let mut command = AsyncCommand::new(&program);
    command.args(["start", "--service", "slack", "--port", &port.to_string()]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let end = Instant::now() + START;
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if Instant::now() > end {
            return Err(format!("emulate does not listen after {} s", START.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Slack { url: format!("http://127.0.0.1:{port}"), _child: child })
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
