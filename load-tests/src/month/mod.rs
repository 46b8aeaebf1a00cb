//! A month of three busy accounts, with attacks in it: what is told without reason, and what is found after how long.
//!
//! Records are made minute by minute, delivered late and out of order, judged with all rules of this repository, and
//! forgotten, so memory stays the same however many there are. It knows which behaviour is an attack and nothing about
//! rules.

mod attacks;
mod people;
mod record;
mod score;
mod services;
mod stream;

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    sync::Arc,
    time::Instant,
};

use bedrock_watch_engine::{Engine, Second, Settings, rule::RuleSet};
use bedrock_watch_load_tests::{
    measure::{Cost, real},
    scenario::{self, Budget, Month},
    table,
};

use score::Score;
use stream::{Minute, Stream};

const PROD: &str = "111122223333";
const DEV: &str = "444455556666";
const DATA: &str = "777788889999";

const MINUTES: u32 = 30 * 1_440;
/// About so many records come of behaviour that is made whatever the number of records.
const BEHAVIOUR_RECORDS: u64 = 6_900_000;

/// What a run may change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) events: Option<u64>,
    pub(crate) seed: Option<u64>,
    /// Days; all of the month unless given.
    pub(crate) days: Option<u32>,
}

impl Wanted {
    fn minutes(self) -> u32 {
        self.days.map_or(MINUTES, |days| days.saturating_mul(1_440).min(MINUTES))
    }

    /// Makes the records, and gives those that have arrived after each minute, in the order of arrival.
    fn play(
        self,
        scenario: &Month,
        mut take: impl FnMut(&[(Second, Vec<u8>)]) -> anyhow::Result<()>,
    ) -> anyhow::Result<Stream> {
        let events = self.events.unwrap_or(scenario.events);
        let background = real(events.saturating_sub(BEHAVIOUR_RECORDS)) / f64::from(MINUTES);
        let mut stream = Stream::new(self.seed.unwrap_or(scenario.seed));
        let minutes = self.minutes();
        for number in 0..=minutes {
            let minute = Minute(number);
            if number < minutes {
                services::minute(minute, &mut stream);
                people::minute(minute, &mut stream, background);
                attacks::minute(minute, &mut stream);
            }
            let until = if number < minutes { minute.start() } else { Second::MAX };
            let mut arrived = Vec::new();
            while let Some(record) = stream.arrived(until) {
                arrived.push(record);
            }
            take(&arrived)?;
        }
        Ok(stream)
    }
}

/// Writes the records of the month in the order of arrival, one a line: for `replay`, which reads a pipe as well.
pub(crate) fn write(wanted: Wanted, path: &Path) -> anyhow::Result<()> {
    let scenario = scenario()?;
    let mut file = BufWriter::new(File::create(path)?);
    wanted.play(&scenario, |arrived| {
        for (_, record) in arrived {
            file.write_all(record)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })?;
    Ok(file.flush()?)
}

fn scenario() -> anyhow::Result<Month> {
    scenario::read("month", include_str!("../../scenarios/month.toml"))
}

/// Plays the month and prints what came of it. Returns whether every budget was kept.
#[expect(clippy::print_stdout, reason = "the tables are what the binary is for")]
pub(crate) fn run(rules: &Arc<RuleSet>, wanted: Wanted) -> anyhow::Result<bool> {
    let scenario = scenario()?;
    let mut engine = Engine::new(Arc::clone(rules), Settings::standard());
    let (mut score, mut cost, mut rejected) = (Score::new(), Cost::default(), 0_u64);
    let started = Instant::now();
    let stream = wanted.play(&scenario, |arrived| {
        let bytes = arrived.iter().map(|(_, bytes)| bytes.len()).sum();
        let changes = cost.add(arrived.len(), bytes, || {
            let mut changes = Vec::new();
            for (now, bytes) in arrived {
                match engine.judge(bytes, *now) {
                    Ok(found) => changes.extend(found),
                    Err(_) => rejected = rejected.saturating_add(1),
                }
            }
            changes
        });
        score.add(&changes);
        Ok(())
    })?;
    score.add(&engine.finish());
    let minutes = wanted.minutes();
    let weeks = f64::from(minutes) / (7.0 * 1_440.0);
    println!(
        "{} records of {:.0} days, {} rules: {} records/s of CPU time, {:.0} s in all with making them, peak memory {} MB, {} late, {rejected} rejected",
        table::thousands(real(stream.made())),
        f64::from(minutes) / 1_440.0,
        rules.rules().len(),
        table::thousands(cost.records_per_second()),
        started.elapsed().as_secs_f64(),
        peak_memory_mb(),
        engine.stats().late,
    );
    let mut budget = Budget::default();
    score.print(weeks, &scenario, &mut budget);
    budget.at_most("peak memory in MB", real(peak_memory_mb()), scenario.memory_mb_max);
    budget.at_most("records that were rejected", real(rejected), 0.0);
    Ok(budget.is_kept())
}

/// The most memory that this process has had, in MB; 0 where the system does not say.
fn peak_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}
