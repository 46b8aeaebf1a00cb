//! Makes room in a history of logging that is full: what changed nothing goes first, and of the oldest change the
//! posture that it left stays.
//!
//! Without that posture, whoever switches logging off again and again would make each of the calls look like the first.

use serde::{Deserialize, Serialize};

use crate::{order::Moment, time::Second};

use super::{Delivery, LoggingHistory, Posture};

/// What is left of changes that were forgotten.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Base {
    /// What was known after the last one.
    pub(super) posture: Posture,
    /// What was delivered last.
    pub(super) delivery: Option<Delivery>,
    /// When the last one was.
    at: Option<Moment>,
}

impl Base {
    /// Whether `moment` lies in the time that was forgotten.
    pub(super) fn covers(&self, moment: &Moment) -> bool {
        self.at.as_ref().is_some_and(|at| moment <= at)
    }
}

impl LoggingHistory {
    /// Forgets one change. Returns the time until which it was in force, as far as more than it was forgotten with it.
    pub(super) fn make_room(&mut self) -> Option<Second> {
        if let Some(place) = self.seen_again().or_else(|| self.put_again()) {
            return Some(self.changes.remove(place).evidence.moment.at);
        }
        if self.changes.is_empty() {
            return None;
        }
        let oldest = self.changes.remove(0);
        if let Posture::On(delivery) = &oldest.after {
            self.base.delivery = Some(delivery.clone());
        }
        self.base.posture = oldest.after;
        self.base.at = Some(oldest.evidence.moment);
        self.changes.first().map(|next| next.evidence.moment.at)
    }

    /// The oldest inventory that saw what was known and is neither the first nor the last of its run.
    fn seen_again(&self) -> Option<usize> {
        self.changes
            .windows(3)
            .position(|run| match run {
                [before, seen, after] => {
                    let is_same = !seen.made && before.after == seen.after;
                    is_same && (before.made || (!after.made && after.after == seen.after))
                }
                _ => false,
            })
            .map(|place| place.saturating_add(1))
    }

    /// The oldest change, but the latest of all, that made nothing different.
    fn put_again(&self) -> Option<usize> {
        let older = self.changes.len().saturating_sub(1);
        self.steps().take(older).position(|step| step.change.made && *step.before == step.change.after)
    }
}
