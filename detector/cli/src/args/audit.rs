//! The arguments of `audit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The forms in which findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// A table of every job and group, then what to do
    Human,
    /// One JSON object a finding, and one with the numbers
    Json,
    /// One OCSF Compliance Finding a line
    Ocsf,
    /// Inputs of Security Hub's BatchImportFindings, one for each account and region a line
    Asff,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Looks at every customization job of every status, and at each security group it names: whether it exists, and whether
it is in the VPC of the job's subnets. For each finding the commands that repair it are printed. Without --region and
--all-regions the regions of the configuration are looked at, else the region of the environment.

A job without any VPC configuration is a finding of its own kind, informational: it is printed, and makes the exit code
3 only with --strict.

Exit codes: 0 nothing found; 3 a job names a group that it cannot use; 1 nothing found, but something could not be
asked, which is named on standard error.

Examples:
  bedrock-watch audit --all-regions
  bedrock-watch audit --region eu-central-1 --region us-east-1 --format json
  bedrock-watch audit --config /etc/bedrock-watch.toml --account 111122223333
  bedrock-watch audit --region eu-central-1 --format asff | while read -r batch; do
    aws securityhub batch-import-findings --region eu-central-1 --cli-input-json \"$batch\"; done")]
pub(crate) struct AuditArguments {
    /// A region to look at; may be repeated
    #[arg(long = "region", value_name = "REGION", conflicts_with = "all_regions")]
    pub(crate) regions: Vec<String>,
    /// Look at every enabled region
    #[arg(long)]
    pub(crate) all_regions: bool,
    /// An account to look at, the own one or one that the configuration names; may be repeated [default: all of them]
    #[arg(long = "account", value_name = "ACCOUNT")]
    pub(crate) accounts: Vec<String>,
    /// The configuration, for how AWS is reached and the roles of other accounts
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How findings are printed [default: human on a terminal, json otherwise]
    #[arg(long, value_enum)]
    pub(crate) format: Option<AuditFormat>,
    /// Also exit with 3 for jobs without VPC configuration
    #[arg(long)]
    pub(crate) strict: bool,
}
