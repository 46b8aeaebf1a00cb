//! A delivery: who is told of which alert, and how far. The transitions are pure; others read and write the items.
//!
//! One item for each sink and alert, in the partition of its sink. It rests, waits, is claimed or is dead. `wanted` is
//! the revision the sink should be told up to and `delivered` the one it has been told up to; `base` is where its
//! present wait began, so that revisions which were not meant for the sink are not told later. `since` is when it first
//! fell due and keeps the order, `due` moves with each retry.

use bedrock_watch_engine::alert::Severity;
use bedrock_watch_service::store::{Claim, DeadLetter, Destination, Settlement};
use jiff::Timestamp;

use super::{
    failure::Failure,
    item::{DUE, Item, Key, ORDER, VERSION, severity, sortable},
    table::{If, Write},
};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Resting,
    Waiting,
    Claimed,
    Dead,
}

const STATES: [(State, &str); 4] =
    [(State::Resting, "resting"), (State::Waiting, "waiting"), (State::Claimed, "claimed"), (State::Dead, "dead")];

/// What the order of deliveries that wait begins with.
pub(super) const WAITS: &str = "w#";
/// What the order of deliveries that a sink may be reminded of begins with; the time of the last telling follows.
pub(super) const TOLD: &str = "r#";
/// What the order of dead letters begins with; the time follows.
pub(super) const DEAD: &str = "x#";

/// A delivery.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delivery {
    pub(super) sink: String,
    pub(super) alert: String,
    pub(super) state: State,
    pub(super) severity: Severity,
    pub(super) since: Timestamp,
    pub(super) due: Timestamp,
    pub(super) wanted: u32,
    pub(super) base: u32,
    pub(super) delivered: u32,
    pub(super) told_at: Option<Timestamp>,
    pub(super) memo: Option<String>,
    pub(super) attempts: u32,
    pub(super) unsettled: bool,
    pub(super) reminder: bool,
    pub(super) group: Option<String>,
    pub(super) skip_if_undone: bool,
    pub(super) fence: u64,
    pub(super) owner: Option<String>,
    pub(super) until: Option<Timestamp>,
    pub(super) claimed: u32,
    pub(super) error: Option<String>,
    pub(super) dead_at: Option<Timestamp>,
    /// The alert was over when the sink was last told, so there is nothing to remind of.
    pub(super) over: bool,
    /// 0 while it is not in the table.
    pub(super) version: u64,
}

/// The partition of a sink.
pub(super) fn partition(sink: &str) -> String {
    format!("sink#{sink}")
}

/// The key of a delivery.
pub(super) fn key(sink: &str, alert: &str) -> Key {
    Key::new(partition(sink), alert)
}

impl Delivery {
    /// One that never was.
    pub(super) fn new(sink: &str, alert: &str, severity: Severity) -> Self {
        Self {
            sink: sink.to_owned(),
            alert: alert.to_owned(),
            state: State::Resting,
            severity,
            since: Timestamp::UNIX_EPOCH,
            due: Timestamp::UNIX_EPOCH,
            wanted: 0,
            base: 0,
            delivered: 0,
            told_at: None,
            memo: None,
            attempts: 0,
            unsettled: false,
            reminder: false,
            group: None,
            skip_if_undone: false,
            fence: 0,
            owner: None,
            until: None,
            claimed: 0,
            error: None,
            dead_at: None,
            over: false,
            version: 0,
        }
    }

    /// Makes the sink want a revision. A wait that goes on keeps its beginning, and one that is being retried its pause.
    fn want(&mut self, (revision, severity): (u32, Severity), due: Timestamp) {
        let begins = matches!(self.state, State::Resting | State::Dead);
        if begins {
            self.base = revision.saturating_sub(1);
        }
        self.since = if begins || self.wanted <= self.delivered { due } else { self.since.min(due) };
        self.due = match self.state {
            State::Waiting if self.attempts > 0 => self.due,
            State::Waiting => self.due.min(due),
            _ => due,
        };
        if begins {
            self.attempts = 0;
        }
        if self.state != State::Claimed {
            self.state = State::Waiting;
        }
        self.dead_at = None;
        self.wanted = revision;
        self.severity = severity;
        self.over = false;
    }

    /// Makes the sink want a revision that is meant for it.
    pub(super) fn want_for(&mut self, revision: (u32, Severity), destination: &Destination, now: Timestamp) {
        self.want(revision, destination.not_before.map_or(now, |time| time.max(now)));
        self.group.clone_from(&destination.group);
        self.skip_if_undone = destination.skip_if_undone;
    }

    /// Makes the sink want a revision if it has heard of the alert, or is about to; `false` when it has not.
    pub(super) fn want_again(&mut self, revision: (u32, Severity), now: Timestamp) -> bool {
        let listens = self.delivered > 0 || matches!(self.state, State::Waiting | State::Claimed);
        if listens {
            self.want(revision, now);
        }
        listens
    }

    /// Whether somebody may claim it now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        match self.state {
            State::Waiting => self.due <= now,
            State::Claimed => self.until.is_none_or(|until| until <= now),
            State::Resting | State::Dead => false,
        }
    }

    /// Gives it to an owner. What a former owner never settled may have arrived.
    pub(super) fn claim(&mut self, owner: &str, until: Timestamp) {
        if self.state == State::Claimed {
            self.unsettled = true;
            self.due = self.until.map_or(self.due, |expired| self.due.min(expired));
        }
        self.state = State::Claimed;
        self.fence = self.fence.saturating_add(1);
        self.owner = Some(owner.to_owned());
        self.until = Some(until);
        self.claimed = self.wanted;
    }

    /// Settles a claim; `false` when somebody else has it.
    pub(super) fn settle(&mut self, claim: &Claim, settlement: &Settlement, now: Timestamp) -> bool {
        if self.state != State::Claimed || self.fence != claim.fence {
            return false;
        }
        self.owner = None;
        self.until = None;
        self.state = State::Waiting;
        match settlement {
            Settlement::Delivered { through, memo, .. } => {
                let is_told = self.delivered.max(*through) >= self.wanted;
                self.delivered = self.delivered.max((*through).min(self.wanted));
                self.told_at = Some(now);
                self.attempts = 0;
                self.unsettled = false;
                self.reminder = false;
                self.error = None;
                self.since = self.due;
                if memo.is_some() {
                    self.memo.clone_from(memo);
                }
                if is_told {
                    self.state = State::Resting;
                    self.over = claim.alert.alert.status != bedrock_watch_engine::alert::Status::Firing;
                }
            }
            Settlement::Retry { at, error, unsettled } => {
                self.attempts = self.attempts.saturating_add(1);
                self.due = *at;
                self.error = Some(error.clone());
                self.unsettled |= unsettled;
            }
            Settlement::Dead { error } => {
                self.attempts = self.attempts.saturating_add(1);
                self.error = Some(error.clone());
                self.reminder = false;
                // What was added meanwhile has not been tried, so the delivery goes on with it.
                if self.wanted <= self.claimed {
                    self.dead_at = Some(now);
                    self.state = State::Dead;
                }
            }
            Settlement::Released => {}
        }
        true
    }

    /// Makes the sink hear again of what it has heard.
    pub(super) fn remind(&mut self, now: Timestamp) {
        self.state = State::Waiting;
        self.reminder = true;
        self.due = now;
        self.since = now;
    }

    /// Puts a dead letter back.
    pub(super) fn redrive(&mut self, now: Timestamp) {
        self.state = State::Waiting;
        self.due = now;
        self.since = now;
        self.attempts = 0;
        self.dead_at = None;
    }

    /// The revisions that a claim of it is about: those after the first and up to the second.
    pub(super) fn pending(&self) -> (u32, u32) {
        (self.delivered.max(self.base), self.wanted)
    }

    /// What it says as a dead letter of an alert.
    pub(super) fn letter(self, rule: &str, severity: Severity) -> DeadLetter {
        DeadLetter {
            at: self.dead_at.unwrap_or(self.due),
            error: self.error.unwrap_or_default(),
            sink: self.sink,
            alert: self.alert,
            rule: rule.into(),
            severity,
            attempts: self.attempts,
        }
    }

    fn order(&self) -> Option<String> {
        match self.state {
            State::Waiting | State::Claimed => {
                let place = Severity::Critical.rank().saturating_sub(self.severity.rank());
                Some(format!("{WAITS}{place}#{}#{}", sortable(self.since), self.alert))
            }
            State::Dead => Some(format!("{DEAD}{}#{}", sortable(self.dead_at.unwrap_or(self.due)), self.alert)),
            State::Resting if self.over => None,
            State::Resting => self.told_at.map(|told| format!("{TOLD}{}#{}", sortable(told), self.alert)),
        }
    }

    fn next_time(&self) -> Option<String> {
        match self.state {
            State::Waiting => Some(sortable(self.due)),
            State::Claimed => Some(sortable(self.until.unwrap_or(self.due))),
            State::Resting | State::Dead => None,
        }
    }

    /// The item, with the next version.
    pub(super) fn item(&self) -> Item {
        let state = STATES.iter().find(|(state, _)| *state == self.state).map_or("", |(_, name)| name);
        Item::at(&key(&self.sink, &self.alert))
            .number(VERSION, self.version.saturating_add(1))
            .maybe_text(ORDER, self.order().as_deref())
            .maybe_text(DUE, self.next_time().as_deref())
            .text("state", state)
            .number("severity", self.severity.rank())
            .time("since", self.since)
            .time("due", self.due)
            .number("wanted", self.wanted)
            .number("base", self.base)
            .number("delivered", self.delivered)
            .maybe_time("told_at", self.told_at)
            .maybe_text("memo", self.memo.as_deref())
            .number("attempts", self.attempts)
            .flag("unsettled", self.unsettled)
            .flag("reminder", self.reminder)
            .maybe_text("group", self.group.as_deref())
            .flag("skip_if_undone", self.skip_if_undone)
            .number("fence", self.fence)
            .maybe_text("owner", self.owner.as_deref())
            .maybe_time("until", self.until)
            .number("claimed", self.claimed)
            .maybe_text("error", self.error.as_deref())
            .maybe_time("dead_at", self.dead_at)
            .flag("over", self.over)
    }

    /// The write that puts it in place of what was read.
    pub(super) fn write(&self) -> Write {
        Write::Put(self.item(), If::read(self.version))
    }

    /// The delivery in an item.
    pub(super) fn read(item: &Item) -> Result<Self, Failure> {
        let Key { pk, sk } = item.key()?;
        let name = item.get_text("state")?;
        let state = STATES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state);
        Ok(Self {
            sink: pk.strip_prefix("sink#").unwrap_or_default().to_owned(),
            alert: sk,
            state: state.ok_or_else(|| Failure::Damaged(format!("`{name}` is no state of a delivery")))?,
            severity: severity(item.get_number("severity")?)?,
            since: item.get_time("since")?,
            due: item.get_time("due")?,
            wanted: item.get_number("wanted")?,
            base: item.get_number("base")?,
            delivered: item.get_number("delivered")?,
            told_at: item.maybe_get_time("told_at")?,
            memo: item.get_owned("memo")?,
            attempts: item.get_number("attempts")?,
            unsettled: item.get_flag("unsettled"),
            reminder: item.get_flag("reminder"),
            group: item.get_owned("group")?,
            skip_if_undone: item.get_flag("skip_if_undone"),
            fence: item.get_number("fence")?,
            owner: item.get_owned("owner")?,
            until: item.maybe_get_time("until")?,
            claimed: item.get_number("claimed")?,
            error: item.get_owned("error")?,
            dead_at: item.maybe_get_time("dead_at")?,
            over: item.get_flag("over"),
            version: item.version()?,
        })
    }
}
