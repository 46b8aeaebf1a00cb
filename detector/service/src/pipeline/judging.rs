//! What the loop does with each event: a batch, the passing of time, a snapshot that is due.

use std::{sync::Arc, time::Duration};

use bedrock_watch_engine::{
    Second,
    alert::{Alert, AlertChange, ChangeKind, Status, SubjectKind},
    decode::DecodeError,
};
use jiff::Timestamp;
use opentelemetry::trace::SpanContext;

use super::{
    CATCHING_UP, Permit, Pipeline, between,
    snapshots::Event,
    traces::{Trace, Tracing},
    writer::{Judged, Order},
};
use crate::{
    event_time::event_time,
    format::visible,
    source::{Batch, Kept, Outcome, Records, Repeat},
    store::{Change, JournalEntry},
    telemetry::trace_id,
};

/// Rejected records that are logged one by one; beyond that, only each time their number doubles.
const REJECTED_LOGGED_MAX: u64 = 20;
/// Bytes in the journal at which memory is kept at once, so that a restart need not judge more than that again.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

impl Pipeline {
    /// Judges a batch and hands what it changed to the writer, which answers for it.
    pub(super) fn judge(&mut self, batch: Batch, permit: Permit) {
        let began = Timestamp::now();
        let tracing = Tracing::of(self.status.telemetry(), &batch);
        self.counters.timings.input.record(between(batch.received, began));
        let now = self.clock.now();
        let mut outcome = Outcome::default();
        let mut judged = Judged::default();
        let mut changes = Vec::new();
        let mut journal = Records::default();
        for reason in &batch.records.rejected {
            outcome.rejected = outcome.rejected.saturating_add(1);
            self.counters.unreadable = self.counters.unreadable.saturating_add(1);
            self.log_rejected(&batch.source, reason);
        }
        for record in batch.records.iter() {
            let effects = self.engine.effects();
            match self.take_record(record, now, tracing.as_ref()) {
                Ok(taken) => {
                    outcome.accepted = outcome.accepted.saturating_add(1);
                    let Some(changed) = taken else { continue };
                    changes.extend(changed);
                    // Most records concern nobody, and leave nothing that a restart would have to bring back.
                    if batch.kept == Kept::Journal && self.engine.effects() > effects {
                        journal.push(record);
                    }
                }
                Err(reason) => {
                    outcome.rejected = outcome.rejected.saturating_add(1);
                    self.log_rejected(&batch.source, &reason);
                }
            }
        }
        for correction in self.engine.take_corrections() {
            tracing::info!(correction = %visible(&correction), "AWS, when asked, knows what the stream has not told");
        }
        self.counters.batches = self.counters.batches.saturating_add(1);
        self.counters.bytes = self.counters.bytes.saturating_add(batch.records.bytes().try_into().unwrap_or(u64::MAX));
        judged.commit.journal.extend(self.journal(&batch.source, journal));
        if let Kept::At(position) = batch.kept {
            if !self.positions.contains_key(&*batch.source) {
                // Where a source begins must be remembered, or a crash would leave a gap.
                self.snapshots.hurry();
            }
            self.positions.insert(batch.source.to_string(), position.clone());
            judged.commit.positions.insert(batch.source.to_string(), position);
        }
        self.take(changes, &mut judged);
        if batch.repeat != Repeat::Again
            && let Some(catch_up) = &mut self.catch_up
        {
            catch_up.passed(&batch.source);
            self.release(&mut judged);
        }
        judged.reply = batch.reply.map(|reply| (reply, outcome));
        let done = Timestamp::now();
        self.counters.timings.judge.record(between(began, done));
        judged.judged_at = Some(done);
        judged.trace = tracing.map(|tracing| Box::new(tracing.judged((began, done), outcome, self.rests_on(&judged))));
        permit.send(Order::Commit(judged));
        self.snapshots.note_change();
        self.publish();
    }

    /// Takes a record: nothing is to be judged of a canary. `now` is when its batch began to be judged.
    ///
    /// # Errors
    /// Why it is rejected.
    fn take_record(
        &mut self,
        record: &[u8],
        now: Second,
        tracing: Option<&Tracing>,
    ) -> Result<Option<Vec<AlertChange>>, String> {
        if self.canaries.take(record) {
            self.counters.canaries = self.counters.canaries.saturating_add(1);
            return Ok(None);
        }
        let time = event_time(record);
        if self.clock.see(time, self.future_s).is_err() {
            self.counters.future = self.counters.future.saturating_add(1);
            return Err("its event time lies in the future".to_owned());
        }
        if let Some(time) = time.filter(|_| self.catch_up.is_none()) {
            self.counters.timings.event_lag.record(Duration::from_secs(u64::from(now.since(time))));
        }
        let judged_before = self.engine.stats().judged;
        let changes = self.judge_one(record).map_err(|error: DecodeError| error.to_string())?;
        if let Some(tracing) = tracing
            && self.engine.stats().judged > judged_before
        {
            self.batches.note(record, &tracing.context);
        }
        Ok(Some(changes))
    }

    /// Judges a record now; or, while catching up, at the time of the records, as it was judged before.
    fn judge_one(&mut self, record: &[u8]) -> Result<Vec<AlertChange>, DecodeError> {
        if self.catch_up.is_some() {
            return self.engine.judge_recorded(record);
        }
        let now: Second = self.clock.now();
        self.engine.judge(record, now)
    }

    /// What the journal keeps of a batch that cannot be read again.
    fn journal(&mut self, source: &str, records: Records) -> Option<JournalEntry> {
        if records.is_empty() {
            return None;
        }
        let (records, ends) = records.into_parts();
        let bytes = u64::try_from(records.len()).unwrap_or(u64::MAX);
        self.counters.journal_bytes = self.counters.journal_bytes.saturating_add(bytes);
        if self.counters.journal_bytes > JOURNAL_BYTES_MAX && !self.snapshots.is_saving() {
            self.snapshots.hurry();
        }
        let ends = ends.into_iter().map(|end| u32::try_from(end).unwrap_or(u32::MAX)).collect();
        Some(JournalEntry { source: source.to_owned(), records, ends })
    }

    /// Lets time pass.
    pub(super) fn let_time_pass(&mut self, permit: Permit) {
        let began = Timestamp::now();
        let changes = self.engine.tick(self.clock.now());
        let mut judged = Judged::default();
        self.take(changes, &mut judged);
        judged.trace = Trace::of_time(self.status.telemetry(), began, self.rests_on(&judged)).map(Box::new);
        permit.send(Order::Commit(judged));
        self.snapshots.note_change();
        self.publish();
    }

    /// For each change, the batches that its alert rests on, as far as they are remembered.
    fn rests_on(&self, judged: &Judged) -> Vec<Vec<SpanContext>> {
        judged.commit.changes.iter().map(|change| self.batches.of(&change.alert.event_ids)).collect()
    }

    /// Takes what the engine says: to be stored, or to be held back while catching up.
    fn take(&mut self, changes: Vec<AlertChange>, judged: &mut Judged) {
        match &mut self.catch_up {
            Some(catch_up) => changes.into_iter().for_each(|change| catch_up.hold(change)),
            None => self.route(changes, judged),
        }
    }

    /// Says who hears of changes, and has them stored.
    pub(super) fn route(&mut self, changes: Vec<AlertChange>, judged: &mut Judged) {
        let (silences, now) = (self.silences.current(), Timestamp::now());
        for AlertChange { kind, mut alert } in changes {
            let trace_id = trace_id(&alert.id);
            tracing::debug!(
                alert = alert.id,
                trace_id,
                rule = alert.rule,
                severity = alert.severity.as_str(),
                status = alert.status.as_str(),
                account = alert.account,
                "alert"
            );
            if self.is_shadow(kind, &alert) {
                continue;
            }
            let is_own = self.owns.owns(&alert.account);
            if !is_own && !matters_to_others(&alert) {
                self.leave_to_its_owner(&alert);
                continue;
            }
            self.counters.changes = self.counters.changes.saturating_add(1);
            self.counters.by_rule.note(kind, &alert);
            let routed = self.router.route(&alert, routed_as(kind, &alert), &silences, now);
            self.counters.routing.count(&routed);
            if let Some(silence) = &routed.silence {
                tracing::info!(alert = alert.id, rule = alert.rule, silence, "not told: silenced");
            }
            if let Some(reason) = &routed.suppressed {
                tracing::debug!(alert = alert.id, rule = alert.rule, reason, "not told: suppressed");
            }
            alert.severity = routed.severity;
            self.silenced.note(&alert.id, alert.status, routed.silence.as_deref());
            judged.commit.changes.push(Change {
                kind,
                alert: Arc::new(alert),
                trace_id: Some(trace_id),
                destinations: routed.destinations,
                silence: routed.silence,
                suppressed: routed.suppressed,
                only_if_new: !is_own,
            });
        }
    }

    /// Another worker answers for the account, and says what is to be said.
    fn leave_to_its_owner(&mut self, alert: &Alert) {
        self.counters.of_others = self.counters.of_others.saturating_add(1);
        let rule = self.engine.rules().by_id(&alert.rule);
        if rule.is_some_and(|rule| rule.counts().rests_on_inference()) {
            self.counters.misplaced = self.counters.misplaced.saturating_add(1);
            if self.counters.misplaced.is_power_of_two() {
                tracing::error!(
                    account = alert.account,
                    times = self.counters.misplaced,
                    "activity of an account comes in on a shard that is not the account's, and bursts are missed for it; \
                     the EventBridge target of the stream needs PartitionKeyPath = \"$.account\""
                );
            }
        }
    }

    /// Ends catching up where nobody is waited for any more; what was held back is stored now.
    pub(super) async fn end_catching_up(&mut self) {
        let Ok(permit) = self.orders.clone().reserve_owned().await else { return };
        let mut judged = Judged::default();
        self.release(&mut judged);
        permit.send(Order::Commit(judged));
    }

    fn release(&mut self, judged: &mut Judged) {
        let Some(catch_up) = self.catch_up.take_if(|catch_up| catch_up.is_over()) else { return };
        if catch_up.behind().is_empty() {
            tracing::debug!("caught up");
        } else {
            let sources = catch_up.behind().iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            tracing::warn!(sources, "not caught up in time; what is still repeated may be told again");
        }
        self.status.clear(CATCHING_UP);
        self.publish();
        let changes = catch_up.into_changes(self.engine.alerts());
        self.route(changes, judged);
        // Time did not pass meanwhile.
        let changes = self.engine.tick(self.clock.now());
        self.take(changes, judged);
    }

    /// Keeps the memory in the background, or takes notice that it was kept. While catching up it would lack what is
    /// held back.
    pub(super) fn keep_memory(&mut self, event: Event, permit: Permit) {
        match event {
            Event::Due if self.catch_up.is_some() => self.snapshots.postpone(),
            Event::Due => {
                if let Some(done) = self.snapshots.begin(self.counters.journal_bytes) {
                    let (bytes, positions) = (self.engine.snapshot(), self.positions.clone());
                    permit.send(Order::Snapshot { bytes, positions, done });
                }
            }
            Event::Kept { bytes } => {
                self.counters.journal_bytes = self.counters.journal_bytes.saturating_sub(bytes);
                self.publish();
            }
            Event::Failed => {}
        }
    }

    fn log_rejected(&self, source: &str, reason: &str) {
        let rejected = self.engine.stats().rejected;
        let total = rejected.saturating_add(self.counters.unreadable).saturating_add(self.counters.future);
        if total <= REJECTED_LOGGED_MAX || total.is_power_of_two() {
            tracing::warn!(source, reason = %visible(reason), total, "record rejected");
        }
    }
}

/// An alert that is over may be one that a crash kept from being stored. So it is routed as if it had just fired; the
/// store heeds that only if it has never heard of it.
fn routed_as(kind: ChangeKind, alert: &Alert) -> ChangeKind {
    if alert.status == Status::Resolved { ChangeKind::Fired } else { kind }
}

/// Whether a change is worth telling the store where another worker answers for the alert's account. What principals do
/// is known to that worker alone, and when an alert ends is for it to say; see [`crate::store::life`].
fn matters_to_others(alert: &Alert) -> bool {
    alert.subject_kind != SubjectKind::Principal && alert.status != Status::Resolved
}
