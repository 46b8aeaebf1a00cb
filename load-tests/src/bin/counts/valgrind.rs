//! Runs this program under callgrind and reads how many instructions it counted.

use std::{env, fs, process::Command};

use anyhow::{Context as _, anyhow, ensure};

/// Says what to install when valgrind is not there.
pub(crate) fn ensure_installed() -> anyhow::Result<()> {
    let found = Command::new("valgrind").arg("--version").output();
    let found = found.is_ok_and(|output| output.status.success());
    ensure!(found, "valgrind is not installed; on Debian and Ubuntu: apt-get install valgrind");
    Ok(())
}

/// The instructions of a case, all its records together.
pub(crate) fn count(case: &str) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg("--collect-atstart=no")
        .arg("--toggle-collect=*counts*measured*")
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(env::current_exe()?)
        .args(["--play", case])
        .output()
        .context("running valgrind")?;
    ensure!(output.status.success(), "{case} failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&counts).context("reading what callgrind counted")?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    let total = total.ok_or_else(|| anyhow!("callgrind wrote no total"))?.trim().parse::<u64>()?;
    ensure!(total > 0, "callgrind counted nothing: is the program built without symbols?");
    Ok(total)
}
