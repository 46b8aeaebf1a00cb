//! What a case expects beside what came, in words.

use bedrock_watch_engine::alert::Alert;
use serde_json::{Map, Value};

use super::file::ExpectedFile;

/// What one alert must be; what is not given is free.
#[derive(Debug, Clone)]
pub struct Expected(pub(super) ExpectedFile);

impl Expected {
    /// How `alert` differs from this, one line a field; none when it is as expected.
    #[must_use]
    pub fn differences(&self, alert: &Alert) -> Vec<String> {
        let Self(expected) = self;
        let mut lines = Vec::new();
        let mut field = |name: &str, expected: Option<Value>, got: Value| {
            if let Some(expected) = expected
                && !same(&expected, &got)
            {
                lines.push(format!("{name}: expected {expected}, got {got}"));
            }
        };
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let nullable = |text: &Option<Option<String>>| text.clone().map(|text| text.map_or(Value::Null, Value::from));
        field("status", text(&expected.status), alert.status.as_str().into());
        field("severity", text(&expected.severity), alert.severity.as_str().into());
        field("account", text(&expected.account), alert.account.as_str().into());
        field("region", nullable(&expected.region), alert.region.clone().into());
        field("subject", text(&expected.subject), alert.subject_id.as_str().into());
        field("principal", nullable(&expected.principal), alert.principal.clone().into());
        field("summary", text(&expected.summary), alert.summary.as_str().into());
        field("first_event_time", text(&expected.first_event_time), alert.first_event_time.to_rfc3339().into());
        field("last_event_time", text(&expected.last_event_time), alert.last_event_time.to_rfc3339().into());
        field("event_count", expected.event_count.map(Value::from), alert.event_count.into());
        for (name, fact) in &expected.facts {
            let got = alert.facts.get(name).cloned().unwrap_or_else(|| "(no such fact)".into());
            field(&format!("facts.{name}"), Some(fact.clone()), got);
        }
        lines
    }

    /// The fields that are given, as one line.
    fn to_line(&self) -> String {
        let Self(expected) = self;
        let mut fields = Map::new();
        let mut field =
            |name: &str, value: Option<Value>| value.and_then(|value| fields.insert(name.to_owned(), value));
        field("status", expected.status.clone().map(Value::from));
        field("severity", expected.severity.clone().map(Value::from));
        field("account", expected.account.clone().map(Value::from));
        field("region", expected.region.clone().map(Value::from));
        field("subject", expected.subject.clone().map(Value::from));
        field("principal", expected.principal.clone().map(Value::from));
        field("event_count", expected.event_count.map(Value::from));
        field("facts", (!expected.facts.is_empty()).then(|| expected.facts.clone().into()));
        Value::Object(fields).to_string()
    }
}

/// How the alerts differ from those expected, as lines for people; none when they are as expected.
pub(super) fn compare(expected: &[Expected], alerts: &[Alert]) -> Vec<String> {
    let mut pairs = vec![None; expected.len()];
    let matched = pair(expected, alerts, &mut vec![false; alerts.len()], &mut pairs);
    if matched && alerts.len() == expected.len() {
        return Vec::new();
    }
    let mut lines = vec![format!("expected {}, got {}", counted(expected.len()), counted(alerts.len()))];
    let mut taken = vec![false; alerts.len()];
    if matched {
        pairs.iter().flatten().for_each(|index| set(&mut taken, *index, true));
    } else {
        expected.iter().for_each(|expectation| explain(expectation, alerts, &mut taken, &mut lines));
    }
    let surplus = alerts.iter().zip(&taken).filter(|(_, taken)| !**taken);
    lines.extend(surplus.map(|(alert, _)| format!("not expected: {}", alert_line(alert))));
    lines
}

/// Finds each expectation an alert of its own, trying every way.
fn pair(expected: &[Expected], alerts: &[Alert], taken: &mut [bool], pairs: &mut [Option<usize>]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return true };
    let Some((slot, slots)) = pairs.split_first_mut() else { return false };
    for (index, alert) in alerts.iter().enumerate() {
        if taken.get(index).copied().unwrap_or(true) || !first.differences(alert).is_empty() {
            continue;
        }
        set(taken, index, true);
        *slot = Some(index);
        if pair(rest, alerts, taken, slots) {
            return true;
        }
        set(taken, index, false);
        *slot = None;
    }
    false
}

fn set(flags: &mut [bool], index: usize, value: bool) {
    if let Some(flag) = flags.get_mut(index) {
        *flag = value;
    }
}

/// Says how the nearest alert that is still free differs.
fn explain(expectation: &Expected, alerts: &[Alert], taken: &mut [bool], lines: &mut Vec<String>) {
    let free = alerts.iter().enumerate().filter(|(index, _)| taken.get(*index) == Some(&false));
    let nearest = free
        .map(|(index, alert)| (expectation.differences(alert), index, alert))
        .min_by_key(|(differences, index, _)| (differences.len(), *index));
    let Some((differences, index, alert)) = nearest else {
        lines.push(format!("missing: {}", expectation.to_line()));
        return;
    };
    set(taken, index, true);
    if !differences.is_empty() {
        lines.push(format!("expected {}", expectation.to_line()));
        lines.push(format!("nearest  {}", alert_line(alert)));
        lines.extend(differences.into_iter().map(|difference| format!("  {difference}")));
    }
}

fn counted(alerts: usize) -> String {
    match alerts {
        0 => "no alert".to_owned(),
        1 => "1 alert".to_owned(),
        _ => format!("{alerts} alerts"),
    }
}

fn alert_line(alert: &Alert) -> String {
    serde_json::json!({
        "status": alert.status.as_str(),
        "severity": alert.severity.as_str(),
        "account": alert.account,
        "region": alert.region,
        "subject": alert.subject_id,
        "principal": alert.principal,
        "event_count": alert.event_count,
        "facts": alert.facts,
    })
    .to_string()
}

/// Equal, where 5 equals 5.0 and the order of keys does not matter.
fn same(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let equal = |(key, left): (&String, &Value)| right.get(key).is_some_and(|right| same(left, right));
            left.len() == right.len() && left.iter().all(equal)
        }
        _ => expected == got,
    }
}

#[cfg(test)]
mod tests {
    use bedrock_watch_engine::{
        Second,
        alert::{Actor, Severity, Status, SubjectKind},
    };

    use super::*;

    fn alert(subject: &str) -> Alert {
        Alert {
            id: "id".to_owned(),
            rule: "r".to_owned(),
            title: String::new(),
            summary: String::new(),
            severity: Severity::High,
            status: Status::Firing,
            account: "111122223333".to_owned(),
            region: None,
            subject_kind: SubjectKind::Event,
            subject_id: subject.to_owned(),
            principal: None,
            actor: Actor::default(),
            first_event_time: Second(0),
            last_event_time: Second(0),
            event_ids: vec![],
            event_count: 3,
            facts: serde_json::json!({"n": 5}).as_object().cloned().unwrap_or_default(),
            attack: vec![],
            runbook: String::new(),
            repair: vec![],
        }
    }

    fn expecting(yaml: &str) -> Expected {
        Expected(serde_saphyr::from_str(yaml).unwrap())
    }

    #[test]
    fn compares() {
        let check = |expected: &[&str], subjects: &[&str], words: &[&str]| {
            let expected = expected.iter().map(|yaml| expecting(yaml)).collect::<Vec<_>>();
            let alerts = subjects.iter().map(|subject| alert(subject)).collect::<Vec<_>>();
            let lines = compare(&expected, &alerts);
            assert_eq!(lines.is_empty(), words.is_empty(), "{lines:?}");
            let text = lines.join("\n");
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        };
        check(&[], &[], &[]);
        check(&["{subject: a, severity: high, region: null, facts: {n: 5}}"], &["a"], &[]);
        check(&[], &["a"], &["expected no alert, got 1 alert", "not expected: "]);
        check(&["{subject: a}"], &[], &["expected 1 alert, got no alert", "missing: "]);
        check(&["{severity: low}"], &["a"], &[r#"severity: expected "low", got "high""#]);
        check(&["{region: us-east-1}"], &["a"], &[r#"region: expected "us-east-1", got null"#]);
        check(&["{facts: {n: 6}}"], &["a"], &["facts.n: expected 6, got 5"]);
        check(&["{facts: {m: 6}}"], &["a"], &["facts.m: expected 6, got \"(no such fact)\""]);
        // The general expectation must leave the alert that the particular one needs.
        check(&["{severity: high}", "{subject: a}"], &["a", "b"], &[]);
        check(&["{subject: a}", "{subject: a}"], &["a", "b"], &["subject: expected \"a\", got \"b\""]);
    }
}
