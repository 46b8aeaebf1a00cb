//! `rules/COVERAGE.toml` leaves nothing out: every event of the playbook, every operation of Bedrock, every published
//! detection and every gap between them names the rules that cover it, or says why none does.
//!
//! The lists it is held against are the project's own, in `tests/data`. Whether a rule is any good is not asked here:
//! its cases and the clause test answer that.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use bedrock_watch_engine::{bedrock::INFERENCE_OPERATIONS, rule::RuleSet};
use bedrock_watch_service::cases::RulePack;
use bedrock_watch_tests::repository::{cases_of, compiled, root, rule_pack};
use serde::Deserialize;

/// How many published detections there are about Bedrock (`A`) and about what it stands on (`C`).
const PUBLISHED: [(char, usize); 2] = [('A', 67), ('C', 6)];
/// How many things no published detection does.
const GAPS: usize = 16;
/// The least words of a reason.
const REASON_WORDS_MIN: usize = 6;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Coverage {
    /// Rules that judge every operation of Bedrock, whatever its name.
    #[serde(default)]
    every_operation: Vec<String>,
    playbook: Vec<PlaybookEvent>,
    operations: Vec<Operations>,
    published: Vec<Published>,
    gap: Vec<Gap>,
    #[serde(default)]
    beyond: Vec<Beyond>,
}

/// Who covers an entry, or why nobody does.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    rules: Vec<String>,
    why_not: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PlaybookEvent {
    event: String,
    read_only: bool,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Deserialize)]
struct Operations {
    service: String,
    names: Vec<String>,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Deserialize)]
struct Published {
    row: String,
    who: String,
    what: String,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Deserialize)]
struct Gap {
    item: usize,
    what: String,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beyond {
    why: String,
    rules: Vec<String>,
}

impl Coverage {
    fn read() -> Result<Self, String> {
        let file = root().join("rules/COVERAGE.toml");
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Every entry: how it is called, and its answer.
    fn answers(&self) -> Vec<(String, &Answer)> {
        let playbook = self.playbook.iter().map(|entry| (format!("playbook {}", entry.event), &entry.answer));
        let operations = self.operations.iter().map(|entry| {
            let first = entry.names.first().map_or("", String::as_str);
            (format!("operations of {} from {first} on", entry.service), &entry.answer)
        });
        let published = self.published.iter().map(|entry| (format!("published {}", entry.row), &entry.answer));
        let gaps = self.gap.iter().map(|entry| (format!("gap {}", entry.item), &entry.answer));
        playbook.chain(operations).chain(published).chain(gaps).collect()
    }

    fn named_rules(&self) -> BTreeSet<&str> {
        let answers = self.answers().into_iter().flat_map(|(_, answer)| &answer.rules);
        let others = self.beyond.iter().flat_map(|entry| &entry.rules).chain(&self.every_operation);
        answers.chain(others).map(String::as_str).collect()
    }
}

/// What the playbook says of its events: name, and readOnly.
const PLAYBOOK: &str = include_str!("../data/playbook_events.csv");
/// Every operation of Bedrock: service, name, verb, and readOnly.
const OPERATIONS: &str = include_str!("../data/bedrock_operations.csv");

/// The columns of a row.
fn rows<const COLUMNS: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; COLUMNS]> {
    table.lines().skip(1).filter_map(|line| line.split(',').collect::<Vec<_>>().try_into().ok())
}

/// Names in both that should be in exactly one place each, as faults.
fn mismatches(what: &str, expected: Vec<String>, found: Vec<String>) -> Vec<String> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    expected.into_iter().for_each(|name| counts.entry(name).or_default().0 += 1);
    found.into_iter().for_each(|name| counts.entry(name).or_default().1 += 1);
    let wrong = counts.into_iter().filter(|(_, (expected, found))| expected != found);
    wrong
        .map(|(name, (expected, found))| format!("{what} {name}: {expected} expected, {found} accounted for"))
        .collect()
}

fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_is_left_out() {
    let coverage = Coverage::read().unwrap();
    let mut faults = Vec::new();
    let expected = rows(PLAYBOOK).map(|[event, _]| event.to_owned()).collect();
    let found = coverage.playbook.iter().map(|entry| entry.event.clone()).collect();
    faults.extend(mismatches("the playbook's", expected, found));
    let expected = rows(OPERATIONS).map(|[service, name, ..]: [&str; 4]| format!("{service}:{name}")).collect();
    let names =
        |group: &Operations| group.names.iter().map(|name| format!("{}:{name}", group.service)).collect::<Vec<_>>();
    faults.extend(mismatches("the operation", expected, coverage.operations.iter().flat_map(names).collect()));
    let numbered = |(letter, count): (char, usize)| (1..=count).map(move |number| format!("{letter}{number}"));
    let found = coverage.published.iter().map(|entry| entry.row.clone()).collect();
    faults.extend(mismatches("the published", PUBLISHED.into_iter().flat_map(numbered).collect(), found));
    let found = coverage.gap.iter().map(|entry| entry.item.to_string()).collect();
    faults.extend(mismatches("the gap", (1..=GAPS).map(|item| item.to_string()).collect(), found));
    none(faults);
}

#[test]
fn every_entry_names_rules_or_a_reason() {
    let coverage = Coverage::read().unwrap();
    let mut faults = Vec::new();
    for (name, answer) in coverage.answers() {
        let reason = answer.why_not.as_deref().map(|text| text.split_whitespace().count());
        match (answer.rules.len(), reason) {
            (1.., None) => {}
            (0, Some(REASON_WORDS_MIN..)) => {}
            (0, Some(_)) => faults.push(format!("{name}: the reason is no sentence")),
            (0, None) => faults.push(format!("{name}: neither rules nor a reason")),
            (1.., Some(_)) => faults.push(format!("{name}: both rules and a reason for having none")),
        }
    }
    let words = coverage.published.iter().map(|entry| (&entry.row, &entry.what, &entry.who));
    faults.extend(
        words
            .filter(|(_, what, who)| what.is_empty() || who.is_empty())
            .map(|(row, ..)| format!("{row}: says nothing")),
    );
    faults.extend(
        coverage.gap.iter().filter(|gap| gap.what.is_empty()).map(|gap| format!("gap {}: says nothing", gap.item)),
    );
    faults.extend(
        coverage.beyond.iter().filter(|entry| entry.why.is_empty()).map(|entry| format!("{:?}: why?", entry.rules)),
    );
    none(faults);
}

#[test]
fn rules_and_entries_know_each_other() {
    let coverage = Coverage::read().unwrap();
    let ids = rule_pack().unwrap().rule_ids();
    let named = coverage.named_rules();
    let unknown = named.iter().filter(|id| !ids.contains(**id)).map(|id| format!("there is no rule {id}"));
    let unnamed =
        ids.iter().filter(|id| !named.contains(id.as_str())).map(|id| format!("no entry names the rule {id}"));
    none(unknown.chain(unnamed).collect());
}

#[test]
fn a_rule_mentions_what_it_covers() {
    let coverage = Coverage::read().unwrap();
    let pack = rule_pack().unwrap();
    let rules = compiled(&pack).unwrap();
    let played = played(&pack);
    let every: BTreeSet<&str> = coverage.every_operation.iter().map(String::as_str).collect();
    let services: BTreeMap<&str, &str> =
        rows(OPERATIONS).map(|[service, name, ..]: [&str; 4]| (name, service)).collect();
    let playbook = coverage.playbook.iter().map(|entry| {
        let service = services.get(entry.event.as_str()).copied().unwrap_or("bedrock");
        (service, std::slice::from_ref(&entry.event), &entry.answer.rules)
    });
    let groups =
        coverage.operations.iter().map(|group| (group.service.as_str(), group.names.as_slice(), &group.answer.rules));
    let mut faults = Vec::new();
    for (service, names, covering) in playbook.chain(groups) {
        for (name, rule) in names.iter().flat_map(|name| covering.iter().map(move |rule| (name, rule))) {
            if !every.contains(rule.as_str()) && !judges(&rules, rule, service, name) && !plays(&played, rule, name) {
                faults.push(format!("{rule} does not mention {name}"));
            }
        }
    }
    for rule in &coverage.every_operation {
        let text = String::from_utf8_lossy(pack.file(&format!("{rule}/rule.yml")).unwrap_or_default()).into_owned();
        if text.contains("eventName:") || !text.contains("watch.first.operation: true") {
            faults.push(format!(
                "{rule} names operations, or does not ask for first ones, so it does not judge every one"
            ));
        }
    }
    none(faults);
}

/// Whether the compiled rule, or one that its correlation counts, may match the operation.
fn judges(rules: &RuleSet, rule: &str, service: &str, name: &str) -> bool {
    let source = if service.starts_with("bedrock-agentcore") { "bedrock-agentcore" } else { "bedrock" };
    let candidates = rules.call_rules(&format!("{source}.amazonaws.com"), name);
    let counted = rules.correlations().iter().filter(|correlation| correlation.about().id == rule);
    let counts = counted.flat_map(|correlation| correlation.rules()).any(|index| candidates.contains(index));
    counts || candidates.iter().any(|index| rules.get(*index).id() == rule)
}

/// The operations in the steps of each rule's firing cases. What a case only teaches, and what keeps quiet, shows
/// nothing about the rule.
fn played(pack: &RulePack) -> BTreeMap<String, BTreeSet<String>> {
    let mut played = BTreeMap::new();
    for rule in pack.rule_ids() {
        let cases = cases_of(pack, &rule).unwrap();
        let firing = cases.iter().filter(|case| !case.expect.is_empty());
        let names =
            firing.flat_map(|case| &case.deliveries).filter_map(|delivery| operation(&delivery.bytes)).collect();
        played.insert(rule, names);
    }
    played
}

/// The operation that a record of CloudTrail is about, bare or in its envelope.
fn operation(record: &[u8]) -> Option<String> {
    let record: serde_json::Value = serde_json::from_slice(record).unwrap();
    let names = [record.pointer("/eventName"), record.pointer("/detail/eventName")];
    names.into_iter().flatten().find_map(|name| name.as_str().map(str::to_owned))
}

/// Whether the rule fires in a case that plays the operation; the inference calls stand for each other.
fn plays(played: &BTreeMap<String, BTreeSet<String>>, rule: &str, name: &str) -> bool {
    let stands_for =
        |other: &str| other == name || (INFERENCE_OPERATIONS.contains(&name) && INFERENCE_OPERATIONS.contains(&other));
    played.get(rule).is_some_and(|names| names.iter().any(|other| stands_for(other)))
}

#[test]
fn only_steps_of_firing_cases_count_as_played() {
    let played = played(&rule_pack().unwrap());
    // Its cases teach inference, and its steps are the calls that enable.
    assert!(!plays(&played, "enablement-chain", "InvokeModel"));
    assert!(plays(&played, "enablement-chain", "CreateFoundationModelAgreement"));
    assert!(plays(&played, "invocation-burst", "StartAsyncInvoke"));
    // A quiet case looks at the rule that forwards.
    assert!(!plays(&played, "detector-blind-path", "DescribeRule"));
    assert!(!plays(&played, "no-such-rule", "InvokeModel"));
}

#[test]
fn read_only_flags_agree() {
    let coverage = Coverage::read().unwrap();
    let of_playbook: BTreeMap<&str, &str> = rows(PLAYBOOK).map(|[event, flag]| (event, flag)).collect();
    let of_operations: BTreeMap<&str, &str> = rows(OPERATIONS).map(|[_, name, _, flag]| (name, flag)).collect();
    let mut faults = Vec::new();
    for entry in &coverage.playbook {
        let flag = entry.read_only.to_string();
        for (table, flags) in [("the playbook", &of_playbook), ("the list of operations", &of_operations)] {
            if flags.get(entry.event.as_str()).is_some_and(|other| *other != flag) {
                faults.push(format!("{}: read_only is {flag}, and {table} says otherwise", entry.event));
            }
        }
    }
    let pack = rule_pack().unwrap();
    for path in pack.paths().filter(|path| path.starts_with("events/bedrock")) {
        let record: serde_json::Value = serde_json::from_slice(pack.file(path).unwrap()).unwrap();
        let (name, flag) = (record["eventName"].as_str().unwrap_or_default(), record["readOnly"].to_string());
        if of_operations.get(name).is_some_and(|other| *other != flag) {
            faults.push(format!("{path}: readOnly is {flag}, and the list of operations says otherwise"));
        }
    }
    none(faults);
}
