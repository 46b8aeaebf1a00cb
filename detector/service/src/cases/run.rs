//! Running cases: a fresh engine each, told the records as `replay` would tell it.

use std::sync::Arc;

use bedrock_watch_engine::{Engine, Second, Settings, alert::Alert, rule::RuleSet};

use super::{
    case::{Case, Delivery},
    compare::compare,
};

/// The alerts of a case's rule at its end.
#[must_use]
pub fn alerts(case: &Case, rules: &Arc<RuleSet>) -> Vec<Alert> {
    played(case, rules).0
}

/// Runs a case; the lines say how the rule's alerts differ from those expected, none when they are as expected.
#[must_use]
pub fn run(case: &Case, rules: &Arc<RuleSet>) -> Vec<String> {
    let (alerts, mut lines) = played(case, rules);
    lines.extend(compare(&case.expect, &alerts));
    lines
}

/// Plays a case: its rule's alerts at the end, and what was wrong with records.
fn played(case: &Case, rules: &Arc<RuleSet>) -> (Vec<Alert>, Vec<String>) {
    let mut engine = Engine::new(Arc::clone(rules), Settings::standard());
    let mut clock = Second::MIN;
    let mut lines = Vec::new();
    engine.set_teaching(true);
    deliver(&mut engine, &case.teach, &mut clock, &mut lines);
    engine.set_teaching(false);
    deliver(&mut engine, &case.deliveries, &mut clock, &mut lines);
    engine.finish();
    let alerts = engine.alerts().into_iter().filter(|alert| alert.rule == case.rule).collect();
    (alerts, lines)
}

/// Gives the records to the engine; as in a replay, `now` is the greatest event time so far.
fn deliver(engine: &mut Engine, deliveries: &[Delivery], clock: &mut Second, lines: &mut Vec<String>) {
    for (index, delivery) in deliveries.iter().enumerate() {
        *clock = delivery.at.max(*clock);
        if let Err(error) = engine.judge(&delivery.bytes, *clock) {
            lines.push(format!("record {} was rejected: {error}", index.saturating_add(1)));
        }
    }
}

/// Runs cases and returns those that failed, each with the lines of [`run`].
#[must_use]
pub fn run_all<'a>(cases: &'a [Case], rules: &Arc<RuleSet>) -> Vec<(&'a Case, Vec<String>)> {
    cases.iter().map(|case| (case, run(case, rules))).filter(|(_, lines)| !lines.is_empty()).collect()
}
