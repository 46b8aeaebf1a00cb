//! From a case file to records in the order of their delivery.

use std::{collections::BTreeMap, path::Path};

use bedrock_watch_engine::{Second, rule::Problem};
use serde_json::Value;
use serde_saphyr::Spanned;
use sha2::{Digest, Sha256};

use super::{
    compare::Expected,
    file::{self, CaseFile, StepFile, problem_at},
    pack::RulePack,
    record, timeline,
};

/// When a case starts unless it says otherwise.
const START: &str = "2026-11-20T10:00:00Z";

/// The most events one step may stand for; a case is a short timeline.
const COUNT_MAX: u32 = 20_000;

/// A case, ready to run.
#[derive(Debug, Clone)]
pub struct Case {
    /// The rule it belongs to.
    pub rule: String,
    /// The file's stem.
    pub name: String,
    /// The file, as messages name it.
    pub file: String,
    /// What happens, in a sentence.
    pub title: String,
    /// History, in the order of its delivery.
    pub teach: Vec<Delivery>,
    /// What happens, in the order of its delivery.
    pub deliveries: Vec<Delivery>,
    /// The rule's alerts at the end.
    pub expect: Vec<Expected>,
}

/// One record as it is delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The record.
    pub bytes: Vec<u8>,
    /// Its event time.
    pub at: Second,
}

/// The cases of a rule.
///
/// # Errors
/// Every problem of every case file of the rule.
pub fn load(pack: &RulePack, rule: &str) -> Result<Vec<Case>, Vec<Problem>> {
    let mut cases = Vec::new();
    let mut problems = Vec::new();
    for path in pack.case_paths(rule) {
        let bytes = pack.file(path).unwrap_or_default();
        let shown = pack.shown(path);
        match file::parse(shown, bytes) {
            Ok(file) => {
                let mut builder = Builder { pack, shown, start_ms: 0, first_steps: BTreeMap::new(), problems: vec![] };
                let case = builder.build(rule, path, file);
                problems.append(&mut builder.problems);
                cases.push(case);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(cases) } else { Err(problems) }
}

/// Builds one case and collects what is wrong with it.
struct Builder<'a> {
    pack: &'a RulePack,
    shown: &'a str,
    start_ms: i64,
    /// The first step of each event name: what its eventID begins with, so that ids sort as they are written.
    first_steps: BTreeMap<String, usize>,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    fn build(&mut self, rule: &str, path: &str, file: CaseFile) -> Case {
        self.start_ms = self.start(file.start.as_ref());
        let name = |index: usize, step: &StepFile| step.name.clone().unwrap_or_else(|| format!("step {index}"));
        for (index, step) in file.teach.iter().chain(&file.steps).enumerate() {
            self.first_steps.entry(name(index, &step.value)).or_insert(index);
        }
        let teach_count = file.teach.len();
        let mut teach = Vec::new();
        let mut deliveries = Vec::new();
        for (index, step) in file.teach.iter().chain(&file.steps).enumerate() {
            let target = if index < teach_count { &mut teach } else { &mut deliveries };
            if let Err(problem) = self.step(&name(index, &step.value), step, target) {
                self.problems.push(problem);
            }
        }
        let expect = file.expect.into_iter().filter_map(|expected| self.expected(expected)).collect();
        Case {
            rule: rule.to_owned(),
            name: Path::new(path).file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            file: self.shown.to_owned(),
            title: file.title,
            teach: delivered(teach),
            deliveries: delivered(deliveries),
            expect,
        }
    }

    fn start(&mut self, start: Option<&Spanned<String>>) -> i64 {
        let text = start.map_or(START, |start| &start.value);
        let second = Second::parse(text);
        if let (None, Some(start)) = (second, start) {
            let message = format!("`{text}` is no time; write `{START}`");
            self.problems.push(problem_at(self.shown, start, message));
        }
        i64::from(second.unwrap_or_default().0).saturating_mul(1_000)
    }

    /// Adds the records of one step, each with the millisecond it arrives at.
    fn step(&self, name: &str, step: &Spanned<StepFile>, target: &mut Vec<(i64, Delivery)>) -> Result<(), Problem> {
        let sample = self.sample(&step.value.event)?;
        let at = self.offset(&step.value.at)?;
        let arrives = step.value.arrives.as_ref().map(|arrives| self.offset(arrives)).transpose()?;
        let every = match &step.value.every {
            Some(every) => timeline::span_ms(&every.value).ok_or_else(|| self.no_time(every, "0.5s` or `10m"))?,
            None => 1_000,
        };
        let count = self.number(step.value.count.as_ref())?;
        let copies = self.number(step.value.copies.as_ref())?;
        for repeat in 0..count {
            let event_ms = at.saturating_add(every.saturating_mul(i64::from(repeat)));
            let id = self.event_id(name, repeat);
            let mut event = sample.clone();
            let delivery = dress(&mut event, &id, event_ms)
                .and_then(|()| change(&mut event, &step.value))
                .and_then(|()| deliver(&event))
                .map_err(|message| problem_at(self.shown, step, message))?;
            for _ in 0..copies {
                target.push((arrives.unwrap_or(event_ms), delivery.clone()));
            }
        }
        Ok(())
    }

    fn sample(&self, name: &Spanned<String>) -> Result<Value, Problem> {
        let Some(bytes) = self.pack.event(&name.value) else {
            let known = self.pack.event_names().collect::<Vec<_>>().join(", ");
            let message = format!("there is no sample record `{}`; there are {known}", name.value);
            return Err(problem_at(self.shown, name, message));
        };
        serde_json::from_slice(bytes).map_err(|error| {
            let message = format!("the sample record `{}` is no JSON: {error}", name.value);
            problem_at(self.shown, name, message)
        })
    }

    fn offset(&self, offset: &Spanned<String>) -> Result<i64, Problem> {
        let ms = timeline::offset_ms(&offset.value).ok_or_else(|| self.no_time(offset, "+90s`, `+1h30m` or `-8d"))?;
        Ok(self.start_ms.saturating_add(ms))
    }

    fn no_time(&self, text: &Spanned<String>, example: &str) -> Problem {
        problem_at(self.shown, text, format!("`{}` is no distance in time; write `{example}`", text.value))
    }

    fn number(&self, number: Option<&Spanned<u32>>) -> Result<u32, Problem> {
        match number {
            None => Ok(1),
            Some(number) if (1..=COUNT_MAX).contains(&number.value) => Ok(number.value),
            Some(number) => {
                let message = format!("{} is not between 1 and {COUNT_MAX}", number.value);
                Err(problem_at(self.shown, number, message))
            }
        }
    }

    /// What the alert must be; `@name` as subject stands for the eventID of the step of that name.
    fn expected(&mut self, mut expected: Spanned<file::ExpectedFile>) -> Option<Expected> {
        if let Some(name) = expected.value.subject.as_deref().and_then(|subject| subject.strip_prefix('@')) {
            if !self.first_steps.contains_key(name) {
                let known = self.first_steps.keys().cloned().collect::<Vec<_>>().join(", ");
                let message = format!("no step is named `{name}`; there are {known}");
                self.problems.push(problem_at(self.shown, &expected, message));
                return None;
            }
            expected.value.subject = Some(self.event_id(name, 0));
        }
        Some(Expected(expected.value))
    }

    /// The eventID of the `repeat`-th event of that name: a UUID, the same in every run, sorted as written.
    fn event_id(&self, name: &str, repeat: u32) -> String {
        let step = self.first_steps.get(name).copied().unwrap_or_default();
        let hash = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
        format!("{step:04x}{repeat:04x}-{}-4{}-a{}-{}", part(0, 4), part(4, 7), part(7, 10), part(10, 22))
    }
}

/// Gives the record its id and time: an envelope its own, and those of the CloudTrail record inside; a model invocation
/// log its request id and timestamp.
fn dress(event: &mut Value, id: &str, event_ms: i64) -> Result<(), String> {
    let second = Second::from_unix(event_ms.div_euclid(1_000)).ok_or("the event time lies outside 1970..2106")?;
    let time = second.to_rfc3339();
    if event.get("schemaType").is_some() {
        record::set(event, "requestId", Value::from(id))?;
        return record::set(event, "timestamp", Value::from(time));
    }
    let enveloped = event.get("detail").is_some_and(Value::is_object);
    if enveloped {
        record::set(event, "id", Value::from(id))?;
        record::set(event, "time", Value::from(time.clone()))?;
    }
    if !enveloped {
        record::set(event, "eventID", Value::from(id))?;
        record::set(event, "eventTime", Value::from(time))?;
    } else if event.pointer("/detail/eventTime").is_some() {
        record::set(event, "detail.eventID", Value::from(id))?;
        record::set(event, "detail.eventTime", Value::from(time))?;
    }
    Ok(())
}

fn change(event: &mut Value, step: &StepFile) -> Result<(), String> {
    for path in &step.remove {
        record::remove(event, path)?;
    }
    for (path, value) in &step.set {
        record::set(event, path, value.clone())?;
    }
    Ok(())
}

fn deliver(event: &Value) -> Result<Delivery, String> {
    let time = ["/detail/eventTime", "/eventTime", "/time", "/timestamp"]
        .iter()
        .find_map(|path| event.pointer(path)?.as_str());
    // A case may be about a record without a readable time.
    let at = time.and_then(Second::parse).unwrap_or_default();
    let bytes = serde_json::to_vec(event).map_err(|error| error.to_string())?;
    Ok(Delivery { bytes, at })
}

/// In the order of arrival; what arrives together is delivered as written.
fn delivered(mut records: Vec<(i64, Delivery)>) -> Vec<Delivery> {
    records.sort_by_key(|(arrives, _)| *arrives);
    records.into_iter().map(|(_, delivery)| delivery).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = r#"{"eventTime": "", "eventID": "", "errorCode": "x"}"#;
    const NATIVE: &str = r#"{"id": "", "time": "", "detail": {"jobStatus": "x"}}"#;

    fn pack(case: &str) -> RulePack {
        let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
        let case = file("r/cases/c.yml", case);
        RulePack::from_files("rules", [case, file("events/a/Call.json", CALL), file("events/a/Native.json", NATIVE)])
    }

    /// The event times and eventIDs in the order of delivery.
    fn deliveries(case: &str) -> Vec<(String, String)> {
        let cases = load(&pack(case), "r").unwrap();
        let described = cases[0].deliveries.iter().map(|delivery| {
            let record: Value = serde_json::from_slice(&delivery.bytes).unwrap();
            let id = record.get("eventID").or_else(|| record.get("id")).unwrap().as_str().unwrap();
            (delivery.at.to_rfc3339().get(11..19).unwrap().to_owned(), id.get(..8).unwrap().to_owned())
        });
        described.collect()
    }

    #[test]
    fn delivers_in_the_order_of_arrival() {
        let case = "
title: x
steps:
  - {at: +1m, event: a/Call, count: 3, every: 0.5s}
  - {at: +0s, event: a/Native, arrives: +2m, copies: 2}
  - {at: -1d, event: a/Call, arrives: +1m}
expect: []
";
        let expected = [
            ("10:01:00", "00000000"),
            ("10:00:00", "00020000"),
            ("10:01:00", "00000001"),
            ("10:01:01", "00000002"),
            ("10:00:00", "00010000"),
            ("10:00:00", "00010000"),
        ];
        let expected = expected.map(|(at, id)| (at.to_owned(), id.to_owned()));
        assert_eq!(deliveries(case), expected);
    }

    #[test]
    fn the_same_name_is_the_same_event() {
        let case = "
title: x
steps:
  - {at: +0s, event: a/Call, as: one}
  - {at: +1s, event: a/Call}
  - {at: +2s, event: a/Call, as: one}
expect: [{subject: '@one'}]
";
        let ids = deliveries(case).into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        assert_eq!(ids, ["00000000", "00010000", "00000000"]);
        let cases = load(&pack(case), "r").unwrap();
        let Expected(expected) = &cases[0].expect[0];
        assert!(expected.subject.as_deref().unwrap().starts_with("00000000-"));
    }

    #[test]
    fn names_every_problem_with_its_place() {
        let check = |case: &str, expected: &[&str]| {
            let problems = load(&pack(case), "r").unwrap_err();
            let got = problems.iter().map(|problem| {
                assert_eq!(problem.file, "rules/r/cases/c.yml");
                format!("{}: {}", problem.line, problem.message)
            });
            let got = got.collect::<Vec<_>>();
            assert_eq!(got.len(), expected.len(), "{got:?}");
            assert!(got.iter().zip(expected).all(|(got, part)| got.contains(part)), "{got:?}");
        };
        check("title: x\nsteps: []\nexpect: []\nexpcet: []\n", &["4: unknown field `expcet`"]);
        let steps = |steps: &str| format!("title: x\nexpect: []\nsteps:\n{steps}");
        check(
            &steps("  - {at: soon, event: a/Call}\n  - {at: +0s, event: b/None}\n"),
            &["4: `soon` is no distance in time", "5: there is no sample record `b/None`; there are a/Call, a/Native"],
        );
        check(&steps("  - {at: +0s, event: a/Call, remove: [x.y]}\n"), &["4: the record has no `x.y` to remove"]);
        check(&steps("  - {at: +0s, event: a/Call, count: 0}\n"), &["4: 0 is not between 1 and 20000"]);
        check(&steps("  - {at: +0s, evnt: a/Call}\n"), &["4: unknown field `evnt`"]);
        check("title: x\nsteps: []\nexpect: [{subject: '@x'}]\n", &["3: no step is named `x`"]);
        check("title: x\nstart: now\nsteps: []\nexpect: []\n", &["2: `now` is no time"]);
    }
}
