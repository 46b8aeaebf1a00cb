//! The service's own blindness: from everything noticed about one part of the protection, the stretches in which it was
//! missing.
//!
//! Stretches are joined from all sayings in judging order, like everything in the world. A stretch is named by the saying
//! that begins it. What is over is forgotten first; its alert stays as it was last told.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::{
    alert::Actor,
    detector_observation::{DetectorObservation, DetectorState},
    order::{Evidence, Moment},
};

use super::{
    Origin, Touched,
    state_event::{Repair, StateEvent, text},
};

/// Parts of the protection that are remembered, over all accounts and regions.
const PARTS_MAX: usize = 50_000;
/// Sayings remembered for one part.
const SAYINGS_MAX: usize = 64;

/// A part of the protection of an account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) state: DetectorState,
    pub(crate) account: Box<str>,
    pub(crate) region: Box<str>,
    pub(crate) part: Box<str>,
}

/// Everything noticed about the protection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Protection {
    parts: BTreeMap<Part, Vec<Saying>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Saying {
    moment: Moment,
    over: bool,
    reason: Box<str>,
    /// Further facts, as JSON text.
    facts: Box<str>,
}

/// A stretch in which a part was missing.
struct Stretch<'a> {
    from: &'a Saying,
    until: Option<&'a Saying>,
}

impl Protection {
    /// Takes in a saying. Returns the stretches that changed, and how many sayings a limit made it forget.
    pub(super) fn enter(&mut self, seen: &DetectorObservation) -> (Touched, u64) {
        let part = Part {
            state: seen.state,
            account: seen.account.as_str().into(),
            region: seen.region.as_str().into(),
            part: seen.part.as_str().into(),
        };
        let saying = Saying {
            moment: Moment { at: seen.at, native: true, id: seen.id.as_str().into() },
            over: seen.over,
            reason: seen.reason.as_str().into(),
            facts: serde_json::to_string(&seen.facts).unwrap_or_default().into(),
        };
        let mut forgotten = 0;
        if !self.parts.contains_key(&part) && self.parts.len() >= PARTS_MAX {
            self.forget_a_part();
            forgotten = 1;
        }
        let sayings = self.parts.entry(part.clone()).or_default();
        let Err(place) = sayings.binary_search_by(|known| known.moment.cmp(&saying.moment)) else {
            return (Touched::new(), forgotten);
        };
        let before = summary(sayings);
        sayings.insert(place, saying);
        let after = summary(sayings);
        if sayings.len() > SAYINGS_MAX {
            shorten(sayings);
        }
        let changed = before.symmetric_difference(&after).map(|(from, _)| from.clone());
        let origin = |episode| Origin::Detector { part: part.clone(), episode };
        (changed.map(origin).collect(), forgotten)
    }

    /// The state event of a stretch, if there still is one.
    pub(super) fn derive(&self, part: &Part, episode: &str) -> Option<StateEvent> {
        let sayings = self.parts.get(part)?;
        let stretch = stretches(sayings).into_iter().find(|stretch| &*stretch.from.moment.id == episode)?;
        let from = &stretch.from.moment;
        let mut facts: Map<String, Json> = serde_json::from_str(&stretch.from.facts).unwrap_or_default();
        facts.insert("part".to_owned(), json!(part.part));
        facts.insert("reason".to_owned(), json!(stretch.from.reason));
        facts.insert("since".to_owned(), json!(from.at.to_rfc3339()));
        let until = stretch.until.map(|until| until.moment.at);
        facts.insert("until".to_owned(), json!(until.map(crate::time::Second::to_rfc3339)));
        facts.insert("seconds".to_owned(), json!(until.map(|until| until.since(from.at))));
        let evidence = Evidence {
            moment: from.clone(),
            name: "DetectorObservation".into(),
            principal: "".into(),
            actor: Actor::default(),
        };
        Some(StateEvent {
            event: part.state.event(),
            account: part.account.clone(),
            region: part.region.clone(),
            subject: episode.to_owned(),
            fields: vec![("detector.part", text(&part.part))],
            evidence: vec![evidence],
            further: 0,
            facts,
            over: stretch.until.is_some(),
            repair: Repair::Detector,
        })
    }

    /// Forgets a part that is there again; if none is, the one that was last spoken of longest ago.
    fn forget_a_part(&mut self) {
        let is_missing = |sayings: &Vec<Saying>| sayings.last().is_some_and(|last| !last.over);
        let last = |sayings: &Vec<Saying>| sayings.last().map(|last| last.moment.clone());
        let found = self.parts.iter().min_by_key(|(_, sayings)| (is_missing(sayings), last(sayings)));
        if let Some(part) = found.map(|(part, _)| part.clone()) {
            self.parts.remove(&part);
        }
    }
}

/// The stretches of a part: each begins with the first saying that it is missing, and ends with the next that it is back.
fn stretches(sayings: &[Saying]) -> Vec<Stretch<'_>> {
    let mut found: Vec<Stretch<'_>> = Vec::new();
    for saying in sayings {
        match found.last_mut().filter(|stretch| stretch.until.is_none()) {
            Some(open) if saying.over => open.until = Some(saying),
            None if !saying.over => found.push(Stretch { from: saying, until: None }),
            _ => {}
        }
    }
    found
}

/// Where each stretch begins and ends.
fn summary(sayings: &[Saying]) -> BTreeSet<(Box<str>, Option<Moment>)> {
    let of = |stretch: &Stretch<'_>| (stretch.from.moment.id.clone(), stretch.until.map(|until| until.moment.clone()));
    stretches(sayings).iter().map(of).collect()
}

/// Forgets repetitions first, then what has been over for longest.
fn shorten(sayings: &mut Vec<Saying>) {
    let mut over_before = true;
    sayings.retain(|saying| std::mem::replace(&mut over_before, saying.over) != saying.over);
    let excess = sayings.len().saturating_sub(SAYINGS_MAX / 2);
    // A stretch is a pair; half of one must not stay.
    sayings.drain(..excess.saturating_sub(excess % 2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Second;

    fn saying(at: u32, over: bool) -> DetectorObservation {
        DetectorObservation {
            id: format!("o{at}"),
            at: Second(at),
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            state: DetectorState::DetectorBlind,
            part: "canary".to_owned(),
            over,
            reason: "two canaries did not come back".to_owned(),
            facts: Map::new(),
        }
    }

    fn part() -> Part {
        Part {
            state: DetectorState::DetectorBlind,
            account: "111122223333".into(),
            region: "eu-central-1".into(),
            part: "canary".into(),
        }
    }

    #[test]
    fn stretches_do_not_depend_on_the_order_of_arrival() {
        // Missing at 10 and still at 20, back at 30 and still at 40, missing again at 50.
        let history = [(10, false), (20, false), (30, true), (40, true), (50, false)];
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]] {
            let mut protection = Protection::default();
            for place in order {
                let (at, over) = history[place];
                protection.enter(&saying(at, over));
            }
            let event = |episode: &str| protection.derive(&part(), episode).map(|event| event.over);
            assert_eq!(event("o10"), Some(true), "{order:?}");
            assert_eq!(event("o20"), None, "a repetition begins nothing: {order:?}");
            assert_eq!(event("o50"), Some(false), "{order:?}");
        }
    }

    #[test]
    fn only_what_changed_is_derived_again() {
        let mut protection = Protection::default();
        let check = |protection: &mut Protection, at: u32, over: bool, expected: &[&str]| {
            let (touched, _) = protection.enter(&saying(at, over));
            let episodes: Vec<String> = touched
                .iter()
                .map(|origin| match origin {
                    Origin::Detector { episode, .. } => episode.to_string(),
                    other => format!("{other:?}"),
                })
                .collect();
            assert_eq!(episodes, expected, "{at}");
        };
        check(&mut protection, 5, true, &[]);
        check(&mut protection, 10, false, &["o10"]);
        check(&mut protection, 20, false, &[]);
        check(&mut protection, 30, true, &["o10"]);
        check(&mut protection, 30, true, &[]);
        check(&mut protection, 40, true, &[]);
    }

    #[test]
    fn what_is_over_is_forgotten_and_what_is_open_is_kept() {
        let mut protection = Protection::default();
        for round in 0..1_000 {
            protection.enter(&saying(round * 10, false));
            protection.enter(&saying(round * 10 + 5, true));
        }
        protection.enter(&saying(20_000, false));
        let kept = protection.parts.get(&part()).map_or(0, Vec::len);
        assert!(kept <= SAYINGS_MAX, "{kept}");
        assert!(protection.derive(&part(), "o20000").is_some_and(|event| !event.over));
        assert!(protection.derive(&part(), "o9990").is_some_and(|event| event.over));
        assert!(protection.derive(&part(), "o0").is_none());
    }
}
