//! Client events: each example is read as the typed event it stands for, and without a field that
//! must be there it is refused by that field's name.

use std::collections::BTreeSet;

use serde_json::Value;
use voxhall::media::sdp;
use voxhall::wire::server::{Jsep, JsepKind};
use voxhall::wire::{ClientEvent, Envelope};

use crate::{ANNA, BORIS, CALL, CLARA, Example, LOBBY, example, kinds, sdp_of};

kinds!(ClientEvent: Offer, Sdp, Trickle, Sound, MuteAll, Kick, Buzz, BuzzCancel, Reject, Leave,
    Record, Video, Screenshare, Ping, Confirm, Activity);

/// The fields of each event that must be there; all others may be left out.
fn required(event: &ClientEvent) -> &'static [&'static str] {
    match event {
        // Or `enabled_audio`, in place of `muted`.
        ClientEvent::Offer { .. } => &["jid", "sdp", "trickle", "muted"],
        ClientEvent::Sdp { .. } => &["jid", "uid", "jsep", "jsep.type", "jsep.sdp"],
        ClientEvent::Trickle { .. } => &["jid", "candidate"],
        ClientEvent::Sound { .. } => &["jid", "muted"],
        ClientEvent::Kick { .. } => &["jid", "onliner"],
        ClientEvent::Record { .. } => &["jid", "uid"],
        ClientEvent::MuteAll { .. }
        | ClientEvent::Buzz { .. }
        | ClientEvent::BuzzCancel { .. }
        | ClientEvent::Reject { .. }
        | ClientEvent::Leave { .. }
        | ClientEvent::Video { .. }
        | ClientEvent::Screenshare { .. } => &["jid"],
        ClientEvent::Confirm { .. } => &["confirm_id"],
        ClientEvent::Ping | ClientEvent::Activity => &[],
    }
}

fn examples() -> Vec<Example<ClientEvent>> {
    let lobby = || LOBBY.to_owned();
    let uid = || CALL.to_owned();
    let mute_all = |muted, sticky| ClientEvent::MuteAll { jid: LOBBY.to_owned(), muted, sticky };
    let described = |name, kind| ClientEvent::Sdp {
        jid: LOBBY.to_owned(),
        uid: CALL.to_owned(),
        jsep: Jsep { kind, sdp: sdp_of(name) },
    };
    let mut examples = offers();
    examples.extend([
        ("client.call.sdp.answer", described("client.call.sdp.answer", JsepKind::Answer)),
        ("client.call.sdp.restart", described("client.call.sdp.restart", JsepKind::Offer)),
        ("client.call.sound", ClientEvent::Sound { jid: lobby(), muted: true }),
        ("client.call.muteall", mute_all(true, false)),
        ("client.call.muteall.sticky", mute_all(true, true)),
        ("client.call.muteall.lift", mute_all(false, false)),
        ("client.call.kick", ClientEvent::Kick { jid: lobby(), onliner: CLARA.to_owned() }),
        (
            "client.call.buzz",
            ClientEvent::Buzz { jid: lobby(), members: vec![BORIS.to_owned(), CLARA.to_owned()] },
        ),
        ("client.call.buzzcancel", ClientEvent::BuzzCancel { jid: BORIS.to_owned() }),
        (
            "client.call.reject",
            ClientEvent::Reject { jid: ANNA.to_owned(), reason: "busy".to_owned() },
        ),
        (
            "client.call.leave",
            ClientEvent::Leave { jid: lobby(), reason: "the train enters the tunnel".to_owned() },
        ),
        ("client.call.record", ClientEvent::Record { jid: lobby(), uid: uid(), audiorecord: true }),
        ("client.call.video", ClientEvent::Video { jid: lobby() }),
        ("client.call.screenshare", ClientEvent::Screenshare { jid: lobby() }),
        ("client.ping", ClientEvent::Ping),
        (
            "client.confirm",
            ClientEvent::Confirm { confirm_id: "5f1e9c0a7b3d4e2f8a6c1d0b9e7f3a25-1".to_owned() },
        ),
        ("client.activity", ClientEvent::Activity),
    ]);
    examples
}

fn offers() -> Vec<Example<ClientEvent>> {
    let offer = |name, jid: &str, trickle| ClientEvent::Offer {
        jid: jid.to_owned(),
        sdp: example(name)["params"]["sdp"].as_str().expect("a description").to_owned(),
        trickle,
        muted: false,
    };
    let trickle = |candidate: &str, sdp_mid: Option<&str>| ClientEvent::Trickle {
        jid: LOBBY.to_owned(),
        candidate: candidate.to_owned(),
        sdp_mid: sdp_mid.map(str::to_owned),
        sdp_mline_index: 0,
    };
    let candidate = "candidate:1467250027 1 udp 2122260223 192.0.2.44 54321 typ host \
        generation 0 ufrag Vk3p";
    vec![
        ("client.call.offer", offer("client.call.offer", LOBBY, true)),
        ("client.call.offer.ahead", offer("client.call.offer.ahead", BORIS, false)),
        ("client.call.trickle", trickle(candidate, Some("0"))),
        ("client.call.trickle.end", trickle("", None)),
    ]
}

pub fn names() -> impl Iterator<Item = &'static str> {
    examples().into_iter().map(|(name, _)| name)
}

fn parsed(message: &Value) -> Envelope {
    Envelope::parse(message.to_string().as_bytes()).expect("JSON")
}

#[test]
fn each_client_example_is_read_as_what_it_stands_for() {
    for (name, expected) in examples() {
        let message = example(name);
        let envelope = parsed(&message);
        assert_eq!(envelope.event, Ok(expected), "{name}");
        assert_eq!(envelope.orig, message);
        // All but the confirm itself ask for one, as clients do.
        let confirm_id = message["confirm_id"].as_str();
        assert_eq!(envelope.confirm_id.as_deref(), confirm_id, "{name}");
        assert_eq!(confirm_id.is_none(), name == "client.confirm", "{name}");
    }
}

#[test]
fn every_client_event_has_an_example_under_its_name() {
    let examples = examples();
    let shown: BTreeSet<&str> = examples.iter().map(|(_, event)| kind(event)).collect();
    assert_eq!(shown, KINDS.iter().copied().collect());
    for (name, event) in &examples {
        assert!(name.starts_with(event.name()), "{name} is {}", event.name());
    }
}

#[test]
fn without_a_field_that_must_be_there_an_example_is_refused_by_its_name() {
    for (name, event) in examples() {
        let message = example(name);
        let required = required(&event);
        for field in fields(&message["params"], "") {
            let refused = parsed(&without(&message, &field)).event;
            // One of the two that say the same.
            let named = if field == "enabled_audio" { "muted" } else { &field };
            if required.contains(&named) {
                let refusal = refused.expect_err("it must be there");
                assert_eq!(refusal.code, "bad_params", "{name} without {field}");
                assert_eq!(refusal.message, format!("{named}: missing"));
            } else {
                assert_eq!(refused.map(|it| kind(&it)), Ok(kind(&event)), "{name} without {field}");
            }
        }
        let shown = fields(&message["params"], "");
        let is_shown = |field: &&str| {
            shown.iter().any(|it| it == field || (it == "enabled_audio" && *field == "muted"))
        };
        assert!(required.iter().all(is_shown), "{name} lacks one of {required:?}");
    }
}

#[test]
fn the_descriptions_of_the_examples_are_taken() {
    let limits = sdp::Limits::default();
    for name in ["client.call.offer", "client.call.offer.ahead"] {
        let offer = example(name)["params"]["sdp"].as_str().expect("a description").to_owned();
        sdp::parse(&offer, &limits).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    sdp::parse(&sdp_of("client.call.sdp.restart"), &limits).expect("an offer");
    sdp::parse_answer(&sdp_of("client.call.sdp.answer"), &limits).expect("an answer");
}

/// Every field with a value, those of inner objects behind a dot.
fn fields(params: &Value, path: &str) -> Vec<String> {
    let Some(object) = params.as_object() else { return Vec::new() };
    let with_inner = |(field, value): (&String, &Value)| {
        let field = format!("{path}{field}");
        let inner = fields(value, &format!("{field}."));
        std::iter::once(field).chain(inner).collect::<Vec<_>>()
    };
    object.iter().flat_map(with_inner).collect()
}

fn without(message: &Value, field: &str) -> Value {
    let mut message = message.clone();
    let (mut at, mut rest) = (&mut message["params"], field);
    while let Some((outer, inner)) = rest.split_once('.') {
        (at, rest) = (&mut at[outer], inner);
    }
    at.as_object_mut().expect("an object").remove(rest).expect("the field is there");
    message
}
