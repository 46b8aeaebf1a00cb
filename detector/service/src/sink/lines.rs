//! Alerts as lines: standard output and files.
//!
//! Every revision is written, a line each in JSON and OCSF. A line may be there twice after a crash: readers tell
//! repeats by the alert's id and state. Deliberately no fsync: the store is what lasts, a file is for reading along.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, TryLockError},
};

use async_trait::async_trait;
use bedrock_watch_engine::alert::{AlertChange, ChangeKind};

use super::{Sink, SinkError, Telling, Told};
use crate::{
    format::{Colour, Format},
    store::Claim,
};

/// Deliveries that are written one after the other.
const BATCH: usize = 32;

/// Writes alerts to a stream or a file.
#[derive(Debug)]
pub(super) struct Lines {
    name: String,
    kind: &'static str,
    format: Format,
    colour: Colour,
    out: Arc<Mutex<Out>>,
}

enum Out {
    Stream(Box<dyn Write + Send>),
    File { path: PathBuf, open: Option<File> },
}

impl std::fmt::Debug for Out {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stream(_) => formatter.write_str("Stream"),
            Self::File { path, .. } => formatter.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Lines {
    /// Writes to `stream`.
    pub(super) fn stream(name: &str, stream: Box<dyn Write + Send>, format: Format, colour: Colour) -> Self {
        let out = Arc::new(Mutex::new(Out::Stream(stream)));
        Self { name: name.to_owned(), kind: "stdout", format, colour, out }
    }

    /// Appends to the file at `path`, and follows it when it is rotated away.
    pub(super) fn file(name: &str, path: PathBuf, format: Format) -> Self {
        let out = Arc::new(Mutex::new(Out::File { path, open: None }));
        Self { name: name.to_owned(), kind: "file", format, colour: Colour::Never, out }
    }

    fn render(&self, claim: &Claim, incident: Option<&str>) -> String {
        let one = |kind: ChangeKind, alert: &bedrock_watch_engine::alert::Alert| {
            self.format.render_in(&AlertChange { kind, alert: alert.clone() }, incident, self.colour)
        };
        if claim.pending.is_empty() {
            return one(ChangeKind::Updated, &claim.alert.alert);
        }
        claim.pending.iter().map(|revision| one(revision.kind, &revision.alert)).collect()
    }
}

#[async_trait]
impl Sink for Lines {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    /// One after the other: there is one stream.
    fn concurrency(&self) -> usize {
        1
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn tells_incidents(&self) -> bool {
        self.format == Format::Json
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        let text: String = telling.claims.iter().map(|claim| self.render(claim, telling.incident_id())).collect();
        let out = Arc::clone(&self.out);
        // A reader may be slow and a disk may hang, so this does not run where other tasks do. A write that hangs
        // keeps its thread; the lock sees to it that there is never more than one.
        let written = tokio::task::spawn_blocking(move || match out.try_lock() {
            Ok(mut out) => out.write(text.as_bytes()),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().write(text.as_bytes()),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("an earlier write has not ended")),
        });
        match written.await {
            Ok(Ok(())) => {
                Ok(Told { requests: u32::try_from(telling.claims.len()).unwrap_or(u32::MAX), ..Told::default() })
            }
            Ok(Err(error)) => Err(SinkError::sink(&format!("cannot write: {error}"), false)),
            Err(_) => Err(SinkError::sink("writing was interrupted", true)),
        }
    }
}

impl Out {
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Stream(stream) => {
                stream.write_all(text)?;
                stream.flush()
            }
            Self::File { path, open } => {
                let mut file = match open.take() {
                    Some(file) if is_same(&file, path) => file,
                    _ => open_at_line(path)?,
                };
                // A file that could not be written is opened anew, which ends a line that was torn.
                file.write_all(text)?;
                *open = Some(file);
                Ok(())
            }
        }
    }
}

/// Opens the file for appending, and ends the last line if a crash or a full disk tore it.
fn open_at_line(path: &Path) -> io::Result<File> {
    let context = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(context)?;
    if file.metadata().map_err(context)?.len() > 0 {
        let mut last = [0_u8];
        file.seek(SeekFrom::End(-1)).map_err(context)?;
        file.read_exact(&mut last).map_err(context)?;
        if last != *b"\n" {
            file.write_all(b"\n").map_err(context)?;
        }
    }
    Ok(file)
}

/// Whether the path still names the open file.
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => open.dev() == named.dev() && open.ino() == named.ino(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_a_rotated_file_and_ends_torn_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        std::fs::write(&path, "{\"torn\":").unwrap();
        let mut out = Out::File { path: path.clone(), open: None };
        out.write(b"one\n").unwrap();
        out.write(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"torn\":\none\ntwo\n");
        let rotated = folder.path().join("alerts.1");
        std::fs::rename(&path, &rotated).unwrap();
        out.write(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        std::fs::remove_file(&path).unwrap();
        out.write(b"four\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n");
        let mut nowhere = Out::File { path: folder.path().join("no/such"), open: None };
        assert!(nowhere.write(b"x").unwrap_err().to_string().contains("no/such"));
    }
}
