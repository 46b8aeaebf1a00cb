//! The keys of sinks, routes and accounts.

use super::{
    Key, Kind, Variant, flag, number, optional_choice, optional_text, required, required_text, secret, text, texts,
};

/// The longest time for which delivering may be tried: 30 days, in seconds.
const GIVE_UP_S_MAX: u64 = 2_592_000;
/// A day, in seconds.
const DAY_S: u64 = 86_400;
/// More than any local stream is asked to take, in messages a minute.
const LOCAL_PER_MINUTE: u64 = 600_000;

const SEVERITIES: &[&str] = &["informational", "low", "medium", "high", "critical"];
const FORMATS: &[&str] = &["human", "json", "ocsf"];

const fn name(sample: &'static str) -> Key {
    optional_text("name", sample, "What routes, logs and metrics call it; its kind if left out. Unique.")
}

const fn per_minute(default: u64) -> Key {
    number("per_minute", default, 1, LOCAL_PER_MINUTE, "Messages a minute at most, on average.")
}

const TIMEOUT: Key = number("timeout_ms", 10_000, 100, 600_000, "How long one request may take, in milliseconds.");
const BACKOFF: Key =
    number("backoff_max_s", 60, 1, 3_600, "The longest pause between two attempts after failures, in seconds.");
const GIVE_UP: Key = number(
    "give_up_s",
    DAY_S,
    1,
    GIVE_UP_S_MAX,
    "How long a failing delivery is tried again before it is given up, in seconds; `alerts redrive` revives it.",
);
const REPEAT: Key = number(
    "repeat_s",
    0,
    0,
    GIVE_UP_S_MAX,
    "After how long an alert that still fires is told again, in seconds; 0 is never.",
);

const GROUP_BY: Key = Key {
    name: "group_by",
    kind: Kind::Choice { default: Some("incident"), choices: &["incident", "alert"] },
    doc: "incident: what belongs together is one message, or one page, that grows. alert: each alert has its own.",
    sample: "",
    required: false,
};

pub(super) const SINKS: &[Variant] = &[
    Variant {
        kind: "stdout",
        doc: "Standard output.",
        keys: &[
            name("stdout"),
            optional_choice("format", FORMATS, "json", "Left out: human on a terminal, json otherwise."),
            per_minute(LOCAL_PER_MINUTE),
            TIMEOUT,
            BACKOFF,
            GIVE_UP,
            REPEAT,
        ],
    },
    Variant {
        kind: "file",
        doc: "A file that grows; it is opened again when it was moved away.",
        keys: &[
            name("file"),
            required_text("path", "./alerts.jsonl", "The file."),
            Key {
                name: "format",
                kind: Kind::Choice { default: Some("json"), choices: FORMATS },
                doc: "The form of each alert.",
                sample: "",
                required: false,
            },
            per_minute(LOCAL_PER_MINUTE),
            TIMEOUT,
            BACKOFF,
            GIVE_UP,
            REPEAT,
        ],
    },
    SLACK,
    PAGERDUTY,
    WEBHOOK,
    EVENTBRIDGE,
    SNS,
    SECURITY_HUB,
];

const SLACK: Variant = Variant {
    kind: "slack",
    doc: "Slack. With a bot token, one message for each alert that is edited as the alert grows; with an incoming \
          webhook, one message for each turn it takes.",
    keys: &[
        name("slack"),
        secret("token", "${SLACK_TOKEN}", "A bot token with chat:write. Give this, token_file or webhook_url."),
        optional_text("token_file", "/run/secrets/slack-token", "A file whose first line is the bot token."),
        optional_text("channel", "C0123456789", "The channel for the bot: its id, or its name."),
        text("api_url", "https://slack.com/api/", "Where Slack's Web API is."),
        secret("webhook_url", "https://hooks.slack.com/services/${SLACK_HOOK}", "An incoming webhook's address."),
        optional_text("webhook_url_file", "/run/secrets/slack-webhook", "A file whose first line is that address."),
        GROUP_BY,
        per_minute(60),
        TIMEOUT,
        BACKOFF,
        GIVE_UP,
        REPEAT,
    ],
};

const PAGERDUTY: Variant = Variant {
    kind: "pagerduty",
    doc: "PagerDuty's Events API v2. Alerts that are still learning go here only where a route says so. For \
          invocation-logging-disabled it waits 60 s unless something was invoked meanwhile, and says nothing if \
          logging is back by then: tools that replace the configuration switch it off for a moment.",
    keys: &[
        name("pagerduty"),
        secret("routing_key", "${PAGERDUTY_ROUTING_KEY}", "The integration key. Give this or routing_key_file."),
        optional_text("routing_key_file", "/run/secrets/pagerduty", "A file whose first line is the integration key."),
        text("url", "https://events.pagerduty.com/v2/enqueue", "Where events are posted; differs in the EU."),
        GROUP_BY,
        per_minute(120),
        TIMEOUT,
        BACKOFF,
        GIVE_UP,
        REPEAT,
    ],
};

const WEBHOOK: Variant = Variant {
    kind: "webhook",
    doc: "Any HTTP endpoint: one POST for each change, signed as Standard Webhooks does if there is a secret.",
    keys: &[
        name("webhook"),
        secret("url", "https://example.com/hooks/${HOOK_TOKEN}", "Where alerts are posted. Give this or url_file."),
        optional_text("url_file", "/run/secrets/webhook-url", "A file whose first line is that address."),
        Key {
            name: "format",
            kind: Kind::Choice { default: Some("json"), choices: &["json", "ocsf"] },
            doc: "The form of the body.",
            sample: "",
            required: false,
        },
        secret("signing_secret", "${WEBHOOK_SECRET}", "The key of the signature, with or without `whsec_`."),
        optional_text("signing_secret_file", "/run/secrets/webhook-secret", "A file whose first line is that key."),
        Key {
            name: "headers",
            kind: Kind::Secrets,
            doc: "Additional headers.",
            sample: "{ \"x-team\" = \"${TEAM_TOKEN}\" }",
            required: false,
        },
        per_minute(600),
        TIMEOUT,
        BACKOFF,
        GIVE_UP,
        REPEAT,
    ],
};

const EVENTBRIDGE: Variant = Variant {
    kind: "eventbridge",
    doc: "An event bus of Amazon EventBridge: one event for each change, for others to act on.",
    keys: &[
        name("eventbridge"),
        text("bus", "default", "The bus, by name or ARN."),
        text("source", "bedrock-watch", "The `source` of the events; must not begin with `aws.`."),
        per_minute(600),
        TIMEOUT,
        BACKOFF,
        GIVE_UP,
        REPEAT,
    ],
};

const SNS: Variant = Variant {
    kind: "sns",
    doc: "A topic of Amazon SNS: one message for each change.",
    keys: &[
        name("sns"),
        required_text("topic_arn", "arn:aws:sns:eu-central-1:111122223333:bedrock-watch", "The topic."),
        per_minute(600),
        TIMEOUT,
        BACKOFF,
        GIVE_UP,
        REPEAT,
    ],
};

const SECURITY_HUB: Variant = Variant {
    kind: "security_hub",
    doc: "AWS Security Hub: one finding for each alert, updated and resolved with it.",
    keys: &[
        name("security_hub"),
        optional_text("region", "eu-central-1", "The region of the findings; left out, that of [aws]."),
        per_minute(600),
        TIMEOUT,
        BACKOFF,
        GIVE_UP,
        REPEAT,
    ],
};

pub(super) const ROUTE: &[Key] = &[
    required(texts("sinks", "[\"slack\"]", "The names of the sinks.")),
    optional_choice("severity_min", SEVERITIES, "high", "Only alerts of at least this severity."),
    texts("rules", "", "Only these rules; * stands for any text. Empty is any, here and below."),
    texts("accounts", "", "Only these accounts, by id."),
    texts("groups", "", "Only accounts of these groups."),
    texts("regions", "", "Only these regions; * stands for any text."),
    texts("principals", "", "Only these principals; * stands for any text."),
    Key {
        name: "learning",
        kind: Kind::Choice { default: Some("not_paged"), choices: &["not_paged", "told", "left_out"] },
        doc: "Alerts whose facts are still learning what is normal. not_paged: not to PagerDuty. left_out: this \
              route does not match them.",
        sample: "",
        required: false,
    },
    flag("continue", false, "Whether later routes are tried as well."),
    Key {
        name: "group_by",
        kind: Kind::Texts { default: &[], choices: &["rule", "account", "region", "principal"] },
        doc: "What alerts must have in common to be told together. Empty: each alone.",
        sample: "",
        required: false,
    },
    number(
        "group_wait_s",
        0,
        0,
        3_600,
        "How long an alert below critical waits for others to be told with it, in seconds.",
    ),
];

pub(super) const ACCOUNT: &[Key] = &[
    required_text("id", "111122223333", "The account's id, twelve digits."),
    optional_text("name", "payments", "What people call it."),
    optional_text("owner", "payments@example.com", "Who owns it."),
    optional_text("group", "production", "The group it belongs to."),
    optional_text("role_arn", "arn:aws:iam::111122223333:role/bedrock-watch", "The role to assume to ask AWS there."),
    secret("external_id", "${BEDROCK_WATCH_EXTERNAL_ID}", "The external id that this role asks for."),
    texts("regions", "[\"us-east-1\"]", "The regions to ask there. Empty: those of [aws]."),
];

pub(super) const ACCOUNT_GROUP: &[Key] = &[
    required_text("name", "production", "What accounts and routes call it."),
    Key {
        name: "severity_shift",
        kind: Kind::Signed { default: 0, min: -4, max: 4 },
        doc: "Alerts are worse by so many levels; negative makes them milder.",
        sample: "",
        required: false,
    },
    optional_choice("severity_max", SEVERITIES, "critical", "No alert of the group is worse than this."),
];

pub(super) const SUPPRESS: &[Key] = &[
    required(texts("principals", "[\"arn:aws:iam::111122223333:role/scanner\"]", "These principals; * is any text.")),
    texts("rules", "", "Only these rules; * stands for any text. Empty is any."),
    texts("accounts", "", "Only these accounts, by id. Empty is any."),
    required_text("reason", "the weekly posture scan", "Why; it is shown where the alert is."),
];

pub(super) const LINKS: &[Key] = &[
    optional_text("runbook_url", "https://runbooks.example.com/", "Put before the path of an alert's runbook."),
    optional_text("console_url", "https://bedrock-watch.example.com/", "Where people reach this service's console."),
];
