//! Sigma correlations, read and checked: how many events, values or different rules within a time, for one group.
//!
//! What happens to them in event time is `correlator`; what they name is found by `correlation_link`. Deliberately
//! refused: tumbling and session windows.

use rsigma_parser::Timespan;
use sha2::{Digest, Sha256};

use super::{
    RuleFile,
    correlation_kind::{self, CorrelationKind},
    correlation_number,
    definition::About,
    extension::{self, Speaker},
    field, metadata,
    problem::{Place, Problems, listed},
    set::{RuleIndex, RuleSet},
    threshold::Threshold,
    tuning::unknown_threshold,
    value::Field,
    vocabulary::Domain,
    yaml::{Key, Kind, Node},
};
use crate::time::DAY_S;

/// The longest window of a correlation, in seconds: 30 days.
pub const SPAN_MAX_S: u32 = 30 * DAY_S;
/// The most inputs of one correlation.
const RULES_MAX: usize = 32;
const KEYS: [&str; 8] = ["type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate"];

/// What a correlation looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// The events that a rule matches.
    Rule(RuleIndex),
    /// The events at which the correlation at this place holds.
    Correlation(u32),
}

/// A compiled correlation.
#[derive(Debug, Clone)]
pub struct CorrelationRule {
    pub(super) about: About,
    pub(super) kind: CorrelationKind,
    pub(super) inputs: Vec<Input>,
    /// The rules among the inputs, and among theirs.
    pub(super) rules: Vec<RuleIndex>,
    pub(super) group_by: Vec<GroupField>,
    pub(super) span_s: u32,
    /// How many correlations stand below it, in the longest chain.
    pub(super) depth: usize,
    /// The places of the correlations that have it as an input, and as which of theirs.
    pub(super) named_by: Vec<(u32, u32)>,
    pub(super) alerts: bool,
    /// Tells what it says from what others say.
    pub(super) meaning: u64,
    /// The same of everything it finds: it depends on the correlations below, too.
    pub(super) fingerprint: u64,
}

impl CorrelationRule {
    /// Its id, title and so on.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// The rules whose matches it correlates, itself or through other correlations.
    #[must_use]
    pub fn rules(&self) -> &[RuleIndex] {
        &self.rules
    }

    /// The ids of the rules and correlations that it names, in its order; `all` is the set it is of.
    #[must_use]
    pub fn input_ids<'a>(&self, all: &'a RuleSet) -> Vec<&'a str> {
        let id = |input: &Input| match input {
            Input::Rule(index) => Some(all.get(*index).id()),
            Input::Correlation(index) => all.correlation(*index).map(|inner| inner.about.id.as_str()),
        };
        self.inputs.iter().filter_map(id).collect()
    }

    /// Whether it alerts by itself; false for one that only feeds correlations which do not `generate`.
    #[must_use]
    pub const fn alerts(&self) -> bool {
        self.alerts
    }

    /// The names it groups by, as written; the values of a hit are in this order.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.group_by.iter().map(|field| field.name.as_str())
    }

    /// Its window: the later event time minus the earlier is less than this.
    #[must_use]
    pub const fn span_s(&self) -> u32 {
        self.span_s
    }
}

impl CorrelationRule {
    /// The number that its condition compares with, where it compares with one: `count`, `sum`, `average`, `median` or
    /// `percentile`.
    #[must_use]
    pub fn thresholds(&self) -> Vec<Threshold> {
        let named = |name: &str, operator: &str, value: f64| {
            vec![Threshold { name: name.to_owned(), key: format!("condition|{operator}"), value }]
        };
        match &self.kind {
            CorrelationKind::Events(predicates)
            | CorrelationKind::Values(predicates, _)
            | CorrelationKind::Rules(predicates) => match predicates.as_slice() {
                [only] => named("count", only.operator, f64::from(u32::try_from(only.value).unwrap_or(u32::MAX))),
                _ => Vec::new(),
            },
            CorrelationKind::Numbers(predicates, _, statistic) => match predicates.as_slice() {
                [only] => named(statistic.name(), only.operator, correlation_number::to_float(only.value)),
                _ => Vec::new(),
            },
            CorrelationKind::Together(_) | CorrelationKind::InOrder => Vec::new(),
        }
    }

    /// Moves the number that its condition compares with. What was counted before counts no more.
    pub(super) fn set_threshold(&mut self, name: &str, value: f64) -> Result<(), String> {
        let known = self.thresholds();
        if !known.iter().any(|threshold| threshold.name == name) {
            return Err(unknown_threshold(name, &known));
        }
        self.kind.set_number(name, value)?;
        self.meaning = fingerprint(&format!("{} {value}", self.meaning));
        Ok(())
    }
}

/// One name of `group-by` and the field it means in the events of each input.
#[derive(Debug, Clone)]
pub(super) struct GroupField {
    pub(super) name: String,
    pub(super) by_rule: Vec<Field>,
}

/// A correlation whose references are not resolved yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) about: About,
    pub(super) kind: CorrelationKind,
    pub(super) references: Vec<(Place, String)>,
    pub(super) group_by: Vec<GroupField>,
    pub(super) span_s: u32,
    pub(super) generate: bool,
}

impl Draft {
    pub(super) const fn about(&self) -> &About {
        &self.about
    }
}

/// Reads a correlation document.
pub(super) fn draft(document: &Node, id: &str, file: &RuleFile, problems: &mut Problems<'_>) -> Option<Draft> {
    let before = problems.count();
    let about = metadata::read(document, id, file, problems);
    let extension = extension::read(document, Speaker::Correlation, problems);
    let node = document.get("correlation")?;
    let Some(entries) = node.entries() else {
        problems.add(node.place, format!("correlation is a mapping, and this is {}", node.noun()));
        return None;
    };
    for (key, _) in entries.iter().filter(|(key, _)| !KEYS.contains(&key.text.as_str())) {
        problems.add(key.place, format!("unknown key `{}`; valid is {}", key.text, listed(KEYS)));
    }
    let references = metadata::placed_texts(node, "rules", problems);
    if references.is_empty() || references.len() > RULES_MAX {
        problems.add(node.place, format!("rules names between 1 and {RULES_MAX} rules or correlations"));
    }
    let names: Vec<&str> = references.iter().map(|(_, name)| name.as_str()).collect();
    let span_s = span(node, problems);
    let kind = correlation_kind::read(node, &names, problems);
    let group_by = group_by(node, &names, problems);
    let generate =
        [document, node].iter().any(|node| node.get("generate").is_some_and(|value| value.kind == Kind::Bool(true)));
    let about = About { summary: extension.summary, ..about? };
    let draft = Draft { about, kind: kind?, references, group_by, span_s: span_s?, generate };
    (problems.count() == before).then_some(draft)
}

fn span(node: &Node, problems: &mut Problems<'_>) -> Option<u32> {
    let Some(value) = node.get("timespan").or_else(|| node.get("timeframe")) else {
        problems.add(node.place, "the timespan is missing; write, for example, timespan: 10m");
        return None;
    };
    let seconds =
        value.text().and_then(|text| Timespan::parse(text).ok()).and_then(|span| u32::try_from(span.seconds).ok());
    let seconds = seconds.filter(|seconds| (1..=SPAN_MAX_S).contains(seconds));
    if seconds.is_none() {
        problems.add(value.place, "the timespan is a number with s, m, h or d, at most 30d");
    }
    seconds
}

fn group_by(node: &Node, names: &[&str], problems: &mut Problems<'_>) -> Vec<GroupField> {
    let aliases: &[(Key, Node)] = match node.get("aliases") {
        None => &[],
        Some(aliases) => aliases.entries().unwrap_or_else(|| {
            problems.add(aliases.place, format!("aliases is a mapping, and this is {}", aliases.noun()));
            &[]
        }),
    };
    let mut fields = Vec::new();
    for (place, name) in metadata::placed_texts(node, "group-by", problems) {
        let by_rule = match aliases.iter().find(|(alias, _)| alias.text == name) {
            Some((_, mapping)) => names.iter().filter_map(|rule| aliased(mapping, rule, &name, problems)).collect(),
            None => match resolved(&name, place, problems) {
                Some(field) => vec![field; names.len()],
                None => Vec::new(),
            },
        };
        fields.push(GroupField { name, by_rule });
    }
    fields
}

/// The field an alias means in the events of `rule`.
fn aliased(mapping: &Node, rule: &str, alias: &str, problems: &mut Problems<'_>) -> Option<Field> {
    match mapping.get(rule) {
        Some(value) => match value.text() {
            Some(name) => resolved(name, value.place, problems),
            None => {
                problems.add(value.place, format!("a field's name is a text, and this is {}", value.noun()));
                None
            }
        },
        None => {
            problems.add(mapping.place, format!("the alias `{alias}` does not say which field it is for `{rule}`"));
            None
        }
    }
}

/// A field of CloudTrail records by its name.
pub(super) fn resolved(name: &str, place: Place, problems: &mut Problems<'_>) -> Option<Field> {
    match field::resolve(name, Domain::CloudTrail) {
        Ok(field) => Some(field),
        Err(message) => {
            problems.add(place, message);
            None
        }
    }
}

/// Tells a remembered state of one meaning from that of another.
pub(super) fn fingerprint(meaning: &str) -> u64 {
    let digest = Sha256::digest(meaning.as_bytes());
    digest.iter().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
}
