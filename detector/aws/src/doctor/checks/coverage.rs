//! The organization: every active account in every enabled region has a trail and a rule that forwards.

use super::{Finding, aws};
use crate::doctor::{
    facts::{Covered, Why},
    finding::Level,
    samples::SAMPLES,
    verdict::matched,
};

/// The link of a missing trail.
pub const TRAIL: &str = "coverage-trail";
/// The link of a missing rule.
pub const RULE: &str = "coverage-rule";

/// Two findings about one account and region.
#[must_use]
pub fn coverage(place: &Covered) -> [Finding; 2] {
    [trail(place), rule(place)]
}

fn subject(place: &Covered) -> String {
    format!("{} {}", place.account, place.region)
}

fn trail(place: &Covered) -> Finding {
    let trails = match &place.trails {
        Ok(trails) => trails,
        Err(error) if error.why == Why::Denied => {
            return Finding::not_checked(TRAIL, subject(place), format!("no access: {error}"));
        }
        Err(error) => return Finding::not_asked(TRAIL, subject(place), error),
    };
    let logs = |trail: &&crate::doctor::facts::Trail| trail.logging != Ok(false);
    match trails.iter().find(logs) {
        Some(trail) => Finding::fine(TRAIL, subject(place), format!("covered by {}", trail.arn)),
        None => Finding::broken(
            TRAIL,
            subject(place),
            Level::High,
            format!("no trail that logs covers {} in {}", place.name, place.region),
        )
        .mended_by(
            "Let the organization's trail cover every account and region",
            aws(
                "cloudtrail update-trail --is-organization-trail --is-multi-region-trail",
                "us-east-1",
                &[("--name", "YOUR-TRAIL")],
            ),
        ),
    }
}

fn rule(place: &Covered) -> Finding {
    let rules = match &place.rules {
        Ok(rules) => rules,
        Err(error) => return Finding::not_asked(RULE, subject(place), error),
    };
    let reads = SAMPLES.iter().filter(|sample| sample.read_only);
    let all = super::rule::ALL;
    let forwards = |sample| {
        let complete = rules.iter().filter(|rule| rule.state == all && !rule.targets.is_empty());
        complete.filter_map(|rule| matched(rule, sample, &place.account, &place.region)).any(|matched| matched)
    };
    if reads.into_iter().all(forwards) {
        return Finding::fine(RULE, subject(place), "a rule forwards Bedrock's events");
    }
    Finding::broken(
        RULE,
        subject(place),
        Level::High,
        format!("no rule of {} in {} forwards Bedrock's events, reading ones included", place.name, place.region),
    )
    .mended_by("Roll the forwarding rule out to the account and region", "")
}
