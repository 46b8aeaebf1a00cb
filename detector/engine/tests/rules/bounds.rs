//! What bounds promise: nothing that matches is ever left out; and what clauses are.

use bedrock_watch_engine::{
    alert::Severity,
    rule::{Bound, Field, Fields, JsonFields, RuleFile, RuleIndex, RuleSet, Value},
};

use crate::generator::{self, Random};

fn compile(text: &str) -> RuleSet {
    let file = RuleFile { path: "r.yml".to_owned(), id: "r".to_owned(), text: text.to_owned() };
    RuleSet::compile(&[file]).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

fn rule(domain: &str, detection: &str) -> String {
    let (product, service) = domain.split_once('/').unwrap();
    let detection: String = detection.lines().map(|line| format!("  {line}\n")).collect();
    format!("title: t\nlevel: low\nlogsource: {{product: {product}, service: {service}}}\ndetection:\n{detection}")
}

#[test]
fn a_record_that_matches_is_admitted() {
    let mut bounded = 0;
    for seed in 0..2_000 {
        let mut random = Random(seed ^ 0xB0_0B5);
        let text = generator::rule(&mut random);
        let rules = compile(&text);
        bounded += usize::from(*rules.bound() != Bound::Everything);
        for _ in 0..20 {
            let event = generator::event(&mut random);
            let name = |key: &str| event.get(key).and_then(serde_json::Value::as_str).unwrap_or("").to_owned();
            // Numbers and booleans in place of names do not occur in records, which have texts there.
            if ["eventName", "eventSource"].iter().any(|key| event.get(*key).is_some_and(|value| !value.is_string())) {
                continue;
            }
            let (source, name) = (name("eventSource"), name("eventName"));
            if rules.rules()[0].matches(&JsonFields(&event)).is_some() {
                assert!(rules.bound().admits(&source, &name), "seed {seed}: {event}\n{text}\n{:?}", rules.bound());
                assert!(rules.call_rules(&source, &name) == [RuleIndex(0)], "seed {seed}: {event}\n{text}");
            }
        }
    }
    assert!(bounded > 50, "{bounded}");
}

#[test]
fn bounds_of_names_admit_what_matches_and_little_else() {
    const NAMES: [&str; 12] = ["", "a", "A", "ab", "aB", "b", "bab", "BAB", "a-b", "abab", "c", "\u{e9}a"];
    let (mut matching, mut admitted, mut asked) = (0, 0, 0);
    for seed in 0..2_000 {
        let mut random = Random(seed ^ 0xFACE);
        let text = generator::rule_of_names(&mut random);
        let rules = compile(&text);
        for (source, name) in NAMES.iter().flat_map(|source| NAMES.iter().map(move |name| (*source, *name))) {
            let event = serde_json::json!({"eventSource": source, "eventName": name});
            let is_admitted = rules.bound().admits(source, name);
            let matches = rules.rules()[0].matches(&JsonFields(&event)).is_some();
            assert!(is_admitted || !matches, "seed {seed}: {event}\n{text}\n{:?}", rules.bound());
            assert_eq!(!rules.call_rules(source, name).is_empty(), is_admitted, "seed {seed}: {event}\n{text}");
            asked += 1;
            matching += usize::from(matches);
            admitted += usize::from(is_admitted);
        }
    }
    assert!(
        matching > 20_000 && admitted < matching * 3 / 2,
        "{matching} matched, {admitted} were admitted of {asked}"
    );
}

fn check_bound(detection: &str, expected: Option<&[&str]>) {
    let rules = compile(&rule("aws/cloudtrail", detection));
    let found: Option<Vec<String>> = match rules.bound() {
        Bound::Everything => None,
        Bound::Terms(terms) => Some(terms.iter().map(ToString::to_string).collect()),
    };
    assert_eq!(found, expected.map(|terms| terms.iter().map(|term| (*term).to_owned()).collect()), "{detection}");
}

#[test]
fn bounds_are_tight() {
    let check = check_bound;
    check("s:\n  eventName: [B, A]\ncondition: s", Some(&["name a", "name b"]));
    check("s:\n  eventSource: x\n  eventName: A\ncondition: s", Some(&["source x, name a"]));
    check("s:\n  eventSource: x\n  eventName: 'A*'\ncondition: s", Some(&["source x, name a*"]));
    check("s:\n  eventSource|startswith: x\n  eventName|endswith: A\ncondition: s", Some(&["source x*, name *a"]));
    check("s:\n  eventName|startswith: A\n  errorCode: x\ncondition: s", Some(&["name a*"]));
    check("s:\n  eventName: '*a*bcd*'\ncondition: s", Some(&["name *bcd*"]));
    check("s:\n  eventName: A\nf:\n  eventSource: B\ncondition: s or f", Some(&["name a", "source b"]));
    check("s:\n  eventName: A\nf:\n  errorCode: B\ncondition: s and not f", Some(&["name a"]));
    check("s:\n  eventName: A\nf:\n  errorCode: B\ncondition: s or f", None);
    check("s:\n  eventName|neq: A\ncondition: s", None);
    check("s:\n  eventName|re: ^A\ncondition: s", None);
    check("s:\n  - keyword\ncondition: s", None);
    let phantom = "s:\n  userIdentity.userName|startswith|cased: BedrockAPIKey-\nf:\n  eventSource|startswith: b\n";
    check(&format!("{phantom}condition: s and not f"), Some(&["text BedrockAPIKey-"]));
    check(&format!("{phantom}condition: s and f"), Some(&["source b*"]));
    check("s:\n  userIdentity.userName|startswith: BedrockAPIKey-\ncondition: s", None);
    check("s:\n  requestParameters.n|cased: '1E000000'\ncondition: s", None);
    check("s:\n  eventName: '*'\ncondition: s", None);
}

#[test]
fn what_all_parts_ask_is_asked_together() {
    let pairs = "s:\n  - {eventSource: x, eventName: A}\n  - {eventSource: y, eventName: B}\n";
    check_bound(&format!("{pairs}condition: s"), Some(&["source x, name a", "source y, name b"]));
    check_bound(&format!("{pairs}f:\n  eventName: A\ncondition: s and f"), Some(&["source x, name a"]));
    check_bound(&format!("{pairs}f:\n  eventName|startswith: C\ncondition: s and f"), Some(&[]));
    check_bound("s:\n  eventName|startswith|all: [A, Abc, Ab]\ncondition: s", Some(&["name abc*"]));
    check_bound("s:\n  eventName|contains|all: [A, B]\n  eventName: xAxB\ncondition: s", Some(&["name xaxb"]));
    // 9 sources times 8 names would be too many.
    let list = |letter: char, count: u32| (0..count).map(|number| format!("{letter}{number}")).collect::<Vec<_>>();
    let product = |sources: u32, names: u32| {
        let (sources, names) = (list('s', sources).join(", "), list('n', names).join(", "));
        compile(&rule(
            "aws/cloudtrail",
            &format!("s:\n  eventSource: [{sources}]\n  eventName: [{names}]\ncondition: s"),
        ))
    };
    let count = |rules: &RuleSet| if let Bound::Terms(terms) = rules.bound() { terms.len() } else { 0 };
    assert_eq!(count(&product(8, 8)), 64);
    assert_eq!(count(&product(9, 8)), 8);
    assert_eq!(count(&product(1, 100)), 100);
    assert!(product(9, 8).bound().admits("any", "n7") && !product(9, 8).bound().admits("s0", "any"));
    assert!(!product(1, 100).bound().admits("s1", "n1"));
}

/// Windows with exact values and bounds that are at least as large.
struct Windows(i64, Option<i64>);

impl Fields for Windows {
    fn value(&self, field: &Field) -> Value<'_> {
        if matches!(field, Field::Window { .. }) { Value::Int(self.0) } else { Value::Missing }
    }

    fn upper_bound(&self, _: &Field) -> Option<i64> {
        self.1
    }
}

#[test]
fn what_is_impossible_does_not_match() {
    let field = "watch.principal.calls_60s";
    let values = ["gte: 5", "gt: 5", "lt: 5", "lte: 5", "gte|neq: 5", "gte: [3, 7]", "gte|all: [3, 7]"];
    let conditions = ["s", "not s", "s and not s", "s or not s", "1 of s*"];
    for value in values {
        for condition in conditions {
            let text = rule("bedrock-watch/principal", &format!("s:\n  {field}|{value}\ncondition: {condition}"));
            let rules = compile(&text);
            let rule = rules.get(rules.principal_rules()[0]);
            assert_eq!(rule.windows().len(), 1);
            for exact in 0..9 {
                for bound in [None, Some(exact), Some(exact + 1), Some(100)] {
                    let windows = Windows(exact, bound);
                    let matched = rule.matches(&windows).is_some();
                    assert!(!matched || rule.possible(&windows), "{exact} {bound:?}\n{text}");
                    if value == "gte: 5" && condition == "s" && bound == Some(exact) {
                        assert_eq!(rule.possible(&windows), matched, "{exact}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_clause_can_be_left_out() {
    let text = rule(
        "aws/cloudtrail",
        "s:\n  eventName: [A, B]\n  errorCode: x\nt:\n  - userAgent: u\n  - userAgent: v\nf:\n  awsRegion: r\ncondition: s and t and not f",
    );
    let rules = compile(&text);
    let clauses: Vec<String> = rules.rules()[0].clauses().iter().map(ToString::to_string).collect();
    let expected = [
        "s: eventName: [A, B]",
        "s: value `A` of eventName",
        "s: value `B` of eventName",
        "s: errorCode: x",
        "t: userAgent: u",
        "t: userAgent: v",
        "f: awsRegion: r",
        "condition: operand `s`",
        "condition: operand `t`",
        "condition: operand `not f`",
    ];
    assert_eq!(clauses, expected);
    let record = |name: &str, error: &str, agent: &str, region: &str| serde_json::json!({"eventName": name, "errorCode": error, "userAgent": agent, "awsRegion": region});
    // For each clause, a record that only the rule without it judges differently.
    let telling = [
        (record("C", "x", "u", "q"), true),
        (record("A", "x", "u", "q"), false),
        (record("B", "x", "u", "q"), false),
        (record("A", "y", "u", "q"), true),
        (record("A", "x", "u", "q"), false),
        (record("A", "x", "v", "q"), false),
        (record("A", "x", "u", "r"), true),
        (record("C", "x", "u", "q"), true),
        (record("A", "x", "w", "q"), true),
        (record("A", "x", "u", "r"), true),
    ];
    for (index, (record, without)) in telling.iter().enumerate() {
        let changed = rules.without(RuleIndex(0), index);
        let judge = |rules: &RuleSet| rules.rules()[0].matches(&JsonFields(record)).is_some();
        assert_eq!(judge(&rules), !without, "{}", clauses[index]);
        assert_eq!(judge(&changed), *without, "{}", clauses[index]);
    }
}

#[test]
fn levels_raise() {
    let mut text = rule("aws/cloudtrail", "s:\n  eventName: A\nroot:\n  userIdentity.type: Root\ncondition: s");
    text += "x-watch:\n  levels: {root: critical}\n  summary: '{actor} did {event}'\n  subject: principal\n";
    let rules = compile(&text);
    let level = |kind: &str| {
        rules.rules()[0].matches(&JsonFields(&serde_json::json!({"eventName": "A", "userIdentity": {"type": kind}})))
    };
    assert_eq!(level("Root"), Some(Severity::Critical));
    assert_eq!(level("IAMUser"), Some(Severity::Low));
}
