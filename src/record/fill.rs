//! The packets that stand for what never came (RFC 7845 section 4.1): frames without a byte, which
//! a decoder conceals, and frames of CELT that say silence.

use engine::limits::OPUS_PACKET_SAMPLES;

/// CELT, full band, mono: 2.5, 5, 10 and 20 ms.
const CELT: [(u64, u8); 4] = [(960, 31), (480, 30), (240, 29), (120, 28)];

/// What a CELT frame says that is silent by its own flag.
const SILENT_FRAME: [u8; 2] = [0xff, 0xfe];

/// A packet that stands for one that never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filler {
    Conceal,
    Silence,
}

impl Filler {
    /// `None` for a packet that came.
    pub fn of(payload: &[u8]) -> Option<Filler> {
        match payload {
            [toc, _] if toc & 3 == 3 => Some(Filler::Conceal),
            [toc, _, frames @ ..] if toc & 7 == 3 && toc >> 3 >= 28 => {
                let is_silent = frames.chunks(2).all(|frame| frame == SILENT_FRAME);
                is_silent.then_some(Filler::Silence)
            }
            _ => None,
        }
    }
}

/// Packets that a decoder conceals, `samples` long (a multiple of 120), after a packet that began
/// with `toc`.
pub fn conceal(toc: u8, samples: u64, packet: impl FnMut(&[u8], u64)) {
    let frame = frame_samples(toc);
    let (config, stereo) = (toc >> 3, toc & 4);
    // What no whole frame of the voice's own fills is left to CELT of the same bandwidth.
    let band = match config {
        0..=3 | 16..=19 => 16,
        4..=11 | 20..=23 => 20,
        12..=13 | 24..=27 => 24,
        _ => 28,
    };
    let short = CELT.map(|(length, celt)| (length, band + celt - 28));
    let sizes: Vec<(u64, u8)> = std::iter::once((frame, config)).chain(short).collect();
    lay(&sizes, stereo, &[], samples, packet);
}

/// Packets of silence, `samples` long (a multiple of 120).
pub fn silence(samples: u64, packet: impl FnMut(&[u8], u64)) {
    lay(&CELT, 0, &SILENT_FRAME, samples, packet);
}

/// As few packets as can be, of equal frames (code 3 of RFC 6716 section 3.2.5).
fn lay(
    sizes: &[(u64, u8)],
    stereo: u8,
    frame: &[u8],
    mut samples: u64,
    mut packet: impl FnMut(&[u8], u64),
) {
    for (size, config) in sizes {
        while samples >= *size {
            let frames = (samples / size).min(u64::from(OPUS_PACKET_SAMPLES) / size);
            let mut payload = vec![config << 3 | stereo | 3, frames as u8];
            payload.extend(frame.repeat(frames as usize));
            packet(&payload, frames * size);
            samples -= frames * size;
        }
    }
}

/// Table 2 of RFC 6716, in samples of 48 kHz.
fn frame_samples(toc: u8) -> u64 {
    let whole = engine::opus::Packet::parse(&[toc & 0xfc, 0]);
    whole.map_or(960, |packet| u64::from(packet.samples()))
}

#[cfg(test)]
mod tests {
    use engine::opus::Packet;

    use super::*;

    #[test]
    fn fillers_are_as_long_as_asked_for_every_kind_of_voice() {
        for toc in (0..=255_u8).step_by(4) {
            for samples in [120, 360, 960, 1_080, 9_600, 24_000, 48_120] {
                let mut filled = 0;
                let mut kind = Filler::Conceal;
                let mut check = |payload: &[u8], samples: u64, kind| {
                    assert_eq!(Filler::of(payload), Some(kind));
                    let packet = Packet::parse(payload).expect("a packet of Opus");
                    assert_eq!(u64::from(packet.samples()), samples);
                    assert!(packet.is_silence());
                    filled += samples;
                };
                conceal(toc, samples, |payload, samples| check(payload, samples, kind));
                kind = Filler::Silence;
                silence(samples, |payload, samples| check(payload, samples, kind));
                assert_eq!(filled, 2 * samples, "toc {toc:02x}");
            }
        }
    }

    #[test]
    fn two_minutes_of_silence_take_14_kilobytes() {
        let mut bytes = 0;
        silence(120 * 48_000, |payload, _| bytes += payload.len());
        assert_eq!(bytes, 14_000);
    }
}
