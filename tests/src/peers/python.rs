//! Python packages of other people, pinned by a requirements file, in a virtual environment of their own.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use super::install::{Wanted, once, run};

/// A virtual environment with the packages of one requirements file.
#[derive(Clone, Debug)]
pub struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// Installs what `requirements` names, unless that was done before. `scratch` is the build's folder for test files
    /// (`CARGO_TARGET_TMPDIR`). The environment belongs to the file's content: another content, another environment.
    ///
    /// # Errors
    /// When it cannot be installed; the message says what is needed.
    pub fn of(scratch: &str, requirements: &Path) -> Result<Self, String> {
        let name = requirements.file_stem().unwrap_or_default().to_string_lossy();
        let wanted = Wanted {
            name: &format!("python-{name}"),
            files: &[requirements.to_owned()],
            with: "",
            hint: "this test needs python3 with venv, and PyPI",
        };
        let folder = once(scratch, wanted, |folder| {
            run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder))?;
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
            let file = requirements.file_name().unwrap_or_default();
            run(Command::new(folder.join("venv/bin/python")).args(pip).arg(file).current_dir(folder)).map(drop)
        })?;
        Ok(Self { folder: folder.join("venv") })
    }

    /// A program of the environment: `python`, or what a package brings.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// `PATH` with the environment's programs before those of the machine.
    ///
    /// # Errors
    /// When a folder's name cannot be part of a `PATH`.
    pub fn path(&self) -> io::Result<OsString> {
        let machine = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.folder.join("bin")).chain(env::split_paths(&machine));
        env::join_paths(folders).map_err(io::Error::other)
    }
}
