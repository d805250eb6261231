use super::*;

fn parsed(json: &str) -> Envelope {
    Envelope::parse(json.as_bytes()).unwrap()
}

fn refusal(json: &str) -> Unusable {
    parsed(json).event.unwrap_err()
}

const OFFER: &str = r#"{"event": "client.call.offer", "confirm_id": "b45fdc034116", "params":
    {"jid": "g-1", "muted": true, "sdp": "v=0", "trickle": true, "later": {"unknown": [1]}}}"#;

#[test]
fn the_seeds_offer_is_read() {
    let envelope = parsed(OFFER);
    assert_eq!(envelope.confirm_id.as_deref(), Some("b45fdc034116"));
    let (jid, sdp) = ("g-1".to_owned(), "v=0".to_owned());
    assert_eq!(envelope.event, Ok(ClientEvent::Offer { jid, sdp, trickle: true, muted: true }));
    assert_eq!(envelope.orig["params"]["sdp"], "v=0");
}

#[test]
fn enabled_audio_wins_over_muted() {
    let json = OFFER.replace("\"trickle\"", "\"enabled_audio\": true, \"trickle\"");
    assert!(matches!(parsed(&json).event, Ok(ClientEvent::Offer { muted: false, .. })));
    let json = json.replace("\"muted\": true,", "");
    assert!(matches!(parsed(&json).event, Ok(ClientEvent::Offer { muted: false, .. })));
}

#[test]
fn every_missing_field_of_an_offer_is_named() {
    for (field, gone) in [
        ("jid", "\"jid\": \"g-1\","),
        ("muted", "\"muted\": true,"),
        ("sdp", "\"sdp\": \"v=0\","),
        ("trickle", "\"trickle\": true,"),
    ] {
        let unusable = refusal(&OFFER.replace(gone, ""));
        assert_eq!(unusable.code, "bad_params");
        assert_eq!(unusable.message, format!("{field}: missing"));
    }
}

#[test]
fn types_are_strict() {
    for (right, wrong) in [
        ("\"g-1\"", "7"),
        ("\"g-1\"", "\"\""),
        ("\"muted\": true", "\"muted\": \"true\""),
        ("\"trickle\": true", "\"trickle\": 1"),
        ("\"v=0\"", "[\"v=0\"]"),
    ] {
        assert_eq!(refusal(&OFFER.replace(right, wrong)).code, "bad_params", "{wrong}");
    }
    assert_eq!(refusal(r#"{"event": "client.call.muteall", "params": []}"#).code, "bad_params");
}

#[test]
fn an_unknown_event_is_named_as_in_the_seeds() {
    let unusable = refusal(r#"{"event": "client.deeeeeaddddbeeeeeef", "confirm_id": "c"}"#);
    assert_eq!(unusable.code, "unknown_event");
    assert!(unusable.message.starts_with("unknown event: client.deeeeeaddddbeeeeeef"));
    assert!(unusable.message.ends_with("(no chat core to pass it to)"));
    assert_eq!(refusal(r#"{"event": "hello"}"#).message, "unknown event: hello");
}

#[test]
fn a_message_that_is_no_event_is_bad_params() {
    for json in ["7", "[]", "null", "{}", r#"{"event": 1}"#, r#"{"event": null}"#] {
        assert_eq!(refusal(json).code, "bad_params", "{json}");
    }
}

#[test]
fn a_refused_event_keeps_its_confirm_id() {
    let envelope = parsed(r#"{"event": "client.call.sound", "confirm_id": "c1"}"#);
    assert_eq!(envelope.confirm_id.as_deref(), Some("c1"));
    assert_eq!(envelope.event.unwrap_err().message, "jid: missing");
}

#[test]
fn a_candidate_may_be_empty_and_has_line_0_by_itself() {
    let json = r#"{"event": "client.call.trickle", "params": {"jid": "g-1", "candidate": ""}}"#;
    let expected = ClientEvent::Trickle {
        jid: "g-1".to_owned(),
        candidate: String::new(),
        sdp_mid: None,
        sdp_mline_index: 0,
    };
    assert_eq!(parsed(json).event, Ok(expected));
    assert!(parsed(&json.replace("\"\"", "\"\", \"sdp_mline_index\": -1")).event.is_err());
}

#[test]
fn a_description_is_an_offer_or_an_answer() {
    let json = r#"{"event": "client.call.sdp", "params":
        {"jid": "g-1", "uid": "u", "jsep": {"type": "answer", "sdp": "v=0"}}}"#;
    assert!(matches!(parsed(json).event, Ok(ClientEvent::Sdp { jsep, .. })
        if jsep.kind == JsepKind::Answer));
    let unusable = refusal(&json.replace("answer", "rollback"));
    assert_eq!(unusable.message, "jsep.type: expected offer or answer");
}

#[test]
fn a_long_reason_is_cut_at_256_characters() {
    let reason = "ü".repeat(300);
    let json = format!(
        r#"{{"event": "client.call.reject", "params": {{"jid": "d-1", "reason": "{reason}"}}}}"#
    );
    let Ok(ClientEvent::Reject { reason, .. }) = parsed(&json).event else { panic!("no reject") };
    assert_eq!(reason.chars().count(), 256);
}

#[test]
fn a_record_without_audiorecord_stops() {
    let json = r#"{"event": "client.call.record", "params": {"jid": "g-1", "uid": "u"}}"#;
    assert!(matches!(parsed(json).event, Ok(ClientEvent::Record { audiorecord: false, .. })));
}

#[test]
fn a_ping_needs_no_params() {
    assert_eq!(parsed(r#"{"event": "client.ping"}"#).event, Ok(ClientEvent::Ping));
    assert_eq!(parsed(r#"{"event": "client.ping", "params": null}"#).event, Ok(ClientEvent::Ping));
}
