//! Who made the earliest call of a day, kept small: a million principals have one each.
//!
//! The ARN of a role session is rebuilt from the role and the session name; user agents are kept once per account.

use serde::{Deserialize, Serialize};

use crate::{activity::ApiCall, alert::Actor, decode, hashing::hash_of};

/// An [`Actor`], without what can be rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredActor {
    arn: Arn,
    kind: Option<Box<str>>,
    access_key_id: Option<Box<str>>,
    session_name: Option<Box<str>>,
    source_ip: Option<Box<str>>,
    user_agent: UserAgent,
    via: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Arn {
    None,
    /// The principal itself.
    Principal,
    /// The session of the role that is the principal.
    SessionOfPrincipal,
    Other(Box<str>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum UserAgent {
    None,
    Known(u32),
    Other(Box<str>),
}

/// Strings that many principals share, by number.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SharedStrings {
    strings: Vec<Box<str>>,
    hashes: Vec<u64>,
}

/// How many shared strings an account keeps; further ones are kept by each principal.
const SHARED_MAX: usize = 256;

impl SharedStrings {
    fn number_of(&mut self, text: &str) -> Option<u32> {
        let hash = hash_of(text);
        let known = self.hashes.iter().position(|other| *other == hash);
        let place = match known {
            Some(place) => place,
            None if self.strings.len() < SHARED_MAX => {
                self.strings.push(text.into());
                self.hashes.push(hash);
                self.strings.len().saturating_sub(1)
            }
            None => return None,
        };
        u32::try_from(place).ok()
    }

    fn get(&self, number: u32) -> Option<&str> {
        self.strings.get(usize::try_from(number).ok()?).map(|text| &**text)
    }
}

impl StoredActor {
    /// The actor of a call.
    pub(crate) fn of(call: &ApiCall<'_>, shared: &mut SharedStrings) -> Self {
        let session = call.identity.session_name();
        let arn = match call.identity.arn.as_deref() {
            None => Arn::None,
            Some(arn) if arn == call.principal => Arn::Principal,
            Some(arn) if session_arn(&call.principal, session).as_deref() == Some(arn) => Arn::SessionOfPrincipal,
            Some(arn) => Arn::Other(arn.into()),
        };
        let user_agent = match call.user_agent.as_deref() {
            None => UserAgent::None,
            Some(text) => shared.number_of(text).map_or_else(|| UserAgent::Other(text.into()), UserAgent::Known),
        };
        Self {
            arn,
            kind: call.identity.kind.as_deref().map(Into::into),
            access_key_id: call.identity.access_key_id.as_deref().map(Into::into),
            session_name: session.map(Into::into),
            source_ip: call.source_ip.as_deref().map(Into::into),
            user_agent,
            via: decode::via(call).map(Into::into),
        }
    }

    /// The actor as alerts show it.
    pub(crate) fn to_actor(&self, principal: &str, shared: &SharedStrings) -> Actor {
        let text = |value: &Option<Box<str>>| value.as_deref().map(str::to_owned);
        Actor {
            arn: match &self.arn {
                Arn::None => None,
                Arn::Principal => Some(principal.to_owned()),
                Arn::SessionOfPrincipal => session_arn(principal, self.session_name.as_deref()),
                Arn::Other(arn) => Some(arn.to_string()),
            },
            kind: text(&self.kind),
            access_key_id: text(&self.access_key_id),
            session_name: text(&self.session_name),
            source_ip: text(&self.source_ip),
            user_agent: match &self.user_agent {
                UserAgent::None => None,
                UserAgent::Known(number) => shared.get(*number).map(str::to_owned),
                UserAgent::Other(text) => Some(text.to_string()),
            },
            via: text(&self.via),
        }
    }
}

/// The ARN of a session of a role, as CloudTrail writes it: the role's path is dropped.
fn session_arn(role_arn: &str, session: Option<&str>) -> Option<String> {
    let (head, resource) = role_arn.split_once(":role/")?;
    let name = resource.rsplit('/').next()?;
    let (prefix, account) = head.split_once(":iam::")?;
    Some(format!("{prefix}:sts::{account}:assumed-role/{name}/{}", session?))
}

/// The actor of a call that an alert rests on directly.
pub(crate) fn actor_of(call: &ApiCall<'_>) -> Actor {
    let text = |value: &Option<std::borrow::Cow<'_, str>>| value.as_deref().map(str::to_owned);
    Actor {
        arn: text(&call.identity.arn),
        kind: text(&call.identity.kind),
        access_key_id: text(&call.identity.access_key_id),
        session_name: call.identity.session_name().map(str::to_owned),
        source_ip: text(&call.source_ip),
        user_agent: text(&call.user_agent),
        via: decode::via(call),
    }
}
