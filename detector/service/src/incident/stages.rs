//! Which stage of an attack an alert belongs to.
//!
//! The rules say so. Alerts are kept longer than rules, so for a rule that is gone the alert's own ATT&CK techniques
//! decide.

use bedrock_watch_engine::{alert::Alert, rule::Stage};

use crate::live_rules::LiveRules;

/// The stages of the techniques that Bedrock rules name; others count as [`Stage::Use`].
const TECHNIQUES: [(&str, Stage); 17] = [
    ("T1059", Stage::Use),
    ("T1078", Stage::Access),
    ("T1087", Stage::Reconnaissance),
    ("T1098", Stage::Access),
    ("T1136", Stage::Access),
    ("T1485", Stage::Impact),
    ("T1486", Stage::Impact),
    ("T1489", Stage::Impact),
    ("T1496", Stage::Use),
    ("T1526", Stage::Reconnaissance),
    ("T1530", Stage::Impact),
    ("T1535", Stage::Blinding),
    ("T1552", Stage::Access),
    ("T1562", Stage::Blinding),
    ("T1565", Stage::Impact),
    ("T1580", Stage::Reconnaissance),
    ("T1685", Stage::Blinding),
];

/// The stages of the rules in force.
#[derive(Debug, Clone, Default)]
pub struct Stages(Option<LiveRules>);

impl Stages {
    /// Those of these rules.
    #[must_use]
    pub fn of(rules: impl Into<LiveRules>) -> Self {
        Self(Some(rules.into()))
    }

    /// The stage of an alert.
    #[must_use]
    pub fn stage(&self, alert: &Alert) -> Stage {
        let of_technique = |technique: &String| {
            let base = technique.split('.').next().unwrap_or_default();
            TECHNIQUES.iter().find(|(known, _)| *known == base).map(|(_, stage)| *stage)
        };
        let known = self.0.as_ref().and_then(|rules| rules.current().stage_of(&alert.rule));
        known.or_else(|| alert.attack.iter().find_map(of_technique)).unwrap_or(Stage::Use)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bedrock_watch_engine::rule::{RuleFile, RuleSet};

    use super::*;
    use crate::format::sample;

    #[test]
    fn the_rule_decides_and_without_it_the_technique() {
        let text = "title: T\nlevel: low\nlogsource: {product: aws, service: cloudtrail}\nx-watch: {stage: access}\n\
                    detection: {one: {eventName: A}, condition: one}\n";
        let id = sample::alert().rule;
        let file = RuleFile { path: "rule.yml".to_owned(), id, text: text.to_owned() };
        let known = Stages::of(Arc::new(RuleSet::compile(&[file]).unwrap()));
        assert_eq!(known.stage(&sample::alert()), Stage::Access);
        for (attack, expected) in [
            ("T1485", Stage::Impact),
            ("T1562.008", Stage::Blinding),
            ("T1078.004", Stage::Access),
            ("T9999", Stage::Use),
        ] {
            let alert = Alert { attack: vec![attack.to_owned()], ..sample::alert() };
            assert_eq!(Stages::default().stage(&alert), expected, "{attack}");
        }
    }
}
