//! Who did it: one name for one actor, the account acted upon, and the credential.
//!
//! The names are what histories, alert ids and silences go by; changing one splits an actor's history in two.

use std::{borrow::Cow, sync::LazyLock};

use memchr::memmem;

use super::{section, workload::Signs};
use crate::{
    activity::{ApiCall, Identity},
    bedrock::{Credential, after_last_slash},
};

/// The key under which CloudTrail says that a Bedrock API key was used.
const BEARER: &str = "callWithBearerToken";
static BEARER_FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(BEARER));

/// The key under which CloudTrail names the identity provider of a session.
const PROVIDER: &str = "federatedProvider";
static PROVIDER_FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(PROVIDER));

/// The key under which CloudTrail names the person behind a chain of roles.
const SOURCE_IDENTITY: &str = "sourceIdentity";
static SOURCE_IDENTITY_FINDER: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(SOURCE_IDENTITY));

/// What roles of Identity Center permission sets are called; many people share each, and the session names the person.
const SHARED_ROLE_PREFIX: &str = "AWSReservedSSO_";

/// The account acted upon.
pub(super) fn account<'a>(
    recipient: Option<Cow<'a, str>>,
    envelope: Option<Cow<'a, str>>,
    identity: &Identity<'a>,
) -> Cow<'a, str> {
    let known = |name: &Cow<'a, str>| !name.is_empty();
    recipient
        .filter(known)
        .or_else(|| envelope.filter(known))
        .or_else(|| identity.account_id.clone())
        .unwrap_or(Cow::Borrowed(""))
}

/// One string for one actor.
pub(super) fn principal<'a>(identity: &Identity<'a>, account: &str) -> Cow<'a, str> {
    let present = |field: &Option<Cow<'a, str>>| field.clone().filter(|text| !text.is_empty());
    let service = || present(&identity.invoked_by).map(|name| Cow::Owned(format!("service:{name}")));
    let of_kind = match identity.kind.as_deref() {
        Some("AWSService") => service(),
        Some("AssumedRole") => role(identity),
        _ => None,
    };
    of_kind
        .or_else(|| present(&identity.arn))
        .or_else(|| present(&identity.on_behalf_of).map(|user| Cow::Owned(format!("identitycenter:{user}"))))
        .or_else(|| present(&identity.access_key_id))
        .or_else(|| present(&identity.principal_id))
        .or_else(service)
        .unwrap_or_else(|| Cow::Owned(format!("unknown@{account}")))
}

/// The role behind a session.
fn role<'a>(identity: &Identity<'a>) -> Option<Cow<'a, str>> {
    let issuer = identity.issuer_arn.clone().filter(|arn| !arn.is_empty());
    let role = issuer.or_else(|| identity.arn.as_deref().and_then(role_of_session).map(Cow::Owned))?;
    if !after_last_slash(&role).starts_with(SHARED_ROLE_PREFIX) {
        return Some(role);
    }
    match identity.session_name() {
        Some(session) if !session.is_empty() => Some(Cow::Owned(format!("{role}/{session}"))),
        _ => Some(role),
    }
}

/// `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION` as `arn:PARTITION:iam::ACCOUNT:role/ROLE`, for records that
/// do not name the issuer.
fn role_of_session(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let ("arn", partition, "sts", _, account) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?)
    else {
        return None;
    };
    let name = parts.next()?.strip_prefix("assumed-role/")?.split('/').next()?;
    Some(format!("arn:{partition}:iam::{account}:role/{name}"))
}

/// What kind of credential signed the call.
pub(super) fn credential(identity: &Identity<'_>, sections: [Option<&str>; 2]) -> Credential {
    if sections.into_iter().flatten().any(says_bearer_token) {
        return Credential::BedrockApiKey;
    }
    match identity.access_key_id.as_deref() {
        Some(key) if key.starts_with("AKIA") => Credential::LongTermKey,
        Some(key) if key.starts_with("ASIA") => Credential::Temporary,
        _ => Credential::Other,
    }
}

fn says_bearer_token(section: &str) -> bool {
    BEARER_FINDER.find(section.as_bytes()).is_some() && section::flag(section, BEARER)
}

/// By what way the call came, where it was not an ordinary signed call: `console`, `api_key`, `agent:NAME`,
/// `knowledge_base:NAME` or `service:NAME`.
///
/// NAME of an agent or a knowledge base is what the record says of it: what follows the prefix of its service role's
/// name. Alerts put its own name there where that is known.
#[must_use]
pub fn via(call: &ApiCall<'_>) -> Option<String> {
    if call.from_console {
        return Some("console".to_owned());
    }
    if call.credential == Credential::BedrockApiKey {
        return Some("api_key".to_owned());
    }
    if let Some(through) = through_bedrock(call) {
        return Some(through);
    }
    // Without an ARN the service is the principal itself, not the way somebody else took.
    let invoked_by = call.identity.invoked_by.as_deref().filter(|name| !name.is_empty())?;
    call.identity.arn.as_ref().map(|_| format!("service:{invoked_by}"))
}

/// What the names of service roles begin with that the console makes, and that the Bedrock user guide prescribes for
/// agents.
const SERVICE_ROLES: [(&str, &str); 2] = [
    ("AmazonBedrockExecutionRoleForAgents_", "agent"),
    ("AmazonBedrockExecutionRoleForKnowledgeBase_", "knowledge_base"),
];

/// The agent or knowledge base that made the call: under its service role, and from within Bedrock. A call under such a
/// role from anywhere else is somebody's who has its credentials.
fn through_bedrock(call: &ApiCall<'_>) -> Option<String> {
    const BEDROCK: &str = "bedrock.amazonaws.com";
    let from = [&call.identity.invoked_by, &call.source_ip];
    if !from.into_iter().any(|place| place.as_deref() == Some(BEDROCK)) {
        return None;
    }
    let name = role_name(&call.principal);
    SERVICE_ROLES.iter().find_map(|(prefix, kind)| Some(format!("{kind}:{}", name.strip_prefix(prefix)?)))
}

/// The name of the role in a principal, without path and session; empty for what is no role.
pub(crate) fn role_name(principal: &str) -> &str {
    let fifth_colon = memchr::memchr_iter(b':', principal.as_bytes()).nth(4);
    let resource = fifth_colon.and_then(|colon| principal.get(colon.saturating_add(1)..)).unwrap_or_default();
    let Some(role) = resource.strip_prefix("role/") else { return "" };
    // The session of a shared role follows its name.
    role.split('/').find(|part| part.starts_with(SHARED_ROLE_PREFIX)).unwrap_or_else(|| after_last_slash(role))
}

/// Whether the record names the identity provider of its session, or may.
pub(crate) fn names_provider(call: &ApiCall<'_>) -> bool {
    PROVIDER_FINDER.find(call.record.as_bytes()).is_some()
}

/// The person behind a chain of roles, as whoever took the first of them said (`sts:SourceIdentity`); it cannot be
/// changed from role to role. `None` where the session has none.
pub(crate) fn source_identity(call: &ApiCall<'_>) -> Option<String> {
    SOURCE_IDENTITY_FINDER.find(call.record.as_bytes())?;
    let name = section::text(&call.record, &["userIdentity", "sessionContext", SOURCE_IDENTITY])?;
    (!name.is_empty()).then(|| name.into_owned())
}

/// What runs behind the session that made the call, as `lambda:NAME`; `None` where nothing tells.
#[must_use]
pub fn workload(call: &ApiCall<'_>) -> Option<String> {
    let path = ["userIdentity", "sessionContext", "webIdFederationData", PROVIDER];
    let provider = names_provider(call).then(|| section::text(&call.record, &path)).flatten();
    super::workload::workload(Signs {
        kind: call.identity.kind.as_deref(),
        principal: &call.principal,
        session: call.identity.session_name(),
        user_agent: call.user_agent.as_deref(),
        provider: provider.as_deref(),
    })
}

#[cfg(test)]
mod tests {
    /// Decodes a record with this identity and gives the call's principal.
    fn check(identity: &str, expected: &str) {
        let record = format!(
            r#"{{"eventSource":"s","eventName":"n","eventTime":"2026-11-22T05:39:00Z","recipientAccountId":"111122223333","userIdentity":{identity}}}"#
        );
        match crate::decode::decode(record.as_bytes()) {
            Ok(crate::Activity::Call(call)) => assert_eq!(call.principal, expected, "{identity}"),
            other => panic!("{identity}: {other:?}"),
        }
    }

    #[test]
    fn one_name_for_one_actor() {
        check(
            r#"{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/a/alice"}"#,
            "arn:aws:iam::111122223333:user/a/alice",
        );
        check(
            r#"{"type":"IAMUser","arn":"arn:aws:iam::1:user/bob","invokedBy":"AWS Internal"}"#,
            "arn:aws:iam::1:user/bob",
        );
        check(r#"{"type":"Root","arn":"arn:aws-cn:iam::111122223333:root"}"#, "arn:aws-cn:iam::111122223333:root");
        check(r#"{"type":"AWSService","invokedBy":"bedrock.amazonaws.com"}"#, "service:bedrock.amazonaws.com");
        check(r#"{"type":"AWSService","invokedBy":"a.b","accessKeyId":"ASIA1"}"#, "service:a.b");
        check(r#"{"invokedBy":"config.amazonaws.com"}"#, "service:config.amazonaws.com");
        check(r#"{"type":"AWSAccount","principalId":"AIDA1","accountId":"9","invokedBy":"x"}"#, "AIDA1");
        check(r#"{"type":"AWSAccount","accessKeyId":"ASIA7","principalId":"AIDA1"}"#, "ASIA7");
        check(
            r#"{"type":"FederatedUser","arn":"arn:aws:sts::1:federated-user/f","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:user/u"}}}"#,
            "arn:aws:sts::1:federated-user/f",
        );
        check(
            r#"{"type":"IdentityCenterUser","onBehalfOf":{"userId":"u-1","identityStoreArn":"x"},"credentialId":"c"}"#,
            "identitycenter:u-1",
        );
        check(
            r#"{"type":"WebIdentityUser","principalId":"accounts.google.com:app:9","userName":"9"}"#,
            "accounts.google.com:app:9",
        );
        check(r#"{"type":"Unknown"}"#, "unknown@111122223333");
        check("null", "unknown@111122223333");
        check("{}", "unknown@111122223333");
    }

    #[test]
    fn source_identity_is_that_of_the_session() {
        let check = |session: &str, request: &str, expected: Option<&str>| {
            let record = format!(
                r#"{{"eventSource":"sts.amazonaws.com","eventName":"AssumeRole","eventTime":"2026-11-22T05:39:00Z","requestParameters":{request},"userIdentity":{{"type":"AssumedRole","sessionContext":{session}}}}}"#
            );
            match crate::decode::decode(record.as_bytes()) {
                Ok(crate::Activity::Call(call)) => assert_eq!(super::source_identity(&call).as_deref(), expected),
                other => panic!("{record}: {other:?}"),
            }
        };
        check(r#"{"sourceIdentity":"ada"}"#, "null", Some("ada"));
        check(r#"{"sourceIdentity":"","attributes":{}}"#, "null", None);
        // What is asked for is not yet so.
        check("{}", r#"{"sourceIdentity":"eve"}"#, None);
        check(r#"{"sourceIdentity":"ada"}"#, r#"{"sourceIdentity":"eve"}"#, Some("ada"));
    }

    #[test]
    fn agents_and_knowledge_bases_are_told_by_their_roles() {
        let check = |role: &str, from: &str, expected: Option<&str>| {
            let record = format!(
                r#"{{"eventSource":"s","eventName":"n","eventTime":"2026-11-22T05:39:00Z",{from}"userIdentity":{{"type":"AssumedRole","principalId":"AROAX:s","arn":"arn:aws:sts::1:assumed-role/{role}/s","invokedBy":"bedrock.amazonaws.com","sessionContext":{{"sessionIssuer":{{"arn":"arn:aws:iam::1:role/service-role/{role}"}}}}}}}}"#
            );
            match crate::decode::decode(record.as_bytes()) {
                Ok(crate::Activity::Call(call)) => assert_eq!(super::via(&call).as_deref(), expected, "{role}"),
                other => panic!("{role}: {other:?}"),
            }
        };
        check("AmazonBedrockExecutionRoleForAgents_SUPPORT", "", Some("agent:SUPPORT"));
        check("AmazonBedrockExecutionRoleForKnowledgeBase_hb01", "", Some("knowledge_base:hb01"));
        check("tuner", "", Some("service:bedrock.amazonaws.com"));
        let console = r#""sessionCredentialFromConsole":"true","#;
        check("AmazonBedrockExecutionRoleForAgents_SUPPORT", console, Some("console"));
    }

    #[test]
    fn stolen_service_roles_are_not_taken_for_agents() {
        let record = r#"{"eventSource":"s","eventName":"n","eventTime":"2026-11-22T05:39:00Z","sourceIPAddress":"198.51.100.7","userIdentity":{"type":"AssumedRole","principalId":"AROAX:s","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/AmazonBedrockExecutionRoleForAgents_A"}}}}"#;
        match crate::decode::decode(record.as_bytes()) {
            Ok(crate::Activity::Call(call)) => assert_eq!(super::via(&call), None),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sessions_are_their_role() {
        let session = |role: &str, session: &str, partition: &str| {
            format!(
                r#"{{"type":"AssumedRole","principalId":"AROAX:{session}","arn":"arn:{partition}:sts::1:assumed-role/{role}/{session}","accessKeyId":"ASIA1","sessionContext":{{"sessionIssuer":{{"type":"Role","arn":"arn:{partition}:iam::1:role/path/{role}"}},"attributes":{{}}}}}}"#
            )
        };
        check(&session("app", "i-1", "aws"), "arn:aws:iam::1:role/path/app");
        check(&session("app", "i-2", "aws-us-gov"), "arn:aws-us-gov:iam::1:role/path/app");
        check(
            &session("AWSReservedSSO_Admin_0a", "eve@example.com", "aws-cn"),
            "arn:aws-cn:iam::1:role/path/AWSReservedSSO_Admin_0a/eve@example.com",
        );
        let bare = r#"{"type":"AssumedRole","arn":"arn:aws-cn:sts::1:assumed-role/app/i-1","sessionContext":{"sessionIssuer":{}}}"#;
        check(bare, "arn:aws-cn:iam::1:role/app");
        let bare =
            r#"{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/AWSReservedSSO_X/eve","sessionContext":null}"#;
        check(bare, "arn:aws:iam::1:role/AWSReservedSSO_X/eve");
        check(r#"{"type":"AssumedRole","principalId":"AROAX:s"}"#, "AROAX:s");
    }
}
