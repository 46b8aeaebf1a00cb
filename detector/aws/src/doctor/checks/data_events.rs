//! Data events: calls through agents and knowledge bases reach CloudTrail only where a trail asks for them.

use super::{Facts, Finding, aws};
use crate::doctor::{facts::Asked, finding::Level};

const LINK: &str = "data-events";

/// Where agents or knowledge bases exist, a trail logs their data events.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let kinds = [
        ("agents", &facts.agents, "AWS::Bedrock::AgentAlias"),
        ("knowledge bases", &facts.knowledge_bases, "AWS::Bedrock::KnowledgeBase"),
    ];
    kinds.iter().map(|(what, count, resource_type)| one(facts, what, count, resource_type)).collect()
}

fn one(facts: &Facts, what: &str, count: &Asked<usize>, resource_type: &str) -> Finding {
    let count = match count {
        Ok(0) => return Finding::fine(LINK, what, format!("there are no {what}")),
        Ok(count) => *count,
        Err(error) => return Finding::not_asked(LINK, what, error),
    };
    let trails = match &facts.trails {
        Ok(trails) => trails,
        Err(error) => return Finding::not_asked(LINK, what, error),
    };
    let known = || trails.iter().filter_map(|trail| trail.selectors.as_ref().ok());
    if known().any(|selectors| selectors.data_resource_types.contains(resource_type)) {
        return Finding::fine(LINK, what, format!("a trail logs the data events of {resource_type}"));
    }
    if let Some(error) = trails.iter().find_map(|trail| trail.selectors.as_ref().err()) {
        return Finding::not_asked(LINK, what, error);
    }
    let trail = trails.first().map_or("YOUR-TRAIL", |trail| trail.arn.as_str());
    let selectors = format!(
        r#"[{{"Name":"Management events","FieldSelectors":[{{"Field":"eventCategory","Equals":["Management"]}}]}},{{"Name":"{what}","FieldSelectors":[{{"Field":"eventCategory","Equals":["Data"]}},{{"Field":"resources.type","Equals":["{resource_type}"]}}]}}]"#
    );
    Finding::broken(
        LINK,
        what,
        Level::Medium,
        format!("{count} {what} exist and no trail logs data events of {resource_type}: what is invoked through them is not seen"),
    )
    .mended_by(
        "Log them (this replaces the trail's selectors: add those it has to the list)",
        aws(
            "cloudtrail put-event-selectors",
            &facts.region,
            &[("--trail-name", trail), ("--advanced-event-selectors", &selectors)],
        ),
    )
}
