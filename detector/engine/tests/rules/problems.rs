//! Every problem at once, each where it is and with what would be valid.

use bedrock_watch_engine::rule::{RuleFile, RuleSet};

fn problems(text: &str) -> Vec<String> {
    let file = RuleFile { path: "r.yml".to_owned(), id: "r".to_owned(), text: text.to_owned() };
    match RuleSet::compile(&[file]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// Each problem begins with its place and has the words; there are no others.
fn check(text: &str, expected: &[(&str, &str)]) {
    let found = problems(text);
    assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
    for (message, (place, words)) in found.iter().zip(expected) {
        assert!(
            message.starts_with(&format!("r.yml:{place}: ")) && message.contains(words),
            "{place} {words}: {message}"
        );
    }
}

#[test]
fn all_at_once_with_places() {
    check(
        "\
title: t
level: urgent
status: tset
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName|contans: x
    watch.credentials: y
    errorCode|re: '('
    sourceIPAddress|cidr: 10.0.0/8
  other:
    userAgent|expand: '%x%'
    eventSource|gt: many
    errorMessage: {a: b}
  condition: selection and not filtr
x-watch:
  subjct: event
  summary: 'by {principle}'
  levels: {selektion: high, other: worst}
",
        &[
            ("2:8", "level is `urgent`; valid is informational, low, medium, high and critical"),
            ("3:9", "status is `tset`"),
            ("7:15", "unknown modifier |contans; did you mean |contains?"),
            ("8:5", "unknown field watch.credentials; did you mean watch.credential?"),
            ("9:19", "regular expression cannot be used: unclosed group"),
            ("10:27", "`10.0.0/8` is no network"),
            ("12:23", "the placeholder %x% has no values"),
            ("13:21", "`many` is no number"),
            ("14:19", "this is a mapping"),
            ("15:32", "no search is named `filtr`; there is selection and other"),
            ("17:3", "did you mean subject?"),
            ("18:12", "did you mean {principal}?"),
            ("19:12", "no search is named `selektion`"),
            ("19:36", "the level is `worst`"),
        ],
    );
}

const HEAD: &str = "title: t\nlevel: low\nlogsource: {product: aws, service: cloudtrail}\n";

#[test]
fn one_by_one() {
    let of = |detection: &str| format!("{HEAD}detection: {detection}\n");
    check("", &[("1:1", "holds no rule")]);
    check("- a", &[("1:1", "a rule is a mapping")]);
    check("a: [", &[("2:1", "no valid YAML")]);
    check(
        "title: t\nlevel: low\nlogsource: {product: windows, category: process_creation}\ndetection: {s: {a: b}, condition: s}",
        &[("3:12", "this rule is for windows/process_creation; only")],
    );
    check(&of("{s: {eventName: A}}"), &[("4:12", "condition is missing")]);
    check(&of("{s: {eventName: A}, condition: s, timeframe: 5m}"), &[("4:46", "timeframe")]);
    check(&of("{s: {eventName: A}, condition: s | count() > 5}"), &[("4:45", "correlation rule")]);
    check(&of("{s: {eventName: A}, condition: 1 of t*}"), &[("4:48", "no search is named like `t*`")]);
    check(&of("{s: {eventName: A}, condition: 2 of s*}"), &[("4:48", "never holds")]);
    check(&of("{s: {eventName: A}, condition: s and}"), &[("4:48", "this is no condition")]);
    check(&of("{s: {eventName: []}, condition: s}"), &[("4:28", "empty list")]);
    check(&of("{s: {eventName|all: A}, condition: s}"), &[("4:17", "more than one value")]);
    check(&of("{s: {eventName|re|contains: A}, condition: s}"), &[("4:17", "cannot be combined")]);
    check(&of("{s: {eventName|i: A}, condition: s}"), &[("4:17", "flag of |re")]);
    check(&of("{s: {eventName|wide: A}, condition: s}"), &[("4:17", "before |base64")]);
    check(&of("{s: {eventName|gt|lt: 1}, condition: s}"), &[("4:17", "|gt and |lt exclude each other")]);
    check(&of("{s: {eventTime|hour|contains: 1}, condition: s}"), &[("4:17", "a part of a time is a number")]);
    check(&of("{s: {eventTime|hour|day: 1}, condition: s}"), &[("4:17", "|hour and |day exclude each other")]);
    check(&of("{s: {eventTime|hour: late}, condition: s}"), &[("4:33", "`late` is no number")]);
    check(&of("{s: {eventName: A, eventName: B}, condition: s}"), &[("4:31", "there twice")]);
    check(&of("{s: {watch.principal.calls_2h: 1}, condition: s}"), &[("4:17", "at most 60m")]);
    check(&of("{s: {watch.jobs.live: 1}, condition: s}"), &[("4:17", "only to rules for bedrock-watch/state")]);
    check(&format!("x-wach: 1\n{}", of("{s: {eventName: A}, condition: s}")), &[("1:1", "did you mean x-watch?")]);
    check(&format!("sigma-version: 3\n{}", of("{s: {eventName: A}, condition: s}")), &[("1:16", "Sigma 2")]);
    check(&format!("action: global\n{HEAD}"), &[("1:1", "collection actions")]);
    check(
        "title: f\nfilter: {rules: any, selection: {a: b}, condition: selection}",
        &[("1:1", "the logsource is missing")],
    );
    let state = "title: t\nlevel: low\nlogsource: {product: bedrock-watch, service: state}\ndetection: ";
    check(&format!("{state}{{s: {{watch.event: JobLost}}, condition: s}}"), &[("4:12", "no state event matches")]);
    check(
        &format!("{state}{{s: {{watch.region: x}}, condition: s}}"),
        &[("4:12", "about other dependents, about logging or about the service itself")],
    );
    check(
        &format!("{state}{{s: {{eventName: x, watch.event: JobDependencyLost}}, condition: s}}"),
        &[("4:17", "field of CloudTrail records")],
    );
}

#[test]
fn facts() {
    let of =
        |facts: &str| format!("{HEAD}detection: {{s: {{eventName: A}}, condition: s}}\nx-watch:\n  facts: {facts}\n");
    assert!(problems(&of("{units: requestParameters.modelUnits, id: [userAgent, requestParameters.a.b]}")).is_empty());
    check(&of("none"), &[("6:10", "maps names to fields")]);
    check(&of("{Units: userAgent}"), &[("6:11", "`Units` is no name of a fact")]);
    check(&of("{event_name: userAgent}"), &[("6:11", "choose another name")]);
    check(&of("{units: 3}"), &[("6:18", "name of a field")]);
    check(&of("{units: []}"), &[("6:18", "at least one field")]);
    check(&of("{units: watch.credential}"), &[("6:18", "is computed")]);
    check(&of("{units: watch.credentials}"), &[("6:18", "did you mean watch.credential?")]);
    let many = (0..13).map(|number| format!("f{number}: userAgent")).collect::<Vec<_>>().join(", ");
    check(&of(&format!("{{{many}}}")), &[("6:10", "at most 12 facts, and this has 13")]);
}

#[test]
fn correlations() {
    let of = |correlation: &str| {
        format!(
            "{HEAD}name: base\ndetection: {{s: {{eventName: A}}, condition: s}}\n---\ntitle: c\nlevel: low\ncorrelation: {correlation}\n"
        )
    };
    let with = |rest: &str| of(&format!("{{type: event_count, rules: [base], timespan: 5m, {rest}}}"));
    assert!(problems(&with("condition: {gte: 2, lt: 9}")).is_empty());
    check(&with("condition: {gte: x}"), &[("9:80", "whole number")]);
    check(&with("condition: {about: 2}"), &[("9:75", "unknown comparison")]);
    check(&with("conditions: {gte: 2}"), &[("9:21", "condition is missing"), ("9:63", "unknown key `conditions`")]);
    check(&with("condition: {gte: 2}, group-by: [watch.nothing]"), &[("9:95", "unknown field")]);
    check(&of("{type: value_max, rules: [base], timespan: 5m}"), &[("9:21", "not supported; valid is event_count")]);
    check(&of("{type: temporal, rules: [base, bsae], timespan: 31d}"), &[("9:62", "at most 30d")]);
    assert!(problems(&of("{type: temporal, rules: [base], timespan: 30d}")).is_empty());
    let numbers = |rest: &str| of(&format!("{{type: value_{rest}, rules: [base], timespan: 5m}}"));
    assert!(problems(&numbers("sum, condition: {field: a, gte: -0.5}")).is_empty());
    assert!(problems(&numbers("percentile, condition: {field: a, percentile: 99.9, gte: 5}")).is_empty());
    check(&numbers("avg"), &[("9:21", "condition is missing")]);
    check(&numbers("avg, condition: {gte: 5}"), &[("9:43", "name it under field")]);
    check(&numbers("avg, condition: {field: [a, b], gte: 5}"), &[("9:43", "names several")]);
    check(&numbers("sum, condition: {field: a, gte: x}"), &[("9:59", "gte takes a number")]);
    check(&numbers("median, condition: {field: a, percentile: 5, gte: 5}"), &[("9:57", "unknown comparison")]);
    check(&numbers("percentile, condition: {field: image, lte: 1}"), &[("9:50", "which percentile is missing")]);
    check(&numbers("percentile, condition: {field: a, percentile: 101, lte: 1}"), &[("9:73", "from 0 to 100")]);
    let ordered = |rest: &str| of(&format!("{{type: temporal_ordered, rules: [base], timespan: 5m, {rest}}}"));
    assert!(problems(&ordered("condition: {eq: 1}")).is_empty() && problems(&ordered("condition: base")).is_empty());
    check(&ordered("condition: {gte: 2}"), &[("9:79", "all its rules in their order")]);
    check(&ordered("condition: not base"), &[("9:79", "all its rules in their order")]);
    check(&of("{type: temporal, rules: [base, bsae], timespan: 2h}"), &[("9:45", "did you mean base?")]);
    check(
        &of("{type: temporal, rules: [base], timespan: 2h, condition: base and other}"),
        &[("9:71", "`other` is none of")],
    );
}

#[test]
fn ids_are_unique() {
    let text = format!("{HEAD}detection: {{s: {{eventName: A}}, condition: s}}\n");
    let file = |path: &str| RuleFile { path: path.to_owned(), id: "same".to_owned(), text: text.clone() };
    let found = RuleSet::compile(&[file("a.yml"), file("b.yml")]).unwrap_err();
    assert_eq!(found[0].to_string(), "b.yml:1:1: the rule id `same` is taken by a.yml; rename the folder or the file");
}
