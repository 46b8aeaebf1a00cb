//! The arguments of `doctor`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The forms in which findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorFormat {
    /// A line for each link, and how to mend it
    Human,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is changed and no alert is sent. Each link is fine, broken (with the command that mends it) or not checked (with
the permission that is missing); infra/iam/doctor.json has every permission that this needs. Exit code 3 says that a
link is broken.

Examples:
  bedrock-watch doctor --config bedrock-watch.toml            the chain of this account and region
  bedrock-watch doctor --config bedrock-watch.toml --canary   and try it: put an event on the bus, read it back
  bedrock-watch doctor --config bedrock-watch.toml --org      every account and enabled region of the organization")]
pub(crate) struct DoctorArguments {
    /// The configuration of the service, TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Look at every account and enabled region of the organization instead
    #[arg(long, conflicts_with = "canary")]
    pub(crate) org: bool,
    /// Also put a marked event on the canary's bus, and wait for it at the stream
    #[arg(long)]
    pub(crate) canary: bool,
    /// Where the daemon is asked whether it is ready [default: its own address in the configuration]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// How findings are printed [default: human on a terminal, json otherwise]
    #[arg(long, value_enum)]
    pub(crate) format: Option<DoctorFormat>,
}
