//! The lease protocol, explored: several workers over a model of the table, with answers that are late or lost, workers
//! that pause, die, leave and join, clocks that run apart, and shards that split and merge and are trimmed, read or not.
//!
//! Each schedule follows from its seed, which every failure names. The model does what DynamoDB guarantees: one write
//! after the other, each if its condition holds, whenever it arrives.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "all of it is a test, its helpers too"
)]

mod leases_world;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use bedrock_watch_aws::leases::{
    Change, Checkpoint, Row, ShardInfo,
    protocol::{Answer, Ask, Event, Millis, Request, Settings, Worker},
};

/// The failover time of every worker, in milliseconds.
const FAILOVER: Millis = 10_000;
/// How long a worker waits for an answer.
const PATIENCE: Millis = 2_000;
/// How long things go wrong.
const TROUBLE: Millis = 40 * FAILOVER;
/// How long they go right afterwards.
const QUIET: Millis = 70 * FAILOVER;
/// Once things go right, how long a shard may be without a worker.
const UNOWNED_MAX: Millis = 5 * FAILOVER;
/// Steps between two looks at everything.
const CHECK_EVERY: u64 = 8;
/// Schedules explored.
const SCHEDULES: u64 = 2_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A worker has something to do.
    Wake,
    /// A request reaches the table.
    Arrives(u64),
    /// Its answer reaches the worker.
    Answered(u64),
    /// The worker waits no longer for it.
    GivenUp(u64),
    /// The work on a shard goes on.
    Work(String, u64),
    /// The work on a shard has stopped, so that the lease can be given back.
    Stopped(String, u64),
    /// Something goes wrong, or is changed.
    Trouble,
}

/// A shard of the stream.
#[derive(Debug, Clone)]
struct Shard {
    parents: Vec<String>,
    children: Vec<String>,
    /// The number of its last record, once it is closed.
    end: Option<u64>,
    written: u64,
    /// Whether its records are no longer kept, so that the stream does not list it any more.
    is_trimmed: bool,
}

#[derive(Debug)]
struct Sim {
    worker: Worker,
    /// Its clock: `offset + time * rate / 1000`.
    offset: u64,
    rate: u64,
    paused_until: Millis,
    is_alive: bool,
    is_leaving: bool,
    /// Up to where each shard was read that it works on.
    jobs: BTreeMap<(String, u64), u64>,
    next_wake: Millis,
}

impl Sim {
    fn local(&self, time: Millis) -> Millis {
        self.offset + time * self.rate / 1_000
    }

    fn global(&self, local: Millis) -> Millis {
        (local.saturating_sub(self.offset)).saturating_mul(1_000) / self.rate + 1
    }
}

struct World {
    seed: u64,
    random: fastrand::Rng,
    time: Millis,
    is_quiet: bool,
    order: u64,
    queue: BinaryHeap<Reverse<(Millis, u64, usize, What)>>,
    /// On the way to the table, whether anybody waits for it or not.
    under_way: BTreeMap<(usize, u64), Ask>,
    waited_for: BTreeSet<(usize, u64)>,
    answers: BTreeMap<(usize, u64), Answer>,
    workers: Vec<Sim>,
    table: BTreeMap<String, Row>,
    stream: BTreeMap<String, Shard>,
    /// What must only grow.
    checkpoints: BTreeMap<String, Checkpoint>,
    epochs: BTreeMap<String, u64>,
    unowned_since: BTreeMap<String, Millis>,
    unowned_longest: Millis,
    balanced_since: Option<Millis>,
    gained: u64,
    /// Shards that somebody had and that were trimmed before they were read to their end.
    lost: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let stream = (0..random.u64(1..=6)).map(|number| {
            let (parents, children) = (Vec::new(), Vec::new());
            let shard = Shard { parents, children, end: None, written: 1, is_trimmed: false };
            (format!("shard-{number:06}"), shard)
        });
        let stream = stream.collect();
        let mut world = Self {
            seed,
            random,
            time: 1_000,
            is_quiet: false,
            order: 0,
            queue: BinaryHeap::new(),
            under_way: BTreeMap::new(),
            waited_for: BTreeSet::new(),
            answers: BTreeMap::new(),
            workers: Vec::new(),
            table: BTreeMap::new(),
            stream,
            checkpoints: BTreeMap::new(),
            epochs: BTreeMap::new(),
            unowned_since: BTreeMap::new(),
            unowned_longest: 0,
            balanced_since: None,
            gained: 0,
            lost: 0,
        };
        for _ in 0..world.random.u64(1..=4) {
            world.join();
        }
        world.at(world.time, 0, What::Trouble);
        world
    }

    fn fail(&self, what: &str) -> ! {
        let rows = self.table.values().map(|row| format!("{row:?}")).collect::<Vec<_>>().join("\n");
        panic!("seed {}, at {} ms: {what}\n{rows}", self.seed, self.time)
    }

    fn at(&mut self, time: Millis, worker: usize, what: What) {
        self.order += 1;
        self.queue.push(Reverse((time, self.order, worker, what)));
    }

    fn join(&mut self) {
        let number = self.workers.len();
        let (offset, rate) = (self.random.u64(0..1_000_000_000), self.random.u64(980..=1_020));
        let settings =
            Settings { worker: format!("worker {number}"), failover_ms: FAILOVER, first: Checkpoint::TrimHorizon };
        let began = offset + self.time * rate / 1_000;
        let sim = Sim {
            worker: Worker::new(settings, self.random.u64(..), began),
            offset,
            rate,
            paused_until: 0,
            is_alive: true,
            is_leaving: false,
            jobs: BTreeMap::new(),
            next_wake: 0,
        };
        self.workers.push(sim);
        self.at(self.time, number, What::Wake);
    }

    fn run(&mut self) {
        let mut steps: u64 = 0;
        while let Some(Reverse((time, _, worker, what))) = self.queue.pop() {
            if time > TROUBLE + QUIET {
                break;
            }
            self.time = self.time.max(time);
            if !self.is_quiet && self.time >= TROUBLE {
                self.calm();
            }
            let gained = self.gained;
            self.happen(worker, what);
            steps += 1;
            // A shard gets a second holder when it is gained; the rest is looked at now and then.
            if self.gained > gained || steps.is_multiple_of(CHECK_EVERY) {
                self.check();
            }
        }
        self.check_end();
    }

    fn happen(&mut self, worker: usize, what: What) {
        match what {
            What::Arrives(id) => return self.arrives(worker, id),
            What::Trouble => return self.trouble(),
            _ => {}
        }
        let sim = &mut self.workers[worker];
        if !sim.is_alive {
            return;
        }
        if sim.paused_until > self.time {
            let until = sim.paused_until;
            self.at(until, worker, what);
            return;
        }
        let now = sim.local(self.time);
        match what {
            What::Wake | What::Arrives(_) | What::Trouble => {}
            What::Answered(id) => {
                if let Some(answer) = self.answers.remove(&(worker, id))
                    && self.waited_for.remove(&(worker, id))
                {
                    sim.worker.answer(id, answer, now);
                }
            }
            What::GivenUp(id) => {
                if self.waited_for.remove(&(worker, id)) {
                    sim.worker.answer(id, Answer::Failed, now);
                }
            }
            What::Work(shard, epoch) => self.work(worker, &shard, epoch),
            What::Stopped(shard, epoch) => {
                sim.jobs.remove(&(shard.clone(), epoch));
                sim.worker.release(&shard, epoch);
            }
        }
        self.go_on(worker);
    }

    /// Lets a worker say what it wants, and takes in what happened to it.
    fn go_on(&mut self, number: usize) {
        let sim = &mut self.workers[number];
        let now = sim.local(self.time);
        let requests = sim.worker.poll(now);
        let events = sim.worker.events();
        let wake = sim.global(sim.worker.wake_at()).max(self.time + 1);
        if wake < sim.next_wake || sim.next_wake <= self.time {
            sim.next_wake = wake;
            self.at(wake, number, What::Wake);
        }
        for request in requests {
            let Request { id, ask, .. } = request;
            self.under_way.insert((number, id), ask);
            self.waited_for.insert((number, id));
            let (way, is_lost) = self.way();
            if !is_lost {
                self.at(self.time + way, number, What::Arrives(id));
            }
            self.at(self.time + PATIENCE, number, What::GivenUp(id));
        }
        for event in events {
            self.take_in(number, event);
        }
    }

    /// How long a message is under way, and whether it is lost.
    fn way(&mut self) -> (Millis, bool) {
        if self.is_quiet {
            return (self.random.u64(1..50), false);
        }
        match self.random.u32(0..100) {
            0..5 => (0, true),
            5..10 => (self.random.u64(50..4_000), false),
            _ => (self.random.u64(1..50), false),
        }
    }

    fn arrives(&mut self, worker: usize, id: u64) {
        let Some(ask) = self.under_way.remove(&(worker, id)) else { return };
        let answer = self.answer_of(ask);
        let (way, is_lost) = self.way();
        if !is_lost {
            self.answers.insert((worker, id), answer);
            self.at(self.time + way, worker, What::Answered(id));
        }
    }

    fn answer_of(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Scan => Answer::Rows(self.table.values().cloned().collect()),
            Ask::Shards => Answer::Shards(self.listed(self.stream.keys())),
            Ask::Read(shard) => Answer::Row(self.table.get(&shard).cloned()),
            Ask::Create(row) => {
                if let Some(there) = self.table.get(&row.shard) {
                    return Answer::Refused(Some(there.clone()));
                }
                let row = Row { counter: self.time, ..row };
                self.written(&row);
                self.table.insert(row.shard.clone(), row);
                Answer::Done
            }
            Ask::Update(shard, counter, change) => {
                let Some(row) = self.table.get_mut(&shard).filter(|row| row.counter == counter) else {
                    return Answer::Refused(self.table.get(&shard).cloned());
                };
                change.apply(row);
                let row = row.clone();
                if let Change::End(children) = &change {
                    let missing = children.iter().find(|child| !self.checkpoints.contains_key(*child));
                    if let Some(child) = missing {
                        self.fail(&format!("{shard} ended and its child {child} has no row"));
                    }
                }
                self.written(&row);
                Answer::Done
            }
            Ask::Remove(shard, counter) => {
                if self.table.get(&shard).is_none_or(|row| row.counter != counter) {
                    return Answer::Refused(self.table.get(&shard).cloned());
                }
                self.table.remove(&shard);
                Answer::Done
            }
        }
    }

    fn written(&mut self, row: &Row) {
        let before = self.checkpoints.insert(row.shard.clone(), row.checkpoint.clone());
        if before.is_some_and(|before| row.checkpoint < before) {
            self.fail(&format!("the checkpoint of {} went back", row.shard));
        }
    }

    fn info(&self, id: &str) -> ShardInfo {
        let shard = &self.stream[id];
        ShardInfo { id: id.to_owned(), parents: shard.parents.clone(), is_open: shard.end.is_none(), hash_keys: None }
    }

    /// Of these shards, those that the stream lists.
    fn listed<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> Vec<ShardInfo> {
        ids.into_iter().filter(|id| !self.stream[*id].is_trimmed).map(|id| self.info(id)).collect()
    }

    fn take_in(&mut self, number: usize, event: Event) {
        match event {
            Event::Gained { shard, epoch, checkpoint } => {
                self.gained += 1;
                if self.epochs.insert(shard.clone(), epoch).is_some_and(|before| before >= epoch) {
                    self.fail(&format!("{shard} was gained with epoch {epoch} after a later one"));
                }
                let stored = self.table.get(&shard).map(|row| &row.checkpoint);
                if stored != Some(&checkpoint) {
                    self.fail(&format!("worker {number} begins {shard} at {checkpoint}, and it is at {stored:?}"));
                }
                // A parent that never had a row before it was trimmed holds up nobody.
                let holds_up = |parent: &&String| match self.checkpoints.get(*parent) {
                    None => !self.stream[*parent].is_trimmed,
                    Some(checkpoint) => *checkpoint != Checkpoint::ShardEnd,
                };
                let early = self.stream[&shard].parents.iter().find(holds_up);
                if let Some(parent) = early {
                    self.fail(&format!("worker {number} begins {shard} before its parent {parent} has ended"));
                }
                let position = match checkpoint {
                    Checkpoint::Sequence(sequence) => sequence.parse().unwrap(),
                    Checkpoint::TrimHorizon | Checkpoint::Latest => 0,
                    Checkpoint::ShardEnd => self.fail(&format!("{shard} had ended when it was gained")),
                };
                self.workers[number].jobs.insert((shard.clone(), epoch), position);
                self.at(self.time + 1, number, What::Work(shard, epoch));
            }
            Event::Lost { shard, epoch } | Event::Released { shard, epoch } => {
                self.workers[number].jobs.remove(&(shard, epoch));
            }
            Event::Stored { shard, epoch, checkpoint } => {
                if checkpoint == Checkpoint::ShardEnd {
                    self.workers[number].jobs.remove(&(shard, epoch));
                }
            }
        }
    }

    fn work(&mut self, number: usize, shard: &str, epoch: u64) {
        let job = (shard.to_owned(), epoch);
        let Some(position) = self.workers[number].jobs.get(&job).copied() else { return };
        let known = &self.stream[shard];
        let position = (position + self.random.u64(0..5)).min(known.end.unwrap_or(known.written));
        let children = self.listed(&known.children);
        // Of one that is trimmed the rest is lost.
        let is_read = known.end == Some(position);
        let has_ended = known.is_trimmed || is_read;
        self.lost += u64::from(has_ended && !is_read);
        let sim = &mut self.workers[number];
        let now = sim.local(self.time);
        sim.jobs.insert(job, position);
        let goes_on = if has_ended {
            sim.worker.end(shard, epoch, children, now)
        } else {
            position == 0 || sim.worker.checkpoint(shard, epoch, Checkpoint::Sequence(position.to_string()), now)
        };
        if goes_on && !has_ended {
            let pause = self.random.u64(FAILOVER / 10..FAILOVER / 2);
            self.at(self.time + pause, number, What::Work(shard.to_owned(), epoch));
        }
    }

    /// One thing goes wrong or is changed, and the next one is planned.
    fn trouble(&mut self) {
        if self.is_quiet {
            // The stream goes on.
            for shard in self.stream.values_mut().filter(|shard| shard.end.is_none()) {
                shard.written += 5;
            }
            return self.at(self.time + FAILOVER, 0, What::Trouble);
        }
        for shard in self.stream.values_mut().filter(|shard| shard.end.is_none()) {
            shard.written += 5;
        }
        let alive: Vec<usize> = (0..self.workers.len()).filter(|number| self.workers[*number].is_alive).collect();
        let some = alive[self.random.usize(0..alive.len())];
        match self.random.u32(0..100) {
            0..35 => {
                let length = self.random.u64(100..4 * FAILOVER);
                self.workers[some].paused_until = self.time + length;
            }
            35..45 if alive.len() > 1 => self.workers[some].is_alive = false,
            45..55 if alive.len() > 1 => self.leave(some),
            55..70 if alive.len() < 5 => self.join(),
            70..82 => self.split(),
            82..88 => self.merge(),
            88..96 => self.trim(),
            _ => {}
        }
        let pause = self.random.u64(FAILOVER / 10..3 * FAILOVER);
        self.at(self.time + pause, 0, What::Trouble);
    }

    fn leave(&mut self, number: usize) {
        let sim = &mut self.workers[number];
        sim.is_leaving = true;
        sim.worker.drain();
        let jobs: Vec<(String, u64)> = sim.jobs.keys().cloned().collect();
        for (shard, epoch) in jobs {
            let pause = self.random.u64(1..FAILOVER / 5);
            self.at(self.time + pause, number, What::Stopped(shard, epoch));
        }
        self.at(self.time, number, What::Wake);
    }
}

/// Explores schedules; returns how often shards changed hands, how many were trimmed before they were read, and the
/// longest time that one had no worker when nothing went wrong.
fn explore(seeds: std::ops::Range<u64>) -> (u64, u64, Millis) {
    let mut found = (0, 0, 0);
    for seed in seeds {
        let mut world = World::new(seed);
        world.run();
        found = (found.0 + world.gained, found.1 + world.lost, found.2.max(world.unowned_longest));
    }
    found
}

#[test]
fn whatever_happens_each_shard_has_one_worker() {
    let halves = [0..SCHEDULES / 2, SCHEDULES / 2..SCHEDULES];
    let threads = halves.map(|seeds| std::thread::spawn(move || explore(seeds)));
    let found = threads.map(|thread| thread.join().unwrap());
    let gained: u64 = found.iter().map(|(gained, ..)| gained).sum();
    let lost: u64 = found.iter().map(|(_, lost, _)| lost).sum();
    let longest = found.iter().map(|(.., longest)| longest).max().unwrap();
    println!(
        "seeds 0..{SCHEDULES}: shards were gained {gained} times; {lost} were trimmed unread; longest without a \
         worker: {longest} ms"
    );
    assert!(gained > SCHEDULES * 5, "{gained}");
    assert!(lost > SCHEDULES / 10, "{lost}");
}

#[test]
fn checkpoints_are_ordered_as_numbers() {
    let sequence = |text: &str| Checkpoint::Sequence(text.to_owned());
    let ordered = [Checkpoint::TrimHorizon, sequence("9"), sequence("10"), sequence("0011"), Checkpoint::ShardEnd];
    assert!(ordered.is_sorted());
    for checkpoint in ordered {
        let text = checkpoint.to_string();
        assert_eq!(Checkpoint::parse(&text), checkpoint);
    }
}
