//! `/`: the alerts on one page, for a look without any tool.
//!
//! Rendered here, without scripts and without anything from elsewhere. Everything on it may have been chosen by an
//! attacker, so all of it is escaped, and the browser is told to run nothing.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::{App, alerts::store_failed};
use crate::{
    format::visible,
    store::{AlertFilter, StoredAlert},
};

/// Alerts on the page.
const ALERTS_MAX: usize = 200;

const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.3rem}article{border-left:.4rem solid #888;padding:.2rem 1rem;margin:1rem 0}\
article.critical{border-color:#b00020}article.high{border-color:#d9480f}article.medium{border-color:#b08900}\
article.resolved{opacity:.65}h2{font-size:1.05rem;margin:0}p{margin:.2rem 0}\
pre{overflow-x:auto;background:#8882;padding:.5rem}small{opacity:.75}";

/// The page.
pub(super) async fn page(State(app): State<App>) -> Response {
    let filter = AlertFilter { limit: ALERTS_MAX, ..AlertFilter::default() };
    let alerts = match app.store.alerts(&filter).await {
        Ok(page) => page.alerts,
        Err(error) => return store_failed(&error),
    };
    let report = app.reports.borrow().clone();
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>bedrock-watch</title>\
         <meta http-equiv=\"refresh\" content=\"5\"><link rel=\"stylesheet\" href=\"/console.css\"></head><body>\
         <h1>bedrock-watch</h1><p>{} alerts{}; {} records, {} of them judged; {}</p>",
        alerts.len(),
        if alerts.len() < ALERTS_MAX { "" } else { ", the newest" },
        report.stats.records,
        report.stats.judged,
        if app.status.reasons().is_empty() { "everything works" } else { "something does not work, see /readyz" },
    );
    for stored in &alerts {
        html.push_str(&article(stored));
    }
    html.push_str("</body></html>\n");
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, html).into_response()
}

/// The page's style sheet.
pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], STYLE).into_response()
}

fn article(stored: &StoredAlert) -> String {
    let alert = &stored.alert;
    let silenced = if stored.silence.is_some() { ", silenced" } else { "" };
    let resolved_by = stored
        .resolution
        .as_ref()
        .map_or_else(String::new, |by| format!("<p>Resolved by {}: {}</p>", escape(&by.author), escape(&by.reason)));
    let steps: Vec<String> = alert
        .remediation()
        .iter()
        .map(|step| format!("<p>{}</p><pre>{}</pre>", escape(&step.title), lines(&step.command)))
        .collect();
    let steps = if steps.is_empty() {
        String::new()
    } else {
        format!("<details><summary>First steps</summary>{}</details>", steps.join(""))
    };
    format!(
        "<article class=\"{severity} {status}\"><h2>{severity} {status}{silenced}: {title}</h2><p>{summary}</p>\
         <p><small>{first} to {last}, {count} events, account {account}, {region}; {rule}; \
         <a href=\"/v1/alerts/{id}\">JSON</a></small></p>{resolved_by}{steps}</article>",
        severity = alert.severity.as_str(),
        status = alert.status.as_str(),
        title = escape(&alert.title),
        summary = escape(&alert.summary),
        first = alert.first_event_time.to_rfc3339(),
        last = alert.last_event_time.to_rfc3339(),
        count = alert.event_count,
        account = escape(&alert.account),
        region = escape(alert.region.as_deref().unwrap_or("several regions")),
        rule = escape(&alert.rule),
        id = escape(&alert.id),
    )
}

fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::article;
    use crate::{
        format::sample,
        store::{Resolution, StoredAlert},
    };

    #[test]
    fn nothing_in_an_alert_becomes_markup() {
        let mut alert = sample::alert();
        alert.summary = "<script>alert('x')</script>\" onload=\u{1b}".to_owned();
        alert.id = "\"><img src=x>".to_owned();
        let by = Resolution { author: "<b>ana".to_owned(), reason: "</article><img>".to_owned() };
        let html = article(&StoredAlert {
            alert: Arc::new(alert),
            revision: 1,
            created_at: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            trace_id: None,
            silence: None,
            resolution: Some(by),
        });
        for markup in ["<script", "<img", "<b>", "\u{1b}"] {
            assert!(!html.contains(markup), "{html}");
        }
        assert_eq!(html.matches("</article>").count(), 1);
    }
}
