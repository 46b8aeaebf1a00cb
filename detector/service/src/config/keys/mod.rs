//! The one list of sections and keys.

mod aws;
mod delivery;
mod evidence;
mod incidents;
mod rules;
mod telemetry;

use bedrock_watch_engine::Settings;

use aws::{AWS, CANARY, INVENTORY, KINESIS, LEASES, S3, SQS};
use delivery::{ACCOUNT, ACCOUNT_GROUP, LINKS, ROUTE, SINKS, SUPPRESS};
use evidence::EVIDENCE;
use incidents::{CONTACTS, INCIDENTS};
use rules::{RULE, RULES};
use telemetry::TELEMETRY;

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    /// A whole number in a range.
    Number { default: u64, min: u64, max: u64 },
    /// A whole number in a range that may be negative.
    Signed { default: i64, min: i64, max: i64 },
    /// true or false.
    Flag { default: bool },
    /// Text; without a default it may be left out.
    Text { default: Option<&'static str> },
    /// One of some names; without a default it may be left out.
    Choice { default: Option<&'static str>, choices: &'static [&'static str] },
    /// A list of texts, of some names if there are any.
    Texts { default: &'static [&'static str], choices: &'static [&'static str] },
    /// Text that is never shown.
    Secret,
    /// A table of texts that are never shown, with names of the user's own.
    Secrets,
    /// A table of numbers, with names of the user's own.
    Numbers,
    /// A table of texts or lists of texts, with names of the user's own.
    TextLists,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) doc: &'static str,
    /// What the example shows where there is no default.
    pub(super) sample: &'static str,
    pub(super) required: bool,
}

/// The keys of one kind of source or sink.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) kind: &'static str,
    pub(super) doc: &'static str,
    pub(super) keys: &'static [Key],
}

/// How a section is written.
#[derive(Debug)]
pub(super) enum Form {
    /// `[name]`, once.
    Table(&'static [Key]),
    /// `[name]`, once, and `[name.ID]` for each of many things that have a name.
    Named(&'static [Key], &'static Named),
    /// `[[name]]`, any number of times.
    List(&'static [Key]),
    /// `[[name]]`, any number of times, each with `kind`.
    Kinds(&'static [Variant]),
}

/// The sections below a section, one for each of many things that have a name.
#[derive(Debug)]
pub(super) struct Named {
    /// What they are, such as `rule`.
    pub(super) what: &'static str,
    /// One of them, for the example.
    pub(super) sample: &'static str,
    pub(super) doc: &'static str,
    pub(super) keys: &'static [Key],
    /// `[[name.ID.list]]`: name, what it means, and its keys.
    pub(super) list: (&'static str, &'static str, &'static [Key]),
}

/// A section.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) form: Form,
}

const STANDARD: Settings = Settings::standard();
/// What is a limit in name only.
pub(super) const U32_MAX: u64 = u32::MAX as u64;

const fn number(name: &'static str, default: u64, min: u64, max: u64, doc: &'static str) -> Key {
    Key { name, kind: Kind::Number { default, min, max }, doc, sample: "", required: false }
}

const fn limit(name: &'static str, default: u32, doc: &'static str) -> Key {
    number(name, default as u64, 1, U32_MAX, doc)
}

const fn flag(name: &'static str, default: bool, doc: &'static str) -> Key {
    Key { name, kind: Kind::Flag { default }, doc, sample: "", required: false }
}

const fn text(name: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind: Kind::Text { default: Some(default) }, doc, sample: "", required: false }
}

const fn optional_text(name: &'static str, sample: &'static str, doc: &'static str) -> Key {
    Key { name, kind: Kind::Text { default: None }, doc, sample, required: false }
}

const fn required_text(name: &'static str, sample: &'static str, doc: &'static str) -> Key {
    Key { name, kind: Kind::Text { default: None }, doc, sample, required: true }
}

const fn required(key: Key) -> Key {
    Key { required: true, ..key }
}

const fn secret(name: &'static str, sample: &'static str, doc: &'static str) -> Key {
    Key { name, kind: Kind::Secret, doc, sample, required: false }
}

const fn texts(name: &'static str, sample: &'static str, doc: &'static str) -> Key {
    Key { name, kind: Kind::Texts { default: &[], choices: &[] }, doc, sample, required: false }
}

const fn optional_choice(
    name: &'static str,
    choices: &'static [&'static str],
    sample: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, kind: Kind::Choice { default: None, choices }, doc, sample, required: false }
}

/// Every section, in the order of the example.
pub(super) const SECTIONS: &[Section] = &[
    Section { name: "engine", doc: "How events are judged. Times are event times.", form: Form::Table(ENGINE) },
    Section { name: "limits", doc: "How much is remembered. Reaching a limit is a metric.", form: Form::Table(LIMITS) },
    Section { name: "pipeline", doc: "The loop between sources and sinks.", form: Form::Table(PIPELINE) },
    Section { name: "rules", doc: "Which rules events are judged by.", form: Form::Named(RULES, &RULE) },
    Section {
        name: "http",
        doc: "The HTTP server: events, health, metrics, alerts and the console.",
        form: Form::Table(HTTP),
    },
    Section {
        name: "api_key",
        doc: "Who may use the HTTP server. Keys are needed once it listens beyond loopback.",
        form: Form::List(API_KEY),
    },
    Section {
        name: "source",
        doc: "Where records come from. Without any [[source]], HTTP.",
        form: Form::Kinds(SOURCES),
    },
    Section { name: "sink", doc: "Where alerts go. Without any [[sink]], standard output.", form: Form::Kinds(SINKS) },
    Section {
        name: "route",
        doc: "Which alerts go where. Routes are tried in order; the first that matches decides, unless it says \
              continue. Without any [[route]], every alert goes to every sink.",
        form: Form::List(ROUTE),
    },
    Section {
        name: "account",
        doc: "What accounts are called, for people, and to which group they belong.",
        form: Form::List(ACCOUNT),
    },
    Section {
        name: "account_group",
        doc: "How severities change for the accounts of a group.",
        form: Form::List(ACCOUNT_GROUP),
    },
    Section {
        name: "suppress",
        doc: "Alerts that nobody is told of, such as those about a known scanner. They are stored and counted.",
        form: Form::List(SUPPRESS),
    },
    Section { name: "incidents", doc: "Which alerts belong together.", form: Form::Table(INCIDENTS) },
    Section {
        name: "contacts",
        doc: "Who to turn to; shown in the report of an incident.",
        form: Form::Table(CONTACTS),
    },
    Section { name: "links", doc: "Where links in messages lead.", form: Form::Table(LINKS) },
    Section { name: "aws", doc: "How AWS is reached.", form: Form::Table(AWS) },
    Section { name: "inventory", doc: "Asking AWS which jobs and groups there are.", form: Form::Table(INVENTORY) },
    Section { name: "canary", doc: "An event of the daemon's own that must come back.", form: Form::Table(CANARY) },
    Section { name: "leases", doc: "Sharing a stream's shards between workers.", form: Form::Table(LEASES) },
    Section { name: "store", doc: "Where alerts and memory are kept.", form: Form::Table(STORE) },
    Section {
        name: "evidence",
        doc: "The log of what the detector did and was told, chained by hashes: where it is archived.",
        form: Form::Table(EVIDENCE),
    },
    Section { name: "shutdown", doc: "What happens on SIGTERM and Ctrl-C.", form: Form::Table(SHUTDOWN) },
    Section { name: "log", doc: "The log, on standard error.", form: Form::Table(LOG) },
    Section {
        name: "telemetry",
        doc: "Traces and metrics over OTLP. Nothing is sent without an endpoint.",
        form: Form::Table(TELEMETRY),
    },
];

const ENGINE: &[Key] = &[
    number(
        "lateness_s",
        STANDARD.lateness_s as u64,
        0,
        86_400,
        "How far behind the newest event of its account a record may lie and still be counted, in seconds.",
    ),
    number(
        "emptied_grace_s",
        STANDARD.emptied_grace_s as u64,
        0,
        86_400,
        "How long a job's security group must stay without egress rules before that is an alert, in seconds.",
    ),
    number(
        "quiet_s",
        STANDARD.quiet_s as u64,
        60,
        86_400,
        "After how much quiet the alert about a principal is resolved, in seconds.",
    ),
    number("history_days", STANDARD.history_days as u64, 1, 365, "How far \"never seen before\" looks back, in days."),
    number(
        "baseline_days",
        STANDARD.baseline_days as u64,
        1,
        90,
        "How far back a principal's ordinary rate is measured, in days.",
    ),
    number(
        "baseline_minutes_min",
        STANDARD.baseline_minutes_min as u64,
        1,
        100_000,
        "From how many minutes of activity on a principal's ordinary rate is known.",
    ),
    number(
        "baseline_hours_min",
        STANDARD.baseline_hours_min as u64,
        1,
        100_000,
        "From how many hours with model invocation logs on a principal's ordinary tokens and cost are known.",
    ),
];

const LIMITS: &[Key] = &[
    limit("principals_max", STANDARD.limits.principals_max, "Principals with activity, over all accounts."),
    limit("accounts_max", STANDARD.limits.accounts_max, "Accounts."),
    limit("jobs_max", STANDARD.limits.jobs_max, "Customization jobs, over all accounts."),
    limit(
        "dependents_max",
        STANDARD.limits.dependents_max,
        "Other jobs, deployed models, knowledge bases and agents, over all accounts.",
    ),
    limit(
        "dependencies_max",
        STANDARD.limits.dependencies_max,
        "Security groups, subnets, keys, roles and buckets, over all accounts.",
    ),
    limit("changes_max", STANDARD.limits.changes_max, "Changes of one dependency or logging configuration."),
    limit("alerts_max", STANDARD.limits.alerts_max, "Alerts."),
    limit("event_ids_max", STANDARD.limits.event_ids_max, "Event ids by which copies are recognised, per account."),
    limit("distinct_max", STANDARD.limits.distinct_max, "Sessions, keys or addresses of one principal and day."),
    limit("models_max", STANDARD.limits.models_max, "Models, per account."),
    limit("correlation_groups_max", STANDARD.limits.correlation_groups_max, "Groups of one correlation rule."),
    limit("correlation_events_max", STANDARD.limits.correlation_events_max, "Events of one group of a correlation."),
    limit("sightings_max", STANDARD.limits.sightings_max, "Operations, networks and user agents of one principal."),
    limit("firsts_max", STANDARD.limits.firsts_max, "Events that were the first of something, per account."),
    limit(
        "usage_principals_max",
        STANDARD.limits.usage_principals_max,
        "Principals with model invocation logs, over all accounts.",
    ),
];

const PIPELINE: &[Key] = &[
    number("queue_batches_max", 64, 1, 10_000, "Batches that may wait before sources are held back."),
    number("future_s", 300, 1, 86_400, "A record this much later than the clock is put aside, in seconds."),
];

const HTTP: &[Key] = &[
    flag("enabled", true, "Whether it listens at all."),
    text("listen", "127.0.0.1:8787", "Address and port. Port 0 takes any free one."),
    number("body_bytes_max", 10_485_760, 1_024, 1_073_741_824, "The largest request body, in bytes; 413 beyond."),
    number("requests_max", 64, 1, 10_000, "Request bodies being read and judged at once; 429 beyond."),
    number(
        "requests_per_s",
        5_000,
        1,
        1_000_000,
        "Requests a second of one client (an API key, or an address without one); 429 beyond.",
    ),
    number("connections_max", 1_024, 1, 100_000, "Connections at once; further ones wait."),
    optional_text(
        "tls_cert",
        "/etc/bedrock-watch/tls.pem",
        "Certificates, PEM, own first. With tls_key: HTTPS alone. Read again when it changes.",
    ),
    optional_text("tls_key", "/etc/bedrock-watch/tls.key", "The private key of tls_cert, PEM."),
];

const API_KEY: &[Key] = &[
    required_text("name", "eventbridge", "What it is called in logs."),
    Key {
        name: "key",
        kind: Kind::Secret,
        doc: "The key, at least 16 characters. Use ${NAME}; give either this or key_file.",
        sample: "${BEDROCK_WATCH_API_KEY}",
        required: false,
    },
    optional_text("key_file", "/run/secrets/api-key", "A file whose first line is the key."),
    Key {
        name: "rights",
        kind: Kind::Texts { default: &["read"], choices: &["events", "read", "write"] },
        doc: "events: may send records. read: may read alerts, state and metrics. write: may resolve and silence.",
        sample: "",
        required: false,
    },
];

const SOURCES: &[Variant] = &[
    Variant { kind: "http", doc: "POST /v1/events of the HTTP server.", keys: &[] },
    Variant { kind: "stdin", doc: "Standard input; the daemon ends with it if there is no other source.", keys: &[] },
    Variant {
        kind: "file",
        doc: "A file that grows, followed through rotation and truncation.",
        keys: &[
            required_text("path", "/var/log/cloudtrail.jsonl", "The file; it need not exist yet."),
            flag("from_start", false, "Whether what is in the file already is judged too."),
            number("poll_ms", 250, 10, 60_000, "How often the file is looked at, in milliseconds."),
        ],
    },
    KINESIS,
    SQS,
    S3,
];

const STORE: &[Key] = &[
    Key {
        name: "kind",
        kind: Kind::Choice { default: Some("sqlite"), choices: &["sqlite", "dynamodb"] },
        doc: "sqlite: a file, for one worker. dynamodb: a table and a bucket, for one or several.",
        sample: "",
        required: false,
    },
    text("path", "./bedrock-watch.db", "sqlite: the file."),
    optional_text("table", "bedrock-watch", "dynamodb: the table; made if there is none."),
    optional_text("snapshot_bucket", "bedrock-watch-memory", "dynamodb: the S3 bucket of the engine's memory."),
    text("snapshot_prefix", "memory/", "dynamodb: what the keys in that bucket begin with."),
    number("snapshot_interval_s", 30, 1, 86_400, "How often the engine's memory is written, in seconds."),
    number(
        "retention_days",
        90,
        1,
        3_650,
        "How long alerts are kept after their last change, in days; what still fires and can end by itself is kept longer.",
    ),
];

const SHUTDOWN: &[Key] =
    &[number("grace_s", 20, 1, 3_600, "How long shutting down may take, in seconds. ECS kills after 30.")];

const LOG: &[Key] = &[
    Key {
        name: "format",
        kind: Kind::Choice { default: Some("text"), choices: &["text", "json"] },
        doc: "json: one object a line.",
        sample: "",
        required: false,
    },
    Key {
        name: "level",
        kind: Kind::Choice { default: Some("info"), choices: &["error", "warn", "info", "debug", "trace"] },
        doc: "The environment variable RUST_LOG overrides it.",
        sample: "",
        required: false,
    },
    number(
        "repeats_per_minute",
        60,
        0,
        1_000_000,
        "How often the same line is written a minute, whatever its values; what is left out is counted. 0: no limit.",
    ),
];
