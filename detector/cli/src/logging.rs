//! The log, on standard error.

use bedrock_watch_service::config::LogConfig;
use tracing_subscriber::{EnvFilter, fmt};

use crate::terminal;

/// Of the SDK's search for a region and credentials only the outcome is of interest, which is said in our own words.
const QUIET: &str = "aws_config::imds=error";

/// Starts logging. `RUST_LOG` overrides the configured level, for looking into one module.
pub(crate) fn start(config: &LogConfig) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{},{QUIET}", config.level)));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal::stderr_is_coloured());
    // Failing means that logging was started before, which only tests do.
    let started = if config.json { builder.json().try_init() } else { builder.with_target(false).try_init() };
    started.unwrap_or_default();
}
