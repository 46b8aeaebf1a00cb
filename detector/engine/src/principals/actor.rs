//! Who made the earliest call of a day, kept small: a million principals have one each.
//!
//! The ARN of a role session is rebuilt from the role and the session name; user agents are kept once per account. An
//! actor is only read when an alert is written, so it is kept as bytes all the time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::{
    activity::{ApiCall, InvocationLog},
    alert::Actor,
    bytes::{Reader, Writer},
    decode,
    hashing::hash_of,
};

/// An [`Actor`] as bytes: how each part is kept, two bits apiece, then those parts that are kept at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredActor {
    bytes: Box<[u8]>,
}

/// What can be said of an actor in two bits; the meanings of `SHORT` and `OTHER` differ from part to part.
const NONE: u8 = 0;
/// As a text of its own.
const TEXT: u8 = 1;
const SHORT: u8 = 2;
const OTHER: u8 = 3;

/// The types of identities that CloudTrail documents ("CloudTrail userIdentity element"), by their number in
/// snapshots: add at the end only.
const KINDS: [&str; 12] = [
    "AssumedRole",
    "IAMUser",
    "Root",
    "FederatedUser",
    "Role",
    "Directory",
    "AWSAccount",
    "AWSService",
    "IdentityCenterUser",
    "SAMLUser",
    "WebIdentityUser",
    "Unknown",
];

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

/// What a [`StoredActor`] is made from.
#[derive(Debug, Default)]
struct Parts<'a> {
    arn: Option<&'a str>,
    kind: Option<&'a str>,
    access_key_id: Option<&'a str>,
    session_name: Option<&'a str>,
    source_ip: Option<&'a str>,
    user_agent: Option<&'a str>,
    via: Option<String>,
    source_identity: Option<String>,
    workload: Workload,
}

/// What is known of the workload behind a session.
#[derive(Debug, Default)]
enum Workload {
    /// Whatever the other parts tell.
    #[default]
    ByRest,
    Known(Option<String>),
}

impl StoredActor {
    /// The actor of a call.
    pub(crate) fn of(call: &ApiCall<'_>, shared: &mut SharedStrings) -> Self {
        let identity = &call.identity;
        // Nothing but the provider tells more than the other parts.
        let says_more = decode::names_provider(call);
        let parts = Parts {
            arn: identity.arn.as_deref(),
            kind: identity.kind.as_deref(),
            access_key_id: identity.access_key_id.as_deref(),
            session_name: identity.session_name(),
            source_ip: call.source_ip.as_deref(),
            user_agent: call.user_agent.as_deref(),
            via: decode::via(call),
            source_identity: decode::source_identity(call),
            workload: if says_more { Workload::Known(decode::workload(call)) } else { Workload::ByRest },
        };
        Self::new(&parts, &call.principal, |text| shared.number_of(text))
    }

    /// The session that a model invocation log names.
    pub(crate) fn of_log(log: &InvocationLog<'_>, principal: &str, shared: &mut SharedStrings) -> Self {
        let arn = log.arn.as_deref();
        let is_session = arn.is_some_and(|arn| arn.contains(":assumed-role/"));
        let kind = match arn {
            Some(_) if is_session => Some("AssumedRole"),
            Some(arn) if arn.contains(":user/") => Some("IAMUser"),
            Some(arn) if arn.ends_with(":root") => Some("Root"),
            _ => None,
        };
        let session = arn.filter(|_| is_session).and_then(|arn| arn.rsplit_once('/'));
        let session_name = session.map(|(_, session)| session);
        let parts = Parts { arn, kind, session_name, workload: Workload::Known(None), ..Parts::default() };
        Self::new(&parts, principal, |text| shared.number_of(text))
    }

    /// An actor of no principal and with nothing shared.
    #[cfg(test)]
    pub(crate) fn of_test(actor: &Actor) -> Self {
        Self::of_actor(actor, "", |_| None)
    }

    #[cfg(test)]
    fn of_actor(actor: &Actor, principal: &str, number_of: impl FnOnce(&str) -> Option<u32>) -> Self {
        let parts = Parts {
            arn: actor.arn.as_deref(),
            kind: actor.kind.as_deref(),
            access_key_id: actor.access_key_id.as_deref(),
            session_name: actor.session_name.as_deref(),
            source_ip: actor.source_ip.as_deref(),
            user_agent: actor.user_agent.as_deref(),
            via: actor.via.clone(),
            source_identity: actor.source_identity.clone(),
            workload: Workload::Known(actor.workload.clone()),
        };
        Self::new(&parts, principal, number_of)
    }

    fn new(actor: &Parts<'_>, principal: &str, number_of: impl FnOnce(&str) -> Option<u32>) -> Self {
        const ROOM: usize = 64;
        let (mut hows, mut parts) = (Hows::default(), Writer::with_capacity(ROOM));
        // Room for how each part is kept, which is known at the end.
        parts.raw(&hows.bits.to_le_bytes());
        let session = actor.session_name;
        hows.push(match actor.arn {
            None => NONE,
            Some(arn) if arn == principal => SHORT,
            Some(arn) if is_session_arn(arn, principal, session) => OTHER,
            Some(arn) => text(&mut parts, arn),
        });
        hows.push(actor.kind.map_or(NONE, |kind| kind_number(&mut parts, kind)));
        hows.push(actor.access_key_id.map_or(NONE, |key| key_id(&mut parts, key)));
        hows.push(session.map_or(NONE, |name| match principal.strip_suffix(name) {
            Some(role) if role.ends_with('/') && !name.contains('/') => SHORT,
            _ => text(&mut parts, name),
        }));
        hows.push(actor.source_ip.map_or(NONE, |address| ip(&mut parts, address)));
        hows.push(actor.user_agent.map_or(NONE, |agent| match number_of(agent) {
            Some(number) => {
                parts.number(number);
                SHORT
            }
            None => text(&mut parts, agent),
        }));
        hows.push(via_and_person(&mut parts, actor.via.as_deref(), actor.source_identity.as_deref()));
        hows.push(match &actor.workload {
            Workload::ByRest => NONE,
            Workload::Known(known) if *known == told_by_rest(actor.kind, principal, session, actor.user_agent) => NONE,
            Workload::Known(Some(workload)) => text(&mut parts, workload),
            Workload::Known(None) => OTHER,
        });
        let mut bytes = parts.into_written();
        if let Some(beginning) = bytes.first_chunk_mut() {
            *beginning = hows.bits.to_le_bytes();
        }
        Self { bytes: bytes.into_boxed_slice() }
    }

    /// As bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// From [`Self::as_bytes`].
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into() }
    }

    /// The actor as alerts show it.
    pub(crate) fn to_actor(&self, principal: &str, shared: &SharedStrings) -> Actor {
        self.read(principal, |number| shared.get(number).map(str::to_owned)).unwrap_or_default()
    }

    fn read(&self, principal: &str, shared: impl FnOnce(u32) -> Option<String>) -> Option<Actor> {
        let mut parts = Reader::new(&self.bytes);
        let mut hows = Hows { bits: u16::from_le_bytes(parts.array()?), pushed: 0 };
        let mut actor = Actor::default();
        let how_arn = hows.take();
        if how_arn == TEXT {
            actor.arn = Some(parts.text()?.to_owned());
        }
        actor.kind = match hows.take() {
            SHORT => KINDS.get(usize::from(parts.byte()?)).map(ToString::to_string),
            how => text_if(how, &mut parts)?,
        };
        actor.access_key_id = match hows.take() {
            how @ (SHORT | OTHER) => Some(read_key_id(how, &mut parts)?),
            how => text_if(how, &mut parts)?,
        };
        actor.session_name = match hows.take() {
            SHORT => principal.rsplit_once('/').map(|(_, session)| session.to_owned()),
            how => text_if(how, &mut parts)?,
        };
        actor.source_ip = match hows.take() {
            SHORT => Some(Ipv4Addr::from(parts.array::<4>()?).to_string()),
            OTHER => Some(Ipv6Addr::from(parts.array::<16>()?).to_string()),
            how => text_if(how, &mut parts)?,
        };
        actor.user_agent = match hows.take() {
            SHORT => shared(parts.number()?),
            how => text_if(how, &mut parts)?,
        };
        let how_via = hows.take();
        if how_via == TEXT || how_via == OTHER {
            actor.via = Some(parts.text()?.to_owned());
        }
        if how_via == SHORT || how_via == OTHER {
            actor.source_identity = Some(parts.text()?.to_owned());
        }
        let how_workload = hows.take();
        let workload = text_if(how_workload, &mut parts)?;
        match how_arn {
            SHORT => actor.arn = Some(principal.to_owned()),
            OTHER => actor.arn = session_arn(principal, actor.session_name.as_deref()),
            _ => {}
        }
        actor.workload = match how_workload {
            NONE => {
                let (kind, session) = (actor.kind.as_deref(), actor.session_name.as_deref());
                told_by_rest(kind, principal, session, actor.user_agent.as_deref())
            }
            how => workload.filter(|_| how == TEXT),
        };
        Some(actor)
    }
}

/// The workload as the other parts tell it; nearly always that is what the record told.
fn told_by_rest(kind: Option<&str>, principal: &str, session: Option<&str>, agent: Option<&str>) -> Option<String> {
    decode::workload_of(decode::Signs { kind, principal, session, user_agent: agent, provider: None })
}

/// How each part of an actor is kept, two bits apiece.
#[derive(Debug, Default)]
struct Hows {
    bits: u16,
    pushed: u32,
}

impl Hows {
    fn push(&mut self, how: u8) {
        self.bits |= u16::from(how).wrapping_shl(self.pushed);
        self.pushed = self.pushed.saturating_add(2);
    }

    fn take(&mut self) -> u8 {
        let [how, _] = (self.bits.wrapping_shr(self.pushed) & 3).to_le_bytes();
        self.pushed = self.pushed.saturating_add(2);
        how
    }
}

fn text(parts: &mut Writer, text: &str) -> u8 {
    parts.counted(text.as_bytes());
    TEXT
}

fn text_if(how: u8, parts: &mut Reader<'_>) -> Option<Option<String>> {
    if how == TEXT { parts.text().map(|text| Some(text.to_owned())) } else { Some(None) }
}

/// Writes the way of a call and the person behind it, who is rarely named: `SHORT` is the person alone, `OTHER` both.
fn via_and_person(parts: &mut Writer, via: Option<&str>, person: Option<&str>) -> u8 {
    for part in [via, person].into_iter().flatten() {
        text(parts, part);
    }
    match (via, person) {
        (None, None) => NONE,
        (Some(_), None) => TEXT,
        (None, Some(_)) => SHORT,
        (Some(_), Some(_)) => OTHER,
    }
}

fn kind_number(parts: &mut Writer, kind: &str) -> u8 {
    match KINDS.iter().position(|known| *known == kind).and_then(|place| u8::try_from(place).ok()) {
        Some(number) => {
            parts.byte(number);
            SHORT
        }
        None => text(parts, kind),
    }
}

/// Writes a source address; those that are spelt in the usual way take four or sixteen bytes.
fn ip(parts: &mut Writer, address: &str) -> u8 {
    match address.parse::<IpAddr>() {
        // There is one way to spell these.
        Ok(IpAddr::V4(v4)) => {
            parts.raw(&v4.octets());
            SHORT
        }
        Ok(IpAddr::V6(v6)) if v6.to_string() == address => {
            parts.raw(&v6.octets());
            OTHER
        }
        _ => text(parts, address),
    }
}

/// The digits of the sixteen last letters of an access key id.
const KEY_DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Writes an access key id; temporary ones (`ASIA`) and permanent ones (`AKIA`) take ten bytes.
fn key_id(parts: &mut Writer, key: &str) -> u8 {
    let short = key.strip_prefix("ASIA").map(|digits| (SHORT, digits));
    let short = short.or_else(|| key.strip_prefix("AKIA").map(|digits| (OTHER, digits)));
    let packed = short.filter(|(_, digits)| digits.len() == 16).and_then(|(how, digits)| {
        let number = digits.bytes().try_fold(0_u128, |number, digit| {
            let value = match digit {
                b'A'..=b'Z' => digit.wrapping_sub(b'A'),
                b'2'..=b'7' => digit.wrapping_sub(b'2').wrapping_add(26),
                _ => return None,
            };
            Some(number.wrapping_shl(5) | u128::from(value))
        })?;
        Some((how, number))
    });
    match packed {
        Some((how, number)) => {
            parts.raw(number.to_le_bytes().get(..10).unwrap_or_default());
            how
        }
        None => text(parts, key),
    }
}

fn read_key_id(how: u8, parts: &mut Reader<'_>) -> Option<String> {
    let bytes: [u8; 10] = parts.array()?;
    let number = bytes.iter().rev().fold(0_u128, |number, byte| number.wrapping_shl(8) | u128::from(*byte));
    let mut key = String::from(if how == SHORT { "ASIA" } else { "AKIA" });
    for place in (0..16_u32).rev() {
        let value = usize::try_from(number.wrapping_shr(place.saturating_mul(5)) & 31).ok()?;
        key.push(char::from(*KEY_DIGITS.get(value)?));
    }
    Some(key)
}

/// The ARN that a session of a principal has, as CloudTrail writes it: the role's path is dropped. A principal may be the
/// role, or a session of a role that many people share, see `decode::identity`.
fn session_arn(principal: &str, session: Option<&str>) -> Option<String> {
    Some(session_arn_parts(principal, session)?.concat())
}

fn is_session_arn(arn: &str, principal: &str, session: Option<&str>) -> bool {
    session_arn_parts(principal, session)
        .and_then(|parts| parts.iter().try_fold(arn, |rest, part| rest.strip_prefix(part)))
        .is_some_and(str::is_empty)
}

fn session_arn_parts<'a>(principal: &'a str, session: Option<&'a str>) -> Option<[&'a str; 8]> {
    let session = session?;
    let mut parts = principal.splitn(6, ':');
    let ("arn", partition, "iam", "", account, resource) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?)
    else {
        return None;
    };
    let resource = resource.strip_prefix("role/")?;
    let role = resource.strip_suffix(session).and_then(|role| role.strip_suffix('/')).unwrap_or(resource);
    let name = role.rsplit('/').next()?;
    Some(["arn:", partition, ":sts::", account, ":assumed-role/", name, "/", session])
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
        workload: decode::workload(call),
        source_identity: decode::source_identity(call),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_survive_in_few_bytes() {
        const ROLE: &str = "arn:aws:iam::111122223333:role/path/app";
        const PERSON: &str = "arn:aws:iam::111122223333:role/AWSReservedSSO_x/ann@example.com";
        let check_named = |principal: &str, parts: [&str; 8], source_identity: Option<&str>, expected: usize| {
            let [arn, kind, key, session, address, agent, via, workload] =
                parts.map(|part| (part != "-").then(|| part.to_owned()));
            let actor = Actor {
                arn,
                kind,
                access_key_id: key,
                session_name: session,
                source_ip: address,
                user_agent: agent,
                via,
                workload,
                source_identity: source_identity.map(str::to_owned),
            };
            let stored = StoredActor::of_actor(&actor, principal, |text| (text == "shared").then_some(3));
            let read = stored.read(principal, |number| (number == 3).then(|| "shared".to_owned()));
            assert_eq!(read, Some(actor));
            assert_eq!(StoredActor::from_bytes(stored.as_bytes()), stored);
            assert_eq!(stored.as_bytes().len(), expected, "{parts:?}");
        };
        let check = |principal: &str, parts: [&str; 8], expected: usize| check_named(principal, parts, None, expected);
        check_named(ROLE, ["-"; 8], Some("ada"), 2 + 4);
        check_named(ROLE, ["-", "-", "-", "-", "-", "-", "console", "x:y"], Some("ada"), 2 + 8 + 4 + 4);
        check(ROLE, ["-"; 8], 2);
        check(ROLE, [""; 8], 10);
        let session = "arn:aws:sts::111122223333:assumed-role/app/s-1";
        let kind = "AssumedRole";
        check(
            ROLE,
            [session, kind, "ASIAABCDEFGHIJKLMN27", "s-1", "192.0.2.1", "shared", "-", "-"],
            2 + 1 + 10 + 4 + 4 + 1,
        );
        check(
            ROLE,
            [ROLE, "New", "AKIA7654321765432123", "s-1", "2001:db8::1", "other", "console", "-"],
            2 + 4 + 21 + 4 + 16 + 6 + 8,
        );
        check(ROLE, [ROLE, kind, "AKIA7654322765432ABC", "-", "AWS Internal", "-", "-", "-"], 2 + 1 + 10 + 13);
        check(ROLE, ["other", "-", "ASIAABC", "app", "192.0.2.01", "-", "-", "-"], 2 + 6 + 8 + 11);
        let of_person = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_x/ann@example.com";
        check(PERSON, [of_person, kind, "-", "ann@example.com", "-", "-", "-", "sso:ann@example.com"], 2 + 1);
        check(PERSON, ["-", kind, "-", "", "-", "-", "-", "-"], 2 + 1 + 1);
        check(ROLE, [session, kind, "-", "s-1", "-", "shared", "-", "github_actions:s-1"], 2 + 1 + 4 + 1 + 19);
        check(PERSON, [of_person, kind, "-", "ann@example.com", "-", "-", "-", "-"], 2 + 1);
        check("ann/", ["-", "-", "-", "", "-", "-", "-", "-"], 2);
        check("x/a/b", ["-", "-", "-", "a/b", "-", "-", "-", "-"], 2 + 4);
    }
}
