//! The stream of the explored world, which splits and merges its shards, and what must always hold.

use super::*;

impl World {
    pub(super) fn open(&self) -> Vec<String> {
        self.stream.iter().filter(|(_, shard)| shard.end.is_none()).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn become_children(&mut self, parents: &[String], count: usize) {
        let first = self.stream.len();
        let children: Vec<String> = (first..first + count).map(|number| format!("shard-{number:06}")).collect();
        for parent in parents {
            let shard = self.stream.get_mut(parent).unwrap();
            shard.end = Some(shard.written);
            shard.children.clone_from(&children);
        }
        for child in children {
            let (parents, children) = (parents.to_vec(), Vec::new());
            let shard = Shard { parents, children, end: None, written: 1, is_trimmed: false };
            self.stream.insert(child, shard);
        }
    }

    pub(super) fn split(&mut self) {
        let open = self.open();
        if open.len() < 8 {
            let parent = open[self.random.usize(0..open.len())].clone();
            self.become_children(&[parent], 2);
        }
    }

    pub(super) fn merge(&mut self) {
        let mut open = self.open();
        if open.len() > 1 {
            self.random.shuffle(&mut open);
            open.truncate(2);
            self.become_children(&open, 1);
        }
    }

    /// Of the oldest closed shard, and sometimes of some more, nothing is kept any more, whether it was read or not.
    pub(super) fn trim(&mut self) {
        let times = self.random.usize(1..=4);
        let closed = self.stream.values_mut().filter(|shard| shard.end.is_some() && !shard.is_trimmed);
        for shard in closed.take(times) {
            shard.is_trimmed = true;
        }
    }

    /// From now on nothing goes wrong.
    pub(super) fn calm(&mut self) {
        self.is_quiet = true;
        for sim in &mut self.workers {
            sim.paused_until = 0;
        }
        if !self.workers.iter().any(|sim| sim.is_alive && !sim.is_leaving) {
            self.join();
        }
        for number in 0..self.workers.len() {
            self.at(self.time, number, What::Wake);
        }
        self.unowned_since.clear();
    }

    pub(super) fn holders(&self, shard: &str) -> Vec<usize> {
        let holds = |sim: &Sim| {
            let mut jobs = sim.jobs.keys().filter(|(held, _)| held == shard);
            sim.is_alive && jobs.any(|(shard, epoch)| sim.worker.is_held(shard, *epoch, sim.local(self.time)))
        };
        (0..self.workers.len()).filter(|number| holds(&self.workers[*number])).collect()
    }

    pub(super) fn workable(&self) -> BTreeSet<String> {
        let is_over = |parent: &String| self.table.get(parent).is_none_or(Row::is_ended);
        let rows = self.table.values().filter(|row| !row.is_ended() && row.parents.iter().all(is_over));
        rows.map(|row| row.shard.clone()).collect()
    }

    pub(super) fn check(&mut self) {
        for shard in self.table.keys() {
            let holders = self.holders(shard);
            if holders.len() > 1 {
                self.fail(&format!("workers {holders:?} hold {shard} at the same time"));
            }
        }
        if !self.is_quiet {
            return;
        }
        let workable = self.workable();
        self.unowned_since.retain(|shard, _| workable.contains(shard));
        for shard in &workable {
            if !self.holders(shard).is_empty() {
                self.unowned_since.remove(shard);
                continue;
            }
            let since = *self.unowned_since.entry(shard.clone()).or_insert(self.time);
            self.unowned_longest = self.unowned_longest.max(self.time - since);
            if self.time - since > UNOWNED_MAX {
                self.fail(&format!("nobody has had {shard} since {since}"));
            }
        }
        let balanced = self.is_balanced();
        self.balanced_since = if balanced { self.balanced_since.or(Some(self.time)) } else { None };
    }

    pub(super) fn is_balanced(&self) -> bool {
        let workable = self.workable();
        let mut loads: BTreeMap<usize, usize> = BTreeMap::new();
        for (number, sim) in self.workers.iter().enumerate() {
            if sim.is_alive && !sim.is_leaving {
                loads.insert(number, 0);
            }
        }
        for shard in &workable {
            let Some(holder) = self.holders(shard).first().copied() else { return false };
            *loads.entry(holder).or_default() += 1;
        }
        let (least, most) = (loads.values().min().unwrap(), loads.values().max().unwrap());
        most - least <= 1
    }

    /// Everything settled: each shard has a worker, each worker its share, and what ended was cleared away.
    pub(super) fn check_end(&mut self) {
        if !self.is_balanced() {
            let loads: Vec<usize> = self.workers.iter().map(|sim| sim.jobs.len()).collect();
            self.fail(&format!("it is not balanced in the end: {loads:?}"));
        }
        if self.balanced_since.is_none_or(|since| since > TROUBLE + QUIET / 2) {
            self.fail(&format!("it was not balanced before {:?}", self.balanced_since));
        }
        let open: BTreeSet<String> = self.open().into_iter().collect();
        let worked_on = self.workable();
        if open != worked_on {
            self.fail(&format!("the open shards are {open:?}"));
        }
        let ended = self.table.values().filter(|row| row.is_ended()).count();
        if ended > 0 {
            self.fail(&format!("{ended} rows of ended shards are left"));
        }
    }
}
