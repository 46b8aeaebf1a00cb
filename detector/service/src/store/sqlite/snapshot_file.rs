//! The file beside the database that holds the engine's snapshot with what it contains.
//!
//! It is replaced atomically, and a digest tells a damaged file from a whole one. A file and not a row, because it may
//! be large and is always written whole. Deliberately no history of files: what comes after the one that is whole is in
//! the journal, or can be read again from its positions.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PRIVATE;
use crate::store::{Snapshot, StoreError};

/// The first line of every snapshot file; the number is the format of this container.
const MAGIC: &[u8] = b"bedrock-watch snapshot 1\n";

#[derive(Serialize, Deserialize)]
struct Header {
    positions: BTreeMap<String, String>,
    journal: u64,
    snapshot_bytes: usize,
    snapshot_sha256: String,
}

/// Where the snapshot is kept.
#[derive(Debug, Clone)]
pub(super) struct SnapshotFile {
    path: PathBuf,
}

impl SnapshotFile {
    /// The file at `path`; it need not exist.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads it; `None` when there is none yet.
    pub(super) fn load(&self) -> Result<Option<Snapshot>, StoreError> {
        match fs::read(&self.path) {
            Ok(bytes) => self.parse(&bytes).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unavailable("read the snapshot", &error)),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<Snapshot, StoreError> {
        let damaged = |reason: &str| StoreError::Damaged { place: self.place(), reason: reason.to_owned() };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| StoreError::Foreign {
            place: self.place(),
            reason: "it does not begin as a snapshot does".to_owned(),
        })?;
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
    pub(super) fn save(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.write(snapshot).map_err(|error| self.unavailable("write the snapshot", &error))
    }

    fn write(&self, snapshot: &Snapshot) -> std::io::Result<()> {
        let header = Header {
            positions: snapshot.positions.clone(),
            journal: snapshot.journal,
            snapshot_bytes: snapshot.bytes.len(),
            snapshot_sha256: digest(&snapshot.bytes),
        };
        let header = serde_json::to_vec(&header)?;
        let temporary = beside(&self.path, ".new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(PRIVATE).open(&temporary)?;
        for part in [MAGIC, &header, b"\n", &snapshot.bytes] {
            file.write_all(part)?;
        }
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, &self.path)?;
        // The rename itself must survive a power cut; a folder that cannot be synced is no reason to fail.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Ok(folder) = File::open(folder.unwrap_or_else(|| Path::new("."))) {
            folder.sync_all().unwrap_or_default();
        }
        Ok(())
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn unavailable(&self, action: &'static str, error: &std::io::Error) -> StoreError {
        StoreError::Unavailable { action, place: self.place(), reason: error.to_string() }
    }
}

/// The path with something added to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
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
        let path = folder.path().join("snapshot");
        let file = SnapshotFile::new(path.clone());
        assert_eq!(file.load().unwrap(), None);
        let positions = BTreeMap::from([("file a".to_owned(), "12".to_owned())]);
        let snapshot = Snapshot { positions, journal: 7, bytes: b"line\nline\n\x00".to_vec() };
        file.save(&Snapshot::default()).unwrap();
        file.save(&snapshot).unwrap();
        assert_eq!(file.load().unwrap(), Some(snapshot));

        let whole = fs::read(&path).unwrap();
        let check = |bytes: &[u8], expected: &str| {
            fs::write(&path, bytes).unwrap();
            let message = file.load().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(b"", "does not begin as a snapshot");
        check(b"SQLite format 3", "does not begin as a snapshot");
        check(&whole[..40], "ends within its header");
        check(&whole[..whole.len() - 1], "has 10 of 11 bytes");
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        check(&flipped, "digest does not fit");
    }
}
