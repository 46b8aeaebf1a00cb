//! The rules in force, as evidence: which, in which form, and what changed.

use std::collections::BTreeMap;

use bedrock_watch_engine::rule::{About, RuleSet, Threshold};

use super::{
    chain::{hex, sha256},
    fact::{Fact, RuleInForce, Rules},
};

/// Rules in one entry, which must fit in an item of DynamoDB.
const RULES_MAX: usize = 500;

/// The rules in force, compared with those before; `None` is the start of a run.
#[must_use]
pub fn rules_in_force(rules: &RuleSet, before: Option<&[RuleInForce]>) -> Rules {
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
    let old: BTreeMap<&str, &RuleInForce> =
        before.unwrap_or(&all).iter().map(|rule| (rule.id.as_str(), rule)).collect();
    let new: BTreeMap<&str, &RuleInForce> = all.iter().map(|rule| (rule.id.as_str(), rule)).collect();
    let named = |ids: &mut dyn Iterator<Item = &str>| ids.map(str::to_owned).collect::<Vec<String>>();
    let changed = new.iter().filter(|(id, rule)| old.get(*id).is_some_and(|old| old != *rule));
    Rules {
        digest: sha256(serde_json::to_string(&all).unwrap_or_default().as_bytes()),
        count: all.len(),
        at_start: before.is_none(),
        continued: false,
        added: named(&mut new.keys().copied().filter(|id| !old.contains_key(id))),
        removed: named(&mut old.keys().copied().filter(|id| !new.contains_key(id))),
        changed: named(&mut changed.map(|(id, _)| *id)),
        rules: all,
    }
}

/// The entries that say so.
pub(super) fn in_entries(rules: Rules) -> Vec<Fact> {
    let (digest, count) = (rules.digest.clone(), rules.count);
    let mut all = rules.rules.chunks(RULES_MAX);
    let first = Rules { rules: all.next().unwrap_or_default().to_vec(), ..rules.clone() };
    let rest = all.map(|some| Rules {
        digest: digest.clone(),
        count,
        continued: true,
        rules: some.to_vec(),
        ..Rules::default()
    });
    std::iter::once(first).chain(rest).map(Fact::Rules).collect()
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
        let first = rules_in_force(&rules(&[("a", RULE), ("b", RULE)]), None);
        assert_eq!((first.at_start, first.count, &first.added, &first.changed), (true, 2, &Vec::new(), &Vec::new()));
        assert_eq!(first.rules[0].digest, sha256(RULE.as_bytes()), "as `sha256sum` says it");
        let again = rules_in_force(&rules(&[("b", RULE), ("a", RULE)]), Some(&first.rules));
        assert_eq!(again, Rules { at_start: false, ..first.clone() }, "the order of files is nothing");

        let tuning = [("b".to_owned(), RuleTuning { mode: Mode::Shadow, ..RuleTuning::default() })].into();
        let other = RULE.replace("eventName: X", "eventName: Y");
        let tuned = rules(&[("b", RULE), ("c", RULE)]).tuned(&tuning).unwrap();
        let second = rules_in_force(&tuned, Some(&first.rules));
        assert_eq!([second.added, second.removed, second.changed], [["c"], ["a"], ["b"]]);
        assert_ne!(second.digest, first.digest);
        let third = rules_in_force(&rules(&[("b", &other), ("c", RULE)]), Some(&second.rules));
        assert_eq!((third.changed, third.added.len()), (vec!["b".to_owned()], 0));
    }

    #[test]
    fn many_rules_are_several_entries() {
        let check = |count: usize, expected: &[usize]| {
            let rules = Rules { rules: vec![RuleInForce::default(); count], count, ..Rules::default() };
            let entries = in_entries(rules);
            let found: Vec<(usize, bool)> = entries
                .iter()
                .map(|fact| match fact {
                    Fact::Rules(rules) => (rules.rules.len(), rules.continued),
                    other => panic!("{other:?}"),
                })
                .collect();
            let expected: Vec<(usize, bool)> = expected.iter().enumerate().map(|(n, count)| (*count, n > 0)).collect();
            assert_eq!(found, expected);
        };
        check(0, &[0]);
        check(500, &[500]);
        check(1_201, &[500, 500, 201]);
    }
}
