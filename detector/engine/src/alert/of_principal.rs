//! Writes the alert of a verdict about a principal: counts and lists cover the UTC day.

use serde_json::{Map, Value as Json, json};

use super::{Alert, Severity, Status, SubjectKind, compose, identity::alert_id};
use crate::{
    account::{Account, Regions},
    firsts,
    principals::{Day, Opening, Principal, PrincipalBaseline, Tally, Verdict},
    rule::{Counts, Metric, Rule},
    settings::Settings,
    time::{Second, day_to_string},
    usage::{Ledger, Prices, UsageDay, UsageMoment, usd},
};

/// What an alert of a principal is written from.
pub(crate) struct Source<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) settings: &'a Settings,
    pub(crate) account_name: &'a str,
    pub(crate) account: &'a Account,
    pub(crate) regions: &'a Regions,
    pub(crate) name: &'a str,
    pub(crate) principal: &'a Principal,
    pub(crate) verdict: &'a Verdict,
    /// What model invocation logs say about the principal.
    pub(crate) ledger: Option<&'a Ledger>,
    pub(crate) prices: &'a Prices,
}

/// How many events the alert of a verdict counts.
pub(crate) fn event_count(rule: &Rule, principal: &Principal, verdict: &Verdict, ledger: Option<&Ledger>) -> u64 {
    if rule.counts() == Counts::Usage {
        return ledger.and_then(|ledger| ledger.day(verdict.day)).map_or(0, |day| u64::from(day.records()));
    }
    let of_day = principal.day(verdict.day).map_or(0, |day| day.count(rule.counts()));
    let of_matches = verdict.matches.as_ref().map_or(0, |matches| matches.count);
    let enabling = u32::try_from(verdict.opening.enabled.len()).unwrap_or(u32::MAX);
    u64::from(of_day.saturating_add(of_matches).saturating_add(enabling))
}

impl Source<'_> {
    /// The alert, with this status.
    pub(crate) fn alert(&self, status: Status) -> Alert {
        let about = self.rule.about();
        let day = day_to_string(self.verdict.day);
        let tally = self.tally();
        let mut alert = Alert {
            id: alert_id(&[self.rule.id(), self.account_name, self.name, &day]),
            severity: self.verdict.severity().unwrap_or(Severity::Informational).max(about.severity),
            status,
            account: self.account_name.to_owned(),
            region: self.regions.only(&tally.regions),
            subject_kind: SubjectKind::Principal,
            subject_id: self.name.to_owned(),
            principal: Some(self.name.to_owned()),
            actor: tally
                .actor
                .as_ref()
                .map(|actor| actor.to_actor(self.name, &self.account.shared))
                .unwrap_or_default(),
            first_event_time: Second(tally.earliest.first().map_or(0, |(second, _)| *second)),
            last_event_time: Second(tally.last),
            event_ids: tally.earliest.iter().map(|(_, id)| id.to_text()).collect(),
            event_count: u64::from(tally.count),
            facts: self.facts(),
            ..compose::blank(about)
        };
        if status == Status::Withdrawn {
            let reason = "records that arrived later show that it should not have fired";
            alert.facts.insert("reason".to_owned(), json!(reason));
        }
        let name = self.verdict.names.first().map(ToString::to_string).unwrap_or_default();
        compose::finish(&mut alert, about, &name);
        alert
    }

    /// The events the alert rests on.
    fn tally(&self) -> Tally {
        if self.rule.counts() == Counts::Usage {
            let details = self.used().and_then(|day| day.details.as_deref());
            return details.map(|details| details.tally.clone()).unwrap_or_default();
        }
        let of_day = self.principal.day(self.verdict.day).map(|day| day.tally(self.rule.counts())).unwrap_or_default();
        let mut tally = match &self.verdict.matches {
            Some(matches) => of_day.merged(matches),
            None => of_day,
        };
        for (second, id, region, actor) in &self.verdict.opening.enabled {
            let mut enabling = Tally::default();
            enabling.add(*second, || id.clone(), *region, || actor.clone());
            tally = tally.merged(&enabling);
        }
        tally
    }

    fn facts(&self) -> Map<String, Json> {
        let mut facts = Map::new();
        facts.insert("day".to_owned(), json!(day_to_string(self.verdict.day)));
        let opening = &self.verdict.opening;
        match self.rule.counts() {
            Counts::Invocations => self.burst_facts(&mut facts),
            Counts::Refusals => {
                let refusals = self.principal.day(self.verdict.day).map_or(0, |day| day.count(Counts::Refusals));
                facts.insert("refusals".to_owned(), json!(refusals));
                facts.insert("error_codes".to_owned(), json!(self.error_codes()));
            }
            Counts::Throttled => {
                let throttled = self.principal.day(self.verdict.day).map_or(0, |day| day.count(Counts::Throttled));
                let baseline = PrincipalBaseline::at(self.principal, opening.second, self.settings);
                facts.insert("throttled".to_owned(), json!(throttled));
                facts.insert("baseline_60s".to_owned(), json!(baseline));
            }
            Counts::Enablement => {
                let enabled = opening.enabled.first().map(|(second, ..)| Second(*second).to_rfc3339());
                facts.insert("enabled_at".to_owned(), json!(enabled));
                facts.insert("first_used_at".to_owned(), json!(Second(opening.second).to_rfc3339()));
                facts.insert("learning".to_owned(), json!(self.is_learning()));
            }
            Counts::Matches => {
                facts.insert("operations".to_owned(), json!(self.verdict.names));
                self.first_time_facts(&mut facts, opening);
                let said = self.rule.fact_names().map(|name| (name.to_owned(), json!(self.verdict.fact(name))));
                facts.extend(said);
            }
            Counts::Calls | Counts::Usage => {}
        }
        self.window_facts(&mut facts, opening);
        self.usage_facts(&mut facts);
        facts
    }

    /// What was new, of a rule over first times.
    fn first_time_facts(&self, facts: &mut Map<String, Json>, opening: &Opening) {
        let asked = self.rule.first_times().map_or(0, |terms| terms.asked);
        if asked != 0 && self.is_learning() {
            facts.insert("learning".to_owned(), json!(true));
        }
        if asked & firsts::MODEL != 0 {
            let names = self.account.models.names(&opening.new_models);
            facts.insert("new_models".to_owned(), json!(names));
        }
        if asked & firsts::REGION != 0 {
            facts.insert("new_regions".to_owned(), json!(self.regions.names(&opening.new_regions)));
        }
    }

    /// What the windows held at the first second at which the rule did.
    fn window_facts(&self, facts: &mut Map<String, Json>, opening: &Opening) {
        let models = &self.account.models;
        for (metric, _) in self.rule.windows() {
            match metric {
                Metric::RefusedModels => {
                    let refused = self.day().map(|day| day.refused_models.as_slice()).unwrap_or_default();
                    facts.insert("models".to_owned(), json!(models.names(refused)));
                }
                Metric::RefusedRegions => {
                    let refused = self.day().map(|day| day.regions(Counts::Refusals)).unwrap_or_default();
                    facts.insert("regions".to_owned(), json!(self.regions.names(&refused)));
                }
                Metric::Models => {
                    facts.insert("models".to_owned(), json!(models.names(&opening.models)));
                }
                Metric::NewModels => {
                    facts.insert("new_models".to_owned(), json!(models.names(&opening.new_models)));
                    facts.insert("learning".to_owned(), json!(self.is_learning()));
                }
                Metric::Regions => {
                    facts.insert("regions".to_owned(), json!(self.regions.names(&opening.regions)));
                }
                Metric::NewRegions => {
                    facts.insert("new_regions".to_owned(), json!(self.regions.names(&opening.new_regions)));
                    facts.insert("learning".to_owned(), json!(self.is_learning()));
                }
                _ => {}
            }
        }
    }

    fn burst_facts(&self, facts: &mut Map<String, Json>) {
        let empty = Day::default();
        let day = self.principal.day(self.verdict.day).unwrap_or(&empty);
        let used = &day.used;
        let baseline = PrincipalBaseline::at(self.principal, day.peak.second, self.settings);
        let numbers: [(&str, Json); 12] = [
            ("peak_60s", json!(day.peak.invocations)),
            ("total", json!(day.count(Counts::Invocations))),
            ("baseline_60s", json!(baseline)),
            ("failed", json!(day.failed)),
            ("models", json!(used.models.len())),
            ("regions", json!(used.regions.len())),
            ("sessions", json!(used.sessions.len())),
            ("access_keys", json!(used.access_keys.len())),
            ("source_ips", json!(used.source_ips.len())),
            ("user_agents", json!(used.user_agents.len())),
            ("burst_started", json!(self.verdict.first().map(|second| Second(second).to_rfc3339()))),
            ("learning", json!(self.is_learning())),
        ];
        facts.extend(numbers.map(|(name, value)| (name.to_owned(), value)));
    }

    /// The day's log records.
    fn used(&self) -> Option<&UsageDay> {
        self.ledger.and_then(|ledger| ledger.day(self.verdict.day))
    }

    /// Tokens and cost of the day, where they are known: of every alert about a principal.
    fn usage_facts(&self, facts: &mut Map<String, Json>) {
        let (Some(ledger), Some(day)) = (self.ledger, self.used()) else { return };
        let models = &self.account.models;
        let details = day.details.as_deref().cloned().unwrap_or_default();
        let numbers: [(&str, Json); 7] = [
            ("estimated_usd", dollars(day.amount.cost)),
            ("prices_of", json!(self.prices.date())),
            ("input_tokens", json!(day.amount.input_tokens)),
            ("output_tokens", json!(day.amount.output_tokens)),
            ("cache_read_tokens", json!(details.cache_read_tokens)),
            ("logged_calls", json!(details.tally.count)),
            ("models_without_price", json!(models.names(&details.unpriced))),
        ];
        facts.extend(numbers.map(|(name, value)| (name.to_owned(), value)));
        if self.rule.counts() != Counts::Usage {
            return;
        }
        let held = UsageMoment {
            name: self.name,
            account: self.account_name,
            ledger,
            settings: self.settings,
            second: self.verdict.first().unwrap_or(0),
        };
        let usual = held.baseline();
        let busiest = ledger.busiest_hour(self.verdict.day);
        let more: [(&str, Json); 10] = [
            ("cache_write_tokens", json!(details.cache_write_tokens)),
            ("images", json!(details.images)),
            ("models", json!(models.names(&details.models))),
            ("errors", json!(day.amount.errors)),
            ("error_codes", json!(details.error_codes)),
            ("busiest_hour", json!(busiest.map(|(second, _)| Second(second).to_rfc3339()))),
            ("busiest_hour_usd", busiest.map_or(Json::Null, |(_, amount)| dollars(amount.cost))),
            ("busiest_hour_tokens", json!(busiest.map(|(_, amount)| amount.tokens()))),
            ("usual_usd_1h", usual.map_or(Json::Null, |usual| dollars(usual.cost))),
            ("usual_tokens_1h", json!(usual.map(|usual| usual.tokens))),
        ];
        facts.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }

    fn day(&self) -> Option<&Day> {
        self.principal.day(self.verdict.day)
    }

    fn error_codes(&self) -> Vec<String> {
        let codes = self.day().map(|day| day.error_codes.as_slice()).unwrap_or_default();
        codes.iter().map(ToString::to_string).collect()
    }

    /// Whether the account is known for too short a time to say what is new or normal.
    fn is_learning(&self) -> bool {
        self.account.is_learning(Second(self.verdict.first().unwrap_or(0)), self.settings)
    }
}

/// An estimate in dollars and cents.
fn dollars(pico: u64) -> Json {
    json!((usd(pico) * 100.0).round() / 100.0)
}
