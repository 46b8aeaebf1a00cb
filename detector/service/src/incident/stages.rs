//! Which stage of an attack an alert belongs to.
//!
//! The rules say so. Alerts are kept longer than rules, so for a rule that is gone the alert's own ATT&CK techniques
//! decide.

use std::collections::BTreeMap;

use bedrock_watch_engine::{
    alert::Alert,
    rule::{RuleSet, Stage},
};

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

/// The stages of the rules that are loaded.
#[derive(Debug, Clone, Default)]
pub struct Stages(BTreeMap<String, Stage>);

impl Stages {
    /// Those of these rules.
    #[must_use]
    pub fn of(rules: &RuleSet) -> Self {
        let plain = rules.rules().iter().map(|rule| rule.about());
        let correlations = rules.correlations().iter().map(|rule| rule.about());
        Self(plain.chain(correlations).map(|about| (about.id.clone(), about.stage)).collect())
    }

    /// The stage of an alert.
    #[must_use]
    pub fn stage(&self, alert: &Alert) -> Stage {
        let of_technique = |technique: &String| {
            let base = technique.split('.').next().unwrap_or_default();
            TECHNIQUES.iter().find(|(known, _)| *known == base).map(|(_, stage)| *stage)
        };
        let known = self.0.get(&alert.rule).copied();
        known.or_else(|| alert.attack.iter().find_map(of_technique)).unwrap_or(Stage::Use)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    #[test]
    fn the_rule_decides_and_without_it_the_technique() {
        let known = Stages([("customization-job-security-group-deleted".to_owned(), Stage::Access)].into());
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
