//! Programs one might use instead, where they are installed; one that is missing is said to be.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use bedrock_watch_load_tests::measure::cpu_of_children;

/// What a program needed, and what it found.
#[derive(Debug)]
pub(super) struct Ran {
    /// CPU time, of all its threads.
    pub(super) cpu: Duration,
    /// Lines it wrote.
    pub(super) lines: usize,
}

/// Invocations, as jq selects them.
pub(super) const JQ_FILTER: &str = r#"select(.detail.eventSource == "bedrock.amazonaws.com" and (.detail.eventName | startswith("InvokeModel") or startswith("Converse"))) | .detail.eventID"#;

/// Runs jq; nothing when it is not installed.
pub(super) fn jq(file: &Path) -> anyhow::Result<Option<Ran>> {
    run(Command::new("jq").args(["-c", JQ_FILTER]).arg(file))
}

/// Runs rsigma's command with the rules in a folder; nothing when it is not installed.
pub(super) fn rsigma(file: &Path, rules: &Path) -> anyhow::Result<Option<Ran>> {
    let event = format!("@{}", file.display());
    run(Command::new("rsigma").args(["engine", "eval", "-r"]).arg(rules).args(["-e", &event]))
}

fn run(command: &mut Command) -> anyhow::Result<Option<Ran>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let before = cpu_of_children()?;
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null()).spawn();
    let Ok(mut child) = child else { return Ok(None) };
    let mut out = Vec::new();
    child.stdout.take().context("no output")?.read_to_end(&mut out)?;
    let status = child.wait()?;
    ensure!(status.success(), "{name} ended with {status}");
    let cpu = cpu_of_children()?.saturating_sub(before);
    Ok(Some(Ran { cpu, lines: memchr::memchr_iter(b'\n', &out).count() }))
}
