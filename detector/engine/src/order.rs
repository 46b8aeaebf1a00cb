//! Judging order: the one order in which everything is judged, however it was delivered.
//!
//! Deliberately not delivery order: CloudTrail gives none.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{alert::Actor, time::Second};

/// An event's place in judging order: second, then CloudTrail before native events, then id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];

fn parse_uuid(id: &[u8]) -> Option<[u8; 16]> {
    if id.len() != 36 {
        return None;
    }
    let mut bytes = [0_u8; 16];
    let mut digits = 0_usize;
    for (place, &character) in id.iter().enumerate() {
        if UUID_DASHES.contains(&place) {
            if character != b'-' {
                return None;
            }
            continue;
        }
        let digit = match character {
            b'0'..=b'9' => character.wrapping_sub(b'0'),
            b'a'..=b'f' => character.wrapping_sub(b'a').wrapping_add(10),
            _ => return None,
        };
        let byte = bytes.get_mut(digits / 2)?;
        *byte = (*byte << 4) | digit;
        digits = digits.saturating_add(1);
    }
    Some(bytes)
}

fn format_uuid(bytes: &[u8; 16]) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(36);
    for byte in bytes {
        if UUID_DASHES.contains(&text.len()) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 15] {
            text.push(HEX.get(usize::from(nibble)).copied().unwrap_or('0'));
        }
    }
    text
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
