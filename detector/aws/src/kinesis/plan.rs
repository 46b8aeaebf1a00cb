//! Which shards of a stream to read, from where, and in which order: parents to their end, then their children from
//! their beginning.
//!
//! What is listed, what is remembered and what has ended go in, what to do comes out; nothing is called here. A shard is
//! never left out because something is unknown about it: reading records again does no harm.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_watch_service::config::aws::KinesisStart;

use super::{
    position::{Position, Start},
    shards::{Shard, Shards},
};

/// What to do about a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// To read it.
    Read {
        /// The shard.
        shard: Shard,
        /// Where.
        start: Start,
        /// Records up to here were judged before.
        committed: Option<Position>,
    },
    /// There is nothing to read of it: that was done before, or its records are no longer kept.
    Skip {
        /// Its id.
        shard: String,
        /// After which position it was still to be read; what followed is lost.
        lost_after: Option<Position>,
        /// As for [`Self::Read`]: somebody waits to hear that they do not come again.
        committed: Option<Position>,
    },
}

/// What is known of a stream's shards beside their listing.
#[derive(Debug)]
pub(super) struct Plan {
    begin: KinesisStart,
    /// Up to where the engine remembers each shard.
    remembered: BTreeMap<String, Position>,
    /// Up to where each shard's alerts are stored, where that is further.
    committed: BTreeMap<String, Position>,
    /// Where shards of the first listing begin; others do with their oldest record.
    starts: BTreeMap<String, Start>,
    running: BTreeSet<String>,
    done: BTreeSet<String>,
    has_begun: bool,
}

impl Plan {
    /// Nothing is read yet.
    pub(super) const fn new(
        begin: KinesisStart,
        remembered: BTreeMap<String, Position>,
        committed: BTreeMap<String, Position>,
    ) -> Self {
        Self {
            begin,
            remembered,
            committed,
            starts: BTreeMap::new(),
            running: BTreeSet::new(),
            done: BTreeSet::new(),
            has_begun: false,
        }
    }

    /// A shard is not being read any more; if it is not done, it is read again.
    pub(super) fn ended(&mut self, shard: &str, is_done: bool) {
        self.running.remove(shard);
        if is_done {
            self.done.insert(shard.to_owned());
        }
    }

    /// How many shards are being read.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// What to do now, with room for so many further readers; they count as running from here on. Also tells how many
    /// shards have to wait for room.
    pub(super) fn next(&mut self, listed: &Shards, room: usize) -> (Vec<Step>, usize) {
        let mut steps = if self.has_begun { Vec::new() } else { self.begin(listed) };
        let ready: Vec<&Shard> = listed.iter().filter(|shard| self.is_ready(listed, shard)).collect();
        let waiting = ready.len().saturating_sub(room);
        for shard in ready.into_iter().take(room) {
            self.running.insert(shard.id.clone());
            let start = self.starts.get(&shard.id).cloned().unwrap_or(Start::TrimHorizon);
            let committed = self.committed.remove(&shard.id);
            steps.push(Step::Read { shard: shard.clone(), start, committed });
        }
        (steps, waiting)
    }

    /// Whether it is this shard's turn: every parent is read to its end, or no longer there.
    fn is_ready(&self, listed: &Shards, shard: &Shard) -> bool {
        let blocks = |parent: &String| {
            !self.done.contains(parent) && (listed.get(parent).is_some() || self.running.contains(parent))
        };
        !self.running.contains(&shard.id) && !self.done.contains(&shard.id) && !shard.parents.iter().any(blocks)
    }

    /// The first listing: what of it is read already, where the rest begins, and what is remembered of shards that are
    /// no longer there.
    fn begin(&mut self, listed: &Shards) -> Vec<Step> {
        self.has_begun = true;
        let with_what_comes = self.begin == KinesisStart::Latest;
        if self.remembered.is_empty() && with_what_comes {
            // Without a memory that knows the stream, what was committed is still the place to go on from.
            self.remembered.clone_from(&self.committed);
        }
        let is_new = self.remembered.is_empty();
        let ancestors = listed.ancestors(self.remembered.keys().map(String::as_str));
        let mut steps = Vec::new();
        for shard in listed.iter() {
            let start = match self.remembered.get(&shard.id) {
                // A stream of the same name was made anew, or the shard would not be open.
                Some(Position::ShardEnd) if !shard.is_closed => Some(Start::TrimHorizon),
                Some(position) => Start::from_position(position),
                None if is_new && with_what_comes => (!shard.is_closed).then_some(Start::Latest),
                // A shard was only begun when its parents were read, or when nobody wanted what they held.
                None => (!ancestors.contains(&shard.id)).then_some(Start::TrimHorizon),
            };
            if let Some(start) = start {
                self.starts.insert(shard.id.clone(), start);
                continue;
            }
            self.done.insert(shard.id.clone());
            if let Some(committed) = self.committed.remove(&shard.id) {
                let (shard, committed) = (shard.id.clone(), Some(committed));
                steps.push(Step::Skip { shard, lost_after: None, committed });
            }
        }
        steps.append(&mut self.no_longer_listed(listed));
        steps
    }

    fn no_longer_listed(&mut self, listed: &Shards) -> Vec<Step> {
        let known: BTreeSet<String> = self.remembered.keys().chain(self.committed.keys()).cloned().collect();
        let mut steps = Vec::new();
        for shard in known.into_iter().filter(|shard| listed.get(shard).is_none()) {
            let committed = self.committed.remove(&shard);
            let read = committed.as_ref().or_else(|| self.remembered.get(&shard)).cloned();
            let lost_after = read.filter(|position| *position != Position::ShardEnd);
            if lost_after.is_some() || committed.is_some() {
                steps.push(Step::Skip { shard, lost_after, committed });
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shards as `id`, or `id<parent+parent`; closed ones with a trailing `!`.
    fn shards(text: &str) -> Shards {
        let mut shards = Shards::default();
        shards.extend(text.split_whitespace().map(|word| {
            let (word, is_closed) = word.strip_suffix('!').map_or((word, false), |word| (word, true));
            let (id, parents) = word.split_once('<').unwrap_or((word, ""));
            let parents = parents.split('+').filter(|parent| !parent.is_empty()).map(ToOwned::to_owned).collect();
            Shard { id: id.to_owned(), parents, hash_keys: 0..=u128::MAX, is_closed }
        }));
        shards
    }

    fn positions(text: &str) -> BTreeMap<String, Position> {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(shard, position)| (shard.to_owned(), Position::parse(position).unwrap())).collect()
    }

    /// Steps as `+id@start`, or `-id` for one to be skipped; `~position` is what was judged before, `?` what is lost.
    fn say(steps: &[Step]) -> String {
        let committed = |committed: &Option<Position>| committed.as_ref().map_or(String::new(), |at| format!("~{at}"));
        let word = |step: &Step| match step {
            Step::Read { shard, start, committed: before } => {
                let start = match start {
                    Start::TrimHorizon => "first".to_owned(),
                    Start::Latest => "next".to_owned(),
                    Start::At(time) => time.to_string(),
                    Start::After(sequence) => sequence.to_string(),
                };
                format!("+{}@{start}{}", shard.id, committed(before))
            }
            Step::Skip { shard, lost_after, committed: before } => {
                let lost = lost_after.as_ref().map_or(String::new(), |position| format!("?{position}"));
                format!("-{shard}{lost}{}", committed(before))
            }
        };
        steps.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn begins_where_it_should() {
        let check = |begin, listed: &str, remembered: &str, committed: &str, expected: &str| {
            let mut plan = Plan::new(begin, positions(remembered), positions(committed));
            let (steps, _) = plan.next(&shards(listed), 10);
            assert_eq!(say(&steps), expected, "{listed} | {remembered} | {committed}");
        };
        let (first, latest) = (KinesisStart::TrimHorizon, KinesisStart::Latest);
        // New: everything, parents first; or what comes, which is never in a closed shard.
        check(first, "0! 1<0 2<0 3", "", "", "+0@first +3@first");
        check(latest, "0! 1<0 2<0 3", "", "", "+1@next +2@next +3@next");
        // A parent of which nothing is kept blocks nobody.
        check(first, "1<0 2<0", "", "", "+1@first +2@first");
        // After a restart: from where it was, children once their parents are read.
        check(first, "0! 1<0 2<0 3", "0=7 3=8", "", "+0@7 +3@8");
        check(first, "0! 1<0 2<0 3", "0=SHARD_END 1=5 3=8", "", "+1@5 +2@first +3@8");
        check(latest, "0! 1<0 2<0 3", "0=SHARD_END 1=5 3=8", "", "+1@5 +2@first +3@8");
        check(first, "2<0+1", "0=SHARD_END 1=SHARD_END", "", "+2@first");
        // Parents that were closed before this began with what came stay unread.
        check(latest, "0! 1<0 2<0", "1=5 2=6", "", "+1@5 +2@6");
        check(latest, "0! 1<0! 2<0 3<1", "1=5 2=6", "", "+1@5 +2@6");
        // What was judged and stored after the memory was kept comes again.
        check(first, "0 1", "0=5 1=6", "0=9", "+0@5~9 +1@6");
        check(first, "0! 1<0 2<0", "0=5", "0=SHARD_END 1=3", "+0@5~SHARD_END");
        // Without any memory: from the beginning, or from there.
        check(first, "0 1", "", "0=9", "+0@first~9 +1@first");
        check(latest, "0! 1<0 2<0", "", "0=SHARD_END 1=3", "-0~SHARD_END +1@3~3 +2@first");
        // Shards whose records are no longer kept.
        check(first, "2<0+1", "0=5 1=SHARD_END", "", "-0?5 +2@first");
        check(first, "2<0+1", "0=5 1=6", "0=SHARD_END 1=8", "-0~SHARD_END -1?8~8 +2@first");
        // The stream was deleted and made again under its name.
        check(first, "0 1", "0=SHARD_END 1=7", "", "+0@first +1@7");
    }

    #[test]
    fn children_wait_for_all_their_parents() {
        let mut plan = Plan::new(KinesisStart::Latest, BTreeMap::new(), BTreeMap::new());
        let mut check = |ended: &[(&str, bool)], listed: &str, room, expected: &str, waiting| {
            ended.iter().for_each(|(shard, is_done)| plan.ended(shard, *is_done));
            let (steps, left) = plan.next(&shards(listed), room);
            assert_eq!((say(&steps).as_str(), left), (expected, waiting), "{ended:?} {listed}");
        };
        check(&[], "0 1", 9, "+0@next +1@next", 0);
        check(&[], "0! 1! 2<0+1", 9, "", 0);
        check(&[("0", true)], "0! 1! 2<0+1", 9, "", 0);
        check(&[("1", true)], "0! 1! 2<0+1", 9, "+2@first", 0);
        // A parent that is no longer listed, but still being read.
        check(&[], "3<2 4<2", 9, "", 0);
        check(&[("2", true)], "3<2 4<2", 1, "+3@first", 1);
        check(&[], "3<2 4<2", 0, "", 1);
        check(&[], "3<2 4<2", 1, "+4@first", 0);
        // A reader that failed is started again.
        check(&[("4", false)], "3<2 4<2", 9, "+4@first", 0);
    }
}
