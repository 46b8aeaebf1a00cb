//! Sigma correlations, read and checked: how many events, values or different rules within a time, for one group.
//!
//! What happens to them in event time is `correlator`. Deliberately refused: sums, averages, medians and percentiles,
//! tumbling and session windows, and correlations of correlations.

use rsigma_parser::{ConditionExpr, CorrelationType, Quantifier, Timespan};
use sha2::{Digest, Sha256};

use super::{
    RuleFile, condition,
    definition::{About, Rule},
    extension::{self, Speaker},
    field, metadata,
    problem::{Place, Problem, Problems, listed, nearest},
    set::RuleIndex,
    value::Field,
    vocabulary::Domain,
    yaml::{Key, Kind, Node},
};

/// The longest window of a correlation, in seconds.
pub const SPAN_MAX_S: u32 = 86_400;
/// The most base rules of one correlation.
const RULES_MAX: usize = 32;
/// The greatest number a condition can ask for: as many events as a group remembers.
const COUNT_MAX: u64 = 10_000;
const KEYS: [&str; 8] = ["type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate"];
const TYPES: [&str; 4] = ["event_count", "value_count", "temporal", "temporal_ordered"];

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

/// What must be true of the events in a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CorrelationKind {
    /// There are so many.
    Events(Vec<Predicate>),
    /// These fields have so many different values.
    Values(Vec<Predicate>, Vec<Field>),
    /// So many different rules matched.
    Rules(Vec<Predicate>),
    /// These rules matched.
    Together(Expression),
    /// The rules matched one after the other.
    InOrder,
}

/// A comparison with a number; all of several must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Predicate {
    operator: &'static str,
    value: u64,
}

impl Predicate {
    /// Whether `count` satisfies it.
    pub(super) fn holds(self, count: u64) -> bool {
        match self.operator {
            "lt" => count < self.value,
            "lte" => count <= self.value,
            "gt" => count > self.value,
            "eq" => count == self.value,
            "neq" => count != self.value,
            _ => count >= self.value,
        }
    }
}

/// Which rules must have matched, by their position among the correlation's rules.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    AtLeast(usize, Vec<Self>),
    Rule(usize),
}

impl Expression {
    /// Whether it holds when exactly those rules matched for which `matched` is true.
    pub(super) fn holds(&self, matched: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(matched)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(matched)),
            Self::Not(part) => !part.holds(matched),
            Self::AtLeast(wanted, parts) => parts.iter().filter(|part| part.holds(matched)).count() >= *wanted,
            Self::Rule(position) => matched(*position),
        }
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
    let about = metadata::read(document, id, &file.path, problems);
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
    let kind = kind(node, &names, problems);
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

fn kind(node: &Node, names: &[&str], problems: &mut Problems<'_>) -> Option<CorrelationKind> {
    let Some(value) = node.get("type") else {
        problems.add(node.place, format!("the type is missing; valid is {}", listed(TYPES)));
        return None;
    };
    let parsed = value.text().and_then(|text| text.parse::<CorrelationType>().ok());
    let condition = node.get("condition");
    match (parsed, condition) {
        (Some(CorrelationType::EventCount), Some(condition)) => {
            predicates(condition, false, problems).map(CorrelationKind::Events)
        }
        (Some(CorrelationType::ValueCount), Some(condition)) => {
            let fields = metadata::placed_texts(condition, "field", problems);
            if fields.is_empty() {
                problems.add(condition.place, "value_count counts the values of a field; name it under field");
            }
            let fields = fields.iter().filter_map(|(place, name)| resolved(name, *place, problems)).collect();
            predicates(condition, true, problems).map(|predicates| CorrelationKind::Values(predicates, fields))
        }
        (Some(CorrelationType::EventCount | CorrelationType::ValueCount), None) => {
            problems.add(value.place, "the condition is missing; write, for example, condition: {gte: 10}");
            None
        }
        (Some(CorrelationType::Temporal), None) => {
            Some(CorrelationKind::Together(Expression::All((0..names.len()).map(Expression::Rule).collect())))
        }
        (Some(CorrelationType::Temporal), Some(condition)) => match condition.text() {
            Some(text) => expression(text, condition.place, names, problems).map(CorrelationKind::Together),
            None => predicates(condition, false, problems).map(CorrelationKind::Rules),
        },
        (Some(CorrelationType::TemporalOrdered), None) => Some(CorrelationKind::InOrder),
        (Some(CorrelationType::TemporalOrdered), Some(condition)) => {
            problems.add(condition.place, "temporal_ordered takes no condition; all its rules match in their order");
            None
        }
        _ => {
            let written = value.text().unwrap_or_else(|| value.noun());
            problems.add(value.place, format!("the type `{written}` is not supported; valid is {}", listed(TYPES)));
            None
        }
    }
}

fn predicates(condition: &Node, with_field: bool, problems: &mut Problems<'_>) -> Option<Vec<Predicate>> {
    const OPERATORS: [&str; 6] = ["lt", "lte", "gt", "gte", "eq", "neq"];
    let Some(entries) = condition.entries() else {
        problems.add(condition.place, "this condition compares a number; write, for example, {gte: 10}");
        return None;
    };
    let mut found = Vec::new();
    for (key, value) in entries {
        let operator = OPERATORS.into_iter().find(|operator| *operator == key.text);
        let number = if let Kind::Int(number) = value.kind { u64::try_from(number).ok() } else { None };
        match (operator, number) {
            (Some(operator), Some(value)) if value <= COUNT_MAX => found.push(Predicate { operator, value }),
            (Some(_), _) => {
                problems.add(value.place, format!("{} takes a whole number up to {COUNT_MAX}", key.text));
            }
            (None, _) if with_field && key.text == "field" => {}
            (None, _) => {
                let valid = listed(OPERATORS);
                problems.add(key.place, format!("unknown comparison `{}`; valid is {valid}", key.text));
            }
        }
    }
    if entries.iter().all(|(key, _)| with_field && key.text == "field") {
        problems.add(condition.place, format!("the condition compares nothing; valid is {}", listed(OPERATORS)));
    }
    Some(found)
}

fn expression(text: &str, place: Place, names: &[&str], problems: &mut Problems<'_>) -> Option<Expression> {
    let parsed = match condition::parse(text) {
        Ok(parsed) => parsed,
        Err((column, message)) => {
            problems.add(place.right(column), message);
            return None;
        }
    };
    match over_rules(&parsed, names) {
        Ok(expression) => Some(expression),
        Err(name) => {
            problems
                .add(place, format!("`{name}` is none of this correlation's rules: {}", listed(names.iter().copied())));
            None
        }
    }
}

fn over_rules(parsed: &ConditionExpr, names: &[&str]) -> Result<Expression, String> {
    let all = |parts: &[ConditionExpr]| parts.iter().map(|part| over_rules(part, names)).collect::<Result<Vec<_>, _>>();
    Ok(match parsed {
        ConditionExpr::And(parts) => Expression::All(all(parts)?),
        ConditionExpr::Or(parts) => Expression::Any(all(parts)?),
        ConditionExpr::Not(part) => Expression::Not(Box::new(over_rules(part, names)?)),
        ConditionExpr::Identifier(name) => {
            Expression::Rule(names.iter().position(|known| known == name).ok_or_else(|| name.clone())?)
        }
        ConditionExpr::Selector { quantifier, pattern } => {
            let chosen: Vec<Expression> = (0..)
                .zip(names)
                .filter(|(_, name)| pattern.matches_detection_name(name))
                .map(|(position, _)| Expression::Rule(position))
                .collect();
            if chosen.is_empty() {
                return Err(pattern.to_string());
            }
            match quantifier {
                Quantifier::Any => Expression::Any(chosen),
                Quantifier::All => Expression::All(chosen),
                Quantifier::Count(wanted) => {
                    Expression::AtLeast(usize::try_from(*wanted).unwrap_or(usize::MAX), chosen)
                }
            }
        }
    })
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

fn resolved(name: &str, place: Place, problems: &mut Problems<'_>) -> Option<Field> {
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
