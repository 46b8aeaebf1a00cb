//! What a look at the whole table or at the stream's shards leads to: whose leases have run out, what to take, which
//! rows to make and which to remove.

use super::{
    super::{
        balance::{Standing, Why, takes, workable},
        row::{Checkpoint, Row},
    },
    About, Answer, ENDED_KEPT, FORSAKEN, Millis, SETTLED, SHARDS_EVERY, STEAL_EVERY, Seen, Worker,
};

impl Worker {
    pub(super) fn scanned(&mut self, answer: Answer, now: Millis) {
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
    pub(super) fn choose(&mut self, rows: &[Row], now: Millis) {
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
    pub(super) fn clean(&mut self, rows: &[Row], now: Millis) {
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

    pub(super) fn took_list(&mut self, answer: Answer, (sent, now): (Millis, Millis)) {
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
