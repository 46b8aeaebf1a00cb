//! What the configuration knows around an alert: what its account is called, who owns it, where runbooks lie.

use std::collections::BTreeMap;

use bedrock_watch_engine::alert::Alert;

use super::links;
use crate::config::delivery::{AccountConfig, RoutingConfig};

/// What messages say beyond the alert itself.
#[derive(Debug, Clone, Default)]
pub struct Context {
    accounts: BTreeMap<String, AccountConfig>,
    runbook_url: Option<String>,
    console_url: Option<String>,
}

impl Context {
    /// The context of a configuration.
    #[must_use]
    pub fn new(routing: &RoutingConfig) -> Self {
        Self {
            accounts: routing.accounts.clone(),
            runbook_url: routing.runbook_url.clone(),
            console_url: routing.console_url.clone(),
        }
    }

    /// What is known of the alert's account.
    pub(super) fn account(&self, alert: &Alert) -> Option<&AccountConfig> {
        self.accounts.get(&alert.account)
    }

    /// The account as people know it: `payments (111122223333)`.
    pub(super) fn account_label(&self, alert: &Alert) -> String {
        match self.account(alert).and_then(|account| account.name.as_deref()) {
            Some(name) => format!("{name} ({})", alert.account),
            None => alert.account.clone(),
        }
    }

    /// Where the alert's runbook is, if it has an address.
    pub(super) fn runbook(&self, alert: &Alert) -> Option<String> {
        if alert.runbook.starts_with("https://") || alert.runbook.starts_with("http://") {
            return links::checked(&alert.runbook);
        }
        let base = self.runbook_url.as_deref()?;
        links::checked(&format!("{}/{}", base.trim_end_matches('/'), alert.runbook.trim_start_matches('/')))
    }

    /// Where the alert is in the console.
    pub(super) fn console(&self, alert: &Alert) -> Option<String> {
        let base = self.console_url.as_deref()?;
        links::checked(&format!("{}/#alert={}", base.trim_end_matches('/'), alert.id))
    }

    /// Where the console is.
    pub(super) fn console_home(&self) -> Option<String> {
        self.console_url.as_deref().and_then(links::checked)
    }
}
