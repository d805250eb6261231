//! HTTP bodies (PROTOCOL.md section 6): the envelope of every answer, and the built-in core's
//! words.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::fields::BadField;
use super::server::OnlineCall;

/// What an answer's `error` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    EmptyToken,
    InvalidToken,
    AccessDenied,
    NotFound,
    InvalidMethod,
    InvalidData,
    RateLimit,
    Internal,
}

impl ErrorCode {
    /// The word in the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptyToken => "EMPTY_TOKEN",
            Self::InvalidToken => "INVALID_TOKEN",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::InvalidMethod => "INVALID_METHOD",
            Self::InvalidData => "INVALID_DATA",
            Self::RateLimit => "RATE_LIMIT",
            Self::Internal => "INTERNAL_SERVER_ERROR",
        }
    }

    /// The HTTP status it goes with.
    pub fn status(self) -> u16 {
        match self {
            Self::EmptyToken | Self::InvalidToken => 401,
            Self::AccessDenied => 403,
            Self::NotFound => 404,
            Self::InvalidMethod => 405,
            Self::InvalidData => 422,
            Self::RateLimit => 429,
            Self::Internal => 500,
        }
    }
}

/// An answer that refuses: the code, the fields at fault, and a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    pub code: ErrorCode,
    pub details: Vec<BadField>,
    pub reason: Option<String>,
}

impl HttpError {
    pub fn new(code: ErrorCode) -> Self {
        Self { code, details: Vec::new(), reason: None }
    }

    /// With a text for people.
    pub fn because(code: ErrorCode, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::new(code) }
    }
}

impl From<BadField> for HttpError {
    fn from(bad: BadField) -> Self {
        Self { details: vec![bad], ..Self::new(ErrorCode::InvalidData) }
    }
}

/// The whole body of an answer; `took` is the time since the request came.
pub fn body(outcome: &Result<Value, HttpError>, took: Duration) -> String {
    let mut body = Map::new();
    let millis = format!("{:.1} ms", took.as_secs_f64() * 1000.0);
    body.insert("_time".into(), millis.into());
    body.insert("ok".into(), outcome.is_ok().into());
    match outcome {
        Ok(result) => drop(body.insert("result".into(), result.clone())),
        Err(error) => {
            body.insert("error".into(), error.code.as_str().into());
            if !error.details.is_empty() {
                let detail = |bad: &BadField| (bad.field.clone(), bad.problem.clone().into());
                let details: Map<String, Value> = error.details.iter().map(detail).collect();
                body.insert("details".into(), details.into());
            }
            if let Some(reason) = &error.reason {
                body.insert("reason".into(), reason.as_str().into());
            }
        }
    }
    Value::Object(body).to_string()
}

/// The person behind a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Me {
    pub jid: String,
    pub display_name: String,
    pub role: String,
    pub icon: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Team {
    pub uid: String,
    pub name: String,
}

/// A chat in somebody's list; a direct one is named after the other person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatInfo {
    pub jid: String,
    /// `direct` or `group`.
    pub chat_type: &'static str,
    pub display_name: String,
}

/// The answer to `POST /api/v3/demo-login`.
#[derive(Clone, Debug, Serialize)]
pub struct Login {
    pub token: String,
    pub me: Me,
    pub team: Team,
    pub chats: Vec<ChatInfo>,
}

/// The answer to `GET /api/v3/me`: who one is, and where.
#[derive(Clone, Debug, Serialize)]
pub struct WhoAmI {
    #[serde(flatten)]
    pub me: Me,
    pub team: Team,
}

/// One server that helps with ICE; `urls` is one string (PROTOCOL.md section 6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IceServer {
    pub urls: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// `/features.json`, which stands without an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Features {
    pub ice_servers: Vec<IceServer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_transport_policy: Option<String>,
    pub calls: bool,
    pub calls_version: u32,
    pub calls_audio_enabled: bool,
    pub calls_video_enabled: bool,
    pub calls_record: bool,
    pub mobile_calls: bool,
    pub only_one_device_per_call: bool,
    pub max_participants_per_call: usize,
    /// Seconds after which a client sends an unconfirmed event again.
    pub resend_timeout: u64,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            ice_transport_policy: None,
            calls: true,
            calls_version: 1,
            calls_audio_enabled: true,
            calls_video_enabled: false,
            calls_record: false,
            mobile_calls: true,
            only_one_device_per_call: true,
            max_participants_per_call: 1000,
            resend_timeout: 5,
        }
    }
}

/// A value as JSON, for a `result`.
pub fn value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("wire bodies have text keys and plain values")
}

/// Text that already is JSON, as a value again.
pub fn reread(json: &str) -> Value {
    serde_json::from_str(json).expect("only text that this module's encoders wrote comes here")
}

/// The result of `GET .../calls`.
pub fn calls(calls: &[OnlineCall]) -> Value {
    json!({ "calls": calls })
}

/// The result of `GET /api/v3/demo`.
pub fn demo(is_running: bool) -> Value {
    json!({ "available": true, "running": is_running })
}

/// The result of `POST /api/v3/demo`.
pub fn demo_people(people: usize) -> Value {
    json!({ "people": people })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fields::bad;

    #[test]
    fn an_answer_says_how_long_it_took() {
        let text = body(&Ok("pong".into()), Duration::from_micros(2_170));
        assert_eq!(text, r#"{"_time":"2.2 ms","ok":true,"result":"pong"}"#);
    }

    #[test]
    fn a_refusal_names_its_fields() {
        let error = HttpError::from(bad("display_name", "missing"));
        let value = reread(&body(&Err(error), Duration::ZERO));
        assert_eq!(value["ok"], false);
        assert_eq!(value["error"], "INVALID_DATA");
        assert_eq!(value["details"]["display_name"], "missing");
        assert!(value.get("reason").is_none());
    }

    #[test]
    fn features_leave_out_a_policy_that_is_not_set() {
        let value = value(&Features::default());
        assert_eq!(value["calls_version"], 1);
        assert!(value.get("ice_transport_policy").is_none());
    }
}
