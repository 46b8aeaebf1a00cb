//! Every clause of every rule is load-bearing: without it, some case of the rule fails.

use std::sync::Arc;

use bedrock_watch_service::cases::run;
use bedrock_watch_tests::repository::{cases_of, compiled, rule_pack};

#[test]
fn some_case_notices_when_a_clause_is_gone() {
    let pack = rule_pack().unwrap();
    let rules = compiled(&pack).unwrap();
    let mut clauses = 0;
    let mut unnoticed = Vec::new();
    for (index, rule) in rules.indexed() {
        // A rule that only feeds a correlation stands in the correlation's file and has its cases.
        let folder = rule.id().split('/').next().unwrap_or_default();
        let cases = cases_of(&pack, folder).unwrap();
        for (number, clause) in rule.clauses().iter().enumerate() {
            clauses += 1;
            let without = Arc::new(rules.without(index, number));
            if cases.iter().all(|case| run(case, &without).is_empty()) {
                unnoticed.push(format!("{}: no case notices that `{clause}` is gone", rule.id()));
            }
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
    assert!(clauses > 0, "no rule has a clause");
}
