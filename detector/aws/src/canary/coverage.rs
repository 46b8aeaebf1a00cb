//! Coverage of the organization: once an hour every account and region is looked at, and what nothing watches becomes an
//! observation for the rule `coverage-gap`.
//!
//! Deliberately no conclusion about what could not be asked: the log names it.

use std::{collections::BTreeMap, time::Duration};

use bedrock_watch_engine::{DetectorObservation, DetectorState, Second};
use bedrock_watch_service::cloud::Beside;
use serde_json::json;

use super::{observe, tell};
use crate::{
    Aws,
    doctor::{
        Finding, Verdict,
        checks::{COVERAGE_RULE, COVERAGE_TRAIL, coverage},
        facts::Covered,
        organization,
    },
};

/// How often.
const EVERY: Duration = Duration::from_secs(3_600);
/// The name under which it appears in `/readyz`.
const STATUS: &str = "coverage";

/// An account, a region, and `trail` or `rule`.
type Part = (String, String, &'static str);

/// Looks every hour until the daemon ends.
pub(crate) async fn run(aws: Aws, beside: Beside) {
    let mut said = BTreeMap::new();
    let sweeps = async {
        loop {
            match organization(&aws).await {
                Ok(covered) => {
                    beside.status.clear(STATUS);
                    tell(&beside.intake.named("coverage"), &news(&covered, &mut said, observe::now())).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the organization could not be looked at");
                    beside.status.set(STATUS, &format!("the organization could not be looked at: {error}"));
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    beside.stop.run_until_cancelled(sweeps).await;
}

/// What is to be said: what changed since `said`, and after a start everything that is known.
fn news(covered: &[Covered], said: &mut BTreeMap<Part, bool>, now: Second) -> Vec<DetectorObservation> {
    let mut news = Vec::new();
    let mut unknown = 0_usize;
    for place in covered {
        for (part, finding) in parts(place) {
            let missing = match finding.verdict {
                Verdict::Broken => true,
                Verdict::Fine => false,
                Verdict::NotChecked => {
                    unknown = unknown.saturating_add(1);
                    tracing::debug!(
                        account = place.account,
                        region = place.region,
                        why = finding.what,
                        "not looked at"
                    );
                    continue;
                }
            };
            if said.insert((place.account.clone(), place.region.clone(), part), missing) != Some(missing) {
                news.push(observation(place, part, missing, finding.what, now));
            }
        }
    }
    if unknown > 0 {
        tracing::warn!(unknown, "accounts or regions could not be looked at; `bedrock-watch doctor --org` names them");
    }
    news
}

fn parts(place: &Covered) -> Vec<(&'static str, Finding)> {
    let part = |finding: &Finding| match finding.link {
        COVERAGE_TRAIL => Some("trail"),
        COVERAGE_RULE => Some("rule"),
        _ => None,
    };
    coverage(place).into_iter().filter_map(|finding| Some((part(&finding)?, finding))).collect()
}

fn observation(place: &Covered, part: &str, missing: bool, reason: String, now: Second) -> DetectorObservation {
    let mut facts = serde_json::Map::new();
    facts.insert("account_name".to_owned(), json!(place.name));
    DetectorObservation {
        // The same for every worker that looks at the same second, and for no other place.
        id: format!("coverage-{}-{}-{part}-{}", place.account, place.region, now.0),
        at: now,
        account: place.account.clone(),
        region: place.region.clone(),
        state: DetectorState::CoverageGap,
        part: part.to_owned(),
        over: !missing,
        reason: if missing { reason } else { String::new() },
        facts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::{NotAsked, Why};

    fn place(rules: Result<(), Why>) -> Covered {
        let error = |why| NotAsked { action: "events:ListRules".to_owned(), why, message: String::new() };
        Covered {
            account: "444455556666".to_owned(),
            name: "sandbox".to_owned(),
            region: "eu-west-1".to_owned(),
            trails: Ok(Vec::new()),
            rules: rules.map(|()| Vec::new()).map_err(error),
        }
    }

    #[test]
    fn only_changes_are_said_and_nothing_of_what_is_not_known() {
        let mut said = BTreeMap::new();
        let parts = |news: Vec<DetectorObservation>| -> Vec<(String, bool)> {
            news.into_iter().map(|one| (one.part, one.over)).collect()
        };
        let first = news(&[place(Err(Why::Denied))], &mut said, Second(10));
        assert_eq!(parts(first), [("trail".to_owned(), false)]);
        let second = news(&[place(Ok(()))], &mut said, Second(20));
        assert_eq!(parts(second), [("rule".to_owned(), false)]);
        assert!(news(&[place(Ok(()))], &mut said, Second(30)).is_empty());
    }
}
