//! What scarce slots cost a listener, measured on real speech that overlaps: beginnings that are
//! clipped, voices never heard, slots that change hands needlessly; and that a big call's listeners
//! get no more packets than their slots hold.
//!
//! `cargo test --test slots -- --nocapture` prints the figures.

#[path = "slots/hall.rs"]
mod hall;
#[path = "slots/talk.rs"]
mod talk;

use std::collections::{BTreeMap, BTreeSet};

use engine::Time;
use engine::limits::{RING_BURST, RING_PACKETS};
use hall::{Hall, Spoken};
use talk::{Spurt, Talk};

const HEAD: &str = "\
| slots | spurts never heard | beginnings clipped where a slot was free: share, p95 | all: share, \
mean, p95 | missing inside spurts | switches a minute | needless |
|---|---|---|---|---|---|---|";

const PEOPLE: usize = 12;
/// Five minutes.
const FRAMES: u64 = 15_000;

/// What the listeners of one conversation got.
#[derive(Default)]
struct Figures {
    /// Beginnings lost, in frames, of each spurt that was heard at a listener.
    clipped: Vec<u64>,
    /// The same, of those that began while a slot was free, or held by one who did not speak.
    free: Vec<u64>,
    /// Frames of voice between the first and the last of a spurt that was heard, and those missing.
    within: usize,
    missing: usize,
    unheard: usize,
    switches: u64,
    /// From a voice that still spoke and had held it for less than a second.
    cut_short: u64,
    /// There and back within half a second.
    to_and_fro: u64,
}

#[test]
fn beginnings_are_heard_and_slots_stay_still_in_overlapping_speech() {
    let talk = Talk::among(PEOPLE, FRAMES as usize, 1);
    println!("{HEAD}");
    // Loose: what breaks contest, ring or clock is noticed, what tunes them is not.
    for (slots, clipped_most, unheard_most) in [(1, 45, 40), (2, 25, 15), (3, 12, 5), (8, 1, 1)] {
        let figures = measure(&talk, slots);
        println!("{}", figures.row(slots));
        let clipped = share(begun_late(&figures.free), figures.free.len());
        assert!(clipped <= f64::from(clipped_most), "{clipped} % clipped though a slot was free");
        assert!(figures.share_unheard() <= f64::from(unheard_most));
        assert!(figures.a_minute(figures.cut_short + figures.to_and_fro) < 20.0);
    }
}

#[test]
fn a_listener_among_five_hundred_gets_no_more_than_his_slots() {
    const SLOTS: usize = 3;
    let (people, talkers, frames) = (500, 20, 250);
    let talk = Talk::among(talkers, FRAMES as usize, 2);
    let mut hall = Hall::of(people, SLOTS);
    let (mut most, mut total) = (0, 0);
    let (mut switches, mut before) = (0, vec![vec![None; SLOTS]; people]);
    for frame in 0..frames {
        let mut got = vec![0_usize; people];
        let mut changed = vec![0_usize; people];
        for person in 0..talkers {
            // All at once: the voiced frames alone, one after the other.
            let voiced = talk.frames[person].iter().filter(|frame| frame.is_voice());
            let level = voiced.clone().nth(frame as usize).map_or(30, |frame| frame.level);
            let at = moment(person, talkers, frame);
            let (is_silence, is_voiceless) = (false, false);
            let spoken = Spoken { person, index: frame, at, level, is_silence, is_voiceless };
            for went in hall.hear(spoken) {
                got[went.listener] += 1;
            }
        }
        for listener in 0..people {
            let slots = hall.slots(listener);
            changed[listener] = slots.iter().zip(&before[listener]).filter(|(a, b)| a != b).count();
            before[listener] = slots;
            // A slot that changes hands within the frame has sent for both, and the ring's burst.
            assert!(got[listener] <= SLOTS * RING_BURST + changed[listener]);
        }
        switches += changed.iter().sum::<usize>();
        most = most.max(got.iter().max().copied().unwrap_or(0));
        total += got.iter().sum::<usize>();
    }
    let all = people * SLOTS * frames as usize;
    println!(
        "{people} in the call, {talkers} talk at once, {SLOTS} slots, {frames} frames: at most \
         {most} packets a listener and frame, {:.3} on average, {switches} switches",
        total as f64 / (people as f64 * frames as f64)
    );
    assert!(total <= all + RING_PACKETS * switches);
}

/// Everybody's frames in their order, and what each listener got of them.
fn measure(talk: &Talk, slots: usize) -> Figures {
    let mut hall = Hall::of(PEOPLE, slots);
    let mut went: BTreeMap<(usize, usize), Vec<u64>> = BTreeMap::new();
    let mut figures = Figures::default();
    let mut held: Vec<Vec<Hold>> = vec![vec![Hold::default(); slots]; PEOPLE];
    // Whether a slot was free, or held by one who did not speak, as a spurt began.
    let mut free: BTreeMap<(usize, usize, u64), bool> = BTreeMap::new();
    for frame in 0..FRAMES {
        for person in 0..PEOPLE {
            let said = talk.frames[person][frame as usize];
            let begins = talk.spurts.iter().any(|it| (it.person, it.begin) == (person, frame));
            for listener in (0..PEOPLE).filter(|listener| begins && *listener != person) {
                let quiet = |slot: &Option<usize>| slot.is_none_or(|who| !talk.speaks(who, frame));
                free.insert((person, listener, frame), hall.slots(listener).iter().any(quiet));
            }
            let at = moment(person, PEOPLE, frame);
            let talk::Frame { level, is_silence, is_voiceless } = said;
            let spoken = Spoken { person, index: frame, at, level, is_silence, is_voiceless };
            for it in hall.hear(spoken) {
                went.entry((person, it.listener)).or_default().push(it.index);
            }
            for (listener, held) in held.iter_mut().enumerate() {
                for (slot, now) in hall.slots(listener).into_iter().enumerate() {
                    figures.note(&mut held[slot], now, frame, talk);
                }
            }
        }
    }
    for spurt in &talk.spurts {
        for listener in (0..PEOPLE).filter(|listener| *listener != spurt.person) {
            let got = went.get(&(spurt.person, listener)).map(Vec::as_slice).unwrap_or_default();
            figures.judge(*spurt, got, free[&(spurt.person, listener, spurt.begin)]);
            figures.count_missing(*spurt, got, &talk.frames[spurt.person]);
        }
    }
    figures
}

/// Microphones do not speak in step.
fn moment(person: usize, people: usize, frame: u64) -> Time {
    Time::from_micros(frame * 20_000 + person as u64 * 20_000 / people as u64)
}

/// Who holds a slot since when, and who held it before.
#[derive(Clone, Default)]
struct Hold {
    who: Option<usize>,
    since: u64,
    former: Option<usize>,
}

impl Figures {
    fn note(&mut self, hold: &mut Hold, now: Option<usize>, frame: u64, talk: &Talk) {
        if hold.who == now {
            return;
        }
        if let (Some(former), Some(now)) = (hold.who, now) {
            let held_frames = frame - hold.since;
            self.switches += 1;
            self.cut_short += u64::from(talk.speaks(former, frame) && held_frames < 50);
            self.to_and_fro += u64::from(hold.former == Some(now) && held_frames < 25);
        }
        *hold = Hold { who: now, since: frame, former: hold.who };
    }

    fn judge(&mut self, spurt: Spurt, got: &[u64], was_free: bool) {
        let heard = got.iter().copied().find(|index| (spurt.begin..spurt.end).contains(index));
        match heard {
            Some(first) => {
                self.clipped.push(first - spurt.begin);
                if was_free {
                    self.free.push(first - spurt.begin);
                }
            }
            None => self.unheard += 1,
        }
    }

    fn count_missing(&mut self, spurt: Spurt, got: &[u64], frames: &[talk::Frame]) {
        let got: BTreeSet<u64> = got.iter().copied().collect();
        let mut heard = got.range(spurt.begin..spurt.end);
        let (Some(first), Some(last)) = (heard.next(), heard.next_back()) else { return };
        for frame in (*first..*last).filter(|frame| frames[*frame as usize].is_voice()) {
            self.within += 1;
            self.missing += usize::from(!got.contains(&frame));
        }
    }

    /// In per cent.
    fn share_unheard(&self) -> f64 {
        share(self.unheard, self.clipped.len() + self.unheard)
    }

    /// At one listener.
    fn a_minute(&self, count: u64) -> f64 {
        count as f64 / PEOPLE as f64 / (FRAMES as f64 / 3_000.0)
    }

    fn row(&self, slots: usize) -> String {
        let mean = self.clipped.iter().sum::<u64>() as f64 / self.clipped.len().max(1) as f64;
        format!(
            "| {slots} | {:.1} % | {:.1} %, {:.0} ms | {:.1} %, {:.0} ms, {:.0} ms | {:.1} % | \
             {:.1} | {:.1} |",
            self.share_unheard(),
            share(begun_late(&self.free), self.free.len()),
            millis(percentile(&self.free)),
            share(begun_late(&self.clipped), self.clipped.len()),
            mean * 20.0,
            millis(percentile(&self.clipped)),
            share(self.missing, self.within),
            self.a_minute(self.switches),
            self.a_minute(self.cut_short + self.to_and_fro),
        )
    }
}

/// Of spurts, how many lost their beginning.
fn begun_late(clipped: &[u64]) -> usize {
    clipped.iter().filter(|frames| **frames > 0).count()
}

/// In per cent.
fn share(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of.max(1) as f64
}

/// The 95th of a hundred, in frames.
fn percentile(frames: &[u64]) -> u64 {
    let mut sorted = frames.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() * 95 / 100).copied().unwrap_or(0)
}

fn millis(frames: u64) -> f64 {
    frames as f64 * 20.0
}
