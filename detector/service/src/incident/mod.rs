//! Incidents: alerts that belong together, as one growing story.
//!
//! An incident is derived from alerts and from nothing else, so the same alerts give the same incidents in any order, on
//! any worker, before and after a crash. Alerts of one principal, access key, address or person that are near in time
//! belong together (`link`, `join`); `gather` reads from the store just those that can matter. Deliberately nothing here
//! is stored: what a store keeps are the ties of each alert, in the same transaction as the alert.

mod contacts;
mod facts;
mod gather;
mod join;
pub mod json;
mod known;
mod link;
mod report;
mod resources;
mod score;
mod stages;
mod text;

use std::{collections::BTreeSet, sync::Arc};

use bedrock_watch_engine::{
    Second,
    alert::{Alert, Severity, Status},
    rule::Stage,
};

pub use contacts::{Contacts, SupportPlan};
pub use gather::{Gatherer, Located, Overview};
pub use join::{Joining, join};
pub use json::line;
pub use link::{LINKS_MAX, Link, SPAN_MAX_S, links};
pub use report::{Artifacts, Case, Query, Report, Step, report};
pub use score::Score;
pub use stages::Stages;
pub use text::{human, markdown, story};

/// What ids of incidents begin with; the rest is the id of the alert it begins with.
const ID_PREFIX: &str = "i-";

/// An incident, as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Follows from the alert it begins with.
    pub id: String,
    /// For people: what is worst, and by whom.
    pub title: String,
    /// That of its worst alert.
    pub severity: Severity,
    /// `Firing` while any of its alerts is.
    pub status: Status,
    /// The stages that were reached, in the order of an attack.
    pub stages: Vec<Stage>,
    /// How bad it is, from 1 to 100, and why.
    pub score: Score,
    /// Its alerts, each with its stage, by first event time and id.
    pub alerts: Vec<(Arc<Alert>, Stage)>,
    /// The accounts concerned.
    pub accounts: BTreeSet<String>,
    /// The regions concerned.
    pub regions: BTreeSet<String>,
    /// Who did it, normalised.
    pub principals: BTreeSet<String>,
    /// Event time of its earliest event.
    pub first_event_time: Second,
    /// Event time of its latest event.
    pub last_event_time: Second,
    /// Whether there are more alerts than were looked at.
    pub is_cut: bool,
}

/// The id of the incident that begins with this alert.
#[must_use]
pub fn id_of(alert: &str) -> String {
    format!("{ID_PREFIX}{alert}")
}

/// The alert an incident of this id begins with.
#[must_use]
pub fn first_alert(id: &str) -> Option<&str> {
    id.strip_prefix(ID_PREFIX)
}

impl Incident {
    /// How many of its alerts fire.
    #[must_use]
    pub fn firing(&self) -> usize {
        self.alerts.iter().filter(|(alert, _)| alert.status == Status::Firing).count()
    }

    /// Whether an alert is one of its.
    #[must_use]
    pub fn has(&self, alert: &str) -> bool {
        self.alerts.iter().any(|(member, _)| member.id == alert)
    }
}
