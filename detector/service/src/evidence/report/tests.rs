//! A story of a day, and what the report says of it.

use jiff::Timestamp;

use super::*;
use crate::{
    evidence::{
        chain::{Head, next_line, read_line},
        fact::{Gap, GapOver, GivenUp, Started, Stopped},
    },
    store::Matcher,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn alert(turn: Turn, id: &str, severity: &str) -> AlertFact {
    AlertFact {
        turn,
        alert: id.to_owned(),
        revision: 1,
        rule: "invocation-burst".to_owned(),
        severity: severity.to_owned(),
        was: None,
        account: "111122223333".to_owned(),
        region: None,
        principal: None,
        subject_kind: "principal".to_owned(),
        subject: "mallory | <b>*bold*</b>".to_owned(),
        first_event: at(0),
        last_event: at(0),
        sinks: vec!["slack".to_owned()],
        silence: None,
        suppressed: None,
    }
}

fn delivered(alert: &str) -> Fact {
    Fact::Delivered(Delivered {
        sink: "slack".to_owned(),
        alert: alert.to_owned(),
        rule: "invocation-burst".to_owned(),
        revision: 1,
        attempts: 1,
        reference: Some("C1/1.2".to_owned()),
        reminder: false,
    })
}

fn story() -> Vec<(i64, Fact)> {
    let started = |version: &str| {
        Fact::Started(Started { version: version.to_owned(), configuration: "c0ffee".repeat(8), ..Started::default() })
    };
    let quiet = AlertFact { suppressed: Some("the load test".to_owned()), ..alert(Turn::Begun, "q", "high") };
    let answered = Answered {
        alert: "a".to_owned(),
        revision: 3,
        rule: "invocation-burst".to_owned(),
        author: "ada".to_owned(),
        reason: "a load test".to_owned(),
    };
    let silence = SilenceFact {
        silence: "s-1".to_owned(),
        starts_at: at(30),
        ends_at: at(900),
        author: "bob".to_owned(),
        reason: "maintenance".to_owned(),
        matcher: Matcher { rule: Some("invocation-*".to_owned()), ..Matcher::default() },
    };
    let given_up = GivenUp {
        sink: "pager".to_owned(),
        alert: "a".to_owned(),
        rule: "invocation-burst".to_owned(),
        attempts: 12,
        error: "403".to_owned(),
    };
    let gap = Gap { part: "kinesis".to_owned(), reason: "lag 400 s".to_owned(), since: at(40) };
    let counted = Counted {
        since: at(0),
        canaries_sent: 60,
        canaries_back: 59,
        canaries_lost: 1,
        counts: [("records".to_owned(), 5)].into(),
        others: Vec::new(),
    };
    vec![
        (0, started("1.0.0")),
        (10, Fact::Alert(alert(Turn::Begun, "a", "medium"))),
        (12, delivered("a")),
        (15, Fact::Alert(AlertFact { was: Some("medium".to_owned()), ..alert(Turn::Severity, "a", "high") })),
        (16, delivered("a")),
        (20, Fact::Alert(quiet)),
        (30, Fact::Silence(silence)),
        (35, Fact::SilenceEnded(SilenceEnded { silence: "s-1".to_owned() })),
        (50, Fact::Gap(gap)),
        (60, Fact::Answered(answered)),
        (70, Fact::GivenUp(given_up)),
        (75, Fact::GapOver(GapOver { part: "kinesis".to_owned(), since: at(40), until: at(75) })),
        (80, Fact::Counted(counted)),
        (90, Fact::Stopped(Stopped { in_order: true, others: Vec::new() })),
        (150, started("1.1.0")),
        (160, Fact::Alert(alert(Turn::Begun, "a", "low"))),
    ]
}

fn report() -> Report {
    let mut reporter = Reporter::new(Period { from: at(0), to: at(1_000) });
    let mut head = Head::default();
    for (second, fact) in story() {
        let (next, line) = next_line(&head, "w", at(second), &fact).unwrap();
        head = next;
        reporter.take(read_line(&line).unwrap());
    }
    reporter.finish(Verdict { entries: head.seq, ..Verdict::default() })
}

#[test]
fn says_what_happened() {
    let report = report();
    assert!(report.whole);
    let alerts: Vec<_> = report
        .alerts
        .iter()
        .map(|line| {
            let ended = line.ended.as_ref().map(|(at, how)| (*at, how.as_str()));
            (line.alert.as_str(), line.severity.as_str(), line.told_after_ms, ended)
        })
        .collect();
    let expected =
        [("a", "high", Some(2_000), Some((at(60), "answered"))), ("q", "high", None, None), ("a", "low", None, None)];
    assert_eq!(alerts, expected);
    assert_eq!(report.answers[0].after_s, Some(50));
    let suppressed =
        SuppressionLine { rule: "invocation-burst".to_owned(), reason: "the load test".to_owned(), alerts: 1 };
    assert_eq!(report.suppressions, [suppressed]);
    assert_eq!(report.silences[0].ended_at, Some(at(35)));
    assert_eq!(report.sinks["slack"], SinkLine { delivered: 2, after_failures: 2, given_up: 0 });
    assert_eq!(report.sinks["pager"].given_up, 1);
    assert_eq!((report.canaries, report.counts["records"]), ((60, 59, 1), 5));
    let gaps: Vec<_> = report.gaps.iter().map(|gap| (gap.part.as_str(), gap.from, gap.to)).collect();
    assert_eq!(gaps, [("kinesis", at(40), Some(at(75)))]);
    let not_running: Vec<_> = report.not_running.iter().map(|gap| (gap.from, gap.to)).collect();
    assert_eq!(not_running, [(at(90), Some(at(150)))]);
    let runs: Vec<_> = report.runs.iter().map(|run| (run.ended.as_str(), run.version.as_deref())).collect();
    assert_eq!(runs, [("in order", Some("1.0.0")), ("without a word", Some("1.1.0"))]);
}

#[test]
fn is_read_by_people_and_programs() {
    let report = report();
    let text = markdown(&report);
    for expected in [
        "**The evidence is whole.** 16 entries were verified",
        "## CC6.1",
        "## CC7.2",
        "## CC7.3",
        "## CC7.4",
        "60 sent, 59 came back, 1 lost.",
        "suppressed (the load test)",
        "mallory \\| \\<b\\>\\*bold\\*\\</b\\>",
        "| ada | a load test | 50 s |",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    let finding = Finding {
        worker: "w".to_owned(),
        seq: Some(7),
        file: "w/2026-11-18/000000000001.jsonl".to_owned(),
        line: Some(7),
        what: "it was changed".to_owned(),
    };
    let text = markdown(&Report { whole: false, findings: vec![finding], ..report });
    assert!(text.contains("**The evidence is NOT whole.** 1 findings"), "{text}");
    assert!(text.contains("| w | 7 | w/2026-11-18/000000000001.jsonl | 7 | it was changed |"), "{text}");
}
