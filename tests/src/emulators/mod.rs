//! Emulators of AWS that tests start themselves, on a free port of loopback, each ending with the test.
//!
//! None of them throttles, expires an iterator or delivers twice; what only the real service does is played by doubles
//! of our own where a test needs it. Which emulator is right about what:
//!
//! | emulator | for |
//! |---|---|
//! | [`aws`], moto with `tests/emulators/aws.py` | Bedrock, EC2, S3, SQS, SNS, DynamoDB, EventBridge and its targets |
//! | [`kinesalite`] | shards that split, merge and close |
//! | [`kinesis_local`] | enhanced fan-out, `ChildShards`, paging of shards |
//! | [`dynalite`] | a second opinion about DynamoDB |

pub mod denying;
pub mod faults;

use std::{collections::BTreeSet, io, path::Path, process::Stdio, time::Duration};

use bedrock_watch_aws::Aws;
use bedrock_watch_service::config::{AccountConfig, aws::AwsConfig};
use tokio::{
    io::BufReader,
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{
    peers::{free_port, line_with, node::Packages, python::Venv},
    repository::root,
};

/// How long an emulator may take to start listening.
const START: Duration = Duration::from_secs(120);
/// The region that tests use where they need one.
pub const REGION: &str = "eu-central-1";
/// The account whose credentials tests have; moto's default.
pub const ACCOUNT: &str = "123456789012";
/// What the program may do: the task role, the role in other accounts, and what `doctor` asks for.
const POLICIES: [&str; 3] = ["daemon.json", "member-role.json", "doctor.json"];
/// Credentials that every emulator takes.
pub const ACCESS_KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

/// A running emulator; it ends with this.
#[derive(Debug)]
pub struct Emulator {
    /// Where it listens.
    pub url: String,
    _child: Child,
    /// Some end when their standard input does.
    _stdin: Option<ChildStdin>,
    /// Kept open, so that what it writes later finds a reader.
    _stdout: BufReader<ChildStdout>,
}

impl Emulator {
    /// The way to it for the code under test: this emulator's address for every service, credentials that it takes.
    ///
    /// # Panics
    /// When the way cannot be made.
    pub async fn aws(&self) -> Aws {
        self.aws_with(&[]).await
    }

    /// As [`Self::aws`], with other accounts that are asked.
    ///
    /// # Panics
    /// When the way cannot be made.
    #[expect(clippy::expect_used, reason = "a test that lacks its emulator must fail")]
    pub async fn aws_with(&self, accounts: &[(&str, AccountConfig)]) -> Aws {
        let accounts = accounts.iter().map(|(id, account)| ((*id).to_owned(), account.clone())).collect();
        let (id, secret) = ACCESS_KEY;
        Aws::connect_as(&self.config(), &accounts, (id, secret)).await.expect("a region is given")
    }

    /// The `[aws]` section that leads to it.
    #[must_use]
    pub fn config(&self) -> AwsConfig {
        AwsConfig {
            region: Some(REGION.to_owned()),
            endpoint_url: Some(self.url.clone()),
            regions: Vec::new(),
            operation_timeout_ms: 30_000,
            calls_per_s: 1_000,
        }
    }

    /// The IAM actions that the real program has needed of this emulator so far, those it was refused among them. Only
    /// [`aws`] knows them.
    ///
    /// # Panics
    /// When it does not say.
    #[expect(clippy::expect_used, reason = "a test that lacks its emulator must fail")]
    pub async fn called(&self) -> BTreeSet<String> {
        let answer = reqwest::get(format!("{}/bedrock-watch/called", self.url)).await.expect("moto answers");
        let answer = answer.bytes().await.expect("moto answers in full");
        serde_json::from_slice(&answer).expect("moto answers a list")
    }

    /// The environment that leads a program to it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 5] {
        let (id, secret) = ACCESS_KEY;
        [
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", id.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Starts a program that says `said` once it listens at `url`; without a `url`, the line ends with the port.
    async fn start(name: &str, mut command: Command, said: &str, url: Option<String>) -> Result<Self, String> {
        let text = |error: io::Error| format!("cannot start {name}: {error}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().map_err(text)?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or_else(|| format!("{name} has no standard output"))?);
        let line = timeout(START, line_with(name, &mut stdout, said)).await;
        let line = line.map_err(|_| format!("{name} does not listen after {} s", START.as_secs()))??;
        let port = || line.trim().rsplit([' ', ':']).next().unwrap_or_default().to_owned();
        let url = url.unwrap_or_else(|| format!("http://127.0.0.1:{}", port()));
        Ok(Self { url, _stdin: child.stdin.take(), _child: child, _stdout: stdout })
    }
}

fn folder() -> std::path::PathBuf {
    root().join("tests/emulators")
}

fn venv(scratch: &str) -> Result<Venv, String> {
    Venv::of(scratch, &folder().join("requirements.txt"))
}

fn packages(scratch: &str) -> Result<Packages, String> {
    Packages::of(scratch, &venv(scratch)?, "emulators", &folder())
}

/// moto, with what it gets wrong put right. `scratch` is the build's folder for test files (`CARGO_TARGET_TMPDIR`).
///
/// The real program is refused whatever the policies of `infra/iam` do not allow, in every test that runs it.
///
/// # Errors
/// When it cannot be installed or does not start.
pub async fn aws(scratch: &str) -> Result<Emulator, String> {
    aws_allowing(scratch, &POLICIES).await
}

/// As [`aws`], with these policies of `infra/iam` and no others for the real program.
///
/// # Errors
/// When it cannot be installed or does not start.
pub async fn aws_allowing(scratch: &str, policies: &[&str]) -> Result<Emulator, String> {
    let mut command = Command::new(venv(scratch)?.program("python"));
    let (id, secret) = ACCESS_KEY;
    command.arg(folder().join("aws.py"));
    command.args(policies.iter().map(|policy| root().join("infra/iam").join(policy)));
    command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
    // It takes the local time for that of UTC.
    command.env("TZ", "UTC");
    Emulator::start("moto", command, "listening on ", None).await
}

/// Kinesis as kinesalite has it.
///
/// # Errors
/// When it cannot be installed or does not start.
pub async fn kinesalite(scratch: &str) -> Result<Emulator, String> {
    let quickly = ["--createStreamMs", "20", "--deleteStreamMs", "20", "--updateStreamMs", "20", "--shardLimit", "100"];
    on_port(scratch, "kinesalite", &quickly, "Listening at").await
}

/// DynamoDB as dynalite has it.
///
/// # Errors
/// When it cannot be installed or does not start.
pub async fn dynalite(scratch: &str) -> Result<Emulator, String> {
    on_port(scratch, "dynalite", &["--createTableMs", "0", "--deleteTableMs", "0"], "listening at").await
}

async fn on_port(scratch: &str, name: &str, arguments: &[&str], said: &str) -> Result<Emulator, String> {
    let text = |error: io::Error| format!("cannot start {name}: {error}");
    let port = free_port().map_err(text)?;
    let mut command = packages(scratch)?.command(name).map_err(text)?;
    command.args(["--port", &port.to_string()]).args(arguments);
    Emulator::start(name, command, said, Some(format!("http://127.0.0.1:{port}"))).await
}

/// Kinesis as kinesis-local has it.
///
/// # Errors
/// When it cannot be installed or does not start.
pub async fn kinesis_local(scratch: &str) -> Result<Emulator, String> {
    let name = "kinesis-local";
    let text = |error: io::Error| format!("cannot start {name}: {error}");
    let (plain, tls) = (free_port().map_err(text)?, free_port().map_err(text)?);
    let packages = packages(scratch)?;
    let mut command = packages.command(name).map_err(text)?;
    // It looks for its certificate in the folder that it is started in.
    command.current_dir(packages.folder().join(Path::new("node_modules").join(name)));
    command.env("KINESIS_MOCK_PLAIN_PORT", plain.to_string()).env("KINESIS_MOCK_TLS_PORT", tls.to_string());
    for duration in ["CREATE", "DELETE", "SPLIT", "MERGE", "UPDATE", "REGISTER", "DEREGISTER"] {
        let what = if duration.ends_with("REGISTER") {
            "STREAM_CONSUMER"
        } else if matches!(duration, "SPLIT" | "MERGE") {
            "SHARD"
        } else {
            "STREAM"
        };
        let what = if duration == "MERGE" { "SHARDS" } else { what };
        command.env(format!("{duration}_{what}_DURATION"), "20ms");
    }
    command.env("LOG_LEVEL", "INFO").env("AWS_REGION", REGION).env("AWS_ACCOUNT_ID", ACCOUNT);
    Emulator::start(name, command, "Not configured to persist", Some(format!("http://127.0.0.1:{plain}"))).await
}
