//! Reads from the store the alerts that can belong to an incident, and joins them.
//!
//! It starts from some alerts and follows their ties, wave by wave, until nothing new turns up; what it has then is all
//! that `join` needs. What it has read before it asks for by revision (`known`), so it is never behind the store.
//! Deliberately no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bedrock_watch_engine::{
    Second,
    alert::{Severity, Status},
};

use super::{Incident, Joining, Link, SPAN_MAX_S, Stages, first_alert, id_of, join::join_among, known::KnownAlerts};
use crate::store::{AlertFilter, Reach, Store, StoreError, StoredAlert};

/// Alerts that are read to find incidents, beside those it begins with. An incident with more is cut: alerts are missing from
/// it, and it says so.
const ALERTS_MAX: usize = 1_000;
/// Ties read for one key.
const TIES_MAX: usize = 1_000;
/// Alerts with which a list of incidents begins: the newest.
const LISTED_MAX: usize = 500;

/// Finds incidents in a store.
#[derive(Debug, Clone)]
pub struct Gatherer {
    store: Arc<dyn Store>,
    joining: Arc<Joining>,
    stages: Arc<Stages>,
    known: Arc<KnownAlerts>,
    cut: Arc<AtomicU64>,
}

/// An incident that was asked for by an id.
#[derive(Debug, Clone)]
pub struct Located {
    /// The incident.
    pub incident: Incident,
    /// Its alerts as they are stored, by id.
    pub stored: BTreeMap<String, StoredAlert>,
    /// Its id, where it was asked for by that of one that has become part of it.
    pub merged_into: Option<String>,
}

/// Which incidents to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overview {
    /// Only those that stand so.
    pub status: Option<Status>,
    /// Only those of at least this severity.
    pub severity_min: Option<Severity>,
    /// At most so many; 0 is no limit.
    pub limit: usize,
}

/// What was found by following ties.
#[derive(Debug, Default)]
struct Found {
    alerts: BTreeMap<String, StoredAlert>,
    /// Every tie that was read, by key.
    ties: BTreeMap<String, BTreeSet<Link>>,
    /// From when until when the ties of a key were read.
    read: BTreeMap<String, (Second, Second)>,
    is_cut: bool,
}

impl Gatherer {
    /// Finds them in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, joining: Joining, stages: Stages) -> Self {
        Self { store, joining: Arc::new(joining), stages: Arc::new(stages), known: Arc::default(), cut: Arc::default() }
    }

    /// How often an incident was cut because it has too many alerts.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    /// The incident an alert is in; `None` when it is in none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of_alert(&self, alert: &StoredAlert) -> Result<Option<Incident>, StoreError> {
        let incidents = self.of_alerts(vec![alert.clone()]).await?;
        Ok(incidents.into_iter().find(|incident| incident.has(&alert.alert.id)))
    }

    /// The incidents these alerts are in, and perhaps others near them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of_alerts(&self, alerts: Vec<StoredAlert>) -> Result<Vec<Incident>, StoreError> {
        let found = self.follow(alerts).await?;
        Ok(self.join(&found))
    }

    /// The incident with this id, or the one an alert with this id is in.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn locate(&self, id: &str) -> Result<Option<Located>, StoreError> {
        let alert = first_alert(id).unwrap_or(id);
        let Some(asked) = self.store.alert(alert).await? else { return Ok(None) };
        // One that was withdrawn is in no incident any more; others that came after it are.
        let revived = |status| StoredAlert { alert: Arc::new(with_status(&asked, status)), ..asked.clone() };
        let is_withdrawn = asked.alert.status == Status::Withdrawn;
        let seed = if is_withdrawn { revived(Status::Resolved) } else { asked.clone() };
        let mut found = self.follow(vec![seed]).await?;
        if is_withdrawn {
            found.alerts.remove(alert);
        }
        let incidents = self.join(&found);
        let holds = |incident: &&Incident| is_withdrawn || incident.has(alert);
        let Some(incident) = incidents.iter().find(holds).cloned() else { return Ok(None) };
        found.alerts.retain(|id, _| incident.has(id));
        let merged_into = (id_of(alert) != incident.id).then(|| incident.id.clone());
        Ok(Some(Located { merged_into, incident, stored: found.alerts }))
    }

    /// The incidents of the newest alerts, the newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, wanted: Overview) -> Result<Vec<Incident>, StoreError> {
        let filter = AlertFilter { limit: LISTED_MAX, ..AlertFilter::default() };
        let newest = self.store.alerts(&filter).await?.alerts;
        let mut incidents = self.of_alerts(newest).await?;
        incidents.retain(|incident| {
            wanted.status.is_none_or(|status| incident.status == status)
                && wanted.severity_min.is_none_or(|severity| incident.severity >= severity)
        });
        incidents.reverse();
        if wanted.limit > 0 {
            incidents.truncate(wanted.limit);
        }
        Ok(incidents)
    }

    fn join(&self, found: &Found) -> Vec<Incident> {
        let alerts: Vec<_> = found.alerts.values().map(|stored| Arc::clone(&stored.alert)).collect();
        let is_stranger = |link: &&Link| link.is_address() && !found.alerts.contains_key(&link.alert);
        let strangers = found.ties.values().flatten().filter(is_stranger).cloned().collect();
        let mut incidents = join_among(&alerts, strangers, &self.joining, &self.stages);
        if found.is_cut {
            let times = self.cut.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if times.is_power_of_two() {
                tracing::warn!(times, limit = ALERTS_MAX, "an incident has more alerts than are looked at");
            }
            for incident in &mut incidents {
                incident.is_cut = true;
            }
        }
        incidents
    }

    /// Follows the ties of these alerts.
    async fn follow(&self, seeds: Vec<StoredAlert>) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let limit = ALERTS_MAX.saturating_add(seeds.len());
        let mut new = seeds;
        while !new.is_empty() {
            let links: Vec<Link> = new.iter().flat_map(|stored| self.joining.links(&stored.alert)).collect();
            let reaches = self.reaches(&mut found, &links);
            // Also of one that the store has no ties of, because it was withdrawn.
            for link in links {
                found.ties.entry(link.key.clone()).or_default().insert(link);
            }
            found.alerts.extend(new.drain(..).map(|stored| (stored.alert.id.clone(), stored)));
            if reaches.is_empty() {
                break;
            }
            for link in self.store.links(&reaches, TIES_MAX).await? {
                found.ties.entry(link.key.clone()).or_default().insert(link);
            }
            let room = limit.saturating_sub(found.alerts.len());
            let mut ids = self.tied(&found, &reaches);
            if ids.len() > room {
                found.is_cut = true;
                ids = ids.into_iter().take(room).collect();
            }
            let ids: Vec<String> = ids.into_iter().map(|(_, id)| id).collect();
            new = self.known.read(&*self.store, ids).await?;
        }
        Ok(found)
    }

    /// What has to be read for these ties: everything of their keys that can be in one run with them.
    fn reaches(&self, found: &mut Found, links: &[Link]) -> Vec<Reach> {
        let before = self.joining.gap_s.saturating_add(SPAN_MAX_S);
        let mut wider: BTreeMap<String, (Second, Second)> = BTreeMap::new();
        for link in links {
            let needed = (link.first.minus(before), link.last.plus(self.joining.gap_s));
            let known = wider.get(&link.key).or_else(|| found.read.get(&link.key));
            let whole = known.map_or(needed, |(from, to)| (needed.0.min(*from), needed.1.max(*to)));
            if known != Some(&whole) {
                wider.insert(link.key.clone(), whole);
            }
        }
        found.read.extend(wider.iter().map(|(key, read)| (key.clone(), *read)));
        wider.into_iter().map(|(key, (from, to))| Reach { key, from, to }).collect()
    }

    /// The alerts that are not known yet in the runs of those that are, the earliest first.
    fn tied(&self, found: &Found, reaches: &[Reach]) -> BTreeSet<(Second, String)> {
        let mut tied = BTreeSet::new();
        for reach in reaches {
            let all: Vec<(Link, ())> =
                found.ties.get(&reach.key).into_iter().flatten().map(|link| (link.clone(), ())).collect();
            let mut all = all;
            all.sort_by(|(one, ()), (other, ())| (one.first, &one.alert).cmp(&(other.first, &other.alert)));
            let is_known = |link: &Link| found.alerts.contains_key(&link.alert);
            let runs = self.joining.runs(&all).into_iter();
            for run in runs.filter(|run| run.iter().any(|(link, ())| is_known(link))) {
                let new = run.iter().filter(|(link, ())| !is_known(link));
                tied.extend(new.map(|(link, ())| (link.first, link.alert.clone())));
            }
        }
        tied
    }
}

fn with_status(stored: &StoredAlert, status: Status) -> bedrock_watch_engine::alert::Alert {
    bedrock_watch_engine::alert::Alert { status, ..(*stored.alert).clone() }
}
