//! Rules that are judged and told to nobody, and what happens when rules change while the loop turns.

use std::sync::Arc;

use bedrock_watch_engine::{
    alert::{Alert, ChangeKind, Status},
    rule::{Mode, RuleSet},
};

use super::Pipeline;
use crate::format::visible;

impl Pipeline {
    /// Judges by other rules from now on.
    pub(super) fn exchange_rules(&mut self, rules: Arc<RuleSet>) {
        let becomes_shadow = |id: &str| self.engine.rules().mode(id) == Mode::On && rules.mode(id) == Mode::Shadow;
        let open = self.engine.alerts().into_iter().filter(|alert| alert.status == Status::Firing);
        self.still_told.extend(open.filter(|alert| becomes_shadow(&alert.rule)).map(|alert| alert.id));
        self.engine.exchange_rules(rules);
    }

    /// Whether a change is one of a rule that tells nobody; counts and logs what it would have raised.
    pub(super) fn is_shadow(&mut self, kind: ChangeKind, alert: &Alert) -> bool {
        if self.engine.rules().mode(&alert.rule) != Mode::Shadow {
            return false;
        }
        if self.still_told.contains(&alert.id) {
            if alert.status != Status::Firing {
                self.still_told.remove(&alert.id);
            }
            return false;
        }
        if kind == ChangeKind::Fired {
            let count = self.counters.shadow.entry(alert.rule.clone()).or_default();
            *count = count.saturating_add(1);
            tracing::info!(
                rule = alert.rule,
                alert = alert.id,
                severity = alert.severity.as_str(),
                account = alert.account,
                summary = %visible(&alert.summary),
                "would have been an alert; the rule is in shadow mode"
            );
        }
        true
    }
}
