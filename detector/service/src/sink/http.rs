//! How sinks speak HTTP: one POST, no redirects, a limit on everything, and what an answer means.
//!
//! Addresses and headers may carry secrets, so no error says more of them than the host.

use std::{fmt, time::Duration};

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::{
    StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
    redirect::Policy,
};

use super::{Fault, Scope, SinkError, StartError};
use crate::config::Secret;

/// More of an answer than this is not read.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;
/// Idle connections that are kept, for each host.
const IDLE_CONNECTIONS_MAX: usize = 4;
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(55);
/// How long connecting may take at most, within the time of the whole request.
const CONNECT: Duration = Duration::from_secs(5);

/// A client for one sink.
#[derive(Debug, Clone)]
pub(super) struct Client {
    inner: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// The body; what was read of it when the connection broke.
    pub(super) body: Vec<u8>,
    /// Why the body is not whole.
    pub(super) broken: Option<String>,
}

/// An address that is never shown but for its host.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address(Url);

impl Address {
    /// Reads the address of a sink.
    pub(super) fn parse(sink: &str, url: &str) -> Result<Self, StartError> {
        let error = |reason: &str| StartError::Address { sink: sink.to_owned(), reason: reason.to_owned() };
        let url = Url::parse(url).map_err(|reason| error(&reason.to_string()))?;
        match url.scheme() {
            "https" | "http" if url.has_host() => Ok(Self(url)),
            _ => Err(error("it must begin with https:// or http://")),
        }
    }

    /// The address with a path put behind it.
    pub(super) fn join(&self, path: &str) -> Option<Self> {
        self.0.join(path).ok().map(Self)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.host_str().unwrap_or("?"))
    }
}

impl Client {
    /// A client whose requests take at most `timeout`.
    pub(super) fn new(sink: &str, timeout: Duration) -> Result<Self, StartError> {
        let inner = reqwest::Client::builder()
            .user_agent(concat!("bedrock-watch/", env!("CARGO_PKG_VERSION")))
            // The client could do HTTP/2, for OTLP; sinks send little, and one form of connection is one to know.
            .http1_only()
            .redirect(Policy::none())
            .timeout(timeout)
            .connect_timeout(CONNECT.min(timeout))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build()
            .map_err(|error| StartError::Client { sink: sink.to_owned(), reason: error.without_url().to_string() })?;
        Ok(Self { inner })
    }

    /// Posts a body.
    pub(super) async fn post(&self, to: &Address, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, SinkError> {
        let sent = self.inner.post(to.0.clone()).headers(headers).body(body).send().await;
        let mut response = sent.map_err(unsent)?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| wait(value, Timestamp::now()));
        let (mut bytes, mut broken) = (Vec::new(), None);
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend(chunk.iter().take(ANSWER_BYTES_MAX.saturating_sub(bytes.len()))),
                Ok(None) => break,
                Err(error) => {
                    broken = Some(reason(&error.without_url()));
                    break;
                }
            }
            if bytes.len() >= ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(Answer { status, retry_after, body: bytes, broken })
    }
}

impl Answer {
    /// The answer, if it says that the request was accepted.
    pub(super) fn accepted(self) -> Result<Self, SinkError> {
        if self.status.is_success() { Ok(self) } else { Err(self.refusal("")) }
    }

    /// The body as text for an error, shortened and without `secret`.
    pub(super) fn excerpt(&self, secret: Option<&Secret>) -> String {
        let text: String = String::from_utf8_lossy(&self.body).chars().take(200).collect();
        match secret {
            Some(secret) if !secret.is_empty() => text.replace(secret.expose(), "***"),
            _ => text,
        }
    }

    /// The error that a status other than success is; `said` is what the sink said about it.
    pub(super) fn refusal(&self, said: &str) -> SinkError {
        let status = self.status.as_u16();
        let colon = if said.is_empty() { "" } else { ": " };
        let message = format!("it answered {status}{colon}{said}");
        match status {
            429 => SinkError::throttled(&message, Some(self.retry_after.unwrap_or_default())),
            // The request was not processed.
            408 | 503 => {
                let fault =
                    Fault::Temporary { scope: Scope::Sink, retry_after: self.retry_after, may_have_arrived: false };
                SinkError { fault, ..SinkError::permanent(&message) }
            }
            500..=599 => {
                let fault =
                    Fault::Temporary { scope: Scope::Sink, retry_after: self.retry_after, may_have_arrived: true };
                SinkError { fault, ..SinkError::permanent(&message) }
            }
            300..=399 => SinkError::permanent(&format!("{message}, and redirects are not followed")),
            _ => SinkError::permanent(&message),
        }
    }

    /// An answer that no such sink gives: something else answered in its place.
    pub(super) fn garbage(&self, expected: &str) -> SinkError {
        let status = self.status.as_u16();
        let message = match &self.broken {
            Some(reason) => format!("it answered {status}, but the answer broke off: {reason}"),
            None => format!("it answered {status} with something other than {expected}"),
        };
        SinkError::sink(&message, true)
    }
}

fn unsent(error: reqwest::Error) -> SinkError {
    let error = error.without_url();
    if error.is_builder() {
        return SinkError::permanent(&format!("the request cannot be made: {}", reason(&error)));
    }
    if error.is_connect() {
        return SinkError::sink(&format!("cannot connect: {}", reason(&error)), false);
    }
    if error.is_timeout() {
        return SinkError::sink("it did not answer in time", true);
    }
    SinkError::sink(&format!("the connection broke: {}", reason(&error)), true)
}

/// The innermost reason, which is the one people can act on.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Reads `Retry-After`: seconds, or an HTTP date.
fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_retry_after_in_both_forms() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        let check = |value: &str, seconds: Option<f64>| {
            assert_eq!(wait(value, now).map(|wait| wait.as_secs_f64()), seconds, "{value}");
        };
        check("30", Some(30.0));
        check(" 0 ", Some(0.0));
        check("1.5", Some(1.5));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(37.0));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0.0));
        check("-5", None);
        check("NaN", None);
        check("soon", None);
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        let check = |status: u16, temporary: bool, may_have_arrived: bool| {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer { status, retry_after: None, body: Vec::new(), broken: None };
            match answer.refusal("").fault {
                Fault::Temporary { scope, may_have_arrived: found, .. } => {
                    assert!(temporary && scope == Scope::Sink && found == may_have_arrived, "{status}");
                }
                Fault::Permanent => assert!(!temporary, "{status}"),
            }
        };
        check(301, false, false);
        check(400, false, false);
        check(401, false, false);
        check(404, false, false);
        check(408, true, false);
        check(410, false, false);
        check(429, true, false);
        check(500, true, true);
        check(503, true, false);
        check(504, true, true);
    }

    #[test]
    fn an_address_shows_its_host_only() {
        let address = Address::parse("hook", "https://hooks.example.com/services/T0/B0/secret?token=1").unwrap();
        assert_eq!(format!("{address:?}"), "hooks.example.com");
        for wrong in ["", "hooks.example.com/x", "ftp://example.com/", "https://"] {
            let error = Address::parse("hook", wrong).unwrap_err();
            assert!(error.to_string().contains("hook"), "{error}");
        }
    }
}
