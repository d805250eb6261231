//! Server events: each example is what the encoder writes for the typed value beside it, and the
//! strictest client can read it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use voxhall::wire::ServerEvent;
use voxhall::wire::server::{
    BuzzActor, BuzzChat, BuzzTeam, CallDevice, CallOnliner, CallState, Contact, IceCandidate, Jsep,
    JsepKind, OnlineCall, Track,
};
use voxhall::wire::time;

use crate::strict::Strict;
use crate::{ANNA, BORIS, CALL, DIRECT, Example, LOBBY, TEAM, example, kinds, sdp_of};

kinds!(ServerEvent: Sdp, Answer, State, Sound, MuteAll, Talking, Tracks, Buzz, BuzzCancel, Reject,
    Leave, Restart, CheckFingerprint, Online, Time, Confirm, Warning, Panic);

/// 2026-03-02T09:30:15.264095Z in nanoseconds.
pub const BEGAN: i64 = 1_772_443_815_264_095_000;
const SECOND: i64 = 1_000_000_000;

fn examples() -> Vec<Example<ServerEvent>> {
    let mut examples = descriptions();
    examples.extend(states());
    examples.extend(of_a_call());
    examples.extend(ringing());
    examples.extend(of_the_socket());
    examples
}

fn descriptions() -> Vec<Example<ServerEvent>> {
    let jsep = |name, kind| Jsep { kind, sdp: sdp_of(name) };
    let (jid, uid) = (|| LOBBY.to_owned(), || CALL.to_owned());
    let answer = jsep("server.call.sdp.answer", JsepKind::Answer);
    let offer = jsep("server.call.sdp.offer", JsepKind::Offer);
    let (candidate, sdp_mline_index) =
        ("candidate:1 1 udp 2130706431 203.0.113.7 7880 typ host".to_owned(), 0);
    vec![
        (
            "server.call.sdp.answer",
            ServerEvent::Sdp {
                jid: jid(),
                jids: vec![BORIS.to_owned()],
                uid: uid(),
                jsep: answer.clone(),
            },
        ),
        (
            "server.call.sdp.offer",
            ServerEvent::Sdp {
                jid: jid(),
                jids: vec![BORIS.to_owned(), String::new()],
                uid: uid(),
                jsep: offer,
            },
        ),
        (
            "server.call.answer",
            ServerEvent::Answer {
                jid: jid(),
                uid: uid(),
                jsep: answer,
                onliners: vec![anna()],
                candidates: Some(vec![IceCandidate { candidate, sdp_mline_index }]),
            },
        ),
    ]
}

/// Anna, who is heard.
pub fn anna() -> CallOnliner {
    let useragent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
        Chrome/140.0.0.0 Safari/537.36";
    onliner(ANNA, "Anna", "", useragent)
}

/// Boris, whom anna muted.
pub fn boris() -> CallOnliner {
    onliner(BORIS, "Boris", ANNA, "aiortc")
}

fn onliner(jid: &str, display_name: &str, muted_by: &str, useragent: &str) -> CallOnliner {
    let muted = !muted_by.is_empty();
    CallOnliner {
        jid: jid.to_owned(),
        display_name: display_name.to_owned(),
        role: String::new(),
        icon: String::new(),
        muted,
        enabled_video: false,
        enabled_screenshare: false,
        devices: vec![CallDevice { muted, useragent: useragent.to_owned() }],
        link: "connected",
        muted_by: muted_by.to_owned(),
        voice: None,
    }
}

/// The Lobby's call, with a sticky mute of anna's.
pub fn state(gentime: i64) -> CallState {
    CallState {
        jid: LOBBY.to_owned(),
        uid: CALL.to_owned(),
        buzz: false,
        created: time::format(BEGAN),
        start: Some(time::format(BEGAN)),
        finish: None,
        audiorecord: true,
        onliners: vec![anna(), boris()],
        record_stopped: None,
        sticky: true,
        gentime,
        timestamp: gentime / 1_000_000,
    }
}

fn states() -> Vec<Example<ServerEvent>> {
    let ringing_at = BEGAN + 7_435_000;
    let over_at = BEGAN + 1834 * SECOND + 436_317_000;
    let buzzing = CallState {
        jid: BORIS.to_owned(),
        uid: DIRECT.to_owned(),
        buzz: true,
        start: None,
        audiorecord: false,
        onliners: vec![CallOnliner { link: "connecting", ..anna() }],
        record_stopped: None,
        sticky: false,
        ..state(ringing_at)
    };
    let over = CallState {
        finish: Some(time::format(over_at)),
        audiorecord: false,
        onliners: Vec::new(),
        record_stopped: None,
        sticky: false,
        ..state(over_at)
    };
    vec![
        ("server.call.state", ServerEvent::State(state(BEGAN + 42 * SECOND))),
        ("server.call.state.buzz", ServerEvent::State(buzzing)),
        ("server.call.state.finish", ServerEvent::State(over)),
    ]
}

fn of_a_call() -> Vec<Example<ServerEvent>> {
    let (jid, uid) = (|| LOBBY.to_owned(), || CALL.to_owned());
    let talking = |jid: &str, level: Option<u8>| ServerEvent::Talking {
        jid: jid.to_owned(),
        actor: ANNA.to_owned(),
        talking: level.is_some(),
        level,
    };
    let leave = |reason| ServerEvent::Leave { jid: jid(), uid: uid(), reason };
    let track = |mid: &str, jid: &str| Track { mid: mid.to_owned(), jid: jid.to_owned() };
    let tracks = vec![track("0", BORIS), track("s1", "")];
    vec![
        ("server.call.sound", ServerEvent::Sound { jid: jid(), muted: true }),
        ("server.call.muteall", ServerEvent::MuteAll { jid: jid(), muted: true }),
        ("server.call.talking", talking(LOBBY, Some(31))),
        ("server.call.talking.direct", talking(ANNA, None)),
        ("server.call.tracks", ServerEvent::Tracks { jid: jid(), uid: uid(), tracks }),
        ("server.call.leave", leave(None)),
        ("server.call.leave.kicked", leave(Some("kicked"))),
        (
            "server.call.restart",
            ServerEvent::Restart { jid: jid(), uid: uid(), team: TEAM.to_owned() },
        ),
        (
            "server.call.checkfingerprint",
            ServerEvent::CheckFingerprint { fingerprint: fingerprint() },
        ),
    ]
}

/// Of the client's certificate, as its own description has it.
fn fingerprint() -> String {
    let offer = sdp_of("client.call.sdp.restart");
    let line = offer.lines().find_map(|line| line.strip_prefix("a=fingerprint:"));
    line.expect("a fingerprint").to_owned()
}

fn ringing() -> Vec<Example<ServerEvent>> {
    let (anna, uid) = (|| ANNA.to_owned(), || DIRECT.to_owned());
    let display_name = || "Anna".to_owned();
    let buzz = ServerEvent::Buzz {
        jid: anna(),
        icons: json!({}),
        display_name: display_name(),
        teaminfo: BuzzTeam { uid: TEAM.to_owned(), name: "Voxhall".to_owned() },
        chat: BuzzChat { jid: anna(), chat_type: "direct", display_name: display_name() },
        actor: BuzzActor { jid: anna(), display_name: display_name(), icon: String::new() },
        uid: uid(),
        buzz_timeout: 60,
        team: TEAM.to_owned(),
        call_type: "audio",
    };
    vec![
        ("server.call.buzz", buzz),
        (
            "server.call.buzzcancel",
            ServerEvent::BuzzCancel { jid: anna(), team: TEAM.to_owned(), uid: uid() },
        ),
        (
            "server.call.reject",
            ServerEvent::Reject { jid: BORIS.to_owned(), uid: uid(), reason: "busy".to_owned() },
        ),
    ]
}

/// The Lobby's call as `server.online` lists it.
pub fn lobby_call() -> OnlineCall {
    OnlineCall {
        jid: LOBBY.to_owned(),
        uid: CALL.to_owned(),
        start: Some(time::format(BEGAN)),
        online_count: 2,
        call_type: "audio",
    }
}

fn of_the_socket() -> Vec<Example<ServerEvent>> {
    let contact = |jid: &str| Contact { jid: jid.to_owned(), afk: false, mobile: false };
    let ringing = OnlineCall {
        jid: BORIS.to_owned(),
        uid: DIRECT.to_owned(),
        start: None,
        online_count: 1,
        call_type: "audio",
    };
    let online = ServerEvent::Online {
        contacts: vec![contact(ANNA), contact(BORIS)],
        calls: vec![lobby_call(), ringing],
    };
    let offer = example("client.call.offer");
    let confirm_id = offer["confirm_id"].as_str().expect("it asks for one").to_owned();
    let orig = example("client.call.video");
    let panic = ServerEvent::Panic {
        code: "INVALID_TOKEN".to_owned(),
        debug: "nobody has this token".to_owned(),
    };
    vec![
        ("server.online", online),
        ("server.time", ServerEvent::Time { time: time::format(BEGAN + 7 * SECOND) }),
        ("server.confirm", ServerEvent::Confirm { confirm_id }),
        ("server.warning", ServerEvent::warning("audio_only", "calls here carry audio only", orig)),
        ("server.panic", panic),
    ]
}

pub fn names() -> impl Iterator<Item = &'static str> {
    examples().into_iter().map(|(name, _)| name)
}

#[test]
fn each_server_example_is_what_the_server_writes() {
    for (name, event) in examples() {
        let example = example(name);
        let confirm_id = example["confirm_id"].as_str();
        assert_eq!(confirm_id.is_some(), event.wants_confirm(), "{name}");
        let text = event.encode().to_text(confirm_id);
        let written: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(example, written, "{name}");
    }
}

#[test]
fn the_strictest_client_reads_each_server_example() {
    for name in names() {
        if let Err(why) = Strict::default().try_check(&example(name)) {
            panic!("{name}: {why}");
        }
    }
}

#[test]
fn every_server_event_has_an_example_under_its_name() {
    let examples = examples();
    let shown: BTreeSet<&str> = examples.iter().map(|(_, event)| kind(event)).collect();
    assert_eq!(shown, KINDS.iter().copied().collect());
    for (name, event) in &examples {
        assert!(name.starts_with(event.name()), "{name} is {}", event.name());
    }
}
