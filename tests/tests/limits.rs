//! Limits hold under attack: inventing principals, sessions, keys and groups neither grows memory past its limit nor
//! pushes out what protects somebody.

use std::sync::{Arc, LazyLock};

use bedrock_watch_engine::{Engine, Limit, Second, Settings, rule::RuleSet};
use bedrock_watch_tests::repository::{compiled, rule_pack};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const START: u32 = 1_795_000_000;
const VICTIM: &str = "arn:aws:iam::111122223333:user/analyst";
const GROUP: &str = "sg-0a1b2c3d4e5f60718";

static RULES: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
    let pack = rule_pack().expect("the rules can be read");
    compiled(&pack).expect("the rules compile")
});

/// An engine with small limits, which sees records one by one.
struct Watched {
    engine: Engine,
    next: u64,
}

#[cfg(test)]
impl Watched {
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::standard();
        change(&mut settings);
        Self { engine: Engine::new(Arc::clone(&RULES), settings), next: 0 }
    }

    /// Judges a record that happened `at` seconds after the start.
    fn see(&mut self, at: u32, mut record: Value) {
        self.next += 1;
        let time = Second(START + at);
        record["eventID"] = json!(format!("{:08x}-0000-4000-8000-000000000000", self.next));
        record["eventTime"] = json!(time.to_rfc3339());
        if record["recipientAccountId"].is_null() {
            record["recipientAccountId"] = json!(ACCOUNT);
        }
        record["awsRegion"] = json!("us-east-1");
        self.engine.judge(record.to_string().as_bytes(), time).expect("the record is valid");
    }

    /// How much a limit cost.
    fn reached(&self, limit: Limit) -> u64 {
        self.engine.stats().limits.of(limit)
    }

    /// The subjects of a rule's alerts.
    fn subjects_of(&self, rule: &str) -> Vec<String> {
        self.engine.alerts().into_iter().filter(|alert| alert.rule == rule).map(|alert| alert.subject_id).collect()
    }
}

fn invoke(identity: Value) -> Value {
    json!({"eventSource": "bedrock.amazonaws.com", "eventName": "InvokeModel", "userIdentity": identity,
        "requestParameters": {"modelId": "amazon.nova-pro-v1:0"}})
}

fn user(arn: &str) -> Value {
    json!({"type": "IAMUser", "arn": arn, "accountId": ACCOUNT, "accessKeyId": "AKIAIOSFODNN7EXAMPLE"})
}

fn create_job() -> Value {
    json!({"eventSource": "bedrock.amazonaws.com", "eventName": "CreateModelCustomizationJob",
        "userIdentity": user(VICTIM),
        "requestParameters": {"jobName": "tune", "vpcConfig": {"securityGroupIds": [GROUP]}},
        "responseElements": {"jobArn": "arn:aws:bedrock:us-east-1:111122223333:model-customization-job/amazon.nova/abc123def456"}})
}

fn delete_group(id: &str) -> Value {
    json!({"eventSource": "ec2.amazonaws.com", "eventName": "DeleteSecurityGroup", "userIdentity": user(VICTIM),
        "requestParameters": {"groupId": id}})
}

#[test]
fn invented_principals_do_not_push_out_a_window() {
    const PRINCIPALS_MAX: u32 = 500;
    let mut watched = Watched::new(|settings| settings.limits.principals_max = PRINCIPALS_MAX);
    for call in 0..60 {
        watched.see(call / 4, invoke(user(VICTIM)));
    }
    for invention in 0..20_000 {
        let identity = json!({"type": "Unknown", "accessKeyId": format!("ASIA{invention:016}")});
        watched.see(20, invoke(identity));
    }
    for call in 0..60 {
        watched.see(25 + call / 4, invoke(user(VICTIM)));
    }
    assert_eq!(watched.subjects_of("invocation-burst"), [VICTIM]);
    assert!(watched.reached(Limit::PrincipalsMax) > 0);
    let principals: usize = watched.engine.summary(Second::MIN).accounts.iter().map(|account| account.principals).sum();
    assert!(principals <= PRINCIPALS_MAX as usize, "{principals}");
}

#[test]
fn invented_sessions_are_one_principal_and_a_bounded_count() {
    const DISTINCT_MAX: u32 = 100;
    let mut watched = Watched::new(|settings| settings.limits.distinct_max = DISTINCT_MAX);
    for session in 0..5_000 {
        let identity = json!({"type": "AssumedRole", "arn": format!("arn:aws:sts::111122223333:assumed-role/app/s{session}"),
            "principalId": format!("AROA:s{session}"), "sessionContext": {"sessionIssuer":
                {"type": "Role", "arn": "arn:aws:iam::111122223333:role/app"}}});
        watched.see(session / 100, invoke(identity));
    }
    let alerts = watched.engine.alerts();
    let burst = alerts.iter().find(|alert| alert.rule == "invocation-burst").expect("5,000 calls in 50 s are a burst");
    assert_eq!(burst.subject_id, "arn:aws:iam::111122223333:role/app");
    assert_eq!(burst.facts["sessions"], json!(DISTINCT_MAX));
    assert_eq!(burst.event_count, 5_000);
    assert_eq!(watched.engine.summary(Second::MIN).accounts[0].principals, 1);
    assert_eq!(watched.reached(Limit::DistinctMax), u64::from(5_000 - DISTINCT_MAX));
}

#[test]
fn created_and_deleted_groups_do_not_push_out_a_job_or_its_group() {
    const DEPENDENCIES_MAX: u32 = 200;
    let mut watched = Watched::new(|settings| settings.limits.dependencies_max = DEPENDENCIES_MAX);
    watched.see(0, create_job());
    for invention in 0..5_000 {
        watched.see(10, delete_group(&format!("sg-{invention:017x}")));
    }
    watched.see(20, delete_group(GROUP));
    assert_eq!(watched.subjects_of("customization-job-security-group-deleted"), [GROUP]);
    assert!(watched.reached(Limit::DependenciesMax) > 0);
    assert!(watched.engine.summary(Second::MIN).resources <= DEPENDENCIES_MAX as usize + 1);
}

#[test]
fn ended_jobs_are_forgotten_before_live_ones() {
    let mut watched = Watched::new(|settings| settings.limits.jobs_max = 50);
    watched.see(0, create_job());
    for invention in 0..500_u32 {
        let arn = format!("arn:aws:bedrock:us-east-1:111122223333:model-customization-job/amazon.nova/{invention:012}");
        let ended = Second(START + 1).to_rfc3339();
        let envelope = json!({"version": "0", "id": format!("n{invention}"), "source": "aws.bedrock",
            "detail-type": "Model Customization Job State Change", "account": ACCOUNT, "region": "us-east-1",
            "time": ended, "resources": [arn],
            "detail": {"jobName": format!("j{invention}"), "jobArn": arn, "jobStatus": "Completed", "endTime": ended}});
        watched.engine.judge(envelope.to_string().as_bytes(), Second(START + 1)).expect("the event is valid");
    }
    watched.see(20, delete_group(GROUP));
    assert_eq!(watched.subjects_of("customization-job-security-group-deleted"), [GROUP]);
    let about_jobs =
        watched.engine.alerts().into_iter().filter(|alert| alert.rule.starts_with("customization-job-sec"));
    assert_eq!(about_jobs.count(), 1);
    assert!(watched.reached(Limit::JobsMax) > 0);
}

/// A call of Bedrock's control plane.
fn control(name: &str, principal: &str) -> Value {
    json!({"eventSource": "bedrock.amazonaws.com", "eventName": name, "userIdentity": user(principal)})
}

fn model(name: &str) -> Value {
    let mut record = invoke(user(VICTIM));
    record["requestParameters"]["modelId"] = json!(name);
    record
}

fn open_group() -> Value {
    json!({"eventSource": "ec2.amazonaws.com", "eventName": "AuthorizeSecurityGroupEgress",
        "userIdentity": user(VICTIM), "requestParameters": {"groupId": GROUP, "ipPermissions": {"items": [
            {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}}]}}})
}

#[test]
fn a_limit_that_is_reached_is_counted_by_its_name() {
    type Flood = fn(u32) -> Value;
    let check = |limit: Limit, change: fn(&mut Settings), flood: Flood| {
        let mut watched = Watched::new(change);
        for invention in 0..60 {
            watched.see(invention * 30, flood(invention));
        }
        assert!(watched.reached(limit) > 0, "{}", limit.as_str());
        let mut unlimited = Watched::new(|_| {});
        for invention in 0..60 {
            unlimited.see(invention * 30, flood(invention));
        }
        assert_eq!(unlimited.reached(limit), 0, "{}", limit.as_str());
    };
    let principal: Flood = |n| control("DeleteKnowledgeBase", &format!("{VICTIM}{n}"));
    let repeated: Flood = |_| control("DeleteKnowledgeBase", VICTIM);
    let operation: Flood = |n| control(&format!("GetThing{n}"), VICTIM);
    check(Limit::ModelsMax, |settings| settings.limits.models_max = 4, |n| model(&format!("maker.model{n}-v1:0")));
    check(Limit::DistinctMax, |settings| settings.limits.distinct_max = 4, |n| model(&format!("maker.model{n}-v1:0")));
    check(Limit::CorrelationGroupsMax, |settings| settings.limits.correlation_groups_max = 4, principal);
    check(Limit::CorrelationEventsMax, |settings| settings.limits.correlation_events_max = 4, repeated);
    check(Limit::AlertsMax, |settings| settings.limits.alerts_max = 4, repeated);
    check(Limit::EventIdsMax, |settings| settings.limits.event_ids_max = 4, repeated);
    check(Limit::ChangesMax, |settings| settings.limits.changes_max = 4, |_| open_group());
    check(
        Limit::ChangesMax,
        |settings| settings.limits.changes_max = 4,
        |_| control("DeleteModelInvocationLoggingConfiguration", VICTIM),
    );
    check(
        Limit::AccountsMax,
        |settings| settings.limits.accounts_max = 4,
        |n| {
            let mut record = control("DeleteKnowledgeBase", VICTIM);
            record["recipientAccountId"] = json!(format!("{n:012}"));
            record
        },
    );
    // Of the first days nothing is said to be new; here there are none.
    let few_firsts = |settings: &mut Settings| {
        settings.baseline_days = 0;
        settings.limits.firsts_max = 4;
    };
    check(Limit::FirstsMax, few_firsts, operation);
    check(Limit::SightingsMax, |settings| settings.limits.sightings_max = 4, operation);
}

#[test]
fn refused_attempts_are_counted_without_end_and_kept_within_a_limit() {
    let mut watched = Watched::new(|_| {});
    watched.see(0, create_job());
    for attempt in 0..1_100 {
        let mut record = delete_group(GROUP);
        record["errorCode"] = json!("Client.DependencyViolation");
        watched.see(10 + attempt / 100, record);
    }
    watched.see(60, delete_group(GROUP));
    assert_eq!(watched.subjects_of("customization-job-security-group-deleted"), [GROUP]);
    assert_eq!(watched.subjects_of("customization-job-security-group-delete-refused"), [GROUP]);
    assert!(watched.reached(Limit::Fixed) > 0);
}
