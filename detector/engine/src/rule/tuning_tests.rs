//! What a configuration changes about rules.

use serde_json::json;

use super::{
    Exclusion, JsonFields, Mode, RuleFile, RuleSet, RuleTuning, Tuning, TuningProblem,
    value::Fields,
    value::{Field, Value},
};
use crate::{alert::Severity, time::Second};

const CLOUDTRAIL: &str = "\
title: t
level: high
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName: DeleteGuardrail
  big:
    requestParameters.size|gte: 10
  bigger:
    requestParameters.size|gte: 100
  many:
    additionalEventData.outputTokens|gt: 5
  condition: selection and big
x-watch:
  levels: {bigger: critical}
";

const CORRELATION: &str = "\
title: base
name: base
level: low
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: X}
  condition: selection
---
title: many
level: high
correlation:
  type: event_count
  rules: [base]
  group-by: [userIdentity.arn]
  timespan: 10m
  condition: {gte: 5}
";

const PRINCIPAL: &str = "\
title: burst
level: high
logsource: {product: bedrock-watch, service: principal}
detection:
  selection:
    watch.principal.invocations_60s|gte: 100
  condition: selection
";

fn set() -> RuleSet {
    let file = |id: &str, text: &str| RuleFile { path: id.to_owned(), id: id.to_owned(), text: text.to_owned() };
    let files = [file("guardrail", CLOUDTRAIL), file("many", CORRELATION), file("burst", PRINCIPAL)];
    RuleSet::compile(&files).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn tuned(rule: &str, tuning: RuleTuning) -> Result<RuleSet, Vec<TuningProblem>> {
    set().tuned(&Tuning::from([(rule.to_owned(), tuning)]))
}

fn thresholds(pairs: &[(&str, f64)]) -> RuleTuning {
    let thresholds = pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    RuleTuning { thresholds, ..RuleTuning::default() }
}

fn excluding(exclusion: Exclusion) -> RuleTuning {
    RuleTuning { exclusions: vec![exclusion], ..RuleTuning::default() }
}

fn record(size: u32, at: &str) -> serde_json::Value {
    json!({"eventName": "DeleteGuardrail", "eventTime": at, "requestParameters": {"size": size, "name": "nightly-7"},
        "userIdentity": {"arn": "arn:aws:iam::111122223333:role/ci"}})
}

const AT: &str = "2026-11-20T10:00:00Z";

#[test]
fn thresholds_have_names_and_move() {
    let names: Vec<String> =
        set().by_id("guardrail").unwrap().thresholds().into_iter().map(|threshold| threshold.name).collect();
    assert_eq!(names, ["big.size", "bigger.size", "outputTokens"]);
    let judged = |rules: &RuleSet, size| rules.by_id("guardrail").unwrap().matches(&JsonFields(&record(size, AT)));
    assert_eq!(judged(&set(), 50), Some(Severity::High));
    let rules = tuned("guardrail", thresholds(&[("big.size", 60.0), ("bigger.size", 70.0)])).unwrap();
    assert_eq!(judged(&rules, 50), None);
    assert_eq!(judged(&rules, 60), Some(Severity::High));
    assert_eq!(judged(&rules, 70), Some(Severity::Critical));
}

/// So many calls of a principal in a minute.
struct Calls(i64);

impl Fields for Calls {
    fn value(&self, field: &Field) -> Value<'_> {
        match field {
            Field::Window { .. } => Value::Int(self.0),
            Field::Watch("principal") => Value::Text("arn:aws:iam::111122223333:role/load-test".into()),
            _ => Value::Missing,
        }
    }
}

#[test]
fn a_moved_threshold_moves_what_is_asked_first() {
    let rules = tuned("burst", thresholds(&[("invocations_60s", 20.0)])).unwrap();
    let rule = rules.by_id("burst").unwrap();
    assert_eq!(rule.floors().iter().map(|floor| floor.least).collect::<Vec<_>>(), [20]);
    assert_eq!(rule.matches_on_floors(&Calls(30)), Some(Severity::High));
    let without = Exclusion { principals: vec!["*:role/load-*".to_owned()], ..Exclusion::default() };
    let rules = tuned("burst", excluding(without)).unwrap();
    assert_eq!(rules.by_id("burst").unwrap().matches_on_floors(&Calls(300)), None);
}

#[test]
fn a_correlation_has_one_number() {
    let rules = tuned("many", thresholds(&[("count", 9.0)])).unwrap();
    let of = |rules: &RuleSet| rules.correlations().first().unwrap().thresholds().first().unwrap().value;
    assert_eq!((of(&set()), of(&rules)), (5.0, 9.0));
    let fingerprint = |rules: &RuleSet| rules.correlations().first().unwrap().fingerprint;
    assert_ne!(fingerprint(&set()), fingerprint(&rules), "what was counted for another number counts no more");
}

#[test]
fn a_correlation_begins_anew_with_the_one_it_names() {
    let text = CORRELATION.replace("title: many", "title: many\nname: many")
        + "---\ntitle: top\nlevel: high\ncorrelation:\n  type: value_sum\n  rules: [many]\n  timespan: 7d\n  condition: \
           {field: a, gt: 0.5}\n";
    let rules = |count: f64, sum: f64| {
        let file = RuleFile { path: "r".to_owned(), id: "top".to_owned(), text: text.clone() };
        let tuning = [("top/many", ("count", count)), ("top", ("sum", sum))];
        let tuning = tuning.map(|(id, threshold)| (id.to_owned(), thresholds(&[threshold])));
        RuleSet::compile(&[file]).unwrap().tuned(&Tuning::from(tuning)).unwrap()
    };
    let fingerprints =
        |rules: &RuleSet| -> Vec<u64> { rules.correlations().iter().map(|one| one.fingerprint).collect() };
    let [before, inner, outer] = [rules(5.0, 0.5), rules(9.0, 0.5), rules(5.0, 0.75)];
    assert_eq!(outer.correlations()[1].thresholds()[0].value, 0.75);
    let [before, inner, outer] = [&before, &inner, &outer].map(fingerprints);
    assert!(before[0] != inner[0] && before[1] != inner[1], "{before:?} {inner:?}");
    assert!(before[0] == outer[0] && before[1] != outer[1], "{before:?} {outer:?}");
}

#[test]
fn modes_and_levels_are_those_of_the_configuration() {
    assert_eq!(set().mode("guardrail"), Mode::On);
    assert_eq!(set().mode("nothing"), Mode::Off);
    let tuning = RuleTuning { mode: Mode::Shadow, level: Some(Severity::Low), ..RuleTuning::default() };
    let rules = tuned("guardrail", tuning).unwrap();
    assert_eq!(rules.mode("guardrail"), Mode::Shadow);
    let judged = |size| rules.by_id("guardrail").unwrap().matches(&JsonFields(&record(size, AT)));
    assert_eq!((judged(50), judged(500)), (Some(Severity::Low), Some(Severity::Critical)));
    let shadowed = RuleTuning { mode: Mode::Shadow, ..RuleTuning::default() };
    assert_eq!(tuned("many", shadowed).unwrap().mode("many"), Mode::Shadow);
}

#[test]
fn exceptions_never_match() {
    let check = |exclusion: Exclusion, at: &str, matches: bool| {
        let rules = tuned("guardrail", excluding(exclusion.clone())).unwrap();
        let judged = rules.by_id("guardrail").unwrap().matches(&JsonFields(&record(50, at)));
        assert_eq!(judged.is_some(), matches, "{exclusion:?} at {at}");
    };
    let fields = |pairs: &[(&str, &[&str])]| Exclusion {
        fields: pairs
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect()))
            .collect(),
        ..Exclusion::default()
    };
    check(fields(&[("requestParameters.name", &["nightly-*"])]), AT, false);
    check(fields(&[("requestParameters.name", &["weekly-*", "NIGHTLY-7"])]), AT, false);
    check(fields(&[("requestParameters.name|endswith", &["-7"])]), AT, false);
    check(fields(&[("requestParameters.name", &["nightly-*"]), ("eventName", &["Put*"])]), AT, true);
    let until = |at: &str| Exclusion { expires: Second::parse(at), ..fields(&[("eventName", &["Delete*"])]) };
    check(until("2026-11-20T10:00:01Z"), AT, false);
    check(until(AT), AT, true);
}

#[test]
fn what_does_not_fit_is_said_with_what_would() {
    let check = |rule: &str, tuning: RuleTuning, key: &str, expected: &str| {
        let problems = tuned(rule, tuning).map(drop).unwrap_err();
        assert!(problems.iter().any(|p| p.key == key && p.message.contains(expected)), "{problems:?}");
    };
    check("burst", thresholds(&[("invocation_60s", 5.0)]), "thresholds", "did you mean `invocations_60s`?");
    check("guardrail", thresholds(&[("size", 5.0)]), "thresholds", "valid: big.size, bigger.size and outputTokens");
    check("many", thresholds(&[("count", 0.5)]), "thresholds", "whole number from 1 to 10000");
    check("burst", thresholds(&[("invocations_60s", f64::NAN)]), "thresholds", "must be a number");
    check("burst", excluding(Exclusion::default()), "reason", "names principals, accounts or fields");
    let field =
        |name: &str| Exclusion { fields: vec![(name.to_owned(), vec!["x".to_owned()])], ..Exclusion::default() };
    check("burst", excluding(field("eventName")), "fields", "is a field of CloudTrail records");
    check("guardrail", excluding(field("eventName|contians")), "fields", "did you mean |contains?");
    check("guardrail", excluding(field("|all")), "fields", "names no field");
    check("many", excluding(field("eventName")), "exclude", "counts what its rules match");
}
