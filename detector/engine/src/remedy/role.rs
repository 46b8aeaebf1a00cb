//! Bringing back a role that Bedrock assumes: the role itself, who may assume it, and its permissions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    alert::{Alert, Remediation, SubjectKind},
    world::Loss,
};

use super::{
    shell::{Aws, Script, Variable, Word},
    text::{account_of_arn, last_segment, partition},
};

/// Policies spelled out in one alert; the default quota is 10 managed policies a role.
const POLICIES_MAX: usize = 20;
const DOCUMENT: Variable =
    Variable { name: "POLICY_DOCUMENT", hint: "set POLICY_DOCUMENT to the JSON text of the policy" };

/// A role: its name and path.
struct Role<'a> {
    arn: &'a str,
    name: &'a str,
}

impl<'a> Role<'a> {
    fn of(arn: &'a str) -> Self {
        Self { arn, name: last_segment(arn) }
    }

    /// `/service-role/` of `arn:aws:iam::1:role/service-role/Name`.
    fn path(&self) -> Option<String> {
        let (_, path) = self.arn.split_once(":role/")?;
        let (folders, _) = path.rsplit_once('/')?;
        Some(format!("/{folders}/"))
    }

    fn command(&self, operation: &'static str) -> Aws {
        Aws::new(operation).option("--role-name", &Word::quoted(self.name))
    }
}

/// What the service role of a customization job, or of something else of Bedrock, needs back.
pub(super) fn restore(alert: &Alert, losses: &BTreeSet<Loss>) -> Vec<Remediation> {
    let role = Role::of(&alert.subject_id);
    let of_jobs = alert.subject_kind == SubjectKind::CustomizationJobDependency;
    let source = format!(
        "arn:{}:bedrock:{}:{}:{}",
        partition(alert.region.as_deref()),
        alert.region.as_deref().unwrap_or("*"),
        alert.account,
        if of_jobs { "model-customization-job/*" } else { "*" }
    );
    let mut remediation = Vec::new();
    if losses.contains(&Loss::Deleted) {
        remediation.push(recreate(&role, &trust(&alert.account, &source)));
    } else if losses.contains(&Loss::TrustRemoved) {
        remediation.push(update_trust(&role, &trust(&alert.account, &source)));
    }
    let policies: Vec<&str> = losses
        .iter()
        .filter_map(|loss| match loss {
            Loss::PermissionsRemoved(policy) => Some(&**policy),
            _ => None,
        })
        .collect();
    remediation.extend(attach(&role, &policies));
    remediation
}

/// The role through which invocation logs are delivered to a log group.
pub(super) fn recreate_for_logging(alert: &Alert, log_group: Option<&str>) -> Vec<Remediation> {
    let role = Role::of(&alert.subject_id);
    let (partition, account) = (partition(alert.region.as_deref()), &alert.account);
    let region = alert.region.as_deref().unwrap_or("*");
    let source = format!("arn:{partition}:bedrock:{region}:{account}:*");
    let mut remediation = vec![recreate(&role, &trust(account, &source))];
    if let Some(log_group) = log_group {
        let stream = format!(
            "arn:{partition}:logs:{region}:{account}:log-group:{log_group}:log-stream:aws/bedrock/modelinvocations"
        );
        let policy = statement(json!({
            "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": stream
        }));
        let mut script = Script::default();
        script.run(
            role.command("iam put-role-policy")
                .fixed("--policy-name", "BedrockInvocationLogging")
                .option("--policy-document", &Word::json(&policy)),
        );
        let title = "Let the role write the invocation log".to_owned();
        remediation.push(Remediation { title, command: script.finish() });
    }
    remediation
}

/// The trust policy that the Bedrock user guide gives for service roles.
fn trust(account: &str, source: &str) -> Value {
    statement(json!({
        "Effect": "Allow",
        "Principal": { "Service": "bedrock.amazonaws.com" },
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": { "aws:SourceAccount": account },
            "ArnLike": { "aws:SourceArn": source }
        }
    }))
}

/// A policy of one statement.
pub(super) fn statement(statement: Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

fn recreate(role: &Role<'_>, trust: &Value) -> Remediation {
    let mut script = Script::default();
    script.note(&format!("in account {}", account_of_arn(role.arn).unwrap_or("unknown")));
    script.note(
        "unknown: its permissions other than those given below. Policies of buckets and keys that named the old role \
         have to be saved again, because they hold its former id",
    );
    let path = role.path().map(|path| Word::quoted(&path));
    let create = role
        .command("iam create-role")
        .maybe("--path", path.as_ref())
        .option("--assume-role-policy-document", &Word::json(trust));
    script.run(create);
    Remediation { title: "Recreate the role".to_owned(), command: script.finish() }
}

fn update_trust(role: &Role<'_>, trust: &Value) -> Remediation {
    let mut script = Script::default();
    script.note(&format!("in account {}", account_of_arn(role.arn).unwrap_or("unknown")));
    script.note("this replaces the whole trust policy. Look first whether anything in the present one is to be kept:");
    script.suggest(&role.command("iam get-role"));
    script.run(role.command("iam update-assume-role-policy").option("--policy-document", &Word::json(trust)));
    Remediation { title: "Let Bedrock assume the role again".to_owned(), command: script.finish() }
}

fn attach(role: &Role<'_>, policies: &[&str]) -> Option<Remediation> {
    if policies.is_empty() {
        return None;
    }
    let mut script = Script::default();
    script.note(&format!("in account {}", account_of_arn(role.arn).unwrap_or("unknown")));
    for policy in policies.iter().take(POLICIES_MAX) {
        if policy.starts_with("arn:") {
            script.run(role.command("iam attach-role-policy").option("--policy-arn", &Word::quoted(policy)));
        } else {
            script.note("unknown: the text of this inline policy. CloudTrail has it in the last PutRolePolicy");
            script.run(
                role.command("iam put-role-policy")
                    .option("--policy-name", &Word::quoted(policy))
                    .option("--policy-document", &Word::variable(DOCUMENT)),
            );
        }
    }
    if policies.len() > POLICIES_MAX {
        script.note(&format!("{} more policies are not spelled out here", policies.len().saturating_sub(POLICIES_MAX)));
    }
    Some(Remediation { title: "Give the role its permissions back".to_owned(), command: script.finish() })
}
