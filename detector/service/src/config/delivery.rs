//! Where alerts go and which go where: the typed form of `[[sink]]`, `[[route]]`, `[[account]]` and their like.

use std::{collections::BTreeMap, path::PathBuf};

use bedrock_watch_engine::alert::Severity;

use super::{
    Secret,
    aws::{AccountAccess, AwsSink},
};
use crate::format::Format;

/// A sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkConfig {
    /// What routes, logs and metrics call it; unique.
    pub name: String,
    /// How it is treated.
    pub pace: Pace,
    /// What it is.
    pub kind: SinkKind,
}

/// How fast and how patiently a sink is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Messages a minute at most, on average.
    pub per_minute: u32,
    /// How long one request may take, in milliseconds.
    pub timeout_ms: u64,
    /// The longest pause between two attempts, in seconds.
    pub backoff_max_s: u64,
    /// For how long a failing delivery is tried again before it becomes a dead letter, in seconds.
    pub give_up_s: u64,
    /// After how long an alert that still fires is told again, in seconds; `None` is never.
    pub repeat_s: Option<u64>,
}

/// What a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkKind {
    /// Standard output.
    Stdout {
        /// The form; `None` is human on a terminal and JSON otherwise.
        format: Option<Format>,
    },
    /// A file that grows.
    File {
        /// The file.
        path: PathBuf,
        /// The form.
        format: Format,
    },
    /// Slack.
    Slack {
        /// How it is reached.
        access: SlackAccess,
        /// What a message is about; an incoming webhook cannot edit messages, so there each alert has its own.
        group_by: GroupBy,
    },
    /// PagerDuty's Events API v2.
    PagerDuty {
        /// The integration key.
        routing_key: Secret,
        /// Where events are posted.
        url: String,
        /// What a page is about.
        group_by: GroupBy,
    },
    /// Any HTTP endpoint.
    Webhook {
        /// Where alerts are posted; secret, because such addresses often carry a token.
        url: Secret,
        /// JSON or OCSF.
        format: Format,
        /// The key of the signature (Standard Webhooks), if there is one.
        signing_secret: Option<Secret>,
        /// Additional headers.
        headers: BTreeMap<String, Secret>,
    },
    /// A service of AWS.
    Aws(AwsSink),
}

/// What a message or a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// Everything that belongs together.
    Incident,
    /// One alert.
    Alert,
}

/// How Slack is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlackAccess {
    /// An incoming webhook: one message for each change.
    Webhook {
        /// Its address.
        url: Secret,
    },
    /// A bot token: one message for each alert, edited as the alert grows.
    Bot {
        /// The token.
        token: Secret,
        /// The channel's id or name.
        channel: String,
        /// Where the Web API is, such as `https://slack.com/api/`.
        api_url: String,
    },
}

/// Which alerts go where. Routes are tried in order; the first that matches decides, unless it says `continue`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoutingConfig {
    /// The routes. Without any, every alert goes to every sink, and those still learning not to PagerDuty.
    pub routes: Vec<Route>,
    /// What accounts are called and to which group they belong, by account id.
    pub accounts: BTreeMap<String, AccountConfig>,
    /// How severities change in a group of accounts, by group.
    pub groups: BTreeMap<String, GroupConfig>,
    /// What is never told.
    pub suppressions: Vec<Suppression>,
    /// Where runbooks are: put before an alert's `runbook`.
    pub runbook_url: Option<String>,
    /// Where the console is, for links in messages.
    pub console_url: Option<String>,
}

/// A route. What is left out matches everything; `*` in a text stands for any text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// At least this severity.
    pub severity_min: Option<Severity>,
    /// One of these rules.
    pub rules: Vec<String>,
    /// One of these accounts.
    pub accounts: Vec<String>,
    /// One of these groups of accounts.
    pub groups: Vec<String>,
    /// One of these regions.
    pub regions: Vec<String>,
    /// One of these principals.
    pub principals: Vec<String>,
    /// Alerts whose facts are still learning: `None` is only to sinks other than PagerDuty, else whether they go here.
    pub learning: Option<bool>,
    /// The sinks.
    pub sinks: Vec<String>,
    /// Whether later routes are tried as well.
    pub r#continue: bool,
    /// What alerts must have in common to be told together: `rule`, `account`, `region`, `principal`. Empty: each alone.
    pub group_by: Vec<String>,
    /// How long an alert below critical waits for others to be told with it, in seconds.
    pub group_wait_s: u64,
}

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountConfig {
    /// What people call it.
    pub name: Option<String>,
    /// Who owns it.
    pub owner: Option<String>,
    /// The group it belongs to, such as `production`.
    pub group: Option<String>,
    /// How AWS is asked about it; `None` if it is not.
    pub access: Option<AccountAccess>,
}

/// A group of accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupConfig {
    /// Alerts are worse by so many levels; negative makes them milder.
    pub severity_shift: i8,
    /// No alert is worse than this.
    pub severity_max: Option<Severity>,
}

/// Alerts that are never told, such as those about a known scanner. They are stored and counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// One of these rules; empty is any.
    pub rules: Vec<String>,
    /// One of these principals.
    pub principals: Vec<String>,
    /// One of these accounts; empty is any.
    pub accounts: Vec<String>,
    /// Why.
    pub reason: String,
}
