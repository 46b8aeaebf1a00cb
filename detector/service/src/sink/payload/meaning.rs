//! Says in words what an alert means: for jobs, for what is recorded, and what is new for the one who did it.

use std::net::IpAddr;

use bedrock_watch_engine::alert::{Alert, Severity, Status, SubjectKind};
use serde_json::Value;

/// A sign that is seen in a list of messages.
pub(super) const fn sign(severity: Severity, over: bool) -> &'static str {
    if over {
        return "✅";
    }
    match severity {
        Severity::Critical => "🔴",
        Severity::High => "🟠",
        Severity::Medium => "🟡",
        Severity::Low => "🔵",
        Severity::Informational => "⚪",
    }
}

fn count(alert: &Alert, fact: &str) -> Option<u64> {
    alert.facts.get(fact).and_then(Value::as_u64)
}

/// What it means for jobs, or for what is recorded; no word in it comes from a record.
pub(super) fn consequence(alert: &Alert) -> String {
    match alert.subject_kind {
        SubjectKind::CustomizationJobDependency => {
            let jobs = alert.facts.get("jobs").and_then(Value::as_array).map_or(0, Vec::len);
            let (jobs, depend, they) = match jobs {
                0 => ("Bedrock customization jobs".to_owned(), "depend", "they"),
                1 => ("1 Bedrock customization job".to_owned(), "depends", "it"),
                more => (format!("{more} Bedrock customization jobs"), "depend", "they"),
            };
            match alert.rule.as_str() {
                "customization-job-security-group-delete-refused" => format!(
                    "{jobs} {depend} on it. AWS refused this time; whoever tried may try again once nothing holds it."
                ),
                _ => format!(
                    "{jobs} {depend} on it. Training may fail or hang, or lose the network isolation or access that \
                     {they} had, and what was trained since may have to be repeated."
                ),
            }
        }
        SubjectKind::InvocationLogging => unrecorded(alert),
        SubjectKind::Principal => "Whoever holds these credentials uses models at your cost, and may see what they \
                                   return. Customization jobs are not affected."
            .to_owned(),
        SubjectKind::Dependency => on_dependency(alert),
        SubjectKind::Event => "No running customization job is known to be affected by it.".to_owned(),
    }
}

/// What it means for batch and import jobs, models, knowledge bases and agents.
fn on_dependency(alert: &Alert) -> String {
    let affected = alert.facts.get("dependents").and_then(Value::as_array).map_or(0, Vec::len);
    let (things, stop) = match affected {
        1 => ("1 Bedrock resource depends".to_owned(), "it may fail"),
        more => (format!("{more} Bedrock resources depend"), "they may fail"),
    };
    let exposed = alert.facts.contains_key("changes");
    if exposed {
        format!("{things} on the data in it. Somebody else may read it, or it may be gone soon.")
    } else {
        format!("{things} on it, and {stop} without it.")
    }
}

/// What was not recorded.
fn unrecorded(alert: &Alert) -> String {
    let Some(calls) = count(alert, "blind_invocations") else {
        return "Some prompts and answers are no longer recorded where they were before.".to_owned();
    };
    let calls = match calls {
        0 => "Nothing was invoked meanwhile.".to_owned(),
        1 => "1 call was made unseen.".to_owned(),
        more => format!("{more} calls were made unseen."),
    };
    match (alert.status, count(alert, "blind_seconds")) {
        (Status::Firing, _) => format!("Prompts and answers are not recorded in this region. {calls}"),
        (_, Some(seconds)) => format!("Prompts and answers were not recorded in this region for {seconds} s. {calls}"),
        (_, None) => format!("Prompts and answers were not recorded in this region. {calls}"),
    }
}

/// Whether any of this is new for the principal.
pub(super) fn novelty(alert: &Alert) -> Option<String> {
    let learning = alert.facts.get("learning").and_then(Value::as_bool);
    let list = |name: &str| {
        let items = alert.facts.get(name).and_then(Value::as_array)?;
        let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
        (!items.is_empty()).then(|| items.join(", "))
    };
    let mut news = Vec::new();
    if let Some(models) = list("new_models") {
        news.push(format!("new models for the account: {models}"));
    }
    if let Some(regions) = list("new_regions") {
        news.push(format!("new regions: {regions}"));
    }
    if let Some(peak) = count(alert, "peak_60s") {
        news.push(match count(alert, "baseline_60s") {
            Some(usual) => format!("{peak} calls in 60 s, where {usual} are usual"),
            None => format!("{peak} calls in 60 s; what is usual is not known yet"),
        });
    }
    if learning == Some(true) {
        news.push("the account is known for less than 7 days, so much may look new".to_owned());
    }
    if news.is_empty() {
        return learning.map(|_| "nothing new is known".to_owned());
    }
    Some(news.join("; "))
}

/// What kind of network an address belongs to, as far as the address itself says.
pub(super) fn network(address: &str) -> &'static str {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) if ip.is_private() || ip.is_link_local() => "private network, through a VPC endpoint",
        Ok(IpAddr::V4(ip)) if ip.is_loopback() || ip.is_unspecified() => "not a real address",
        Ok(IpAddr::V6(ip)) if ip.is_unique_local() || ip.is_unicast_link_local() => {
            "private network, through a VPC endpoint"
        }
        Ok(IpAddr::V6(ip)) if ip.is_loopback() || ip.is_unspecified() => "not a real address",
        Ok(_) => "public internet",
        Err(_) if address.ends_with(".amazonaws.com") || address.starts_with("AWS Internal") => "an AWS service",
        Err(_) => "not an address",
    }
}

/// Why it is over, or why it was withdrawn, if the alert says.
pub(super) fn reason(alert: &Alert) -> Option<&str> {
    alert.facts.get("reason").and_then(Value::as_str)
}
