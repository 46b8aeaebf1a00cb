//! The target: where a rule delivers to, in whose name, under which key, and what becomes of what it cannot deliver.

use super::{Facts, Finding, account, aws};
use crate::doctor::{
    facts::{Asked, Entry, Role, Rule, Target, Why},
    finding::Level,
    policy,
};

/// The partition key that keeps an account's events together.
const PARTITION_KEY_PATH: &str = "$.account";

/// Every rule with each of its targets.
fn targets(facts: &Facts) -> impl Iterator<Item = (&Rule, &Target)> {
    let rules = facts.rules.iter().flatten();
    rules.flat_map(|rule| rule.targets.iter().map(move |target| (rule, target)))
}

fn is_stream(target: &Target) -> bool {
    target.arn.split(':').nth(2) == Some("kinesis")
}

/// The whole event is delivered, and streams are keyed by account.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "target";
    let mut findings = Vec::new();
    for (rule, target) in targets(facts) {
        let subject = format!("{} -> {}", rule.name, target.arn);
        let put = |options: &str| put_targets(facts, rule, &format!("Id={},Arn={},{options}", target.id, target.arn));
        let role = target.role.as_deref().unwrap_or("YOUR-ROLE");
        if target.transforms {
            let what = "the target changes events on their way (Input, InputPath or InputTransformer)";
            findings.push(
                Finding::broken(LINK, subject, Level::High, what)
                    .mended_by("Deliver events as they are", put(&format!("RoleArn={role}"))),
            );
            continue;
        }
        match target.partition_key_path.as_deref() {
            _ if !is_stream(target) => findings.push(Finding::fine(LINK, subject, "delivers whole events")),
            Some(PARTITION_KEY_PATH) => findings.push(Finding::fine(LINK, subject, "delivers, keyed by account")),
            other => {
                let what = format!(
                    "the partition key is {}, which scatters a principal over all shards: bursts are missed with several workers",
                    other.unwrap_or("the event's id")
                );
                let keyed = format!("RoleArn={role},KinesisParameters={{PartitionKeyPath={PARTITION_KEY_PATH}}}");
                findings
                    .push(Finding::broken(LINK, subject, Level::Medium, what).mended_by("Key by account", put(&keyed)));
            }
        }
    }
    findings
}

fn put_targets(facts: &Facts, rule: &Rule, target: &str) -> String {
    aws("events put-targets", &facts.region, &[("--rule", &rule.name), ("--targets", target)])
}

/// EventBridge may deliver: by the role of the target, or by the queue's policy.
pub(super) fn role(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "target-role";
    let mut findings = Vec::new();
    for (rule, target) in targets(facts) {
        let subject = format!("{} -> {}", rule.name, target.arn);
        findings.push(match &target.role {
            Some(arn) => match facts.roles.get(arn) {
                Some(role) => of_role(LINK, facts, target, (arn, role)),
                None => Finding::not_checked(LINK, arn, "the role was not asked for"),
            },
            None if is_stream(target) => {
                let what = "the target has no role, so EventBridge may not write to the stream";
                Finding::broken(LINK, subject, Level::High, what)
                    .mended_by("Make a role as in infra/iam/eventbridge-to-kinesis.json and name it in the target", "")
            }
            None => by_queue_policy(LINK, facts, target, subject),
        });
    }
    findings.dedup();
    findings
}

fn of_role(link: &'static str, facts: &Facts, target: &Target, (arn, role): (&str, &Asked<Role>)) -> Finding {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let make = "Make it as in infra/iam/eventbridge-to-kinesis.json";
    let role = match role {
        Ok(role) => role,
        Err(error) if error.why == Why::NotFound => {
            return Finding::broken(link, arn, Level::High, "the role of the target does not exist")
                .mended_by(make, "");
        }
        Err(error) => return Finding::not_asked(link, arn, error),
    };
    if !policy::allows(&role.trust, "events.amazonaws.com", "sts:AssumeRole") {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        return Finding::broken(link, arn, Level::High, "EventBridge may not assume the role").mended_by(
            "Let EventBridge assume it",
            aws("iam update-assume-role-policy", &facts.region, &[("--role-name", name), ("--policy-document", trust)]),
        );
    }
    match &role.denied {
        Ok(denied) if denied.is_empty() => Finding::fine(link, arn, "EventBridge may assume it, and it may deliver"),
        Ok(denied) => {
            let actions: Vec<&str> = denied.iter().map(String::as_str).collect();
            let resource = if is_stream(target) { target.arn.as_str() } else { "*" };
            let document = serde_json::json!({
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}],
            });
            Finding::broken(link, arn, Level::High, format!("the role may not {}", actions.join(", "))).mended_by(
                "Allow it",
                aws(
                    "iam put-role-policy",
                    &facts.region,
                    &[
                        ("--role-name", name),
                        ("--policy-name", "bedrock-watch-deliver"),
                        ("--policy-document", &document.to_string()),
                    ],
                ),
            )
        }
        Err(error) => Finding::not_asked(link, arn, error),
    }
}

/// A queue takes messages of EventBridge if its policy says so.
fn by_queue_policy(link: &'static str, facts: &Facts, target: &Target, subject: String) -> Finding {
    let queue = facts.entries.iter().find_map(|entry| match entry {
        Entry::Queue { url, queue: Ok(queue) } if queue.arn == target.arn => Some((url, queue)),
        _ => None,
    });
    let Some((url, queue)) = queue else {
        return Finding::not_checked(link, subject, "the target is neither a stream nor a queue that is configured");
    };
    if takes(queue.policy.as_deref()) {
        return Finding::fine(link, subject, "the queue's policy lets EventBridge send");
    }
    Finding::broken(link, subject, Level::High, "the queue's policy does not let EventBridge send")
        .mended_by("Let it send", let_send(facts, url, &queue.arn))
}

/// Whether a queue's policy lets EventBridge send.
fn takes(policy: Option<&str>) -> bool {
    policy.is_some_and(|text| policy::allows(text, "events.amazonaws.com", "sqs:SendMessage"))
}

/// The command that gives a queue a policy by which EventBridge may send.
fn let_send(facts: &Facts, url: &str, arn: &str) -> String {
    let document = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": account(facts)}},
        }],
    });
    let attributes = serde_json::json!({ "Policy": document.to_string() }).to_string();
    aws("sqs set-queue-attributes", &facts.region, &[("--queue-url", url), ("--attributes", &attributes)])
}

/// What cannot be delivered for a day is kept in a queue instead of being dropped.
pub(super) fn dead_letter(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "target-dead-letter";
    let mut findings = Vec::new();
    for (rule, target) in targets(facts) {
        let subject = format!("{} -> {}", rule.name, target.arn);
        findings.push(match &target.dead_letter {
            Some(queue) => match facts.dead_letters.get(queue) {
                Some(Ok(found)) if takes(found.policy.as_deref()) => {
                    Finding::fine(LINK, subject, format!("undeliverable events go to {queue}"))
                }
                Some(Ok(found)) => {
                    let what =
                        format!("the policy of the dead-letter queue {queue} does not let EventBridge send to it");
                    Finding::broken(LINK, subject, Level::Medium, what)
                        .mended_by("Let it send", let_send(facts, &found.url, queue))
                }
                Some(Err(error)) if error.why == Why::NotFound => Finding::broken(
                    LINK,
                    subject,
                    Level::Medium,
                    format!("the dead-letter queue {queue} does not exist"),
                )
                .mended_by("Make it again", aws("sqs create-queue", &facts.region, &[("--queue-name", last(queue))])),
                Some(Err(error)) => Finding::not_asked(LINK, subject, error),
                None => Finding::not_checked(LINK, subject, format!("{queue} was not asked for")),
            },
            None => {
                let what = "the target has no dead-letter queue: what cannot be delivered within 24 h is lost";
                let keyed = if is_stream(target) {
                    let role = target.role.as_deref().unwrap_or("YOUR-ROLE");
                    format!(",RoleArn={role},KinesisParameters={{PartitionKeyPath={PARTITION_KEY_PATH}}}")
                } else {
                    String::new()
                };
                let (id, arn) = (&target.id, &target.arn);
                let options = format!("Id={id},Arn={arn}{keyed},DeadLetterConfig={{Arn=YOUR-QUEUE-ARN}}");
                Finding::broken(LINK, subject, Level::Medium, what)
                    .mended_by("Give it one", put_targets(facts, rule, &options))
            }
        });
    }
    findings
}

fn last(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}
