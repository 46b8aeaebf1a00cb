//! `/` and `/console/...`: the console, a page for the responder and the operator.
//!
//! Its files are part of the program and are sent as they are; there is no build step. Everything the page shows it asks
//! for at `/v1/...`, and much of that was chosen by attackers, so the browser is told to run only these files, to take
//! nothing from elsewhere, and never to make markup of text.

use axum::{
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::access::refuse;

/// What the browser may do with the page (Content Security Policy Level 3, Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";
const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

const PAGE: &str = include_str!("../../console/index.html");

/// A file of the console: its name, its type, and what is in it.
type File = (&'static str, &'static str, &'static str);

macro_rules! files {
    ($($name:literal: $kind:ident),* $(,)?) => {
        [$(($name, $kind, include_str!(concat!("../../console/", $name)))),*]
    };
}

/// Every file beside the page.
static FILES: [File; 26] = files![
    "icon.svg": PICTURE,
    "alerts.css": STYLE,
    "base.css": STYLE,
    "layout.css": STYLE,
    "pictures.css": STYLE,
    "act.js": SCRIPT,
    "activity.js": SCRIPT,
    "alerts.js": SCRIPT,
    "api.js": SCRIPT,
    "chart.js": SCRIPT,
    "dependencies.js": SCRIPT,
    "dialog.js": SCRIPT,
    "dom.js": SCRIPT,
    "health.js": SCRIPT,
    "icons.js": SCRIPT,
    "incidents.js": SCRIPT,
    "logging.js": SCRIPT,
    "main.js": SCRIPT,
    "model.js": SCRIPT,
    "morph.js": SCRIPT,
    "picture.js": SCRIPT,
    "pieces.js": SCRIPT,
    "silences.js": SCRIPT,
    "story.js": SCRIPT,
    "stream.js": SCRIPT,
    "words.js": SCRIPT,
];

/// The page.
pub(super) async fn page() -> Response {
    send(HTML, PAGE)
}

/// One of its files.
pub(super) async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => send(kind, text),
        None => refuse(StatusCode::NOT_FOUND, "the console has no such file"),
    }
}

fn send(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 6] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::{FILES, PAGE, SCRIPT};

    #[test]
    fn every_file_is_served_and_everything_named_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let served: BTreeSet<String> = FILES.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(served, files.filter(|name| name != "index.html").collect());
        let imports = FILES.iter().filter(|(_, kind, _)| *kind == SCRIPT);
        let named = imports.flat_map(|(_, _, text)| text.split("from \"./").skip(1));
        for name in named.chain(PAGE.split("\"/console/").skip(1)) {
            let name = name.split('"').next().unwrap_or_default();
            assert!(served.contains(name), "{name} is named and not there");
        }
    }
}
