//! Speech: when each talker's next packet is due. Knows no legs; the time comes in.
//!
//! With talk-spurts a talker is silent between them, and sends nothing (DTX). Their lengths are
//! exponential, with the means of conversational speech: ITU-T P.59 (03/93), table 1.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::voice::{BotId, FRAME};

/// All talkers.
pub struct Speech {
    talkers: Vec<Talker>,
    frames: u32,
    spurts: Spurts,
}

enum Spurts {
    Endless,
    Drawn(fastrand::Rng),
}

struct Talker {
    bot: BotId,
    call: usize,
    mood: Mood,
    /// Frames of silence since his last packet, as his RTP clock must tell.
    silent: u32,
    /// When he sent his latest packets, in nanoseconds.
    sent: VecDeque<u64>,
}

enum Mood {
    /// Says the next packet then, and falls silent at the second time.
    Talks(Instant, Option<Instant>),
    /// Until the time; since the first one.
    Pauses(Instant, Instant),
    Muted(Instant),
}

/// A packet to be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub bot: BotId,
    /// Frames in it.
    pub frames: u32,
    /// Frames of silence before it: above 0 it begins a talk-spurt.
    pub silent: u32,
    /// How late it is.
    pub late: Duration,
    /// Frames that should have been sent before and were not: the thread was late.
    pub missed: u32,
}

impl Speech {
    pub fn new(frame_ms: u32, talk_spurts: bool, seed: u64) -> Self {
        let spurts = if talk_spurts {
            Spurts::Drawn(fastrand::Rng::with_seed(seed))
        } else {
            Spurts::Endless
        };
        Self { talkers: Vec::new(), frames: frame_ms / FRAME.as_millis() as u32, spurts }
    }

    /// A talker begins: his first packet is due at once.
    pub fn begin(&mut self, bot: BotId, call: usize, now: Instant) {
        let mood = Mood::Talks(now, self.spurts.draw(now, SPURT));
        self.talkers.push(Talker { bot, call, mood, silent: 0, sent: VecDeque::new() });
    }

    pub fn end(&mut self, bot: BotId) {
        self.talkers.retain(|talker| talker.bot != bot);
    }

    /// He says nothing from now on.
    pub fn mute(&mut self, bot: BotId, now: Instant) {
        if let Some(talker) = self.talkers.iter_mut().find(|talker| talker.bot == bot) {
            talker.mood = Mood::Muted(now);
        }
    }

    /// He speaks again at `at`.
    pub fn unmute(&mut self, bot: BotId, at: Instant) {
        let spurt = self.spurts.draw(at, SPURT);
        let talker = self.talkers.iter_mut().find(|talker| talker.bot == bot);
        if let Some(talker) = talker
            && let Mood::Muted(since) = talker.mood
        {
            talker.silent += frames_between(since, at);
            talker.mood = Mood::Talks(at, spurt);
        }
    }

    /// When something is due again.
    pub fn due(&self) -> Option<Instant> {
        self.talkers.iter().filter_map(Talker::due).min()
    }

    /// Notes that a talker's packet left.
    pub fn note_sent(&mut self, bot: BotId, sent_ns: u64) {
        if let Some(talker) = self.talkers.iter_mut().find(|talker| talker.bot == bot) {
            talker.sent.push_back(sent_ns);
            if talker.sent.len() > REMEMBERED {
                talker.sent.pop_front();
            }
        }
    }

    /// When a talker's packet left that left at about `near_ns`.
    pub fn sent(&self, bot: BotId, near_ns: u64) -> Option<u64> {
        let talker = self.talkers.iter().find(|talker| talker.bot == bot)?;
        let after = talker.sent.partition_point(|sent| *sent < near_ns);
        let near = after.saturating_sub(1)..(after + 1).min(talker.sent.len());
        let sent = talker.sent.range(near).copied().min_by_key(|sent| sent.abs_diff(near_ns));
        sent.filter(|sent| sent.abs_diff(near_ns) < FRAME.as_nanos() as u64)
    }

    /// How many talk in a call at the moment.
    pub fn voices(&self, call: usize) -> usize {
        let talks = |it: &&Talker| it.call == call && matches!(it.mood, Mood::Talks(..));
        self.talkers.iter().filter(talks).count()
    }

    /// A packet that is due by `now`; each packet once.
    pub fn poll(&mut self, now: Instant) -> Option<Due> {
        let packet = FRAME * self.frames;
        for talker in &mut self.talkers {
            if let Mood::Pauses(since, until) = talker.mood
                && until <= now
            {
                talker.silent += frames_between(since, until);
                talker.mood = Mood::Talks(until, self.spurts.draw(until, SPURT));
            }
            let Mood::Talks(at, until) = talker.mood else { continue };
            if at > now {
                continue;
            }
            let next = (at + packet).max(now);
            let missed = ((next - at - packet).as_nanos() / FRAME.as_nanos()) as u32;
            let pause = until.filter(|until| *until <= next);
            talker.mood = match pause.and_then(|_| self.spurts.draw(next, PAUSE)) {
                Some(over) => Mood::Pauses(next, over),
                None => Mood::Talks(next, until),
            };
            let silent = std::mem::take(&mut talker.silent);
            return Some(Due {
                bot: talker.bot,
                frames: self.frames,
                silent,
                late: now - at,
                missed,
            });
        }
        None
    }
}

impl Talker {
    fn due(&self) -> Option<Instant> {
        match self.mood {
            Mood::Talks(at, _) => Some(at),
            Mood::Pauses(_, until) => Some(until),
            Mood::Muted(_) => None,
        }
    }
}

impl Spurts {
    /// The end of something that lasts `mean` on average.
    fn draw(&mut self, from: Instant, mean: Duration) -> Option<Instant> {
        match self {
            Self::Endless => None,
            Self::Drawn(rng) => Some(from + mean.mul_f64(-(1.0 - rng.f64()).ln())),
        }
    }
}

fn frames_between(from: Instant, to: Instant) -> u32 {
    (to.saturating_duration_since(from).as_nanos() / FRAME.as_nanos()) as u32
}

/// Packets of a talker that may still be under way: seconds of them.
const REMEMBERED: usize = 256;

/// Mean talk-spurt (P.59).
const SPURT: Duration = Duration::from_millis(1004);

/// Mean pause (P.59).
const PAUSE: Duration = Duration::from_millis(1587);

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(speech: &mut Speech, start: Instant, length: Duration) -> Vec<Due> {
        let mut said = Vec::new();
        while let Some(at) = speech.due().filter(|at| *at < start + length) {
            said.extend(speech.poll(at));
        }
        said
    }

    #[test]
    fn who_never_pauses_sends_fifty_frames_a_second_whatever_the_packet() {
        for (frame_ms, frames, packets) in [(20, 1, 500), (40, 2, 250), (60, 3, 167)] {
            let start = Instant::now();
            let mut speech = Speech::new(frame_ms, false, 1);
            speech.begin(0, 0, start);
            let said = spoken(&mut speech, start, Duration::from_secs(10));
            assert_eq!(said.len(), packets);
            assert!(said.iter().all(|due| (due.frames, due.silent, due.missed) == (frames, 0, 0)));
        }
    }

    #[test]
    fn talk_spurts_and_pauses_have_the_means_of_conversation() {
        let start = Instant::now();
        let mut speech = Speech::new(20, true, 1);
        speech.begin(0, 0, start);
        let said = spoken(&mut speech, start, Duration::from_secs(20_000));
        let spurts = said.iter().filter(|due| due.silent > 0).count() as f64;
        let silent: u32 = said.iter().map(|due| due.silent).sum();
        let (spurt, pause) = (said.len() as f64 / spurts / 50.0, f64::from(silent) / spurts / 50.0);
        assert!((spurt - 1.014).abs() < 0.05 && (pause - 1.577).abs() < 0.08, "{spurt} {pause}");
    }

    #[test]
    fn a_muted_talker_is_silent_and_his_clock_goes_on() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut speech = Speech::new(20, false, 1);
        speech.begin(3, 0, start);
        assert_eq!(speech.poll(start).map(|due| due.silent), Some(0));
        speech.mute(3, at(10));
        assert_eq!((speech.poll(at(500)), speech.due(), speech.voices(0)), (None, None, 0));
        speech.unmute(3, at(1010));
        assert_eq!(speech.poll(at(1010)).map(|due| due.silent), Some(50));
    }

    #[test]
    fn the_packet_sent_nearest_to_a_time_is_found() {
        let mut speech = Speech::new(20, false, 1);
        speech.begin(3, 0, Instant::now());
        assert_eq!(speech.sent(3, 7), None);
        for sent_ns in [100, 200, 310] {
            speech.note_sent(3, sent_ns);
        }
        let found = [0, 149, 151, 250, 999].map(|near_ns| speech.sent(3, near_ns));
        assert_eq!(found, [100, 100, 200, 200, 310].map(Some));
        assert_eq!(speech.sent(3, 30_000_000), None, "more than a frame from all of them");
    }

    #[test]
    fn a_late_thread_misses_frames_and_says_so() {
        let start = Instant::now();
        let mut speech = Speech::new(20, false, 1);
        speech.begin(0, 0, start);
        assert_eq!(speech.poll(start + Duration::from_millis(105)).map(|due| due.missed), Some(4));
    }
}
