//! What the detector makes of packets, and how that compares with a reference, frame by frame.

use std::time::Duration;

use engine::limits::TALKING_CEASED;
use engine::opus::Packet;
use engine::talking::{Edge, Said, Talking};
use engine::{Level, Time};

use crate::sound::Packets;

const FRAME_MILLIS: usize = 20;
/// The worker looks for voices that stopped this often.
const TICK_FRAMES: usize = 5;
/// 800 ms.
const HANG_FRAMES: usize = TALKING_CEASED.as_millis() as usize / FRAME_MILLIS;

/// The detector's word on each frame.
pub struct Decided {
    /// Counted as voice while talking: without the hang-over.
    pub voice: Vec<bool>,
    pub talking: Vec<bool>,
    /// With the number of the frame whose packet, or whose time, brought it.
    pub edges: Vec<(usize, Edge)>,
}

/// Runs the detector over 20 ms packets; each arrives when its frame is over.
pub fn decide(packets: &Packets) -> Decided {
    let mut talking = Talking::default();
    let mut decided = Decided { voice: Vec::new(), talking: Vec::new(), edges: Vec::new() };
    for (frame, packet) in packets.iter().enumerate() {
        let at = Time::from_micros((frame as u64 + 1) * FRAME_MILLIS as u64 * 1_000);
        let edge = match packet {
            Some((dbov, payload)) => {
                let packet = Packet::parse(payload).expect("Opus");
                talking.hear(Said {
                    at,
                    level: Level::from_extension(*dbov),
                    samples: packet.samples(),
                    is_silence: packet.is_silence(),
                    is_voiceless: packet.is_voiceless(),
                })
            }
            None if frame % TICK_FRAMES == 0 => talking.handle_timeout(at),
            None => None,
        };
        decided.edges.extend(edge.map(|edge| (frame, edge)));
        let is_voice = talking.quiet_for(at) == Some(Duration::ZERO);
        decided.voice.push(talking.is_talking() && is_voice);
        decided.talking.push(talking.is_talking());
    }
    decided
}

/// How many of the frames found are right, and how many of the right ones are found, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    pub precision: f64,
    pub recall: f64,
}

pub fn compare(found: &[bool], reference: &[bool]) -> Found {
    let count = |is_so: fn(bool, bool) -> bool| {
        found.iter().zip(reference).filter(|pair| is_so(*pair.0, *pair.1)).count() as f64
    };
    let both = count(|found, right| found && right);
    let share = |of: f64| if of == 0.0 { 100.0 } else { 100.0 * both / of };
    Found { precision: share(count(|found, _| found)), recall: share(count(|_, right| right)) }
}

/// The reference, held on for as long as talking takes to cease.
pub fn held(reference: &[bool]) -> Vec<bool> {
    let mut left = 0;
    let hold = |is_voice: &bool| {
        left = if *is_voice { HANG_FRAMES + 1 } else { left };
        left = left.saturating_sub(1);
        *is_voice || left > 0
    };
    reference.iter().map(hold).collect()
}

/// Frames from the first of a turn to behind its last: voice with no pause of 800 ms in it, and
/// with at least `least` frames of voice.
pub fn turns(reference: &[bool], least: usize) -> Vec<(usize, usize)> {
    let mut turns: Vec<(usize, usize)> = Vec::new();
    for (frame, _) in reference.iter().enumerate().filter(|it| *it.1) {
        match turns.last_mut() {
            Some(turn) if frame - turn.1 < HANG_FRAMES => turn.1 = frame + 1,
            _ => turns.push((frame, frame + 1)),
        }
    }
    let voiced = |turn: &(usize, usize)| reference[turn.0..turn.1].iter().filter(|it| **it).count();
    turns.retain(|turn| voiced(turn) >= least);
    turns
}

/// How the edges lie to the reference's turns, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Edges {
    /// From a turn's first voice to `Began`; before it, at most 500 ms, is less than 0.
    pub began: Vec<i64>,
    /// From a turn's last voice to the `Ceased` after it.
    pub ceased: Vec<i64>,
    /// Turns in which nothing began, and none talked on.
    pub missed: usize,
    /// A `Began` more than a turn needs, or outside all turns.
    pub extra: usize,
    pub turns: usize,
}

pub fn edges(decided: &Decided, reference: &[bool]) -> Edges {
    let turns = turns(reference, 3);
    let mut edges = Edges { turns: turns.len(), ..Edges::default() };
    let begins: Vec<_> = decided.edges.iter().filter(|edge| edge.1 == Edge::Began).collect();
    let mut used = 0;
    for (index, (first, end)) in turns.iter().copied().enumerate() {
        let next = turns.get(index + 1).map_or(reference.len(), |turn| turn.0);
        let early = first.saturating_sub(25)..end;
        let began = begins.iter().find(|edge| early.contains(&edge.0));
        let is_held = first > 0 && decided.talking[first - 1];
        match began {
            Some(edge) => {
                used += 1;
                edges.began.push(millis(edge.0 + 1) - millis(first));
            }
            None if is_held => {}
            None => edges.missed += 1,
        }
        let ceased = decided
            .edges
            .iter()
            .find(|edge| edge.1 == Edge::Ceased && (end..next).contains(&edge.0));
        if let Some(edge) = ceased {
            edges.ceased.push(millis(edge.0 + 1) - millis(end));
        }
    }
    edges.extra = begins.len() - used;
    edges.began.sort_unstable();
    edges.ceased.sort_unstable();
    edges
}

/// The value that `percent` of a sorted list do not exceed.
pub fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

fn millis(frames: usize) -> i64 {
    (frames * FRAME_MILLIS) as i64
}
