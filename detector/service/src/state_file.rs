//! The file that carries memory over restarts: the engine's snapshot and what it contains, which belong together. The
//! daemon's lies beside its database; `replay` can write one and start from it.
//!
//! It is replaced atomically, and a digest tells a damaged file from a whole one. A file and not a row of the database,
//! because it may be large and is always written whole. Deliberately no history of files: what comes after the one that
//! is whole is in the journal, or can be read again from its positions.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::Snapshot;

/// The first line of every state file; the number is the format of this container.
const MAGIC: &[u8] = b"bedrock-watch state 1\n";

/// The file is for the service's user alone: it knows who does what.
pub(crate) const PRIVATE: u32 = 0o600;

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error("cannot {action} the state file {}: {source}", path.display())]
    Io {
        /// `read`, `write` or `lock`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process uses it.
    #[error("the state file {} is used by another bedrock-watch; stop it, or choose another one", .0.display())]
    InUse(PathBuf),
    /// It is something else.
    #[error("{} is no state file of this version of bedrock-watch; choose another one, or move it away", .0.display())]
    Foreign(PathBuf),
    /// It is not whole.
    #[error(
        "the state file {} is damaged: {reason}; restore it from a backup, or move it away to start without memory",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    positions: BTreeMap<String, String>,
    // Files of before there was a journal have none.
    #[serde(default)]
    journal: u64,
    snapshot_bytes: usize,
    snapshot_sha256: String,
}

/// A state file.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    // Held so that the lock is; the operating system frees it whatever happens to the process.
    _lock: Option<File>,
}

impl StateFile {
    /// The file, only to look at: somebody else may be writing it.
    #[must_use]
    pub fn unclaimed(path: &Path) -> Self {
        Self { path: path.to_owned(), _lock: None }
    }

    /// Claims the file for this process alone; it need not exist.
    ///
    /// # Errors
    /// When another process uses it, or its folder cannot be written.
    pub fn claim(path: &Path) -> Result<Self, StateError> {
        let io = |source| StateError::Io { action: "lock", path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(PRIVATE);
        let lock = options.open(beside(path, ".lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; `None` when there is none yet.
    ///
    /// # Errors
    /// When it cannot be read, is something else or is damaged.
    pub fn load(&self) -> Result<Option<Snapshot>, StateError> {
        match fs::read(&self.path) {
            Ok(bytes) => self.parse(&bytes).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Io { action: "read", path: self.path.clone(), source }),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<Snapshot, StateError> {
        let damaged = |reason: &str| StateError::Damaged { path: self.path.clone(), reason: reason.to_owned() };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| StateError::Foreign(self.path.clone()))?;
        let end = memchr::memchr(b'\n', rest).ok_or_else(|| damaged("it ends within its header"))?;
        let (header, snapshot) = rest.split_at(end);
        let snapshot = snapshot.get(1..).unwrap_or_default();
        let header: Header = serde_json::from_slice(header).map_err(|_| damaged("its header is unreadable"))?;
        if snapshot.len() != header.snapshot_bytes {
            return Err(damaged(&format!("it has {} of {} bytes", snapshot.len(), header.snapshot_bytes)));
        }
        if digest(snapshot) != header.snapshot_sha256 {
            return Err(damaged("its digest does not fit"));
        }
        Ok(Snapshot { positions: header.positions, journal: header.journal, bytes: snapshot.to_vec() })
    }

    /// Replaces it atomically: at every moment there is either the old file or the new one, whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, state: &Snapshot) -> Result<(), StateError> {
        let io = |source| StateError::Io { action: "write", path: self.path.clone(), source };
        let header = Header {
            positions: state.positions.clone(),
            journal: state.journal,
            snapshot_bytes: state.bytes.len(),
            snapshot_sha256: digest(&state.bytes),
        };
        let header = serde_json::to_vec(&header).map_err(|error| io(error.into()))?;
        let temporary = beside(&self.path, ".new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(PRIVATE);
        let mut file = options.open(&temporary).map_err(io)?;
        for part in [MAGIC, &header, b"\n", &state.bytes] {
            file.write_all(part).map_err(io)?;
        }
        file.sync_all().map_err(io)?;
        drop(file);
        fs::rename(&temporary, &self.path).map_err(io)?;
        // The rename itself must survive a power cut; a folder that cannot be synced is no reason to fail.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Ok(folder) = File::open(folder.unwrap_or_else(|| Path::new("."))) {
            folder.sync_all().unwrap_or_default();
        }
        Ok(())
    }
}

/// The path with something added to its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(nibble), 16));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_whole_or_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let file = StateFile::claim(&path).unwrap();
        assert_eq!(file.load().unwrap(), None);
        let positions = BTreeMap::from([("file a".to_owned(), "12".to_owned())]);
        let state = Snapshot { positions, journal: 7, bytes: b"line\nline\n\x00".to_vec() };
        file.save(&Snapshot::default()).unwrap();
        file.save(&state).unwrap();
        assert_eq!(file.load().unwrap(), Some(state));

        let whole = fs::read(&path).unwrap();
        let check = |bytes: &[u8], expected: &str| {
            fs::write(&path, bytes).unwrap();
            let message = file.load().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(b"", "is no state file");
        check(b"SQLite format 3", "is no state file");
        check(&whole[..40], "ends within its header");
        check(&whole[..whole.len() - 1], "has 10 of 11 bytes");
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        check(&flipped, "digest does not fit");
        // As they were before there was a journal.
        let text = String::from_utf8(whole).unwrap().replace("\"journal\":7,", "");
        fs::write(&path, text).unwrap();
        assert_eq!(file.load().unwrap().map(|state| state.journal), Some(0));
    }

    #[test]
    fn belongs_to_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = StateFile::claim(&path).unwrap();
        assert!(matches!(StateFile::claim(&path), Err(StateError::InUse(_))));
        drop(first);
        StateFile::claim(&path).unwrap();
    }
}
