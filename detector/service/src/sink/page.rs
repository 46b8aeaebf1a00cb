//! One page for an incident: which key its alerts share, when it is raised again, and when it is over. Pure.
//!
//! A page has the key of the alert that opened it. Alerts that join use that key, so that the page grows. One that is
//! worse than the page opens a new page with its own key, because whoever was paged for something mild may be asleep;
//! the page before is closed then. The page is resolved when the last of its alerts is over.

use std::collections::BTreeSet;

use bedrock_watch_engine::alert::{Severity, Status};
use serde::{Deserialize, Serialize};

use super::conversation::Remembered;
use crate::incident::Incident;

/// What is remembered of an incident's page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    /// The deduplication key.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The worst that was paged while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// The alerts that were paged and are not over.
    #[serde(default)]
    open: BTreeSet<String>,
    /// Keys of pages that this one replaces and that are not resolved yet.
    #[serde(default)]
    replaced: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<String>,
}

/// What is sent, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// Opens the page, or makes it grow.
    Trigger {
        /// The deduplication key.
        key: String,
        /// That of the page as a whole.
        severity: Severity,
    },
    /// Closes the page of this key.
    Resolve(String),
}

impl Remembered for Page {
    fn merged_into(&self) -> Option<&str> {
        self.merged_into.as_deref()
    }

    fn merge(&mut self, into: &str) {
        *self = Self { merged_into: Some(into.to_owned()), ..Self::default() };
    }
}

impl Page {
    /// Takes over what another page of the same incident was about.
    pub(super) fn absorb(&mut self, other: Self) {
        self.replaced.extend(other.replaced);
        if !other.open.is_empty() {
            match (&self.key, other.key) {
                (None, key) => self.key = key,
                (Some(own), Some(key)) if *own != key => drop(self.replaced.insert(key)),
                _ => {}
            }
        }
        self.severity = self.severity.max(other.severity);
        self.open.extend(other.open);
    }

    /// No longer waits for alerts that are over by now: one that could never be told would keep the page open.
    pub(super) fn drop_over(&mut self, incident: &Incident) {
        let is_over = |id: &String| {
            let mut members = incident.alerts.iter();
            members.any(|(alert, _)| alert.id == *id && alert.status != Status::Firing)
        };
        self.open.retain(|id| !is_over(id));
    }

    /// An alert fires, or still does. The same call again gives the same events.
    pub(super) fn fires(&mut self, alert: &str, severity: Severity) -> Vec<Event> {
        let is_open = !self.open.is_empty();
        let is_worse = is_open && self.severity.is_some_and(|known| severity > known);
        let key = match self.key.take() {
            Some(key) if is_worse && key != alert => {
                self.replaced.insert(key);
                alert.to_owned()
            }
            Some(key) => key,
            None => alert.to_owned(),
        };
        self.key = Some(key.clone());
        // A page that was closed begins anew.
        let worst = self.severity.filter(|_| is_open).map_or(severity, |known| known.max(severity));
        self.severity = Some(worst);
        self.open.insert(alert.to_owned());
        self.replaced.remove(&key);
        let replaced = self.replaced.iter().cloned().map(Event::Resolve);
        std::iter::once(Event::Trigger { key, severity: worst }).chain(replaced).collect()
    }

    /// An alert is over; `unheard` says that nobody was paged for it, so that it is put on record first.
    pub(super) fn ends(&mut self, alert: &str, severity: Severity, unheard: bool) -> Vec<Event> {
        let mut events = Vec::new();
        if unheard {
            events = self.fires(alert, severity);
        }
        self.open.remove(alert);
        let key = self.key.get_or_insert_with(|| alert.to_owned()).clone();
        if self.open.is_empty() {
            events.push(Event::Resolve(key));
        }
        events
    }

    /// Everything that [`Page::fires`] and [`Page::ends`] gave was sent.
    pub(super) fn sent(&mut self) {
        self.replaced.clear();
    }
}

#[cfg(test)]
mod tests {
    use Severity::{Critical, High, Medium};

    use super::*;

    fn trigger(key: &str, severity: Severity) -> Event {
        Event::Trigger { key: key.to_owned(), severity }
    }

    fn resolve(key: &str) -> Event {
        Event::Resolve(key.to_owned())
    }

    fn fires(page: &mut Page, alert: &str, severity: Severity) -> Vec<Event> {
        let events = page.clone().fires(alert, severity);
        assert_eq!(page.fires(alert, severity), events);
        assert_eq!(page.fires(alert, severity), events, "a second attempt sends the same");
        page.sent();
        events
    }

    #[test]
    fn one_attack_is_one_page_that_grows_and_ends_with_its_last_alert() {
        let mut page = Page::default();
        assert_eq!(fires(&mut page, "a", High), [trigger("a", High)]);
        assert_eq!(fires(&mut page, "b", Medium), [trigger("a", High)], "it joins and does not make it milder");
        assert_eq!(fires(&mut page, "c", High), [trigger("a", High)]);
        assert_eq!(page.ends("a", High, false), []);
        assert_eq!(page.ends("b", Medium, false), []);
        assert_eq!(page.ends("c", High, false), [resolve("a")]);
        assert_eq!(page.ends("c", High, false), [resolve("a")], "a second attempt");
        assert_eq!(fires(&mut page, "d", Medium), [trigger("a", Medium)], "it opens again under its key");
    }

    #[test]
    fn what_is_worse_is_raised_again() {
        let mut page = Page::default();
        fires(&mut page, "a", Medium);
        assert_eq!(fires(&mut page, "b", Critical), [trigger("b", Critical), resolve("a")]);
        assert_eq!(fires(&mut page, "a", Medium), [trigger("b", Critical)]);
        assert_eq!(page.ends("b", Critical, false), []);
        assert_eq!(page.ends("a", Medium, false), [resolve("b")]);
        let mut alone = Page::default();
        fires(&mut alone, "a", Medium);
        assert_eq!(fires(&mut alone, "a", Critical), [trigger("a", Critical)], "the alert itself keeps its key");
    }

    #[test]
    fn what_came_and_went_unheard_is_on_record() {
        let mut page = Page::default();
        assert_eq!(page.ends("a", High, true), [trigger("a", High), resolve("a")]);
        let mut open = Page::default();
        fires(&mut open, "a", High);
        assert_eq!(open.ends("b", Medium, true), [trigger("a", High)], "others are not over");
    }

    #[test]
    fn two_pages_that_turn_out_to_be_one_become_the_older() {
        let (mut older, mut newer) = (Page::default(), Page::default());
        fires(&mut older, "a", High);
        fires(&mut newer, "b", Critical);
        older.absorb(newer);
        assert_eq!(fires(&mut older, "c", High), [trigger("a", Critical), resolve("b")]);
        for (alert, expected) in [("a", vec![]), ("c", vec![]), ("b", vec![resolve("a")])] {
            assert_eq!(older.ends(alert, High, false), expected, "{alert}");
        }
    }
}
