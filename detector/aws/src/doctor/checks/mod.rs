//! The links of the chain, one small file each: facts in, findings out.
//!
//! Deliberately nothing is asked here and nothing waits, so that every broken set-up can be tried in a test.

mod account;
mod canary;
mod coverage;
mod daemon;
mod data_events;
mod encryption;
mod global;
mod pattern;
mod rights;
mod rule;
mod sinks;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod trail;
mod way;

use std::fmt::Write as _;

pub use coverage::{RULE as COVERAGE_RULE, TRAIL as COVERAGE_TRAIL, coverage};
pub use way::way;

use super::{
    facts::{Caller, Facts},
    finding::{Finding, Report},
    quote::quote,
};

/// Checks every link, in the order in which an event passes them.
#[must_use]
pub fn examine(facts: &Facts) -> Report {
    let links: [fn(&Facts) -> Vec<Finding>; 18] = [
        identity,
        trail::trail,
        trail::logging,
        trail::management_events,
        data_events::check,
        rule::check,
        pattern::check,
        rule::state,
        global::check,
        target::check,
        target::role,
        target::dead_letter,
        encryption::check,
        stream::check,
        rights::check,
        account::check,
        daemon::check,
        canary::check,
    ];
    let mut findings: Vec<Finding> = links.iter().flat_map(|link| link(facts)).collect();
    findings.extend(sinks::check(facts));
    Report { findings }
}

fn identity(facts: &Facts) -> Vec<Finding> {
    vec![match &facts.caller {
        Ok(Caller { account, arn }) => {
            Finding::fine("identity", "", format!("asking as {arn} in account {account}, {}", facts.region))
        }
        Err(error) => Finding::not_asked("identity", "", error)
            .mended_by("See which credentials are found", "aws sts get-caller-identity"),
    }]
}

/// The account, where it is known.
fn account(facts: &Facts) -> &str {
    facts.caller.as_ref().map_or("", |caller| &caller.account)
}

/// `aws SERVICE OPERATION --region REGION`, and options.
fn aws(operation: &str, region: &str, options: &[(&str, &str)]) -> String {
    let mut command = format!("aws {operation} --region {}", quote(region));
    for (name, value) in options {
        // Writing into a string cannot fail.
        let _infallible = write!(command, " \\\n  {name} {}", quote(value));
    }
    command
}
