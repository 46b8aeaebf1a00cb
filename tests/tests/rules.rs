//! Every case of every rule passes.

use bedrock_watch_service::cases::run_all;
use bedrock_watch_tests::repository::{cases_of, compiled, rule_pack};

#[test]
fn every_case_passes() {
    let pack = rule_pack().unwrap();
    let rules = compiled(&pack).unwrap();
    let mut count = 0;
    let mut failures = Vec::new();
    for rule in pack.rule_ids() {
        let cases = cases_of(&pack, &rule).unwrap();
        count += cases.len();
        for (case, lines) in run_all(&cases, &rules) {
            failures.push(format!("{}: {}\n    {}", case.file, case.title, lines.join("\n    ")));
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases fail:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 0, "there are no cases");
}
