//! Recordings, true to the call: what the recorder makes of two hours on bad networks is mixed and
//! judged by where each burst of each voice lies, and by programs that are not ours.

#[path = "sim/chance.rs"]
#[allow(dead_code, reason = "the simulation uses all of it")]
mod chance;
#[path = "recordings/ear.rs"]
mod ear;
#[path = "recordings/place.rs"]
mod place;
#[path = "recordings/studio.rs"]
#[allow(dead_code, reason = "the benches use all of it")]
mod studio;
mod support;

use chance::Chance;
use ear::Ear;
use place::{Place, others_find_nothing_wrong};
use studio::{Burst, Stay, Studio};
use voxhall::config::Mix;
use voxhall::record::Floor;
use voxhall::record::finish::finish;
use voxhall::record::line::TIMELINE;
use voxhall::record::mix::Options;
use voxhall::record::report::Report;
use voxhall::record::store::Folder;

const ANNA_HZ: f32 = 600.0;
const BORIS_HZ: f32 = 1_000.0;
const CLARA_HZ: f32 = 1_600.0;

/// How far from where it was said a voice may lie.
const OFF_MAX_US: i64 = 20_000;

#[test]
fn after_two_hours_every_voice_lies_where_it_was_said() {
    let place = Place::new();
    let hours = 2 * 3_600;
    let mut studio = Studio::open(&place.0);
    let mut chance = Chance::new(1);
    for stay in people(hours) {
        studio.add(&stay, &mut chance);
    }
    let (folder, bursts) = studio.run(hours);
    let report = made(&folder);
    let samples = hound::WavReader::open(folder.path().join("mix.wav")).unwrap().duration();
    assert!(i64::from(samples).abs_diff(hours as i64 * 48_000) <= 960, "{samples}");
    assert_eq!(report.duration_ms, hours * 1_000);
    assert!(bursts.iter().filter(|burst| burst.is_muted).count() > 50);
    let wrong: Vec<String> = bursts.iter().filter_map(|burst| misplaced(&folder, burst)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), bursts.len(), wrong.join("\n"));
    others_find_nothing_wrong(folder.path(), hours * 1_000_000);
}

/// The control of the test above: with each clock's first word alone, a drift of 100 ppm is heard
/// after a few minutes.
#[test]
fn without_its_clock_a_voice_drifts_away() {
    let place = Place::new();
    let mut studio = Studio::open(&place.0);
    let stay = Stay { lost_permille: 0, muted: None, ..people(600).remove(0) };
    studio.add(&stay, &mut Chance::new(1));
    let (folder, bursts) = studio.run(600);
    let timeline = String::from_utf8(folder.read(TIMELINE, 1_000_000).unwrap()).unwrap();
    let is_kept = |line: &&str| !line.contains("clock") || line.contains("anew");
    let kept: Vec<&str> = timeline.lines().filter(is_kept).collect();
    folder.write(TIMELINE, (kept.join("\n") + "\n").as_bytes()).unwrap();
    made(&folder);
    let wrong = bursts.iter().filter(|burst| misplaced(&folder, burst).is_some()).count();
    assert!(wrong > bursts.len() / 3, "{wrong} of {}", bursts.len());
}

/// Two crystals that part by 200 ppm, a bad network each, DTX, a mute, a leave and a return.
fn people(hours: u64) -> Vec<Stay> {
    let anna = Stay {
        jid: "d-anna",
        leg: 1,
        hz: ANNA_HZ,
        from_s: 0,
        to_s: hours,
        drift_ppm: 100,
        lost_permille: 30,
        jitter_us: 60_000,
        dtx: false,
        muted: Some((1_000, 1_600)),
    };
    let boris = Stay {
        jid: "d-boris",
        leg: 2,
        hz: BORIS_HZ,
        drift_ppm: 0,
        dtx: true,
        lost_permille: 10,
        jitter_us: 25_000,
        muted: None,
        ..anna.clone()
    };
    let clara =
        Stay { jid: "d-clara", leg: 3, hz: CLARA_HZ, to_s: 2_000, muted: None, ..anna.clone() };
    let back = Stay { leg: 4, from_s: 2_500, to_s: hours, dtx: true, ..clara.clone() };
    vec![anna, boris, clara, back]
}

/// What is wrong with a burst in the mix, if anything is.
fn misplaced(folder: &Folder, burst: &Burst) -> Option<String> {
    let before = 200_000;
    let from = burst.at_us.checked_sub(before)?;
    let ear = Ear::on(&folder.path().join("mix.wav"), from, burst.at_us + 400_000);
    match (burst.is_muted, ear.begins(burst.hz)) {
        (true, None) => None,
        (true, Some(_)) => Some(format!("{burst:?} is heard though he was muted")),
        (false, None) => Some(format!("{burst:?} is not heard")),
        (false, Some(at)) => {
            let off = at as i64 - before as i64;
            let is_placed = burst.is_torn || off.abs() <= OFF_MAX_US;
            (!is_placed).then(|| format!("{burst:?} is off by {off} us"))
        }
    }
}

fn made(folder: &Folder) -> Report {
    let options = Options { layout: Mix::Mono, opus: false };
    let floor = Floor { bytes: 0, percent: 0 };
    let made = finish(folder, options, floor, &mut |_| true);
    made.expect("it can be finished").expect("something was recorded")
}
