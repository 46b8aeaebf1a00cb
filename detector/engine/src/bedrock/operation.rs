//! Which API calls make a model work.

/// The operations that count as inference calls, on an event source that begins with `bedrock`.
///
/// InvokeModel*, Converse* are management events; the others are data events and arrive only where a trail selects
/// them. `CreateInference` is the OpenAI-compatible endpoint's (`bedrock-mantle.amazonaws.com`).
pub const INFERENCE_OPERATIONS: [&str; 13] = [
    "Converse",
    "ConverseStream",
    "CreateInference",
    "InvokeAgent",
    "InvokeFlow",
    "InvokeInlineAgent",
    "InvokeModel",
    "InvokeModelWithBidirectionalStream",
    "InvokeModelWithResponseStream",
    "Retrieve",
    "RetrieveAndGenerate",
    "RetrieveAndGenerateStream",
    "StartAsyncInvoke",
];

/// The event source of Bedrock's control plane, runtime and agents.
pub const BEDROCK: &str = "bedrock.amazonaws.com";

/// The operations that open a model to an account.
pub const ENABLING_OPERATIONS: [&str; 2] = ["CreateFoundationModelAgreement", "PutFoundationModelEntitlement"];

/// Whether a call opens a model to an account.
#[must_use]
pub fn is_enabling(source: &str, name: &str) -> bool {
    source == BEDROCK && ENABLING_OPERATIONS.contains(&name)
}

/// Whether an event source is one of Bedrock's.
#[must_use]
pub fn is_bedrock(source: &str) -> bool {
    source.starts_with("bedrock")
}

/// Whether an operation is one of [`INFERENCE_OPERATIONS`], asked for nearly every record.
fn is_inference_operation(name: &str) -> bool {
    name.starts_with(['C', 'I', 'R', 'S']) && INFERENCE_OPERATIONS.contains(&name)
}

/// Whether a call asks a model (or an agent, a flow, a knowledge base) to work.
#[must_use]
pub fn is_inference(source: &str, name: &str) -> bool {
    is_bedrock(source)
        && is_inference_operation(name)
        && (name != "CreateInference" || source == "bedrock-mantle.amazonaws.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inference_is_bedrock_and_named() {
        assert!(INFERENCE_OPERATIONS.is_sorted());
        assert!(is_inference("bedrock.amazonaws.com", "InvokeModel"));
        assert!(is_inference("bedrock-mantle.amazonaws.com", "CreateInference"));
        assert!(is_inference("bedrock.amazonaws.com", "Retrieve"));
        assert!(!is_inference("bedrock.amazonaws.com", "CreateInference"));
        assert!(!is_inference("kendra.amazonaws.com", "Retrieve"));
        assert!(!is_inference("bedrock.amazonaws.com", "ListFoundationModels"));
    }
}
