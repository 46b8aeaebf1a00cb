//! From the paths on a command line to the inputs they stand for; and inputs that somebody else brings.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use bedrock_watch_engine::Second;

use super::Note;

/// How deep folders are followed. Links to folders are not, so this only guards against the absurd.
const FOLDER_DEPTH_MAX: usize = 64;

/// Something to read records from.
#[derive(Debug)]
pub struct Input {
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
}

/// Something that is fetched when it is opened, such as an object in S3.
pub trait Remote: fmt::Debug + Send + Sync {
    /// No record in it is earlier; `None` where only its records can tell.
    fn not_before(&self) -> Option<Second>;

    /// How many bytes are fetched, where that is known.
    fn size(&self) -> Option<u64>;

    /// Fetches it, waiting until it is there. It may be opened again.
    ///
    /// # Errors
    /// When it cannot be fetched; the message says why and what to do.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A regular file: it can be opened again.
    File(PathBuf),
    /// A pipe or the like: it can be read once.
    Stream(PathBuf),
    /// Standard input.
    Stdin,
    /// It is somewhere else.
    Remote(Arc<dyn Remote>),
}

impl Input {
    /// Standard input.
    #[must_use]
    pub fn stdin() -> Self {
        Self { name: "-".into(), kind: Kind::Stdin }
    }

    /// Something that is fetched when a replay reaches it.
    #[must_use]
    pub fn remote(name: &str, remote: Arc<dyn Remote>) -> Self {
        Self { name: name.into(), kind: Kind::Remote(remote) }
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes it has, where that is known: for a progress bar.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match &self.kind {
            Kind::File(path) => fs::metadata(path).ok().map(|about| about.len()),
            Kind::Stream(_) | Kind::Stdin => None,
            Kind::Remote(remote) => remote.size(),
        }
    }

    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.kind {
            Kind::File(path) | Kind::Stream(path) => Ok(Box::new(File::open(path)?)),
            Kind::Stdin => Ok(Box::new(io::stdin())),
            Kind::Remote(remote) => remote.open(),
        }
    }
}

/// Finds the inputs that `paths` stand for: a file, a folder (in name order, with the folders in it), or `-` for
/// standard input. What cannot be read is noted, and the rest goes on.
#[must_use]
pub fn walk<P: AsRef<Path>>(paths: &[P]) -> (Vec<Input>, Vec<Note>) {
    let mut found = Found::default();
    for path in paths {
        let path = path.as_ref();
        if path == Path::new("-") {
            found.inputs.push(Input::stdin());
            continue;
        }
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => found.folder(path, 0),
            Ok(about) if about.is_file() => found.input(path, Kind::File(path.to_owned())),
            // Named by the user, so a pipe is welcome.
            Ok(_) => found.input(path, Kind::Stream(path.to_owned())),
            Err(error) => found.note(path, true, format!("cannot read: {error}")),
        }
    }
    (found.inputs, found.notes)
}

#[derive(Default)]
struct Found {
    inputs: Vec<Input>,
    notes: Vec<Note>,
}

impl Found {
    fn input(&mut self, path: &Path, kind: Kind) {
        self.inputs.push(Input { name: path.to_string_lossy().into(), kind });
    }

    fn note(&mut self, path: &Path, is_failure: bool, text: String) {
        self.notes.push(Note { input: path.to_string_lossy().into(), is_failure, text });
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        if depth > FOLDER_DEPTH_MAX {
            self.note(folder, true, format!("skipped: folders are followed {FOLDER_DEPTH_MAX} deep"));
            return;
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.note(folder, true, format!("cannot read the folder: {error}")),
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(error) => self.note(folder, true, format!("cannot read all of the folder: {error}")),
            }
        }
        paths.sort();
        for path in paths {
            self.entry(&path, depth);
        }
    }

    fn entry(&mut self, path: &Path, depth: usize) {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden {
            return self.note(path, false, "skipped: hidden".to_owned());
        }
        let is_link = path.is_symlink();
        match fs::metadata(path) {
            Ok(about) if about.is_file() => self.input(path, Kind::File(path.to_owned())),
            Ok(about) if about.is_dir() && is_link => {
                self.note(path, false, "skipped: a link to a folder".to_owned());
            }
            Ok(about) if about.is_dir() => self.folder(path, depth + 1),
            Ok(_) => self.note(path, false, "skipped: not a regular file".to_owned()),
            Err(error) => self.note(path, true, format!("cannot read: {error}")),
        }
    }
}
