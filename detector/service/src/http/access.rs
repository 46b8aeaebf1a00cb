//! Who may ask what.

use std::net::IpAddr;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::App;
use crate::config::Right;

/// Lets a request through, or answers 401 or 403.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let needed = if request.method() == Method::POST { Right::Events } else { Right::Read };
    let refusal = if app.loopback {
        from_this_machine(&request).err()
    } else {
        match key(request.headers()) {
            None => Some((StatusCode::UNAUTHORIZED, "an API key is needed, in `Authorization: Bearer` or `x-api-key`")),
            Some(given) => match app.api_keys.iter().find(|api_key| api_key.key.matches(given)) {
                None => Some((StatusCode::UNAUTHORIZED, "the API key is not known")),
                Some(api_key) if !api_key.rights.contains(&needed) => {
                    Some((StatusCode::FORBIDDEN, "the API key has not the right to do this"))
                }
                Some(_) => None,
            },
        }
    };
    match refusal {
        Some((status, message)) => refuse(status, message),
        None => next.run(request).await,
    }
}

/// An error as JSON.
pub(super) fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

fn key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes());
    }
    let authorization = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = authorization.split_at_checked(7)?;
    // EventBridge API destinations send the value as it was configured, with or without a scheme.
    if scheme.eq_ignore_ascii_case(b"bearer ") { Some(key) } else { Some(authorization) }
}

/// A browser can be made to connect to loopback by any web page; such requests name another host, or an origin.
fn from_this_machine(request: &Request) -> Result<(), (StatusCode, &'static str)> {
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
    if request.method() == Method::POST && headers.contains_key(header::ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "web pages may not post here"));
    }
    Ok(())
}
