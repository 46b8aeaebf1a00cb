//! How answers of Kinesis are read: as the SDK reads them, only that answers with records are read quickly.
//!
//! The SDK lets a client be given another protocol. This one is the SDK's own for Kinesis (AWS JSON 1.1) in everything but
//! the reading of [`GetRecordsOutput`] and [`SubscribeToShardEvent`]: there the SDK goes through base64 byte by byte and
//! copies it before it decodes it. Whatever [`json`] does not expect is read again by the SDK, from its beginning.

mod json;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_sdk_kinesis::{operation::get_records::GetRecordsOutput, types::SubscribeToShardEvent};
use aws_smithy_json::{
    codec::{JsonCodec, JsonCodecSettings},
    protocol::aws_json_rpc::AwsJsonRpcProtocol,
};
use aws_smithy_runtime_api::http::{Request, Response};
use aws_smithy_schema::{
    Schema, ShapeId,
    codec::{DynCodec, PayloadSerializer},
    protocol::ClientProtocolInner,
    serde::{SerdeError, SerializableStruct, ShapeDeserializer},
};
use aws_smithy_types::{
    config_bag::ConfigBag, date_time::Format, endpoint::Endpoint, error::metadata::Builder as ErrorMetadataBuilder,
};

use self::json::RecordsJson;

/// Where the shapes of Kinesis are at home, for names in errors.
const NAMESPACE: &str = "com.amazonaws.kinesis";
/// What an answer is that may be read quickly.
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The protocol of Kinesis.
#[derive(Debug)]
pub(super) struct Wire {
    sdk: AwsJsonRpcProtocol,
    payloads: Payloads,
}

/// How the payloads of events are read and written, such as those of a subscription.
#[derive(Debug)]
struct Payloads(Arc<JsonCodec>);

impl Wire {
    pub(super) fn new() -> Self {
        // As the SDK sets it for Kinesis; it does not lend what it has set.
        let settings = JsonCodecSettings::builder()
            .use_json_name(false)
            .default_timestamp_format(Format::EpochSeconds)
            .default_namespace(NAMESPACE)
            .build();
        Self {
            sdk: AwsJsonRpcProtocol::aws_json_1_1().with_default_namespace(NAMESPACE),
            payloads: Payloads(Arc::new(JsonCodec::new(settings))),
        }
    }
}

/// Whether a shape is one whose records are read quickly.
fn has_records(schema: &Schema<'_>) -> bool {
    [GetRecordsOutput::SCHEMA, SubscribeToShardEvent::SCHEMA].iter().any(|shape| shape.shape_id() == schema.shape_id())
}

impl ClientProtocolInner for Wire {
    type Request = Request;
    type Response = Response;

    fn protocol_id(&self) -> &ShapeId<'static> {
        self.sdk.protocol_id()
    }

    fn serialize_request(
        &self,
        input: &dyn SerializableStruct,
        input_schema: &Schema<'_>,
        endpoint: &str,
        config: &ConfigBag,
    ) -> Result<Request, SerdeError> {
        self.sdk.serialize_request(input, input_schema, endpoint, config)
    }

    fn deserialize_response<'a>(
        &self,
        response: &'a Response,
        output_schema: &Schema<'_>,
        config: &'a ConfigBag,
    ) -> Result<Box<dyn ShapeDeserializer + 'a>, SerdeError> {
        let sdk = self.sdk.deserialize_response(response, output_schema, config)?;
        if !has_records(output_schema) {
            return Ok(sdk);
        }
        let content_type = response.headers().get("content-type").unwrap_or_default();
        match response.body().bytes() {
            Some(body) if content_type == CONTENT_TYPE => {
                Ok(Box::new(RecordsJson::new(body, Arc::clone(&self.payloads.0), sdk)))
            }
            _ => {
                tracing::debug!(content_type, "the SDK reads the records");
                Ok(sdk)
            }
        }
    }

    fn parse_error_metadata(
        &self,
        response: &Response,
        config: &ConfigBag,
    ) -> Result<ErrorMetadataBuilder, SerdeError> {
        self.sdk.parse_error_metadata(response, config)
    }

    fn deserialize_error_response<'a>(
        &self,
        response: &'a Response,
        config: &'a ConfigBag,
    ) -> Result<Box<dyn ShapeDeserializer + 'a>, SerdeError> {
        self.sdk.deserialize_error_response(response, config)
    }

    fn update_endpoint(
        &self,
        request: &mut Request,
        endpoint: &Endpoint,
        config: &ConfigBag,
    ) -> Result<(), SerdeError> {
        self.sdk.update_endpoint(request, endpoint, config)
    }

    fn payload_codec(&self) -> Option<&dyn DynCodec> {
        Some(&self.payloads)
    }

    fn event_stream_media_type(&self) -> Option<&str> {
        self.sdk.event_stream_media_type()
    }

    fn parse_event_stream_error_metadata(&self, payload: &[u8]) -> Result<ErrorMetadataBuilder, SerdeError> {
        self.sdk.parse_event_stream_error_metadata(payload)
    }
}

impl DynCodec for Payloads {
    fn create_deserializer<'a>(&self, input: &'a [u8]) -> Box<dyn ShapeDeserializer + 'a> {
        let sdk = DynCodec::create_deserializer(&*self.0, input);
        Box::new(RecordsJson::new(input, Arc::clone(&self.0), sdk))
    }

    fn create_serializer(&self) -> Box<dyn PayloadSerializer + '_> {
        DynCodec::create_serializer(&*self.0)
    }
}
