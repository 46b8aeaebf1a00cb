//! `x-watch`: what a rule says to this engine beyond Sigma.
//!
//! Deliberately closed: an unknown key or value is a problem, never ignored.

use rsigma_parser::Timespan;

use super::{
    definition::Counts,
    facts::{self, FactSource},
    logic::Search,
    problem::{Place, Problems, listed, nearest},
    template::Template,
    vocabulary::Domain,
    yaml::{Kind, Node},
};
use crate::{
    alert::{Severity, SubjectKind},
    time::DAY_S,
};

/// What was said under `x-watch`.
#[derive(Debug, Default)]
pub(super) struct Extension {
    pub(super) subject: Option<SubjectKind>,
    pub(super) counts: Option<Counts>,
    pub(super) levels: Vec<(usize, Severity)>,
    pub(super) summary: Option<Template>,
    /// How many events make an alert, and within how many seconds.
    pub(super) at_least: Option<(Place, u32)>,
    pub(super) within_s: Option<(Place, u32)>,
    pub(super) facts: Vec<FactSource>,
}

/// Where the extension stands, which decides what it may say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speaker<'a> {
    Rule(Domain, &'a [Search]),
    Correlation,
}

impl Speaker<'_> {
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Rule(Domain::CloudTrail, _) => {
                &["subject", "counts", "levels", "summary", "facts", "at_least", "within"]
            }
            Self::Rule(Domain::Principal, _) => &["counts", "levels", "summary"],
            Self::Rule(Domain::State, _) => &["levels", "summary"],
            Self::Correlation => &["summary"],
        }
    }
}

/// Reads the extension of a document.
pub(super) fn read(document: &Node, speaker: Speaker<'_>, problems: &mut Problems<'_>) -> Extension {
    let mut extension = Extension::default();
    let Some(node) = document.get("x-watch") else {
        return extension;
    };
    let Some(entries) = node.entries() else {
        problems.add(node.place, format!("x-watch is a mapping, and this is {}", node.noun()));
        return extension;
    };
    for (key, value) in entries {
        match (key.text.as_str(), speaker) {
            // Read with the tags, from which it follows by default.
            ("stage", _) => {}
            (known, _) if !speaker.keys().contains(&known) => unknown_key(known, key.place, speaker, problems),
            ("subject", _) => {
                let names = [SubjectKind::Event, SubjectKind::Principal];
                extension.subject = choice(value, "subject", &names, SubjectKind::as_str, problems);
            }
            ("counts", Speaker::Rule(domain, _)) => {
                let names: &[Counts] = if domain == Domain::CloudTrail { &[Counts::Matches] } else { &Counts::ALL };
                extension.counts = choice(value, "counts", names, Counts::as_str, problems);
            }
            ("levels", Speaker::Rule(_, searches)) => extension.levels = levels(value, searches, problems),
            ("summary", _) => extension.summary = summary(value, problems),
            ("at_least", _) => extension.at_least = at_least(value, problems).map(|count| (key.place, count)),
            ("within", _) => extension.within_s = within(value, problems).map(|seconds| (key.place, seconds)),
            ("facts", _) => extension.facts = facts::read(value, problems),
            _ => {}
        }
    }
    extension
}

fn unknown_key(key: &str, place: Place, speaker: Speaker<'_>, problems: &mut Problems<'_>) {
    let hint = match nearest(key, speaker.keys().iter().copied().chain(["stage"])).first() {
        Some(likely) => format!("; did you mean {likely}?"),
        None => ";".to_owned(),
    };
    let place_name = match speaker {
        Speaker::Rule(Domain::CloudTrail, _) => "a rule for aws/cloudtrail",
        Speaker::Rule(Domain::Principal, _) => "a rule for bedrock-watch/principal",
        Speaker::Rule(Domain::State, _) => "a rule for bedrock-watch/state",
        Speaker::Correlation => "a correlation",
    };
    let valid = listed(speaker.keys().iter().copied().chain(["stage"]));
    problems.add(place, format!("x-watch of {place_name} has no key `{key}`{hint} valid is {valid}"));
}

/// One of several names.
pub(super) fn choice<T: Copy>(
    value: &Node,
    what: &str,
    choices: &[T],
    name: impl Fn(T) -> &'static str,
    problems: &mut Problems<'_>,
) -> Option<T> {
    let found = value.text().and_then(|text| choices.iter().copied().find(|choice| name(*choice) == text));
    if found.is_none() {
        let written = value.text().map_or_else(|| value.noun().to_owned(), |text| format!("`{text}`"));
        let valid = listed(choices.iter().map(|choice| name(*choice)));
        problems.add(value.place, format!("{what} is {written}; valid is {valid}"));
    }
    found
}

fn levels(value: &Node, searches: &[Search], problems: &mut Problems<'_>) -> Vec<(usize, Severity)> {
    let Some(entries) = value.entries() else {
        problems.add(value.place, format!("levels maps searches to levels, and this is {}", value.noun()));
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, level) in entries {
        let level = choice(level, "the level", &Severity::ALL, Severity::as_str, problems);
        match searches.iter().position(|search| search.name == key.text) {
            Some(index) => found.extend(level.map(|level| (index, level))),
            None => {
                let known = listed(searches.iter().map(|search| search.name.as_str()));
                problems.add(key.place, format!("no search is named `{}`; there is {known}", key.text));
            }
        }
    }
    found
}

/// The most events a rule can wait for.
const AT_LEAST_MAX: i64 = 1_000;

fn at_least(value: &Node, problems: &mut Problems<'_>) -> Option<u32> {
    let count = if let Kind::Int(count) = value.kind { Some(count) } else { None };
    let count = count.filter(|count| (2..=AT_LEAST_MAX).contains(count)).and_then(|count| u32::try_from(count).ok());
    if count.is_none() {
        problems.add(value.place, format!("at_least is a whole number from 2 to {AT_LEAST_MAX}"));
    }
    count
}

fn within(value: &Node, problems: &mut Problems<'_>) -> Option<u32> {
    let span = value.text().and_then(|text| Timespan::parse(text).ok());
    let seconds =
        span.and_then(|span| u32::try_from(span.seconds).ok()).filter(|seconds| (1..=DAY_S).contains(seconds));
    if seconds.is_none() {
        problems.add(value.place, "within is a number with s, m or h, at most 24h");
    }
    seconds
}

fn summary(value: &Node, problems: &mut Problems<'_>) -> Option<Template> {
    let Kind::Text(text) = &value.kind else {
        problems.add(value.place, format!("summary is a text, and this is {}", value.noun()));
        return None;
    };
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(message) => {
            problems.add(value.place, message);
            None
        }
    }
}
