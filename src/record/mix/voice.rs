//! One track in the mix: decoded, placed, and listened to.

use std::collections::VecDeque;
use std::fs::File;

use engine::opus::Packet;
use engine::timeline::{ClockMap, Placement, Sound, Step};

use super::talk::{Talk, TalkSegments};
use super::{MixFault, RATE};
use crate::record::fill::Filler;
use crate::record::ogg::{PRE_SKIP, ReadFault, Reader, TrackPacket};
use crate::record::report::Segment;
use crate::record::store::Folder;

/// See the module's words.
pub struct Voice {
    pub name: String,
    pub person: usize,
    map: ClockMap,
    state: State,
    placement: Placement,
    talk: Talk,
    /// Decoded and placed, from what sample of the mix on.
    placed: VecDeque<(u64, Vec<i16>)>,
    began: Option<u64>,
}

enum State {
    Unopened,
    Open(Box<Decoding>),
    Over,
}

struct Decoding {
    reader: Reader<File>,
    decoder: opus::Decoder,
    /// Read ahead: it may hold what was lost before it.
    next: Option<TrackPacket>,
    /// Silence is decoded for as long as the voice fades out.
    silent_samples: u64,
}

/// What was heard of a track.
pub struct Heard {
    pub person: usize,
    pub segments: Vec<Segment>,
    pub span: (u64, u64),
}

impl Voice {
    pub fn new(name: String, map: ClockMap, person: usize) -> Voice {
        Voice {
            name,
            person,
            map,
            state: State::Unopened,
            placement: Placement::default(),
            talk: Talk::default(),
            placed: VecDeque::new(),
            began: None,
        }
    }

    /// Decodes until everything before `end` is there.
    pub fn fill(&mut self, folder: &Folder, end: u64) -> Result<(), MixFault> {
        // Where a track begins, its map tells without opening it.
        let begins = self.map.at_us(0).map_or(0, samples_of);
        if matches!(self.state, State::Unopened) && begins < end as i64 {
            self.state = self.open(folder)?;
        }
        while self.placement.next() < end {
            let State::Open(decoding) = &mut self.state else { return Ok(()) };
            match decoding.decode() {
                Ok(Some(piece)) => self.place(piece),
                Ok(None) => self.state = State::Over,
                Err(MixFault::Track(fault)) => {
                    self.tell_damaged(folder, &fault);
                    self.state = State::Over;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// From here on nothing is heard of it.
    fn tell_damaged(&self, folder: &Folder, fault: &ReadFault) {
        let recording = folder.path().file_name().unwrap_or_default();
        tracing::warn!(?recording, track = self.name, %fault, "track is damaged");
    }

    fn open(&self, folder: &Folder) -> Result<State, MixFault> {
        let opened = folder.open(&self.name).map_err(Into::into).and_then(Reader::open);
        let begun = opened.and_then(|mut reader| Ok((reader.packet()?, reader)));
        let (next, reader) = match begun {
            Ok(begun) => begun,
            Err(fault) => {
                self.tell_damaged(folder, &fault);
                return Ok(State::Over);
            }
        };
        let decoder = opus::Decoder::new(RATE as u32, opus::Channels::Mono)?;
        let decoding = Decoding { reader, decoder, next, silent_samples: 0 };
        Ok(State::Open(Box::new(decoding)))
    }

    fn place(&mut self, piece: Piece) {
        // What comes out of the decoder was said the look-ahead earlier.
        let sample = piece.sample.saturating_sub(PRE_SKIP);
        let said = self.map.at_us(sample).map_or(0, samples_of);
        let early = PRE_SKIP.saturating_sub(piece.sample);
        let said = said.saturating_sub_unsigned(early);
        let sound = self.talk.hear(&piece.packet, &piece.samples, said);
        let next = self.placement.next();
        let step = self.placement.place(said, piece.samples.len() as u64, sound);
        let (at, samples) = joined(step, next, piece.samples);
        if samples.is_empty() {
            return;
        }
        self.began.get_or_insert(at);
        if sound != Sound::Silence || matches!(step, Step::Join) {
            self.placed.push_back((at, samples));
        }
    }

    /// Adds what lies from `at` on to `block`; false where nothing does.
    pub fn take(&mut self, at: u64, block: &mut [i32]) -> bool {
        let (end, mut is_heard) = (at + block.len() as u64, false);
        while let Some((begin, samples)) = self.placed.front() {
            if *begin >= end {
                break;
            }
            is_heard = true;
            let offset = (begin.saturating_sub(at)) as usize;
            let skipped = (at.saturating_sub(*begin)) as usize;
            let rest = samples.get(skipped..).unwrap_or_default();
            for (sum, sample) in block[offset..].iter_mut().zip(rest) {
                *sum += i32::from(*sample);
            }
            if begin + samples.len() as u64 > end {
                break;
            }
            self.placed.pop_front();
        }
        is_heard
    }

    /// `samples` is how long the mix is.
    pub fn close(self, samples: u64) -> Heard {
        let span = (self.began.unwrap_or(0).min(samples), self.placement.next().min(samples));
        let TalkSegments(segments) = self.talk.finish(samples);
        Heard { person: self.person, segments, span }
    }
}

/// A decoded packet, and where it begins on the track's axis.
struct Piece {
    sample: u64,
    samples: Vec<i16>,
    packet: Packet,
}

impl Decoding {
    fn decode(&mut self) -> Result<Option<Piece>, MixFault> {
        let Some(now) = self.next.take() else { return Ok(None) };
        self.next = self.reader.packet()?;
        let Some(packet) = Packet::parse(&now.payload) else { return Ok(None) };
        let mut samples = vec![0; now.samples as usize];
        match Filler::of(&now.payload) {
            Some(Filler::Silence) if self.silent_samples >= FADE_SAMPLES => {}
            Some(Filler::Conceal) => self.conceal(&mut samples)?,
            Some(Filler::Silence) | None => {
                self.decoder.decode(&now.payload, &mut samples, false)?;
            }
        }
        self.silent_samples = match Filler::of(&now.payload) {
            Some(Filler::Silence) => self.silent_samples + now.samples,
            Some(Filler::Conceal) | None => 0,
        };
        Ok(Some(Piece { sample: now.sample, samples, packet }))
    }

    /// What is missing is guessed; its end may be told by the packet after it (in-band FEC).
    fn conceal(&mut self, samples: &mut [i16]) -> Result<(), MixFault> {
        let told = self.next.as_ref().filter(|next| Filler::of(&next.payload).is_none());
        let told_samples = told.map_or(0, |next| next.samples as usize);
        let Some(next) = told.filter(|_| told_samples <= samples.len()) else {
            self.decoder.decode(&[], samples, false)?;
            return Ok(());
        };
        let (guessed, recovered) = samples.split_at_mut(samples.len() - told_samples);
        if !guessed.is_empty() {
            self.decoder.decode(&[], guessed, false)?;
        }
        self.decoder.decode(&next.payload, recovered, true)?;
        Ok(())
    }
}

/// After so much decoded silence a voice has faded out: 100 ms.
const FADE_SAMPLES: u64 = 4_800;

/// What a step makes of a piece: where it begins in the mix, and what is heard.
fn joined(step: Step, next: u64, mut samples: Vec<i16>) -> (u64, Vec<i16>) {
    match step {
        Step::Join => (next, samples),
        Step::Pad(more) => (next + more, samples),
        Step::Skip(less) => {
            samples.drain(..less as usize);
            (next, samples)
        }
        Step::Stretch(more) => {
            let more = more as usize;
            let mut longer = samples[..more].to_vec();
            longer.extend(blend(&samples[more..2 * more], &samples[..more]));
            longer.extend_from_slice(&samples[more..]);
            (next, longer)
        }
        Step::Shrink(less) => {
            let less = less as usize;
            let mut shorter = blend(&samples[..less], &samples[less..2 * less]);
            shorter.extend_from_slice(&samples[2 * less..]);
            (next, shorter)
        }
    }
}

/// From one sound to the other.
fn blend(from: &[i16], to: &[i16]) -> Vec<i16> {
    let length = from.len().max(1) as i32;
    let mixed = |(at, (from, to)): (usize, (&i16, &i16))| {
        let at = at as i32;
        ((i32::from(*from) * (length - at) + i32::from(*to) * at) / length) as i16
    };
    from.iter().zip(to).enumerate().map(mixed).collect()
}

fn samples_of(micros: i64) -> i64 {
    (i128::from(micros) * i128::from(RATE) / 1_000_000) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_makes_a_piece_as_long_as_it_says() {
        let samples: Vec<i16> = (0..960).collect();
        for (step, at, length) in [
            (Step::Join, 100, 960),
            (Step::Pad(50), 150, 960),
            (Step::Skip(60), 100, 900),
            (Step::Stretch(480), 100, 1_440),
            (Step::Shrink(480), 100, 480),
        ] {
            let (begin, heard) = joined(step, 100, samples.clone());
            assert_eq!((begin, heard.len()), (at, length), "{step:?}");
        }
    }

    #[test]
    fn a_blend_goes_from_the_one_to_the_other() {
        assert_eq!(blend(&[100; 4], &[0; 4]), [100, 75, 50, 25]);
    }
}
