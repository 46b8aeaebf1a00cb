//! What loads, and what is then known of it.

use bedrock_watch_engine::{
    alert::{Severity, SubjectKind},
    rule::{Counts, JsonFields, Metric, RuleFile, RuleSet},
};

fn file(id: &str, text: &str) -> RuleFile {
    RuleFile { path: format!("rules/{id}/rule.yml"), id: id.to_owned(), text: text.to_owned() }
}

/// A published rule, as others write them.
const LOOSE: &str = r#"
title: AWS CloudTrail Important Change
id: 4db60cc0-36fb-42b7-9b58-a5b53019fb74
status: test
description: Detects disabling, deleting and updating of a Trail
references:
    - https://docs.aws.amazon.com/awscloudtrail/latest/userguide/best-practices-security.html
author: vitaliy0x1
date: 2020-01-21
tags:
    - attack.defense-evasion
    - attack.t1562.008
logsource:
    product: aws
    service: cloudtrail
detection:
    selection_source:
        detail.eventSource: cloudtrail.amazonaws.com
        eventName:
            - StopLogging
            - UpdateTrail
            - DeleteTrail
    condition: selection_source
falsepositives:
    - Valid change in a Trail
level: medium
"#;

#[test]
fn a_loose_rule_loads_unchanged() {
    let rules = RuleSet::compile(&[file("important-change", LOOSE)]).unwrap();
    let rule = rules.by_id("important-change").unwrap();
    assert_eq!(rule.about().title, "AWS CloudTrail Important Change");
    assert_eq!(rule.about().severity, Severity::Medium);
    assert_eq!(rule.about().attack, ["T1562.008"]);
    assert_eq!(rule.about().runbook, "rules/important-change/runbook.md");
    assert_eq!((rule.subject(), rule.counts(), rule.alerts()), (SubjectKind::Event, Counts::Matches, true));
    let record = serde_json::json!({"eventSource": "cloudtrail.amazonaws.com", "eventName": "stoplogging"});
    assert!(rule.matches(&JsonFields(&record)).is_some());
    assert_eq!(rules.call_rules("CLOUDTRAIL.amazonaws.com", "StopLogging").len(), 1);
    assert_eq!(rules.call_rules("cloudtrail.amazonaws.com", "StartLogging").len(), 0);
}

#[test]
fn principal_and_state_rules() {
    let burst = "title: b\nlevel: high\nlogsource: {product: bedrock-watch, service: principal}\ndetection:\n  s:\n    \
                 watch.principal.invocations_60s|gte: 100\n  condition: s\nx-watch: {counts: invocations}\n";
    let lost = "title: l\nlevel: high\nlogsource: {product: bedrock-watch, service: state}\ndetection:\n  s:\n    \
                watch.event: JobDependencyLost\n    watch.dependency.kind: [role, subnet]\n  condition: s\n";
    let rules = RuleSet::compile(&[file("burst", burst), file("lost", lost)]).unwrap();
    let burst = rules.get(rules.principal_rules()[0]);
    assert_eq!(burst.windows(), [(Metric::Invocations, 60)]);
    assert_eq!((burst.subject(), burst.counts()), (SubjectKind::Principal, Counts::Invocations));
    let judging: Vec<&str> = rules.state_rules("JobDependencyLost").iter().map(|rule| rules.get(*rule).id()).collect();
    assert_eq!(judging, ["lost"]);
    assert!(rules.state_rules("InvocationLoggingChanged").is_empty());
    assert_eq!(rules.by_id("lost").unwrap().subject(), SubjectKind::CustomizationJobDependency);
    assert_eq!(rules.call_rules("", "").len(), 0);
}

#[test]
fn a_file_holds_rules_and_a_correlation() {
    let text = "title: a\nname: failed\nlevel: low\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: \
                {errorCode: AccessDenied}, condition: s}\n---\ntitle: c\nlevel: high\ncorrelation:\n  type: \
                event_count\n  rules: [failed]\n  group-by: [userIdentity.arn]\n  timespan: 10m\n  condition: {gte: 3}\n";
    let rules = RuleSet::compile(&[file("many-failures", text)]).unwrap();
    let ids: Vec<&str> = rules.rules().iter().map(|rule| rule.id()).collect();
    assert_eq!(ids, ["many-failures/failed"]);
    assert!(!rules.rules()[0].alerts());
    assert_eq!(rules.correlations()[0].about().id, "many-failures");
    assert_eq!(rules.correlations()[0].span_s(), 600);
    let generating = text.replace("---\ntitle: c", "---\ngenerate: true\ntitle: c");
    assert!(RuleSet::compile(&[file("x", &generating)]).unwrap().rules()[0].alerts());
}
