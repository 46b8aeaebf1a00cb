//! Makes room in a ledger that is full, without losing sight of what is lost now.
//!
//! Deliberately not the oldest change first: whoever repeats what changes nothing would push out the loss that an alert
//! rests on.

use crate::time::Second;

use super::{Effect, Ledger, Loss};

impl Ledger {
    /// Forgets changes until `max` are left. Returns the time of the latest loss among them.
    pub(super) fn make_room(&mut self, max: usize) -> Option<Second> {
        let mut forgotten = None;
        while self.changes.len() > max {
            let Some(place) = self.spare().or_else(|| self.fold()) else { break };
            let (evidence, effect) = self.changes.remove(place);
            if matches!(effect, Effect::Lost(_)) {
                forgotten = forgotten.max(Some(evidence.moment.at));
            }
        }
        forgotten
    }

    /// The place of the oldest change that changes least: what repeats another one, what was back before it was lost,
    /// what was undone. The first loss stays: it says since when and by whom.
    fn spare(&self) -> Option<usize> {
        let places = || 0..self.changes.len();
        let undone: Vec<Option<usize>> = places().map(|place| self.undone_at(place)).collect();
        let undone_at = |place: usize| undone.get(place).copied().flatten();
        let effect = |place: usize| self.changes.get(place).map(|(_, effect)| effect);
        let is_loss = |place: usize| matches!(effect(place), Some(Effect::Lost(_)));
        let is_idle = |place: usize| !is_loss(place) && !undone.contains(&Some(place));
        let repeats = |place: usize, is_same: &dyn Fn(usize) -> bool| {
            (0..place).any(|earlier| effect(earlier) == effect(place) && is_same(earlier))
        };
        let first = places().find(|place| is_loss(*place));
        places()
            .find(|place| is_idle(*place) && repeats(*place, &|_| true))
            .or_else(|| {
                let is_again = |place: usize| repeats(place, &|earlier| undone_at(earlier) == undone_at(place));
                places().find(|place| is_loss(*place) && is_again(*place))
            })
            .or_else(|| places().find(|place| is_idle(*place)))
            .or_else(|| places().find(|place| !self.mattered(*place)))
            .or_else(|| places().find(|place| undone_at(*place).is_some() && Some(*place) != first))
    }

    /// Whether the change at `place` is one that could matter to what stands on it.
    fn mattered(&self, place: usize) -> bool {
        match self.changes.get(place) {
            Some((evidence, Effect::Lost(loss))) => self.was_needed(loss, &evidence.moment),
            _ => true,
        }
    }

    /// Takes the two oldest removed permissions but the first together. Returns the place of the one that says nothing
    /// more then; where there are no two, that of the latest change that was undone, else of the latest.
    fn fold(&mut self) -> Option<usize> {
        let is_removed = |effect: &Effect| {
            matches!(
                effect,
                Effect::Lost(Loss::PermissionsRemoved(_) | Loss::StatementRemoved(_) | Loss::FurtherRemoved)
            )
        };
        let removed = self.changes.iter().enumerate().skip(1).filter(|(_, (_, effect))| is_removed(effect));
        let oldest: Vec<usize> = removed.map(|(place, _)| place).take(2).collect();
        let [into, from] = *oldest else {
            return (0..self.changes.len()).max_by_key(|place| (self.undone_at(*place).is_some(), *place));
        };
        if let Some((_, effect)) = self.changes.get_mut(into) {
            *effect = Effect::Lost(Loss::FurtherRemoved);
        }
        Some(from)
    }
}
