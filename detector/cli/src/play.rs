//! The recording of `demo`, and how it is played: in steps a person can follow, quickly where nothing happens.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bedrock_watch_engine::{Second, decode::decode};
use tokio_util::sync::CancellationToken;

use crate::{terminal, web};

/// One afternoon in an invented account, and an attack in it; `demo/make_recording.py` wrote it.
const RECORDING: &str = include_str!("../demo/afternoon.jsonl");
/// The alerts it must cause.
const EXPECTED: &str = include_str!("../demo/expected.json");

/// Records posted at once between the moments of the story.
const STEP_RECORDS: usize = 40;
/// This share of the pace is for reading the story, in percent; the rest is for the records.
const STORY_PERCENT: u32 = 70;

/// The moments of the story: from when on, and what is told.
const STORY: &[(&str, &str)] = &[
    ("13:00:00", "an ordinary afternoon: an application, a pipeline, Terraform and a scanner at work"),
    ("13:20:00", "a data scientist starts a customization job inside a VPC"),
    ("14:20:00", "Terraform replaces a rule of an unrelated security group; nothing to tell"),
    ("14:55:12", "an intruder tries to delete the job's security group, and is refused"),
    ("15:05:17", "ten minutes later the deletion succeeds, while the job is running"),
    ("15:10:04", "the intruder switches invocation logging off"),
    ("15:14:00", "a stolen long-term key finds out what it may invoke"),
    ("15:20:00", "it enables models for itself, and uses one"),
    ("15:24:00", "it goes through the models nobody here has used"),
    ("15:36:00", "and through the regions"),
    ("15:52:00", "then somebody sells what it can do: 260 calls in two minutes"),
    ("16:03:10", "a responder deactivates the key and restores logging"),
];

/// An alert that must come.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Expected {
    rule: String,
    subject: String,
}

/// Plays the recording into the daemon on `address`, in about `pace`; stops early when `stop` is cancelled.
pub(crate) fn play(address: SocketAddr, pace: Duration, stop: &CancellationToken) -> anyhow::Result<()> {
    let lines: Vec<&str> = RECORDING.lines().filter(|line| !line.is_empty()).collect();
    let mut story = STORY.iter().peekable();
    let told = u32::try_from(STORY.len()).unwrap_or(u32::MAX);
    let steps = u32::try_from(lines.len().div_ceil(STEP_RECORDS)).unwrap_or(u32::MAX);
    let pause = pace.saturating_mul(STORY_PERCENT) / 100 / told.max(1);
    let step = pace.saturating_mul(100_u32.saturating_sub(STORY_PERCENT)) / 100 / steps.max(1);
    let mut batch = String::new();
    let mut batch_records = 0_usize;
    for line in lines {
        let time = decode(line.as_bytes()).map(|activity| activity.time()).unwrap_or_default();
        while let Some((clock, text)) = story.next_if(|(clock, _)| has_come(clock, time)) {
            post(address, &mut batch)?;
            terminal::say(&format!("\n── {clock}  {text}\n"));
            if wait(pause, stop) {
                return Ok(());
            }
        }
        batch.push_str(line);
        batch.push('\n');
        batch_records = batch_records.saturating_add(1);
        if batch_records.is_multiple_of(STEP_RECORDS) {
            post(address, &mut batch)?;
            if wait(step, stop) {
                return Ok(());
            }
        }
    }
    post(address, &mut batch)
}

/// The expected alerts that the daemon does not have.
pub(crate) fn missing(address: SocketAddr) -> anyhow::Result<(usize, Vec<String>)> {
    let expected: Vec<Expected> =
        serde_json::from_str(EXPECTED).context("the list of expected alerts is unreadable")?;
    let answer = web::get(address, "/v1/alerts")?;
    let answer: serde_json::Value = serde_json::from_str(&answer.body).context("the list of alerts is unreadable")?;
    let alerts = answer.get("alerts").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let text = |value: &serde_json::Value, pointer: &str| value.pointer(pointer).cloned().unwrap_or_default();
    let is_there = |expected: &Expected| {
        alerts.iter().any(|alert| {
            text(alert, "/rule") == expected.rule.as_str() && text(alert, "/subject/id") == expected.subject.as_str()
        })
    };
    let missing = expected.iter().filter(|expected| !is_there(expected));
    let missing = missing.map(|expected| format!("{} about {}", expected.rule, expected.subject));
    Ok((alerts.len(), missing.collect()))
}

fn has_come(clock: &str, time: Second) -> bool {
    // Times of one day compare as text.
    time.to_rfc3339().get(11..19).is_some_and(|now| now >= clock)
}

fn post(address: SocketAddr, batch: &mut String) -> anyhow::Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let answer = web::post(address, "/v1/events", batch.as_bytes()).context("the daemon did not take the records")?;
    if answer.status != 202 {
        bail!("the daemon did not take the records: {} {}", answer.status, answer.body);
    }
    batch.clear();
    Ok(())
}

/// Waits, and says whether it was told to stop meanwhile.
fn wait(duration: Duration, stop: &CancellationToken) -> bool {
    const SLICE: Duration = Duration::from_millis(50);
    let until = Instant::now() + duration;
    while !stop.is_cancelled() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(SLICE));
    }
    true
}
