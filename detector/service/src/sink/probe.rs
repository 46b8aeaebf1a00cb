//! Asks a sink whether it is there, without telling it anything.
//!
//! Slack's bot token can be tried (`auth.test`); of everything else only the host is asked for `/`, so that nothing secret
//! is sent and nobody is woken. Whether the sink would take an alert is therefore not known. AWS's sinks are asked by the
//! build with AWS.

use std::time::Duration;

use reqwest::{Url, header::AUTHORIZATION, redirect::Policy};

use crate::config::{SinkConfig, SinkKind, SlackAccess};

/// How long a sink may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a sink answers, in words; `None` for a sink of AWS.
///
/// # Errors
/// In words, without secrets.
pub async fn probe(config: &SinkConfig) -> Option<Result<String, String>> {
    Some(match &config.kind {
        SinkKind::Stdout { .. } => Ok("standard output needs no connection".to_owned()),
        SinkKind::File { path, .. } => writable(path),
        SinkKind::Slack { access: SlackAccess::Bot { token, api_url, .. }, .. } => slack(api_url, token.expose()).await,
        SinkKind::Slack { access: SlackAccess::Webhook { url }, .. } => answers(url.expose()).await,
        SinkKind::PagerDuty { url, .. } => answers(url).await,
        SinkKind::Webhook { url, .. } => answers(url.expose()).await,
        SinkKind::Aws(_) => return None,
    })
}

fn writable(path: &std::path::Path) -> Result<String, String> {
    let shown = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(format!("the folder of {shown} does not exist")),
        _ => Ok(format!("{shown} has a folder to be written in")),
    }
}

fn client() -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder().redirect(Policy::none()).timeout(PATIENCE);
    builder.build().map_err(|error| error.without_url().to_string())
}

/// Whether anything answers at the host of `url`; its path, which may be a secret, is not sent.
async fn answers(url: &str) -> Result<String, String> {
    let mut url = Url::parse(url).map_err(|error| format!("its address cannot be read: {error}"))?;
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    // An address can only carry a name and password if it has a host; nothing to be lost otherwise.
    let _without_a_host = (url.set_username(""), url.set_password(None));
    let host = url.host_str().unwrap_or_default().to_owned();
    match client()?.head(url).send().await {
        Ok(_) => Ok(format!("{host} answers (no alert was sent)")),
        Err(error) => Err(format!("{host} does not answer: {}", reason(error))),
    }
}

async fn slack(api_url: &str, token: &str) -> Result<String, String> {
    let url = Url::parse(api_url).and_then(|url| url.join("auth.test"));
    let url = url.map_err(|error| format!("its address cannot be read: {error}"))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let asked = client()?.post(url).header(AUTHORIZATION, format!("Bearer {token}")).send().await;
    let response = asked.map_err(|error| format!("{host} does not answer: {}", reason(error)))?;
    let answer: serde_json::Value =
        response.json().await.map_err(|error| format!("{host} answers no JSON: {}", reason(error)))?;
    match answer.get("ok").and_then(serde_json::Value::as_bool) {
        Some(true) => Ok(format!("{host} knows the token (no alert was sent)")),
        _ => {
            let said = answer.get("error").and_then(serde_json::Value::as_str).unwrap_or("no reason");
            Err(format!("{host} refuses the token: {}", crate::format::visible(said)))
        }
    }
}

/// Why a request failed, down to the cause, without the address.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
