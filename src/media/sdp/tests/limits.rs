//! Each limit, at it and one over it.

use super::*;

/// Chromium's offer with so many lines more behind it.
fn padded(line: &str, count: usize) -> String {
    capture("chromium-offer-plain") + &format!("{line}\r\n").repeat(count)
}

fn too_large(bound: Bound, limit: usize) -> Result<(), Malformed> {
    Err(Malformed::TooLarge { bound, limit })
}

/// The text parses under a limit and not under one less.
fn check(text: &str, bound: Bound, count: usize, set: impl Fn(&mut Limits, usize)) {
    let mut limits = Limits::default();
    set(&mut limits, count);
    assert_eq!(parse(text, &limits).map(drop), Ok(()), "{bound}");
    set(&mut limits, count - 1);
    assert_eq!(parse(text, &limits).map(drop), too_large(bound, count - 1), "{bound}");
}

#[test]
fn each_limit_holds_at_it_and_one_over_it() {
    let plain = capture("chromium-offer-plain");
    let lines = plain.lines().count();
    let longest = plain.lines().map(str::len).max().unwrap();
    check(&plain, Bound::Bytes, plain.len(), |limits, count| limits.bytes = count);
    check(&plain, Bound::Lines, lines, |limits, count| limits.lines = count);
    check(&plain, Bound::LineBytes, longest, |limits, count| limits.line_bytes = count);
    check(&plain, Bound::Formats, 8, |limits, count| limits.formats = count);
    check(&plain, Bound::Extmaps, 4, |limits, count| limits.extmaps = count);
    check(&plain, Bound::Candidates, 4, |limits, count| limits.candidates = count);
    let nine = capture("chromium-answer-to-reoffer-two");
    check(&nine, Bound::Sections, 9, |limits, count| limits.sections = count);
}

#[test]
fn defaults_hold_at_them_and_one_over_them() {
    let lines = capture("chromium-offer-plain").lines().count();
    assert!(parsed(&padded("a=x", 1000 - lines)).is_ok());
    assert_eq!(parsed(&padded("a=x", 1001 - lines)).map(drop), too_large(Bound::Lines, 1000));

    let long = |bytes: usize| padded(&format!("a={}", "x".repeat(bytes - 2)), 1);
    assert!(parsed(&long(2048)).is_ok());
    assert_eq!(parsed(&long(2049)).map(drop), too_large(Bound::LineBytes, 2048));

    let filled = |bytes: usize| {
        let mut text = padded(&format!("a={}", "x".repeat(1996)), 15);
        let rest = bytes - text.len() - "a=\r\n".len();
        text += &format!("a={}\r\n", "x".repeat(rest));
        assert_eq!(text.len(), bytes);
        text
    };
    assert!(parsed(&filled(32_768)).is_ok());
    assert_eq!(parsed(&filled(32_769)).map(drop), too_large(Bound::Bytes, 32_768));

    let videos = |count| padded("m=video 0 UDP/TLS/RTP/SAVPF 96", count);
    assert!(parsed(&videos(15)).is_ok());
    assert_eq!(parsed(&videos(16)).map(drop), too_large(Bound::Sections, 16));

    let candidates = |count| padded("a=candidate:1 1 udp 1 192.0.2.1 9 typ host", count);
    assert!(parsed(&candidates(60)).is_ok());
    assert_eq!(parsed(&candidates(61)).map(drop), too_large(Bound::Candidates, 64));

    let fingerprints = |count| {
        let line = "a=fingerprint:md5 00\r\n".repeat(count) + "a=fingerprint:sha-256 ";
        altered("chromium-offer-plain", "a=fingerprint:sha-256 ", &line)
    };
    assert!(parsed(&fingerprints(7)).is_ok());
    assert_eq!(parsed(&fingerprints(8)).map(drop), too_large(Bound::Fingerprints, 8));
}

#[test]
fn extmaps_and_formats_hold_at_their_defaults_and_one_over_them() {
    let extmaps = |last: u32| {
        let line = |id| format!("a=extmap:{id} urn:x\r\n");
        capture("chromium-offer-plain") + &(5..=last).map(line).collect::<String>()
    };
    assert!(parsed(&extmaps(32)).is_ok());
    assert_eq!(parsed(&extmaps(33)).map(drop), too_large(Bound::Extmaps, 32));

    let formats = |count: usize| {
        let more = format!("SAVPF 111{}", " 8".repeat(count - 8));
        altered("chromium-offer-plain", "SAVPF 111", &more)
    };
    assert!(parsed(&formats(64)).is_ok());
    assert_eq!(parsed(&formats(65)).map(drop), too_large(Bound::Formats, 64));
}

#[test]
fn at_most_eight_ssrcs_are_kept() {
    let ssrcs: String = (1..=20).map(|n| format!("a=ssrc:{n} cname:x\r\n")).collect();
    let remote = parsed(&(capture("chromium-offer-recvonly-mdns") + &ssrcs)).unwrap();
    assert_eq!(remote.sections[0].ssrcs, [1, 2, 3, 4, 5, 6, 7, 8]);
}
