//! The trail: without one that logs management events, EventBridge gets nothing from CloudTrail.

use super::{Facts, Finding, aws};
use crate::doctor::{
    facts::{Asked, Selectors, Trail},
    finding::Level,
    partition,
};

/// A trail exists that covers the region, and global services with it.
pub(super) fn trail(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "trail";
    let trails = match &facts.trails {
        Ok(trails) => trails,
        Err(error) => return vec![Finding::not_asked(LINK, "", error)],
    };
    if trails.is_empty() {
        let what = format!("no trail covers {}: CloudTrail delivers nothing to EventBridge", facts.region);
        return vec![Finding::broken(LINK, "", Level::High, what).mended_by(
            "Create a trail for every region (the bucket must let CloudTrail write), and start it",
            format!(
                "{}\n{}",
                aws(
                    "cloudtrail create-trail --is-multi-region-trail --include-global-service-events",
                    &facts.region,
                    &[("--name", "bedrock-watch"), ("--s3-bucket-name", "YOUR-TRAIL-BUCKET")]
                ),
                aws("cloudtrail start-logging", &facts.region, &[("--name", "bedrock-watch")])
            ),
        )];
    }
    let names: Vec<&str> = trails.iter().map(|trail| trail.arn.as_str()).collect();
    let mut findings = vec![Finding::fine(LINK, "", format!("covered by {}", names.join(", ")))];
    findings.extend(global(facts, trails));
    findings
}

/// IAM's events are logged in one region only (us-east-1), so a trail of this region alone never has them.
fn global(facts: &Facts, trails: &[Trail]) -> Option<Finding> {
    let is_global = facts.region == partition::global_region(&facts.region);
    let covers = |trail: &&Trail| trail.global_services && (trail.multi_region || is_global);
    if let Some(trail) = trails.iter().find(covers) {
        return Some(Finding::fine("trail-global", &trail.arn, "covers every region and global services such as IAM"));
    }
    let first = trails.first()?;
    let what = "no trail covers all regions and global services: a deleted IAM role would not be seen";
    let command = "cloudtrail update-trail --is-multi-region-trail --include-global-service-events";
    Some(Finding::broken("trail-global", &first.arn, Level::Medium, what).mended_by(
        "Let the trail cover every region and global services",
        aws(command, home_of(first, &facts.region), &[("--name", &first.arn)]),
    ))
}

/// A trail is changed in its home region, which its ARN names.
fn home_of<'a>(trail: &'a Trail, otherwise: &'a str) -> &'a str {
    trail.arn.split(':').nth(3).filter(|region| !region.is_empty()).unwrap_or(otherwise)
}

/// One of the trails logs right now.
pub(super) fn logging(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "trail-logging";
    let Ok(trails) = &facts.trails else { return Vec::new() };
    if let Some(trail) = trails.iter().find(|trail| trail.logging == Ok(true)) {
        return vec![Finding::fine(LINK, &trail.arn, "logs")];
    }
    if let Some(error) = trails.iter().find_map(|trail| trail.logging.as_ref().err()) {
        return vec![Finding::not_asked(LINK, "", error)];
    }
    let stopped = |trail: &Trail| {
        Finding::broken(LINK, &trail.arn, Level::High, "the trail is stopped: nothing is delivered").mended_by(
            "Start it, and find out who stopped it",
            aws("cloudtrail start-logging", home_of(trail, &facts.region), &[("--name", &trail.arn)]),
        )
    };
    trails.iter().map(stopped).collect()
}

/// A trail that logs has reading and writing management events of every service.
pub(super) fn management_events(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "trail-management-events";
    let Ok(trails) = &facts.trails else { return Vec::new() };
    // A stopped trail is no help, whatever it would log.
    let live: Vec<&Trail> = trails.iter().filter(|trail| trail.logging != Ok(false)).collect();
    if let Some(trail) = live.iter().find(|trail| trail.selectors.as_ref().is_ok_and(is_complete)) {
        return vec![Finding::fine(LINK, &trail.arn, "logs management events that read and that write")];
    }
    live.iter().map(|trail| incomplete(LINK, trail, &facts.region)).collect()
}

/// Whether a trail with these logs every management event.
pub(super) fn is_complete(selectors: &Selectors) -> bool {
    selectors.management_reads && selectors.management_writes && selectors.excluded_sources.is_empty()
}

/// What selectors that are not complete leave out.
pub(super) fn lack(selectors: &Selectors) -> String {
    match selectors {
        selectors if !selectors.excluded_sources.is_empty() => {
            format!("leaves out the management events of {}", selectors.excluded_sources.join(", "))
        }
        Selectors { management_reads: false, management_writes: true, .. } => {
            "leaves out management events that read: InvokeModel and Converse are among them".to_owned()
        }
        _ => "does not log every management event".to_owned(),
    }
}

fn incomplete(link: &'static str, trail: &Trail, region: &str) -> Finding {
    let selectors: &Asked<Selectors> = &trail.selectors;
    let what = match selectors {
        Err(error) => return Finding::not_asked(link, &trail.arn, error),
        Ok(selectors) => lack(selectors),
    };
    let selectors =
        r#"[{"Name":"Management events","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}]"#;
    Finding::broken(link, &trail.arn, Level::High, what).mended_by(
        "Log every management event (this replaces the trail's selectors: add its data-event selectors to the list)",
        aws(
            "cloudtrail put-event-selectors",
            home_of(trail, region),
            &[("--trail-name", &trail.arn), ("--advanced-event-selectors", selectors)],
        ),
    )
}
