//! Who may ask what, and how often; and the access log.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::time::Instant;

use super::App;
use crate::{
    config::{ApiKey, Right},
    format::visible,
};

/// Paths that anybody may ask: they tell nothing but whether the service works.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];
/// The path of records: a `POST` to it needs a right of its own.
const EVENTS_PATH: &str = "/v1/events";
/// Characters of a path in the log.
const PATH_LOGGED_MAX: usize = 200;

/// The other end of a connection; the server puts it into every request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Lets a request through, or answers 401, 403 or 429; logs it either way.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path: String = request.uri().path().chars().take(PATH_LOGGED_MAX).collect();
    let admitted = admit(&app, &request, started);
    let (client, response) = match admitted {
        Ok(client) => (client, next.run(request).await),
        Err((client, response)) => (client, *response),
    };
    tracing::debug!(
        %method,
        path = %visible(&path),
        status = response.status().as_u16(),
        client,
        ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "request"
    );
    response
}

/// An error as JSON.
pub(super) fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

/// An error that may be over after so long.
pub(super) fn refuse_for_now(status: StatusCode, message: &str, after: Duration) -> Response {
    let mut response = refuse(status, message);
    let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// What the client is called, or why it is not admitted.
fn admit(app: &App, request: &Request, now: Instant) -> Result<String, (String, Box<Response>)> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let address = peer.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let (client, verdict) = if OPEN_PATHS.contains(&request.uri().path()) {
        (address, Ok(()))
    } else if app.loopback {
        (address, from_this_machine(request))
    } else {
        match known_key(app, request.headers()) {
            // Named by the key, so that clients behind one load balancer do not share a rate.
            Ok(key) => (format!("key {}", key.name), has_right(key, request)),
            Err(message) => (address, Err((StatusCode::UNAUTHORIZED, message))),
        }
    };
    // Those who are refused use up their rate too, so that keys cannot be tried out quickly.
    if let Err(wait) = app.limiter.take(&client, now) {
        let response = refuse_for_now(StatusCode::TOO_MANY_REQUESTS, "too many requests of this client", wait);
        return Err((client, Box::new(response)));
    }
    match verdict {
        Ok(()) => Ok(client),
        Err((status, message)) => Err((client, Box::new(refuse(status, message)))),
    }
}

type Verdict = Result<(), (StatusCode, &'static str)>;

fn known_key<'a>(app: &'a App, headers: &HeaderMap) -> Result<&'a ApiKey, &'static str> {
    let given = key(headers).ok_or("an API key is needed, in `Authorization: Bearer` or `x-api-key`")?;
    // All are compared, so that the time taken does not tell which one it was.
    let compared = app.api_keys.iter().map(|api_key| (api_key, api_key.key.matches(given)));
    let matching = compared.fold(None, |found, (api_key, is_it)| if is_it { Some(api_key) } else { found });
    matching.ok_or("the API key is not known")
}

fn has_right(key: &ApiKey, request: &Request) -> Verdict {
    let needed = match *request.method() {
        Method::GET | Method::HEAD => Right::Read,
        Method::POST if request.uri().path() == EVENTS_PATH => Right::Events,
        _ => Right::Write,
    };
    if key.rights.contains(&needed) {
        return Ok(());
    }
    Err((
        StatusCode::FORBIDDEN,
        match needed {
            Right::Events => "the API key has not the right `events`",
            Right::Read => "the API key has not the right `read`",
            Right::Write => "the API key has not the right `write`",
        },
    ))
}

fn key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes());
    }
    let authorization = headers.get(header::AUTHORIZATION)?.as_bytes();
    // EventBridge API destinations send the value as it was configured, with or without a scheme.
    match authorization.split_at_checked(7) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"bearer ") => Some(key),
        _ => Some(authorization),
    }
}

/// A browser can be made to connect to loopback by any web page; such requests name another host, or an origin.
fn from_this_machine(request: &Request) -> Verdict {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host: Option<Authority> = host.and_then(|host| host.parse().ok());
    let is_local = host.as_ref().is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    if !is_local {
        return Err((StatusCode::FORBIDDEN, "this server is for this machine: use 127.0.0.1 as the host"));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && headers.contains_key(header::ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "web pages may not change anything here"));
    }
    Ok(())
}
