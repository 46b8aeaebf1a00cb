//! Refused attempts to delete one thing: the ones that are kept, and how many more there were.
//!
//! Deliberately no judgement about which refusals matter, that is the rules'; only which are worth keeping when there are
//! too many.

use serde::{Deserialize, Serialize};

use crate::{order::Evidence, time::Second};

/// Refusals kept of one thing; more are counted.
const REFUSALS_MAX: usize = 256;

/// A refused attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) evidence: Evidence,
    /// The error code, without `Client.`.
    pub(crate) code: Box<str>,
}

/// The refused attempts to delete one thing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Refusals {
    /// In judging order.
    kept: Vec<Refusal>,
    /// Denied attempts beyond those, and the latest one.
    further: Option<Box<(u64, Refusal)>>,
}

/// What became of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    Kept,
    Known,
    /// It is counted, or something was forgotten for it.
    AtLimit,
    /// There was no room, and it says too little to be counted.
    Ignored,
}

impl Refusals {
    /// Enters a refused attempt. What did not fail for want of permission or because the thing is in use is kept only
    /// while there is room.
    pub(crate) fn enter(&mut self, evidence: Evidence, code: &str) -> Noted {
        let Err(place) = self.kept.binary_search_by(|known| known.evidence.moment.cmp(&evidence.moment)) else {
            return Noted::Known;
        };
        let refusal = Refusal { evidence, code: code.into() };
        if self.kept.len() < REFUSALS_MAX {
            self.kept.reserve_exact(1);
            self.kept.insert(place, refusal);
            return Noted::Kept;
        }
        if !is_denial(code) {
            return Noted::Ignored;
        }
        if let Some(spare) = self.kept.iter().rposition(|known| !is_denial(&known.code)) {
            self.kept.remove(spare);
            self.kept.insert(place.saturating_sub(usize::from(spare < place)), refusal);
            return Noted::AtLimit;
        }
        match self.further.as_deref_mut() {
            Some((count, latest)) => {
                *count = count.saturating_add(1);
                if latest.evidence.moment < refusal.evidence.moment {
                    *latest = refusal;
                }
            }
            None => self.further = Some(Box::new((1, refusal))),
        }
        Noted::AtLimit
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// When the latest one was, as far as they are kept.
    pub(crate) fn last_at(&self) -> Option<Second> {
        let further = self.further.as_deref().map(|(_, latest)| latest);
        self.kept.last().into_iter().chain(further).map(|refusal| refusal.evidence.moment.at).max()
    }

    /// Each one, with how many like it are not kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Refusal, u64)> {
        let further = self.further.as_deref().map(|(count, latest)| (latest, count.saturating_sub(1)));
        self.kept.iter().map(|refusal| (refusal, 0)).chain(further)
    }
}

/// Whether an attempt failed for want of permission, or because the thing is in use.
fn is_denial(code: &str) -> bool {
    code.contains("Denied") || code.contains("Unauthorized") || code == "DependencyViolation"
}
