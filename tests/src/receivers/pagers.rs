//! Slack and PagerDuty for tests of the whole daemon: one receiver that says what both say, and the configuration that
//! leads to it.

use std::io;

use serde_json::json;

use super::server::{Receiver, Request};

/// Where PagerDuty's events are posted.
pub const PAGERDUTY: &str = "/v2/enqueue";

/// Starts the receiver.
///
/// # Errors
/// When there is no free port.
pub async fn start() -> io::Result<Receiver> {
    Receiver::start(answer).await
}

/// The sinks `slack` and `pagerduty` at `receiver`, with a message and a page for each `group_by` (`alert` or
/// `incident`), and a route to them and to `others`. Principals of tests are new, and still everybody is to hear of
/// them.
#[must_use]
pub fn config(receiver: &Receiver, group_by: &str, others: &[&str]) -> String {
    let (slack, pagerduty) = (receiver.url("/api/"), receiver.url(PAGERDUTY));
    let names = [&["slack", "pagerduty"], others].concat();
    format!(
        r#"
        [[sink]]
        kind = "slack"
        name = "slack"
        token = "xoxb-0123456789"
        channel = "C0123456789"
        api_url = "{slack}"
        group_by = "{group_by}"
        per_minute = 60000
        [[sink]]
        kind = "pagerduty"
        name = "pagerduty"
        routing_key = "0123456789abcdef0123456789abcdef"
        url = "{pagerduty}"
        group_by = "{group_by}"
        per_minute = 60000
        [[route]]
        sinks = {names:?}
        learning = "told"
        "#
    )
}

fn answer(request: &Request, number: usize) -> (u16, String) {
    let dedup_key = request.body.get("dedup_key");
    match request.path.as_str() {
        PAGERDUTY => (202, json!({ "status": "success", "dedup_key": dedup_key }).to_string()),
        _ => {
            (200, json!({ "ok": true, "channel": "C0123456789", "ts": format!("1795000000.{number:06}") }).to_string())
        }
    }
}
