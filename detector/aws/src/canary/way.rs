//! The way of events, looked at from outside: at every interval of the inventory the trail, the rules and their targets
//! are asked for, and what is stopped, changed or deleted becomes an observation for the rule `detector-blind`.
//!
//! The canary proves the way from the bus on; this sees what is before it, in whatever region it was stopped, and names
//! the part. Deliberately no conclusion about what could not be asked: the log names it.

use std::{collections::BTreeMap, time::Duration};

use bedrock_watch_engine::{DetectorObservation, DetectorState, Second};
use bedrock_watch_service::{cloud::Beside, config::Config};
use serde_json::json;

use super::{caller_account, observe, tell};
use crate::{
    Aws,
    doctor::{self, Finding, Ours, Verdict, facts::Covered},
};

/// The name under which it appears in `/readyz`.
const STATUS: &str = "way";

/// Looks at every interval until the daemon ends. Without a stream or queue that EventBridge fills there is no way to
/// look at.
pub(crate) async fn run(aws: Aws, config: Config, beside: Beside) {
    let every = Duration::from_secs(config.inventory.interval_s);
    let mut watch = Watch { interval_s: config.inventory.interval_s, missing: BTreeMap::new() };
    let looks = async {
        let mut account = String::new();
        loop {
            if account.is_empty() {
                account = caller_account(&aws).await;
            }
            let ours = Ours::of(&config, &account, aws.region());
            if ours.entries().is_empty() {
                return;
            }
            if account.is_empty() {
                tracing::warn!("the trail and rules could not be looked at: the own account is not known");
            } else {
                let place = doctor::way(&aws, &account, &ours).await;
                let news = watch.news(&place, doctor::checks::way(&place, ours.entries()), observe::now());
                say(&beside, &watch, &news);
                tell(&beside.intake.named("way"), &news).await;
            }
            tokio::time::sleep(every).await;
        }
    };
    beside.stop.run_until_cancelled(looks).await;
}

fn say(beside: &Beside, watch: &Watch, news: &[DetectorObservation]) {
    for one in news.iter().filter(|one| !one.over) {
        tracing::error!(part = one.part, "blind: {}", one.reason);
    }
    let reasons: Vec<&str> = watch.missing.values().flatten().map(String::as_str).collect();
    if reasons.is_empty() {
        beside.status.clear(STATUS);
    } else {
        beside.status.set(STATUS, &reasons.join("; "));
    }
}

/// What was said of each part. Pure.
#[derive(Debug)]
struct Watch {
    interval_s: u64,
    /// Why a part is missing, `None` if it is not; nothing is there of parts that could not be asked about yet.
    missing: BTreeMap<&'static str, Option<String>>,
}

impl Watch {
    /// What is to be said: what changed, and after a start everything that is known.
    fn news(
        &mut self,
        place: &Covered,
        parts: impl IntoIterator<Item = (&'static str, Finding)>,
        now: Second,
    ) -> Vec<DetectorObservation> {
        let mut news = Vec::new();
        for (part, finding) in parts {
            let missing = match finding.verdict {
                Verdict::Broken => Some(finding.what),
                Verdict::Fine => None,
                Verdict::NotChecked => {
                    tracing::debug!(part, why = finding.what, "not looked at");
                    continue;
                }
            };
            let before = self.missing.insert(part, missing.clone());
            if before.is_none_or(|before| before.is_some() != missing.is_some()) {
                news.push(self.observation(place, part, missing, now));
            }
        }
        news
    }

    fn observation(&self, place: &Covered, part: &str, missing: Option<String>, now: Second) -> DetectorObservation {
        let over = missing.is_none();
        let state = if over { "over" } else { "missing" };
        // The same for every worker that looks within the same interval, so that all of them raise one alert.
        let interval = u64::from(now.0).checked_div(self.interval_s).unwrap_or_default();
        let mut facts = serde_json::Map::new();
        facts.insert("every_s".to_owned(), json!(self.interval_s));
        DetectorObservation {
            id: format!("way-{}-{}-{part}-{state}-{interval}", place.account, place.region),
            at: now,
            account: place.account.clone(),
            region: place.region.clone(),
            state: DetectorState::DetectorBlind,
            part: part.to_owned(),
            over,
            reason: missing.unwrap_or_default(),
            facts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_said_and_nothing_of_what_is_not_known() {
        let mut watch = Watch { interval_s: 300, missing: BTreeMap::new() };
        let place = Covered {
            account: "111122223333".to_owned(),
            name: String::new(),
            region: "eu-central-1".to_owned(),
            trails: Ok(Vec::new()),
            rules: Ok(Vec::new()),
        };
        let broken = || Finding::broken("link", "", doctor::Level::High, "it is stopped");
        let fine = || Finding::fine("link", "", "");
        let unknown = || Finding::not_checked("link", "", "");
        let mut check = |finding: Finding, at: u32, expected: &[(bool, &str, &str)]| {
            let news = watch.news(&place, [("trail", finding)], Second(at));
            let said: Vec<_> = news.iter().map(|one| (one.over, one.reason.as_str(), one.id.as_str())).collect();
            assert_eq!(said, expected, "at {at}");
        };
        let id = |state: &str, interval: u32| format!("way-111122223333-eu-central-1-trail-{state}-{interval}");
        check(unknown(), 0, &[]);
        check(fine(), 300, &[(true, "", &id("over", 1))]);
        check(fine(), 600, &[]);
        check(broken(), 910, &[(false, "it is stopped", &id("missing", 3))]);
        check(unknown(), 1_200, &[]);
        check(broken(), 1_500, &[]);
        check(fine(), 1_800, &[(true, "", &id("over", 6))]);
    }
}
