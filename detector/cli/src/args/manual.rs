//! The arguments of `man` and `completions`, which describe this very command line to other programs.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(after_help = "\
Without --dir one page is printed: that of the program, or that of the command that is named.

Examples:
  bedrock-watch man | man -l -                        read the page of the program
  bedrock-watch man rules test | man -l -             read that of a command
  bedrock-watch man --dir /usr/local/share/man/man1   install the pages of all commands")]
pub(crate) struct ManArguments {
    /// The command whose page is printed, such as `rules test`
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub(crate) command: Vec<String>,
    /// Write the pages of the program and of all its commands into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bedrock-watch completions bash > /etc/bash_completion.d/bedrock-watch
  bedrock-watch completions zsh > \"${fpath[1]}/_bedrock-watch\"
  bedrock-watch completions fish > ~/.config/fish/completions/bedrock-watch.fish")]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}
