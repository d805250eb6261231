//! Bundle: the Opus frames of one packet (RFC 6716 section 3.2). Opens the packing only: what a
//! frame says, and whether it was heard before, is for others to tell.

/// The frames of a payload without the TOC byte that they share, or `None` where it breaks a rule
/// of RFC 6716 section 3.4. Opus padding is left out; RTP padding (the P bit) is gone before.
pub fn frames(payload: &[u8]) -> Option<Vec<&[u8]>> {
    let (&toc, body) = payload.split_first()?;
    let frames = match toc & 3 {
        0 => vec![body],
        1 => {
            let half = body.len() / 2;
            (body.len() == 2 * half).then(|| vec![&body[..half], &body[half..]])?
        }
        2 => {
            let (len, rest) = length(body)?;
            let (first, second) = rest.split_at_checked(len)?;
            vec![first, second]
        }
        _ => counted(toc, body)?,
    };
    frames.iter().all(|frame| frame.len() <= FRAME_BYTES).then_some(frames)
}

/// Code 3: a count, padding, and lengths where they differ (section 3.2.5).
fn counted(toc: u8, body: &[u8]) -> Option<Vec<&[u8]>> {
    let (&head, mut body) = body.split_first()?;
    let count = usize::from(head & 0x3f);
    if count == 0 || count as u32 * samples(toc) > PACKET_SAMPLES {
        return None;
    }
    if head & PADDED != 0 {
        body = unpadded(body)?;
    }
    let mut lengths = vec![body.len() / count; count];
    if head & VARIABLE != 0 {
        for place in &mut lengths[..count - 1] {
            (*place, body) = length(body)?;
        }
        let before: usize = lengths[..count - 1].iter().sum();
        lengths[count - 1] = body.len().checked_sub(before)?;
    } else if body.len() % count != 0 {
        return None;
    }
    let mut frames = Vec::with_capacity(count);
    for len in lengths {
        let (frame, rest) = body.split_at_checked(len)?;
        frames.push(frame);
        body = rest;
    }
    Some(frames)
}

/// What stands between the padding's length and the padding: each byte of 255 stands for 254 and
/// one more byte of length.
fn unpadded(mut body: &[u8]) -> Option<&[u8]> {
    let mut padding = 0;
    loop {
        let (&byte, rest) = body.split_first()?;
        body = rest;
        if byte < 255 {
            padding += usize::from(byte);
            break;
        }
        padding += 254;
    }
    body.get(..body.len().checked_sub(padding)?)
}

/// A frame's length in one or two bytes (section 3.2.1), and what follows it.
fn length(body: &[u8]) -> Option<(usize, &[u8])> {
    match *body {
        [first, ref rest @ ..] if first < 252 => Some((first.into(), rest)),
        [first, second, ref rest @ ..] => {
            Some((usize::from(second) * 4 + usize::from(first), rest))
        }
        _ => None,
    }
}

/// Samples of one frame at 48 kHz, by its TOC byte (section 3.1).
pub fn samples(toc: u8) -> u32 {
    let config = usize::from(toc >> 3);
    match config {
        0..12 => [480, 960, 1920, 2880][config % 4],
        12..16 => [480, 960][config % 2],
        _ => [120, 240, 480, 960][config % 4],
    }
}

/// 120 ms: the most that one packet may hold.
const PACKET_SAMPLES: u32 = 5760;

/// The longest frame there is.
const FRAME_BYTES: usize = 1275;

/// Bits of the count's byte.
const VARIABLE: u8 = 0x80;
const PADDED: u8 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;

    /// Hybrid, 20 ms, one frame.
    const TOC: u8 = 0x78;

    fn packet(code: u8, parts: &[&[u8]]) -> Vec<u8> {
        [&[TOC | code][..], &parts.concat()].concat()
    }

    #[track_caller]
    fn check(packet: &[u8], wanted: &[&[u8]]) {
        assert_eq!(frames(packet).as_deref(), Some(wanted));
    }

    #[test]
    fn one_frame_is_all_behind_the_toc() {
        check(&packet(0, &[b"abc"]), &[b"abc"]);
        check(&packet(0, &[]), &[b""]);
    }

    #[test]
    fn two_equal_frames_share_the_rest() {
        check(&packet(1, &[b"abcd"]), &[b"ab", b"cd"]);
        assert_eq!(frames(&packet(1, &[b"abc"])), None);
    }

    #[test]
    fn of_two_unequal_frames_the_first_tells_its_length() {
        check(&packet(2, &[&[1], b"abc"]), &[b"a", b"bc"]);
        let long = [7; 260];
        check(&packet(2, &[&[252, 2], &long, b"z"]), &[&long, b"z"]);
        assert_eq!(frames(&packet(2, &[&[4], b"abc"])), None);
        assert_eq!(frames(&packet(2, &[&[252]])), None);
    }

    #[test]
    fn counted_frames_of_one_length() {
        check(&packet(3, &[&[3], b"abcdef"]), &[b"ab", b"cd", b"ef"]);
        assert_eq!(frames(&packet(3, &[&[3], b"abcde"])), None);
    }

    #[test]
    fn counted_frames_of_different_lengths() {
        check(&packet(3, &[&[VARIABLE | 3, 1, 2], b"abcdef"]), &[b"a", b"bc", b"def"]);
        assert_eq!(frames(&packet(3, &[&[VARIABLE | 3, 1, 9], b"abcdef"])), None);
    }

    #[test]
    fn padding_is_no_frame() {
        check(&packet(3, &[&[PADDED | 2, 3], b"abcd", &[0; 3]]), &[b"ab", b"cd"]);
        check(&packet(3, &[&[PADDED | 1, 255, 1], b"ab", &[0; 255]]), &[b"ab"]);
        let both = packet(3, &[&[VARIABLE | PADDED | 2, 2, 1], b"abc", &[9; 2]]);
        check(&both, &[b"a", b"bc"]);
        assert_eq!(frames(&packet(3, &[&[PADDED | 1, 3], b"ab"])), None);
    }

    #[test]
    fn no_packet_is_empty_has_no_frame_or_lasts_longer_than_120_ms() {
        assert_eq!(frames(&[]), None);
        assert_eq!(frames(&packet(3, &[])), None);
        assert_eq!(frames(&packet(3, &[&[0]])), None);
        check(&packet(3, &[&[6], b"abcdef"]), &[b"a", b"b", b"c", b"d", b"e", b"f"]);
        assert_eq!(frames(&packet(3, &[&[7], b"abcdefg"])), None);
    }

    #[test]
    fn bytes_of_any_kind_are_split_or_refused_and_nothing_is_made_up() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..rng.usize(0..24)).map(|_| rng.u8(..)).collect();
            let found = frames(&bytes).unwrap_or_default();
            assert!(found.iter().map(|frame| frame.len()).sum::<usize>() <= bytes.len());
        }
    }
}
