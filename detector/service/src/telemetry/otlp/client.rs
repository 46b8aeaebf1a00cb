//! Sends OTLP: protobuf over HTTP, or gRPC. Both go over the HTTP client of the sinks, so that there is one TLS stack.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::http::{self, Response, uri::PathAndQuery};
use prost::Message;
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use tonic::{client::Grpc, metadata::MetadataMap};
use tonic_prost::ProstCodec;

use super::Request;
use crate::config::telemetry::{Protocol, SignalConfig};

/// More of an answer than this is not read.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A header is none.
    #[error("a header for OTLP cannot be used: {0}; correct `headers` in [telemetry] or OTEL_EXPORTER_OTLP_HEADERS")]
    Header(&'static str),
    /// TLS cannot be set up.
    #[error("cannot set up HTTPS for OTLP: {0}; is there a certificate store (ca-certificates)?")]
    Tls(String),
}

/// Why something was not taken.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SendError {
    /// What went wrong, without secrets.
    pub(crate) message: String,
    /// Whether the same may be taken later.
    pub(crate) temporary: bool,
}

impl SendError {
    fn new(message: impl Into<String>, temporary: bool) -> Self {
        Self { message: message.into(), temporary }
    }
}

/// Sends one kind of telemetry to its receiver.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    protocol: Protocol,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("host", &self.host()).field("protocol", &self.protocol).finish()
    }
}

impl Client {
    /// A client for what the configuration names.
    pub(crate) fn new(config: &SignalConfig) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let name: HeaderName = name.parse().map_err(|_| ClientError::Header("a name is no HTTP header"))?;
            let mut value = HeaderValue::from_str(value.expose())
                .map_err(|_| ClientError::Header("a value has characters that HTTP does not allow"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let builder = reqwest::Client::builder()
            .user_agent(concat!("OTel-OTLP-Exporter-bedrock-watch/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(config.timeout);
        let builder = match config.protocol {
            Protocol::Grpc => builder.http2_prior_knowledge(),
            Protocol::HttpProtobuf => builder.http1_only(),
        };
        let http = builder.build().map_err(|error| ClientError::Tls(error.without_url().to_string()))?;
        Ok(Self { http, url: config.url.clone(), headers, protocol: config.protocol })
    }

    /// Where it sends to, as people may see it.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or("?")
    }

    /// Sends a request; the answer says how many of its items were refused.
    pub(crate) async fn send<T: Request>(&self, request: &T) -> Result<u64, SendError> {
        let answer = match self.protocol {
            Protocol::HttpProtobuf => self.post(request.encode_to_vec()).await?,
            Protocol::Grpc => self.call(request.clone()).await?,
        };
        Ok(u64::try_from(T::rejected(answer)).unwrap_or_default())
    }

    async fn post<A: Message + Default>(&self, body: Vec<u8>) -> Result<A, SendError> {
        let request = self.http.post(self.url.clone()).headers(self.headers.clone());
        let sent = request.header(CONTENT_TYPE, "application/x-protobuf").body(body).send().await;
        let mut response = sent.map_err(unsent)?;
        let status = response.status();
        if !status.is_success() {
            let temporary = matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            );
            return Err(SendError::new(format!("it answered {}", status.as_u16()), temporary));
        }
        let mut body = Vec::new();
        // What follows a success is of no weight; one that cannot be read is one without remarks.
        while let Ok(Some(chunk)) = response.chunk().await {
            if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(A::decode(body.as_slice()).unwrap_or_default())
    }

    async fn call<T: Request>(&self, message: T) -> Result<T::Answer, SendError> {
        let mut grpc = Grpc::new(Channel { http: self.http.clone(), url: self.url.clone() });
        grpc = grpc.max_decoding_message_size(ANSWER_BYTES_MAX);
        let mut request = tonic::Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        let codec: ProstCodec<T, T::Answer> = ProstCodec::default();
        let answer = grpc.unary(request, PathAndQuery::from_static(T::GRPC_PATH), codec).await;
        answer.map(tonic::Response::into_inner).map_err(|status| {
            use tonic::Code;
            let temporary = matches!(
                status.code(),
                Code::Cancelled
                    | Code::DeadlineExceeded
                    | Code::Aborted
                    | Code::OutOfRange
                    | Code::Unavailable
                    | Code::DataLoss
                    | Code::ResourceExhausted
                    | Code::Unknown
            );
            let said: String = crate::format::visible(status.message()).chars().take(200).collect();
            SendError::new(format!("it answered {:?}: {said}", status.code()), temporary)
        })
    }
}

fn unsent(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    if error.is_timeout() {
        return SendError::new("it did not answer in time", true);
    }
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    SendError::new(format!("it cannot be reached: {innermost}"), !error.is_builder())
}

/// The HTTP client as tonic wants it.
struct Channel {
    http: reqwest::Client,
    url: Url,
}

impl tower::Service<http::Request<tonic::body::Body>> for Channel {
    type Response = Response<reqwest::Body>;
    type Error = tonic::Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let (http, mut url) = (self.http.clone(), self.url.clone());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            url.set_path(parts.uri.path());
            let body = axum::body::to_bytes(axum::body::Body::new(body), usize::MAX).await;
            let body = body.map_err(|error| tonic::Status::internal(error.to_string()))?;
            let sent = http.request(parts.method, url).headers(parts.headers).body(body).send().await;
            let response = sent.map_err(|error| tonic::Status::unavailable(unsent(error).message))?;
            Ok(response.into())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, future::IntoFuture, time::Duration};

    use axum::{Router, body::Bytes, routing::post};
    use opentelemetry_proto::tonic::{
        collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse},
        trace::v1::ResourceSpans,
    };
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Secret;

    /// Sends one request over HTTP to a receiver that answers so.
    async fn sent(status: StatusCode, rejected_spans: i64) -> Result<u64, SendError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = SignalConfig {
            url: format!("http://{}/v1/traces", listener.local_addr().unwrap()).parse().unwrap(),
            protocol: Protocol::HttpProtobuf,
            headers: BTreeMap::from([("x-key".to_owned(), Secret::new("of the receiver".to_owned()))]),
            timeout: Duration::from_secs(10),
        };
        let request = ExportTraceServiceRequest { resource_spans: vec![ResourceSpans::default()] };
        let expected = request.clone();
        let receive = move |headers: HeaderMap, body: Bytes| async move {
            let header = |name: &str| headers[name].to_str().unwrap();
            assert_eq!((header("x-key"), header("content-type")), ("of the receiver", "application/x-protobuf"));
            assert_eq!(ExportTraceServiceRequest::decode(body).unwrap(), expected);
            let partial = ExportTracePartialSuccess { rejected_spans, ..Default::default() };
            (status, ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec())
        };
        let server = axum::serve(listener, Router::new().route("/v1/traces", post(receive)));
        let client = Client::new(&config).unwrap();
        assert!(!format!("{client:?}").contains("of the receiver"));
        tokio::select! {
            outcome = client.send(&request) => outcome,
            ended = server.into_future() => panic!("{ended:?}"),
        }
    }

    #[tokio::test]
    async fn what_a_receiver_refuses_is_known() {
        assert_eq!(sent(StatusCode::OK, 0).await.unwrap(), 0);
        assert_eq!(sent(StatusCode::OK, 2).await.unwrap(), 2);
        for (status, temporary) in [(StatusCode::SERVICE_UNAVAILABLE, true), (StatusCode::UNAUTHORIZED, false)] {
            let error = sent(status, 0).await.unwrap_err();
            assert_eq!((error.temporary, error.message), (temporary, format!("it answered {}", status.as_u16())));
        }
    }
}
