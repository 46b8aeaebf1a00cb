//! Coverage of the organization: once an hour every account and region is looked at, and what nothing watches becomes an
//! observation for the rule `coverage-gap`.
//!
//! An account or region that has left the organization is no gap any more. Deliberately no conclusion about what could
//! not be asked: the log names it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bedrock_watch_engine::{DetectorObservation, DetectorState, Second};
use bedrock_watch_service::{cloud::Beside, config::Config};
use serde_json::json;

use super::{observe, tell};
use crate::{
    Aws,
    doctor::{
        EVERY_REGION, Finding, Verdict,
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
pub(crate) async fn run(aws: Aws, config: Config, beside: Beside) {
    let mut said = BTreeMap::new();
    let sweeps = async {
        loop {
            match organization(&aws, &config).await {
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
    news.extend(left(covered, said, now));
    if unknown > 0 {
        tracing::warn!(unknown, "accounts or regions could not be looked at; `bedrock-watch doctor --org` names them");
    }
    news
}

/// The ends of what was missing in accounts and regions that are no part of the organization any more, which are
/// forgotten.
///
/// An account whose regions could not be asked stands there without its regions, and keeps what was said of them.
fn left(covered: &[Covered], said: &mut BTreeMap<Part, bool>, now: Second) -> Vec<DetectorObservation> {
    let there: BTreeSet<(&str, &str)> =
        covered.iter().map(|place| (place.account.as_str(), place.region.as_str())).collect();
    let is_there =
        |account: &str, region: &str| there.contains(&(account, region)) || there.contains(&(account, EVERY_REGION));
    let gone = said.extract_if(.., |(account, region, _), _| !is_there(account, region));
    let ended = gone.filter(|(_, missing)| *missing).map(|((account, region, part), _)| {
        let place = Covered { account, name: String::new(), region, trails: Ok(Vec::new()), rules: Ok(Vec::new()) };
        observation(&place, part, false, String::new(), now)
    });
    ended.collect()
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
    // Of an account that has left, the name is not known any more.
    if !place.name.is_empty() {
        facts.insert("account_name".to_owned(), json!(place.name));
    }
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
    use crate::doctor::{
        EVERY_REGION,
        facts::{NotAsked, Why},
    };

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

    #[test]
    fn what_has_left_the_organization_is_no_gap_any_more() {
        let unknown = || Covered { region: EVERY_REGION.to_owned(), ..place(Err(Why::Denied)) };
        let elsewhere = || Covered { region: "us-east-1".to_owned(), ..place(Err(Why::Denied)) };
        let check = |what: &str, then: &[Covered], ended: usize| {
            let mut said = BTreeMap::new();
            assert_eq!(news(&[place(Ok(()))], &mut said, Second(10)).len(), 2, "{what}");
            let ends = news(then, &mut said, Second(20));
            let of_the_place = |one: &&DetectorObservation| one.region == "eu-west-1";
            assert_eq!(ends.iter().filter(of_the_place).filter(|one| one.over).count(), ended, "{what}: {ends:?}");
            let again = news(then, &mut said, Second(30));
            assert!(again.is_empty(), "{what}: said once: {again:?}");
        };
        check("the account left", &[], 2);
        check("the region was disabled", &[elsewhere()], 2);
        check("the account's regions could not be asked", &[unknown()], 0);
        check("its rules could not be asked", &[place(Err(Why::Denied))], 0);
    }
}
