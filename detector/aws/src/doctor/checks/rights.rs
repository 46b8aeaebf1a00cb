//! What the service itself may do: every action of `infra/iam/daemon.json`.

use super::{Facts, Finding};
use crate::doctor::finding::Level;

/// The caller may do everything the daemon does.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "rights";
    let who = facts.caller.as_ref().map_or("", |caller| &caller.arn);
    vec![match &facts.denied {
        Ok(denied) if denied.is_empty() => {
            Finding::fine(LINK, who, "may do everything that the configuration asks for")
        }
        Ok(denied) => {
            let actions = denied.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            Finding::broken(LINK, who, Level::High, format!("may not {actions}")).mended_by(
                "Give the task role the policy infra/iam/daemon.json; its README says what each action is for",
                "",
            )
        }
        Err(error) => Finding::not_asked(LINK, who, error),
    }]
}
