//! When the detector ran, and when it or part of it did not.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::evidence::{chain::Entry, fact::Fact};

/// One run of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLine {
    /// The worker's chain.
    pub worker: String,
    /// When it began; its first entry in the period where it began earlier.
    pub from: Timestamp,
    /// When it ended; its last entry in the period where its end is not in it.
    pub to: Timestamp,
    /// The program's version, where the beginning lies in the period.
    pub version: Option<String>,
    /// The digest of its configuration, where the beginning lies in the period.
    pub configuration: Option<String>,
    /// How it ended: `in order`, `out of order`, or `without a word` (it still runs, or was killed).
    pub ended: String,
    /// Its entries.
    pub entries: u64,
}

/// A time without protection, or part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapLine {
    /// Which part, or `detector`.
    pub part: String,
    /// The worker's chain; empty where it is about all of them.
    pub worker: String,
    /// Why, as far as it is known.
    pub reason: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None` where no end is in the period.
    pub to: Option<Timestamp>,
}

const WITHOUT_A_WORD: &str = "without a word";

/// Gathers runs and gaps.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: Vec<RunLine>,
    /// The place of each worker's present run.
    present: BTreeMap<String, usize>,
    gaps: Vec<GapLine>,
}

impl Runs {
    pub(super) fn take(&mut self, entry: &Entry) {
        let begins = matches!(entry.fact, Fact::Started(_));
        if begins || !self.present.contains_key(&entry.worker) {
            self.present.insert(entry.worker.clone(), self.runs.len());
            self.runs.push(RunLine {
                worker: entry.worker.clone(),
                from: entry.at,
                to: entry.at,
                version: None,
                configuration: None,
                ended: WITHOUT_A_WORD.to_owned(),
                entries: 0,
            });
        }
        let Some(run) = self.present.get(&entry.worker).and_then(|index| self.runs.get_mut(*index)) else { return };
        run.entries = run.entries.saturating_add(1);
        match &entry.fact {
            Fact::Started(started) => {
                run.version = Some(started.version.clone());
                run.configuration = Some(started.configuration.clone());
            }
            Fact::Stopped(stopped) => {
                run.ended = if stopped.in_order { "in order" } else { "out of order" }.to_owned();
            }
            // A command beside a daemon that has ended writes to its chain too.
            _ if run.ended != WITHOUT_A_WORD => return,
            _ => {}
        }
        run.to = entry.at;
        self.gap(entry);
    }

    fn gap(&mut self, entry: &Entry) {
        match &entry.fact {
            Fact::Gap(gap) => self.gaps.push(GapLine {
                part: gap.part.clone(),
                worker: entry.worker.clone(),
                reason: gap.reason.clone(),
                from: gap.since,
                to: None,
            }),
            Fact::GapOver(over) => {
                let same = |line: &&mut GapLine| {
                    line.worker == entry.worker && line.part == over.part && line.from == over.since
                };
                match self.gaps.iter_mut().rev().find(same) {
                    Some(line) => line.to = Some(over.until),
                    // It began before the period.
                    None => self.gaps.push(GapLine {
                        part: over.part.clone(),
                        worker: entry.worker.clone(),
                        reason: String::new(),
                        from: over.since,
                        to: Some(over.until),
                    }),
                }
            }
            // Whatever did not work ends with the run; what comes after is that nothing runs.
            Fact::Stopped(_) => {
                let open = self.gaps.iter_mut().filter(|line| line.worker == entry.worker && line.to.is_none());
                open.for_each(|line| line.to = Some(entry.at));
            }
            _ => {}
        }
    }

    /// Runs, the times at which none was, and gaps.
    pub(super) fn finish(mut self) -> (Vec<RunLine>, Vec<GapLine>, Vec<GapLine>) {
        self.runs.sort_by(|one, other| (one.from, &one.worker).cmp(&(other.from, &other.worker)));
        self.gaps
            .sort_by(|one, other| (one.from, &one.part, &one.worker).cmp(&(other.from, &other.part, &other.worker)));
        let mut not_running = Vec::new();
        let mut covered: Option<(Timestamp, String)> = None;
        for run in &self.runs {
            if let Some((until, ended)) = &covered
                && run.from.duration_since(*until) > SignedDuration::ZERO
            {
                not_running.push(GapLine {
                    part: "detector".to_owned(),
                    worker: String::new(),
                    reason: format!("no worker ran; the last one ended {ended}"),
                    from: *until,
                    to: Some(run.from),
                });
            }
            if covered.as_ref().is_none_or(|(until, _)| *until < run.to) {
                covered = Some((run.to, run.ended.clone()));
            }
        }
        (self.runs, not_running, self.gaps)
    }
}
