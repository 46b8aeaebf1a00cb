//! How far a shard has been read, as text that outlives the process.

use std::{cmp::Ordering, fmt};

use jiff::Timestamp;

/// The text of [`Position::ShardEnd`], as the Kinesis Client Library writes it.
const SHARD_END: &str = "SHARD_END";
/// What the text of [`Position::Time`] begins with.
const TIME: &str = "AT ";
/// Digits of the longest sequence number, with room to spare: AWS documents at most 128.
const DIGITS_MAX: usize = 128;

/// The sequence number of a record: a decimal number too long for any integer type, compared as a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sequence(String);

impl Sequence {
    /// Reads a sequence number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = !text.is_empty() && text.len() <= DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit());
        let digits = text.trim_start_matches('0');
        is_number.then(|| Self(if digits.is_empty() { "0" } else { digits }.to_owned()))
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// About when the record arrived, to the second, where the number tells it.
    ///
    /// AWS does not document this; kinesalite found it out. Numbers of the present form (186 bits, the last four of
    /// which say 2) hold the second in bits 36 to 71. It is used in messages to people and for nothing else.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        const BITS: usize = 186;
        let hex = self.hexadecimal();
        if hex.len() != BITS.div_ceil(4) || !hex.starts_with('2') || !hex.ends_with('2') {
            return None;
        }
        let seconds = i64::from_str_radix(hex.get(29..38)?, 16).ok()?;
        Timestamp::from_second(seconds)
            .ok()
            .filter(|time| *time <= Timestamp::now() + jiff::SignedDuration::from_hours(1))
    }

    fn hexadecimal(&self) -> String {
        // Four bits a digit, least first. Long multiplication: fifty-odd digits, and only for a message.
        let mut nibbles: Vec<u32> = Vec::new();
        for digit in self.0.bytes() {
            let mut carry = u32::from(digit.wrapping_sub(b'0'));
            for nibble in &mut nibbles {
                let value = nibble.wrapping_mul(10).wrapping_add(carry);
                *nibble = value & 0xF;
                carry = value >> 4;
            }
            while carry > 0 {
                nibbles.push(carry & 0xF);
                carry >>= 4;
            }
        }
        nibbles.iter().rev().filter_map(|nibble| char::from_digit(*nibble, 16)).collect()
    }
}

impl Ord for Sequence {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without leading zeros the longer number is the greater.
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Sequence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How far a shard has been read. Later positions are greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// Nothing that arrived since this time.
    Time(Timestamp),
    /// Everything up to the record of this number, inclusive.
    Sequence(Sequence),
    /// Everything; the shard is closed, so its children may be read.
    ShardEnd,
}

impl Position {
    /// Reads a position; the error is the text itself, shortened.
    ///
    /// # Errors
    /// When the text is no position.
    pub fn parse(text: &str) -> Result<Self, String> {
        let time = |text: &str| text.strip_prefix(TIME)?.parse().ok().map(Self::Time);
        match text {
            SHARD_END => Ok(Self::ShardEnd),
            _ => Sequence::parse(text)
                .map(Self::Sequence)
                .or_else(|| time(text))
                .ok_or_else(|| text.chars().take(DIGITS_MAX).collect()),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(formatter, "{TIME}{time}"),
            Self::Sequence(sequence) => write!(formatter, "{sequence}"),
            Self::ShardEnd => formatter.write_str(SHARD_END),
        }
    }
}

/// Where reading a shard begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that is kept.
    TrimHorizon,
    /// With what comes.
    Latest,
    /// With what arrived since.
    At(Timestamp),
    /// With the record after this one.
    After(Sequence),
}

impl Start {
    /// Where to go on from a position; `None` when nothing is left to read.
    #[must_use]
    pub fn from_position(position: &Position) -> Option<Self> {
        match position {
            Position::Time(time) => Some(Self::At(*time)),
            Position::Sequence(sequence) => Some(Self::After(sequence.clone())),
            Position::ShardEnd => None,
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrimHorizon => formatter.write_str("the oldest record that is kept"),
            Self::Latest => formatter.write_str("what comes"),
            Self::At(time) => write!(formatter, "what arrived since {time}"),
            Self::After(sequence) => write!(formatter, "what follows {sequence}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_as_text_and_are_ordered() {
        let texts = [
            "AT 2026-11-22T03:04:05Z",
            "9",
            "10",
            "49600000000000000000000000000000000000000000000000000001",
            "49600000000000000000000000000000000000000000000000000010",
            "SHARD_END",
        ];
        let positions: Vec<Position> = texts.iter().map(|text| Position::parse(text).unwrap()).collect();
        assert_eq!(positions.iter().map(ToString::to_string).collect::<Vec<_>>(), texts);
        assert!(positions.is_sorted_by(|one, two| one < two));
        for bad in ["", "LATEST", "AT yesterday", "-1", "1e5", &"1".repeat(129)] {
            Position::parse(bad).unwrap_err();
        }
    }

    #[test]
    fn tells_when_a_record_arrived() {
        // From a stream of kinesalite: put at 2026-11-22T03:28:34Z. Others tell nothing.
        let hex = format!("2{:09x}0{:016x}00{:09x}{:08x}2", 1_795_317_000_u64, 7, 1_795_318_114_u64, 0);
        let number = hex.chars().fold(vec![0_u32], |digits, hex| {
            let mut carry = hex.to_digit(16).unwrap();
            let mut digits: Vec<u32> = digits.into_iter().rev().collect();
            for digit in &mut digits {
                let value = *digit * 16 + carry;
                *digit = value % 10;
                carry = value / 10;
            }
            while carry > 0 {
                digits.push(carry % 10);
                carry /= 10;
            }
            digits.into_iter().rev().collect()
        });
        let number: String = number.iter().map(|digit| char::from_digit(*digit, 10).unwrap()).collect();
        let time = Sequence::parse(&number).unwrap().time().unwrap();
        assert_eq!(time.to_string(), "2026-11-22T03:28:34Z");
        assert_eq!(Sequence::parse("21").unwrap().time(), None);
    }
}
