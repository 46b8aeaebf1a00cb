//! Snapshots: everything the engine remembers, as versioned bytes.
//!
//! The format is the memory's own structure in postcard, behind a magic number and a version. A snapshot of another
//! version is refused by name, never misread.

use crate::engine::Memory;

/// What a snapshot begins with.
const MAGIC: &[u8; 8] = b"BWMEMORY";

/// The version of the format; raise it whenever anything in the memory's structure changes.
const VERSION: u16 = 7;

/// Why a snapshot could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It does not begin as a snapshot does.
    #[error("not a bedrock-watch snapshot")]
    Foreign,
    /// It was written by a version whose format this one does not know.
    #[error(
        "snapshot format {found} is not supported (this version reads {supported}): start without it, or with the \
         version that wrote it"
    )]
    Version {
        /// The format found.
        found: u16,
        /// The format this version reads.
        supported: u16,
    },
    /// It is damaged.
    #[error("snapshot is damaged: {0}")]
    Damaged(String),
}

/// The memory as bytes.
pub(crate) fn write(memory: &Memory) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_be_bytes());
    // Everything in the memory has a length and no type can refuse; should that ever change, the snapshot is empty
    // and restoring it says so.
    bytes.extend(postcard::to_allocvec(memory).unwrap_or_default());
    bytes
}

/// The memory that `write` wrote.
pub(crate) fn read(bytes: &[u8]) -> Result<Memory, SnapshotError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::Foreign)?;
    let (version, body) = rest.split_first_chunk::<2>().ok_or(SnapshotError::Foreign)?;
    let found = u16::from_be_bytes(*version);
    if found != VERSION {
        return Err(SnapshotError::Version { found, supported: VERSION });
    }
    postcard::from_bytes(body).map_err(|error| SnapshotError::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_cannot_read() {
        let check = |bytes: &[u8], expected: &str| {
            let error = read(bytes).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{error}");
        };
        check(b"", "not a bedrock-watch snapshot");
        check(b"BWMEMORY\0", "not a bedrock-watch snapshot");
        check(b"BWMEMORY\xff\xff", "format 65535");
        check(&[MAGIC.as_slice(), &VERSION.to_be_bytes(), &[1]].concat(), "damaged");
        let empty = write(&Memory::default());
        assert!(read(&empty).is_ok());
        assert!(read(&empty[..empty.len() - 1]).is_err());
    }
}
