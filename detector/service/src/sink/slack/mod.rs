//! Slack, by an incoming webhook or with a bot token.

mod bot;
mod hook;
mod thread;

use std::{sync::Arc, time::Duration};

use super::{Sink, StartError, payload::Context};
use crate::config::delivery::{GroupBy, SlackAccess};

/// The sink for this access.
pub(super) fn sink(
    name: &str,
    (access, group_by): (&SlackAccess, GroupBy),
    timeout: Duration,
    context: Arc<Context>,
) -> Result<Arc<dyn Sink>, StartError> {
    Ok(match access {
        SlackAccess::Webhook { url } => Arc::new(hook::Hook::new(name, url, timeout, context)?),
        SlackAccess::Bot { token, channel, api_url } => {
            Arc::new(bot::Bot::new(name, (token, channel, api_url), group_by, (timeout, context))?)
        }
    })
}
