//! `health`: asks the running daemon whether it is alive.
//!
//! Over HTTPS the certificate is not checked: the question is whether the daemon on this machine answers, nothing secret
//! is sent, and its certificate names the service and not the loopback address.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context;

use super::{Failure, Outcome, config};
use crate::{args::HealthArguments, terminal, web};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the command.
pub(super) fn run(arguments: &HealthArguments) -> Result<Outcome, Failure> {
    let (address, tls) = match arguments.address {
        Some(address) => (address, false),
        None => {
            let config = config::load_without_secrets(arguments.config.as_deref())?;
            let http = config.http.context("the configuration switches the HTTP server off, so nobody can be asked")?;
            (reachable(http.listen), http.tls.is_some())
        }
    };
    let asked = if tls { ask_over_tls(address) } else { web::get(address, "/healthz").map_err(anyhow::Error::from) };
    let answer = asked.with_context(|| format!("no daemon answers on {address}; is `bedrock-watch run` running?"))?;
    if answer.status != 200 {
        let error = anyhow::anyhow!("the daemon on {address} answers {}: {}", answer.status, answer.body.trim());
        return Err(error.into());
    }
    terminal::say(&format!("the daemon on {address} is alive"));
    Ok(Outcome::Fine)
}

fn ask_over_tls(address: SocketAddr) -> anyhow::Result<web::Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).timeout(PATIENCE).build()?;
        let response = client.get(format!("https://{address}/healthz")).send().await?;
        let status = response.status().as_u16();
        Ok(web::Answer { status, body: response.text().await? })
    })
}

/// A daemon that listens on every address is asked on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}
