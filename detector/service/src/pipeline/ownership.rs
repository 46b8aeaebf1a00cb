//! Which accounts a loop answers for.
//!
//! A stream's records are spread over its shards by the MD5 of their partition key, and the key is the account. So
//! whoever reads a shard answers for the accounts whose MD5 lies in the shard's range: it alone sees all they do.

use md5::{Digest as _, Md5};

/// The hash keys of a shard, both ends inclusive (Amazon Kinesis Data Streams API reference, HashKeyRange).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRange {
    /// The least.
    pub start: u128,
    /// The greatest.
    pub end: u128,
}

/// Text is no hash key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no hash key: a number from 0 to 2^128 - 1 is expected")]
pub struct NoHashKey(String);

impl HashRange {
    /// Every hash key.
    pub const ALL: Self = Self { start: 0, end: u128::MAX };

    /// A range whose ends are decimal numbers, as AWS writes them.
    ///
    /// # Errors
    /// When one of them is no such number.
    pub fn parse(start: &str, end: &str) -> Result<Self, NoHashKey> {
        let number = |text: &str| text.parse().map_err(|_| NoHashKey(text.to_owned()));
        Ok(Self { start: number(start)?, end: number(end)? })
    }

    /// Whether a partition key lies in it.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        let hash = u128::from_be_bytes(Md5::digest(key.as_bytes()).into());
        (self.start..=self.end).contains(&hash)
    }
}

/// The accounts a loop answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// All of them: there is no other loop.
    All,
    /// Those whose hash lies in a range.
    Range(HashRange),
}

impl Ownership {
    /// Whether the loop answers for an account.
    #[must_use]
    pub fn owns(&self, account: &str) -> bool {
        match self {
            Self::All => true,
            Self::Range(range) => range.contains(account),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_lie_where_kinesis_puts_them() {
        // The MD5 of 111122223333, as md5sum prints it.
        const MD5: u128 = 0x95eb_ebaa_6804_1c9f_aae8_6732_41ea_ae1b;
        let check = |start: u128, end: u128, expected: bool| {
            let range = HashRange::parse(&start.to_string(), &end.to_string()).unwrap();
            assert_eq!(Ownership::Range(range).owns("111122223333"), expected, "{range:?}");
        };
        check(MD5, MD5, true);
        check(0, MD5, true);
        check(0, MD5 - 1, false);
        check(MD5 + 1, u128::MAX, false);
        assert!(Ownership::All.owns("anything"));
        assert!(HashRange::parse("0", "340282366920938463463374607431768211456").is_err());
    }
}
