//! The HTTP routes of PROTOCOL.md sections 6 and 7.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::access::{self, Caller};
use super::gate::Turned;
use super::reply::{self, Reply};
use super::{Shell, turn_servers};
use crate::clock;
use crate::core::builtin::BuiltIn;
use crate::core::builtin::people::Full;
use crate::core::directory::{Directory, Pass};
use crate::core::sockets::Sender;
use crate::core::{Jid, Person, Question, Refusal, Reply as Answer};
use crate::limits::{CONFIRM_ID_CHARS_MAX, JID_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::wire::fields::{Fields, display_name, parse_json};
use crate::wire::http::{self, ChatInfo, ErrorCode, HttpError, Login, Me, WhoAmI};
use crate::wire::{BadField, ClientEvent, Unusable, time};

pub(super) type Body = Result<Bytes, BytesRejection>;

pub async fn ping() -> Reply {
    Reply(Ok("pong".into()))
}

pub async fn time() -> Reply {
    Reply(Ok(time::format(clock::wall().as_nanos()).into()))
}

/// Whoever shows who he is gets passwords of his own for TURN: they cost whoever pays its traffic.
pub async fn features(State(shell): State<Shell>, caller: Caller) -> Response {
    let options = shell.options();
    let mut features = options.features.clone();
    if let Ok(sender) = caller.sender() {
        let now = clock::wall().as_nanos() / 1_000_000_000;
        features.ice_servers.extend(turn_servers(&options.turn, sender.jid().as_str(), now));
    }
    let json = http::value(&features).to_string();
    ([("content-type", "application/json"), ("cache-control", "no-cache")], json).into_response()
}

pub async fn healthz() -> Reply {
    Reply(Ok("alive".into()))
}

/// 503 while no calls are taken.
pub async fn readyz(State(shell): State<Shell>) -> Response {
    reply::readiness((shell.ready)())
}

pub async fn metrics(State(shell): State<Shell>) -> Response {
    reply::metrics((shell.metrics)())
}

pub async fn demo_login(State(shell): State<Shell>, body: Body) -> Reply {
    Reply(login(&shell, body).await)
}

async fn login(shell: &Shell, body: Body) -> Result<Value, HttpError> {
    let body = json(shell, body)?;
    let fields = Fields::of(Some(&body), "body", "")?;
    let no_record = fields.flag_if("no_record")?.unwrap_or(false);
    let people = people(shell)?;
    let (token, person) = people.login(display_name(&fields)?, no_record).await?;
    let pass = people.pass_of(person);
    let chats = people.chats(&pass);
    Ok(http::value(&Login { token, me: me(&pass.person), team: pass.team, chats }))
}

pub async fn who_am_i(caller: Caller) -> Reply {
    let who =
        |sender: Sender| WhoAmI { me: me(&sender.pass.person), team: sender.pass.team.clone() };
    caller.sender().map(|sender| http::value(&who(sender))).into()
}

pub async fn chats(State(shell): State<Shell>, Path(team): Path<String>, caller: Caller) -> Reply {
    caller
        .of(&team)
        .map(|sender| http::value(&shell.sockets.directory().chats(&sender.pass)))
        .into()
}

pub async fn add_group(
    State(shell): State<Shell>,
    Path(team): Path<String>,
    caller: Caller,
    body: Body,
) -> Reply {
    let add = async {
        caller.of(&team)?;
        let name = display_name(&Fields::of(Some(&json(&shell, body)?), "body", "")?)?;
        let group = people(&shell)?.add_group(name).await?;
        Ok(http::value(&ChatInfo {
            jid: group.jid.to_string(),
            chat_type: "group",
            display_name: group.display_name,
        }))
    };
    Reply(add.await)
}

pub async fn calls(State(shell): State<Shell>, Path(team): Path<String>, caller: Caller) -> Reply {
    caller.of(&team).map(|sender| http::calls(&shell.sockets.calls_of(&sender.pass))).into()
}

pub async fn call(
    State(shell): State<Shell>,
    Path((team, uid)): Path<(String, String)>,
    caller: Caller,
) -> Reply {
    Reply(ask(&shell, &team, &uid, &caller, Question::State).await)
}

/// "Why can't I hear": every leg of the call.
pub async fn legs(
    State(shell): State<Shell>,
    Path((team, uid)): Path<(String, String)>,
    caller: Caller,
) -> Reply {
    Reply(ask(&shell, &team, &uid, &caller, Question::Legs).await)
}

async fn ask(
    shell: &Shell,
    team: &str,
    uid: &str,
    caller: &Caller,
    question: Question,
) -> Result<Value, HttpError> {
    let sender = caller.of(team)?;
    let reply = shell.sockets.ask(&sender.pass, uid, question).await;
    reply.as_ref().map(told).ok_or(HttpError::new(ErrorCode::NotFound))
}

fn told(answer: &Answer) -> Value {
    match answer {
        Answer::State(state) => http::value(state),
        Answer::Legs(legs) => http::value(legs),
    }
}

/// `{audiorecord}`, as the original product has it.
pub async fn record(
    State(shell): State<Shell>,
    Path((team, uid)): Path<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let record = async {
        let sender = caller.of(&team)?;
        let on = Fields::of(Some(&json(&shell, body)?), "body", "")?.flag_if("audiorecord")?;
        let audiorecord = on.unwrap_or(false);
        let event = |jid| ClientEvent::Record { jid, uid: uid.clone(), audiorecord };
        on_call(&shell, &sender, &uid, key(&headers)?, event).await
    };
    Reply(record.await)
}

/// `{onliner}`: puts a person out of the call.
pub async fn kick(
    State(shell): State<Shell>,
    Path((team, uid)): Path<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let kick = async {
        let sender = caller.of(&team)?;
        let body = json(&shell, body)?;
        let onliner = Fields::of(Some(&body), "body", "")?.word("onliner", JID_BYTES_MAX)?;
        let event = |jid| ClientEvent::Kick { jid, onliner: onliner.to_owned() };
        on_call(&shell, &sender, &uid, key(&headers)?, event).await
    };
    Reply(kick.await)
}

/// Acts on a live call that is named by its uid; the result is its state afterwards.
async fn on_call(
    shell: &Shell,
    sender: &Sender,
    uid: &str,
    key: Key,
    event: impl FnOnce(String) -> ClientEvent,
) -> Result<Value, HttpError> {
    let reader = &sender.pass;
    let jid = shell.sockets.chat_of_call(reader, uid);
    let jid = jid.ok_or(HttpError::new(ErrorCode::NotFound))?;
    act(shell, sender, key, event(jid)).await?;
    let state = shell.sockets.ask(reader, uid, Question::State).await;
    // The last one may have been put out.
    Ok(state.as_ref().map_or(Value::Null, told))
}

async fn act(
    shell: &Shell,
    sender: &Sender,
    key: Key,
    event: ClientEvent,
) -> Result<Value, HttpError> {
    let produced = shell.sockets.act(sender, event, key.as_deref()).await.map_err(refused)?;
    Ok(produced.map_or_else(|| Value::Object(Default::default()), |json| http::reread(&json)))
}

/// A client's event by HTTP: the body is its `params`, the result what it produced.
pub async fn event(
    State(shell): State<Shell>,
    Path((team, name)): Path<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let act = async {
        let sender = caller.of(&team)?;
        let params = json(&shell, body)?;
        let event = ClientEvent::parse(&name, Some(&params)).map_err(unusable)?;
        act(&shell, &sender, key(&headers)?, event).await
    };
    Reply(act.await)
}

/// What becomes of calls whose media worker ends: tests ask for it, and only debug builds listen.
#[cfg(debug_assertions)]
pub async fn break_worker(State(shell): State<Shell>, Path(worker): Path<usize>) -> Reply {
    match (shell.break_worker)(worker) {
        true => Reply(Ok("broken".into())),
        false => Reply(Err(HttpError::new(ErrorCode::NotFound))),
    }
}

pub async fn demo(State(shell): State<Shell>) -> Reply {
    let demo = shell.demo.as_ref().ok_or(HttpError::new(ErrorCode::NotFound));
    demo.map(|demo| http::demo(demo.is_running())).into()
}

pub async fn start_demo(State(shell): State<Shell>, caller: Caller, body: Body) -> Reply {
    let start = || {
        let demo = shell.demo.as_ref().ok_or(HttpError::new(ErrorCode::NotFound))?;
        let sender = caller.sender()?;
        let body = json(&shell, body)?;
        let jid = Fields::of(Some(&body), "body", "")?.text_if("jid", MESSAGE_BYTES_MAX)?;
        let chat = jid.map(|jid| known_chat(&shell, &sender.pass, jid)).transpose()?;
        let people = demo.start(chat);
        let people = people.map_err(|why| HttpError::because(ErrorCode::InvalidData, why))?;
        Ok::<_, HttpError>(http::demo_people(people))
    };
    start().into()
}

/// # Errors
/// Whoever comes here shows a token of a core elsewhere: people are made there.
fn people(shell: &Shell) -> Result<&BuiltIn, HttpError> {
    shell.people.as_deref().ok_or(HttpError::new(ErrorCode::NotFound))
}

fn known_chat(shell: &Shell, pass: &Pass, jid: &str) -> Result<Jid, HttpError> {
    shell.sockets.directory().chat(pass, jid).map_err(refused)?;
    Jid::parse(jid).ok_or(HttpError::new(ErrorCode::NotFound))
}

/// What tells a request that is sent again from another one.
type Key = Option<String>;

/// `Idempotency-Key`, of as many characters as a `confirm_id`, which it is by HTTP.
fn key(headers: &HeaderMap) -> Result<Key, HttpError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=CONFIRM_ID_CHARS_MAX).contains(&key.len()));
    let bad = || {
        let problem = format!("expected 1 to {CONFIRM_ID_CHARS_MAX} ASCII characters");
        BadField { field: "idempotency-key".to_owned(), problem }
    };
    key.map(|key| Some(key.to_owned())).ok_or_else(|| bad().into())
}

/// An absent body reads as `null`: an event may have no params.
pub(super) fn json(shell: &Shell, body: Body) -> Result<Value, HttpError> {
    let bad = |problem: String| HttpError::from(BadField { field: "body".to_owned(), problem });
    let too_long = |_| {
        shell.gate.turn(Turned::Body);
        access::too_long()
    };
    let bytes = body.map_err(too_long)?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    parse_json(&bytes).map_err(|not_json| bad(not_json.to_string()))
}

fn me(person: &Person) -> Me {
    Me {
        jid: person.jid.to_string(),
        display_name: person.display_name.clone(),
        role: person.role.clone(),
        icon: person.icon.clone(),
    }
}

impl From<Full> for HttpError {
    fn from(full: Full) -> Self {
        Self::because(ErrorCode::RateLimit, full.to_string())
    }
}

fn unusable(unusable: Unusable) -> HttpError {
    match (unusable.code, unusable.message.split_once(": ")) {
        ("bad_params", Some((field, problem))) => {
            BadField { field: field.to_owned(), problem: problem.to_owned() }.into()
        }
        ("unknown_event", _) => HttpError::because(ErrorCode::NotFound, unusable.message),
        _ => HttpError::because(ErrorCode::InvalidData, unusable.message),
    }
}

/// The socket's codes in HTTP's words; the code itself stands in `details`.
fn refused(refusal: Refusal) -> HttpError {
    let code = match refusal.code {
        "no_such_chat" | "no_such_call" => ErrorCode::NotFound,
        "no_such_onliner" => ErrorCode::NotFound,
        "no_right" | "not_in_call" | "muted_by_moderator" => ErrorCode::AccessDenied,
        "too_fast" => ErrorCode::RateLimit,
        _ => ErrorCode::InvalidData,
    };
    let detail = BadField { field: "code".to_owned(), problem: refusal.code.to_owned() };
    HttpError { code, details: vec![detail], reason: Some(refusal.message) }
}
