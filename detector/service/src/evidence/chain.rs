//! One line after the other, each sealed with a hash over itself and the line before.
//!
//! A line is JSON as serde writes it, in the order of [`Entry`]'s fields, and ends with `,"hash":"HEX"}`. The hash is
//! SHA-256 over exactly the bytes of the line with that ending replaced by `}`, so whoever has `sed` and `sha256sum` can
//! check it. Deliberately no key: what makes a rewritten chain visible is that its lines lie, with their hashes, where
//! nobody can change them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Fact;

/// The version of the format.
const FORMAT: u32 = 1;
/// What stands before the hash, at the end of a line.
const SEAL: &str = ",\"hash\":\"";
/// What stands after it.
const END: &str = "\"}";
/// Letters of a hash.
const HASH_LETTERS: usize = 64;

/// Where a chain stands: the number and the hash of its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Counted from 1; 0 before the first line.
    pub seq: u64,
    /// In hexadecimal; zeros before the first line.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: "0".repeat(HASH_LETTERS) }
    }
}

/// A line that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Whose chain it belongs to.
    pub worker: String,
    /// Its number.
    pub seq: u64,
    /// When it was written, by the writer's clock.
    pub at: Timestamp,
    /// The hash of the line before.
    pub prev: String,
    /// What happened.
    pub fact: Fact,
    /// Its own hash.
    pub hash: String,
}

/// What is hashed, in this order.
#[derive(Serialize, Deserialize)]
struct Body<'a, F> {
    v: u32,
    #[serde(borrow)]
    worker: std::borrow::Cow<'a, str>,
    seq: u64,
    at: Timestamp,
    #[serde(borrow)]
    prev: std::borrow::Cow<'a, str>,
    #[serde(flatten)]
    fact: F,
}

/// Why a line is none of a chain, whatever stands around it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It does not end as a line does.
    #[error("it does not end with a hash, as every entry does")]
    Unsealed,
    /// Somebody changed it.
    #[error("it was changed: its hash is {found} and it says {said}")]
    Changed {
        /// The hash of what is there.
        found: String,
        /// The hash it claims.
        said: String,
    },
    /// Its hash is right, and it is no entry.
    #[error("it is no entry of this format: {0}")]
    Unreadable(String),
}

/// In hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

/// The SHA-256 of bytes, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The line that comes after `head`, without its line feed, and where the chain stands then.
///
/// # Errors
/// When the fact is nothing that JSON can say, which none is.
pub fn next_line(head: &Head, worker: &str, at: Timestamp, fact: &Fact) -> Result<(Head, String), serde_json::Error> {
    let seq = head.seq.saturating_add(1);
    let body = Body { v: FORMAT, worker: worker.into(), seq, at, prev: (&*head.hash).into(), fact };
    let mut line = serde_json::to_string(&body)?;
    let hash = sha256(line.as_bytes());
    line.truncate(line.len().saturating_sub(1));
    line.push_str(SEAL);
    line.push_str(&hash);
    line.push_str(END);
    Ok((Head { seq, hash }, line))
}

/// The lines after `head` for these facts, each with its number.
///
/// # Errors
/// As [`next_line`].
pub fn next_lines(
    head: &mut Head,
    worker: &str,
    at: Timestamp,
    facts: &[Fact],
) -> Result<Vec<(u64, String)>, serde_json::Error> {
    let mut lines = Vec::with_capacity(facts.len());
    for fact in facts {
        let (next, line) = next_line(head, worker, at, fact)?;
        lines.push((next.seq, line));
        *head = next;
    }
    Ok(lines)
}

/// What a line says.
///
/// # Errors
/// When it was changed, or is none.
pub fn read_line(line: &str) -> Result<Entry, Flaw> {
    let (body, said) = unsealed(line).ok_or(Flaw::Unsealed)?;
    let found = sha256(body.as_bytes());
    if found != said {
        return Err(Flaw::Changed { found, said: said.to_owned() });
    }
    let body: Body<'_, Fact> = serde_json::from_str(&body).map_err(|error| Flaw::Unreadable(error.to_string()))?;
    Ok(Entry {
        worker: body.worker.into_owned(),
        seq: body.seq,
        at: body.at,
        prev: body.prev.into_owned(),
        fact: body.fact,
        hash: found,
    })
}

/// What is hashed of a line, and the hash that it claims.
fn unsealed(line: &str) -> Option<(String, &str)> {
    let rest = line.strip_suffix(END)?;
    let (rest, said) = rest.split_at_checked(rest.len().checked_sub(HASH_LETTERS)?)?;
    let body = rest.strip_suffix(SEAL)?;
    Some((format!("{body}}}"), said))
}

/// The hash that a line claims, whether it is right or not.
pub(super) fn claimed(line: &str) -> Option<&str> {
    unsealed(line).map(|(_, said)| said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::fact::SilenceEnded;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    #[test]
    fn a_line_is_what_the_documentation_says() {
        let fact = Fact::SilenceEnded(SilenceEnded { silence: "s-1".to_owned() });
        let (head, line) = next_line(&Head::default(), "w", at(0), &fact).unwrap();
        let zeros = "0".repeat(64);
        let body = format!(
            r#"{{"v":1,"worker":"w","seq":1,"at":"2026-11-18T11:06:40Z","prev":"{zeros}","kind":"silence_ended","silence":"s-1""#
        );
        assert_eq!(line, format!("{body},\"hash\":\"{}\"}}", sha256(format!("{body}}}").as_bytes())));
        let entry = read_line(&line).unwrap();
        assert_eq!((entry.worker.as_str(), entry.seq, &entry.prev, &entry.hash), ("w", 1, &zeros, &head.hash));
        assert_eq!(entry.fact, fact);
    }

    #[test]
    fn what_a_later_version_wrote_is_read_as_unknown() {
        let mut body =
            r#"{"v":1,"worker":"w","seq":1,"at":"2026-11-18T10:26:40Z","prev":"00","kind":"teleported","to":{"x":1}}"#
                .to_owned();
        let hash = sha256(body.as_bytes());
        body.truncate(body.len() - 1);
        let entry = read_line(&format!("{body},\"hash\":\"{hash}\"}}")).unwrap();
        assert_eq!(entry.fact, Fact::Unknown);
    }

    #[test]
    fn lines_that_are_none_say_why() {
        for (line, expected) in [
            ("", Flaw::Unsealed),
            ("{}", Flaw::Unsealed),
            (
                &format!("{{\"v\":1{SEAL}{}{END}", "é".repeat(32)),
                Flaw::Changed { found: sha256(b"{\"v\":1}"), said: "é".repeat(32) },
            ),
        ] {
            assert_eq!(read_line(line).unwrap_err(), expected);
        }
        let hash = sha256(b"{\"v\":1}");
        assert!(matches!(read_line(&format!("{{\"v\":1{SEAL}{hash}{END}")), Err(Flaw::Unreadable(_))));
    }
}
