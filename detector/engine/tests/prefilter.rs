//! The prefilter never changes an answer: random streams through an engine with it and one without. And what an engine
//! says had no effect can be left out.
//!
//! The seeds are the numbers from 0 on; a failure prints its own.

#[cfg(test)]
mod records;

use std::sync::Arc;

use bedrock_watch_engine::{
    Engine, Settings,
    decode::decode,
    rule::{RuleFile, RuleSet},
};
use records::{Random, Strangeness};

const STREAMS: u64 = 400;
/// Few enough that no engine gives up looking at records before it decodes them.
const RECORDS: usize = 60;
const STRANGENESS: [Strangeness; 3] = [
    Strangeness { fields: 0, escapes: 0, damage: 0 },
    Strangeness { fields: 1, escapes: 3, damage: 0 },
    Strangeness { fields: 3, escapes: 10, damage: 30 },
];

/// One rule by name, one by source, one by both, one by a text anywhere; `source` is that of the second.
#[cfg(test)]
fn rules(source: &str) -> Arc<RuleSet> {
    let searches = [
        "eventName|endswith: SecurityGroup".to_owned(),
        format!("eventSource: {source}"),
        "eventSource|startswith: IAM, eventName|startswith: list".to_owned(),
        "userIdentity.type|cased: AWSService".to_owned(),
    ];
    let file = |(index, search): (usize, &String)| {
        let text = format!(
            "title: t\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {{s: {{{search}}}, condition: s}}\n"
        );
        RuleFile { path: format!("{index}.yml"), id: format!("r{index}"), text }
    };
    let files: Vec<RuleFile> = searches.iter().enumerate().map(file).collect();
    Arc::new(RuleSet::compile(&files).unwrap())
}

/// A record with an id and a time of its own. Half of them are plain, as nearly all that are skipped.
#[cfg(test)]
fn record(random: &mut Random, number: usize) -> Vec<u8> {
    let strange = STRANGENESS[random.below(STRANGENESS.len())];
    let bytes = if random.below(2) == 0 { plain(random) } else { records::record(random, strange) };
    let Ok(text) = str::from_utf8(&bytes) else { return bytes };
    // Now and then a copy.
    let id = number - number.min(usize::from(random.below(20) == 0));
    let minute = (number / 4 + random.below(20)) % 60;
    let text = text.replace("11111111-", &format!("{id:08x}-"));
    text.replace("T05:39:", &format!("T05:{minute:02}:")).into_bytes()
}

#[cfg(test)]
fn plain(random: &mut Random) -> Vec<u8> {
    let mut pick = |choices: &[&'static str]| choices[random.below(choices.len())];
    let name =
        pick(&["GetObject", "GetObject", "ListRoles", "DeleteSecurityGroup", "deletesecuritygroup", "InvokeModel"]);
    let source = pick(&["s3.amazonaws.com", "iam.amazonaws.com", "ec2.amazonaws.com", "bedrock.amazonaws.com"]);
    let kind = pick(&["IAMUser", "IAMUser", "Root", "AWSService", "awsservice", r"AWS\u0053ervice"]);
    let account = pick(&["111122223333", "444455556666"]);
    let agent = pick(&["cli", r#"a \"quoted\" agent"#, r#"\"eventName\":\"x\""#, "{[", r"end\\"]);
    let beside = pick(&["", r#","eventName":"InvokeModel""#, r#","x":{"eventSource":"ec2.amazonaws.com"}"#, "", ""]);
    let record = format!(
        r#"{{"userIdentity":{{"type":"{kind}"}},"eventTime":"2026-11-22T05:39:00Z","eventSource":"{source}","eventName":"{name}","userAgent":"{agent}","eventID":"11111111-2222-3333-4444-555555555555","recipientAccountId":"{account}","tlsDetails":{{"x":"}}"}}{beside}}}"#
    );
    let envelope = pick(&["", r#""detail-type":"AWS API Call via CloudTrail","account":"999","detail":"#]);
    if envelope.is_empty() { record.into_bytes() } else { format!("{{{envelope}{record}}}").into_bytes() }
}

#[test]
fn never_changes_an_answer() {
    let (mut skipped, mut alerts) = (0, 0);
    for seed in 0..STREAMS {
        let rules = rules(if seed % 2 == 0 { "no.amazonaws.com" } else { "ec2.amazonaws.com" });
        let mut with = Engine::new(Arc::clone(&rules), Settings::standard());
        let mut without = Engine::new(rules, Settings::standard()).without_prefilter();
        let mut random = Random::new(seed);
        for number in 0..RECORDS {
            let record = record(&mut random, number);
            // What is skipped is not proven to be well formed.
            if decode(&record).is_err() {
                continue;
            }
            let shown = String::from_utf8_lossy(&record);
            let judged = [with.judge_recorded(&record).unwrap(), without.judge_recorded(&record).unwrap()];
            assert_eq!(format!("{:?}", judged[0]), format!("{:?}", judged[1]), "seed {seed}, record {number}: {shown}");
            for account in ["111122223333", "444455556666", "777788889999", "999", ""] {
                let marks = [with.watermark(account), without.watermark(account)];
                assert_eq!(marks[0], marks[1], "account {account:?}, seed {seed}, record {number}: {shown}");
            }
        }
        assert_eq!(with.alerts(), without.alerts(), "seed {seed}");
        let (stats, other) = (with.stats(), without.stats());
        assert_eq!(
            (stats.judged, stats.late, stats.duplicates),
            (other.judged, other.late, other.duplicates),
            "{seed}"
        );
        assert_eq!((other.prefiltered, stats.records), (0, other.records), "seed {seed}");
        skipped += stats.prefiltered;
        alerts += with.alerts().len();
    }
    assert!(skipped > 2_000 && alerts > 1_000, "only {skipped} records were skipped, {alerts} alerts came");
}

/// What a service relies on that keeps only such records for a restart.
#[test]
fn records_without_effect_need_not_be_judged_again() {
    let (mut kept, mut left_out) = (0, 0);
    for seed in 0..STREAMS / 2 {
        let rules = rules("ec2.amazonaws.com");
        let mut all = Engine::new(Arc::clone(&rules), Settings::standard());
        let mut some = Engine::new(rules, Settings::standard());
        let mut random = Random::new(seed);
        for number in 0..RECORDS * 2 {
            let record = record(&mut random, number / 2);
            let effects = all.effects();
            let Ok(changes) = all.judge_recorded(&record) else {
                assert_eq!(all.effects(), effects, "a rejected record has none");
                continue;
            };
            // Until the middle, one of them is spared what has no effect; from there on both have to say the same.
            if all.effects() > effects || number >= RECORDS {
                kept += 1;
                let again = some.judge_recorded(&record).unwrap();
                let shown = String::from_utf8_lossy(&record);
                assert_eq!(format!("{changes:?}"), format!("{again:?}"), "seed {seed}, record {number}: {shown}");
            } else {
                left_out += 1;
                assert!(changes.is_empty(), "seed {seed}, record {number}");
            }
        }
        assert_eq!(all.alerts(), some.alerts(), "seed {seed}");
        for account in ["111122223333", "444455556666", "777788889999", "999", ""] {
            assert_eq!(all.watermark(account), some.watermark(account), "seed {seed}, account {account:?}");
        }
    }
    assert!(kept > 1_000 && left_out > 1_000, "{kept} kept, {left_out} left out");
}
