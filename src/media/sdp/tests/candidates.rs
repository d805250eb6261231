//! The form of trickled candidates.

use super::*;

#[test]
fn every_captured_candidate_is_well_formed() {
    let texts = captures(|_| true);
    let lines = texts.iter().flat_map(|(_, text)| text.lines());
    let candidates: Vec<&str> = lines.filter(|line| line.starts_with("a=candidate:")).collect();
    assert!(candidates.len() > 100);
    for line in candidates {
        assert!(candidate_ok(line), "{line}");
        assert!(candidate_ok(&line[2..]), "{line}");
    }
}

#[test]
fn candidates_that_are_not_well_formed_are_refused() {
    let good = "candidate:1 1 udp 2122260223 192.0.2.1 60185 typ host generation 0 ufrag f7vC";
    assert!(candidate_ok(good));
    assert!(candidate_ok("candidate:1 1 udp 1 2001:db8::1 9 typ srflx raddr :: rport 9"));
    for (from, to) in [
        ("candidate:", "kandidate:"),
        ("candidate:1 ", "candidate: "),
        ("candidate:1 ", "candidate:1_ "),
        (" 1 udp", " 0 udp"),
        (" 1 udp", " 257 udp"),
        (" 1 udp", " +1 udp"),
        ("udp", "u(p"),
        ("2122260223", "0"),
        ("2122260223", "2147483648"),
        ("192.0.2.1", "192.0.2.1;x"),
        ("192.0.2.1", ""),
        ("60185", "65536"),
        ("typ", "type"),
        (" host", ""),
        ("ufrag f7vC", "ufrag"),
        ("ufrag f7vC", "ufrag f7\r\n"),
        ("ufrag f7vC", "ufrag f7\0vC"),
    ] {
        assert!(good.contains(from));
        assert!(!candidate_ok(&good.replacen(from, to, 1)), "{from} -> {to}");
    }
    assert!(!candidate_ok(""));
    assert!(!candidate_ok("candidate:"));
}

#[test]
fn candidate_may_have_1024_bytes_and_no_more() {
    let good = "candidate:1 1 udp 1 192.0.2.1 9 typ host x ";
    assert!(candidate_ok(&format!("{good}{}", "y".repeat(1024 - good.len()))));
    assert!(!candidate_ok(&format!("{good}{}", "y".repeat(1025 - good.len()))));
}
