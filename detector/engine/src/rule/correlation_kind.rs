//! The type of a correlation and its condition: what must be true of the events in a window.
//!
//! Deliberately refused: a condition on an order that asks for anything else than all of it, and percentiles that are
//! not named.

use std::collections::BTreeSet;

use rsigma_parser::{ConditionExpr, CorrelationType, Quantifier};

use super::{
    condition,
    correlation::resolved,
    correlation_number::{self, Statistic},
    metadata,
    problem::{Place, Problems, listed},
    value::Field,
    yaml::{Kind, Node},
};

/// The greatest number a condition can ask for: as many events as a group remembers.
pub(super) const COUNT_MAX: u64 = 10_000;
const TYPES: [&str; 8] = [
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_median",
    "value_percentile",
];

/// What must be true of the events in a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CorrelationKind {
    /// There are so many.
    Events(Vec<Predicate>),
    /// These fields have so many different values.
    Values(Vec<Predicate>, Vec<Field>),
    /// The numbers in this field have such a sum, average or percentile; compared in billionths.
    Numbers(Vec<Predicate<i128>>, Field, Statistic),
    /// So many different rules matched.
    Rules(Vec<Predicate>),
    /// These rules matched.
    Together(Expression),
    /// The rules matched one after the other.
    InOrder,
}

impl CorrelationKind {
    /// Changes the number that a kind with one comparison compares with; `name` is for the message.
    pub(super) fn set_number(&mut self, name: &str, value: f64) -> Result<(), String> {
        match self {
            Self::Events(predicates) | Self::Values(predicates, _) | Self::Rules(predicates) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared with the bounds")]
                let count =
                    (value >= 1.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0).then_some(value as u64);
                let count = count.filter(|count| *count <= COUNT_MAX);
                let count = count.ok_or_else(|| format!("`{name}` must be a whole number from 1 to {COUNT_MAX}"))?;
                predicates.iter_mut().for_each(|only| only.value = count);
            }
            Self::Numbers(predicates, ..) => {
                let number = correlation_number::of_float(value);
                let number = number.ok_or_else(|| format!("`{name}` must be a number"))?;
                predicates.iter_mut().for_each(|only| only.value = number);
            }
            Self::Together(_) | Self::InOrder => {}
        }
        Ok(())
    }
}

/// A comparison with a number; all of several must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Predicate<N = u64> {
    pub(super) operator: &'static str,
    pub(super) value: N,
}

impl<N: PartialOrd> Predicate<N> {
    /// Whether `number` satisfies it.
    pub(super) fn holds(&self, number: &N) -> bool {
        match self.operator {
            "lt" => *number < self.value,
            "lte" => *number <= self.value,
            "gt" => *number > self.value,
            "eq" => *number == self.value,
            "neq" => *number != self.value,
            _ => *number >= self.value,
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

/// Reads the type and the condition of a correlation over the rules `names`.
pub(super) fn read(node: &Node, names: &[&str], problems: &mut Problems<'_>) -> Option<CorrelationKind> {
    let Some(value) = node.get("type") else {
        problems.add(node.place, format!("the type is missing; valid is {}", listed(TYPES)));
        return None;
    };
    let parsed = value.text().and_then(|text| text.parse::<CorrelationType>().ok());
    let condition = node.get("condition");
    match (parsed, condition) {
        (Some(CorrelationType::EventCount), Some(condition)) => {
            counts(condition, &[], problems).map(CorrelationKind::Events)
        }
        (Some(CorrelationType::ValueCount), Some(condition)) => {
            let fields = counted_fields(condition, problems);
            counts(condition, &["field"], problems).map(|predicates| CorrelationKind::Values(predicates, fields))
        }
        (Some(CorrelationType::ValueSum), Some(condition)) => numbers(condition, Some(Statistic::Sum), problems),
        (Some(CorrelationType::ValueAvg), Some(condition)) => numbers(condition, Some(Statistic::Average), problems),
        (Some(CorrelationType::ValueMedian), Some(condition)) => numbers(condition, Some(Statistic::MEDIAN), problems),
        (Some(CorrelationType::ValuePercentile), Some(condition)) => numbers(condition, None, problems),
        (Some(CorrelationType::Temporal), None) => {
            Some(CorrelationKind::Together(Expression::All((0..names.len()).map(Expression::Rule).collect())))
        }
        (Some(CorrelationType::Temporal), Some(condition)) => match condition.text() {
            Some(text) => expression(text, condition.place, names, problems).map(CorrelationKind::Together),
            None => counts(condition, &[], problems).map(CorrelationKind::Rules),
        },
        (Some(CorrelationType::TemporalOrdered), None) => Some(CorrelationKind::InOrder),
        (Some(CorrelationType::TemporalOrdered), Some(condition)) => {
            let asks_for_all = match condition.text() {
                Some(text) => asks_for_all(&expression(text, condition.place, names, problems)?, names.len()),
                None => counts_all(&counts(condition, &[], problems)?, names.len()),
            };
            if !asks_for_all {
                let message = "temporal_ordered asks for all its rules in their order; a condition can only say the \
                               same: their number under gte, or all of them joined by and";
                problems.add(condition.place, message);
            }
            Some(CorrelationKind::InOrder)
        }
        (Some(_), None) => {
            problems.add(value.place, "the condition is missing; write, for example, condition: {gte: 10}");
            None
        }
        (None, _) => {
            let written = value.text().unwrap_or_else(|| value.noun());
            problems.add(value.place, format!("the type `{written}` is not supported; valid is {}", listed(TYPES)));
            None
        }
    }
}

/// Whether an expression says no more than that all rules matched.
fn asks_for_all(expression: &Expression, rules: usize) -> bool {
    fn is_joined(expression: &Expression, named: &mut BTreeSet<usize>) -> bool {
        match expression {
            Expression::All(parts) => parts.iter().all(|part| is_joined(part, named)),
            Expression::Rule(position) => {
                named.insert(*position);
                true
            }
            Expression::Any(_) | Expression::Not(_) | Expression::AtLeast(..) => false,
        }
    }
    let mut named = BTreeSet::new();
    is_joined(expression, &mut named) && named.len() == rules
}

/// Whether a count of rules says no more than that all matched.
fn counts_all(predicates: &[Predicate], rules: usize) -> bool {
    let is_all = |predicate: &Predicate| {
        matches!(predicate.operator, "gte" | "eq") && usize::try_from(predicate.value) == Ok(rules)
    };
    predicates.iter().all(is_all)
}

fn counted_fields(condition: &Node, problems: &mut Problems<'_>) -> Vec<Field> {
    let fields = metadata::placed_texts(condition, "field", problems);
    if fields.is_empty() {
        problems.add(condition.place, "this type looks at the values of a field; name it under field");
    }
    fields.iter().filter_map(|(place, name)| resolved(name, *place, problems)).collect()
}

/// A condition on the numbers of a field; the percentile without a `statistic` is named in the condition.
fn numbers(condition: &Node, statistic: Option<Statistic>, problems: &mut Problems<'_>) -> Option<CorrelationKind> {
    let fields = counted_fields(condition, problems);
    if fields.len() > 1 {
        problems.add(condition.place, "the numbers of one field are summed up, and this names several");
    }
    let (statistic, known): (_, &[&str]) = match statistic {
        Some(statistic) => (Some(statistic), &["field"]),
        None => (percentile(condition, problems), &["field", "percentile"]),
    };
    let predicates = predicates(condition, known, "a number", number, problems)?;
    Some(CorrelationKind::Numbers(predicates, fields.into_iter().next()?, statistic?))
}

fn percentile(condition: &Node, problems: &mut Problems<'_>) -> Option<Statistic> {
    let Some(node) = condition.get("percentile") else {
        problems.add(condition.place, "which percentile is missing; write, for example, percentile: 95");
        return None;
    };
    let percent = number(&node.kind).map(correlation_number::to_float);
    let statistic = percent.and_then(Statistic::percentile);
    if statistic.is_none() {
        problems.add(node.place, "the percentile is a number from 0 to 100, with three decimals at most");
    }
    statistic
}

fn number(kind: &Kind) -> Option<i128> {
    match kind {
        Kind::Int(number) => Some(correlation_number::of_integer(*number)),
        Kind::Float(number) => correlation_number::of_float(*number),
        _ => None,
    }
}

fn counts(condition: &Node, known: &[&str], problems: &mut Problems<'_>) -> Option<Vec<Predicate>> {
    let count = |kind: &Kind| match kind {
        Kind::Int(number) => u64::try_from(*number).ok().filter(|number| *number <= COUNT_MAX),
        _ => None,
    };
    predicates(condition, known, &format!("a whole number up to {COUNT_MAX}"), count, problems)
}

/// The comparisons of a condition that may have the keys `known` besides; `read` gives a number that is `expected`.
fn predicates<N>(
    condition: &Node,
    known: &[&str],
    expected: &str,
    read: impl Fn(&Kind) -> Option<N>,
    problems: &mut Problems<'_>,
) -> Option<Vec<Predicate<N>>> {
    const OPERATORS: [&str; 6] = ["lt", "lte", "gt", "gte", "eq", "neq"];
    let Some(entries) = condition.entries() else {
        problems.add(condition.place, "this condition compares a number; write, for example, {gte: 10}");
        return None;
    };
    let mut found = Vec::new();
    let comparisons = || entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str()));
    for (key, value) in comparisons() {
        let operator = OPERATORS.into_iter().find(|operator| *operator == key.text);
        match (operator, read(&value.kind)) {
            (Some(operator), Some(value)) => found.push(Predicate { operator, value }),
            (Some(_), None) => problems.add(value.place, format!("{} takes {expected}", key.text)),
            (None, _) => {
                let valid = listed(OPERATORS);
                problems.add(key.place, format!("unknown comparison `{}`; valid is {valid}", key.text));
            }
        }
    }
    if comparisons().next().is_none() {
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
