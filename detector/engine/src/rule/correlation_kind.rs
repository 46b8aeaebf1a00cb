//! The type of a correlation and its condition: what must be true of the events in a window.
//!
//! Deliberately refused: sums, averages, medians and percentiles, and a condition on an order, which is its own condition.

use rsigma_parser::{ConditionExpr, CorrelationType, Quantifier};

use super::{
    condition,
    correlation::resolved,
    metadata,
    problem::{Place, Problems, listed},
    value::Field,
    yaml::{Kind, Node},
};

/// The greatest number a condition can ask for: as many events as a group remembers.
pub(super) const COUNT_MAX: u64 = 10_000;
const TYPES: [&str; 4] = ["event_count", "value_count", "temporal", "temporal_ordered"];

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

impl CorrelationKind {
    /// The comparisons of a count.
    pub(super) fn predicates(&self) -> &[Predicate] {
        match self {
            Self::Events(predicates) | Self::Values(predicates, _) | Self::Rules(predicates) => predicates,
            Self::Together(_) | Self::InOrder => &[],
        }
    }

    /// Changes what the count is compared with, of a kind with one comparison.
    pub(super) fn set_count(&mut self, count: u64) {
        if let Self::Events(predicates) | Self::Values(predicates, _) | Self::Rules(predicates) = self
            && let [only] = predicates.as_mut_slice()
        {
            only.value = count;
        }
    }
}

/// A comparison with a number; all of several must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Predicate {
    pub(super) operator: &'static str,
    pub(super) value: u64,
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
