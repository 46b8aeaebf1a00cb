//! What one worker does about leases, without I/O: it says what to ask of the table and is told the answers.
//!
//! Everything that decides is here, so that tests can explore it with lost writes, late answers, pauses and clocks that
//! run apart. Times are milliseconds of a clock that only goes forward and is compared with no other worker's.
//!
//! A lease is held for a little less than the failover time from the moment its last renewal was *sent*; others take it
//! a failover time after they *saw* its counter change last. So whoever loses it knows first. A lease taken from a
//! worker that lives waits a failover time before it is used. Every write is conditional on the counter, which grows
//! with each; so of all who want to write one row one does, and a write that arrives late does nothing.

mod answers;
mod exchange;
mod survey;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use exchange::{Answer, Ask, Event, Request};

use super::{
    balance::Why,
    row::{Change, Checkpoint, Row, ShardInfo},
    shards::Holes,
};

/// Milliseconds of a worker's own clock.
pub type Millis = u64;

/// A lease is held for so much of the failover time, in percent; the rest is for clocks that run apart.
const VALID_PERCENT: u64 = 85;
/// Renewals in one failover time.
const RENEWALS: u64 = 3;
/// After so many failover times without a sign of life a lease is taken whatever the balance.
const FORSAKEN: u64 = 3;
/// Failover times between two leases taken from workers that live.
const STEAL_EVERY: u64 = 2;
/// Failover times for which a worker has a lease before it is taken from it.
const SETTLED: u64 = 3;
/// Failover times between two looks at the stream's shards.
const SHARDS_EVERY: u64 = 6;
/// Failover times for which an ended shard's row stays after its children have begun.
const ENDED_KEPT: u64 = 30;
/// Parts of a failover time before a failed write is tried again.
const RETRY_PARTS: u64 = 20;

/// How a worker behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its name, which no other worker ever has.
    pub worker: String,
    /// After how long without a sign of life a worker's leases are taken.
    pub failover_ms: Millis,
    /// Where shards begin when the table has no row at all.
    pub first: Checkpoint,
}

impl Settings {
    const fn failover(&self) -> Millis {
        self.failover_ms
    }

    /// For how long a renewal holds.
    #[must_use]
    pub const fn validity(&self) -> Millis {
        self.failover_ms.saturating_mul(VALID_PERCENT) / 100
    }

    const fn renew_every(&self) -> Millis {
        self.failover_ms / RENEWALS
    }

    const fn retry_after(&self) -> Millis {
        self.failover_ms / RETRY_PARTS + 1
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Its former holder may still believe to hold it.
    Waiting { until: Millis },
    /// It is worked on.
    Working,
}

#[derive(Debug, Clone)]
struct Held {
    counter: u64,
    epoch: u64,
    checkpoint: Checkpoint,
    valid_until: Millis,
    renew_at: Millis,
    /// Nothing is written before, because the last write failed.
    not_before: Millis,
    stage: Stage,
    /// One write at a time, because each expects the counter of the one before.
    is_busy: bool,
    wanted: Option<Checkpoint>,
    ending: Option<Ending>,
    is_released: bool,
}

/// A shard that was read to its end.
#[derive(Debug, Clone)]
struct Ending {
    children: Vec<ShardInfo>,
    made: usize,
    /// The other parents of its children. Each must have a row before the children get theirs, or these would not wait
    /// for it; unless the stream no longer has it, which a list of shards asked for since then says.
    parents: Vec<String>,
    since: Millis,
}

/// When a row of somebody else was last seen to change.
#[derive(Debug, Clone)]
struct Seen {
    counter: u64,
    changed_at: Millis,
    owner: Option<String>,
    owned_since: Millis,
    /// Since when it could be removed.
    removable_since: Option<Millis>,
}

/// What a request was about.
#[derive(Debug, Clone)]
enum About {
    Scan,
    Shards,
    Take { row: Row, why: Why },
    Held { shard: String, epoch: u64, step: Step },
    Create(Row),
    Remove,
}

/// What is done about a lease that is held.
#[derive(Debug, Clone)]
enum Step {
    Confirm,
    SeeParent(String),
    MakeChild,
    Write(Change),
}

#[derive(Debug, Clone)]
struct Pending {
    sent: Millis,
    about: About,
}

/// A worker.
#[derive(Debug, Clone)]
pub struct Worker {
    settings: Settings,
    random: fastrand::Rng,
    held: BTreeMap<String, Held>,
    seen: BTreeMap<String, Seen>,
    /// Leases that were worked on until they expired. As long as the table says that they are this worker's, nobody else
    /// has had them since.
    expired: BTreeSet<String>,
    /// The table as last seen; `None` before the first look.
    rows: Option<Vec<Row>>,
    pending: BTreeMap<u64, Pending>,
    next_id: u64,
    takes: Vec<(Row, Why)>,
    removals: Vec<(String, u64)>,
    /// Rows to be made, parents first, one after the other: a child's row without its parent's would not wait for it.
    creations: VecDeque<Row>,
    is_creating: bool,
    create_at: Millis,
    scan_at: Option<Millis>,
    shards_at: Option<Millis>,
    steal_at: Millis,
    holes: Holes,
    /// The shards as last listed, and when that list was asked for.
    listed: (Vec<String>, Option<Millis>),
    is_draining: bool,
    events: Vec<Event>,
}

impl Worker {
    /// A worker that begins now. `seed` decides its random choices.
    #[must_use]
    pub fn new(settings: Settings, seed: u64, now: Millis) -> Self {
        Self {
            settings,
            random: fastrand::Rng::with_seed(seed),
            held: BTreeMap::new(),
            seen: BTreeMap::new(),
            expired: BTreeSet::new(),
            rows: None,
            pending: BTreeMap::new(),
            next_id: 0,
            takes: Vec::new(),
            removals: Vec::new(),
            creations: VecDeque::new(),
            is_creating: false,
            create_at: 0,
            scan_at: Some(now),
            shards_at: Some(now),
            steal_at: now,
            holes: Holes::default(),
            listed: (Vec::new(), None),
            is_draining: false,
            events: Vec::new(),
        }
    }

    /// What happened since this was last asked.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The table as last seen.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        self.rows.as_deref().unwrap_or_default()
    }

    /// Whether the lease of this epoch is held, now.
    #[must_use]
    pub fn is_held(&self, shard: &str, epoch: u64, now: Millis) -> bool {
        self.held
            .get(shard)
            .is_some_and(|held| held.epoch == epoch && held.stage == Stage::Working && now < held.valid_until)
    }

    /// The shards that are worked on, with their epochs.
    pub fn working(&self) -> impl Iterator<Item = (&str, u64)> {
        let working = self.held.iter().filter(|(_, held)| held.stage == Stage::Working);
        working.map(|(shard, held)| (shard.as_str(), held.epoch))
    }

    /// Wants a checkpoint in the table; [`Event::Stored`] says when it is there. `false` when the lease is lost.
    pub fn checkpoint(&mut self, shard: &str, epoch: u64, checkpoint: Checkpoint, now: Millis) -> bool {
        if !self.is_held(shard, epoch, now) {
            return false;
        }
        let Some(held) = self.held.get_mut(shard) else { return false };
        if checkpoint <= held.checkpoint {
            let checkpoint = held.checkpoint.clone();
            self.events.push(Event::Stored { shard: shard.to_owned(), epoch, checkpoint });
        } else if held.wanted.as_ref().is_none_or(|wanted| *wanted < checkpoint) {
            held.wanted = Some(checkpoint);
        }
        true
    }

    /// Wants the shard's end in the table, and before it rows for the shards that it became. `false` when the lease is
    /// lost.
    pub fn end(&mut self, shard: &str, epoch: u64, children: Vec<ShardInfo>, now: Millis) -> bool {
        if !self.is_held(shard, epoch, now) {
            return false;
        }
        let parents = children.iter().flat_map(|child| child.parents.iter().filter(|parent| *parent != shard));
        let parents: BTreeSet<String> = parents.cloned().collect();
        if let Some(held) = self.held.get_mut(shard).filter(|held| held.ending.is_none()) {
            let parents: Vec<String> = parents.into_iter().collect();
            if !parents.is_empty() {
                self.shards_at = self.shards_at.map(|_| now);
            }
            held.ending = Some(Ending { children, made: 0, parents, since: now });
        }
        true
    }

    /// Gives a lease back; the work on it must have stopped. [`Event::Released`] says when it is done.
    pub fn release(&mut self, shard: &str, epoch: u64) {
        if let Some(held) = self.held.get_mut(shard).filter(|held| held.epoch == epoch) {
            held.is_released = true;
        }
    }

    /// Takes nothing more; what is worked on goes on until it is released.
    pub fn drain(&mut self) {
        self.is_draining = true;
        self.takes.clear();
        for held in self.held.values_mut().filter(|held| held.stage != Stage::Working) {
            held.is_released = true;
        }
    }

    /// When there is something to do next, unless an answer comes before.
    #[must_use]
    pub fn wake_at(&self) -> Millis {
        let creations = (!self.is_creating && !self.creations.is_empty()).then_some(self.create_at);
        let shards = self.shards_at.filter(|_| self.rows.is_some());
        let held = self.held.values().flat_map(|held| {
            let next = if held.is_busy { None } else { Some(self.next_step_at(held)) };
            [Some(held.valid_until), next]
        });
        let now = if self.takes.is_empty() && self.removals.is_empty() { None } else { Some(0) };
        held.chain([self.scan_at, shards, creations, now]).flatten().min().unwrap_or(Millis::MAX)
    }

    fn next_step_at(&self, held: &Held) -> Millis {
        let waits_for_list = held.ending.as_ref().is_some_and(|ending| !ending.knows_parents(self.listed.1));
        let is_waiting = matches!(held.stage, Stage::Waiting { .. });
        let step = if !is_waiting && (held.is_released || (held.ending.is_some() && !waits_for_list)) {
            0
        } else {
            match held.stage {
                Stage::Waiting { until } => until.min(held.renew_at),
                Stage::Working if held.wanted.is_some() => 0,
                Stage::Working => held.renew_at,
            }
        };
        step.max(held.not_before)
    }

    /// What is to be asked now.
    pub fn poll(&mut self, now: Millis) -> Vec<Request> {
        self.expire(now);
        let mut requests = Vec::new();
        self.poll_held(now, &mut requests);
        let far = now.saturating_add(self.settings.failover());
        for (row, why) in std::mem::take(&mut self.takes) {
            let switches = row.owner.is_some();
            let change = Change::Take { owner: self.settings.worker.clone(), switches };
            let ask = Ask::Update(row.shard.clone(), row.counter, change);
            let not_after = now.saturating_add(self.settings.validity());
            requests.push(self.ask(now, not_after, ask, About::Take { row, why }));
        }
        for (shard, counter) in std::mem::take(&mut self.removals) {
            requests.push(self.ask(now, far, Ask::Remove(shard, counter), About::Remove));
        }
        if !self.is_creating
            && now >= self.create_at
            && let Some(row) = self.creations.pop_front()
        {
            self.is_creating = true;
            requests.push(self.ask(now, far, Ask::Create(row.clone()), About::Create(row)));
        }
        if self.scan_at.is_some_and(|at| at <= now) {
            self.scan_at = None;
            requests.push(self.ask(now, far, Ask::Scan, About::Scan));
        }
        if self.rows.is_some() && self.shards_at.is_some_and(|at| at <= now) {
            self.shards_at = None;
            requests.push(self.ask(now, far, Ask::Shards, About::Shards));
        }
        requests
    }

    fn ask(&mut self, now: Millis, not_after: Millis, ask: Ask, about: About) -> Request {
        self.next_id = self.next_id.saturating_add(1);
        self.pending.insert(self.next_id, Pending { sent: now, about });
        Request { id: self.next_id, ask, not_after }
    }

    fn poll_held(&mut self, now: Millis, requests: &mut Vec<Request>) {
        let due: Vec<String> = self
            .held
            .iter()
            .filter(|(_, held)| !held.is_busy && self.next_step_at(held) <= now)
            .map(|(shard, _)| shard.clone())
            .collect();
        for shard in due {
            let Some(held) = self.held.get_mut(&shard) else { continue };
            held.is_busy = true;
            let (step, not_after) = (held.step(now), held.valid_until);
            let (epoch, counter) = (held.epoch, held.counter);
            let ask = match (&step, &held.ending) {
                (Step::SeeParent(parent), _) => Ask::Read(parent.clone()),
                (Step::MakeChild, Some(ending)) => match ending.children.get(ending.made) {
                    Some(child) => Ask::Create(Row::new(child, Checkpoint::TrimHorizon, counter)),
                    None => Ask::Read(shard.clone()),
                },
                (Step::Write(change), _) => Ask::Update(shard.clone(), counter, change.clone()),
                _ => Ask::Read(shard.clone()),
            };
            requests.push(self.ask(now, not_after, ask, About::Held { shard, epoch, step }));
        }
    }
}

impl Ending {
    /// Whether a list of shards asked for at this time says which other parents there are.
    fn knows_parents(&self, listed: Option<Millis>) -> bool {
        self.parents.is_empty() || listed.is_some_and(|listed| listed >= self.since)
    }
}

impl Held {
    /// What is to be done about it now.
    fn step(&self, now: Millis) -> Step {
        // A lease whose former holder may still believe to hold it is not given back before: it would be taken at once.
        let is_waiting = matches!(self.stage, Stage::Waiting { until } if now < until);
        if self.is_released && !is_waiting {
            return Step::Write(Change::Release);
        }
        if is_waiting || (now >= self.renew_at && self.wanted.is_none()) {
            return Step::Write(Change::Renew);
        }
        if let Stage::Waiting { .. } = self.stage {
            return Step::Confirm;
        }
        if let Some(wanted) = &self.wanted {
            return Step::Write(Change::Checkpoint(wanted.clone()));
        }
        let Some(ending) = &self.ending else { return Step::Write(Change::Renew) };
        match ending.parents.first() {
            Some(parent) => Step::SeeParent(parent.clone()),
            None if ending.made < ending.children.len() => Step::MakeChild,
            None => Step::Write(Change::End(ending.children.iter().map(|child| child.id.clone()).collect())),
        }
    }
}
