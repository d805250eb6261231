use alloc::vec::Vec;

use super::*;
use crate::limits::{NOISE_LOUDEST_DBOV, NOISE_QUIETEST_DBOV, OPUS_PACKET_SAMPLES};

const LOUD: u8 = 30;
const FRAME: u32 = 960;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Time {
    Time::from_micros(millis * 1_000)
}

fn said(millis: u64, dbov: u8) -> Said {
    let level = Level::from_extension(dbov);
    Said { at: at(millis), level, samples: FRAME, is_silence: false, is_voiceless: false }
}

fn dtx(millis: u64) -> Said {
    Said { is_silence: true, is_voiceless: true, ..said(millis, 0) }
}

/// The edges of 20 ms packets, one after another, and when they came.
fn edges(talking: &mut Talking, from_millis: u64, levels: &[u8]) -> Vec<(u64, Edge)> {
    let steps = (0..).map(|step| from_millis + step * 20).zip(levels);
    steps.filter_map(|(now, level)| Some((now, talking.hear(said(now, *level))?))).collect()
}

fn talking_at(millis: u64) -> Talking {
    let mut talking = Talking::default();
    let began = edges(&mut talking, millis - 40, &[LOUD; 3]);
    assert_eq!(began, [(millis, Edge::Began)]);
    talking
}

#[test]
fn talking_begins_with_the_sixtieth_millisecond_of_voice() {
    let mut talking = Talking::default();
    assert_eq!(edges(&mut talking, 0, &[LOUD; 10]), [(40, Edge::Began)]);
    for (samples, needed) in [(480, 6), (1_920, 2), (2_880, 1), (5_760, 1)] {
        let mut talking = Talking::default();
        let packet = |step: u64| Said { samples, ..said(step * u64::from(samples) / 48, LOUD) };
        let began = (0..9).position(|step| talking.hear(packet(step)).is_some());
        assert_eq!(began, Some(needed - 1), "{samples}");
    }
}

#[test]
fn a_click_is_no_talking() {
    let mut talking = Talking::default();
    let clicks: Vec<u8> = [[LOUD, LOUD, 90, 90, 90, 90]; 50].concat();
    assert_eq!(edges(&mut talking, 0, &clicks), []);
}

#[test]
fn a_short_dip_does_not_cut_a_word_in_two() {
    let mut talking = Talking::default();
    let word = [LOUD, LOUD, 90, LOUD, LOUD];
    assert_eq!(edges(&mut talking, 0, &word), [(80, Edge::Began)]);
}

#[test]
fn talking_ceases_after_800_ms_without_voice() {
    let mut talking = talking_at(1_000);
    assert_eq!(edges(&mut talking, 1_020, &[90; 60]), [(1_800, Edge::Ceased)]);
}

#[test]
fn a_pause_inside_a_sentence_is_no_end() {
    let mut talking = talking_at(1_000);
    let sentence: Vec<u8> = [[90; 36].as_slice(), &[LOUD; 3]].concat().repeat(5);
    assert_eq!(edges(&mut talking, 1_020, &sentence), []);
}

#[test]
fn the_end_of_a_word_may_be_quieter_than_its_beginning() {
    let quiet = NOISE_QUIETEST_DBOV - VOICE_GOES_ON_ABOVE_NOISE_DB;
    assert_eq!(edges(&mut Talking::default(), 0, &[quiet; 500]), []);
    let quiet_after = |dbov| {
        let mut talking = talking_at(1_000);
        talking.hear(said(1_020, dbov));
        talking.quiet_for(at(1_020))
    };
    assert_eq!(quiet_after(quiet - 1), Some(Duration::ZERO));
    assert_eq!(quiet_after(quiet + 1), Some(millis(20)));
}

#[test]
fn a_click_does_not_keep_talking_alive() {
    let mut talking = talking_at(1_000);
    let clicks: Vec<u8> = [[90, 90, 90, LOUD, LOUD]; 20].concat();
    assert_eq!(edges(&mut talking, 1_020, &clicks), [(1_800, Edge::Ceased)]);
}

#[test]
fn the_first_sound_after_a_stop_inside_a_word_is_voice_at_once() {
    let mut talking = talking_at(1_000);
    edges(&mut talking, 1_020, &[90, 90, 90, 90, 90, 90]);
    assert_eq!(talking.quiet_for(at(1_120)), Some(millis(120)));
    talking.hear(said(1_140, LOUD));
    assert_eq!(talking.quiet_for(at(1_140)), Some(Duration::ZERO));
}

#[test]
fn a_steady_noise_is_taken_for_voice_once_at_most() {
    for dbov in NOISE_LOUDEST_DBOV..=127 {
        let mut talking = Talking::default();
        let told = edges(&mut talking, 0, &[dbov; 3_000]);
        assert!(told.len() <= 2 && !talking.is_talking(), "{dbov}: {told:?}");
        assert!(told.last().is_none_or(|last| last.0 < 13_000), "{dbov}: {told:?}");
        let above = dbov - VOICE_BEGINS_ABOVE_NOISE_DB - 1;
        assert!(edges(&mut talking, 60_000, &[above; 3]).len() == 1 || dbov > 65, "{dbov}");
    }
}

#[test]
fn a_noise_its_sender_finds_no_voice_in_never_begins() {
    let voiceless = |step: u64, dbov| Said { is_voiceless: true, ..said(step * 20, dbov) };
    let begins = |dbov| {
        let mut talking = Talking::default();
        (0..500).any(|step| talking.hear(voiceless(step, dbov)).is_some())
    };
    let loudest = NOISE_LOUDEST_DBOV - VOICE_BEGINS_ABOVE_NOISE_DB;
    assert!((loudest + 1..=127).all(|dbov| !begins(dbov)));
    // Too loud for a background, whatever the encoder found.
    assert!((0..=loudest).all(begins));
}

#[test]
fn packets_that_stop_are_silence() {
    let mut talking = talking_at(1_000);
    assert_eq!(talking.handle_timeout(at(1_799)), None);
    assert_eq!(talking.handle_timeout(at(1_800)), Some(Edge::Ceased));
    assert_eq!(talking.handle_timeout(at(1_900)), None);
    assert_eq!(talking.quiet_for(at(1_900)), Some(Duration::from_millis(900)));
}

#[test]
fn voice_that_comes_back_late_ceases_and_begins_again() {
    let mut talking = talking_at(1_000);
    let expected = [(1_900, Edge::Ceased), (1_940, Edge::Began)];
    assert_eq!(edges(&mut talking, 1_900, &[LOUD; 5]), expected);
}

#[test]
fn dtx_is_silence_whatever_its_level_claims() {
    let mut talking = Talking::default();
    assert!((0..100).all(|step| talking.hear(dtx(step * 20)).is_none()));
    assert_eq!(talking.quiet_for(at(2_000)), None);
    assert_eq!(talking.level(at(2_000)), Some(Level::SILENCE));
    assert_eq!(talking.loudness(at(2_000)), Level::SILENCE);
    let mut talking = talking_at(3_000);
    let ceased = (1..100).position(|step| talking.hear(dtx(3_000 + step * 20)).is_some());
    assert_eq!(ceased, Some(39));
}

#[test]
fn a_gap_of_dtx_ends_what_had_not_begun() {
    let mut talking = Talking::default();
    assert_eq!(edges(&mut talking, 0, &[LOUD; 2]), []);
    assert_eq!(edges(&mut talking, 300, &[LOUD; 2]), []);
    assert_eq!(edges(&mut talking, 600, &[LOUD; 3]), [(640, Edge::Began)]);
}

#[test]
fn a_burst_after_a_stall_counts_like_a_steady_stream() {
    let mut talking = Talking::default();
    let burst: Vec<_> = (0..10).filter_map(|_| talking.hear(said(500, LOUD))).collect();
    assert_eq!(burst, [Edge::Began]);
    assert_eq!(talking.handle_timeout(at(1_299)), None);
    assert_eq!(talking.handle_timeout(at(1_300)), Some(Edge::Ceased));
}

#[test]
fn muted_or_gone_is_silent_at_once() {
    assert_eq!(Talking::default().reset(), None);
    let mut talking = talking_at(1_000);
    assert_eq!(talking.reset(), Some(Edge::Ceased));
    assert_eq!(talking.reset(), None);
    assert_eq!(talking.quiet_for(at(1_000)), None);
    assert_eq!(talking.level(at(1_000)), None);
    assert_eq!(talking.loudness(at(1_000)), Level::SILENCE);
}

#[test]
fn loudness_follows_the_voice_in_200_ms_and_not_its_dips() {
    let mut talking = talking_at(1_000);
    assert_eq!(talking.loudness(at(1_000)).dbov(), LOUD);
    edges(&mut talking, 1_020, &[90; 10]);
    assert_eq!(talking.loudness(at(1_220)).dbov(), LOUD);
    edges(&mut talking, 1_220, &[LOUD - 20; 10]);
    assert!((LOUD - 15..LOUD - 10).contains(&talking.loudness(at(1_420)).dbov()));
    edges(&mut talking, 1_420, &[LOUD - 20; 60]);
    assert!(talking.loudness(at(2_620)).dbov() <= LOUD - 19);
    assert_eq!(talking.loudness(at(3_420)), Level::SILENCE);
}

#[test]
fn a_level_stands_for_200_ms() {
    let mut talking = Talking::default();
    assert_eq!(talking.level(at(0)), None);
    talking.hear(said(100, 77));
    assert_eq!(talking.level(at(300)).map(Level::dbov), Some(77));
    assert_eq!(talking.level(at(301)), None);
}

/// Splitmix64: enough for tests, the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// What a client of any kind may send: spells of speech, noise, silence and DTX, with packets of
/// any size, lost, delayed and in bursts, and now and then a mute.
#[derive(Clone, Copy)]
enum Step {
    Packet(Said),
    Timeout(Time),
    Reset(Time),
}

fn story(seed: u64) -> Vec<Step> {
    let mut chance = Chance(seed);
    let mut steps = Vec::new();
    let mut now = chance.below(1 << 40);
    let mut arrived = 0;
    for _ in 0..60 {
        let samples = chance.of(&[120, 480, 960, 960, 960, 1_920, 2_880, OPUS_PACKET_SAMPLES]);
        let mean = chance.of(&[10, 25, 40, 48, 52, 56, 62, 80, 127]);
        let spread = chance.of(&[1, 5, 30]);
        let (lost, delay) = (chance.of(&[0, 5, 50]), chance.of(&[1, 30, 400]));
        let (silent, voiceless) = (chance.of(&[0, 0, 50, 100]), chance.of(&[0, 0, 50, 100]));
        for _ in 0..chance.below(80) {
            now += u64::from(samples) * 1_000 / 48;
            arrived = (now + chance.below(delay) * 1_000).max(arrived);
            let dbov = (mean + chance.below(spread)).min(127) as u8;
            let packet = Said {
                at: Time::from_micros(arrived),
                level: Level::from_extension(dbov),
                samples,
                is_silence: chance.below(100) < silent,
                is_voiceless: chance.below(100) < voiceless,
            };
            if chance.below(100) >= lost {
                steps.push(Step::Packet(packet));
            }
            if chance.below(5) == 0 {
                steps.push(Step::Timeout(packet.at));
            }
        }
        if chance.below(10) == 0 {
            steps.push(Step::Reset(Time::from_micros(arrived)));
        }
        now += chance.of(&[0, 0, 100_000, 790_000, 3_000_000]);
    }
    steps
}

/// What a watcher knows of a voice beside its edges.
#[derive(Default)]
struct Watch {
    is_talking: bool,
    told: Vec<Edge>,
    /// Everything that could be voice: when, and how many samples.
    voiced: Vec<(Time, u32)>,
}

impl Watch {
    fn see(&mut self, now: Time, edge: Option<Edge>) {
        let Some(edge) = edge else { return };
        assert_eq!(edge == Edge::Began, !self.is_talking, "edges alternate");
        self.is_talking = edge == Edge::Began;
        self.told.push(edge);
        let lately = self.voiced.iter().filter(|it| now.since(it.0) <= Duration::from_secs(1));
        let lately: u32 = lately.map(|it| it.1).sum();
        assert!(edge == Edge::Ceased || lately >= 2_880, "began with {lately} samples");
    }
}

fn watched(steps: &[Step]) -> Watch {
    let mut watch = Watch::default();
    let mut talking = Talking::default();
    for step in steps {
        let (now, edge) = match *step {
            Step::Packet(said) => {
                if !said.is_silence && said.level.dbov() < 127 {
                    watch.voiced.push((said.at, said.samples));
                }
                (said.at, talking.hear(said))
            }
            Step::Timeout(now) => (now, talking.handle_timeout(now)),
            Step::Reset(now) => {
                let edge = talking.reset();
                watch.voiced.clear();
                (now, edge)
            }
        };
        watch.see(now, edge);
        assert_eq!(talking.is_talking(), watch.is_talking);
        let is_quiet = talking.quiet_for(now).is_none_or(|quiet| quiet >= TALKING_CEASED);
        assert!(!(is_quiet && watch.is_talking), "talks on without voice");
    }
    watch
}

#[test]
fn whatever_comes_the_edges_alternate_and_are_due() {
    let edges: usize = (0..2_000).map(|seed| watched(&story(seed)).told.len()).sum();
    assert!(edges > 20_000, "the stories are dull: {edges} edges");
}

#[test]
fn every_voice_ceases_within_800_ms_and_a_step() {
    const STEP: u64 = 100;
    for seed in 0..2_000 {
        let mut talking = Talking::default();
        let mut last = Time::ZERO;
        for step in story(seed) {
            if let Step::Packet(said) = step {
                talking.hear(said);
                last = said.at;
            }
        }
        let steps = 0..=(TALKING_CEASED.as_millis() as u64).div_ceil(STEP);
        let was_talking = talking.is_talking();
        let ceased = steps
            .filter(|step| talking.handle_timeout(last + millis(step * STEP)).is_some())
            .count();
        assert_eq!(ceased, usize::from(was_talking), "{seed}");
        assert!(!talking.is_talking());
    }
}

#[test]
fn packets_that_hold_no_voice_never_begin_and_never_go_on() {
    for seed in 0..500 {
        let mut story = story(seed);
        for step in &mut story {
            if let Step::Packet(said) = step {
                *said = Said { is_silence: true, level: Level::from_extension(0), ..*said };
            }
        }
        assert_eq!(watched(&story).told, [], "{seed}");
    }
}

#[test]
fn stalls_change_when_talking_begins_but_not_how_often() {
    for seed in 0..2_000 {
        let mut chance = Chance(seed);
        let (mut paced, mut burst) = (Talking::default(), Talking::default());
        let mut counts = [0; 2];
        let mut now = 0;
        for _ in 0..20 {
            // A spurt, then a pause that no stall can bridge.
            let spurt = chance.below(30);
            let stall = chance.below(spurt * 20 + 1);
            for step in 0..spurt {
                let sent = now + step * 20;
                let arrived = if step * 20 < stall { now + stall } else { sent };
                counts[0] += usize::from(paced.hear(said(sent, 20)) == Some(Edge::Began));
                counts[1] += usize::from(burst.hear(said(arrived, 20)) == Some(Edge::Began));
            }
            now += spurt * 20 + 2_000;
        }
        assert_eq!(counts[0], counts[1], "{seed}");
    }
}
