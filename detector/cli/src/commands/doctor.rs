//! `doctor`: proves link by link that events really reach the service.

use super::{Failure, Outcome};
use crate::args::DoctorArguments;

/// This build cannot ask.
#[cfg(not(feature = "aws"))]
pub(super) fn run(_arguments: &DoctorArguments) -> Result<Outcome, Failure> {
    Err(anyhow::anyhow!("this build has no AWS, which doctor asks; use the standard build").into())
}

/// Runs the command.
#[cfg(feature = "aws")]
pub(super) fn run(arguments: &DoctorArguments) -> Result<Outcome, Failure> {
    let config = super::config::load(arguments.config.as_deref())?;
    crate::logging::start(&config.log);
    let report = super::run::runtime()?.block_on(with_aws::examine(arguments, &config))?;
    let human = match arguments.format {
        Some(format) => format == crate::args::DoctorFormat::Human,
        None => crate::terminal::default_format() == bedrock_watch_service::format::Format::Human,
    };
    super::print(&if human { report.human() } else { report.json() })?;
    Ok(if report.found_something() { Outcome::FoundSomething } else { Outcome::Fine })
}

#[cfg(feature = "aws")]
mod with_aws {
    use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

    use bedrock_watch_aws::{
        Aws,
        doctor::{self, Finding, Local, Report, checks::coverage, facts::Daemon},
    };
    use bedrock_watch_service::{config::Config, sink::probe};

    use crate::args::DoctorArguments;

    /// How long the daemon may take to answer.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Asks and checks.
    pub(super) async fn examine(arguments: &DoctorArguments, config: &Config) -> anyhow::Result<Report> {
        let aws = Aws::connect(&config.aws, &config.routing.accounts).await?;
        if arguments.org {
            return Ok(organization(&aws, config).await);
        }
        let local = Local { sinks: sinks(config).await, daemon: daemon(arguments, config).await };
        let mut facts = Box::pin(doctor::gather(&aws, config, local)).await;
        if arguments.canary {
            let within = Duration::from_secs(config.canary.within_s);
            facts.canary = Some(doctor::send_canary(&aws, &config.canary.bus, within, &facts.entries).await);
        }
        Ok(doctor::examine(&facts))
    }

    async fn organization(aws: &Aws, config: &Config) -> Report {
        let findings = match doctor::organization(aws, config).await {
            Ok(places) => places.iter().flat_map(coverage).collect(),
            Err(error) => vec![Finding::not_asked("coverage", "", &error)],
        };
        Report { findings }
    }

    async fn sinks(config: &Config) -> Vec<(String, Result<String, String>)> {
        let mut answers = Vec::new();
        for sink in &config.sinks {
            if let Some(answer) = probe(sink).await {
                answers.push((sink.name.clone(), answer));
            }
        }
        answers
    }

    /// The daemon's word on itself.
    async fn daemon(arguments: &DoctorArguments, config: &Config) -> Option<Daemon> {
        let own = config.http.as_ref().filter(|http| http.listen.port() != 0);
        let url = arguments.url.clone().or_else(|| {
            let http = own?;
            let scheme = if http.tls.is_some() { "https" } else { "http" };
            Some(format!("{scheme}://{}", reachable(http.listen)))
        })?;
        let answer = ready(&url).await.map_err(|error| error.without_url().to_string());
        Some(Daemon { url, answer })
    }

    /// Why the daemon at `url` does not protect; nothing if it does.
    ///
    /// Its certificate names the service and not the loopback address, and nothing secret is sent, so it is not checked.
    async fn ready(url: &str) -> Result<BTreeMap<String, String>, reqwest::Error> {
        let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).timeout(PATIENCE).build()?;
        let response = client.get(format!("{}/readyz", url.trim_end_matches('/'))).send().await?;
        if response.status().is_success() {
            return Ok(BTreeMap::new());
        }
        let status = response.status();
        let text = response.text().await?;
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let reasons = answer.get("reasons").and_then(serde_json::Value::as_object);
        let said: BTreeMap<String, String> = reasons
            .into_iter()
            .flatten()
            .map(|(what, why)| (what.clone(), why.as_str().map_or_else(|| why.to_string(), str::to_owned)))
            .collect();
        Ok(if said.is_empty() { BTreeMap::from([("readyz".to_owned(), format!("answers {status}"))]) } else { said })
    }

    /// A daemon that listens on every address is asked on loopback.
    fn reachable(mut address: SocketAddr) -> SocketAddr {
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                std::net::Ipv4Addr::LOCALHOST.into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        address
    }
}
