//! The organization: every active account in every enabled region has a trail that logs every management event, and
//! rules that forward what the service lives on.

use super::{Finding, aws, trail::is_complete, trail::lack};
use crate::doctor::{
    facts::{Asked, Covered, Rule, Trail, Why},
    finding::Level,
    partition,
    samples::{SAMPLES, Sample},
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
    if let Some(trail) = trails.iter().find(|trail| gap(trail) == Ok(None)) {
        return Finding::fine(TRAIL, subject(place), format!("covered by {}", trail.arn));
    }
    if let Some(error) = trails.iter().find_map(|trail| gap(trail).err()) {
        return Finding::not_asked(TRAIL, subject(place), &error);
    }
    let gaps = trails.iter().filter_map(|trail| Some(format!("; {} {}", trail.arn, gap(trail).ok()??)));
    let gaps: String = gaps.collect();
    let what = format!("no trail that logs everything needed covers {} in {}{gaps}", place.name, place.region);
    Finding::broken(TRAIL, subject(place), Level::High, what).mended_by(
        "Let the organization's trail cover every account and region",
        aws(
            "cloudtrail update-trail --is-organization-trail --is-multi-region-trail",
            partition::global_region(&place.region),
            &[("--name", "YOUR-TRAIL")],
        ),
    )
}

/// Why a trail is not enough, if it is not.
fn gap(trail: &Trail) -> Asked<Option<String>> {
    match (&trail.logging, &trail.selectors) {
        (Ok(false), _) => Ok(Some("is stopped".to_owned())),
        (_, Ok(selectors)) if !is_complete(selectors) => Ok(Some(lack(selectors))),
        (Err(error), _) | (_, Err(error)) => Err(error.clone()),
        (Ok(true), Ok(_)) => Ok(None),
    }
}

fn rule(place: &Covered) -> Finding {
    let rules = match &place.rules {
        Ok(rules) => rules,
        Err(error) => return Finding::not_asked(RULE, subject(place), error),
    };
    let is_global = place.region == partition::global_region(&place.region);
    let (mut missed, mut unknown): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for sample in SAMPLES.iter().filter(|sample| !sample.global || is_global) {
        let leading = rules.iter().filter(|rule| !rule.targets.is_empty() && sees(rule, sample));
        let answers: Vec<Option<bool>> =
            leading.map(|rule| matched(rule, sample, &place.account, &place.region)).collect();
        if answers.contains(&Some(true)) {
            continue;
        }
        if answers.contains(&None) { unknown.push(sample.name) } else { missed.push(sample.name) }
    }
    if !missed.is_empty() {
        let what =
            format!("no rule of {} in {} forwards {} to the service", place.name, place.region, missed.join(", "));
        return Finding::broken(RULE, subject(place), Level::High, what)
            .mended_by("Roll the forwarding rules out to the account and region", "");
    }
    if !unknown.is_empty() {
        let why =
            format!("whether a rule forwards {} is not known: its pattern could not be tried", unknown.join(", "));
        return Finding::not_checked(RULE, subject(place), why);
    }
    Finding::fine(RULE, subject(place), "rules forward every kind of event that is needed to the service")
}

/// Whether a rule is in a state in which it sees such an event at all.
fn sees(rule: &Rule, sample: &Sample) -> bool {
    rule.state == super::rule::ALL || (rule.state == "ENABLED" && !sample.read_only)
}
