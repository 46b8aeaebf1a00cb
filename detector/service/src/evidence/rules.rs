//! The rules in force, as evidence: which, in which form, and what changed.

use std::collections::BTreeMap;

use bedrock_watch_engine::rule::{About, RuleSet, Threshold};

use super::{
    chain::{hex, sha256},
    fact::{RuleInForce, Rules},
};

/// The rules in force, compared with those before.
#[must_use]
pub fn rules_in_force(rules: &RuleSet, before: &[RuleInForce]) -> Rules {
    let mut all: Vec<RuleInForce> = rules
        .rules()
        .iter()
        .map(|rule| RuleInForce {
            thresholds: thresholds(rule.thresholds()),
            exceptions: rule.exclusions().map(|exclusion| exclusion.reason.clone()).collect(),
            ..about(rule.about(), &format!("{rule:?}"))
        })
        .collect();
    all.extend(rules.correlations().iter().map(|correlation| RuleInForce {
        thresholds: thresholds(correlation.thresholds()),
        ..about(correlation.about(), &format!("{correlation:?}"))
    }));
    all.sort_by(|one, other| one.id.cmp(&other.id));
    let old: BTreeMap<&str, &RuleInForce> = before.iter().map(|rule| (rule.id.as_str(), rule)).collect();
    let new: BTreeMap<&str, &RuleInForce> = all.iter().map(|rule| (rule.id.as_str(), rule)).collect();
    let named = |ids: &mut dyn Iterator<Item = &str>| ids.map(str::to_owned).collect::<Vec<String>>();
    let changed = new.iter().filter(|(id, rule)| old.get(*id).is_some_and(|old| old != *rule));
    Rules {
        digest: sha256(serde_json::to_string(&all).unwrap_or_default().as_bytes()),
        added: named(&mut new.keys().copied().filter(|id| !old.contains_key(id))),
        removed: named(&mut old.keys().copied().filter(|id| !new.contains_key(id))),
        changed: named(&mut changed.map(|(id, _)| *id)),
        rules: all,
    }
}

fn about(about: &About, effect: &str) -> RuleInForce {
    RuleInForce {
        id: about.id.clone(),
        digest: hex(&about.digest),
        effect: sha256(effect.as_bytes()),
        mode: about.mode.as_str().to_owned(),
        level: about.severity.as_str().to_owned(),
        thresholds: BTreeMap::new(),
        exceptions: Vec::new(),
    }
}

fn thresholds(all: Vec<Threshold>) -> BTreeMap<String, f64> {
    all.into_iter().map(|threshold| (threshold.name, threshold.value)).collect()
}

#[cfg(test)]
mod tests {
    use bedrock_watch_engine::rule::{Mode, RuleFile, RuleTuning};

    use super::*;

    const RULE: &str = "title: T\nlogsource: {product: aws, service: cloudtrail}\nlevel: high\n\
                        detection: {a: {eventName: X}, condition: a}\n";

    fn rules(files: &[(&str, &str)]) -> RuleSet {
        let file = |(id, text): &(&str, &str)| RuleFile {
            path: format!("{id}/rule.yml"),
            id: (*id).to_owned(),
            text: (*text).to_owned(),
        };
        RuleSet::compile(&files.iter().map(file).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_changed_is_named() {
        let first = rules_in_force(&rules(&[("a", RULE), ("b", RULE)]), &[]);
        assert_eq!((first.added.join(" "), first.removed.len(), first.changed.len()), ("a b".to_owned(), 0, 0));
        assert_eq!(first.rules[0].digest, sha256(RULE.as_bytes()), "as `sha256sum` says it");
        let again = rules_in_force(&rules(&[("b", RULE), ("a", RULE)]), &first.rules);
        assert_eq!(again, Rules { added: Vec::new(), ..first.clone() }, "the order of files is nothing");

        let tuning = [("b".to_owned(), RuleTuning { mode: Mode::Shadow, ..RuleTuning::default() })].into();
        let other = RULE.replace("eventName: X", "eventName: Y");
        let tuned = rules(&[("b", RULE), ("c", RULE)]).tuned(&tuning).unwrap();
        let second = rules_in_force(&tuned, &first.rules);
        assert_eq!([second.added, second.removed, second.changed], [["c"], ["a"], ["b"]]);
        assert_ne!(second.digest, first.digest);
        let third = rules_in_force(&rules(&[("b", &other), ("c", RULE)]), &second.rules);
        assert_eq!((third.changed, third.added.len()), (vec!["b".to_owned()], 0));
    }
}
