//! Where `alerts`, `incident` and `silences` look: the store of a configuration, or a daemon asked over HTTP.
//!
//! Both give the same JSON, so that what is printed does not depend on where it came from.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use bedrock_watch_service::{
    config::Config,
    store::{Store, sqlite::SqliteStore},
};
use reqwest::{Client, Method, Url};

use super::{Failure, cloud, config};
use crate::args::{ListFormat, Place};

/// The environment variable with the API key.
const API_KEY: &str = "BEDROCK_WATCH_API_KEY";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Characters of an error of a daemon that are shown.
const ERROR_CHARACTERS_MAX: usize = 500;

/// Where to look.
#[derive(Debug)]
pub(super) enum Target {
    Store(Arc<dyn Store>),
    Daemon(Remote),
}

/// A daemon.
#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    base: Url,
    key: Option<String>,
}

impl Target {
    /// The target of these arguments.
    pub(super) async fn of(place: &Place) -> Result<Self, Failure> {
        match &place.url {
            Some(url) => Ok(Self::Daemon(Remote::new(url)?)),
            None => Ok(Self::Store(open(place.config.as_deref()).await?)),
        }
    }
}

/// Opens the store of a configuration beside the daemon that may run.
async fn open(file: Option<&Path>) -> Result<Arc<dyn Store>, Failure> {
    open_configured(&config::load_without_secrets(file)?).await
}

/// The same where the configuration was read already.
pub(super) async fn open_configured(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    if let Some(dynamodb) = &config.store.dynamodb {
        let cloud = cloud::connect(config).await?;
        let cloud = cloud.context("this build has no AWS, so it cannot open a store in DynamoDB; give --url")?;
        return Ok(cloud.store(dynamodb).await.map_err(anyhow::Error::from)?);
    }
    let store = SqliteStore::open_beside(&config.store.path);
    Ok(Arc::new(store.context("is this where the daemon runs? give its --config, or its --url")?))
}

/// The form to print in.
pub(super) fn format(place: &Place) -> ListFormat {
    use bedrock_watch_service::format::Format;
    let default =
        || if crate::terminal::default_format() == Format::Human { ListFormat::Human } else { ListFormat::Json };
    place.format.unwrap_or_else(default)
}

impl Remote {
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let wrong = || Failure::Arguments("--url is an address such as https://bedrock-watch.example.com".to_owned());
        let mut base: Url = url.parse().map_err(|_| wrong())?;
        if !["http", "https"].contains(&base.scheme()) || base.host().is_none() {
            return Err(wrong());
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        // A redirect could carry the key elsewhere.
        let client = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        let client = client.build().context("cannot set up HTTPS")?;
        let key = std::env::var(API_KEY).ok().filter(|key| !key.is_empty());
        Ok(Self { client, base, key })
    }

    /// Asks for a path below the address, such as `v1/alerts`; each step is one part of the path.
    pub(super) async fn ask(
        &self,
        method: Method,
        steps: &[&str],
        query: &[(&str, String)],
        body: Option<String>,
    ) -> anyhow::Result<String> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| anyhow!("the address takes no path"))?.pop_if_empty().extend(steps);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url);
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.with_context(|| format!("no daemon answers on {}", self.base))?;
        let status = response.status();
        let text = response.text().await.context("the answer broke off")?;
        if status.is_success() {
            return Ok(text);
        }
        let error: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        let error = error.as_ref().and_then(|error| error.get("error")?.as_str()).unwrap_or("no explanation");
        let error: String = error.chars().take(ERROR_CHARACTERS_MAX).collect();
        let hint = if status.as_u16() == 401 { format!("; set {API_KEY}") } else { String::new() };
        Err(anyhow!(
            "the daemon on {} answers {status}: {}{hint}",
            self.base,
            bedrock_watch_service::format::visible(&error)
        ))
    }
}
