//! What we write: to the letter, and read back.

use std::net::SocketAddr;

use super::*;

fn slot(ssrc: u32) -> SlotLine {
    SlotLine { ssrc, stream: format!("slot-{ssrc}"), track: format!("slot-{ssrc}-t") }
}

fn local(setup: Setup, sections: Vec<LocalSection>) -> Local {
    Local {
        session_id: 4711,
        version: 2,
        ice_ufrag: "serverufragaaaaa".into(),
        ice_pwd: "passwordpasswordpasswordpassword".into(),
        fingerprint: format!("sha-256 {}", ["3F"; 32].join(":")),
        setup,
        candidates: ["192.0.2.1:7880", "[2001:db8::1]:7880", "192.0.2.1:7881"]
            .map(|address| address.parse::<SocketAddr>().unwrap())
            .to_vec(),
        sections,
    }
}

/// Our answer, with a slot in every section that listens.
pub(super) fn answer(remote: &Remote) -> Local {
    let section = |(ssrc, section): (u32, &Section)| {
        let direction = section.direction.reversed();
        let slot = direction.is_sending().then(|| slot(ssrc));
        section.accept(direction, slot, "voxhall").unwrap_or_else(|| section.refuse())
    };
    local(Setup::Passive, (10_001..).zip(&remote.sections).map(section).collect())
}

/// Chromium's offer with video and a data channel behind the voice.
fn offer_with_video() -> String {
    altered("chromium-offer-plain", "a=group:BUNDLE 0", "a=group:BUNDLE 0 1 2")
        + "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:1\r\na=sendrecv\r\n"
        + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n"
}

#[test]
fn answers_are_written_to_the_letter() {
    for (name, offer) in [
        ("written-answer-one", capture("chromium-offer-plain")),
        ("written-answer-several", capture("firefox-offer-plus4recvonly")),
        ("written-answer-refused-video", offer_with_video()),
    ] {
        let text = write(&answer(&parsed(&offer).unwrap()));
        assert_eq!(text, capture(name), "{name}");
    }
}

#[test]
fn offer_with_a_new_section_is_written_to_the_letter() {
    let remote = parsed(&capture("chromium-offer-plain")).unwrap();
    let mut offer = answer(&remote);
    offer.setup = Setup::Actpass;
    offer.version = 3;
    let further =
        remote.sections[0].accept(Direction::SendOnly, Some(slot(10_002)), "voxhall").unwrap();
    offer.sections.push(LocalSection { mid: Mid::new("s1").unwrap(), ..further });
    assert_eq!(write(&offer), capture("written-offer-two"));
}

#[test]
fn answer_to_every_captured_offer_reads_back_as_it_was_meant() {
    for (name, offer) in captures(|name| is_client(name) && name.contains("-offer-")) {
        let remote = parsed(&offer).unwrap();
        let read = parse::read(&write(&answer(&remote)), &Limits::default()).expect(&name);
        assert_eq!(read.setup, Setup::Passive);
        assert!(read.ice_lite && read.end_of_candidates);
        assert_eq!(read.ice_ufrag, "serverufragaaaaa");
        let ours = ["3F"; 32].join(":");
        assert_eq!(read.fingerprints[0].to_string(), format!("sha-256 {ours}"));
        for (index, (ours, theirs)) in read.sections.iter().zip(&remote.sections).enumerate() {
            assert_eq!(ours.mid, theirs.mid, "{name}");
            assert_eq!(ours.opus, theirs.opus, "{name}");
            assert_eq!((ours.level_id, ours.mid_id), (theirs.level_id, theirs.mid_id), "{name}");
            assert_eq!(ours.direction, theirs.direction.reversed(), "{name}");
            let ssrc = 10_001 + u32::try_from(index).unwrap();
            let expected = if theirs.direction.is_receiving() { vec![ssrc] } else { vec![] };
            assert_eq!(ours.ssrcs, expected, "{name}");
            assert!(ours.in_bundle);
        }
        assert_eq!(read.sections.len(), remote.sections.len());
    }
}

#[test]
fn client_without_mid_gets_neither_mid_nor_bundle() {
    let offer = altered("chromium-offer-plain", "a=mid:0\r\n", "");
    let text = write(&answer(&parsed(&offer).unwrap()));
    assert!(!text.contains("a=mid:") && !text.contains("BUNDLE"));
    assert!(text.contains("m=audio 7880 "));
}

#[test]
fn dtx_and_tcp_are_answered_only_where_offered() {
    let offer = altered("chromium-offer-plain", "useinbandfec=1", "useinbandfec=1;usedtx=1");
    let text = write(&answer(&parsed(&offer.replace("UDP/TLS", "TCP/TLS")).unwrap()));
    assert!(text.contains("a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"));
    assert!(text.contains("m=audio 7880 TCP/TLS/RTP/SAVPF 111\r\n"));
}

#[test]
fn extensions_that_were_not_offered_are_not_answered() {
    let offer = altered("chromium-offer-plain", "a=extmap:", "a=x-extmap:");
    assert!(!write(&answer(&parsed(&offer).unwrap())).contains("extmap"));
}

#[test]
fn name_with_a_line_end_adds_no_line() {
    let remote = parsed(&capture("chromium-offer-plain")).unwrap();
    let clean = write(&answer(&remote));
    let mut injected = answer(&remote);
    let Body::Accepted(accepted) = &mut injected.sections[0].body else {
        panic!("the section is accepted");
    };
    accepted.cname = "x\r\na=setup:active".into();
    accepted.slot = Some(SlotLine { ssrc: 1, stream: "a\nb".into(), track: "c d".into() });
    let text = write(&injected);
    assert_eq!(text.lines().count(), clean.lines().count());
    assert!(!text.contains("active"));
}

#[test]
fn answer_without_candidates_names_no_address() {
    let mut answer = answer(&parsed(&capture("chromium-offer-plain")).unwrap());
    answer.candidates.clear();
    let text = write(&answer);
    assert!(text.contains("m=audio 9 ") && text.contains("c=IN IP4 0.0.0.0\r\n"));
}
