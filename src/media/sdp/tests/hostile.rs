//! No bytes make the parser panic: truncations and seeded mutations of every capture.

use super::*;

/// Marsaglia's xorshift64, so that a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).unwrap() % end
    }
}

/// Parses, and where that goes well answers: what we then write must be readable by ourselves.
fn parse_and_answer(text: &str, what: &str) -> bool {
    let Ok(remote) = parsed(text) else {
        return false;
    };
    let answer = write(&super::written::answer(&remote));
    let again = parse::read(&answer, &Limits::default()).expect(what);
    assert_eq!(again.sections.len(), remote.sections.len(), "{what}");
    true
}

#[test]
fn truncated_captures_never_panic() {
    for (name, text) in captures(|_| true) {
        // Odd, so that over the captures every kind of line is cut at every place.
        for end in (0..text.len()).step_by(23) {
            parse_and_answer(&text[..end], &format!("{name} to {end}"));
        }
    }
}

#[test]
fn mutated_captures_never_panic() {
    const PIECES: [&str; 16] = [
        "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n",
        "m=video 9 X/Y 1\r\n",
        "a=bundle-only\r\n",
        "a=mid:1\r\n",
        "a=extmap:14/sendonly urn:x\r\n",
        "a=rtpmap:127 opus/48000/2\r\n",
        "a=ssrc:4294967296 x:y\r\n",
        "a=group:BUNDLE\r\n",
        "a=fingerprint:sha-256 \r\n",
        "\r\n",
        ":",
        " ",
        "/",
        "=",
        "\u{e9}",
        "99999999999",
    ];
    let seed = 0x0bad_5eed_0bad_5eed;
    let mut random = Random(seed);
    let mut good = 0;
    for (name, text) in captures(|_| true) {
        for round in 0..400 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
                    1 => drop(bytes.drain(at..(at + random.below(60)).min(bytes.len() - 1))),
                    2 => drop(bytes.splice(at..at, PIECES[random.below(16)].bytes())),
                    _ => bytes.swap(at, at / 2),
                }
            }
            let text = String::from_utf8_lossy(&bytes);
            good += usize::from(parse_and_answer(&text, &format!("{name} {round} of {seed:#x}")));
        }
    }
    // A check of the check: many mutations are harmless, so the answer is tried as well.
    assert!(good > 1000, "{good}");
}
