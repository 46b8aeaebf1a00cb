//! Every broken set-up, with facts: exactly the link that is broken is reported, and the good set-up passes.

mod places;

use std::collections::{BTreeMap, BTreeSet};

use super::examine;
use crate::doctor::{
    Verdict,
    facts::{
        Asked, Caller, Canary, Daemon, DeadLetters, Entry, Facts, Key, NotAsked, Rights, Role, Rule, Selectors,
        ShardTraffic, SinkAnswer, Stream, Target, Traffic, Trail, Why,
    },
};

const STREAM: &str = "arn:aws:kinesis:eu-central-1:111122223333:stream/bedrock-watch";
const ROLE: &str = "arn:aws:iam::111122223333:role/forward";
const QUEUE: &str = "arn:aws:sqs:eu-central-1:111122223333:undelivered";
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1";
const TRUST: &str =
    r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const EVERYTHING: &str = r#"{"source":[{"prefix":"aws."}]}"#;

fn error<T>(action: &str, why: Why) -> Asked<T> {
    Err(NotAsked { action: action.to_owned(), why, message: "AWS said so".to_owned() })
}

fn trail() -> Trail {
    let selectors = Selectors {
        management_reads: true,
        management_writes: true,
        excluded_sources: Vec::new(),
        data_resource_types: ["AWS::Bedrock::AgentAlias", "AWS::Bedrock::KnowledgeBase"].map(str::to_owned).into(),
    };
    Trail {
        arn: "arn:aws:cloudtrail:us-east-1:111122223333:trail/all".to_owned(),
        bucket: Some("trail".to_owned()),
        multi_region: true,
        organization: false,
        global_services: true,
        logging: Ok(true),
        selectors: Ok(selectors),
    }
}

fn rule(pattern: &str) -> Rule {
    let target = Target {
        id: "stream".to_owned(),
        arn: STREAM.to_owned(),
        role: Some(ROLE.to_owned()),
        partition_key_path: Some("$.account".to_owned()),
        dead_letter: Some(QUEUE.to_owned()),
        transforms: false,
    };
    Rule {
        name: "bedrock-watch".to_owned(),
        state: "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS".to_owned(),
        pattern: pattern.to_owned(),
        tested: BTreeMap::new(),
        targets: vec![target],
    }
}

fn role() -> Role {
    Role { trust: TRUST.to_owned(), denied: Ok(BTreeSet::new()), denied_keys: Ok(BTreeSet::new()) }
}

fn dead_letters() -> DeadLetters {
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage"}]}"#;
    DeadLetters { url: "https://sqs/undelivered".to_owned(), policy: Some(policy.to_owned()) }
}

fn good() -> Facts {
    let stream = Stream {
        arn: STREAM.to_owned(),
        name: "bedrock-watch".to_owned(),
        status: "ACTIVE".to_owned(),
        retention_h: 96,
        mode: "ON_DEMAND".to_owned(),
        open_shards: 4,
        key: Some(KEY.to_owned()),
        traffic: Ok(Traffic { busiest_minute_bytes: 5e6, busiest_minute_records: 900.0, refused: 0.0, shards: None }),
    };
    let policy =
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*"}]}"#;
    let key = Key {
        arn: KEY.to_owned(),
        aws_managed: false,
        state: "Enabled".to_owned(),
        policy: Ok(policy.to_owned()),
        grantees: Ok(BTreeSet::new()),
    };
    Facts {
        region: "eu-central-1".to_owned(),
        caller: Ok(Caller { account: "111122223333".to_owned(), arn: "arn:aws:iam::111122223333:user/me".to_owned() }),
        trails: Ok(vec![trail()]),
        entries: vec![Entry::Stream { name: "bedrock-watch".to_owned(), stream: Ok(stream) }],
        rules: Ok(vec![rule(EVERYTHING)]),
        global_rules: Some(Ok(vec![rule(r#"{"source":["aws.iam"]}"#)])),
        roles: BTreeMap::from([(ROLE.to_owned(), Ok(role()))]),
        keys: BTreeMap::from([(KEY.to_owned(), Ok(key))]),
        dead_letters: BTreeMap::from([(QUEUE.to_owned(), Ok(dead_letters()))]),
        rights: Rights { denied: Ok(BTreeSet::new()), unknown: Vec::new(), excess: Some(Ok(BTreeSet::new())) },
        agents: Ok(2),
        knowledge_bases: Ok(1),
        invocation_logging: Ok(true),
        security_contact: Ok(true),
        clock_ahead_s: Ok(1),
        sinks: vec![("slack".to_owned(), SinkAnswer::Answers("answers".to_owned()))],
        daemon: Some(Daemon { url: "http://127.0.0.1:8787".to_owned(), answer: Ok(BTreeMap::new()) }),
        canary: Some(Canary::Back { after_ms: 900, through: "bedrock-watch".to_owned() }),
    }
}

fn with(verdict: Verdict, facts: &Facts) -> Vec<&'static str> {
    let findings = examine(facts).findings;
    findings.iter().filter(|finding| finding.verdict == verdict).map(|finding| finding.link).collect()
}

#[test]
fn the_good_set_up_passes() {
    assert_eq!(with(Verdict::Broken, &good()), Vec::<&str>::new());
    assert_eq!(with(Verdict::NotChecked, &good()), Vec::<&str>::new());
}

fn first_trail(facts: &mut Facts) -> &mut Trail {
    &mut facts.trails.as_mut().unwrap()[0]
}

fn selectors(facts: &mut Facts) -> &mut Selectors {
    first_trail(facts).selectors.as_mut().unwrap()
}

fn first_rule(facts: &mut Facts) -> &mut Rule {
    &mut facts.rules.as_mut().unwrap()[0]
}

fn target(facts: &mut Facts) -> &mut Target {
    &mut first_rule(facts).targets[0]
}

fn stream(facts: &mut Facts) -> &mut Stream {
    match &mut facts.entries[0] {
        Entry::Stream { stream: Ok(stream), .. } => stream,
        other => panic!("{other:?}"),
    }
}

fn traffic(facts: &mut Facts) -> &mut Traffic {
    stream(facts).traffic.as_mut().unwrap()
}

/// Shards with so many records in their busiest minutes.
fn shards(records: [f64; 4]) -> Vec<ShardTraffic> {
    let of = |busiest_minute_records: f64| ShardTraffic {
        shard: format!("shardId-{busiest_minute_records:012}"),
        busiest_minute_bytes: 0.0,
        busiest_minute_records,
    };
    records.map(of).into()
}

#[test]
fn traffic_that_is_spread_over_shards_is_fine_and_said_of_the_fullest() {
    let mut facts = good();
    traffic(&mut facts).busiest_minute_records = 58_000.0;
    traffic(&mut facts).shards = Some(Ok(shards([14_000.0, 15_000.0, 14_500.0, 14_500.0])));
    let report = examine(&facts);
    let limit = report.findings.iter().find(|finding| finding.link == "shard-limit").unwrap();
    assert_eq!(limit.verdict, Verdict::Fine, "{}", limit.what);
    assert!(limit.what.contains("25 % of the shard shardId-000000015000"), "{}", limit.what);
}

fn check(what: &str, verdict: Verdict, expected: &[&str], change: impl FnOnce(&mut Facts)) {
    let mut facts = good();
    change(&mut facts);
    let found = with(verdict, &facts);
    assert_eq!(found, expected, "{what}");
}

#[test]
fn the_way_from_the_trail_to_the_rule() {
    let broken = |what, expected: &[&str], change: fn(&mut Facts)| check(what, Verdict::Broken, expected, change);
    broken("no trail", &["trail", "data-events", "data-events"], |facts| facts.trails = Ok(Vec::new()));
    broken("one region only", &["trail-global"], |facts| first_trail(facts).multi_region = false);
    broken("without global services", &["trail-global"], |facts| first_trail(facts).global_services = false);
    broken("stopped", &["trail-logging"], |facts| first_trail(facts).logging = Ok(false));
    broken("only writes", &["trail-management-events"], |facts| selectors(facts).management_reads = false);
    broken("only reads", &["trail-management-events"], |facts| selectors(facts).management_writes = false);
    broken("without KMS", &["trail-management-events"], |facts| {
        selectors(facts).excluded_sources.push("kms.amazonaws.com".to_owned());
    });
    broken("agents unseen", &["data-events"], |facts| {
        selectors(facts).data_resource_types.remove("AWS::Bedrock::AgentAlias");
    });
    broken("no rule", &["rule"], |facts| facts.rules = Ok(Vec::new()));
    broken("Bedrock only", &["rule-pattern"], |facts| {
        first_rule(facts).pattern = r#"{"source":["aws.bedrock"]}"#.to_owned();
    });
    broken("disabled", &["rule-state"], |facts| first_rule(facts).state = "DISABLED".to_owned());
    broken("reads left out", &["rule-state"], |facts| first_rule(facts).state = "ENABLED".to_owned());
    broken("IAM not forwarded", &["rule-global"], |facts| facts.global_rules = Some(Ok(Vec::new())));
}

#[test]
fn the_way_from_the_rule_to_the_service() {
    let broken = |what, expected: &[&str], change: fn(&mut Facts)| check(what, Verdict::Broken, expected, change);
    broken("keyed by event id", &["target"], |facts| target(facts).partition_key_path = None);
    broken("input transformed", &["target"], |facts| target(facts).transforms = true);
    broken("no role", &["target-role"], |facts| target(facts).role = None);
    broken("role gone", &["target-role"], |facts| {
        facts.roles.insert(ROLE.to_owned(), error("iam:GetRole", Why::NotFound));
    });
    broken("role not trusted", &["target-role"], |facts| {
        let role = Role { trust: TRUST.replace("events", "lambda"), ..role() };
        facts.roles.insert(ROLE.to_owned(), Ok(role));
    });
    broken("role may not write", &["target-role"], |facts| {
        let denied = Ok(BTreeSet::from(["kinesis:PutRecord".to_owned()]));
        facts.roles.insert(ROLE.to_owned(), Ok(Role { denied, ..role() }));
    });
    broken("no dead-letter queue", &["target-dead-letter"], |facts| target(facts).dead_letter = None);
    broken("dead-letter queue gone", &["target-dead-letter"], |facts| {
        facts.dead_letters.insert(QUEUE.to_owned(), error("sqs:GetQueueUrl", Why::NotFound));
    });
    broken("dead-letter queue shut", &["target-dead-letter"], |facts| {
        facts.dead_letters.insert(QUEUE.to_owned(), Ok(DeadLetters { policy: None, ..dead_letters() }));
    });
    broken("key left to IAM, which does not let the role use it", &["key"], |facts| {
        let denied_keys = Ok(BTreeSet::from([KEY.to_owned()]));
        facts.roles.insert(ROLE.to_owned(), Ok(Role { denied_keys, ..role() }));
    });
    broken("key disabled", &["key"], |facts| {
        facts.keys.get_mut(KEY).unwrap().as_mut().unwrap().state = "Disabled".to_owned();
    });
    broken("key not granted", &["key"], |facts| {
        facts.keys.get_mut(KEY).unwrap().as_mut().unwrap().policy = Ok("{}".to_owned());
    });
    broken("stream gone", &["stream"], |facts| {
        let stream = error("kinesis:DescribeStreamSummary", Why::NotFound);
        facts.entries = vec![Entry::Stream { name: "bedrock-watch".to_owned(), stream }];
        facts.rules = Ok(Vec::new());
    });
    broken("stream being deleted", &["stream"], |facts| stream(facts).status = "DELETING".to_owned());
    broken("kept too briefly", &["stream-retention"], |facts| stream(facts).retention_h = 12);
    broken("writes refused", &["shard-limit"], |facts| traffic(facts).refused = 3.0);
    broken("near in bytes", &["shard-limit"], |facts| traffic(facts).busiest_minute_bytes = 180e6);
    broken("near in records", &["shard-limit"], |facts| traffic(facts).busiest_minute_records = 168_000.0);
    broken("one shard near, of four", &["shard-limit"], |facts| {
        traffic(facts).busiest_minute_records = 58_000.0;
        traffic(facts).shards = Some(Ok(shards([500.0, 57_000.0, 500.0, 0.0])));
    });
    broken("right missing", &["rights"], |facts| {
        facts.rights.denied = Ok(BTreeSet::from(["kinesis:GetRecords".to_owned()]))
    });
    broken("rights that an intruder would want", &["rights-excess"], |facts| {
        facts.rights.excess = Some(Ok(BTreeSet::from(["iam:PassRole".to_owned()])));
    });
    broken("logging off", &["invocation-logging"], |facts| facts.invocation_logging = Ok(false));
    broken("no contact", &["security-contact"], |facts| facts.security_contact = Ok(false));
    broken("clock slow", &["clock"], |facts| facts.clock_ahead_s = Ok(-61));
    broken("clock fast", &["clock"], |facts| facts.clock_ahead_s = Ok(61));
    broken("sink silent", &["sink"], |facts| facts.sinks[0].1 = SinkAnswer::Fails("connection refused".to_owned()));
    broken("daemon silent", &["daemon"], |facts| {
        facts.daemon.as_mut().unwrap().answer = Err("connection refused".to_owned());
    });
    broken("daemon not ready", &["daemon"], |facts| {
        let reasons = BTreeMap::from([("sink slack".to_owned(), "refused".to_owned())]);
        facts.daemon.as_mut().unwrap().answer = Ok(reasons);
    });
    broken("canary lost", &["canary"], |facts| facts.canary = Some(Canary::Lost { waited_s: 120 }));
}

#[test]
fn what_was_not_answered_is_not_checked_and_names_the_permission() {
    let unchecked =
        |what, expected: &[&str], change: fn(&mut Facts)| check(what, Verdict::NotChecked, expected, change);
    unchecked("trails", &["trail", "data-events", "data-events"], |facts| {
        facts.trails = error("cloudtrail:DescribeTrails", Why::Denied);
    });
    unchecked("traffic", &["shard-limit"], |facts| {
        stream(facts).traffic = error("cloudwatch:GetMetricData", Why::Denied);
    });
    unchecked("two shards' worth of bytes on four shards", &["shard-limit"], |facts| {
        traffic(facts).busiest_minute_bytes = 120e6;
    });
    unchecked("shards' traffic", &["shard-limit"], |facts| {
        traffic(facts).busiest_minute_bytes = 120e6;
        traffic(facts).shards = Some(error("kinesis:ListShards", Why::Denied));
    });
    unchecked("shards' traffic, just switched on", &["shard-limit"], |facts| {
        traffic(facts).busiest_minute_bytes = 120e6;
        traffic(facts).shards = Some(Ok(shards([0.0, 0.0, 0.0, 0.0])));
    });
    unchecked("a sink that only takes findings", &["sink"], |facts| {
        facts.sinks[0].1 = SinkAnswer::NotAsked("it answers only to findings".to_owned());
    });
    unchecked("status", &["trail-logging"], |facts| {
        first_trail(facts).logging = error("cloudtrail:GetTrailStatus", Why::Denied);
    });
    unchecked("rules", &["rule"], |facts| facts.rules = error("events:ListRuleNamesByTarget", Why::Denied));
    unchecked("unknown operator", &["rule-pattern"], |facts| {
        first_rule(facts).pattern = r#"{"source":[{"novel":"aws."}]}"#.to_owned();
    });
    unchecked("simulation", &["target-role"], |facts| {
        let denied = error("iam:SimulatePrincipalPolicy", Why::Denied);
        facts.roles.insert(ROLE.to_owned(), Ok(Role { denied, ..role() }));
    });
    unchecked("a right whose resource is not known", &["rights"], |facts| {
        facts.rights.unknown = vec!["s3:GetObject of log files".to_owned()];
    });
    unchecked("the rights of a person", &["rights-excess"], |facts| facts.rights.excess = None);
    unchecked("whether IAM lets the role use the key", &["key"], |facts| {
        let denied_keys = error("iam:SimulatePrincipalPolicy", Why::Denied);
        facts.roles.insert(ROLE.to_owned(), Ok(Role { denied_keys, ..role() }));
    });
    unchecked("no source", &["rule"], |facts| facts.entries.clear());
    unchecked("no daemon", &["daemon"], |facts| facts.daemon = None);
    let mut facts = good();
    facts.rights.denied = error("iam:SimulatePrincipalPolicy", Why::Denied);
    let report = examine(&facts);
    let rights = report.findings.iter().find(|finding| finding.link == "rights").unwrap();
    assert!(rights.what.contains("the permission iam:SimulatePrincipalPolicy is missing"), "{}", rights.what);
    assert!(!report.found_something(), "what is not known is no finding");
}

#[test]
fn a_role_that_a_grant_lets_use_the_key_needs_no_policy() {
    let mut facts = good();
    let denied_keys = Ok(BTreeSet::from([KEY.to_owned()]));
    facts.roles.insert(ROLE.to_owned(), Ok(Role { denied_keys, ..role() }));
    facts.keys.get_mut(KEY).unwrap().as_mut().unwrap().grantees = Ok(BTreeSet::from([ROLE.to_owned()]));
    assert_eq!(with(Verdict::Broken, &facts), Vec::<&str>::new());
}

#[test]
fn an_operator_that_is_not_known_here_is_left_to_aws() {
    let mut facts = good();
    first_rule(&mut facts).pattern = r#"{"source":[{"novel":"aws."}]}"#.to_owned();
    first_rule(&mut facts).tested =
        crate::doctor::SAMPLES.iter().map(|sample| (sample.name.to_owned(), true)).collect();
    assert_eq!(with(Verdict::Broken, &facts), Vec::<&str>::new());
}

#[test]
fn global_services_log_in_a_region_of_their_partition() {
    let mut facts = good();
    facts.region = "cn-northwest-1".to_owned();
    facts.global_rules = Some(Ok(Vec::new()));
    let report = examine(&facts);
    let global = report.findings.iter().find(|finding| finding.link == "rule-global").unwrap();
    assert_eq!((global.verdict, global.subject.as_str()), (Verdict::Broken, "cn-north-1"));
    let bus = "arn:aws-cn:events:cn-northwest-1:111122223333:event-bus/default";
    assert!(global.mend[0].command.contains(bus), "{}", global.mend[0].command);
}

#[test]
fn a_report_is_written_for_people_and_for_programs() {
    let mut facts = good();
    first_rule(&mut facts).state = "DISABLED".to_owned();
    let report = examine(&facts);
    let human = report.human();
    assert!(human.contains("BROKEN (high)    rule-state bedrock-watch: the rule is DISABLED"), "{human}");
    assert!(human.contains("aws events put-rule --region eu-central-1"), "{human}");
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["summary"]["broken"], 1);
    let links = json["links"].as_array().unwrap();
    let broken = links.iter().find(|link| link["verdict"] == "broken").unwrap();
    assert_eq!((&broken["link"], &broken["level"]), (&"rule-state".into(), &"high".into()));
}
