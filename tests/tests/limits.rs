//! Limits hold under attack: inventing principals, sessions, keys and groups neither grows memory past its limit nor
//! pushes out what protects somebody.

use std::sync::{Arc, LazyLock};

use bedrock_watch_engine::{Engine, Limit, Second, Settings, alert::Status, rule::RuleSet};
use bedrock_watch_tests::repository::{compiled, rule_pack};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const START: u32 = 1_795_000_000;
const VICTIM: &str = "arn:aws:iam::111122223333:user/analyst";
const GROUP: &str = "sg-0a1b2c3d4e5f60718";

#[cfg(test)]
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

    /// Judges records that happened one second after another, from `at` on.
    fn see_all(&mut self, at: u32, records: impl IntoIterator<Item = Value>) {
        for (second, record) in (at..).zip(records) {
            self.see(second, record);
        }
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
        "requestParameters": {"jobName": "tune", "roleArn": "arn:aws:iam::111122223333:role/Tuner", "vpcConfig": {"securityGroupIds": [GROUP]}},
        "responseElements": {"jobArn": "arn:aws:bedrock:us-east-1:111122223333:model-customization-job/amazon.nova/abc123def456"}})
}

fn delete_group(id: &str) -> Value {
    json!({"eventSource": "ec2.amazonaws.com", "eventName": "DeleteSecurityGroup", "userIdentity": user(VICTIM),
        "requestParameters": {"groupId": id}})
}

fn role_call(name: &str, policy: &str) -> Value {
    json!({"eventSource": "iam.amazonaws.com", "eventName": name, "userIdentity": user(VICTIM),
        "requestParameters": {"roleName": "Tuner", "policyArn": format!("arn:aws:iam::111122223333:policy/{policy}")}})
}

fn group_call(name: &str, cidr: &str) -> Value {
    json!({"eventSource": "ec2.amazonaws.com", "eventName": name, "userIdentity": user(VICTIM),
        "requestParameters": {"groupId": GROUP, "ipPermissions": {"items": [{"ipProtocol": "-1", "groups": {},
            "ipRanges": {"items": [{"cidrIp": cidr}]}, "ipv6Ranges": {}, "prefixListIds": {}}]}},
        "responseElements": {"_return": true}})
}

fn create_group() -> Value {
    json!({"eventSource": "ec2.amazonaws.com", "eventName": "CreateSecurityGroup", "userIdentity": user(VICTIM),
        "requestParameters": {"groupName": "tuning", "groupDescription": "d", "vpcId": "vpc-0a1b2c3d"},
        "responseElements": {"groupId": GROUP, "_return": true}})
}

fn put_logging(bucket: &str) -> Value {
    json!({"eventSource": "bedrock.amazonaws.com", "eventName": "PutModelInvocationLoggingConfiguration",
        "userIdentity": user(VICTIM),
        "requestParameters": {"loggingConfig": {"s3Config": {"bucketName": bucket}}}})
}

fn delete_logging() -> Value {
    json!({"eventSource": "bedrock.amazonaws.com", "eventName": "DeleteModelInvocationLoggingConfiguration",
        "userIdentity": user(VICTIM)})
}

/// Many times the changes that are kept of one thing.
const MANY: u32 = 300;

#[test]
fn a_full_history_takes_no_alert_back() {
    let check = |what: &str, records: Vec<Value>, rule: &str, expected: &[Status]| {
        let mut watched = Watched::new(|_| {});
        watched.see(0, create_job());
        watched.see_all(1, records);
        watched.engine.finish();
        let alerts = watched.engine.alerts();
        let found: Vec<Status> = alerts.iter().filter(|alert| alert.rule == rule).map(|alert| alert.status).collect();
        assert_eq!(found, expected, "{what}");
        assert!(watched.reached(Limit::ChangesMax) > 0, "{what}: no limit was reached");
    };
    let lost = "customization-job-dependency-lost";
    let (attach, detach) =
        (|policy: &str| role_call("AttachRolePolicy", policy), |policy: &str| role_call("DetachRolePolicy", policy));
    let junk = |number: u32| format!("Junk{number}");
    let mut attached = vec![detach("Tuning")];
    attached.extend((0..MANY).map(|_| attach("Other")));
    check("another policy is attached again and again", attached, lost, &[Status::Firing]);
    let mut attached = vec![detach("Tuning")];
    attached.extend((0..MANY).map(|number| attach(&junk(number))));
    check("many policies are attached", attached, lost, &[Status::Firing]);
    let mut came_and_went = vec![detach("Tuning")];
    came_and_went.extend((0..MANY).flat_map(|_| [detach("Other"), attach("Other")]));
    check("another policy comes and goes", came_and_went.clone(), lost, &[Status::Firing]);
    came_and_went.push(attach("Tuning"));
    check("and then the policy is back", came_and_went, lost, &[Status::Resolved]);
    let mut removed: Vec<Value> = (0..MANY).map(|number| detach(&junk(number))).collect();
    removed.push(detach("Tuning"));
    removed.extend((0..MANY).map(|number| attach(&junk(number))));
    check("many policies are taken and given back", removed, lost, &[Status::Firing]);
    let mut replaced = vec![detach("Tuning"), attach("Tuning")];
    replaced.extend((0..MANY).map(|number| attach(&junk(number))));
    check("what was over stays over", replaced, lost, &[Status::Resolved]);

    let emptied = "customization-job-security-group-emptied";
    let mut busy = vec![create_group(), group_call("RevokeSecurityGroupEgress", "0.0.0.0/0")];
    busy.extend((0..MANY).map(|number| group_call("AuthorizeSecurityGroupIngress", &format!("10.0.{number}.0/24"))));
    check("an emptied group is busy", busy.clone(), emptied, &[Status::Firing]);
    busy.push(group_call("AuthorizeSecurityGroupEgress", "0.0.0.0/0"));
    check("and then it has a rule again", busy.clone(), emptied, &[Status::Resolved]);
    busy.extend((0..MANY).map(|number| group_call("AuthorizeSecurityGroupIngress", &format!("10.1.{number}.0/24"))));
    check("and stays busy", busy, emptied, &[Status::Resolved]);

    let (disabled, weakened) = ("invocation-logging-disabled", "invocation-logging-weakened");
    let mut off = vec![put_logging("logs"), delete_logging()];
    off.extend((0..MANY).map(|_| delete_logging()));
    check("logging is switched off again and again", off.clone(), disabled, &[Status::Firing]);
    off.push(put_logging("logs"));
    check("and then on", off.clone(), disabled, &[Status::Resolved]);
    off.extend((0..MANY).map(|number| put_logging(&junk(number % 2))));
    check("and then it moves to and fro", off, disabled, &[Status::Resolved]);
    let moved = (0..MANY).map(|number| put_logging(&junk(number))).collect();
    check("every move is told", moved, weakened, &vec![Status::Firing; MANY as usize - 1]);
}

#[test]
fn logging_that_is_off_stays_known_as_off() {
    let mut watched = Watched::new(|_| {});
    watched.see_all(0, [put_logging("logs"), delete_logging()]);
    watched.see_all(2, (0..MANY).map(|_| delete_logging()));
    let alerts = watched.engine.alerts();
    let mut disabled = alerts.iter().filter(|alert| alert.rule == "invocation-logging-disabled");
    let alert = disabled.next().expect("logging was switched off");
    assert_eq!(disabled.next().map(|alert| &alert.event_ids), None);
    assert_eq!(alert.facts["blind_since"], json!(Second(START + 1).to_rfc3339()));
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
fn invented_jobs_do_not_push_out_a_job() {
    const JOBS_MAX: u32 = 50;
    let job_of = |account: &str, number: u32| {
        format!("arn:aws:bedrock:us-east-1:{account}:model-customization-job/amazon.nova/{number:012}")
    };
    let tagged = |account: &str, number: u32| {
        let tag = json!({"key": "BedrockModelCustomizationJobArn", "value": job_of(account, number)});
        json!({"eventSource": "ec2.amazonaws.com", "eventName": "CreateNetworkInterface", "userIdentity": user(VICTIM),
            "requestParameters": {"tagSpecificationSet": {"items": [{"tags": [tag]}]}, "subnetId": "subnet-0a1b2c3d"}})
    };
    let created = |account: &str, number: u32| {
        let mut record = create_job();
        record["requestParameters"] =
            json!({"jobName": format!("j{number}"), "roleArn": "arn:aws:iam::999988887777:role/R"});
        record["responseElements"]["jobArn"] = json!(job_of(account, number));
        record
    };
    let check = |what: &str, invented: &dyn Fn(u32) -> Value| {
        let mut watched = Watched::new(|settings| settings.limits.jobs_max = JOBS_MAX);
        watched.see(0, create_job());
        watched.see_all(1, (0..JOBS_MAX * 10).map(invented));
        watched.see(1_000, delete_group(GROUP));
        assert_eq!(watched.subjects_of("customization-job-security-group-deleted"), [GROUP], "{what}");
        assert!(watched.reached(Limit::JobsMax) > 0, "{what}: no limit was reached");
    };
    check("interfaces name jobs of its account", &|number| tagged(ACCOUNT, number));
    check("interfaces name jobs of another account", &|number| tagged("999988887777", number));
    check("another account has many jobs", &|number| created("999988887777", number));
}

#[test]
fn a_job_that_is_forgotten_takes_no_alert_with_it() {
    let mut watched = Watched::new(|settings| settings.limits.jobs_max = 10);
    watched.see_all(0, [create_job(), delete_group(GROUP)]);
    for job in 0..20_u32 {
        let mut record = create_job();
        record["requestParameters"]["vpcConfig"] = Value::Null;
        record["responseElements"]["jobArn"] =
            json!(format!("arn:aws:bedrock:us-east-1:111122223333:model-customization-job/amazon.nova/{job:012}"));
        watched.see(10 + job, record);
    }
    watched.see(60, delete_group(GROUP));
    assert_eq!(watched.subjects_of("customization-job-security-group-deleted"), [GROUP]);
}

#[test]
fn invented_models_do_not_hide_a_new_one() {
    const MODELS_MAX: u32 = 100;
    let call = |caller: &str, model: &str, refused: bool| {
        let mut record = invoke(user(caller));
        record["requestParameters"]["modelId"] = json!(model);
        if refused {
            record["errorCode"] = json!("ValidationException");
        }
        record
    };
    let mut watched = Watched::new(|settings| settings.limits.models_max = MODELS_MAX);
    watched.see(0, call("arn:aws:iam::111122223333:user/app", "amazon.nova-pro-v1:0", false));
    let invented = (0..MODELS_MAX * 20)
        .map(|number| call("arn:aws:iam::111122223333:user/mallory", &format!("vendor.invented-{number}"), true));
    watched.see_all(1, invented);
    let real = ["amazon.nova-pro-v1:0", "vendor.a-v1:0", "vendor.b-v1:0", "vendor.c-v1:0", "vendor.d-v1:0"];
    watched.see_all(5_000, real.map(|model| call(VICTIM, model, false)));
    let alerts = watched.engine.alerts();
    let of_victim = alerts.iter().find(|alert| alert.rule == "invocation-model-fanout" && alert.subject_id == VICTIM);
    let alert = of_victim.expect("four of five models are new");
    assert_eq!(alert.facts["new_models"], json!(["vendor.a-v1:0", "vendor.b-v1:0", "vendor.c-v1:0", "vendor.d-v1:0"]));
    assert!(watched.reached(Limit::ModelsMax) > 0);
}

#[test]
fn alerts_that_matter_less_are_forgotten_first() {
    let mut watched = Watched::new(|settings| settings.limits.alerts_max = 20);
    watched.see_all(0, [create_job(), delete_group(GROUP)]);
    let stopped = |number: u32| {
        json!({"eventSource": "bedrock.amazonaws.com", "eventName": "StopModelCustomizationJob",
            "userIdentity": user(VICTIM), "requestParameters": {"jobIdentifier": format!("other-{number}")}})
    };
    watched.see_all(10, (0..100).map(stopped));
    assert_eq!(watched.subjects_of("customization-job-security-group-deleted"), [GROUP]);
    assert!(watched.reached(Limit::AlertsMax) > 0);
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

#[cfg(test)]
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

#[cfg(test)]
fn refused(code: &str) -> Value {
    let mut record = delete_group(GROUP);
    record["errorCode"] = json!(code);
    record
}

#[test]
fn refused_attempts_are_counted_without_end_and_kept_within_a_limit() {
    const ATTEMPTS: u32 = 1_100;
    let rule = "customization-job-security-group-delete-refused";
    let check = |what: &str, before: &str, attempts: u32| {
        let mut watched = Watched::new(|_| {});
        watched.see(0, create_job());
        for attempt in 0..ATTEMPTS {
            watched.see(10 + attempt / 100, refused(before));
        }
        watched.see(40, refused("Client.DependencyViolation"));
        watched.see(60, delete_group(GROUP));
        assert_eq!(watched.subjects_of("customization-job-security-group-deleted"), [GROUP], "{what}");
        let alerts = watched.engine.alerts();
        let told: Vec<_> = alerts.iter().filter(|alert| alert.rule == rule).collect();
        let counts: Vec<_> = told.iter().map(|alert| (alert.event_count, alert.facts["attempts"].clone())).collect();
        assert_eq!(counts, [(u64::from(attempts), json!(attempts))], "{what}");
        watched.reached(Limit::Fixed)
    };
    assert!(check("attempts", "Client.DependencyViolation", ATTEMPTS + 1) > 0);
    assert!(check("attempts on what is not there", "Client.InvalidGroup.NotFound", 1) > 0);
    assert_eq!(check("questions", "Client.DryRunOperation", 1), 0);
}
