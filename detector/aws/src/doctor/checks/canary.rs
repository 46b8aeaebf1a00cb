//! The canary: the whole way from the bus to the stream, tried.

use super::{Facts, Finding, aws};
use crate::doctor::{facts::Canary, finding::Level};

/// The canary that was sent came back.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "canary";
    let Some(canary) = &facts.canary else { return Vec::new() };
    vec![match canary {
        Canary::Back { after_ms, through } => Finding::fine(LINK, through, format!("was back after {after_ms} ms")),
        Canary::Lost { waited_s } => {
            let what = format!("was put on the bus and did not come back within {waited_s} s");
            let options =
                [("--name", "bedrock-watch-canary"), ("--event-pattern", r#"{"source":["bedrock-watch.canary"]}"#)];
            Finding::broken(LINK, "", Level::High, what).mended_by(
                "See to the links above first; then to the rule that forwards canaries",
                aws("events put-rule", &facts.region, &options),
            )
        }
        Canary::NotTried(why) => Finding::not_checked(LINK, "", why),
    }]
}
