//! Sigma correlations, read and checked: how many events, values or different rules within a time, for one group.
//!
//! What happens to them in event time is `correlator`. Deliberately refused: sums, averages, medians and percentiles,
//! tumbling and session windows, and correlations of correlations.

use rsigma_parser::Timespan;
use sha2::{Digest, Sha256};

use super::{
    RuleFile,
    correlation_kind::{self, COUNT_MAX, CorrelationKind, Predicate},
    definition::{About, Rule},
    extension::{self, Speaker},
    field, metadata,
    problem::{Place, Problem, Problems, listed, nearest},
    set::RuleIndex,
    threshold::Threshold,
    tuning::unknown_threshold,
    value::Field,
    vocabulary::Domain,
    yaml::{Key, Kind, Node},
};

/// The longest window of a correlation, in seconds.
pub const SPAN_MAX_S: u32 = 86_400;
/// The most base rules of one correlation.
const RULES_MAX: usize = 32;
const KEYS: [&str; 8] = ["type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate"];

/// A compiled correlation.
#[derive(Debug, Clone)]
pub struct CorrelationRule {
    pub(super) about: About,
    pub(super) kind: CorrelationKind,
    pub(super) rules: Vec<RuleIndex>,
    pub(super) group_by: Vec<GroupField>,
    pub(super) span_s: u32,
    pub(super) fingerprint: u64,
}

impl CorrelationRule {
    /// Its id, title and so on.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// The rules whose matches it correlates.
    #[must_use]
    pub fn rules(&self) -> &[RuleIndex] {
        &self.rules
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
    /// The numbers that its condition compares with: one, called `count`, where it counts at all.
    #[must_use]
    pub fn thresholds(&self) -> Vec<Threshold> {
        let named = |predicate: &Predicate| Threshold {
            name: "count".to_owned(),
            key: format!("condition|{}", predicate.operator),
            value: f64::from(u32::try_from(predicate.value).unwrap_or(u32::MAX)),
        };
        match self.kind.predicates() {
            [only] => vec![named(only)],
            _ => Vec::new(),
        }
    }

    /// Moves the number that its condition compares with. What was counted before counts no more.
    pub(super) fn set_threshold(&mut self, name: &str, value: f64) -> Result<(), String> {
        let known = self.thresholds();
        if !known.iter().any(|threshold| threshold.name == name) {
            return Err(unknown_threshold(name, &known));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared with the bounds")]
        let count = (value >= 1.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0).then_some(value as u64);
        let count = count.filter(|count| *count <= COUNT_MAX);
        let count = count.ok_or_else(|| format!("`{name}` must be a whole number from 1 to {COUNT_MAX}"))?;
        self.kind.set_count(count);
        self.fingerprint = fingerprint(&format!("{} {count}", self.fingerprint));
        Ok(())
    }
}

/// One name of `group-by` and the field it means in the events of each base rule.
#[derive(Debug, Clone)]
pub(super) struct GroupField {
    pub(super) name: String,
    pub(super) by_rule: Vec<Field>,
}

/// A correlation whose references are not resolved yet.
#[derive(Debug)]
pub(super) struct Draft {
    about: About,
    kind: CorrelationKind,
    references: Vec<(Place, String)>,
    group_by: Vec<GroupField>,
    span_s: u32,
    generate: bool,
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
        problems.add(node.place, format!("rules names between 1 and {RULES_MAX} rules"));
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
        problems.add(value.place, "the timespan is a number with s, m, h or d, at most 24h");
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

/// Resolves references by rule id, Sigma name or Sigma id, and silences rules that only feed correlations. A name in
/// `declared` belongs to a rule that has problems of its own.
pub(super) fn link(
    drafts: Vec<Draft>,
    rules: &mut [Rule],
    declared: &[String],
    found: &mut Vec<Problem>,
) -> Vec<CorrelationRule> {
    let mut linked = Vec::new();
    let mut feeding: Vec<(RuleIndex, bool)> = Vec::new();
    for draft in drafts {
        let file = draft.about.file.clone();
        let mut problems = Problems::new(&file);
        let mut indices = Vec::new();
        for (place, name) in &draft.references {
            match find(name, rules) {
                Ok(index) => indices.push(index),
                Err(_) if declared.contains(name) => {}
                Err(message) => problems.add(*place, message),
            }
        }
        feeding.extend(indices.iter().map(|index| (*index, draft.generate)));
        found.extend(problems.into_found());
        let Draft { about, kind, group_by, span_s, .. } = draft;
        let fingerprint = fingerprint(&format!("{kind:?} {group_by:?} {span_s} {:?}", draft.references));
        linked.push(CorrelationRule { about, kind, rules: indices, group_by, span_s, fingerprint });
    }
    for (index, rule) in (0..).map(RuleIndex).zip(rules) {
        let mut uses = feeding.iter().filter(|(fed, _)| *fed == index).peekable();
        rule.alerts = uses.peek().is_none() || uses.any(|(_, generate)| *generate);
    }
    linked
}

fn find(name: &str, rules: &[Rule]) -> Result<RuleIndex, String> {
    let called = |rule: &Rule| {
        rule.about.id == name
            || rule.about.name.as_deref() == Some(name)
            || rule.about.sigma_id.as_deref() == Some(name)
    };
    let mut matching = (0..).map(RuleIndex).zip(rules).filter(|(_, rule)| called(rule));
    match (matching.next(), matching.next()) {
        (Some((_, rule)), None) if rule.first_times.is_some() => Err(format!(
            "`{name}` asks for first times, which late records can take away; write at_least and within there"
        )),
        (Some((index, rule)), None) if rule.domain == Domain::CloudTrail => Ok(index),
        (Some(_), None) => Err(format!("`{name}` is not for aws/cloudtrail; only such rules can be correlated")),
        (Some((_, one)), Some((_, other))) => {
            Err(format!("`{name}` is both {} and {}; refer to it by its rule id", one.about.id, other.about.id))
        }
        (None, _) => {
            let known = rules.iter().map(|rule| rule.about.name.as_deref().unwrap_or(&rule.about.id));
            let hint = match nearest(name, known).as_slice() {
                [] => String::new(),
                near => format!("; did you mean {}?", near.join(" or ")),
            };
            Err(format!("no rule is named `{name}`, by its folder, Sigma name or Sigma id{hint}"))
        }
    }
}

/// Tells a remembered state of one meaning from that of another.
fn fingerprint(meaning: &str) -> u64 {
    let digest = Sha256::digest(meaning.as_bytes());
    digest.iter().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
}
