//! An archive in a folder, for a single node: files are linked into place, so that none is ever half there or replaced.
//!
//! Whoever owns the machine can change them all the same, which the chain then shows. Copy the folder to where nobody
//! can, or archive to a bucket with object lock.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::archive::{Archive, ArchiveError};

/// Nobody writes a file again, and nobody else reads it, as with the store.
const READ_ONLY: u32 = 0o400;
/// The mode of folders.
const PRIVATE: u32 = 0o700;
/// How deep files lie: worker, day, file.
const DEPTH: usize = 3;

/// An archive in a folder.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The archive in this folder, which is made when something is first written.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        let reason = match done {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(ArchiveError::Unavailable { place: self.place(), action, reason })
    }
}

#[async_trait]
impl Archive for Folder {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<bool, ArchiveError> {
        let key = key.to_owned();
        self.run("write to it", move |folder| put(&folder.join(key), &bytes)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
        let key = key.to_owned();
        let read = move |folder: &Path| match fs::read(folder.join(key)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        self.run("read it", read).await
    }

    async fn list(&self) -> Result<Vec<String>, ArchiveError> {
        self.run("read it", |folder| {
            let mut found = Vec::new();
            match look(folder, "", DEPTH, &mut found) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
            found.sort();
            Ok(found)
        })
        .await
    }
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::DirBuilder::new().recursive(true).mode(PRIVATE).create(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(READ_ONLY))?;
    file.as_file().sync_all()?;
    let written = match file.persist_noclobber(path) {
        Ok(_) => true,
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error.error),
    };
    // The name must survive the power as well as the bytes.
    fs::File::open(folder)?.sync_all()?;
    Ok(written)
}

/// The files below a folder, by their names from the archive's folder on; what cannot be a file of an archive is left
/// out.
fn look(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let name = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if let Some(depth) = depth.checked_sub(1) {
                look(&entry.path(), &format!("{name}/"), depth, found)?;
            }
        } else if name.ends_with(".jsonl") {
            found.push(name);
        }
    }
    Ok(())
}
