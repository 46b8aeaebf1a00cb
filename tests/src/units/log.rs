//! A stream in memory, whose shards can be split and merged, and the sources that read it as a real stream is read: from
//! a position on, a batch at a time, what was committed before marked as a repeat, to the end of a closed shard.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bedrock_watch_service::{
    cloud::{Attached, CloudError},
    pipeline::HashRange,
    source::{Kept, Records, Refused, Repeat},
    units::{Feed, Unit},
};
use tokio::sync::{oneshot, watch};

/// The one shard that every unit reads.
pub const STATE: &str = "state";
/// What stands for the end of a closed shard.
pub const SHARD_END: &str = "SHARD_END";
/// Records in one batch, at most.
const BATCH_MAX: usize = 40;
/// The longest pause between two batches, in milliseconds.
const PAUSE_MS_MAX: u64 = 15;

/// A stream, and beside it the shard that everybody reads.
#[derive(Debug, Clone)]
pub struct Log {
    shards: Arc<Mutex<BTreeMap<String, ShardLog>>>,
    grown: watch::Sender<u64>,
}

#[derive(Debug, Clone)]
struct ShardLog {
    range: HashRange,
    parents: Vec<String>,
    records: Vec<Vec<u8>>,
    closed: bool,
}

/// What a shard is called in positions.
#[must_use]
pub fn source(shard: &str) -> String {
    format!("log {shard}")
}

impl Log {
    /// A stream with so many shards of equal width.
    #[must_use]
    pub fn new(shards: u32) -> Self {
        let width = u128::MAX / u128::from(shards);
        let range = |number: u32| {
            let start = width * u128::from(number) + u128::from(number);
            HashRange { start, end: if number + 1 == shards { u128::MAX } else { start + width } }
        };
        let mut all: BTreeMap<String, ShardLog> =
            (0..shards).map(|number| (format!("shard-{number:03}"), ShardLog::new(range(number), &[]))).collect();
        all.insert(STATE.to_owned(), ShardLog::new(HashRange::ALL, &[]));
        Self { shards: Arc::new(Mutex::new(all)), grown: watch::Sender::new(0) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, ShardLog>) -> T) -> T {
        work(&mut self.shards.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a record: to the account's open shard, or to what everybody reads.
    pub fn append(&self, activity_of: Option<&str>, record: &[u8]) {
        self.with(|shards| {
            let is_its = |name: &str, shard: &ShardLog| match activity_of {
                Some(account) => name != STATE && !shard.closed && shard.range.contains(account),
                None => name == STATE,
            };
            let (_, shard) = shards.iter_mut().find(|(name, shard)| is_its(name, shard)).expect("ranges have no holes");
            shard.records.push(record.to_vec());
        });
        self.grown.send_modify(|times| *times += 1);
    }

    /// The open shards that are not read by everybody.
    #[must_use]
    pub fn open(&self) -> Vec<String> {
        self.with(|shards| {
            let open = shards.iter().filter(|(name, shard)| *name != STATE && !shard.closed);
            open.map(|(name, _)| name.clone()).collect()
        })
    }

    /// Splits an open shard in the middle; returns its children.
    pub fn split(&self, parent: &str) -> Vec<String> {
        let range = self.range(parent);
        let middle = range.start + (range.end - range.start) / 2;
        let halves = [HashRange { start: range.start, end: middle }, HashRange { start: middle + 1, end: range.end }];
        self.replace(&[parent], &halves)
    }

    /// Merges an open shard with the next one; returns the two and their child, `None` if it is the last.
    pub fn merge(&self, shard: &str) -> Option<(String, String)> {
        let range = self.range(shard);
        let next = self.open().into_iter().find(|other| range.end.checked_add(1) == Some(self.range(other).start))?;
        let whole = HashRange { start: range.start, end: self.range(&next).end };
        let children = self.replace(&[shard, &next], &[whole]);
        Some((next, children[0].clone()))
    }

    fn replace(&self, parents: &[&str], ranges: &[HashRange]) -> Vec<String> {
        let children = self.with(|shards| {
            for parent in parents {
                shards.get_mut(*parent).expect("it is open").closed = true;
            }
            let first = shards.len();
            let children: Vec<String> =
                (first..first + ranges.len()).map(|number| format!("shard-{number:03}")).collect();
            for (child, range) in children.iter().zip(ranges) {
                shards.insert(child.clone(), ShardLog::new(*range, parents));
            }
            children
        });
        self.grown.send_modify(|times| *times += 1);
        children
    }

    /// The hash keys of a shard.
    #[must_use]
    pub fn range(&self, shard: &str) -> HashRange {
        self.with(|shards| shards[shard].range)
    }

    /// The shards whose records a shard continues.
    #[must_use]
    pub fn parents(&self, shard: &str) -> Vec<String> {
        self.with(|shards| shards[shard].parents.clone())
    }

    /// The position after which nothing of a shard is left to read now; `None` if there is nothing in it.
    #[must_use]
    pub fn end(&self, shard: &str) -> Option<String> {
        self.with(|shards| {
            let shard = &shards[shard];
            if shard.closed {
                Some(SHARD_END.to_owned())
            } else {
                shard.records.len().checked_sub(1).map(|last| last.to_string())
            }
        })
    }

    /// Up to so many records from `next` on, and whether nothing follows them any more.
    fn read(&self, shard: &str, next: usize, max: usize) -> (Vec<Vec<u8>>, bool) {
        self.with(|shards| {
            let shard = &shards[shard];
            let some: Vec<Vec<u8>> = shard.records.iter().skip(next).take(max).cloned().collect();
            let is_end = shard.closed && next + some.len() == shard.records.len();
            (some, is_end)
        })
    }

    /// Hands a shard over to a unit until it ends or is stopped; says whether it has ended.
    async fn hand_over(self, shard: String, attached: Attached) -> bool {
        let name = source(&shard);
        let intake = attached.intake.named(&name);
        let mut grown = self.grown.subscribe();
        let index = |position: &String| position.parse::<usize>().ok();
        let resume = attached.positions.get(&name);
        if resume.is_some_and(|position| position == SHARD_END) {
            return true;
        }
        let mut next = resume.and_then(index).map_or(0, |read| read + 1);
        let mut committed = attached.ahead.get(&name).cloned();
        loop {
            let (some, is_end) = self.read(&shard, next, fastrand::usize(1..=BATCH_MAX));
            let last = next + some.len();
            let mut records = Records::default();
            some.iter().for_each(|record| records.push(record));
            let repeat = match &committed {
                None => Repeat::New,
                Some(position) if position == SHARD_END => {
                    if is_end {
                        Repeat::Last
                    } else {
                        Repeat::Again
                    }
                }
                Some(position) => {
                    if index(position).is_some_and(|index| last <= index) {
                        Repeat::Again
                    } else {
                        Repeat::Last
                    }
                }
            };
            if repeat != Repeat::Again {
                committed = None;
            }
            let handed = match (some.is_empty(), is_end) {
                (_, true) => intake.send(records, Kept::At(SHARD_END.to_owned()), repeat).await,
                (true, false) => Ok(()),
                (false, false) => intake.send(records, Kept::At((last - 1).to_string()), repeat).await,
            };
            if handed == Err(Refused::Closed) {
                return false;
            }
            if is_end {
                return true;
            }
            next = last;
            let pause = async {
                if some.is_empty() {
                    drop(grown.changed().await);
                }
                tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=PAUSE_MS_MAX))).await;
            };
            if attached.stop.run_until_cancelled(pause).await.is_none() {
                return false;
            }
        }
    }
}

impl ShardLog {
    fn new(range: HashRange, parents: &[&str]) -> Self {
        let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
        Self { range, parents, records: Vec::new(), closed: false }
    }
}

impl Feed for Log {
    fn attach(&self, unit: &Unit, attached: Attached, ended: oneshot::Sender<()>) -> Result<(), CloudError> {
        let tracker = attached.tracker.clone();
        tracker.spawn(self.clone().hand_over(STATE.to_owned(), attached.clone()));
        let own = self.clone().hand_over(unit.shard.clone(), attached);
        tracker.spawn(async move {
            if own.await {
                ended.send(()).unwrap_or_default();
            }
        });
        Ok(())
    }

    fn reads(&self, unit: &Unit, name: &str) -> bool {
        name == source(STATE) || name == unit.source
    }
}
