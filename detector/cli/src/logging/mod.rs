//! The log, on standard error.

mod repeats;

use bedrock_watch_service::config::LogConfig;
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

pub(crate) use self::repeats::Repeats;
use crate::terminal;

/// Of the SDK's search for a region and credentials only the outcome is of interest, which is said in our own words.
const QUIET: &str = "aws_config::imds=error";

/// Starts logging. `RUST_LOG` overrides the configured level, for looking into one module. What is given back says what
/// was left out.
pub(crate) fn start(config: &LogConfig) -> Repeats {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{},{QUIET}", config.level)));
    let repeats = Repeats::new(config.repeats_per_minute);
    let form = fmt::layer().with_writer(std::io::stderr).with_ansi(terminal::stderr_is_coloured());
    let form = if config.json { form.json().boxed() } else { form.with_target(false).boxed() };
    // Failing means that logging was started before, which only tests do.
    Registry::default().with(filter).with(repeats.clone()).with(form).try_init().unwrap_or_default();
    repeats
}
