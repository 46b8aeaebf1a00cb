//! Which alerts belong together: pure, and the same for any order of the same alerts.
//!
//! Alerts that share a key form runs: as long as each begins less than the gap after the ones before it ended, they are
//! one run, and what is in one run belongs together. Two exceptions keep strangers apart. An address that more
//! principals share than one attacker is likely to hold ties nobody in that run. And informational alerts join the
//! earliest incident they touch, but neither begin one nor tie two together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bedrock_watch_engine::{
    Second,
    alert::{Alert, Status},
};
use ipnet::IpNet;

use super::{
    Incident, Stages, id_of,
    link::{self, Link, links, only_joins, span},
    score::{Counted, Score},
};

/// How alerts are joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// Alerts of one run lie less than so far apart, in seconds.
    pub gap_s: u32,
    /// An address that more principals use in one run ties none of them.
    pub address_principals_max: usize,
    /// Addresses that many share, such as a company's way out; they tie nobody.
    pub shared_addresses: Vec<IpNet>,
}

impl Default for Joining {
    /// Six hours; 20 principals.
    fn default() -> Self {
        Self { gap_s: 21_600, address_principals_max: 20, shared_addresses: Vec::new() }
    }
}

impl Joining {
    /// The ties of an alert that count.
    pub(super) fn links(&self, alert: &Alert) -> Vec<Link> {
        let mut links = links(alert);
        let is_shared = |address| self.shared_addresses.iter().any(|net| net.contains(&address));
        if link::address(alert).is_some_and(is_shared) {
            links.retain(|link| !link.is_address());
        }
        links
    }

    /// The runs of one key's links, which are sorted by their beginnings; without those of an address that too many
    /// share. Each link may come with something.
    pub(super) fn runs<'a, T>(&self, sorted: &'a [(Link, T)]) -> Vec<&'a [(Link, T)]> {
        let mut starts = Vec::new();
        let mut end = None;
        for (index, (link, _)) in sorted.iter().enumerate() {
            if end.is_none_or(|end| link.first.since(end) >= self.gap_s) {
                starts.push(index);
            }
            end = end.max(Some(link.last));
        }
        let ends = starts.iter().skip(1).copied().chain([sorted.len()]);
        let runs = starts.iter().zip(ends).filter_map(|(start, end)| sorted.get(*start..end));
        runs.filter(|run| !self.is_crowded(run)).collect()
    }

    fn is_crowded<T>(&self, run: &[(Link, T)]) -> bool {
        let is_address = run.first().is_some_and(|(link, _)| link.is_address());
        let who: BTreeSet<&String> = run.iter().map(|(link, _)| &link.who).collect();
        is_address && who.len() > self.address_principals_max
    }
}

/// The incidents of these alerts, by their first event time and id. Alerts that were withdrawn, and informational ones
/// that touch nothing, are in none.
#[must_use]
pub fn join(alerts: &[Arc<Alert>], joining: &Joining, stages: &Stages) -> Vec<Incident> {
    join_among(alerts, Vec::new(), joining, stages)
}

/// The same where `strangers` are ties of further alerts, which are in no incident but count among those who share an
/// address.
pub(super) fn join_among(
    alerts: &[Arc<Alert>],
    strangers: Vec<Link>,
    joining: &Joining,
    stages: &Stages,
) -> Vec<Incident> {
    let sorted: BTreeMap<(Second, &str), &Arc<Alert>> = alerts
        .iter()
        .filter(|alert| alert.status != Status::Withdrawn)
        .map(|alert| ((alert.first_event_time, alert.id.as_str()), alert))
        .collect();
    let sorted: Vec<&Arc<Alert>> = sorted.into_values().collect();
    let mut by_key: BTreeMap<String, Vec<(Link, Option<usize>)>> = BTreeMap::new();
    for (index, alert) in sorted.iter().enumerate() {
        for link in joining.links(alert) {
            by_key.entry(link.key.clone()).or_default().push((link, Some(index)));
        }
    }
    for stranger in strangers {
        if let Some(links) = by_key.get_mut(&stranger.key) {
            links.push((stranger, None));
        }
    }
    for links in by_key.values_mut() {
        links.sort_by(|(one, _), (other, _)| (one.first, &one.alert).cmp(&(other.first, &other.alert)));
    }
    let mut groups = Groups { parents: (0..sorted.len()).collect() };
    let runs: Vec<Vec<usize>> = by_key
        .values()
        .flat_map(|links| joining.runs(links))
        .map(|run| run.iter().filter_map(|(_, index)| *index).collect())
        .collect();
    for run in &runs {
        groups.tie(run, &sorted, joining.gap_s);
    }
    let adopted = groups.adopt(&runs, &sorted, joining.gap_s);
    let mut members: BTreeMap<usize, Vec<&Arc<Alert>>> = BTreeMap::new();
    for (index, alert) in sorted.iter().enumerate() {
        let first = if only_joins(alert) { adopted.get(&index).copied() } else { Some(groups.first_of(index)) };
        if let Some(first) = first {
            members.entry(first).or_default().push(alert);
        }
    }
    members.into_values().filter_map(|members| incident(&members, stages)).collect()
}

/// Which alerts are tied, as a forest whose roots are the earliest of each group.
struct Groups {
    parents: Vec<usize>,
}

impl Groups {
    fn first_of(&self, mut index: usize) -> usize {
        while let Some(parent) = self.parents.get(index)
            && *parent != index
        {
            index = *parent;
        }
        index
    }

    fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first_of(one), self.first_of(other));
        if let Some(parent) = self.parents.get_mut(one.max(other)) {
            *parent = one.min(other);
        }
    }

    /// Ties what lies near enough in a run; informational alerts do not bridge a gap.
    fn tie(&mut self, run: &[usize], sorted: &[&Arc<Alert>], gap_s: u32) {
        let mut before: Option<(usize, Second)> = None;
        for index in run {
            let Some(alert) = sorted.get(*index).filter(|alert| !only_joins(alert)) else { continue };
            let (first, last) = span(alert);
            if let Some((near, end)) = before
                && first.since(end) < gap_s
            {
                self.unite(near, *index);
            }
            before = Some((*index, before.map_or(last, |(_, end)| end.max(last))));
        }
    }

    /// For each informational alert that touches an incident, the first alert of the earliest one.
    fn adopt(&self, runs: &[Vec<usize>], sorted: &[&Arc<Alert>], gap_s: u32) -> BTreeMap<usize, usize> {
        let mut adopted: BTreeMap<usize, usize> = BTreeMap::new();
        for run in runs {
            let alerts = || run.iter().filter_map(|index| Some((*index, *sorted.get(*index)?)));
            for (child, informational) in alerts().filter(|(_, alert)| only_joins(alert)) {
                let (first, last) = span(informational);
                let touches = |alert: &Alert| {
                    let (other_first, other_last) = span(alert);
                    other_first.since(last).max(first.since(other_last)) < gap_s
                };
                let near = alerts().filter(|(_, alert)| !only_joins(alert) && touches(alert));
                if let Some(first) = near.map(|(index, _)| self.first_of(index)).min() {
                    let known = adopted.entry(child).or_insert(first);
                    *known = first.min(*known);
                }
            }
        }
        adopted
    }
}

/// The incident of these alerts, sorted. An informational alert may come before the first that counts.
fn incident(members: &[&Arc<Alert>], stages: &Stages) -> Option<Incident> {
    let founder = members.iter().find(|alert| !only_joins(alert))?;
    // Of several the earliest: `max_by_key` takes the last.
    let worst = members.iter().rev().max_by_key(|alert| alert.severity)?;
    let set = |of: &dyn Fn(&Alert) -> Option<String>| -> BTreeSet<String> {
        members.iter().filter_map(|alert| of(alert)).collect()
    };
    let accounts = set(&|alert| Some(alert.account.clone()));
    let regions = set(&|alert| alert.region.clone());
    let principals = set(&|alert| alert.principal.clone());
    let alerts: Vec<_> = members.iter().map(|alert| (Arc::clone(alert), stages.stage(alert))).collect();
    let reached: BTreeSet<_> = alerts.iter().map(|(_, stage)| *stage).collect();
    let is_firing = members.iter().any(|alert| alert.status == Status::Firing);
    let counted = Counted {
        severity: worst.severity,
        stages: reached.len(),
        accounts: accounts.len(),
        regions: regions.len(),
        principals: principals.len(),
    };
    Some(Incident {
        id: id_of(&founder.id),
        title: title(worst, members.len(), &principals),
        severity: worst.severity,
        status: if is_firing { Status::Firing } else { Status::Resolved },
        stages: reached.into_iter().collect(),
        score: Score::of(counted),
        first_event_time: members.iter().map(|alert| alert.first_event_time).min()?,
        last_event_time: members.iter().map(|alert| alert.last_event_time).max()?,
        alerts,
        accounts,
        regions,
        principals,
        is_cut: false,
    })
}

fn title(worst: &Alert, count: usize, principals: &BTreeSet<String>) -> String {
    let by = match (principals.first(), principals.len()) {
        (Some(only), 1) => format!(" by {}", only.rsplit(':').next().unwrap_or(only)),
        (Some(_), several) => format!(" by {several} principals"),
        (None, _) => String::new(),
    };
    let more = match count.saturating_sub(1) {
        0 => String::new(),
        1 => ", and 1 more alert".to_owned(),
        more => format!(", and {more} more alerts"),
    };
    format!("{}{by}{more}", worst.title)
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
