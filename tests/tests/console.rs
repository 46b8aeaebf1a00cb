//! The console in a real browser: before a scripted service, which can be made to do anything, and before the real
//! daemon with an attack played into it.
//!
//! The browser, its fonts and what drives it are npm packages, pinned and installed on first use. With
//! `BEDROCK_WATCH_PICTURES=docs/console` the pictures of the documentation are made again.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails fails its test")]

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bedrock_watch_tests::{
    peers::{node::Packages, python::Venv},
    program::binary,
    repository::root,
};
use tokio::{process::Command as AsyncCommand, time::timeout};

/// Longer than all tests of one file take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(600);
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// Runs a file of `tests/console` to its end.
async fn node(file: &str, variables: &[(&str, &str)]) {
    let folder = root().join("tests/console");
    let venv = Venv::of(SCRATCH, &folder.join("requirements.txt")).unwrap();
    let packages = Packages::of(SCRATCH, &venv, "console", &folder).unwrap();
    let mut command: AsyncCommand = packages.node().unwrap();
    command.arg(folder.join(file)).env("PACKAGES", packages.folder()).envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = timeout(DEADLINE, command.output()).await.expect("it ends in time").unwrap();
    let said = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(ran.status.success(), "{file}: {}\n{said}", ran.status);
}

/// `bedrock-watch demo`, until it is dropped.
struct Demo {
    child: Child,
    address: String,
}

impl Demo {
    fn start() -> Self {
        let mut command = Command::new(binary());
        command.args(["demo", "--pace", "40", "--format", "json"]).env_remove("RUST_LOG");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let from = line.find("daemon on ")?.checked_add("daemon on ".len())?;
            Some(line.get(from..)?.trim_end_matches('/').to_owned())
        });
        // What it says later must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("it says where it listens") }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Ending what has ended is no error worth telling.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn does_what_it_should_before_a_scripted_service() {
    node("page.test.mjs", &[]).await;
}

#[tokio::test]
async fn shows_what_the_daemon_knows() {
    let pictures: PathBuf = match env::var_os("BEDROCK_WATCH_PICTURES") {
        Some(folder) => root().join(folder),
        None => Path::new(SCRATCH).join("console-pictures"),
    };
    std::fs::create_dir_all(&pictures).unwrap();
    let demo = Demo::start();
    let variables = [("CONSOLE", &*demo.address), ("PICTURES", pictures.to_str().unwrap())];
    node("daemon.test.mjs", &variables).await;
}
