//! CPU time of the calling thread: what a piece of work costs on one core, whatever else the machine does; and what Linux
//! says of processes.

use std::{fs, time::Duration};

use anyhow::{Context as _, anyhow};
use cpu_time::ThreadTime;

/// Adds up the CPU time of pieces of work.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cost {
    /// CPU time so far.
    pub time: Duration,
    /// Records so far.
    pub records: u64,
    /// Bytes so far.
    pub bytes: u64,
}

impl Cost {
    /// Runs `work` on `records` records of `bytes` bytes in all, and adds what it cost.
    pub fn add<T>(&mut self, records: usize, bytes: usize, work: impl FnOnce() -> T) -> T {
        let start = ThreadTime::now();
        let result = work();
        self.time = self.time.saturating_add(start.elapsed());
        self.records = self.records.saturating_add(u64::try_from(records).unwrap_or(u64::MAX));
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        result
    }

    /// Nanoseconds a record.
    #[must_use]
    pub fn ns_per_record(&self) -> f64 {
        self.time.as_secs_f64() * 1e9 / real(self.records.max(1))
    }

    /// Records a second of CPU time.
    #[must_use]
    pub fn records_per_second(&self) -> f64 {
        real(self.records) / self.time.as_secs_f64().max(1e-9)
    }

    /// Gigabytes a second of CPU time.
    #[must_use]
    pub fn gigabytes_per_second(&self) -> f64 {
        real(self.bytes) / 1e9 / self.time.as_secs_f64().max(1e-9)
    }
}

/// The number, as one that can be divided.
#[must_use]
pub const fn real(count: u64) -> f64 {
    count as f64
}

/// What Linux reckons the CPU time of processes in.
const TICKS_PER_SECOND: u64 = 100;

/// The memory a process has, in MB (resident set).
///
/// # Errors
/// When the process is gone, or the system is not Linux.
pub fn memory_mb(process: u32) -> anyhow::Result<f64> {
    status_mb(process, "VmRSS:")
}

/// The part of that memory which is no file: without the pages of the program itself.
///
/// # Errors
/// When the process is gone, or the system is not Linux.
pub fn own_memory_mb(process: u32) -> anyhow::Result<f64> {
    status_mb(process, "RssAnon:")
}

fn status_mb(process: u32, field: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("reading memory")?;
    let resident = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = resident.and_then(|resident| resident.split_whitespace().next()?.parse::<u64>().ok());
    Ok(real(kilobytes.ok_or_else(|| anyhow!("process {process} says nothing of its memory"))?) / 1_024.0)
}

/// The CPU time that a process has had, all its threads together.
///
/// # Errors
/// When the process is gone, or the system is not Linux.
pub fn cpu_of(process: u32) -> anyhow::Result<Duration> {
    stat(&process.to_string(), 11)
}

/// The CPU time of all processes that this one has started and that have ended.
///
/// # Errors
/// When the system is not Linux.
pub fn cpu_of_children() -> anyhow::Result<Duration> {
    stat("self", 13)
}

/// Times in user and in system mode, from two fields behind the name.
fn stat(process: &str, field: usize) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("reading CPU times")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(field).take(2);
    let ticks = fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Ok(Duration::from_millis(ticks.saturating_mul(1_000 / TICKS_PER_SECOND)))
}
