use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::core::Rights;

const DOCS: &str = include_str!("../../../../docs/core.md");
const LOBBY: &str = "g-0e9b4c7d-81f2-4d6a-a5c3-27d4e8f1b004";
const ANNA: &str = "d-3f0c8a52-7d5e-4b0e-9a44-5d1c2e6f7a01";
const CALL: &str = "a94d7e10-5c38-4b2f-9e61-d3f0b8c7a206";

/// The examples of docs/core.md by their files' names.
fn shown() -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for part in DOCS.split("<!-- tests/data/core/").skip(1) {
        let (name, rest) = part.split_once(".json -->\n```json\n").expect("an example");
        let (text, _) = rest.split_once("```").expect("its end");
        shown.insert(name.to_owned(), text.to_owned());
    }
    shown
}

fn example(name: &str) -> String {
    shown().remove(name).unwrap_or_else(|| panic!("docs/core.md shows no {name}"))
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

#[test]
fn each_example_is_a_file_and_each_file_an_example() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/core");
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        files.insert(name, std::fs::read_to_string(&path).unwrap());
    }
    assert_eq!(files, shown());
}

#[test]
fn what_the_core_says_is_read_as_the_page_shows_it() {
    let FromCore::Hello { version, core, seen } = FromCore::parse(&example("hello.core")).unwrap()
    else {
        panic!("no hello")
    };
    let id = "5b1f0c2e9d7a4d0f".to_owned();
    assert_eq!((version, core.as_str(), seen), (VERSION, "c-41", Seen { id, seq: 230 }));
    let FromCore::Signal { seq: 18, signal } = FromCore::parse(&example("signal")).unwrap() else {
        panic!("no signal")
    };
    let signal = signal.unwrap();
    assert_eq!(signal.chat.key(), ChatKey::Group(jid(LOBBY)));
    assert_eq!(
        (signal.actor.display_name.as_str(), signal.device.name.as_str()),
        ("Anna", "phone-7")
    );
    assert_eq!(signal.rights, Rights { mute_all: true, record: true, kick: false });
    assert_eq!(signal.event, ClientEvent::Sound { jid: LOBBY.to_owned(), muted: true });
    assert_eq!((signal.team.name.as_str(), signal.has_socket), ("Team", true));
    let presence = FromCore::parse(&example("presence")).unwrap();
    let FromCore::Presence { seq: 19, device, connected: true, reader } = presence else {
        panic!("{presence:?}")
    };
    assert_eq!((device.jid, reader.groups), (jid(ANNA), vec![jid(LOBBY)]));
    assert!(matches!(FromCore::parse(&example("ack")), Ok(FromCore::Ack { seq: 234 })));
    let ack = FromCore::parse(&example("fact_ack"));
    assert!(matches!(ack, Ok(FromCore::FactAck { id: 4711 })));
}

#[test]
fn what_the_node_says_is_written_as_the_page_shows_it() {
    let seen = Seen { id: "c-41".to_owned(), seq: 17 };
    let refusal = Refusal::new("not_in_call", "you are not in this call");
    let sound = ServerEvent::Sound { jid: LOBBY.to_owned(), muted: true };
    let summary = CallSummary {
        chat: ChatKey::Group(jid(LOBBY)),
        uid: CALL.to_owned(),
        start: Some("2026-11-24T18:15:12.095000Z".to_owned()),
        online_count: 2,
        finished: false,
    };
    for (name, written) in [
        ("hello.node", hello("5b1f0c2e9d7a4d0f", &seen)),
        ("result.ok", result(231, 18, &Ok(()))),
        ("result.refused", result(232, 20, &Err(refusal))),
        ("deliver", deliver(233, &To::Person(jid(ANNA)), &sound)),
        ("call", call(234, &summary)),
        ("ack", ack(234)),
    ] {
        assert_eq!(value(&written), value(&example(name)), "{name}");
    }
}

#[test]
fn each_recipient_has_its_form() {
    let device = |name: &str| Device { jid: jid(ANNA), name: name.to_owned() };
    let told = json!({ "jid": ANNA, "device": "pc" });
    let lobby = jid(LOBBY);
    for (to, form) in [
        (To::Device(device("pc")), json!({ "devices": [told] })),
        (To::Devices(vec![device("pc")]), json!({ "devices": [told] })),
        (To::OtherDevices(device("pc")), json!({ "others_of": told })),
        (To::Members(lobby.clone()), json!({ "members": LOBBY, "except": [] })),
        (
            To::OtherMembers { chat: lobby, except: vec![jid(ANNA)] },
            json!({ "members": LOBBY, "except": [ANNA] }),
        ),
    ] {
        assert_eq!(recipients(&to), form);
    }
}

#[test]
fn a_signal_that_is_wrong_inside_is_its_sender_s_fault_and_one_without_a_number_the_core_s() {
    let right = value(&example("signal"));
    let with = |path: &[&str], new: Value| {
        let mut changed = right.clone();
        let mut at = &mut changed;
        for part in path {
            at = &mut at[*part];
        }
        *at = new;
        FromCore::parse(&changed.to_string())
    };
    for (path, new, code) in [
        (&["actor", "jid"][..], json!("anna"), "bad_params"),
        (&["device"], json!(""), "bad_params"),
        (&["device"], json!("x".repeat(65)), "bad_params"),
        (&["chat", "type"], json!("meeting"), "bad_params"),
        (&["chat"], json!({ "type": "direct", "people": [] }), "bad_params"),
        (&["event", "event"], json!("client.call.dance"), "unknown_event"),
        (&["event", "params"], json!({ "jid": LOBBY, "muted": "yes" }), "bad_params"),
    ] {
        let Ok(FromCore::Signal { seq: 18, signal }) = with(path, new.clone()) else {
            panic!("{path:?} {new}")
        };
        assert_eq!(signal.err().map(|refusal| refusal.code), Some(code), "{path:?} {new}");
    }
    assert!(with(&["seq"], json!(-1)).is_err());
    // As deep as a client's event may be, and two more for the link.
    let deep = |levels: usize| serde_json::from_str(&("[".repeat(levels) + &"]".repeat(levels)));
    assert!(with(&["event", "params"], deep(16).unwrap()).is_ok());
    assert!(with(&["event", "params"], deep(17).unwrap()).is_err());
    let mut presence = value(&example("presence"));
    presence["device"] = json!("");
    let presence = FromCore::parse(&presence.to_string());
    assert!(matches!(presence, Ok(FromCore::Useless { seq: 19, .. })), "{presence:?}");
    assert!(FromCore::parse("[]").is_err() && FromCore::parse("{").is_err());
    assert!(matches!(FromCore::parse(r#"{"type":"wave"}"#), Ok(FromCore::Unknown)));
}

#[test]
fn without_rights_nothing_may_be_done_to_others() {
    let mut signal = value(&example("signal"));
    signal.as_object_mut().unwrap().remove("rights");
    let Ok(FromCore::Signal { signal: Ok(signal), .. }) = FromCore::parse(&signal.to_string())
    else {
        panic!("refused")
    };
    assert_eq!(signal.rights, Rights { mute_all: false, record: false, kick: false });
}

#[test]
fn an_actor_who_is_none_of_the_two_is_refused() {
    let mut signal = value(&example("signal"));
    let person = |name: &str| json!({ "jid": format!("d-{name}") });
    signal["chat"] = json!({ "type": "direct", "people": [person("boris"), person("clara")] });
    let Ok(FromCore::Signal { signal, .. }) = FromCore::parse(&signal.to_string()) else {
        panic!("no signal")
    };
    assert_eq!(signal.err().map(|refusal| refusal.code), Some("bad_params"));
}
