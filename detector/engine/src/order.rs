//! Judging order: the one order in which everything is judged, however it was delivered.
//!
//! Deliberately not delivery order: CloudTrail gives none.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{alert::Actor, time::Second};

/// An event's place in judging order: second, then CloudTrail before native events, then id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// Event time.
    pub at: Second,
    /// Whether it is an event of the service's own, which come after CloudTrail's of the same second.
    pub native: bool,
    /// eventID, or the envelope's id of a native event.
    pub id: Box<str>,
}

/// An event that an alert rests on: when, which, and who.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    /// Its place in judging order.
    pub moment: Moment,
    /// `eventName`.
    pub name: Box<str>,
    /// The normalised principal.
    pub principal: Box<str>,
    /// Who did it, as the record says.
    pub actor: Actor,
}

/// An event id in the space of a UUID, which nearly every event id is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EventId {
    /// A lower-case UUID.
    Uuid([u8; 16]),
    /// Anything else.
    Text(Box<str>),
}

impl EventId {
    /// Takes in an id.
    #[must_use]
    pub(crate) fn new(id: &str) -> Self {
        parse_uuid(id.as_bytes()).map_or_else(|| Self::Text(id.into()), Self::Uuid)
    }

    /// The id as it was.
    #[must_use]
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Uuid(bytes) => format_uuid(bytes),
            Self::Text(text) => text.to_string(),
        }
    }
}

impl Ord for EventId {
    /// The order of the texts.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Uuid(left), Self::Uuid(right)) => left.cmp(right),
            (left, right) => left.to_text().cmp(&right.to_text()),
        }
    }
}

impl PartialOrd for EventId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Where the two digits of each byte of a UUID stand.
const UUID_DIGITS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];

fn parse_uuid(id: &[u8]) -> Option<[u8; 16]> {
    /// No lower-case hexadecimal digit.
    const NONE: u8 = 0xff;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
    static VALUES: [u8; 256] = {
        let mut values = [NONE; 256];
        let mut value: u8 = 0;
        while value < 16 {
            let digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
            values[digit as usize] = value;
            value += 1;
        }
        values
    };
    let id: &[u8; 36] = id.try_into().ok()?;
    let value = |place: usize| id.get(place).and_then(|digit| VALUES.get(usize::from(*digit))).copied().unwrap_or(NONE);
    let mut bytes = [0_u8; 16];
    // A value that is no digit has bits that none of the sixteen digits has.
    let mut seen = 0;
    for (byte, place) in bytes.iter_mut().zip(UUID_DIGITS) {
        let (high, low) = (value(place), value(place.saturating_add(1)));
        seen |= high | low;
        *byte = (high << 4) | (low & 15);
    }
    let dashed = UUID_DASHES.iter().all(|place| id.get(*place) == Some(&b'-'));
    (dashed && seen < 16).then_some(bytes)
}

fn format_uuid(bytes: &[u8; 16]) -> String {
    uuid::fmt::Hyphenated::from_uuid(uuid::Uuid::from_bytes(*bytes)).encode_lower(&mut [0; 36]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_and_order_as_text() {
        let ids = [
            "9606afeb-3e3a-4f54-88ad-556e3d02d102",
            "9606AFEB-3e3a-4f54-88ad-556e3d02d102",
            "evt-1",
            "",
            "00000000-0000-0000-0000-000000000000",
            "9606afeb-3e3a-4f54-88ad-556e3d02d10g",
            "9606afeb03e3a-4f54-88ad-556e3d02d102",
        ];
        for left in ids {
            assert_eq!(EventId::new(left).to_text(), left);
            for right in ids {
                assert_eq!(EventId::new(left).cmp(&EventId::new(right)), left.cmp(right), "{left} {right}");
            }
        }
    }
}
