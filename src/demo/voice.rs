//! The demo's voices: short clips as Opus frames, each with its loudness, and whose turn it is.
//! Knows no network and no clock: time comes in as a count of frames.

use bytes::Bytes;

use super::ogg;

/// Who speaks; the order is the order of `NAMES`.
pub type Speaker = usize;

/// How the demo people are called.
pub const NAMES: [&str; 3] = ["Ada (demo)", "Bruno (demo)", "Clara (demo)"];

/// 20 ms at 48 kHz: samples in a frame, and the step of the RTP timestamp (RFC 7587 section 4.1).
pub const FRAME_SAMPLES: u32 = 960;

/// 20 ms of speech.
#[derive(Debug, Clone)]
pub struct Frame {
    /// One Opus packet.
    pub opus: Bytes,
    /// Loudness in -dBov: 0 is the loudest, 127 is silence (RFC 6464 section 3).
    pub level_dbov: u8,
    /// The first of its line: gets the RTP marker (RFC 3551 section 4.1).
    pub begins: bool,
}

/// The small talk: lines one after another, with a pause after each, over and over.
#[derive(Debug)]
pub struct Conversation {
    lines: Vec<(Speaker, Vec<Frame>)>,
    /// Length of one round.
    round_frames: u64,
}

impl Conversation {
    /// The embedded clips of the first `people` speakers.
    ///
    /// # Errors
    /// A clip is damaged, which only a broken build can cause.
    pub fn load(people: usize) -> Result<Self, VoiceError> {
        let mut lines = Vec::new();
        for (speaker, clip) in CLIPS.into_iter().filter(|(speaker, _)| *speaker < people) {
            lines.push((speaker, frames_of(clip)?));
        }
        let spoken: usize = lines.iter().map(|(_, frames)| frames.len()).sum();
        let round_frames = spoken as u64 + PAUSE_FRAMES * lines.len() as u64;
        Ok(Self { lines, round_frames })
    }

    /// What `speaker` says in the frame number `now`, or `None` while he listens. All who count
    /// frames from the same instant agree on whose turn it is.
    pub fn frame(&self, speaker: Speaker, now: u64) -> Option<&Frame> {
        let mut left = now.checked_rem(self.round_frames)?;
        for (who, frames) in &self.lines {
            let line_frames = frames.len() as u64 + PAUSE_FRAMES;
            if left < line_frames {
                let frame = frames.get(usize::try_from(left).ok()?);
                return frame.filter(|_| *who == speaker);
            }
            left -= line_frames;
        }
        None
    }
}

/// Loudness of samples in -dBov, 0..=127, where 0 is a full-scale square wave (RFC 6464).
pub fn level_dbov(samples: &[f32]) -> u8 {
    let power: f32 = samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32;
    // A float-to-integer cast saturates, so silence (minus infinity dB) is 127 after the clamp.
    (-10.0 * power.log10()).round().clamp(0.0, f32::from(SILENCE_DBOV)) as u8
}

/// Why a clip could not be used.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    #[error("clip is not Ogg: {0}")]
    Ogg(#[from] ogg::Malformed),
    #[error("clip is not Opus: {0}")]
    Opus(#[from] opus::Error),
}

fn frames_of(clip: &[u8]) -> Result<Vec<Frame>, VoiceError> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono)?;
    let mut pcm = [0.0; FRAME_SAMPLES as usize];
    let mut frames = Vec::new();
    for opus in ogg::packets(clip)?.into_iter().skip(HEADER_PACKETS) {
        let samples = decoder.decode_float(&opus, &mut pcm, false)?;
        let level_dbov = level_dbov(&pcm[..samples]);
        frames.push(Frame { opus, level_dbov, begins: frames.is_empty() });
    }
    Ok(frames)
}

/// OpusHead and OpusTags come before the first frame (RFC 7845 section 3).
const HEADER_PACKETS: usize = 2;
/// 0.8 s between two lines: longer than the pause inside a sentence, so that turns can be heard.
const PAUSE_FRAMES: u64 = 40;
/// Quieter than any codec can say (RFC 6464 section 3).
const SILENCE_DBOV: u8 = 127;

/// The lines in the order in which they are spoken; `voices/make.sh` has their words.
const CLIPS: [(Speaker, &[u8]); 6] = [
    (0, include_bytes!("voices/ada-1.opus")),
    (1, include_bytes!("voices/bruno-1.opus")),
    (2, include_bytes!("voices/clara-1.opus")),
    (0, include_bytes!("voices/ada-2.opus")),
    (1, include_bytes!("voices/bruno-2.opus")),
    (2, include_bytes!("voices/clara-2.opus")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clip_is_four_to_eight_seconds_of_audible_20_ms_frames() {
        for (_, clip) in CLIPS {
            let frames = frames_of(clip).unwrap();
            assert!((200..=400).contains(&frames.len()), "{} frames", frames.len());
            let loud = frames.iter().filter(|frame| frame.level_dbov < 45).count();
            assert!(loud * 2 > frames.len(), "{loud} of {} frames are loud", frames.len());
            for frame in &frames {
                assert_eq!(opus::packet::get_nb_samples(&frame.opus, 48_000).unwrap(), 960);
            }
        }
        assert!(CLIPS.iter().map(|(_, clip)| clip.len()).sum::<usize>() < 120_000);
    }

    #[test]
    fn one_speaks_at_a_time_and_everybody_gets_a_turn() {
        let talk = Conversation::load(3).unwrap();
        let mut spoken = [0; 3];
        for now in 0..talk.round_frames {
            let speakers: Vec<_> = (0..3).filter(|who| talk.frame(*who, now).is_some()).collect();
            assert!(speakers.len() <= 1);
            speakers.iter().for_each(|who| spoken[*who] += 1);
        }
        assert!(spoken.iter().all(|frames| *frames > 400), "{spoken:?}");
        assert!(talk.frame(0, talk.round_frames).is_some_and(|frame| frame.begins));
    }

    #[test]
    fn nobody_speaks_where_nobody_is() {
        assert!(Conversation::load(0).unwrap().frame(0, 7).is_none());
    }

    #[test]
    fn level_of_full_scale_is_0_and_of_silence_127() {
        assert_eq!(level_dbov(&[1.0, -1.0, 1.0, -1.0]), 0);
        assert_eq!(level_dbov(&[0.1, -0.1]), 20);
        assert_eq!(level_dbov(&[0.0; 4]), 127);
        assert_eq!(level_dbov(&[]), 127);
    }
}
