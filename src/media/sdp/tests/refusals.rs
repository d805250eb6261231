//! What is refused, and with which code and words; and what is close to it and is not.

use super::*;

const OFFER: &str = "chromium-offer-plain";
const FIREFOX: &str = "firefox-offer-plain";
const SEVERAL: &str = "chromium-offer-plus4recvonly";

fn refused(name: &str, from: &str, to: &str) -> Malformed {
    parsed(&altered(name, from, to)).expect_err(&format!("{from:?} -> {to:?}"))
}

fn accepted(name: &str, from: &str, to: &str) -> Remote {
    parsed(&altered(name, from, to)).unwrap_or_else(|why| panic!("{from:?} -> {to:?}: {why}"))
}

#[test]
fn offer_without_opus_is_no_opus() {
    for (from, to) in [
        ("opus/48000/2", "speex/16000"),
        ("opus/48000/2", "opus/48000"),
        ("SAVPF 111 63", "SAVPF 63"),
        ("a=rtpmap:111 ", "a=x-rtpmap:111 "),
    ] {
        let why = refused(OFFER, from, to);
        assert_eq!((why, why.code()), (Malformed::NoOpus, "no_opus"), "{from} -> {to}");
    }
    assert_eq!(Malformed::NoOpus.to_string(), "no audio section has the codec opus/48000/2");
}

#[test]
fn opus_is_found_in_any_case_of_letters() {
    let remote = accepted(OFFER, "opus/48000/2", "OPUS/48000/2");
    assert_eq!(
        remote.sections[0].opus,
        Some(Opus { payload_type: 111, usedtx: false, maxptime_ms: 120 })
    );
}

#[test]
fn dtx_is_noted_only_for_opus_and_only_where_offered() {
    let dtx = "useinbandfec=1;usedtx=1";
    let remote = accepted(OFFER, "useinbandfec=1", dtx);
    assert!(remote.sections[0].opus.unwrap().usedtx);
    let remote = accepted(OFFER, "a=fmtp:63 111/111", "a=fmtp:63 usedtx=1");
    assert!(!remote.sections[0].opus.unwrap().usedtx);
}

#[test]
fn section_without_opus_beside_one_with_it_is_not_usable() {
    let mut text = capture(SEVERAL);
    let at = text.rfind("opus/48000/2").unwrap();
    text.replace_range(at..at + 4, "abcd");
    let remote = parsed(&text).unwrap();
    let usable: Vec<bool> = remote.sections.iter().map(Section::is_usable).collect();
    assert_eq!(usable, [true, true, true, true, false]);
}

#[test]
fn unusable_transport_is_bad_sdp() {
    let cases = [
        (OFFER, "a=fingerprint:", "a=x-fingerprint:", Malformed::NoFingerprint),
        (OFFER, "a=fingerprint:sha-256", "a=fingerprint:sha-1", Malformed::NoFingerprint),
        (OFFER, "a=fingerprint:sha-256", "a=fingerprint:sha-512", Malformed::BadFingerprint),
        (OFFER, "C1:AA:3F", "C1:A:3F", Malformed::BadFingerprint),
        (OFFER, "C1:AA:3F", "C1:+A:3F", Malformed::BadFingerprint),
        (OFFER, "C1:AA:3F", "C1:AA", Malformed::BadFingerprint),
        (OFFER, "sha-256 C1", "sha-256C1", Malformed::BadFingerprint),
        (OFFER, "a=rtcp-mux\r\n", "", Malformed::NoRtcpMux),
        (OFFER, "UDP/TLS/RTP/SAVPF", "RTP/AVPF", Malformed::Unencrypted),
        (OFFER, "UDP/TLS/RTP/SAVPF", "RTP/SAVPF", Malformed::Unencrypted),
        (OFFER, "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", Malformed::Unencrypted),
        (OFFER, "a=setup:actpass", "a=setup:passive", Malformed::BadSetup),
        (OFFER, "a=setup:actpass", "a=setup:holdconn", Malformed::BadSetup),
        (OFFER, "a=setup:actpass\r\n", "", Malformed::BadSetup),
        (OFFER, "a=ice-ufrag:f7vC\r\n", "", Malformed::NoIce),
        (OFFER, "a=ice-ufrag:f7vC", "a=ice-ufrag:f7v", Malformed::NoIce),
        (OFFER, "a=ice-ufrag:f7vC", "a=ice-ufrag:f7v:", Malformed::NoIce),
        (OFFER, "a=ice-pwd:1GPHW7Iea1yhDIlvNUCm9TRN\r\n", "", Malformed::NoIce),
        (
            OFFER,
            "ice-pwd:1GPHW7Iea1yhDIlvNUCm9TRN",
            "ice-pwd:1GPHW7Iea1yhDIlvNUCm9",
            Malformed::NoIce,
        ),
        (OFFER, "t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", Malformed::IceLite),
        (FIREFOX, "a=fingerprint:", "a=x-fingerprint:", Malformed::NoFingerprint),
    ];
    for (name, from, to, why) in cases {
        assert_eq!(refused(name, from, to), why, "{from} -> {to}");
        assert_eq!(why.code(), "bad_sdp");
        assert!(!why.to_string().is_empty());
    }
}

#[test]
fn ice_credentials_hold_at_their_lengths() {
    let ufrag = |length: usize| format!("a=ice-ufrag:{}", "u".repeat(length));
    accepted(OFFER, "a=ice-ufrag:f7vC", &ufrag(256));
    assert_eq!(refused(OFFER, "a=ice-ufrag:f7vC", &ufrag(257)), Malformed::NoIce);
    let pwd = |length: usize| format!("a=ice-pwd:{}", "p".repeat(length));
    let from = "a=ice-pwd:1GPHW7Iea1yhDIlvNUCm9TRN";
    for length in [22, 256] {
        accepted(OFFER, from, &pwd(length));
    }
    for length in [21, 257] {
        assert_eq!(refused(OFFER, from, &pwd(length)), Malformed::NoIce);
    }
}

#[test]
fn tcp_and_lower_case_digits_are_taken() {
    let remote = accepted(OFFER, "UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF");
    assert_eq!(remote.sections[0].proto, Proto::TcpTlsRtpSavpf);
    let lower = accepted(OFFER, "sha-256 C1:AA", "SHA-256 c1:aa");
    assert_eq!(lower.fingerprints, parsed(&capture(OFFER)).unwrap().fingerprints);
}

#[test]
fn payload_types_of_rtcp_are_refused() {
    for number in [64, 95, 128] {
        let why = refused(OFFER, "SAVPF 111 63", &format!("SAVPF 111 {number}"));
        assert_eq!(why, Malformed::PayloadType(number));
    }
    for number in [63, 96, 127] {
        accepted(OFFER, "SAVPF 111 63", &format!("SAVPF 111 {number}"));
    }
    assert_eq!(refused(OFFER, "SAVPF 111 63", "SAVPF 111 +6"), Malformed::Syntax);
    assert_eq!(refused(OFFER, "SAVPF 111 63", "SAVPF 111 256"), Malformed::Syntax);
}

#[test]
fn mids_are_short_and_unique_and_there() {
    assert_eq!(refused(SEVERAL, "a=mid:4", "a=mid:3"), Malformed::BadMid);
    assert_eq!(refused(SEVERAL, "a=mid:4\r\n", ""), Malformed::NoMid);
    assert_eq!(refused(OFFER, "a=mid:0", "a=mid:a b"), Malformed::BadMid);
    assert_eq!(refused(OFFER, "a=mid:0", "a=mid:seventeen-letters"), Malformed::BadMid);
    accepted(OFFER, "a=mid:0", "a=mid:sixteen-letters-");
}

#[test]
fn single_section_needs_no_mid() {
    let remote = accepted(OFFER, "a=mid:0\r\n", "");
    assert!(remote.sections[0].mid.is_empty() && remote.sections[0].is_usable());
}

#[test]
fn control_characters_are_refused() {
    for inside in ["\0", "\r", "\t", "\u{7f}", "\u{85}", "\u{1b}[31m"] {
        let why = refused(OFFER, "a=mid:0", &format!("a=mid:0{inside}x"));
        assert_eq!(why, Malformed::ControlCharacter, "{inside:?}");
    }
}

#[test]
fn lines_may_end_without_carriage_return() {
    let text = capture(OFFER);
    assert_eq!(parsed(&text.replace("\r\n", "\n")), parsed(&text));
}

#[test]
fn contradicting_extension_ids_are_refused() {
    for (from, to) in [
        ("a=extmap:1 ", "a=extmap:4 "),
        ("a=extmap:1 ", "a=extmap:0 "),
        ("a=extmap:1 ", "a=extmap:4352 "),
        ("a=extmap:1 ", "a=extmap:x "),
        ("a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:4"),
    ] {
        assert_eq!(refused(OFFER, from, to), Malformed::BadExtmap, "{from} -> {to}");
    }
    let mut text = capture(SEVERAL);
    let at = text.rfind("a=extmap:1 ").unwrap();
    text.replace_range(at..at + 11, "a=extmap:9 ");
    assert_eq!(parsed(&text), Err(Malformed::BadExtmap));
}

#[test]
fn extension_is_used_only_both_ways_and_in_the_one_byte_form() {
    for head in ["1/recvonly", "1/inactive", "15", "255"] {
        let remote = accepted(OFFER, "a=extmap:1 ", &format!("a=extmap:{head} "));
        assert_eq!(remote.sections[0].level_id, None, "{head}");
    }
    for (head, id) in [("1/sendrecv", 1), ("14", 14)] {
        let remote = accepted(OFFER, "a=extmap:1 ", &format!("a=extmap:{head} "));
        assert_eq!(remote.sections[0].level_id, Some(id), "{head}");
    }
}

#[test]
fn bundled_sections_share_one_transport() {
    for line in ["a=ice-ufrag:elAt", "a=setup:actpass", "a=fingerprint:sha-256 90:1F"] {
        let mut text = capture(SEVERAL);
        let at = text.rfind(line).expect(line);
        let other = match line {
            "a=setup:actpass" => "a=setup:active",
            "a=ice-ufrag:elAt" => "a=ice-ufrag:elAx",
            _ => "a=fingerprint:sha-256 90:1E",
        };
        text.replace_range(at..at + line.len(), other);
        assert!(matches!(parsed(&text), Err(Malformed::Contradiction(_))), "{line}");
        let mut text = capture(SEVERAL);
        let end = at + text[at..].find("\r\n").unwrap() + 2;
        text.replace_range(at..end, "");
        assert!(parsed(&text).is_ok(), "{line} left out of the last section");
    }
}

#[test]
fn section_outside_the_bundle_is_marked() {
    let remote = accepted(SEVERAL, "a=group:BUNDLE 0 1 2 3 4", "a=group:BUNDLE 0 1 2 3");
    let in_bundle: Vec<bool> = remote.sections.iter().map(|section| section.in_bundle).collect();
    assert_eq!(in_bundle, [true, true, true, true, false]);
}

#[test]
fn port_zero_rejects_unless_bundle_only() {
    let firefox = parsed(&capture("firefox-offer-plus4recvonly")).unwrap();
    assert!(firefox.sections.iter().all(Section::is_usable));
    let remote = accepted("firefox-offer-plus4recvonly", "a=bundle-only\r\n", "");
    let usable: Vec<bool> = remote.sections.iter().map(Section::is_usable).collect();
    assert_eq!(usable, [true, false, false, false, false]);
    assert_eq!(refused(FIREFOX, "m=audio 9", "m=audio 0"), Malformed::NoAudio);
}

#[test]
fn answer_to_our_offer_may_say_any_role_as_the_association_stands() {
    let passive = altered(OFFER, "a=setup:actpass", "a=setup:passive");
    assert!(parse_answer(&passive, &Limits::default()).is_ok());
    let lite = altered(OFFER, "t=0 0", "t=0 0\r\na=ice-lite");
    assert_eq!(parse_answer(&lite, &Limits::default()), Err(Malformed::IceLite));
}

#[test]
fn direction_of_the_section_wins_over_that_of_the_session() {
    let remote = accepted("firefox-offer-plain-sendonly", "a=setup:", "a=setup:");
    assert!(capture("firefox-offer-plain-sendonly").contains("a=sendrecv"));
    assert_eq!(remote.sections[0].direction, Direction::SendOnly);
    let inherited = accepted(OFFER, "a=sendrecv\r\n", "");
    assert_eq!(inherited.sections[0].direction, Direction::SendRecv);
    let session = altered(OFFER, "a=sendrecv\r\n", "").replace("t=0 0", "t=0 0\r\na=recvonly");
    assert_eq!(parsed(&session).unwrap().sections[0].direction, Direction::RecvOnly);
}

#[test]
fn text_that_is_no_description_is_refused() {
    for text in ["", "\r\n", "v=0", "hello", "v=1\r\n", "v=0\r\no=x\r\n"] {
        assert!(parsed(text).is_err(), "{text:?}");
    }
    let session = capture(OFFER).split("m=audio").next().unwrap().to_owned();
    assert_eq!(parsed(&session), Err(Malformed::NoAudio));
}
