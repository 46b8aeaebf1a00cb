//! Finding out where the service's own way to its events is broken.

use crate::alert::{Alert, Remediation};

/// What shows the broken link and how to mend it. Nothing of a record enters the command.
pub(super) fn find(alert: &Alert) -> Vec<Remediation> {
    let of_canary = alert.facts.get("part").is_some_and(|part| part == "canary");
    let command = if of_canary { "bedrock-watch doctor --canary" } else { "bedrock-watch doctor --org" };
    vec![Remediation {
        title: "Find the broken link, with the commands that mend it (run it with the service's configuration)"
            .to_owned(),
        command: format!("{command} --config bedrock-watch.toml"),
    }]
}
