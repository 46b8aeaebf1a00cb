//! How far an attack has come when a rule fires: what incidents order their alerts by.
//!
//! The default follows from ATT&CK tactics, because rules name these anyway. Deliberately only five stages: people must
//! be able to tell at a glance what has happened and what has not.

use super::{
    extension::choice,
    problem::Problems,
    yaml::{Kind, Node},
};

/// A stage of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Somebody looks around: which models there are, what a credential may do.
    Reconnaissance,
    /// Somebody gains, keeps or widens access: credentials, permissions, models that are enabled.
    Access,
    /// Somebody keeps others from seeing: logging, trails, guardrails, this service.
    Blinding,
    /// Somebody uses what is not theirs.
    Use,
    /// Something is damaged, taken away or made expensive.
    Impact,
}

impl Stage {
    /// Every stage, in the order of an attack.
    pub const ALL: [Self; 5] = [Self::Reconnaissance, Self::Access, Self::Blinding, Self::Use, Self::Impact];

    /// The name in rules and incidents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconnaissance => "reconnaissance",
            Self::Access => "access",
            Self::Blinding => "blinding",
            Self::Use => "use",
            Self::Impact => "impact",
        }
    }

    /// The stage of an ATT&CK tactic, by its name in Sigma tags; `None` of what is no tactic. `stealth` and
    /// `defense-impairment` are what ATT&CK 19 made of `defense-evasion`.
    fn of_tactic(name: &str) -> Option<Self> {
        match name {
            "reconnaissance" | "discovery" | "resource-development" => Some(Self::Reconnaissance),
            "initial-access" | "credential-access" | "persistence" | "privilege-escalation" | "lateral-movement" => {
                Some(Self::Access)
            }
            "defense-evasion" | "defense-impairment" | "stealth" => Some(Self::Blinding),
            "execution" | "collection" | "command-and-control" => Some(Self::Use),
            "exfiltration" | "impact" => Some(Self::Impact),
            _ => None,
        }
    }
}

/// The stage a document names under `x-watch`, else that of its first tactic; [`Stage::Use`] when it has neither,
/// because what is left is somebody who does something.
pub(super) fn read(document: &Node, tags: &[String], problems: &mut Problems<'_>) -> Stage {
    let named = document.get("x-watch").and_then(|extension| extension.get("stage"));
    if let Some(named) = named.filter(|node| node.kind != Kind::Null) {
        return choice(named, "stage", &Stage::ALL, Stage::as_str, problems).unwrap_or(Stage::Use);
    }
    let tactic = |tag: &String| Stage::of_tactic(&tag.to_ascii_lowercase().strip_prefix("attack.")?.replace('_', "-"));
    tags.iter().find_map(tactic).unwrap_or(Stage::Use)
}

#[cfg(test)]
mod tests {
    use super::Stage;
    use crate::rule::{RuleFile, RuleSet};

    fn rule(lines: &str) -> Result<Stage, String> {
        let text = format!(
            "title: T\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\n\
             detection: {{one: {{eventName: A}}, condition: one}}\n{lines}"
        );
        let file = RuleFile { path: "rules/r/rule.yml".to_owned(), id: "r".to_owned(), text };
        let set = RuleSet::compile(&[file]);
        set.map(|set| set.stage_of("r").unwrap()).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn is_what_the_rule_says_and_else_that_of_its_first_tactic() {
        for (lines, expected) in [
            ("tags: [attack.discovery, attack.t1526, attack.impact]", Stage::Reconnaissance),
            ("tags: [attack.t1496.004, attack.impact, attack.discovery]", Stage::Impact),
            ("tags: [attack.defense_evasion]", Stage::Blinding),
            ("tags: [attack.Persistence]", Stage::Access),
            ("tags: [cve.2024-1]", Stage::Use),
            ("", Stage::Use),
            ("tags: [attack.impact]\nx-watch: {stage: use}", Stage::Use),
            ("tags: [attack.impact]\nx-watch: {stage: reconnaissance, subject: event}", Stage::Reconnaissance),
        ] {
            assert_eq!(rule(lines), Ok(expected), "{lines}");
        }
    }

    #[test]
    fn a_stage_that_does_not_exist_is_a_problem() {
        let problem = rule("x-watch: {stage: later}").unwrap_err();
        assert!(problem.contains("stage is `later`; valid is reconnaissance"), "{problem}");
    }

    #[test]
    fn stages_come_in_the_order_of_an_attack() {
        assert!(Stage::ALL.is_sorted());
        assert_eq!(Stage::ALL.map(Stage::as_str), ["reconnaissance", "access", "blinding", "use", "impact"]);
    }
}
