//! Who a request is from, and whether its page may send it: token, device, origin.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query, Request, State};
use axum::http::header::{CONTENT_LENGTH, COOKIE, HOST, ORIGIN, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shell;
use super::gate::{Guest, Turned};
use super::reply::Reply;
use crate::core::builtin::people::device_of;
use crate::core::directory::NoPass;
use crate::core::sockets::Sender;
use crate::core::{AnswerStyle, Device};
use crate::limits::{DEVICE_CHARS_MAX, HEADER_BYTES_MAX, HEADER_FIELDS_MAX, USERAGENT_CHARS_MAX};
use crate::wire::BadField;
use crate::wire::http::{ErrorCode, HttpError};

/// Whether the page that sent a request is ours or allowed: browsers name it in `Origin`, and no
/// other client does. Same origin = the host it asked for.
pub fn is_origin_known(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").map(|(_, authority)| authority);
    let is_own = own.zip(host).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host));
    is_own || is_allowed(origin, allowed)
}

/// Whether a page of another origin may send requests, and read their answers.
pub fn is_allowed(origin: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

/// Who sends, by the token in the header `token`, the cookie `token` or `?token=`.
///
/// # Errors
/// `EMPTY_TOKEN`, `INVALID_TOKEN`, or `INVALID_DATA` for a device that cannot be named so.
fn sender(shell: &Shell, headers: &HeaderMap, uri: &Uri) -> Result<Sender, HttpError> {
    let query = query(uri);
    let token = header(headers, "token")
        .or_else(|| cookie(headers, "token"))
        .or_else(|| value(&query, "token"))
        .filter(|token| !token.is_empty())
        .ok_or_else(|| HttpError::because(ErrorCode::EmptyToken, "there is no token"))?;
    let pass = shell.sockets.directory().pass(token).map_err(no_pass)?;
    let name = match value(&query, "device").filter(|name| !name.is_empty()) {
        Some(name) => device(name)?,
        None => device_of(token),
    };
    let answer_style = match value(&query, "answer") {
        Some("answer") => AnswerStyle::Answer,
        Some("sdp") => AnswerStyle::Sdp,
        _ => shell.options().default_answer,
    };
    let useragent = header(headers, USER_AGENT.as_str()).unwrap_or_default();
    Ok(Sender {
        device: Device { jid: pass.person.jid.clone(), name },
        pass,
        useragent: useragent.chars().take(USERAGENT_CHARS_MAX).collect(),
        answer_style,
    })
}

/// Whoever sent a request, or why he is not known.
#[derive(Clone, Debug)]
pub struct Caller(Result<Sender, HttpError>);

impl Caller {
    /// # Errors
    /// `EMPTY_TOKEN`, `INVALID_TOKEN`, `RATE_LIMIT`, or `INVALID_DATA`.
    pub fn sender(&self) -> Result<Sender, HttpError> {
        self.0.clone()
    }

    /// The same for a team's address.
    ///
    /// # Errors
    /// `ACCESS_DENIED` too.
    pub fn of(&self, team_uid: &str) -> Result<Sender, HttpError> {
        let sender = self.sender()?;
        team(&sender, team_uid)?;
        Ok(sender)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let nobody = || Caller(Err(HttpError::new(ErrorCode::EmptyToken)));
        Ok(parts.extensions.get::<Caller>().cloned().unwrap_or_else(nobody))
    }
}

/// Looks at a request before anybody acts on it: its size, whom it is from, and whether he asks
/// too often.
pub async fn knock(State(shell): State<Shell>, mut request: Request, next: Next) -> Response {
    let guest = request.extensions().get::<Guest>().cloned();
    if let Some(guest) = &guest {
        guest.asked();
    }
    let checked = check_size(request.headers(), request.uri(), shell.options().message_bytes);
    if let Err((why, error)) = checked {
        shell.gate.turn(why);
        return Reply::from(error).into_response();
    }
    let caller = sender(&shell, request.headers(), request.uri());
    let caller = match (&guest, caller) {
        (Some(guest), Ok(sender)) => {
            guest.known();
            shell.gate.ask(sender.jid().clone()).map(|()| sender)
        }
        (Some(guest), Err(error)) if error.code == ErrorCode::InvalidToken => {
            shell.gate.fail(guest.origin(request.headers())).and(Err(error))
        }
        (_, caller) => caller,
    };
    request.extensions_mut().insert(Caller(caller));
    next.run(request).await
}

fn check_size(headers: &HeaderMap, uri: &Uri, body_max: usize) -> Result<(), (Turned, HttpError)> {
    let because = |why: String| HttpError::because(ErrorCode::InvalidData, why);
    if headers.len() > HEADER_FIELDS_MAX {
        let why = format!("more than {HEADER_FIELDS_MAX} header fields");
        return Err((Turned::Head, because(why)));
    }
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if fields.sum::<usize>() + target > HEADER_BYTES_MAX {
        let why = format!("a head of more than {HEADER_BYTES_MAX} bytes");
        return Err((Turned::Head, because(why)));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > body_max as u64) {
        return Err((Turned::Body, too_long()));
    }
    Ok(())
}

/// Of a body, by what its head says or by what came.
pub fn too_long() -> HttpError {
    let problem = "longer than a message may be".to_owned();
    BadField { field: "body".to_owned(), problem }.into()
}

/// Whether the sender may use this team's addresses: his own is the only one he knows.
///
/// # Errors
/// `ACCESS_DENIED`.
pub fn team(sender: &Sender, team_uid: &str) -> Result<(), HttpError> {
    let is_own = sender.pass.team.uid == team_uid;
    let other = || HttpError::because(ErrorCode::AccessDenied, "you are not in this team");
    if is_own { Ok(()) } else { Err(other()) }
}

fn no_pass(no: NoPass) -> HttpError {
    HttpError::because(ErrorCode::InvalidToken, no.to_string())
}

/// Whether a refused handshake is to be told by `server.panic`: `?panic=1`.
pub fn wants_panic(uri: &Uri) -> bool {
    value(&query(uri), "panic") == Some("1")
}

fn device(name: &str) -> Result<String, HttpError> {
    let fits = name.len() <= DEVICE_CHARS_MAX && name.bytes().all(|byte| byte.is_ascii_graphic());
    let problem = || BadField {
        field: "device".to_owned(),
        problem: format!("expected at most {DEVICE_CHARS_MAX} ASCII characters"),
    };
    if fits { Ok(name.to_owned()) } else { Err(problem().into()) }
}

/// The pairs of an address.
pub fn query(uri: &Uri) -> Vec<(String, String)> {
    Query::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default()
}

/// The first one of that name.
pub fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_page_of_ours_or_no_page_is_known_and_another_is_not() {
        let known = |origin| {
            let headers = headers(&[("host", "127.0.0.1:8080"), ("origin", origin)]);
            is_origin_known(&headers, &["https://chat.example".to_owned()])
        };
        assert!(is_origin_known(&headers(&[("host", "127.0.0.1:8080")]), &[]));
        assert!(known("http://127.0.0.1:8080"));
        assert!(known("https://chat.example"));
        for origin in ["http://127.0.0.1:8081", "null", "http://evil/127.0.0.1:8080", ""] {
            assert!(!known(origin), "{origin}");
        }
    }

    #[test]
    fn the_token_cookie_is_found_among_others() {
        let headers = headers(&[("cookie", "xtoken=a; token=b; c=d")]);
        assert_eq!(cookie(&headers, "token"), Some("b"));
    }

    #[test]
    fn a_device_of_64_characters_is_named_and_one_of_65_is_not() {
        assert!(device(&"x".repeat(64)).is_ok());
        assert!(device(&"x".repeat(65)).is_err());
        assert!(device("a\nb").is_err());
    }
}
