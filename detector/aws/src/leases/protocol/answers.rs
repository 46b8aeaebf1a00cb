//! What an answer about a lease makes of what is held. Deliberately nothing about leases of others: see `survey`.

use super::{
    super::{
        balance::Why,
        row::{Change, Checkpoint, Row},
    },
    About, Answer, Event, Held, Millis, Pending, Stage, Step, Worker,
};

impl Worker {
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

    pub(super) fn took(&mut self, row: Row, why: Why, answer: &Answer, (sent, now): (Millis, Millis)) {
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
    pub(super) fn stepped(&mut self, shard: &str, step: &Step, answer: Answer, (sent, now): (Millis, Millis)) {
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

    pub(super) fn written(&mut self, shard: &str, change: &Change) {
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
    pub(super) fn refused(&mut self, shard: &str, row: Option<Row>) {
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

    pub(super) fn lose(&mut self, shard: &str) {
        if let Some(held) = self.held.remove(shard)
            && held.stage == Stage::Working
        {
            self.events.push(Event::Lost { shard: shard.to_owned(), epoch: held.epoch });
        }
    }

    pub(super) fn expire(&mut self, now: Millis) {
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
}
