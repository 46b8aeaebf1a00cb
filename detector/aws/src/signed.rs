//! A JSON request to a service of AWS without its SDK: signed (Signature Version 4), posted, and its answer read.
//!
//! For Security Hub, whose SDK is larger than all others together for the two calls that are needed, and for the one
//! question to CloudWatch, whose SDK brings a second generation of HTTP crates.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use reqwest::{Method, redirect::Policy};
use serde_json::Value;

use crate::failure::{Failure, Kind};

/// More of an answer than this is not read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The header that names an error.
const ERROR_HEADER: &str = "x-amzn-errortype";

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: &'static str,
    content_type: &'static str,
    /// The operation, where it does not follow from the path.
    target: Option<&'static str>,
}

impl Call {
    /// A call in the REST JSON protocol.
    pub(crate) const fn rest(method: Method, path: &'static str) -> Self {
        Self { method, path, content_type: "application/json", target: None }
    }

    /// A call in the AWS JSON 1.0 protocol.
    pub(crate) const fn json(target: &'static str) -> Self {
        Self { method: Method::POST, path: "/", content_type: "application/x-amz-json-1.0", target: Some(target) }
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let target = self.target.map(|target| ("x-amz-target", target));
        [("content-type", self.content_type)].into_iter().chain(target)
    }
}

/// A client for signed requests.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    client: reqwest::Client,
    /// What the service is called in signatures and addresses.
    service: &'static str,
}

impl Signed {
    /// A client whose requests take at most `timeout`.
    pub(crate) fn new(service: &'static str, timeout: Duration) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .http1_only()
            .user_agent(concat!("bedrock-watch/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(timeout)
            .build()
            .map_err(|error| Failure::unreachable(&format!("cannot set up HTTPS: {error}"), false))?;
        Ok(Self { client, service })
    }

    /// Makes a call with `body` and reads the answer.
    pub(crate) async fn send(&self, sdk: &SdkConfig, call: &Call, body: &Value) -> Result<Value, Failure> {
        let region = sdk.region().map_or("", |region| region.as_ref());
        let url = format!("{}{}", address(sdk.endpoint_url(), self.service, region), call.path);
        let body = body.to_string();
        let mut request = self.client.request(call.method.clone(), &url);
        for (name, value) in call.headers() {
            request = request.header(name, value);
        }
        for (name, value) in self.signature(sdk, region, call, (&url, &body)).await? {
            request = request.header(name, value);
        }
        let sent = request.body(body).send().await;
        let mut answer = sent.map_err(|error| {
            let may_have_happened = !error.is_connect();
            Failure::unreachable(&error.without_url().to_string(), may_have_happened)
        })?;
        let status = answer.status().as_u16();
        let error = answer.headers().get(ERROR_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(part) = answer
            .chunk()
            .await
            .map_err(|error| Failure::unreachable(&format!("the answer broke off: {}", error.without_url()), true))?
        {
            if bytes.len().saturating_add(part.len()) > ANSWER_BYTES_MAX {
                return Err(Failure::unreachable("the answer is too long", true));
            }
            bytes.extend_from_slice(&part);
        }
        let value: Option<Value> = serde_json::from_slice(&bytes).ok();
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| value.as_ref()?.get(name)?.as_str());
            found.unwrap_or_default().to_owned()
        };
        if !(200..300).contains(&status) {
            let code = error.unwrap_or_else(|| text(&["__type", "Code", "code"]));
            // What follows a colon is an address.
            let code = code.split(':').next().unwrap_or_default();
            return Err(Failure::answered(status, code, &text(&["message", "Message"])));
        }
        value.ok_or_else(|| Failure::unreachable("the answer is no JSON", true))
    }

    /// The headers that sign a call.
    async fn signature(
        &self,
        sdk: &SdkConfig,
        region: &str,
        call: &Call,
        (url, body): (&str, &str),
    ) -> Result<Vec<(String, String)>, Failure> {
        let unsigned = |reason: &str| Failure {
            kind: Kind::Denied,
            ..Failure::unreachable(&format!("the request cannot be signed: {reason}"), false)
        };
        let provider = sdk.credentials_provider().ok_or_else(|| unsigned("there are no credentials"))?;
        let credentials = provider.provide_credentials().await.map_err(|error| unsigned(&error.to_string()))?;
        let identity: Identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error.to_string()))?;
        let method = call.method.as_str();
        let request = SignableRequest::new(method, url, call.headers(), SignableBody::Bytes(body.as_bytes()));
        let request = request.map_err(|error| unsigned(&error.to_string()))?;
        let signed = sign(request, &parameters.into()).map_err(|error| unsigned(&error.to_string()))?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Where the service is: at another address for every service, or at its own in the region's partition.
fn address(endpoint: Option<&str>, service: &str, region: &str) -> String {
    if let Some(endpoint) = endpoint {
        return endpoint.trim_end_matches('/').to_owned();
    }
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_follow_the_partition() {
        let check = |endpoint: Option<&str>, region: &str, expected: &str| {
            assert_eq!(address(endpoint, "securityhub", region), expected);
        };
        check(None, "eu-west-1", "https://securityhub.eu-west-1.amazonaws.com");
        check(None, "us-gov-west-1", "https://securityhub.us-gov-west-1.amazonaws.com");
        check(None, "cn-north-1", "https://securityhub.cn-north-1.amazonaws.com.cn");
        check(Some("http://127.0.0.1:4566/"), "eu-west-1", "http://127.0.0.1:4566");
    }
}
