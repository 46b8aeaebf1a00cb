//! `man` and `completions`: the command line, described for `man` and for shells.
//!
//! Both follow from the arguments alone, so they cannot say anything else than `--help` does.

use std::{fs, path::Path};

use anyhow::Context;
use clap::CommandFactory;

use super::{Failure, Outcome, print};
use crate::{
    args::{Arguments, CompletionsArguments, ManArguments},
    terminal,
};

/// Runs `man`.
pub(super) fn man(arguments: &ManArguments) -> Result<Outcome, Failure> {
    let mut command = described();
    command.build();
    if let Some(folder) = &arguments.dir {
        write_all(&command, folder)?;
        terminal::say(&format!("the manual pages are in {}", folder.display()));
        return Ok(Outcome::Fine);
    }
    for name in &arguments.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| Failure::Arguments(format!("`{}` has no command `{name}`", typed(&command))))?;
    }
    print(&String::from_utf8_lossy(&page(&command)?))?;
    Ok(Outcome::Fine)
}

/// Writes the page of a command, and those of the commands below it.
fn write_all(command: &clap::Command, folder: &Path) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let file = folder.join(format!("{name}.1"));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, page(command)?));
    written.with_context(|| format!("cannot write {}", file.display()))?;
    command.get_subcommands().try_for_each(|below| write_all(below, folder))
}

/// The page of a command, in roff.
fn page(command: &clap::Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let source = format!("bedrock-watch {}", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command.clone()).source(source).manual("bedrock-watch").render(&mut page)?;
    Ok(page)
}

/// Runs `completions`.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<Outcome, Failure> {
    let mut command = described();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    // For bash it spells a name with a hyphen in two ways, and then completes nothing after a command:
    // https://github.com/clap-rs/clap/issues/6529.
    print(&String::from_utf8_lossy(&script).replace("bedrock__subcmd__watch", "bedrock__watch"))?;
    Ok(Outcome::Fine)
}

/// The command line, without the `help` commands, of which each would be a page of its own.
fn described() -> clap::Command {
    without_help(Arguments::command())
}

fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// What is typed to reach a command.
fn typed(command: &clap::Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
}
