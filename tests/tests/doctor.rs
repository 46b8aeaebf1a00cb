//! `doctor` against an emulator: a good set-up passes, and of every broken one exactly the broken link is reported.
//!
//! The tests share one emulator, which forgets everything before each: none of them takes as long as it does to start.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "all of it is a test, its helpers too")]

use std::time::Duration;

use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector};
use aws_sdk_eventbridge::types::{DeadLetterConfig, KinesisParameters, RuleState, Target};
use bedrock_watch_aws::{
    Aws, Place,
    doctor::{self, Local, Report, Verdict, checks::coverage},
};
use bedrock_watch_service::config::Config;
use bedrock_watch_tests::emulators::{self, ACCOUNT, Emulator, REGION};
use tokio::sync::{Mutex, MutexGuard};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const STREAM: &str = "bedrock-watch";
const RULE: &str = "bedrock-watch";
const ROLE: &str = "bedrock-watch-forward";
const PATTERN: &str = r#"{"source":[{"prefix":"aws."},"bedrock-watch.canary"]}"#;
const ALL: RuleState = RuleState::EnabledWithAllCloudtrailManagementEvents;

/// The emulator that all share; it ends with the process of the tests.
static EMULATOR: Mutex<Option<Emulator>> = Mutex::const_new(None);

/// A set-up in the emulator, and the emulator for as long as it is looked at.
struct Setup {
    emulator: MutexGuard<'static, Option<Emulator>>,
    aws: Aws,
    config: Config,
    cloudtrail: aws_sdk_cloudtrail::Client,
    events: aws_sdk_eventbridge::Client,
    iam: aws_sdk_iam::Client,
    kinesis: aws_sdk_kinesis::Client,
    kms: aws_sdk_kms::Client,
    sqs: aws_sdk_sqs::Client,
    key: String,
    queue: String,
    topic: String,
}

fn selector(name: &str, equals: &[(&str, &str)]) -> AdvancedEventSelector {
    let fields = equals
        .iter()
        .map(|(field, value)| AdvancedFieldSelector::builder().field(*field).equals(*value).build().unwrap());
    AdvancedEventSelector::builder().name(name).set_field_selectors(Some(fields.collect())).build().unwrap()
}

fn data_selector() -> AdvancedEventSelector {
    selector("agents", &[("eventCategory", "Data"), ("resources.type", "AWS::Bedrock::AgentAlias")])
}

fn trust(service: &str) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    })
    .to_string()
}

impl Setup {
    /// Everything as it should be, in an emulator that forgets what was there.
    async fn good() -> Self {
        let mut shared = EMULATOR.lock().await;
        if shared.is_none() {
            *shared = Some(emulators::aws(SCRATCH).await.unwrap());
        }
        let emulator = shared.as_ref().expect("it was just started");
        reqwest::Client::new().post(format!("{}/moto-api/reset", emulator.url)).send().await.unwrap();
        let aws = emulator.aws().await;
        let own = aws.own();
        let sns = aws_sdk_sns::Client::new(own);
        let topic = sns.create_topic().name("alerts").send().await.unwrap().topic_arn.unwrap();
        let config = config(&topic);
        let mut setup = Self {
            emulator: shared,
            cloudtrail: aws_sdk_cloudtrail::Client::new(own),
            events: aws_sdk_eventbridge::Client::new(own),
            iam: aws_sdk_iam::Client::new(own),
            kinesis: aws_sdk_kinesis::Client::new(own),
            kms: aws_sdk_kms::Client::new(own),
            sqs: aws_sdk_sqs::Client::new(own),
            aws,
            config,
            key: String::new(),
            queue: String::new(),
            topic,
        };
        setup.make_trail().await;
        setup.make_stream().await;
        setup.make_role().await;
        setup.put_rule(PATTERN, ALL).await;
        setup.put_target(setup.target()).await;
        setup.forward_global().await;
        setup.set_account().await;
        setup
    }

    async fn make_trail(&self) {
        let bucket = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
        let s3 = aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(self.aws.own()).force_path_style(true).build(),
        );
        s3.create_bucket().bucket("trail").create_bucket_configuration(bucket).send().await.unwrap();
        let create = self.cloudtrail.create_trail().name("all").s3_bucket_name("trail");
        create.is_multi_region_trail(true).include_global_service_events(true).send().await.unwrap();
        self.cloudtrail.start_logging().name("all").send().await.unwrap();
        self.put_selectors(vec![selector("management", &[("eventCategory", "Management")]), data_selector()]).await;
    }

    async fn put_selectors(&self, selectors: Vec<AdvancedEventSelector>) {
        let put = self.cloudtrail.put_event_selectors().trail_name("all");
        put.set_advanced_event_selectors(Some(selectors)).send().await.unwrap();
    }

    async fn make_stream(&mut self) {
        let key = self.kms.create_key().send().await.unwrap();
        self.key = key.key_metadata.unwrap().key_id;
        self.kinesis.create_stream().stream_name(STREAM).shard_count(2).send().await.unwrap();
        let longer = self.kinesis.increase_stream_retention_period().stream_name(STREAM);
        longer.retention_period_hours(96).send().await.unwrap();
        let encrypt = self.kinesis.start_stream_encryption().stream_name(STREAM).key_id(&self.key);
        encrypt.encryption_type(aws_sdk_kinesis::types::EncryptionType::Kms).send().await.unwrap();
        let queue = self.sqs.create_queue().queue_name("undelivered").send().await.unwrap();
        self.queue = queue.queue_url.unwrap();
        self.let_send("events.amazonaws.com").await;
    }

    /// Gives the dead-letter queue a policy by which a service may send to it.
    async fn let_send(&self, service: &str) {
        let document = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": "*"}],
        });
        let set = self.sqs.set_queue_attributes().queue_url(&self.queue);
        set.attributes(aws_sdk_sqs::types::QueueAttributeName::Policy, document.to_string()).send().await.unwrap();
    }

    async fn make_role(&self) {
        let role = self.iam.create_role().role_name(ROLE).assume_role_policy_document(trust("events.amazonaws.com"));
        role.send().await.unwrap();
        self.let_role(&["kinesis:PutRecord", "kinesis:PutRecords", "kms:GenerateDataKey"]).await;
    }

    /// Gives the role of the target these rights and no others.
    async fn let_role(&self, actions: &[&str]) {
        let document = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": [stream_arn(), "arn:aws:kms:*"]}],
        });
        let put = self.iam.put_role_policy().role_name(ROLE).policy_name("deliver");
        put.policy_document(document.to_string()).send().await.unwrap();
    }

    async fn put_rule(&self, pattern: &str, state: RuleState) {
        self.events.put_rule().name(RULE).event_pattern(pattern).state(state).send().await.unwrap();
    }

    fn target(&self) -> aws_sdk_eventbridge::types::builders::TargetBuilder {
        let keyed = KinesisParameters::builder().partition_key_path("$.account").build().unwrap();
        let queue = DeadLetterConfig::builder().arn(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:undelivered")).build();
        Target::builder()
            .id("stream")
            .arn(stream_arn())
            .role_arn(format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"))
            .kinesis_parameters(keyed)
            .dead_letter_config(queue)
    }

    async fn put_target(&self, target: aws_sdk_eventbridge::types::builders::TargetBuilder) {
        self.events.put_targets().rule(RULE).targets(target.build().unwrap()).send().await.unwrap();
    }

    async fn global(&self) -> aws_sdk_eventbridge::Client {
        let place = Place { account: None, region: "us-east-1".to_owned() };
        aws_sdk_eventbridge::Client::new(&self.aws.at(&place).await)
    }

    async fn forward_global(&self) {
        let events = self.global().await;
        let put = events.put_rule().name("global").event_pattern(r#"{"source":["aws.iam"]}"#);
        put.state(RuleState::Enabled).send().await.unwrap();
        let bus = format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default");
        let target = Target::builder().id("bus").arn(bus).build().unwrap();
        events.put_targets().rule("global").targets(target).send().await.unwrap();
    }

    async fn set_account(&self) {
        let own = self.aws.own();
        let s3 = aws_sdk_bedrock::types::S3Config::builder().bucket_name("logs").build().unwrap();
        let logging = aws_sdk_bedrock::types::LoggingConfig::builder().s3_config(s3).build();
        let bedrock = aws_sdk_bedrock::Client::new(own);
        bedrock.put_model_invocation_logging_configuration().logging_config(logging).send().await.unwrap();
        let contact = aws_sdk_account::Client::new(own).put_alternate_contact().name("Security").title("Security");
        let contact = contact.email_address("security@example.com").phone_number("+1-555-0100");
        let security = aws_sdk_account::types::AlternateContactType::Security;
        contact.alternate_contact_type(security).send().await.unwrap();
        let agents = aws_sdk_bedrockagent::Client::new(own);
        let role = format!("arn:aws:iam::{ACCOUNT}:role/agent");
        agents.create_agent().agent_name("helper").agent_resource_role_arn(role).send().await.unwrap();
    }

    async fn examine(&self) -> Report {
        doctor::examine(&doctor::gather(&self.aws, &self.config, Local::default()).await)
    }
}

fn stream_arn() -> String {
    format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}")
}

fn config(topic: &str) -> Config {
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[canary]\nenabled = true\n[[source]]\nkind = \"kinesis\"\nstream = \"{STREAM}\"\n\
         [[sink]]\nkind = \"sns\"\nname = \"sns\"\ntopic_arn = \"{topic}\"\n"
    );
    Config::load("test.toml", &text, &|_| None).expect("a good configuration")
}

fn links(report: &Report, verdict: Verdict) -> Vec<&'static str> {
    report.findings.iter().filter(|finding| finding.verdict == verdict).map(|finding| finding.link).collect()
}

#[tokio::test]
async fn the_good_set_up_passes() {
    let setup = Box::pin(Setup::good()).await;
    let report = setup.examine().await;
    assert_eq!(links(&report, Verdict::Broken), Vec::<&str>::new(), "{}", report.human());
    // A user asks, and no daemon was named.
    assert_eq!(links(&report, Verdict::NotChecked), ["rights-excess", "daemon"], "{}", report.human());
}

#[tokio::test]
async fn a_role_that_may_do_more_than_it_needs_is_found() {
    let mut setup = Box::pin(Setup::good()).await;
    let role = setup.iam.create_role().role_name("task").assume_role_policy_document(trust("ecs-tasks.amazonaws.com"));
    let arn = role.send().await.unwrap().role.unwrap().arn;
    let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let put = setup.iam.put_role_policy().role_name("task").policy_name("all").policy_document(everything);
    put.send().await.unwrap();
    let sts = aws_sdk_sts::Client::new(setup.aws.own());
    let session = sts.assume_role().role_arn(arn).role_session_name("worker").send().await.unwrap();
    let keys = session.credentials.unwrap();
    let to = setup.emulator.as_ref().unwrap().config();
    let nobody_else = std::collections::BTreeMap::new();
    let task = Aws::connect_as(&to, &nobody_else, (&keys.access_key_id, &keys.secret_access_key)).await;
    setup.aws = task.unwrap();
    let report = setup.examine().await;
    assert_eq!(links(&report, Verdict::Broken), ["rights-excess"], "{}", report.human());
    let excess = report.findings.iter().find(|finding| finding.link == "rights-excess").unwrap();
    assert!(excess.what.contains("iam:PassRole"), "{}", excess.what);
}

/// Each breaks one thing in a good set-up and expects exactly these links to be reported.
macro_rules! broken {
    ($($name:ident: $expected:expr, |$setup:ident| $break:expr;)+) => {
        mod broken {
            use super::*;

            $(#[tokio::test]
            async fn $name() {
                let $setup = Box::pin(Setup::good()).await;
                $break;
                let report = $setup.examine().await;
                assert_eq!(links(&report, Verdict::Broken), $expected, "{}", report.human());
            })+
        }
    };
}

broken! {
    no_trail: ["trail", "data-events"], |s| s.cloudtrail.delete_trail().name("all").send().await.unwrap();
    trail_stopped: ["trail-logging"], |s| s.cloudtrail.stop_logging().name("all").send().await.unwrap();
    trail_of_one_region: ["trail-global"], |s| {
        s.cloudtrail.update_trail().name("all").is_multi_region_trail(false).send().await.unwrap()
    };
    reads_not_logged: ["trail-management-events"], |s| {
        let writes = selector("writes", &[("eventCategory", "Management"), ("readOnly", "false")]);
        s.put_selectors(vec![writes, data_selector()]).await
    };
    data_events_not_logged: ["data-events"], |s| {
        s.put_selectors(vec![selector("management", &[("eventCategory", "Management")])]).await
    };
    rule_leads_elsewhere: ["rule"], |s| s.events.remove_targets().rule(RULE).ids("stream").send().await.unwrap();
    pattern_too_narrow: ["rule-pattern"], |s| s.put_rule(r#"{"source":["aws.bedrock"]}"#, ALL).await;
    rule_without_reads: ["rule-state"], |s| s.put_rule(PATTERN, RuleState::Enabled).await;
    rule_disabled: ["rule-state"], |s| s.events.disable_rule().name(RULE).send().await.unwrap();
    global_events_not_forwarded: ["rule-global"], |s| {
        s.global().await.disable_rule().name("global").send().await.unwrap()
    };
    keyed_by_event_id: ["target"], |s| s.put_target(s.target().set_kinesis_parameters(None)).await;
    target_changes_events: ["target"], |s| s.put_target(s.target().input_path("$.detail")).await;
    role_does_not_exist: ["target-role"], |s| {
        s.put_target(s.target().role_arn(format!("arn:aws:iam::{ACCOUNT}:role/nobody"))).await
    };
    role_not_trusted: ["target-role"], |s| {
        let update = s.iam.update_assume_role_policy().role_name(ROLE);
        update.policy_document(trust("lambda.amazonaws.com")).send().await.unwrap()
    };
    role_may_not_write: ["target-role"], |s| s.let_role(&["kms:GenerateDataKey"]).await;
    role_may_not_use_the_key: ["key"], |s| s.let_role(&["kinesis:PutRecord", "kinesis:PutRecords"]).await;
    no_dead_letter_queue: ["target-dead-letter"], |s| s.put_target(s.target().set_dead_letter_config(None)).await;
    dead_letter_queue_gone: ["target-dead-letter"], |s| {
        s.sqs.delete_queue().queue_url(&s.queue).send().await.unwrap()
    };
    dead_letter_queue_shut: ["target-dead-letter"], |s| s.let_send("sns.amazonaws.com").await;
    key_disabled: ["key"], |s| s.kms.disable_key().key_id(&s.key).send().await.unwrap();
    // Nobody else may use it either: neither EventBridge, to write, nor the service, to read.
    key_not_granted: ["key", "rights"], |s| {
        let nobody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/other"},"Action":"kms:*","Resource":"*"}]}"#;
        s.kms.put_key_policy().key_id(&s.key).policy_name("default").policy(nobody).send().await.unwrap()
    };
    stream_gone: ["stream"], |s| s.kinesis.delete_stream().stream_name(STREAM).send().await.unwrap();
    rights_missing: ["rights"], |s| {
        // The caller of the tests, with a policy of its own.
        s.iam.create_user().user_name("moto").send().await.unwrap();
        let little = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kinesis:*","Resource":"*"}]}"#;
        let put = s.iam.put_user_policy().user_name("moto").policy_name("little").policy_document(little);
        put.send().await.unwrap()
    };
    logging_off: ["invocation-logging"], |s| {
        let bedrock = aws_sdk_bedrock::Client::new(s.aws.own());
        bedrock.delete_model_invocation_logging_configuration().send().await.unwrap()
    };
    no_security_contact: ["security-contact"], |s| {
        let security = aws_sdk_account::types::AlternateContactType::Security;
        let account = aws_sdk_account::Client::new(s.aws.own());
        account.delete_alternate_contact().alternate_contact_type(security).send().await.unwrap()
    };
    topic_gone: ["sink"], |s| {
        aws_sdk_sns::Client::new(s.aws.own()).delete_topic().topic_arn(&s.topic).send().await.unwrap()
    };
}

#[tokio::test]
async fn a_canary_is_read_back_from_the_stream() {
    let setup = Box::pin(Setup::good()).await;
    let check = async |expected: Verdict| {
        let mut facts = doctor::gather(&setup.aws, &setup.config, Local::default()).await;
        let sent = doctor::send_canary(&setup.aws, "default", Duration::from_secs(5), &facts.entries).await;
        facts.canary = Some(sent);
        let report = doctor::examine(&facts);
        let canary = report.findings.iter().find(|finding| finding.link == "canary").unwrap();
        assert_eq!(canary.verdict, expected, "{}", report.human());
    };
    check(Verdict::Fine).await;
    setup.put_rule(r#"{"source":[{"prefix":"aws."}]}"#, ALL).await;
    check(Verdict::Broken).await;
}

#[tokio::test]
async fn the_organization_is_looked_at_account_by_account() {
    let setup = Box::pin(Setup::good()).await;
    let organizations = aws_sdk_organizations::Client::new(setup.aws.own());
    organizations.create_organization().send().await.unwrap();
    organizations.create_account().account_name("sandbox").email("sandbox@example.com").send().await.unwrap();
    let places = doctor::organization(&setup.aws, &setup.config).await.unwrap();
    let findings: Vec<(String, &str, Verdict)> = places
        .iter()
        .flat_map(|place| coverage(place).map(|finding| (place.name.clone(), place.region.as_str(), finding)))
        .map(|(name, region, finding)| (format!("{name} {}", finding.link), region, finding.verdict))
        .collect();
    let expected = |name: &str, link: &str, region: &'static str, verdict| (format!("{name} {link}"), region, verdict);
    for wanted in [
        expected("master", "coverage-trail", REGION, Verdict::Fine),
        expected("master", "coverage-rule", REGION, Verdict::Fine),
        expected("master", "coverage-trail", "us-east-1", Verdict::Fine),
        expected("master", "coverage-rule", "us-east-1", Verdict::Broken),
        expected("sandbox", "coverage-trail", REGION, Verdict::NotChecked),
        expected("sandbox", "coverage-rule", "us-east-1", Verdict::NotChecked),
    ] {
        assert!(findings.contains(&wanted), "{wanted:?} is not in {findings:?}");
    }
}
