//! Reading what was sent: queries and JSON bodies, with errors that say what is wrong.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, Query, Request},
    http::{StatusCode, header, request::Parts},
    response::Response,
};
use serde::de::DeserializeOwned;

use super::access::refuse;

/// How long a client may take to send its body.
pub(super) const BODY_WAIT: Duration = Duration::from_secs(30);
/// The largest JSON body, in bytes: a silence with every text as long as it may be, four bytes a character.
const JSON_BYTES_MAX: usize = 64 * 1024;

/// Reads a whole body of at most `bytes_max` bytes.
pub(super) async fn bytes(body: Body, bytes_max: usize) -> Result<Bytes, Response> {
    match tokio::time::timeout(BODY_WAIT, to_bytes(body, bytes_max)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large(bytes_max)),
        Ok(Err(_)) => Err(refuse(StatusCode::BAD_REQUEST, "the body could not be read")),
        Err(_) => Err(refuse(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive")),
    }
}

/// Reads a JSON body that says that it is one. A form on a web page cannot say so without being asked first, so no page
/// can change anything on a machine where the server trusts everybody.
pub(super) async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Response> {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let message = "the body must be JSON, with `content-type: application/json`";
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let body = bytes(request.into_body(), JSON_BYTES_MAX).await?;
    serde_json::from_slice(&body).map_err(|error| refuse(StatusCode::BAD_REQUEST, &format!("the body: {error}")))
}

/// 413 with the limit.
pub(super) fn too_large(bytes_max: usize) -> Response {
    refuse(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is larger than {bytes_max} bytes; send less at once"))
}

/// A query of known parameters.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(refuse(StatusCode::BAD_REQUEST, &error.body_text())),
        }
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit") {
            return true;
        }
        cause = error.source();
    }
    false
}
