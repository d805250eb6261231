//! The page's files, embedded in the binary.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, Response as HttpResponse, Uri};
use axum::response::{IntoResponse, Response};

use super::reply::Reply;
use crate::wire::http::{ErrorCode, HttpError};

/// Plain modules of ours, our own sockets, and nobody may frame the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; media-src 'self' blob:; connect-src 'self' ws: wss:; \
    manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../web/", $name)))),*]
    };
}

/// Every file of `src/web` (a test compares).
const FILES: &[(&str, &[u8])] = embedded![
    "actions.css",
    "actions.js",
    "address.js",
    "api.js",
    "app.js",
    "archive.js",
    "awake.js",
    "call.js",
    "callview.js",
    "deck.js",
    "devices.js",
    "diagnosis.css",
    "diagnosis.js",
    "directory.js",
    "dom.js",
    "figures.js",
    "hearing.js",
    "icon.svg",
    "index.html",
    "keys.js",
    "lanes.js",
    "leg.js",
    "list.js",
    "mending.js",
    "meters.js",
    "notices.js",
    "outlet.js",
    "person.js",
    "personlane.js",
    "personmenu.js",
    "places.js",
    "player.js",
    "recording.css",
    "recording.js",
    "recordingfiles.js",
    "recordingfilters.js",
    "recordingrow.js",
    "recordings.css",
    "recordings.js",
    "recordingwords.js",
    "ringing.js",
    "sayings.js",
    "seats.js",
    "session.js",
    "shelf.js",
    "socket.js",
    "soundpanel.js",
    "stage.css",
    "strip.js",
    "style.css",
    "tag.js",
    "tape.js",
    "trackclock.js",
    "verdicts.js",
    "voices.js",
    "voicetrack.js",
    "wishes.js",
    "wording.js",
];

/// Answers what no other route did: a file, or an error.
pub async fn serve(method: Method, uri: Uri) -> Response {
    let name = match uri.path() {
        "/" => "index.html",
        path => path.trim_start_matches('/'),
    };
    let Some((name, bytes)) = FILES.iter().find(|(file, _)| *file == name) else {
        return Reply::from(HttpError::new(ErrorCode::NotFound)).into_response();
    };
    if !matches!(method, Method::GET | Method::HEAD) {
        return Reply::from(HttpError::new(ErrorCode::InvalidMethod)).into_response();
    }
    let mut response = HttpResponse::new(Body::from(*bytes));
    for (header, value) in [
        (CONTENT_TYPE, content_type(name)),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(header, HeaderValue::from_static(value));
    }
    response
}

/// Where there is no page.
pub async fn none() -> Reply {
    Reply::from(HttpError::new(ErrorCode::NotFound))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_embedded_and_has_a_content_type() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let mut embedded: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        embedded.sort_unstable();
        assert_eq!(embedded, files);
        for name in embedded {
            assert_ne!(content_type(name), content_type("unknown"), "{name}");
        }
    }
}
