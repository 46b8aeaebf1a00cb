//! The engine: one owner, one entry for everything that happens, and time as an argument.
//!
//! Deliberately no logic of its own: it leads each activity through the account, the principals, the world and the
//! rules, and gathers what changed.

mod exchanging;
#[cfg(test)]
mod exchanging_tests;
mod explaining;
mod firsts;
mod judging;
mod keeping;
mod moving;
mod telling;
mod usage;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    accounts::Accounts,
    activity::{Activity, ApiCall, JobStateChange},
    alert::{
        Alert, AlertChange, ChangeKind, Status,
        book::{AlertBook, Entering},
    },
    decode::{self, DecodeError},
    detector_observation::DetectorObservation,
    observation::Observation,
    prefilter::Interest,
    rule::{Correlator, RuleSet},
    settings::Settings,
    snapshot,
    stats::Stats,
    time::Second,
    world::{BlindCount, Origin, Touched, World},
};

pub use crate::snapshot::SnapshotError;

/// Judges activities and remembers what they changed.
#[derive(Debug)]
pub struct Engine {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) settings: Settings,
    pub(crate) interest: Interest,
    pub(crate) memory: Memory,
    pub(crate) teaching: bool,
    pub(crate) prefilter: bool,
    peeking: Peeking,
    effects: u64,
    /// Follows from the memory and the rules.
    orphans: exchanging::Orphans,
}

/// Whether looking at a record before decoding it pays: not in a stream of which nearly everything is of interest.
///
/// It changes what an answer costs, never the answer.
#[derive(Debug, Default)]
struct Peeking {
    /// Rises with records that had to be decoded after all, falls with those that had not.
    in_vain: u8,
    /// Records still to be decoded without a look.
    pause: u8,
}

impl Peeking {
    fn is_worthwhile(&mut self) -> bool {
        let worthwhile = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        worthwhile
    }

    fn skipped(&mut self) {
        self.in_vain = self.in_vain.saturating_sub(4);
    }

    fn admitted(&mut self) {
        self.in_vain = self.in_vain.saturating_add(1);
        if self.in_vain >= 64 {
            (self.in_vain, self.pause) = (48, u8::MAX);
        }
    }
}

/// Everything an engine remembers: what a snapshot holds.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Memory {
    pub(crate) stats: Stats,
    pub(crate) accounts: Accounts,
    pub(crate) world: World,
    pub(crate) book: AlertBook,
    pub(crate) correlator: Correlator,
    /// When principals' alerts may have to be resolved.
    pub(crate) quiet_due: BTreeMap<Second, BTreeSet<(Box<str>, u32)>>,
    /// Accounts and regions in which nothing is logged, with the inference calls counted there since.
    pub(crate) blind: BTreeMap<Box<str>, BTreeMap<Box<str>, BlindCount>>,
    /// The latest time the engine was told.
    pub(crate) clock: Second,
    /// How many principals all accounts have together.
    pub(crate) principal_count: usize,
    /// The account of the last record, which may have to be tidied.
    pub(crate) touched_account: Option<Box<str>>,
    /// How many principals with model invocation logs all accounts have together.
    pub(crate) ledger_count: usize,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, settings: Settings) -> Self {
        let interest = Interest::new(&rules);
        Self {
            rules,
            settings,
            interest,
            memory: Memory::default(),
            teaching: false,
            prefilter: true,
            peeking: Peeking::default(),
            effects: 0,
            orphans: exchanging::Orphans::default(),
        }
    }

    /// Judges one record, in any single-record form.
    ///
    /// # Errors
    /// When the bytes are no valid event; nothing has changed then but a counter.
    pub fn judge(&mut self, bytes: &[u8], now: Second) -> Result<Vec<AlertChange>, DecodeError> {
        self.judge_at(bytes, |_| now)
    }

    /// Judges one recorded record: time goes on as the records say, so now is the greatest event time so far.
    ///
    /// # Errors
    /// When the bytes are no valid event; nothing has changed then but a counter.
    pub fn judge_recorded(&mut self, bytes: &[u8]) -> Result<Vec<AlertChange>, DecodeError> {
        self.judge_at(bytes, |time| time)
    }

    fn judge_at(&mut self, bytes: &[u8], now: impl Fn(Second) -> Second) -> Result<Vec<AlertChange>, DecodeError> {
        if self.is_prefiltering() {
            if let Some(seen) = self.interest.dismiss(bytes) {
                self.memory.stats.records = self.memory.stats.records.saturating_add(1);
                self.memory.stats.prefiltered = self.memory.stats.prefiltered.saturating_add(1);
                self.peeking.skipped();
                let mut changes = self.let_time_pass(now(seen.time));
                let advanced = self.note_time(seen.account, seen.time);
                self.note_effect(advanced, &changes);
                self.tidy_accounts();
                self.conclude(&mut changes);
                return Ok(changes);
            }
            self.peeking.admitted();
        }
        match decode::decode(bytes) {
            Ok(activity) => {
                let time = activity.time();
                Ok(self.handle(&activity, now(time)))
            }
            Err(error) => {
                self.memory.stats.records = self.memory.stats.records.saturating_add(1);
                self.memory.stats.rejected = self.memory.stats.rejected.saturating_add(1);
                Err(error)
            }
        }
    }

    /// Whether the next record is worth a look before it is decoded.
    fn is_prefiltering(&mut self) -> bool {
        self.prefilter && !self.interest.is_off() && self.peeking.is_worthwhile()
    }

    /// Switches the prefilter off, so that every record is decoded. It never changes an answer; tests show that.
    pub fn without_prefilter(mut self) -> Self {
        self.prefilter = false;
        self
    }

    /// Judges one activity and applies it to what is known.
    pub fn handle(&mut self, activity: &Activity<'_>, now: Second) -> Vec<AlertChange> {
        self.memory.stats.records = self.memory.stats.records.saturating_add(1);
        let mut changes = self.let_time_pass(now);
        let mut has_effect = true;
        match activity {
            Activity::Call(call) => has_effect = self.handle_call(call, &mut changes),
            Activity::JobState(change) => self.handle_job_state(change, &mut changes),
            Activity::Inventory(observation) => self.handle_observation(observation, &mut changes),
            Activity::Detector(observation) => self.handle_detector(observation, &mut changes),
            Activity::InvocationLog(log) => self.handle_invocation_log(log, &mut changes),
            Activity::Other(other) => {
                self.memory.stats.uninteresting = self.memory.stats.uninteresting.saturating_add(1);
                has_effect = self.note_time(&other.account, other.time);
            }
        }
        self.note_effect(has_effect, &changes);
        self.keep_limits();
        self.conclude(&mut changes);
        changes
    }

    /// Takes in what AWS answered.
    pub fn observe(&mut self, observation: &Observation, now: Second) -> Vec<AlertChange> {
        let mut changes = self.let_time_pass(now);
        self.handle_observation(observation, &mut changes);
        self.conclude(&mut changes);
        changes
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Second) -> Vec<AlertChange> {
        let mut changes = self.let_time_pass(now);
        self.conclude(&mut changes);
        changes
    }

    fn let_time_pass(&mut self, now: Second) -> Vec<AlertChange> {
        self.memory.clock = self.memory.clock.max(now);
        let mut changes = Vec::new();
        if self.next_wakeup().is_none_or(|due| due > self.memory.clock) {
            return changes;
        }
        let touched = self.memory.world.advance(self.memory.clock);
        self.derive(touched, &mut changes);
        self.resolve_quiet(&mut changes);
        self.resolve_orphans(self.memory.clock, &mut changes);
        changes
    }

    /// When the engine next wants [`Engine::tick`].
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Second> {
        let quiet = self.memory.quiet_due.first_key_value().map(|(due, _)| *due);
        let orphan = self.orphans.first_key_value().map(|(due, _)| *due);
        [self.memory.world.next_wakeup(), quiet, orphan].into_iter().flatten().min()
    }

    /// Ends a replay: closes every window as if time had moved on.
    pub fn finish(&mut self) -> Vec<AlertChange> {
        let mut changes = Vec::new();
        let touched = self.memory.world.advance(Second::MAX);
        self.derive(touched, &mut changes);
        self.resolve_all(&mut changes);
        self.resolve_orphans(Second::MAX, &mut changes);
        self.conclude(&mut changes);
        changes
    }

    /// While teaching, memory is filled and nothing is raised.
    pub fn set_teaching(&mut self, teaching: bool) {
        self.teaching = teaching;
    }

    /// The present state of all alerts, withdrawn ones omitted, by first event time and id.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        let mut alerts: Vec<Alert> = self.principal_alerts();
        // A rule that was gone and came back finds again what the book has kept of it.
        let found: BTreeSet<String> = alerts.iter().map(|alert| alert.id.clone()).collect();
        let kept = self.memory.book.iter().filter(|(stored, _)| !found.contains(stored.id()));
        alerts.extend(kept.filter_map(|(stored, origin)| self.present(stored, origin)));
        alerts.retain(|alert| alert.status != Status::Withdrawn);
        alerts.sort_by(|left, right| (left.first_event_time, &left.id).cmp(&(right.first_event_time, &right.id)));
        alerts
    }

    /// Everything remembered, as bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(&self.memory)
    }

    /// An engine that remembers what `snapshot` remembered.
    ///
    /// # Errors
    /// When the bytes are no snapshot this version can read.
    pub fn restore(rules: Arc<RuleSet>, settings: Settings, snapshot: &[u8]) -> Result<Self, SnapshotError> {
        let mut memory = snapshot::read(snapshot)?;
        memory.correlator.retain(&rules);
        let mut engine = Self { memory, ..Self::new(rules, settings) };
        engine.find_orphans();
        Ok(engine)
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.memory.stats
    }

    /// How many records had an effect since the engine was made: something is remembered of them, or of how far they
    /// brought time, besides what [`Engine::stats`] counts. Whoever keeps records, so that an engine can be brought to
    /// where it was, need not keep the others.
    #[must_use]
    pub const fn effects(&self) -> u64 {
        self.effects
    }

    /// How far time has come: the greatest time the engine was told.
    #[must_use]
    pub fn clock(&self) -> Second {
        self.memory.clock
    }

    /// Where inventory contradicted the stream since this was last asked, in words: an event was lost, or is on its way.
    pub fn take_corrections(&mut self) -> Vec<String> {
        self.memory.world.take_corrections()
    }

    /// The greatest event time seen of an account.
    #[must_use]
    pub fn watermark(&self, account: &str) -> Option<Second> {
        self.memory.accounts.get(account).map(|account| account.watermark)
    }

    /// Puts the last hand to what is told.
    fn conclude(&mut self, changes: &mut [AlertChange]) {
        self.name_agents(changes);
        let fired = changes.iter().filter(|change| change.kind == ChangeKind::Fired).count();
        let fired = u64::try_from(fired).unwrap_or(u64::MAX);
        self.memory.stats.alerts_fired = self.memory.stats.alerts_fired.saturating_add(fired);
    }

    fn handle_job_state(&mut self, change: &JobStateChange<'_>, changes: &mut Vec<AlertChange>) {
        self.memory.stats.judged = self.memory.stats.judged.saturating_add(1);
        self.note_time(&change.account, change.time);
        let touched = self.memory.world.apply_job_state(change, &self.settings);
        self.derive(touched, changes);
    }

    fn handle_observation(&mut self, observation: &Observation, changes: &mut Vec<AlertChange>) {
        self.memory.stats.judged = self.memory.stats.judged.saturating_add(1);
        let touched = self.memory.world.apply_observation(observation, &self.settings);
        self.derive(touched, changes);
    }

    fn handle_detector(&mut self, observation: &DetectorObservation, changes: &mut Vec<AlertChange>) {
        self.memory.stats.judged = self.memory.stats.judged.saturating_add(1);
        let touched = self.memory.world.apply_detector(observation);
        self.derive(touched, changes);
    }

    /// Judges a call. Returns whether anything is remembered of it but that it was counted.
    fn handle_call(&mut self, call: &ApiCall<'_>, changes: &mut Vec<AlertChange>) -> bool {
        let late = self.is_late(&call.account, call.time);
        let advanced = self.note_time(&call.account, call.time);
        let relevance = self.interest.relevance(&call.source, &call.name);
        let is_of_interest = relevance.admitted || self.interest.admits_text(call.record.as_bytes());
        if !is_of_interest {
            self.memory.stats.uninteresting = self.memory.stats.uninteresting.saturating_add(1);
            return advanced;
        }
        if late {
            self.memory.stats.late = self.memory.stats.late.saturating_add(1);
        } else if self.is_copy(call) {
            return advanced;
        }
        self.memory.stats.judged = self.memory.stats.judged.saturating_add(1);
        if !late {
            self.note_principal(call, &relevance, changes);
            self.join_usage(call, changes);
        }
        // The world follows no inference call.
        if !relevance.inference && relevance.world {
            let touched = self.memory.world.apply_call(call, &self.settings);
            self.derive(touched, changes);
        }
        self.judge_call(call, &relevance.rules, late, changes);
        true
    }

    fn note_effect(&mut self, has_effect: bool, changes: &[AlertChange]) {
        self.effects = self.effects.saturating_add(u64::from(has_effect || !changes.is_empty()));
    }

    /// Derives what was touched again and tells what changed.
    pub(crate) fn derive(&mut self, touched: Touched, changes: &mut Vec<AlertChange>) {
        self.memory.world.note_clock(self.memory.clock);
        self.release_forgotten();
        for origin in touched {
            if let Origin::Resource(resource) = &origin {
                self.memory.world.schedule(resource, &self.settings);
                self.explain_role(resource, changes);
            }
            self.settle_blindness(&origin);
            let findings = self.findings_about(&origin);
            let entering = self.entering();
            let rules = &self.rules;
            let stays = |rule: &str| !exchanging::knows(rules, rule);
            changes.extend(self.memory.book.settle(&origin, findings, entering, stays));
        }
    }

    pub(crate) fn entering(&self) -> Entering {
        Entering { teaching: self.teaching }
    }
}
