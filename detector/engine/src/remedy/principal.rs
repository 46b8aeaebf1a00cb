//! Containing a principal: taking the credentials away that were used, without deleting anything.
//!
//! Everything here can be undone, and nothing here is right if the principal acted as it should: the title says so.

use serde_json::json;

use crate::alert::{Alert, Remediation};

use super::{
    role,
    shell::{Aws, Script, Variable, Word},
    text::{last_segment, plain},
    who::{Who, account_of_actor},
};

/// The inline policy that the IAM console makes for "Revoke active sessions".
const REVOKING_POLICY: &str = "AWSRevokeOlderSessions";
const IDENTITY_STORE: Variable =
    Variable { name: "IDENTITY_STORE_ID", hint: "set IDENTITY_STORE_ID to the identity store of the organization" };
const INSTANCE: Variable =
    Variable { name: "SSO_INSTANCE_ARN", hint: "set SSO_INSTANCE_ARN to the Identity Center instance" };
const PERMISSION_SET: Variable =
    Variable { name: "PERMISSION_SET_ARN", hint: "set PERMISSION_SET_ARN to the permission set of the role" };
const USER_ID: Variable = Variable { name: "USER_ID", hint: "set USER_ID to the user of Identity Center" };

/// What contains whoever an alert is about.
pub(super) fn contain(alert: &Alert) -> Vec<Remediation> {
    let Some(principal) = alert.principal.as_deref() else { return Vec::new() };
    let mut script = Script::default();
    let account = account_of_actor(alert);
    script.note(&format!("in account {account}: {principal}"));
    let title = match Who::of(principal) {
        Who::User { name } => user(&mut script, alert, name),
        Who::Role { name, .. } if name.starts_with("AWSReservedSSO_") => shared_role(&mut script, account, None),
        Who::Role { name, .. } => revoke_role(&mut script, alert, name),
        Who::SharedRole { session, .. } => shared_role(&mut script, account, Some(session)),
        Who::IdentityCenter { user_id } => identity_center(&mut script, account, user_id),
        Who::Root => root(&mut script, alert),
        Who::Federated => federated(&mut script, alert),
        Who::ServiceLinkedRole | Who::Service { .. } => service(&mut script),
        Who::Other => other(&mut script, alert),
    };
    vec![Remediation { title: format!("If this was not meant to be: {title}"), command: script.finish() }]
}

fn user(script: &mut Script, alert: &Alert, name: &str) -> String {
    let command = |operation: &'static str| Aws::new(operation).option("--user-name", &Word::quoted(name));
    let shown = plain(name);
    if alert.actor.via.as_deref() == Some("api_key") {
        bedrock_keys(script, name);
        return format!("switch the Bedrock API keys of {shown} off");
    }
    match alert.actor.access_key_id.as_deref() {
        Some(key) if key.starts_with("AKIA") => {
            script.run(
                command("iam update-access-key")
                    .option("--access-key-id", &Word::quoted(key))
                    .fixed("--status", "Inactive"),
            );
            script.note("the user may have other keys, and may have made some since:");
            script.run(command("iam list-access-keys"));
            format!("switch the access key of {shown} off")
        }
        _ => {
            // A console session or GetSessionToken: the session carries the user's permissions.
            revoke_sessions(script, alert, command("iam put-user-policy"));
            script.note("without a password nobody can sign in as the user again:");
            script.suggest(&command("iam delete-login-profile"));
            format!("revoke the sessions of {shown}")
        }
    }
}

/// Long-term Bedrock API keys are service-specific credentials of an IAM user.
fn bedrock_keys(script: &mut Script, name: &str) {
    let command = |operation: &'static str| Aws::new(operation).option("--user-name", &Word::quoted(name));
    script.run(command("iam list-service-specific-credentials").fixed("--service-name", "bedrock.amazonaws.com"));
    const CREDENTIAL: Variable =
        Variable { name: "CREDENTIAL_ID", hint: "set CREDENTIAL_ID to a ServiceSpecificCredentialId of the list" };
    script.note("for each of the list:");
    script.run(
        command("iam update-service-specific-credential")
            .option("--service-specific-credential-id", &Word::variable(CREDENTIAL))
            .fixed("--status", "Inactive"),
    );
}

fn revoke_role(script: &mut Script, alert: &Alert, name: &str) -> String {
    script
        .note("stops every session of the role, whoever holds it. Those who may assume the role can begin a new one,");
    script.note("so find out how the credentials got lost, and change who may assume the role where need be");
    revoke_sessions(script, alert, Aws::new("iam put-role-policy").option("--role-name", &Word::quoted(name)));
    format!("revoke the sessions of the role {}", plain(name))
}

/// Denies everything to credentials issued before the last event that the alert rests on.
fn revoke_sessions(script: &mut Script, alert: &Alert, put: Aws) {
    let until = alert.last_event_time.to_rfc3339();
    let policy = role::statement(json!({
        "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": { "DateLessThan": { "aws:TokenIssueTime": until } }
    }));
    script.note("stops credentials issued before the last event of the alert. If it goes on, take a later time");
    script.run(put.fixed("--policy-name", REVOKING_POLICY).option("--policy-document", &Word::json(&policy)));
}

fn shared_role(script: &mut Script, account: &str, session: Option<&str>) -> String {
    script.note("IAM Identity Center owns the role, so it is contained there, from the organization's account for it");
    if let Some(session) = session {
        let filter = json!([{ "AttributePath": "UserName", "AttributeValue": session }]);
        let find = Aws::new("identitystore list-users")
            .option("--identity-store-id", &Word::variable(IDENTITY_STORE))
            .option("--filters", &Word::json(&filter))
            .fixed("--query", "Users[0].UserId")
            .fixed("--output", "text");
        script.capture(USER_ID, &find);
    }
    unassign(script, account, &Word::variable(USER_ID));
    match session {
        Some(session) => format!("take the account away from {} in IAM Identity Center", plain(session)),
        None => "take the account away from the person in IAM Identity Center".to_owned(),
    }
}

fn identity_center(script: &mut Script, account: &str, user_id: &str) -> String {
    unassign(script, account, &Word::quoted(user_id));
    format!("take the account away from user {} in IAM Identity Center", plain(user_id))
}

fn unassign(script: &mut Script, account: &str, user: &Word) {
    script.note("disable the user in the console of Identity Center too: that also ends the portal session");
    script.run(
        Aws::new("sso-admin delete-account-assignment")
            .option("--instance-arn", &Word::variable(INSTANCE))
            .option("--permission-set-arn", &Word::variable(PERMISSION_SET))
            .option("--target-id", &Word::quoted(account))
            .fixed("--target-type", "AWS_ACCOUNT")
            .fixed("--principal-type", "USER")
            .option("--principal-id", user),
    );
    script.note("sessions that run already last until they expire, unless the permission set denies them");
}

fn root(script: &mut Script, alert: &Alert) -> String {
    script.note("no policy of the account limits its root user: a service control policy of the organization does");
    script.note("sign in as root, change the password, check the MFA devices and the e-mail address, and sign out");
    match alert.actor.access_key_id.as_deref() {
        Some(key) if key.starts_with("AKIA") => {
            script.note("a root user should have no access key. With credentials of the root user:");
            script.run(
                Aws::new("iam update-access-key")
                    .option("--access-key-id", &Word::quoted(key))
                    .fixed("--status", "Inactive"),
            );
            "switch the access key of the root user off".to_owned()
        }
        _ => "secure the root user".to_owned(),
    }
}

fn federated(script: &mut Script, alert: &Alert) -> String {
    script.note("the credentials come from GetFederationToken and carry the permissions of the IAM user who called it");
    script.note("look for that call in CloudTrail by the access key below, then contain that user");
    script.note(&format!("access key: {}", alert.actor.access_key_id.as_deref().unwrap_or("unknown")));
    "contain the user behind the federated session".to_owned()
}

fn service(script: &mut Script) -> String {
    script.note("an AWS service made the calls by itself, it has no credentials to take away");
    script.note("look for who configured it: the agent, flow, schedule or knowledge base that it acted for");
    "stop what the service acts for".to_owned()
}

fn other(script: &mut Script, alert: &Alert) -> String {
    match alert.actor.access_key_id.as_deref() {
        Some(key) if key.starts_with("AKIA") => {
            script.note("the record names no user, only the key:");
            let lookup = Aws::new("iam get-access-key-last-used")
                .option("--access-key-id", &Word::quoted(key))
                .fixed("--query", "UserName")
                .fixed("--output", "text");
            const USER: Variable = Variable { name: "USER_NAME", hint: "the key belongs to no user of this account" };
            script.capture(USER, &lookup);
            script.run(
                Aws::new("iam update-access-key")
                    .option("--user-name", &Word::variable(USER))
                    .option("--access-key-id", &Word::quoted(key))
                    .fixed("--status", "Inactive"),
            );
            format!("switch the access key {} off", plain(last_segment(key)))
        }
        _ => {
            script.note("the records do not say whose credentials these are. If they belong to another account, take");
            script.note("that account out of the trust and resource policies that let it in");
            "find out whose credentials these are".to_owned()
        }
    }
}
