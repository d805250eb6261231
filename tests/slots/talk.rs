//! A conversation that overlaps, by seed: people who speak the demo's lines, each as loud as he is,
//! whole or cut short, whenever they like.

use engine::limits::{NOISE_QUIETEST_DBOV, VOICE_BEGINS_ABOVE_NOISE_DB};
use engine::opus::Packet;
use voxhall::demo::voice::{Conversation, NAMES};

/// What a person sends in 20 ms.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub level: u8,
    pub is_silence: bool,
    pub is_voiceless: bool,
}

/// A stretch of voice, with stops of less than 200 ms in it.
#[derive(Clone, Copy, Debug)]
pub struct Spurt {
    pub person: usize,
    /// The first frame, and one behind the last.
    pub begin: u64,
    pub end: u64,
}

pub struct Talk {
    /// Of each person, frame by frame.
    pub frames: Vec<Vec<Frame>>,
    pub spurts: Vec<Spurt>,
}

impl Talk {
    pub fn among(people: usize, frames: usize, seed: u64) -> Talk {
        let lines = lines();
        let frames: Vec<Vec<Frame>> = (0..people)
            .map(|person| {
                let own = &lines[person % NAMES.len()];
                speak(own, frames, seed.wrapping_mul(31).wrapping_add(person as u64))
            })
            .collect();
        let spurts = (0..people).flat_map(|person| spurts(person, &frames[person])).collect();
        Talk { frames, spurts }
    }

    /// Whether this person is heard to speak around this frame.
    pub fn speaks(&self, person: usize, frame: u64) -> bool {
        let frames = &self.frames[person];
        let voiced = |range: std::ops::Range<usize>| {
            frames.get(range).is_some_and(|frames| frames.iter().any(Frame::is_voice))
        };
        let at = frame as usize;
        voiced(at.saturating_sub(5)..at + 1) && voiced(at + 1..at + 6)
    }
}

impl Frame {
    pub fn is_voice(&self) -> bool {
        !self.is_silence && !self.is_voiceless && self.level <= VOICE_DBOV
    }
}

/// The demo's lines of each speaker.
fn lines() -> Vec<Vec<Vec<Frame>>> {
    let talk = Conversation::load(NAMES.len()).expect("the clips are built in");
    let mut lines = vec![Vec::<Vec<Frame>>::new(); NAMES.len()];
    for now in 0.. {
        let spoken = (0..NAMES.len()).find_map(|who| Some((who, talk.frame(who, now)?)));
        let Some((who, frame)) = spoken else { continue };
        if frame.begins {
            if lines.iter().map(Vec::len).sum::<usize>() == LINES {
                break;
            }
            lines[who].push(Vec::new());
        }
        let packet = Packet::parse(&frame.opus).expect("the clips are Opus");
        let (is_silence, is_voiceless) = (packet.is_silence(), packet.is_voiceless());
        let frame = Frame { level: frame.level_dbov, is_silence, is_voiceless };
        lines[who].last_mut().expect("a line begins first").push(frame);
    }
    lines
}

/// Lines, half of them cut short, with pauses; in those a microphone hears the room.
fn speak(lines: &[Vec<Frame>], frames: usize, mut seed: u64) -> Vec<Frame> {
    let mut draw = |range: std::ops::Range<u64>| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        range.start + (seed >> 33) % (range.end - range.start)
    };
    let gain = draw(0..13) as i16 - 6;
    let mut spoken = Vec::new();
    while spoken.len() < frames {
        let pause = draw(50..1_600) as usize;
        spoken.extend(std::iter::repeat_n(ROOM, pause));
        let line = &lines[draw(0..lines.len() as u64) as usize];
        let cut = draw(0..2) == 0;
        let length = if cut { draw(20..100) as usize } else { line.len() };
        let louder = |frame: &Frame| {
            let level = (i16::from(frame.level) - gain).clamp(0, 127) as u8;
            Frame { level, ..*frame }
        };
        spoken.extend(line.iter().take(length).map(louder));
    }
    spoken.truncate(frames);
    spoken
}

fn spurts(person: usize, frames: &[Frame]) -> Vec<Spurt> {
    let mut spurts: Vec<(Spurt, u64)> = Vec::new();
    for (at, _) in frames.iter().enumerate().filter(|(_, frame)| frame.is_voice()) {
        let at = at as u64;
        match spurts.last_mut() {
            Some((spurt, voiced)) if at - spurt.end < GAP_FRAMES => {
                spurt.end = at + 1;
                *voiced += 1;
            }
            _ => spurts.push((Spurt { person, begin: at, end: at + 1 }, 1)),
        }
    }
    // Less is a click or a breath.
    let whole = spurts.into_iter().filter(|(_, voiced)| *voiced >= VOICED_FRAMES);
    whole.map(|(spurt, _)| spurt).collect()
}

const LINES: usize = 6;
const ROOM: Frame = Frame { level: 90, is_silence: false, is_voiceless: true };
/// Voice in a quiet room.
const VOICE_DBOV: u8 = NOISE_QUIETEST_DBOV - VOICE_BEGINS_ABOVE_NOISE_DB;
const GAP_FRAMES: u64 = 10;
const VOICED_FRAMES: u64 = 5;
