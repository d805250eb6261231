//! HTTP answers: each example is what the server's bodies are made of, envelope included.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use voxhall::wire::BadField;
use voxhall::wire::http::{
    ChatInfo, ErrorCode, Features, HttpError, IceServer, Login, Me, Team, WhoAmI, body, calls,
    value,
};
use voxhall::wire::report::{LegFigures, LegView, LegsView, PathView, SlotView, Verdict};
use voxhall::wire::server::{CallOnliner, CallState, Voice};
use voxhall::wire::time;

use crate::server::{BEGAN, anna, boris, lobby_call, state};
use crate::{ANNA, BORIS, CALL, LOBBY, TEAM, example, kinds, recordings};

kinds!(Verdict: Own, NotConnected, Muted, NoMicrophone, NoPackets, NoSlot, Silent, Heard);

/// Every answer in an envelope: its name, after how many tenths of a millisecond it came, and
/// what is inside.
fn answers() -> Vec<(&'static str, u64, Result<Value, HttpError>)> {
    let bad_name = BadField { field: "display_name".to_owned(), problem: "missing".to_owned() };
    let refusal = BadField { field: "code".to_owned(), problem: "not_in_call".to_owned() };
    let refused = HttpError {
        details: vec![refusal],
        ..HttpError::because(ErrorCode::AccessDenied, "you are not in this call")
    };
    let tea = ChatInfo {
        jid: "g-7d2a90f6-3b1e-4c58-a6d7-e0f4c1b95808".to_owned(),
        chat_type: "group",
        display_name: "Tea".to_owned(),
    };
    let answer = example("server.call.sdp.answer")["params"].clone();
    vec![
        ("http.envelope.ok", 22, Ok("pong".into())),
        ("http.envelope.error", 1, Err(bad_name.into())),
        ("http.envelope.refused", 3, Err(refused)),
        ("http.time", 4, Ok(time::format(BEGAN + 7_000_000_000).into())),
        ("http.login", 31, Ok(value(&login()))),
        ("http.me", 4, Ok(value(&WhoAmI { me: me(), team: team() }))),
        ("http.chats", 4, Ok(value(&chats()))),
        ("http.group", 28, Ok(value(&tea))),
        ("http.event", 47, Ok(answer)),
        ("http.event.empty", 2, Ok(json!({}))),
        ("http.calls", 4, Ok(calls(&[lobby_call()]))),
        ("http.call", 4, Ok(value(&call()))),
        ("http.legs", 4, Ok(value(&legs()))),
        ("http.recordings", 18, Ok(value(&recordings::list()))),
        ("http.recording", 24, Ok(value(&recordings::one()))),
    ]
}

fn login() -> Login {
    let token = "6f0f2b3c9d8e4a17b5c60d1e2f3a4b5c7d6e5f4a3b2c4d1e9f80a1b2c3d4e5f6".to_owned();
    Login { token, me: me(), team: team(), chats: chats() }
}

fn me() -> Me {
    Me {
        jid: ANNA.to_owned(),
        display_name: "Anna".to_owned(),
        role: String::new(),
        icon: String::new(),
    }
}

fn team() -> Team {
    Team { uid: TEAM.to_owned(), name: "Voxhall".to_owned() }
}

fn chats() -> Vec<ChatInfo> {
    let chat = |jid: &str, chat_type, display_name: &str| ChatInfo {
        jid: jid.to_owned(),
        chat_type,
        display_name: display_name.to_owned(),
    };
    vec![chat(LOBBY, "group", "Lobby"), chat(BORIS, "direct", "Boris")]
}

fn call() -> CallState {
    let voice = |talking, level| Some(Voice { talking, level });
    let onliners = vec![
        CallOnliner { voice: voice(true, Some(31)), ..anna() },
        CallOnliner { voice: voice(false, None), ..boris() },
    ];
    CallState { onliners, ..state(BEGAN + 43_000_000_000) }
}

fn legs() -> LegsView {
    let own = LegView {
        jid: ANNA.to_owned(),
        display_name: "Anna".to_owned(),
        own: true,
        muted: false,
        muted_by: String::new(),
        figures: LegFigures {
            useragent: anna().devices[0].useragent.clone(),
            link: "connected",
            sends: true,
            talking: true,
            level: Some(31),
            packets_in: 2104,
            last_packet_ms: Some(12),
            loss_in_percent: 0.4,
            path: Some(path("192.0.2.44:54321")),
            bundle_ms: None,
            slots: vec![slot(BORIS, 1987, 1.2)],
        },
        verdict: Verdict::Own,
    };
    let other = LegView {
        jid: BORIS.to_owned(),
        display_name: "Boris".to_owned(),
        own: false,
        muted: true,
        muted_by: ANNA.to_owned(),
        figures: LegFigures {
            useragent: "aiortc".to_owned(),
            talking: false,
            level: Some(127),
            packets_in: 1990,
            last_packet_ms: Some(8),
            loss_in_percent: 0.0,
            path: Some(path("")),
            slots: vec![slot(ANNA, 2098, 0.0)],
            ..own.figures.clone()
        },
        verdict: Verdict::Muted,
    };
    LegsView { jid: LOBBY.to_owned(), uid: CALL.to_owned(), legs: vec![own, other] }
}

fn path(remote: &str) -> PathView {
    let (local, remote) = ("203.0.113.7:7880".to_owned(), remote.to_owned());
    PathView { protocol: "udp", local, remote }
}

fn slot(jid: &str, packets_out: u32, loss_percent: f32) -> SlotView {
    SlotView { mid: "0".to_owned(), jid: jid.to_owned(), packets_out, loss_percent }
}

fn features() -> Features {
    let turn = IceServer {
        urls: "turn:turn.example.org:3478".to_owned(),
        username: Some("1772530215:anna".to_owned()),
        credential: Some("s0aQ6k2Jb4xM".to_owned()),
    };
    Features {
        ice_servers: vec![turn],
        ice_transport_policy: Some("relay".to_owned()),
        resend_timeout: 10,
        ..Features::default()
    }
}

pub fn names() -> impl Iterator<Item = &'static str> {
    answers().into_iter().map(|(name, ..)| name).chain(["http.features"])
}

/// Every verdict's word.
pub fn verdicts() -> BTreeSet<String> {
    use Verdict::{Heard, Muted, NoMicrophone, NoPackets, NoSlot, NotConnected, Own, Silent};
    let all = [Own, NotConnected, Muted, NoMicrophone, NoPackets, NoSlot, Silent, Heard];
    assert_eq!(all.map(|verdict| kind(&verdict)), KINDS);
    all.iter().map(|verdict| value(verdict).as_str().expect("a word").to_owned()).collect()
}

#[test]
fn each_http_example_is_what_the_server_answers() {
    for (name, tenths_ms, outcome) in answers() {
        let text = body(&outcome, Duration::from_micros(tenths_ms * 100));
        let written: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(rounded(example(name)), rounded(written), "{name}");
    }
    assert_eq!(example("http.features"), value(&features()));
}

/// Percentages are written from 32-bit numbers: as their shortest text they are equal.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            json!(format!("{:.1}", number.as_f64().unwrap_or_default()))
        }
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(object) => object.into_iter().map(|(k, v)| (k, rounded(v))).collect(),
        other => other,
    }
}
