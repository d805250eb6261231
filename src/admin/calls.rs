//! Live calls: how they stand, and what the operator does to them.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use engine::Jid;
use engine::call::Deed;
use serde_json::{Value, json};
use tracing::info;

use super::{Desk, Door};
use crate::call_task::operator::Request;
use crate::core::Refusal;
use crate::limits::{JID_BYTES_MAX, UID_CHARS_MAX};
use crate::signal::reply::Reply;
use crate::wire::BadField;
use crate::wire::fields::{Fields, parse_json};
use crate::wire::http::{self, ErrorCode, HttpError};

pub(super) type Body = Result<Bytes, BytesRejection>;

pub async fn list(State(desk): Door) -> Reply {
    let calls = desk.parts.registry.lines().await;
    Reply(Ok(json!({ "calls": calls })))
}

pub async fn view(State(desk): Door, Path(uid): Path<String>) -> Reply {
    let view = desk.parts.registry.ask_call(&uid, Request::View).await;
    Reply(view.map(|view| http::value(&view)).ok_or_else(no_such_call))
}

/// "Why can't I hear."
pub async fn hearing(
    State(desk): Door,
    Path(uid): Path<String>,
    RawQuery(query): RawQuery,
) -> Reply {
    let ask = async {
        let listener = listener(&query.unwrap_or_default())?;
        let question = |answer| Request::Hearing { listener, answer };
        let asked = desk.parts.registry.ask_call(&uid, question).await;
        let hearing = asked.ok_or_else(no_such_call)?.ok_or_else(no_such_onliner)?;
        Ok(http::value(&hearing))
    };
    Reply(ask.await)
}

/// `{onliner}`
pub async fn kick(State(desk): Door, Path(uid): Path<String>, body: Body) -> Reply {
    let kick = async {
        let body = object(body, &["onliner"])?;
        let fields = Fields::of(Some(&body), "body", "")?;
        let who = jid("onliner", fields.word("onliner", JID_BYTES_MAX)?)?;
        act(&desk, &uid, Deed::Kick { who }).await
    };
    Reply(kick.await)
}

/// `{onliner}` mutes one, `{sticky?}` everybody, `{muted: false}` lifts what is sticky.
pub async fn mute(State(desk): Door, Path(uid): Path<String>, body: Body) -> Reply {
    let mute = async {
        let body = object(body, &["onliner", "sticky", "muted"])?;
        let fields = Fields::of(Some(&body), "body", "")?;
        let onliner = fields.text_if("onliner", JID_BYTES_MAX)?;
        let onliner = onliner.map(|onliner| jid("onliner", onliner)).transpose()?;
        let (sticky, muted) = (fields.flag_if("sticky")?, fields.flag_if("muted")?);
        let deed = match (onliner, sticky, muted) {
            (Some(_), Some(_), _) => return Err(bad("sticky", ALL_OR_ONE).into()),
            (Some(_), _, Some(false)) => return Err(bad("muted", UNMUTES_NOBODY).into()),
            (Some(who), ..) => Deed::Mute { who },
            (None, Some(_), Some(false)) => return Err(bad("sticky", LIFTED).into()),
            (None, _, Some(false)) => Deed::LiftMute,
            (None, sticky, _) => Deed::MuteAll { sticky: sticky.unwrap_or(false) },
        };
        act(&desk, &uid, deed).await
    };
    Reply(mute.await)
}

/// `{audiorecord}`
pub async fn record(State(desk): Door, Path(uid): Path<String>, body: Body) -> Reply {
    let record = async {
        let body = object(body, &["audiorecord"])?;
        let on = Fields::of(Some(&body), "body", "")?.flag("audiorecord")?;
        act(&desk, &uid, Deed::Record { on }).await
    };
    Reply(record.await)
}

pub async fn end(State(desk): Door, Path(uid): Path<String>, body: Body) -> Reply {
    let end = async {
        object(body, &[])?;
        act(&desk, &uid, Deed::End).await
    };
    Reply(end.await)
}

/// The result is how the call stands afterwards; `null` where it ended by it.
async fn act(desk: &Desk, uid: &str, deed: Deed) -> Result<Value, HttpError> {
    let told = format!("{deed:?}");
    let request = |done| Request::Deed { deed, done };
    let done = desk.parts.registry.ask_call(uid, request).await;
    done.ok_or_else(no_such_call)?.map_err(refused)?;
    info!(call = uid, deed = told, "the operator acted");
    let view = desk.parts.registry.ask_call(uid, Request::View).await;
    Ok(view.map_or(Value::Null, |view| http::value(&view)))
}

/// The body as an object with no other fields than these: one that is misspelt shall not do
/// something else than was meant. An absent body has none.
///
/// # Errors
/// Names what cannot be used.
pub(super) fn object(body: Body, known: &[&str]) -> Result<Value, HttpError> {
    let bytes = body.map_err(|_| bad("body", "longer than 65536 bytes"))?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let value = parse_json(&bytes).map_err(|no| bad("body", &no.to_string()))?;
    let fields = value.as_object().ok_or_else(|| bad("body", "expected an object"))?;
    match fields.iter().find(|(name, value)| !known.contains(&name.as_str()) || value.is_null()) {
        Some((name, Value::Null)) if known.contains(&name.as_str()) => {
            Err(bad(name, "null: leave it out").into())
        }
        Some((name, _)) => {
            let name: String = name.chars().take(UID_CHARS_MAX).collect();
            Err(bad(&name, "there is no such field").into())
        }
        None => Ok(value),
    }
}

/// The one parameter of the address.
fn listener(query: &str) -> Result<Jid, HttpError> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut given = pairs.filter(|(name, _)| *name == "listener").map(|(_, value)| value);
    let text = given.next().ok_or_else(|| bad("listener", "missing"))?;
    // What a jid consists of needs no escapes.
    jid("listener", text)
}

fn jid(field: &str, text: &str) -> Result<Jid, HttpError> {
    Jid::parse(text).ok_or_else(|| bad(field, "this is not a jid").into())
}

pub(super) fn bad(field: &str, problem: &str) -> BadField {
    BadField { field: field.to_owned(), problem: problem.to_owned() }
}

fn no_such_call() -> HttpError {
    HttpError::because(ErrorCode::NotFound, "there is no such call, or none any more")
}

fn no_such_onliner() -> HttpError {
    HttpError::because(ErrorCode::NotFound, "that person is not in this call")
}

/// The call's codes in HTTP's words; the code itself stands in `details`.
fn refused(refusal: Refusal) -> HttpError {
    let code = match refusal.code {
        "no_such_call" | "no_such_onliner" => ErrorCode::NotFound,
        "overloaded" => ErrorCode::RateLimit,
        _ => ErrorCode::InvalidData,
    };
    let details = vec![bad("code", refusal.code)];
    HttpError { code, details, reason: Some(refusal.message) }
}

const ALL_OR_ONE: &str = "holds for everybody: leave out onliner, or this";
const UNMUTES_NOBODY: &str = "nobody is unmuted by somebody else";
const LIFTED: &str = "a mute that is lifted is not sticky";
