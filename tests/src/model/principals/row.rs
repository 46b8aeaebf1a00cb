//! One call of a principal, with everything the principal rules ask of it already answered.

use super::super::{
    event::{Call, Event, Time},
    inference::{inference, model, refused, throttled},
    json::text,
};

#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    pub event: &'a Event,
    pub call: &'a Call,
    pub account: &'a str,
    pub principal: &'a str,
    pub time: Time,
    pub region: &'a str,
    pub inference: bool,
    /// An inference call that was not throttled.
    pub invocation: bool,
    /// An inference call that succeeded.
    pub success: bool,
    /// An inference call that failed, neither throttled nor by the service's fault.
    pub refused: bool,
    /// `Validation` about `max_tokens`: the probe that proves access without paying.
    pub limit_probe: bool,
    /// Enables a model, successfully.
    pub enables: bool,
    pub model: Option<String>,
}

impl<'a> Row<'a> {
    pub(super) fn of(event: &'a Event) -> Option<Self> {
        let call = event.call()?;
        let inference = inference(event).is_some();
        let refused = inference && refused(call);
        let message = text(&call.record, "/errorMessage").unwrap_or_default();
        let validation = call.error.as_deref().is_some_and(|code| code.contains("Validation"));
        let enabling = ["PutFoundationModelEntitlement", "CreateFoundationModelAgreement"];
        Some(Self {
            event,
            call,
            account: &event.account,
            principal: &call.principal,
            time: event.time(),
            region: &event.region,
            inference,
            invocation: inference && !throttled(call),
            success: inference && call.error.is_none(),
            refused,
            limit_probe: refused && validation && message.contains("max_tokens"),
            enables: event.success("bedrock.amazonaws.com").is_some() && enabling.contains(&call.name.as_str()),
            model: if inference { model(call) } else { None },
        })
    }

    /// A string of the record.
    pub(super) fn text(&self, pointer: &str) -> Option<&'a str> {
        text(&self.call.record, pointer)
    }
}
