//! `[[sink]]`.

use std::path::PathBuf;

use super::{
    super::{
        GroupBy, Pace, SinkConfig, SinkKind, SlackAccess,
        read::{Document, Table},
    },
    Findings, aws, needed_secret, secret,
};
use crate::format::Format;

/// The longest name of a sink, in characters; it is a label in metrics.
const NAME_CHARACTERS_MAX: usize = 64;

/// The sinks; standard output when none is configured.
pub(super) fn sinks(document: &Document, found: &mut Findings) -> Vec<SinkConfig> {
    let tables = document.tables("sink");
    let mut sinks: Vec<SinkConfig> = Vec::new();
    for table in tables {
        let Some(sink) = sink(document, table, found) else { continue };
        if sinks.iter().any(|other| other.name == sink.name) {
            let message = format!("another sink is called `{}`; give each a `name` of its own", sink.name);
            found.error(document, table, "name", message);
        }
        let is_stdout = |sink: &SinkConfig| matches!(sink.kind, SinkKind::Stdout { .. });
        if is_stdout(&sink) && sinks.iter().any(is_stdout) {
            found.error(document, table, "kind", "standard output is a sink already");
        }
        let path =
            |sink: &SinkConfig| if let SinkKind::File { path, .. } = &sink.kind { Some(path.clone()) } else { None };
        if path(&sink).is_some_and(|file| sinks.iter().any(|other| path(other).as_ref() == Some(&file))) {
            found.error(document, table, "path", "another sink writes to this file");
        }
        sinks.push(sink);
    }
    if tables.is_empty() {
        sinks.push(SinkConfig {
            name: "stdout".to_owned(),
            pace: pace(&Table::of_kind("sink", "stdout")),
            kind: SinkKind::Stdout { format: None },
        });
    }
    sinks
}

fn sink(document: &Document, table: &Table, found: &mut Findings) -> Option<SinkConfig> {
    let name = table.text("name").unwrap_or_else(|| table.kind.to_owned());
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(is_plain) {
        let message = format!("a name has 1 to {NAME_CHARACTERS_MAX} letters, digits, `-`, `_` and `.`");
        found.error(document, table, "name", message);
    }
    let format = || table.text("format").as_deref().and_then(Format::named);
    let kind = match table.kind {
        "stdout" => SinkKind::Stdout { format: format() },
        "file" => SinkKind::File {
            path: table.text("path").map(PathBuf::from).unwrap_or_default(),
            format: format().unwrap_or(Format::Json),
        },
        "slack" => SinkKind::Slack { access: slack(document, table, found)?, group_by: group_by(table) },
        "pagerduty" => SinkKind::PagerDuty {
            url: address(document, table, "url", table.text("url")?, found),
            routing_key: needed_secret(document, table, "routing_key", found)?,
            group_by: group_by(table),
        },
        "eventbridge" | "sns" | "security_hub" => SinkKind::Aws(aws::sink(document, table, found)?),
        _ => {
            let url = needed_secret(document, table, "url", found)?;
            check_address(document, table, "url", url.expose(), found);
            SinkKind::Webhook {
                url,
                format: format().unwrap_or(Format::Json),
                signing_secret: secret(document, table, "signing_secret", found),
                headers: table.secrets("headers"),
            }
        }
    };
    Some(SinkConfig { name, pace: pace(table), kind })
}

fn group_by(table: &Table) -> GroupBy {
    if table.text("group_by").as_deref() == Some("alert") { GroupBy::Alert } else { GroupBy::Incident }
}

fn pace(table: &Table) -> Pace {
    let repeat_s = table.number("repeat_s");
    Pace {
        per_minute: table.number_u32("per_minute"),
        timeout_ms: table.number("timeout_ms"),
        backoff_max_s: table.number("backoff_max_s"),
        give_up_s: table.number("give_up_s"),
        repeat_s: (repeat_s > 0).then_some(repeat_s),
    }
}

fn slack(document: &Document, table: &Table, found: &mut Findings) -> Option<SlackAccess> {
    let given = |key: &str| table.was_written(key) || table.was_written(&format!("{key}_file"));
    match (given("token"), given("webhook_url")) {
        (true, false) => {
            let token = secret(document, table, "token", found);
            let channel = table.text("channel").filter(|channel| !channel.is_empty());
            if channel.is_none() {
                found.error(document, table, "channel", "a bot token needs a `channel`");
            }
            let api_url = address(document, table, "api_url", table.text("api_url")?, found);
            let api_url = if api_url.ends_with('/') { api_url } else { api_url + "/" };
            Some(SlackAccess::Bot { token: token?, channel: channel?, api_url })
        }
        (false, true) => {
            let url = secret(document, table, "webhook_url", found)?;
            check_address(document, table, "webhook_url", url.expose(), found);
            if table.has("channel") {
                let message = "an incoming webhook has its own channel; `channel` has no effect";
                found.warning(document, table, "channel", message);
            }
            Some(SlackAccess::Webhook { url })
        }
        _ => {
            let message = "give exactly one of `token`, `token_file`, `webhook_url` and `webhook_url_file`";
            found.error(document, table, "token", message);
            None
        }
    }
}

fn address(document: &Document, table: &Table, key: &str, url: String, found: &mut Findings) -> String {
    check_address(document, table, key, &url, found);
    url
}

/// An address must be one that can be asked. It is not repeated in the message, because it may be a secret.
pub(super) fn check_address(document: &Document, table: &Table, key: &str, url: &str, found: &mut Findings) {
    let parsed: Result<axum::http::Uri, _> = url.parse();
    let scheme_and_host = parsed.as_ref().ok().and_then(|url| Some((url.scheme_str()?, url.host()?)));
    match scheme_and_host {
        Some(("https", _)) => {}
        Some(("http", host)) => {
            let is_local = host == "localhost"
                || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
            if !is_local {
                found.warning(document, table, key, format!("`{key}` is http: what is sent can be read on its way"));
            }
        }
        _ => found.error(document, table, key, format!("`{key}` must be an address that begins with https://")),
    }
}
