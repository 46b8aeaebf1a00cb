//! The quick way for bodies that are one record, as those of a stream mostly are: scanned where they lie, and not copied.

use super::{
    RECORD_BYTES_MAX,
    scanner::{Scan, Scanner},
};

/// The record that `body` is, if it is one and nothing else but space around its end. The splitter says the same of it;
/// what is no container and complete needs nothing else that the splitter knows.
pub(in crate::input) fn single(body: &[u8]) -> Option<&[u8]> {
    if !body.starts_with(b"{") || body.len() > RECORD_BYTES_MAX {
        return None;
    }
    let (length, Scan::Done) = Scanner::new().scan(body) else { return None };
    let (record, after) = body.split_at_checked(length)?;
    after.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).then_some(record)
}
