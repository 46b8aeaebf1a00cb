//! The sinks: whether each answers, without being sent an alert.

use super::{Facts, Finding};
use crate::doctor::{facts::SinkAnswer, finding::Level};

/// Every sink answers.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "sink";
    let of = |(name, answer): &(String, SinkAnswer)| match answer {
        SinkAnswer::Answers(said) => Finding::fine(LINK, name, said),
        SinkAnswer::NotAsked(why) => Finding::not_checked(LINK, name, why),
        SinkAnswer::Fails(error) => Finding::broken(LINK, name, Level::High, error)
            .mended_by("See its section in the configuration; no alert reaches anybody through it", ""),
    };
    facts.sinks.iter().map(of).collect()
}
