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
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
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
/// The console's page. A browser that is refused there is told how to ask for a key.
const CONSOLE_PATH: &str = "/";
/// The one scheme that every browser asks a person for: any name, and the key as the password.
const ASK_A_PERSON: &str = "Basic realm=\"bedrock-watch: any name, the API key as password\"";
/// Characters of a path in the log.
const PATH_LOGGED_MAX: usize = 200;

/// The other end of a connection; the server puts it into every request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What the one who asks may do; every request that is let through carries it.
#[derive(Debug, Clone)]
pub(super) struct Access {
    keys_needed: bool,
    /// The name of the key.
    key: Option<String>,
    rights: Vec<Right>,
}

impl Access {
    /// As `/v1/state` says it.
    pub(super) fn json(&self) -> Value {
        let rights: Vec<&str> = self.rights.iter().map(|right| right.as_str()).collect();
        json!({ "keys_needed": self.keys_needed, "key": self.key, "rights": rights })
    }
}

/// Lets a request through, or answers 401, 403 or 429; logs it either way.
pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path: String = request.uri().path().chars().take(PATH_LOGGED_MAX).collect();
    let admitted = admit(&app, &request, started);
    let (client, response) = match admitted {
        Ok((client, access)) => {
            request.extensions_mut().insert(access);
            (client, next.run(request).await)
        }
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

/// What the client is called and may do, or why it is not admitted.
fn admit(app: &App, request: &Request, now: Instant) -> Result<(String, Access), (String, Box<Response>)> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let address = peer.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let (keys_needed, nobody) = (!app.loopback, Access { keys_needed: !app.loopback, key: None, rights: Vec::new() });
    let (client, verdict) = if OPEN_PATHS.contains(&request.uri().path()) {
        (address, Ok(nobody))
    } else if app.loopback {
        let everybody = Access { rights: Right::ALL.to_vec(), ..nobody };
        (address, from_this_machine(request).map(|()| everybody))
    } else {
        match known_key(app, request) {
            // Named by the key, so that clients behind one load balancer do not share a rate.
            Ok((key, rights)) => {
                let access = Access { keys_needed, key: Some(key.name.clone()), rights };
                (format!("key {}", key.name), has_right(&access, request).map(|()| access))
            }
            Err(message) => (address, Err((StatusCode::UNAUTHORIZED, message))),
        }
    };
    // Those who are refused use up their rate too, so that keys cannot be tried out quickly.
    if let Err(wait) = app.limiter.take(&client, now) {
        let response = refuse_for_now(StatusCode::TOO_MANY_REQUESTS, "too many requests of this client", wait);
        return Err((client, Box::new(response)));
    }
    match verdict {
        Ok(access) => Ok((client, access)),
        Err((status, message)) => {
            let mut response = refuse(status, message);
            if status == StatusCode::UNAUTHORIZED && request.uri().path() == CONSOLE_PATH {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(ASK_A_PERSON));
            }
            Err((client, Box::new(response)))
        }
    }
}

type Verdict = Result<(), (StatusCode, &'static str)>;

/// Whether a method changes nothing.
fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The key that was given, and what may be done with it in the way it was given.
fn known_key<'a>(app: &'a App, request: &Request) -> Result<(&'a ApiKey, Vec<Right>), &'static str> {
    let given = key(request.headers()).ok_or("an API key is needed, in `Authorization: Bearer` or `x-api-key`")?;
    if let Some(key) = matching(app, given) {
        return Ok((key, key.rights.clone()));
    }
    // A browser sends what a person gave it along with whatever any page makes it ask for, so that changes nothing.
    let password = password(given).filter(|_| reads(request.method())).ok_or("the API key is not known")?;
    let key = matching(app, &password).ok_or("the API key is not known")?;
    Ok((key, key.rights.iter().copied().filter(|right| *right == Right::Read).collect()))
}

/// The key that is `given`.
fn matching<'a>(app: &'a App, given: &[u8]) -> Option<&'a ApiKey> {
    // All are compared, so that the time taken does not tell which one it was.
    let compared = app.api_keys.iter().map(|api_key| (api_key, api_key.key.matches(given)));
    compared.fold(None, |found, (api_key, is_it)| if is_it { Some(api_key) } else { found })
}

fn has_right(access: &Access, request: &Request) -> Verdict {
    let needed = match *request.method() {
        Method::GET | Method::HEAD => Right::Read,
        Method::POST if request.uri().path() == EVENTS_PATH => Right::Events,
        _ => Right::Write,
    };
    if access.rights.contains(&needed) {
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

/// The password in `Authorization: Basic` (RFC 7617).
fn password(authorization: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = authorization.split_at_checked(6)?;
    let pair = BASE64_STANDARD.decode(rest.trim_ascii()).ok().filter(|_| scheme.eq_ignore_ascii_case(b"basic "))?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon.saturating_add(1)..).map(<[u8]>::to_vec)
}

/// A browser can be made to connect to loopback by any web page; such requests name another host, or an origin.
fn from_this_machine(request: &Request) -> Verdict {
    let headers = request.headers();
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host: Option<Authority> = named.and_then(|host| host.parse().ok());
    let is_local = host.as_ref().is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    if !is_local {
        return Err((StatusCode::FORBIDDEN, "this server is for this machine: use 127.0.0.1 as the host"));
    }
    let Some(origin) = headers.get(header::ORIGIN).filter(|_| !reads(request.method())) else { return Ok(()) };
    // The console comes from here: its pages, and no others, name this very host and port as their origin.
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    if authority.is_some() && authority == named {
        return Ok(());
    }
    Err((StatusCode::FORBIDDEN, "web pages from elsewhere may not change anything here"))
}
