//! First times: what nobody in an account, or one principal, had done with Bedrock in the 30 days before.
//!
//! A first time is a fact about one event: it is the earliest, in judging order, of its principal, region, model,
//! operation, network or user agent after 30 UTC days without. A late record can take that from an event and give it to
//! an earlier one, and then the rules' answer about the event is another one, see [`log`]. Deliberately no counts of
//! calls: those are the affair of `principals`.

mod log;
mod origin;
mod sightings;

pub(crate) use log::{First, FirstLog, Matched, found};
pub(crate) use origin::Origin;
pub(crate) use sightings::{Key, Sightings, SightingsList};

/// What an event is the first of, as a set of bits.
pub(crate) type Bits = u8;

/// The principal's first event on Bedrock.
pub(crate) const PRINCIPAL: Bits = 1;
/// The account's first use of a region: an inference call, or a call that is more than a look.
pub(crate) const REGION: Bits = 1 << 1;
/// The account's first call of a model.
pub(crate) const MODEL: Bits = 1 << 2;
/// The principal's first call of an operation that is not inference.
pub(crate) const OPERATION: Bits = 1 << 3;
/// The principal's first call from a network.
pub(crate) const NETWORK: Bits = 1 << 4;
/// The principal's first call with a family of user agents.
pub(crate) const USER_AGENT: Bits = 1 << 5;
/// Not a first time by itself: the principal had no event on the 30 UTC days before this one.
pub(crate) const DAY: Bits = 1 << 6;

/// Everything that makes an event the first of something.
pub(crate) const ALL: Bits = PRINCIPAL | REGION | MODEL | OPERATION | NETWORK | USER_AGENT;

/// The fields of rules, without `watch.`, and what each asks for.
const FIELDS: [(&str, Bits); 7] = [
    ("first.principal", PRINCIPAL),
    ("first.region", REGION),
    ("first.model", MODEL),
    ("first.operation", OPERATION),
    ("first.network", NETWORK),
    ("first.user_agent", USER_AGENT),
    ("first.day", DAY),
];

/// What a field of rules asks for; `None` for every other field.
pub(crate) fn bit_of(field: &str) -> Option<Bits> {
    FIELDS.iter().find(|(name, _)| *name == field).map(|(_, bit)| *bit)
}

/// Whether an operation only looks: such calls do not make a region used.
pub(crate) fn is_look(operation: &str) -> bool {
    ["Get", "List", "Describe", "BatchGet", "Search"].iter().any(|verb| operation.starts_with(verb))
}
