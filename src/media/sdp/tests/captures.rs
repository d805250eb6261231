//! What the captures say.

use super::*;

/// In few words: client's own setup, DTLS hashes, and per section mid, direction, payload type,
/// ids of level and mid, number of SSRCs; `-` where there is none, `!` what is not usable.
fn facts(remote: &Remote) -> String {
    let number = |id: Option<u8>| id.map_or("-".to_owned(), |id| id.to_string());
    let section = |section: &Section| {
        let ids = format!("{}/{}", number(section.level_id), number(section.mid_id));
        let payload_type = number(section.opus.map(|opus| opus.payload_type));
        let sign = if section.is_usable() && section.in_bundle { "" } else { "!" };
        let direction = section.direction.as_str();
        format!("{sign}{}:{direction}:{payload_type}:{ids}:{}", section.mid, section.ssrcs.len())
    };
    let sections: Vec<String> = remote.sections.iter().map(section).collect();
    let hashes = remote.fingerprints.len();
    format!("{} {hashes} {}", remote.setup.as_str(), sections.join(" "))
}

/// Facts of one section, then of further ones that differ by their mid only.
fn several(first: &str, mids: &[&str], further: &str) -> String {
    let further: Vec<String> = mids.iter().map(|mid| format!(" {mid}{further}")).collect();
    format!("{first}{}", further.concat())
}

/// What each capture must say, by its name.
fn expected_facts() -> Vec<(String, String)> {
    let chromium = "actpass 1 0:sendrecv:111:1/4:1";
    let firefox = "actpass 1 0:sendrecv:109:1/3:1";
    let mut rows: Vec<(String, String)> = Vec::new();
    for (client, first, further) in
        [("chromium", chromium, ":recvonly:111:1/4:0"), ("firefox", firefox, ":recvonly:109:1/3:1")]
    {
        let mut row = |name: &str, facts: String| rows.push((format!("{client}-{name}"), facts));
        for name in ["plain", "ice-restart", "red-preferred", "reneg-initial"] {
            row(&format!("offer-{name}"), first.into());
        }
        row("offer-plain-sendonly", first.replace("sendrecv", "sendonly"));
        row("offer-recvonly-nomic", format!("actpass 1 0{further}"));
        row("offer-plus4recvonly", several(first, &["1", "2", "3", "4"], further));
        row("offer-after-server-reoffer", several(first, SERVER_MIDS, further));
        for (count, name) in REOFFERS {
            let answer = several(first, &SERVER_MIDS[..count], further);
            row(&format!("answer-to-reoffer-{name}"), answer.replace("actpass", "active"));
        }
    }
    rows.push(("chromium-offer-recvonly-mdns".into(), "actpass 1 0:recvonly:111:1/4:0".into()));
    for (name, setup, mids) in [
        ("aiortc-offer-plus2recvonly", "actpass", &["1", "2"][..]),
        ("aiortc-answer-to-reoffer", "active", &["1", "2", "7", "8"][..]),
    ] {
        let first = format!("{setup} 3 0:sendrecv:96:2/1:1");
        rows.push((name.into(), several(&first, mids, ":recvonly:96:2/1:1")));
    }
    rows.sort();
    rows
}

const SERVER_MIDS: &[&str] = &["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"];

/// Sections that the server had added, and the name of that capture.
const REOFFERS: [(usize, &str); 7] = [
    (1, "a-msid-ssrc-midext"),
    (2, "b-noSsrcLine-midext"),
    (3, "c-ssrcLine-noMidext"),
    (4, "d-neither"),
    (5, "e-msidInSsrcLine"),
    (6, "f-noMsid"),
    (8, "two"),
];

#[test]
fn every_capture_of_a_client_parses_to_its_facts() {
    let seen: Vec<(String, String)> = captures(is_client)
        .into_iter()
        .map(|(name, text)| {
            let facts = facts(&parsed(&text).expect(&name));
            (name, facts)
        })
        .collect();
    assert_eq!(seen.len(), 33);
    for (seen, expected) in seen.iter().zip(expected_facts()) {
        assert_eq!(seen, &expected);
    }
}
