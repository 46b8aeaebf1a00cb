//! What is finally said about tokens and cost is what a plain count over all records says, however they are delivered.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers of a test are small")]

use std::sync::Arc;

use crate::{
    Engine, ModelPrice, Prices, Second, Settings,
    alert::{Alert, Status},
    rule::{RuleFile, RuleSet},
};

const START: u32 = 1_793_491_200;
const ACCOUNT: &str = "111122223333";

fn rules() -> Arc<RuleSet> {
    let rule = |id: &str, detection: &str| RuleFile {
        path: format!("{id}/rule.yml"),
        id: id.to_owned(),
        text: format!(
            "title: t\nlogsource:\n  product: bedrock-watch\n  service: principal\ndetection:\n{detection}\nlevel: high\n"
        ),
    };
    let files = [
        rule("hour", "  a:\n    watch.principal.cost_usd_1h|gte: 10\n  condition: a"),
        rule("day", "  a:\n    watch.principal.cost_usd_today|gte: 40\n  condition: a"),
        rule("written", "  a:\n    watch.principal.output_tokens_10m|gte: 9000\n  condition: a"),
        rule("ratio", "  a:\n    watch.principal.cost_ratio|gte: 3\n  condition: a"),
        rule("refused", "  a:\n    watch.principal.log_errors_5m|gte: 4\n  condition: a"),
        rule("calls", "  a:\n    watch.principal.calls_1h|gte: 1000\n  condition: a"),
    ];
    let price = ModelPrice { input: 0.001, output: 0.002, ..ModelPrice::default() };
    let prices = Prices::new("2026-11-01", "test", &[], &price).expect("valid");
    Arc::new(RuleSet::compile(&files).expect("compiles").with_prices(prices))
}

/// One record of the log.
#[derive(Debug, Clone)]
struct Entry {
    at: u32,
    role: u32,
    read: u64,
    written: u64,
    refused: bool,
    id: u32,
}

impl Entry {
    fn bytes(&self) -> Vec<u8> {
        let Self { at, role, read, written, refused, id } = self;
        let time = Second(*at).to_rfc3339();
        let error = if *refused { r#""errorCode":"ValidationException","# } else { "" };
        format!(
            r#"{{"schemaType":"ModelInvocationLog","timestamp":"{time}","accountId":"{ACCOUNT}","identity":{{"arn":"arn:aws:sts::{ACCOUNT}:assumed-role/r{role}/s"}},"region":"us-east-1","requestId":"q-{id}","modelId":"m",{error}"input":{{"inputTokenCount":{read}}},"output":{{"outputTokenCount":{written}}}}}"#
        )
        .into_bytes()
    }

    /// In millidollars.
    const fn cost(&self) -> u64 {
        self.read / 1_000 + self.written / 500
    }
}

/// CloudTrail's record of a call by a role that has a path.
fn call(role: u32, at: u32) -> Vec<u8> {
    let time = Second(at).to_rfc3339();
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","arn":"arn:aws:sts::{ACCOUNT}:assumed-role/r{role}/s","accountId":"{ACCOUNT}","sessionContext":{{"sessionIssuer":{{"arn":"arn:aws:iam::{ACCOUNT}:role/path/r{role}"}}}}}},"eventTime":"{time}","eventSource":"bedrock.amazonaws.com","eventName":"Converse","awsRegion":"us-east-1","requestParameters":{{"modelId":"m"}},"requestID":"t-{role}","eventID":"e-{role}-{at}","recipientAccountId":"{ACCOUNT}"}}"#
    )
    .into_bytes()
}

/// A generator of numbers that is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(end)).expect("below u32")
    }
}

fn entries(random: &mut Random) -> Vec<Entry> {
    let mut entries: Vec<Entry> = (0..400)
        .map(|id| Entry {
            at: START + random.below(40 * 3_600),
            role: random.below(3),
            read: u64::from(random.below(4)) * 100_000,
            written: u64::from(random.below(3)) * 500,
            refused: random.below(8) == 0,
            id,
        })
        .collect();
    // A burst of one role, and a run of refusals of another.
    let begin = START + 30 * 3_600 + random.below(3_600);
    entries.extend((0..60).map(|n| Entry {
        at: begin + random.below(900),
        role: 1,
        read: 600_000,
        written: 600,
        refused: false,
        id: 1_000 + n,
    }));
    entries.extend((0..5).map(|n| Entry {
        at: begin + n * 60,
        role: 2,
        read: 0,
        written: 0,
        refused: true,
        id: 2_000 + n,
    }));
    entries.sort_by_key(|entry| (entry.at, entry.id));
    entries
}

/// The days on which a plain count finds each rule to hold, as (rule, role, day).
fn expected(entries: &[Entry]) -> Vec<(String, u32, u32)> {
    let mut found = Vec::new();
    for now in entries {
        let own = || entries.iter().filter(|entry| entry.role == now.role && entry.at <= now.at);
        let within = |seconds: u32| own().filter(move |entry| now.at - entry.at < seconds);
        let hour: u64 = within(3_600).map(Entry::cost).sum();
        let today: u64 = own().filter(|entry| entry.at / 86_400 == now.at / 86_400).map(Entry::cost).sum();
        let written: u64 = within(600).map(|entry| entry.written).sum();
        let errors = within(300).filter(|entry| entry.refused).count();
        let (end, mut hours) = ((now.at - 900) / 3_600, std::collections::BTreeMap::<u32, u64>::new());
        for entry in own().filter(|entry| entry.at / 3_600 < end) {
            *hours.entry(entry.at / 3_600).or_default() += entry.cost();
        }
        // Fewer than a hundred hours: the 99th percentile is the greatest.
        let usual = hours.values().max().copied().filter(|_| hours.len() >= 24).unwrap_or(0);
        let holds = [
            ("hour", hour >= 10_000),
            ("day", today >= 40_000),
            ("written", written >= 9_000),
            ("ratio", usual > 0 && hour >= 3 * usual),
            ("refused", errors >= 4),
        ];
        let day = now.at / 86_400;
        found.extend(holds.iter().filter(|(_, holds)| *holds).map(|(rule, _)| ((*rule).to_owned(), now.role, day)));
    }
    found.sort();
    found.dedup();
    found
}

/// Each record twice, each delivered up to 14 minutes late.
fn delivery(entries: &[Entry], random: &mut Random) -> Vec<(u32, Vec<u8>)> {
    let mut records: Vec<(u32, Vec<u8>)> = Vec::new();
    for entry in entries {
        for _ in 0..2 {
            records.push((entry.at + random.below(840), entry.bytes()));
        }
    }
    records.sort();
    records
}

fn said(rules: &Arc<RuleSet>, records: &[(u32, Vec<u8>)], restart_every: usize) -> Vec<Alert> {
    let mut engine = Engine::new(Arc::clone(rules), Settings::standard());
    for (number, (arrives, bytes)) in records.iter().enumerate() {
        engine.judge(bytes, Second(*arrives)).expect("a record");
        if number % restart_every == restart_every - 1 {
            let snapshot = engine.snapshot();
            engine = Engine::restore(Arc::clone(rules), Settings::standard(), &snapshot).expect("its own snapshot");
        }
    }
    engine.finish();
    engine.alerts()
}

#[test]
fn delivery_never_changes_what_is_said() {
    let rules = rules();
    let mut shown = std::collections::BTreeSet::new();
    for seed in 0..6 {
        let mut random = Random(seed);
        let entries = entries(&mut random);
        let in_order: Vec<(u32, Vec<u8>)> = entries.iter().map(|entry| (entry.at, entry.bytes())).collect();
        let plain = said(&rules, &in_order, usize::MAX);
        let mut found: Vec<(String, u32, u32)> = plain
            .iter()
            .map(|alert| {
                let role = alert.subject_id.rsplit_once("role/r").and_then(|(_, role)| role.parse().ok());
                (alert.rule.clone(), role.expect("a role"), alert_day(alert))
            })
            .collect();
        found.sort();
        assert_eq!(found, expected(&entries), "seed {seed}");
        shown.extend(found.into_iter().map(|(rule, ..)| rule));
        for restart_every in [usize::MAX, 97] {
            let records = delivery(&entries, &mut random);
            assert_eq!(said(&rules, &records, restart_every), plain, "seed {seed}, restart every {restart_every}");
        }
    }
    assert_eq!(shown.into_iter().collect::<Vec<_>>(), ["day", "hour", "ratio", "refused", "written"]);
}

fn alert_day(alert: &Alert) -> u32 {
    alert.first_event_time.0 / 86_400
}

#[test]
fn whoever_names_the_role_first_the_alert_is_the_same() {
    let rules = rules();
    let mut random = Random(3);
    let entries = entries(&mut random);
    let mut records: Vec<(u32, Vec<u8>)> = entries.iter().map(|entry| (entry.at, entry.bytes())).collect();
    let last = records.len();
    records.push((entries.last().expect("some").at, call(1, START + 39 * 3_600)));
    let late = said(&rules, &records, usize::MAX);
    let about_role = |alert: &&Alert| alert.subject_id == format!("arn:aws:iam::{ACCOUNT}:role/path/r1");
    assert!(late.iter().filter(about_role).count() > 1);
    assert!(!late.iter().any(|alert| alert.subject_id.ends_with(":role/r1")), "no alert under half a name");
    assert!(late.iter().all(|alert| alert.status != Status::Withdrawn));
    let moved = records.remove(last);
    let place = records.partition_point(|(at, _)| *at < START + 39 * 3_600 - 800);
    records.insert(place, (START + 39 * 3_600 - 800, moved.1));
    let ids = |alerts: &[Alert]| {
        alerts.iter().filter(|alert| alert.rule != "calls").map(|a| a.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&said(&rules, &records, 50)), ids(&late));
}

#[test]
fn the_log_adds_no_calls_and_remembers_no_words() {
    let rules = rules();
    let mut engine = Engine::new(rules, Settings::standard());
    let canary = "the-canary-sings";
    for number in 0..2_000 {
        let entry = Entry { at: START + number, role: 0, read: 100_000, written: 0, refused: false, id: number };
        let text = String::from_utf8(entry.bytes()).expect("text");
        let text = text.replacen(
            r#""inputTokenCount""#,
            &format!(r#""inputBodyJson":{{"text":"{canary}"}},"inputTokenCount""#),
            1,
        );
        let changes = engine.judge(text.as_bytes(), Second(entry.at)).expect("a record");
        assert!(!format!("{changes:?}").contains(canary));
    }
    let alerts = engine.alerts();
    assert!(alerts.iter().any(|alert| alert.rule == "hour"), "{alerts:?}");
    assert!(alerts.iter().all(|alert| alert.rule != "calls"), "calls are CloudTrail's to count");
    let snapshot = engine.snapshot();
    assert!(!snapshot.windows(canary.len()).any(|part| part == canary.as_bytes()));
}

#[test]
fn rules_ask_for_usage_or_for_calls() {
    let check = |detection: &str, expected: &str| {
        let text = format!(
            "title: t\nlogsource:\n  product: bedrock-watch\n  service: principal\ndetection:\n  a:\n    {detection}\n  condition: a\nlevel: high\n"
        );
        let problems = RuleSet::compile(&[RuleFile { path: "r".to_owned(), id: "r".to_owned(), text }]).err();
        let said: Vec<String> = problems.unwrap_or_default().iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|line| line.contains(expected)), "{detection}: {said:?}");
    };
    check("watch.principal.cost_usd_1h|gte: 1\n    watch.principal.calls_1h|gte: 1", "write two rules");
    check("watch.principal.cost_ratio|gte: 1\n    watch.principal.burst_ratio|gte: 1", "write two rules");
    check("watch.principal.cost_usd_2h|gte: 1", "at most 60m");
}
