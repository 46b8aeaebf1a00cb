//! What one worker does about leases, without I/O: it says what to ask of the table and is told the answers.
//!
//! Everything that decides is here, so that tests can explore it with lost writes, late answers, pauses and clocks that
//! run apart. Times are milliseconds of a clock that only goes forward and is compared with no other worker's.
//!
//! A lease is held for a little less than the failover time from the moment its last renewal was *sent*; others take it
//! a failover time after they *saw* its counter change last. So whoever loses it knows first. A lease taken from a
//! worker that lives waits a failover time before it is used. Every write is conditional on the counter, which grows
//! with each; so of all who want to write one row one does, and a write that arrives late does nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    balance::{Standing, Why, takes, workable},
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

/// What the table, or the stream, is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// All rows.
    Scan,
    /// The stream's shards.
    Shards,
    /// One row.
    Read(String),
    /// A new row, if the shard has none.
    Create(Row),
    /// A change of a shard's row, if it has this counter.
    Update(String, u64, Change),
    /// Removal of a shard's row, if it has this counter.
    Remove(String, u64),
}

/// Something to ask. Each is answered once, if only by [`Answer::Failed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Goes back with the answer.
    pub id: u64,
    /// What.
    pub ask: Ask,
    /// It is not worth sending after this time.
    pub not_after: Millis,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All rows.
    Rows(Vec<Row>),
    /// All shards.
    Shards(Vec<ShardInfo>),
    /// The row that was asked for.
    Row(Option<Row>),
    /// It was written.
    Done,
    /// It was not, because the row is not as expected but so.
    Refused(Option<Row>),
    /// Nothing is known: it may have been done, or be done yet.
    Failed,
}

/// What whoever runs the work must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The shard is this worker's from now on.
    Gained {
        /// The shard.
        shard: String,
        /// Grows with each time the shard is gained, by whomever.
        epoch: u64,
        /// Up to where it was read.
        checkpoint: Checkpoint,
    },
    /// It no longer is.
    Lost {
        /// The shard.
        shard: String,
        /// As when it was gained.
        epoch: u64,
    },
    /// A checkpoint is in the table; after `ShardEnd` the lease is over.
    Stored {
        /// The shard.
        shard: String,
        /// As when it was gained.
        epoch: u64,
        /// Up to where.
        checkpoint: Checkpoint,
    },
    /// The lease was given back.
    Released {
        /// The shard.
        shard: String,
        /// As when it was gained.
        epoch: u64,
    },
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

    /// Takes in an answer.
    pub fn answer(&mut self, id: u64, answer: Answer, now: Millis) {
        self.expire(now);
        let Some(Pending { sent, about }) = self.pending.remove(&id) else { return };
        match about {
            About::Scan => self.scanned(answer, now),
            About::Shards => self.took_list(answer, (sent, now)),
            About::Take { row, why } => self.took(row, why, &answer, (sent, now)),
            About::Held { shard, epoch, step } => {
                if self.held.get(&shard).is_some_and(|held| held.epoch == epoch) {
                    self.stepped(&shard, &step, answer, (sent, now));
                }
            }
            About::Create(row) => {
                self.is_creating = false;
                // Whether it was made is not known, and the next one must not come before it.
                if answer == Answer::Failed {
                    self.creations.push_front(row);
                    self.create_at = now.saturating_add(self.settings.retry_after());
                }
            }
            About::Remove => {}
        }
    }

    fn took(&mut self, row: Row, why: Why, answer: &Answer, (sent, now): (Millis, Millis)) {
        let valid_until = sent.saturating_add(self.settings.validity());
        if *answer != Answer::Done || now >= valid_until {
            return;
        }
        let epoch = row.counter.saturating_add(1);
        let stage = match why {
            // Whoever held it renewed at the latest before this was written, which was at the latest now.
            Why::Held => Stage::Waiting { until: now.saturating_add(self.settings.failover()) },
            Why::Idle => Stage::Working,
        };
        if stage == Stage::Working && !self.is_draining {
            let (shard, checkpoint) = (row.shard.clone(), row.checkpoint.clone());
            self.events.push(Event::Gained { shard, epoch, checkpoint });
        }
        let held = Held {
            counter: epoch,
            epoch,
            checkpoint: row.checkpoint,
            valid_until,
            renew_at: sent.saturating_add(self.settings.renew_every()),
            not_before: 0,
            stage,
            is_busy: false,
            wanted: None,
            ending: None,
            is_released: self.is_draining,
        };
        self.held.insert(row.shard, held);
    }

    /// A step about a lease was answered.
    fn stepped(&mut self, shard: &str, step: &Step, answer: Answer, (sent, now): (Millis, Millis)) {
        let settings = self.settings.clone();
        let Some(held) = self.held.get_mut(shard) else { return };
        held.is_busy = false;
        match (step, answer) {
            (_, Answer::Failed) => held.not_before = now.saturating_add(settings.retry_after()),
            (Step::Write(change), Answer::Done) => {
                held.counter = held.counter.saturating_add(1);
                held.valid_until = held.valid_until.max(sent.saturating_add(settings.validity()));
                held.renew_at = sent.saturating_add(settings.renew_every());
                self.written(shard, change);
            }
            (Step::Write(_), Answer::Refused(row)) => self.refused(shard, row),
            (Step::SeeParent(parent), Answer::Row(row)) => {
                if row.is_some() || !self.listed.0.contains(parent) {
                    let ending = held.ending.as_mut();
                    ending.into_iter().for_each(|ending| ending.parents.retain(|known| known != parent));
                } else {
                    // Somebody makes its row.
                    held.not_before = now.saturating_add(settings.renew_every()).min(held.renew_at);
                }
            }
            (Step::MakeChild, Answer::Done | Answer::Refused(_)) => {
                if let Some(ending) = &mut held.ending {
                    ending.made = ending.made.saturating_add(1);
                }
            }
            // It is about to be given back.
            (Step::Confirm, _) if held.is_released => {}
            (Step::Confirm, Answer::Row(Some(row))) if row.owner.as_deref() == Some(settings.worker.as_str()) => {
                held.counter = row.counter;
                held.checkpoint = row.checkpoint.clone();
                held.stage = Stage::Working;
                let (epoch, checkpoint) = (held.epoch, row.checkpoint);
                self.events.push(Event::Gained { shard: shard.to_owned(), epoch, checkpoint });
            }
            _ => self.lose(shard),
        }
    }

    fn written(&mut self, shard: &str, change: &Change) {
        let Some(held) = self.held.get_mut(shard) else { return };
        let (epoch, owned) = (held.epoch, shard.to_owned());
        match change {
            Change::Checkpoint(checkpoint) => {
                held.checkpoint = checkpoint.clone();
                held.wanted.take_if(|wanted| *wanted <= *checkpoint);
                self.events.push(Event::Stored { shard: owned, epoch, checkpoint: checkpoint.clone() });
            }
            Change::End(_) => {
                self.held.remove(shard);
                // Its children can begin.
                self.scan_at = self.scan_at.map(|_| 0);
                self.events.push(Event::Stored { shard: owned, epoch, checkpoint: Checkpoint::ShardEnd });
            }
            Change::Release => {
                self.held.remove(shard);
                self.events.push(Event::Released { shard: owned, epoch });
            }
            Change::Renew | Change::Take { .. } => {}
        }
    }

    /// The row is not as this worker left it: an earlier write of its own arrived after all, or somebody else took it.
    fn refused(&mut self, shard: &str, row: Option<Row>) {
        let Some(held) = self.held.get_mut(shard) else { return };
        let Some(row) = row.filter(|row| row.counter > held.counter) else {
            self.lose(shard);
            return;
        };
        if row.owner.as_deref() == Some(self.settings.worker.as_str()) {
            held.counter = row.counter;
            if row.checkpoint > held.checkpoint {
                held.checkpoint = row.checkpoint;
            }
        } else if row.owner.is_none() && row.is_ended() && held.ending.is_some() {
            self.written(shard, &Change::End(Vec::new()));
        } else if row.owner.is_none() && held.is_released {
            self.written(shard, &Change::Release);
        } else {
            self.lose(shard);
        }
    }

    fn lose(&mut self, shard: &str) {
        if let Some(held) = self.held.remove(shard)
            && held.stage == Stage::Working
        {
            self.events.push(Event::Lost { shard: shard.to_owned(), epoch: held.epoch });
        }
    }

    fn expire(&mut self, now: Millis) {
        let expired = self.held.iter().filter(|(_, held)| held.valid_until <= now);
        let expired: Vec<(String, bool)> =
            expired.map(|(shard, held)| (shard.clone(), held.stage == Stage::Working)).collect();
        for (shard, was_working) in expired {
            self.lose(&shard);
            if was_working {
                self.expired.insert(shard);
            }
        }
    }

    fn scanned(&mut self, answer: Answer, now: Millis) {
        let failover = self.settings.failover();
        // Not all at the same time.
        let pause = failover / 2;
        self.scan_at = Some(now.saturating_add(pause).saturating_add(self.random.u64(0..=pause / 4)));
        let Answer::Rows(rows) = answer else { return };
        self.seen.retain(|shard, _| rows.iter().any(|row| row.shard == *shard));
        for row in &rows {
            let seen = self.seen.entry(row.shard.clone()).or_insert_with(|| Seen {
                counter: row.counter,
                changed_at: now,
                owner: row.owner.clone(),
                owned_since: now,
                removable_since: None,
            });
            if seen.counter != row.counter {
                (seen.counter, seen.changed_at, seen.removable_since) = (row.counter, now, None);
            }
            if seen.owner != row.owner {
                (seen.owner, seen.owned_since) = (row.owner.clone(), now);
            }
        }
        self.clean(&rows, now);
        if !self.is_draining {
            self.choose(&rows, now);
        }
        self.rows = Some(rows);
    }

    /// Decides what to take of the table as it is.
    fn choose(&mut self, rows: &[Row], now: Millis) {
        let failover = self.settings.failover();
        let is_taken = |row: &Row| {
            let mut takes = self.pending.values();
            takes.any(|pending| matches!(&pending.about, About::Take { row: taken, .. } if taken.shard == row.shard))
        };
        let unknown = workable(rows).filter(|row| !self.held.contains_key(&row.shard) && !is_taken(row));
        let candidates: Vec<(&Row, Standing)> = unknown
            .map(|row| {
                let seen = self.seen.get(&row.shard);
                let silent = seen.map_or(0, |seen| now.saturating_sub(seen.changed_at));
                let owned = seen.map_or(0, |seen| now.saturating_sub(seen.owned_since));
                let standing = match &row.owner {
                    None => Standing::Free,
                    Some(owner) if *owner == self.settings.worker => Standing::Mine,
                    Some(_) if silent >= failover.saturating_mul(FORSAKEN) => Standing::Forsaken,
                    Some(_) if silent >= failover => Standing::Expired,
                    Some(_) if owned < failover.saturating_mul(SETTLED) => Standing::New,
                    Some(_) => Standing::Live,
                };
                (row, standing)
            })
            .collect();
        let taking = self.pending.values().filter(|pending| matches!(pending.about, About::Take { .. })).count();
        let kept = self.held.values().filter(|held| !held.is_released).count();
        let may_steal = now >= self.steal_at;
        let takes = takes(&candidates, kept.saturating_add(taking), may_steal, &mut self.random);
        for (shard, why) in takes {
            let Some((row, standing)) = candidates.iter().find(|(row, _)| row.shard == shard) else { continue };
            // After one try it is not known any more who wrote last.
            let was_mine = self.expired.remove(&shard) && *standing == Standing::Mine;
            let why = if was_mine { Why::Idle } else { why };
            if *standing == Standing::Live {
                self.steal_at = now.saturating_add(failover.saturating_mul(STEAL_EVERY));
            }
            self.takes.push(((*row).clone(), why));
        }
    }

    /// Rows of ended shards go once their children have begun, and some time later, so that no write of long ago finds
    /// them gone.
    fn clean(&mut self, rows: &[Row], now: Millis) {
        let has_begun = |child: &String| {
            let child = rows.iter().find(|row| row.shard == *child);
            child.is_none_or(|child| matches!(child.checkpoint, Checkpoint::Sequence(_) | Checkpoint::ShardEnd))
        };
        for row in rows.iter().filter(|row| row.is_ended()) {
            let Some(seen) = self.seen.get_mut(&row.shard) else { continue };
            if !row.children.iter().all(has_begun) {
                seen.removable_since = None;
                continue;
            }
            let since = *seen.removable_since.get_or_insert(now);
            if now.saturating_sub(since) >= self.settings.failover().saturating_mul(ENDED_KEPT) {
                self.removals.push((row.shard.clone(), row.counter));
            }
        }
    }

    fn took_list(&mut self, answer: Answer, (sent, now): (Millis, Millis)) {
        let failover = self.settings.failover();
        self.shards_at = Some(now.saturating_add(failover.saturating_mul(SHARDS_EVERY)));
        let (Answer::Shards(shards), Some(rows)) = (answer, &self.rows) else {
            self.shards_at = Some(now.saturating_add(self.settings.renew_every()));
            return;
        };
        self.listed = (shards.iter().map(|shard| shard.id.clone()).collect(), Some(sent));
        let mut endings = self.held.values().filter_map(|held| held.ending.as_ref());
        if endings.any(|ending| !ending.knows_parents(Some(sent))) {
            self.shards_at = Some(now);
        }
        let missing = self.holes.missing(&shards, rows, &self.settings.first);
        if self.creations.is_empty() {
            self.creations.extend(missing);
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
