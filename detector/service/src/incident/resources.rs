//! What is affected: the resources that alerts are about and name in their facts.
//!
//! Rules choose the names of facts, so what each names is a table here; what it does not list is no resource.

use std::collections::BTreeSet;

use bedrock_watch_engine::alert::{Alert, SubjectKind};
use serde_json::Value;

use super::facts;

/// Resources that are listed.
const RESOURCES_MAX: usize = 100;

/// Facts that name resources, and what kind of resource each names.
const RESOURCE_FACTS: [(&str, &[&str]); 25] = [
    ("access key", &["created_access_key_id"]),
    ("agent", &["agent", "agent_id", "agents"]),
    ("bucket", &["bucket"]),
    ("credential provider", &["providers"]),
    ("custom model deployment", &["deployment"]),
    ("data", &["from", "input", "output", "training_data"]),
    ("data source", &["data_source", "data_sources"]),
    ("endpoint", &["endpoint"]),
    ("flow", &["flows"]),
    ("function", &["function", "functions"]),
    ("gateway", &["gateway"]),
    ("guardrail", &["guardrail", "guardrails"]),
    ("guardrail enforcement", &["enforcement"]),
    ("inference profile or prompt router", &["arn"]),
    ("job", &["job", "jobs"]),
    ("knowledge base", &["knowledge_base", "knowledge_bases"]),
    ("model", &["base_model", "excluded_models", "model", "models", "new_model", "new_models"]),
    ("payment manager", &["managers"]),
    ("policy", &["policy", "policy_engine"]),
    ("prompt", &["prompts"]),
    ("provisioned throughput", &["provisioned_model"]),
    ("resource", &["resource", "resources"]),
    ("role", &["created_principal", "role", "roles"]),
    ("runtime or tool", &["runtimes", "tool"]),
    ("user", &["created_user_arn", "credential_made_for_user"]),
];

/// What the alerts are about, but for principals and events; what stands on it; and what their facts name.
pub(super) fn resources(alerts: &[&Alert]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for alert in alerts {
        if !matches!(alert.subject_kind, SubjectKind::Principal | SubjectKind::Event) {
            found.insert(format!("{} {}", alert.subject_kind.as_str().replace('_', " "), alert.subject_id));
        }
        let listed = |fact: &str| alert.facts.get(fact).and_then(Value::as_array).into_iter().flatten();
        found.extend(listed("jobs").filter_map(|job| job.get("arn")?.as_str()).map(|arn| format!("job {arn}")));
        found.extend(listed("dependents").filter_map(dependent));
        for (what, facts) in RESOURCE_FACTS {
            // The text of a policy names none.
            let names = facts.iter().flat_map(|fact| facts::texts(alert, fact)).filter(|name| !name.starts_with('{'));
            found.extend(names.map(|name| format!("{what} {name}")));
        }
    }
    found.into_iter().take(RESOURCES_MAX).collect()
}

/// Something that stands on what was lost.
fn dependent(fact: &Value) -> Option<String> {
    let text = |name: &str| fact.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = text("kind").unwrap_or("resource").replace('_', " ");
    Some(format!("{kind} {}", text("arn").or_else(|| text("name"))?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::format::sample;

    #[test]
    fn names_what_is_affected() {
        let check = |facts: Value, expected: &[&str]| {
            let facts = facts.as_object().cloned().unwrap();
            let (kind, id) = (SubjectKind::Principal, "arn:aws:iam::111122223333:user/mallory".to_owned());
            let alert = Alert { facts, subject_kind: kind, subject_id: id, ..sample::alert() };
            // The same twice is named once.
            assert_eq!(resources(&[&alert, &alert]), expected);
        };
        check(json!({ "operations": ["DeleteGuardrail"], "peak_60s": 130, "models": 4 }), &[]);
        check(json!({ "guardrails": ["gr1", "gr2"], "versions": ["1"] }), &["guardrail gr1", "guardrail gr2"]);
        check(json!({ "knowledge_base": "KB1" }), &["knowledge base KB1"]);
        check(json!({ "agents": ["A"], "jobs": ["arn:job"] }), &["agent A", "job arn:job"]);
        check(
            json!({ "units": 2, "provisioned_model": "arn:p", "model": "m" }),
            &["model m", "provisioned throughput arn:p"],
        );
        check(json!({ "new_models": ["m", "n"], "models": ["m"] }), &["model m", "model n"]);
        check(json!({ "policy": "{\"Statement\":[]}", "resource": null }), &[]);
        let dependents = json!({ "dependents": [
            { "kind": "knowledge_base", "arn": "arn:kb", "name": "handbook", "status": "ACTIVE" },
            { "kind": "agent", "arn": null, "name": "helper", "status": null },
            { "kind": "agent" },
        ]});
        check(dependents, &["agent helper", "knowledge base arn:kb"]);
        let many: Vec<String> = (0..=RESOURCES_MAX).map(|number| format!("gr{number}")).collect();
        let alert = Alert { facts: json!({ "guardrails": many }).as_object().cloned().unwrap(), ..sample::alert() };
        assert_eq!(resources(&[&alert]).len(), RESOURCES_MAX);
    }
}
