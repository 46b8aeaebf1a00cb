//! CPU time of the calling thread: what a piece of work costs on one core, whatever else the machine does.

use std::time::Duration;

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
