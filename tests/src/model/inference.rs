//! What counts as an inference call, how it ended and which model it named (contract, before `invocation-burst`).

use super::event::{Call, Event};

const OPERATIONS: [&str; 12] = [
    "InvokeModel",
    "InvokeModelWithResponseStream",
    "Converse",
    "ConverseStream",
    "InvokeModelWithBidirectionalStream",
    "StartAsyncInvoke",
    "InvokeAgent",
    "InvokeInlineAgent",
    "InvokeFlow",
    "Retrieve",
    "RetrieveAndGenerate",
    "RetrieveAndGenerateStream",
];

const SERVICE_SIDE: [&str; 8] = [
    "InternalServer",
    "InternalFailure",
    "ServiceUnavailable",
    "ModelTimeout",
    "ModelNotReady",
    "ModelError",
    "ModelStreamError",
    "ServiceQuotaExceeded",
];

const PROFILE_PREFIXES: [&str; 10] = ["us.", "eu.", "apac.", "global.", "us-gov.", "jp.", "au.", "ca.", "sa.", "me."];

/// The call, if it is an inference call.
pub(super) fn inference(event: &Event) -> Option<&Call> {
    event.call().filter(|call| {
        let operation = OPERATIONS.contains(&call.name.as_str()) && call.source.starts_with("bedrock");
        operation || (call.source == "bedrock-mantle.amazonaws.com" && call.name == "CreateInference")
    })
}

/// "Throttled: errorCode contains `hrottl`".
pub(super) fn throttled(call: &Call) -> bool {
    call.error.as_deref().is_some_and(|code| code.contains("hrottl"))
}

/// Failed, "neither throttled nor service-side".
pub(super) fn refused(call: &Call) -> bool {
    let Some(code) = call.error.as_deref() else { return false };
    !throttled(call) && !SERVICE_SIDE.iter().any(|prefix| code.starts_with(prefix))
}

/// "the last segment of an ARN or id, without a leading `us.` ..."; what inventory has not resolved is one model.
pub(super) fn model(call: &Call) -> Option<String> {
    let id = call.request("/modelId")?;
    let opaque = ["application-inference-profile/", "provisioned-model/", "custom-model/", "custom-model-deployment/"];
    if id.starts_with("arn:") && opaque.iter().any(|kind| id.contains(&format!(":{kind}"))) {
        return Some("unresolved".to_owned());
    }
    let last = id.rsplit('/').next().unwrap_or(id);
    let bare = PROFILE_PREFIXES.iter().find_map(|prefix| last.strip_prefix(prefix)).unwrap_or(last);
    Some(bare.to_owned())
}
