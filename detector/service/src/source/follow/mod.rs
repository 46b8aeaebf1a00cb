//! A file that grows, followed as `tail -F` does: through rotation, truncation and a last line that is not complete yet.
//!
//! Deliberately by looking again every so often, not by notifications: those do not exist on every file system a log
//! is mounted from. Compressed files do not grow record by record and are not followed.

#[cfg(test)]
mod tests;

use std::{
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    Intake, Kept, Records, Repeat,
    reader::{Before, Pending, pump},
};
use crate::status::Status;

/// The longest sleep at a time, so that shutting down need not wait for a long interval.
const SLEEP_MAX: Duration = Duration::from_millis(100);
/// Files of a folder that are looked at for one that was renamed.
const FOLDER_ENTRIES_MAX: usize = 10_000;

/// A file to follow.
#[derive(Debug)]
pub struct Follow {
    /// The file; it need not exist yet.
    pub path: PathBuf,
    /// Whether what is in it already is read.
    pub from_start: bool,
    /// How often it is looked at.
    pub poll: Duration,
    /// Up to where the engine remembers it, as a position this source gave.
    pub resume: Option<String>,
    /// Up to where it was judged before and its alerts stored, where that is later: what lies between is read again.
    pub committed: Option<String>,
    /// Where records go.
    pub intake: Intake,
    /// Ends the following.
    pub stop: CancellationToken,
    /// Says while there is no file.
    pub status: Status,
}

/// Where to go on in a file: which file it was, and how many of its bytes are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    identity: String,
    offset: u64,
}

impl Resume {
    /// Reads a position.
    #[must_use]
    pub fn parse(position: &str) -> Option<Self> {
        let (identity, offset) = position.rsplit_once('@')?;
        Some(Self { identity: identity.to_owned(), offset: offset.parse().ok()? })
    }

    fn position(identity: &str, offset: u64) -> String {
        format!("{identity}@{offset}")
    }
}

impl Follow {
    /// Follows until it is stopped. Blocks; to be called on a thread that may.
    pub fn run(mut self) {
        let name = format!("file {}", self.path.display());
        let mut committed = self.committed.take().as_deref().and_then(Resume::parse);
        // Without a memory that knows the file, what was committed is still the place to go on from.
        let remembered = self.resume.take().as_deref().and_then(Resume::parse);
        let resume = remembered.or_else(|| if self.from_start { None } else { committed.clone() });
        let mut first = true;
        if let Some(resume) = &resume
            && let Some((file, about)) = self.renamed(resume)
        {
            self.read_rest(&name, (file, about), resume.offset, &mut committed);
            first = false;
        }
        while let Some((file, about, waited)) = self.open(&name, &mut committed) {
            let offset = match &resume {
                _ if !first || waited => 0,
                Some(resume) if resume.identity != identity(&about) => {
                    let path = self.path.display();
                    tracing::warn!(%path, "another file has this name; what the one before held last is not found");
                    0
                }
                Some(resume) if resume.offset > about.len() => 0,
                Some(resume) => resume.offset,
                None if self.from_start => 0,
                None => about.len(),
            };
            if first && resume.is_none() {
                self.begin(&Resume::position(&identity(&about), offset));
            }
            first = false;
            let through = committed.take().filter(|through| through.identity == identity(&about));
            let through = through.map(|through| through.offset).filter(|through| *through >= offset);
            if through.is_none() {
                self.nothing_repeats();
            }
            if !self.follow(&name, file, (&about, offset), through.map_or(Before::Nothing, Before::Through)) {
                return;
            }
        }
    }

    /// Reads one file from `offset` on, to the end of its life; `false` when it cannot be read.
    fn follow(&self, name: &str, mut file: File, (about, offset): (&Metadata, u64), before: Before) -> bool {
        if let Err(error) = file.seek(SeekFrom::Start(offset)) {
            tracing::error!(path = %self.path.display(), %error, "cannot follow");
            self.status.set(name, &error.to_string());
            return false;
        }
        let names = (identity(about), Resume::position as fn(&str, u64) -> String);
        let pending = Pending::of_file(self.intake.clone(), names, offset, before);
        let tail = Tail { follow: self, file, identity: identity(about), offset };
        pump(name, tail, pending, offset);
        true
    }

    /// Reads what a file that was renamed while nobody looked holds from `offset` on, until another has its name.
    fn read_rest(&self, name: &str, (file, about): (File, Metadata), offset: u64, committed: &mut Option<Resume>) {
        tracing::info!(path = %self.path.display(), "the file was renamed; its rest is read first");
        let before = match committed {
            Some(through) if through.identity == identity(&about) && through.offset >= offset => {
                Before::Through(through.offset)
            }
            // Files are read one after the other: what was committed is of a later one.
            Some(through) if through.identity != identity(&about) => Before::All,
            _ => Before::Nothing,
        };
        if before != Before::All {
            *committed = None;
        }
        if before == Before::Nothing {
            self.nothing_repeats();
        }
        self.follow(name, file, (&about, offset), before);
    }

    /// The file that was read before, if it has another name in the same folder and holds at least what was read.
    fn renamed(&self, resume: &Resume) -> Option<(File, Metadata)> {
        if std::fs::metadata(&self.path).is_ok_and(|about| identity(&about) == resume.identity) {
            return None;
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let entries = std::fs::read_dir(folder.unwrap_or_else(|| Path::new("."))).ok()?;
        let is_it =
            |about: &Metadata| about.is_file() && identity(about) == resume.identity && about.len() >= resume.offset;
        let mut entries = entries.take(FOLDER_ENTRIES_MAX).filter_map(Result::ok);
        let found = entries.find(|entry| entry.metadata().is_ok_and(|about| is_it(&about)))?;
        let file = File::open(found.path()).ok()?;
        // It may have been replaced since it was found.
        let about = file.metadata().ok().filter(is_it)?;
        Some((file, about))
    }

    /// Says where the reading begins, so that a crash before the first record does not lose that.
    fn begin(&self, position: &str) {
        // When the service is shutting down already, nothing is read and nothing lost.
        self.intake.send_blocking(Records::default(), Kept::At(position.to_owned()), Repeat::New).unwrap_or_default();
    }

    /// Says that nothing of what was judged before comes again.
    fn nothing_repeats(&self) {
        self.intake.send_blocking(Records::default(), Kept::Nowhere, Repeat::Last).unwrap_or_default();
    }

    /// Opens the file, waiting for it where it does not exist; `None` when it is told to stop. Nobody waits for what was
    /// `committed` of a file that is not there.
    fn open(&self, name: &str, committed: &mut Option<Resume>) -> Option<(File, Metadata, bool)> {
        let mut waited = false;
        while !self.stop.is_cancelled() {
            match File::open(&self.path).and_then(|file| Ok((file.metadata()?, file))) {
                Ok((about, file)) => {
                    self.status.clear(name);
                    return Some((file, about, waited));
                }
                Err(error) => {
                    waited = true;
                    if committed.take().is_some() {
                        self.nothing_repeats();
                    }
                    self.status.set(name, &format!("cannot open it: {error}"));
                }
            }
            self.sleep();
        }
        None
    }

    /// Sleeps for the interval, or less when it is told to stop.
    fn sleep(&self) {
        let mut left = self.poll;
        while !left.is_zero() && !self.stop.is_cancelled() {
            let slice = left.min(SLEEP_MAX);
            std::thread::sleep(slice);
            left = left.saturating_sub(slice);
        }
    }
}

/// Reads one file to the end of its life: until another has its name, it is truncated, or the following ends.
struct Tail<'a> {
    follow: &'a Follow,
    file: File,
    identity: String,
    offset: u64,
}

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let replaced = is_another(&self.follow.path, &self.identity);
            let read = self.file.read(buffer)?;
            self.offset = self.offset.saturating_add(read as u64);
            if read > 0 {
                return Ok(read);
            }
            // Replaced before that read found nothing: nothing can come any more. Truncated: begin again.
            if replaced || self.file.metadata()?.len() < self.offset || self.follow.stop.is_cancelled() {
                return Ok(0);
            }
            self.follow.sleep();
        }
    }
}

fn identity(about: &Metadata) -> String {
    format!("{}:{}", about.dev(), about.ino())
}

/// Whether another file has the name. While there is none, the old one may still be written.
fn is_another(path: &Path, old: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|about| identity(&about) != old)
}
