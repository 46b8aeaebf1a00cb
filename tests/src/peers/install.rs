//! Installs once what a folder's files name, below the build's folder; tests that run at the same time wait for it.
//!
//! The folder's name holds a digest of everything that decides what is installed. So two versions of a repository
//! that share one build's folder do not disturb each other, and nothing has to be compared to find out what is there.

use std::{
    fmt::Write,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

/// Bytes of the digest that are part of a folder's name.
const DIGEST_BYTES: usize = 8;
/// Tells that an installation came to its end; one without it is begun again.
const DONE: &str = "installed";

/// What is installed, and from which files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// First part of the folder's name.
    pub(super) name: &'a str,
    /// Copied into the folder. Their contents decide whether it must be installed.
    pub(super) files: &'a [PathBuf],
    /// What decides as well: the program that installs, say.
    pub(super) with: &'a str,
    /// What a machine must have; part of every error.
    pub(super) hint: &'a str,
}

/// The folder with what is wanted; `install` is called in it when it is not there.
pub(super) fn once(
    scratch: &str,
    wanted: Wanted<'_>,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let Wanted { name, files, with, hint } = wanted;
    let text = |error: io::Error| format!("cannot install {name} below {scratch}: {error}; {hint}");
    let peers = Path::new(scratch).join("peers");
    fs::create_dir_all(&peers).map_err(text)?;
    let key = digest(files, with).map_err(text)?;
    let folder = peers.join(format!("{name}-{key}"));
    let lock = File::create(peers.join(format!("{name}-{key}.lock"))).map_err(text)?;
    lock.lock().map_err(text)?;
    if folder.join(DONE).exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(text)?;
    }
    fs::create_dir(&folder).map_err(text)?;
    for file in files {
        fs::copy(file, folder.join(file.file_name().unwrap_or_default())).map_err(text)?;
    }
    install(&folder).map_err(|error| format!("{error}; {hint}"))?;
    fs::write(folder.join(DONE), "").map_err(text)?;
    Ok(folder)
}

fn digest(files: &[PathBuf], with: &str) -> io::Result<String> {
    let mut hasher = Sha256::new();
    hasher.update(with);
    for file in files {
        let bytes = fs::read(file).map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
        hasher.update(bytes.len().to_le_bytes());
        hasher.update(bytes);
    }
    let mut name = String::new();
    for byte in hasher.finalize().iter().take(DIGEST_BYTES) {
        write!(name, "{byte:02x}").map_err(io::Error::other)?;
    }
    Ok(name)
}

/// Runs a command to its end and gives back what it printed; the error holds what it wrote to standard error.
pub(super) fn run(command: &mut Command) -> Result<String, String> {
    let shown = format!("{:?} {:?}", command.get_program(), command.get_args().collect::<Vec<_>>());
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
