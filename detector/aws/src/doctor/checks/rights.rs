//! What the service itself may do: every action of `infra/iam/daemon.json`, and nothing that an intruder would want.

use std::collections::BTreeSet;

use super::{Facts, Finding};
use crate::doctor::finding::Level;

const LINK: &str = "rights";
const EXCESS: &str = "rights-excess";

/// The caller may do everything the daemon does, and not much more.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let who = facts.caller.as_ref().map_or("", |caller| &caller.arn);
    let mut findings = vec![match &facts.rights.denied {
        Ok(denied) if denied.is_empty() => {
            let looked_at = if facts.rights.unknown.is_empty() { "" } else { ", as far as was looked" };
            Finding::fine(LINK, who, format!("may do everything that the configuration asks for{looked_at}"))
        }
        Ok(denied) => Finding::broken(LINK, who, Level::High, format!("may not {}", list(denied))).mended_by(
            "Give the task role the policy infra/iam/daemon.json; its README says what each action is for",
            "",
        ),
        Err(error) => Finding::not_asked(LINK, who, error),
    }];
    findings.extend(facts.rights.unknown.iter().map(|what| Finding::not_checked(LINK, who, what)));
    findings.push(excess(facts, who));
    findings
}

/// Whoever takes over the service has its rights.
fn excess(facts: &Facts, who: &str) -> Finding {
    match &facts.rights.excess {
        None => {
            let why = "a person asks, whose rights are not the service's: run doctor with the task role";
            Finding::not_checked(EXCESS, who, why)
        }
        Some(Ok(excess)) if excess.is_empty() => {
            Finding::fine(EXCESS, who, "may do nothing of a short list that the service never does")
        }
        Some(Ok(excess)) => {
            let what = format!("may {}, of which the service does nothing and an intruder would", list(excess));
            Finding::broken(EXCESS, who, Level::Low, what).mended_by(
                "If the service runs as this role, leave it infra/iam/daemon.json and nothing else; if not, ask again with the task role",
                "",
            )
        }
        Some(Err(error)) => Finding::not_asked(EXCESS, who, error),
    }
}

fn list(actions: &BTreeSet<String>) -> String {
    actions.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
