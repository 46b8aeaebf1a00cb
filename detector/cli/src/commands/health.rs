//! `health`: asks the running daemon whether it is alive.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;

use super::{Failure, Outcome, config};
use crate::{args::HealthArguments, terminal, web};

/// Runs the command.
pub(super) fn run(arguments: &HealthArguments) -> Result<Outcome, Failure> {
    let address = match arguments.address {
        Some(address) => address,
        None => {
            let config = config::load(arguments.config.as_deref())?;
            let http = config.http.context("the configuration switches the HTTP server off, so nobody can be asked")?;
            reachable(http.listen)
        }
    };
    let asked = web::get(address, "/healthz");
    let answer = asked.with_context(|| format!("no daemon answers on {address}; is `bedrock-watch run` running?"))?;
    if answer.status != 200 {
        let error = anyhow::anyhow!("the daemon on {address} answers {}: {}", answer.status, answer.body.trim());
        return Err(error.into());
    }
    terminal::say(&format!("the daemon on {address} is alive"));
    Ok(Outcome::Fine)
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
