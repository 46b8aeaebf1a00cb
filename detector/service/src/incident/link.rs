//! What ties an alert to others: who did it, with which key, from where, as which person.
//!
//! Pure. The rows made here are what a store keeps beside an alert, so a key is a digest: short, the same everywhere,
//! and no name in it. Deliberately no ties by account, region or rule: those would tie strangers together.

use std::{collections::BTreeSet, net::IpAddr};

use bedrock_watch_engine::{
    Second,
    alert::{Alert, Severity, Status},
};
use sha2::{Digest as _, Sha256};

use super::facts;

/// An alert reaches from its first event to its last, but at most so far, in seconds. One about logging that stays off
/// may last for weeks, and what happens weeks later is another matter.
pub const SPAN_MAX_S: u32 = 86_400;
/// Keys of one alert.
pub const LINKS_MAX: usize = 8;
/// Bytes of the digest of a key.
const DIGEST_BYTES: usize = 12;

/// Facts that name who did it, where an alert is about what was done and not about who did it. `restored_by` is not
/// among them: that is whoever repairs.
const ACTOR_FACTS: [&str; 7] =
    ["attempted_by", "attached_by", "changed_by", "created_by", "deleted_by", "disabled_by", "emptied_by"];
/// Facts that name a credential, or somebody, that an attacker made to come back with.
const MADE_FACTS: [&str; 3] = ["created_access_key_id", "created_principal", "created_user_arn"];
/// The fact that names the IAM users for whom credentials were made; records about that have no ARN.
const MADE_FOR_FACT: &str = "credential_made_for_user";
/// The fact that names the person behind a chain of roles, as `sts:SourceIdentity` says.
const SOURCE_IDENTITY_FACT: &str = "source_identity";
/// What roles of Identity Center permission sets are called; the person follows the role's name.
const PERSON_ROLE: &str = ":role/aws-reserved/sso.amazonaws.com/";

/// What kind of tie a key is; part of what stores keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tie {
    /// The same principal.
    Principal,
    /// The same access key.
    Key,
    /// The same address.
    Address,
    /// The same person, whatever the role.
    Person,
}

impl Tie {
    /// The letter with which its keys begin.
    const fn letter(self) -> char {
        match self {
            Self::Principal => 'p',
            Self::Key => 'k',
            Self::Address => 'a',
            Self::Person => 's',
        }
    }
}

/// A tie of one alert, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// What ties: alerts with the same key, near in time, belong together.
    pub key: String,
    /// Event time of the alert's earliest event.
    pub first: Second,
    /// Event time of its latest one, at most [`SPAN_MAX_S`] after the first.
    pub last: Second,
    /// The alert.
    pub alert: String,
    /// A digest of its principal; by it those who share an address are counted.
    pub who: String,
}

impl Link {
    /// Whether many strangers can share it.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.key.starts_with(Tie::Address.letter())
    }
}

/// The ties of an alert; none of one that was withdrawn, because it never was one.
#[must_use]
pub fn links(alert: &Alert) -> Vec<Link> {
    if alert.status == Status::Withdrawn {
        return Vec::new();
    }
    let mut ties = ties(alert);
    // What ties best stands first, so what is cut off is some of many things that were made.
    let mut seen = BTreeSet::new();
    ties.retain(|tie| seen.insert(tie.clone()));
    ties.truncate(LINKS_MAX);
    let mut keys: Vec<String> = ties.into_iter().map(|(tie, value)| key(tie, &value)).collect();
    keys.sort_unstable();
    let who = alert.principal.as_deref().or(alert.actor.arn.as_deref()).unwrap_or(&alert.account);
    let who = key(Tie::Principal, who);
    let (first, last) = span(alert);
    keys.into_iter().map(|key| Link { key, first, last, alert: alert.id.clone(), who: who.clone() }).collect()
}

/// From when until when an alert counts as going on.
#[must_use]
pub(super) fn span(alert: &Alert) -> (Second, Second) {
    let first = alert.first_event_time;
    (first, alert.last_event_time.clamp(first, first.plus(SPAN_MAX_S)))
}

/// Whether an alert only ever joins: it neither begins an incident nor ties two together.
#[must_use]
pub(super) fn only_joins(alert: &Alert) -> bool {
    alert.severity == Severity::Informational
}

/// The public or private address an alert came from; none where a service of AWS called.
#[must_use]
pub(super) fn address(alert: &Alert) -> Option<IpAddr> {
    alert.actor.source_ip.as_deref()?.parse().ok()
}

/// The ties of an alert, those of whoever did it first.
fn ties(alert: &Alert) -> Vec<(Tie, String)> {
    let fact = |name: &&str| facts::texts(alert, name);
    let mut ties = Vec::new();
    let principals = alert.principal.as_deref().into_iter().chain(ACTOR_FACTS.iter().flat_map(fact));
    for name in principals.filter(|name| is_somebody(name)) {
        ties.push((Tie::Principal, name.to_owned()));
        ties.extend(person(name).map(|person| (Tie::Person, person)));
    }
    ties.extend(fact(&SOURCE_IDENTITY_FACT).into_iter().map(|name| (Tie::Person, name.to_ascii_lowercase())));
    ties.extend(alert.actor.access_key_id.as_deref().filter(|id| is_key(id)).map(|id| (Tie::Key, id.to_owned())));
    ties.extend(address(alert).and_then(|address| Some((Tie::Address, place(address, &alert.account)?))));
    for made in MADE_FACTS.iter().flat_map(fact) {
        ties.push((if is_key(made) { Tie::Key } else { Tie::Principal }, made.to_owned()));
    }
    ties.extend(fact(&MADE_FOR_FACT).into_iter().map(|name| (Tie::Principal, user_arn(alert, name))));
    ties
}

/// The ARN of an IAM user of the alert's account that lies under no path, as users behind Bedrock API keys do not.
fn user_arn(alert: &Alert, name: &str) -> String {
    let arn = alert.principal.as_deref().and_then(|arn| arn.strip_prefix("arn:"));
    let partition = arn.and_then(|rest| rest.split(':').next()).unwrap_or("aws");
    format!("arn:{partition}:iam::{}:user/{name}", alert.account)
}

/// Whether a principal is one actor: a service of AWS acts for everybody, and somebody unknown may be anybody.
fn is_somebody(principal: &str) -> bool {
    !principal.is_empty() && !principal.starts_with("service:") && !principal.starts_with("unknown@")
}

fn is_key(id: &str) -> bool {
    ["AKIA", "ASIA", "ABIA"].iter().any(|prefix| id.starts_with(prefix))
}

/// The person behind the role of a permission set; the same in every account.
fn person(principal: &str) -> Option<String> {
    let (_, role) = principal.split_once(PERSON_ROLE).or_else(|| principal.split_once(":role/AWSReservedSSO_"))?;
    let (_, session) = role.rsplit_once('/')?;
    (!session.is_empty() && !session.starts_with("AWSReservedSSO_")).then(|| session.to_ascii_lowercase())
}

/// What an address is called. Private ones mean something only within an account; those of the machine itself mean
/// nothing.
fn place(address: IpAddr, account: &str) -> Option<String> {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() {
        return None;
    }
    let is_private = match address {
        // 100.64.0.0/10 is what carriers and container networks hand out.
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_link_local() || matches!(v4.octets(), [100, second, ..] if second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    Some(if is_private { format!("{account} {address}") } else { address.to_string() })
}

fn key(tie: Tie, value: &str) -> String {
    let digest = Sha256::digest(value.as_bytes());
    let mut key = String::with_capacity(DIGEST_BYTES.saturating_mul(2).saturating_add(1));
    key.push(tie.letter());
    // By hand, because formatting costs more than the digest, and large incidents have thousands of ties.
    let halves = digest.iter().take(DIGEST_BYTES).flat_map(|byte| [byte >> 4, byte & 0xf]);
    key.extend(halves.filter_map(|half| char::from_digit(half.into(), 16)));
    key
}

#[cfg(test)]
mod tests {
    use bedrock_watch_engine::alert::Actor;
    use serde_json::{Value, json};

    use super::*;
    use crate::format::sample;

    /// The ties of an alert with this principal, key, address and facts, as kind and value.
    fn check(
        (principal, access_key, ip): (Option<&str>, Option<&str>, Option<&str>),
        facts: &Value,
        expected: &[(Tie, &str)],
    ) {
        let actor = Actor {
            access_key_id: access_key.map(str::to_owned),
            source_ip: ip.map(str::to_owned),
            ..Actor::default()
        };
        let facts = facts.as_object().cloned().unwrap_or_default();
        let alert = Alert { principal: principal.map(str::to_owned), actor, facts, ..sample::alert() };
        let expected: Vec<(Tie, String)> = expected.iter().map(|(tie, value)| (*tie, (*value).to_owned())).collect();
        assert_eq!(ties(&alert), expected, "{principal:?} {access_key:?} {ip:?}");
    }

    #[test]
    fn ties_are_what_one_actor_takes_along() {
        let none = json!({});
        let user = "arn:aws:iam::111122223333:user/mallory";
        let sso =
            "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0f/Ada@x";
        check((Some(user), None, None), &none, &[(Tie::Principal, user)]);
        check((Some("service:bedrock.amazonaws.com"), None, Some("bedrock.amazonaws.com")), &none, &[]);
        check((Some("unknown@111122223333"), Some("not-a-key"), Some("AWS Internal")), &none, &[]);
        check((None, Some("AKIAIOSFODNN7EXAMPLE"), None), &none, &[(Tie::Key, "AKIAIOSFODNN7EXAMPLE")]);
        check((None, None, Some("203.0.113.9")), &none, &[(Tie::Address, "203.0.113.9")]);
        check((None, None, Some("10.0.0.9")), &none, &[(Tie::Address, "111122223333 10.0.0.9")]);
        check((None, None, Some("100.64.1.2")), &none, &[(Tie::Address, "111122223333 100.64.1.2")]);
        check((None, None, Some("::ffff:203.0.113.9")), &none, &[(Tie::Address, "203.0.113.9")]);
        check((None, None, Some("127.0.0.1")), &none, &[]);
        check((Some(sso), None, None), &none, &[(Tie::Principal, sso), (Tie::Person, "ada@x")]);
        let facts = json!({ "deleted_by": user, "restored_by": "arn:aws:iam::111122223333:user/ada", "jobs": [] });
        check((None, None, None), &facts, &[(Tie::Principal, user)]);
        let facts = json!({ "source_identity": "Ada", "created_access_key_id": "AKIA0", "created_user_arn": user });
        check((None, None, None), &facts, &[(Tie::Person, "ada"), (Tie::Key, "AKIA0"), (Tie::Principal, user)]);
        // Alerts about a day list what its records said.
        let facts = json!({ "created_access_key_id": ["AKIA0", "AKIA1"], "credential_made_for_user": ["mallory"] });
        check((None, None, None), &facts, &[(Tie::Key, "AKIA0"), (Tie::Key, "AKIA1"), (Tie::Principal, user)]);
        let (admin, made) = ("arn:aws-cn:iam::111122223333:user/a", "arn:aws-cn:iam::111122223333:user/mallory");
        let facts = json!({ "credential_made_for_user": "mallory" });
        check((Some(admin), None, None), &facts, &[(Tie::Principal, admin), (Tie::Principal, made)]);
    }

    #[test]
    fn whoever_did_it_is_not_crowded_out_by_what_was_made() {
        let keys: Vec<String> = (0..20).map(|number| format!("AKIA{number}")).collect();
        let facts = json!({ "created_access_key_id": keys }).as_object().cloned().unwrap_or_default();
        let alert = Alert { facts, ..sample::alert() };
        let found: Vec<String> = links(&alert).into_iter().map(|link| link.key).collect();
        assert_eq!(found.len(), LINKS_MAX);
        for own in links(&sample::alert()) {
            assert!(found.contains(&own.key), "{}", own.key);
        }
    }

    #[test]
    fn keys_are_the_same_for_the_same_and_tell_kinds_apart() {
        assert_eq!(key(Tie::Principal, "a"), key(Tie::Principal, "a"));
        assert_ne!(key(Tie::Principal, "a"), key(Tie::Key, "a"));
        // SHA-256 of "abc", as FIPS 180-4 has it.
        assert_eq!(key(Tie::Address, "abc"), "aba7816bf8f01cfea414140de");
    }

    #[test]
    fn a_withdrawn_alert_has_none_and_a_long_one_ends_after_a_day() {
        let withdrawn = Alert { status: Status::Withdrawn, ..sample::alert() };
        assert_eq!(links(&withdrawn), Vec::new());
        let long = Alert { last_event_time: sample::alert().first_event_time.plus(9 * SPAN_MAX_S), ..sample::alert() };
        assert!(links(&long).iter().all(|link| link.last == link.first.plus(SPAN_MAX_S)));
        assert_eq!(links(&long).len(), 3);
    }
}
