//! Whole calls from a seed, in virtual time: people join, talk, mute, moderate, vanish and come
//! back over a bad network, a slow core and a media worker that dies, and checkers hold the engine
//! to its promises (`sim/watch.rs` lists them). Each checker is shown to complain where its promise
//! is broken on purpose (`sim/sabotage.rs`).
//!
//! An ordinary run tells 1,000 stories; a long one is
//! `VOXHALL_SIM_SEEDS=20000 cargo test --test sim whole_calls -- --nocapture`, one seed's story
//! `VOXHALL_SIM_SEED=n cargo test --test sim whole_calls -- --nocapture`. A seed that fails prints
//! its transcript and is kept in `data/sim/seeds.txt`, whose seeds every run tells first.

#[path = "sim/chance.rs"]
mod chance;
#[path = "sim/client.rs"]
mod client;
#[path = "sim/control.rs"]
mod control;
#[path = "sim/device.rs"]
mod device;
#[path = "sim/effects.rs"]
mod effects;
#[path = "sim/fanout.rs"]
mod fanout;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/heal.rs"]
mod heal;
#[path = "sim/net.rs"]
mod net;
#[path = "sim/nonsense.rs"]
mod nonsense;
#[path = "sim/numbers.rs"]
mod numbers;
#[path = "sim/people.rs"]
mod people;
#[path = "sim/replay.rs"]
mod replay;
#[path = "sim/sabotage.rs"]
mod sabotage;
#[path = "sim/settled.rs"]
mod settled;
#[path = "sim/solo.rs"]
mod solo;
#[path = "sim/speech.rs"]
mod speech;
#[path = "sim/story.rs"]
mod story;
#[path = "sim/tape.rs"]
mod tape;
#[path = "sim/trials.rs"]
mod trials;
#[path = "sim/turns.rs"]
mod turns;
#[path = "sim/voices.rs"]
mod voices;
#[path = "sim/watch.rs"]
mod watch;
#[path = "sim/worker.rs"]
mod worker;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sabotage::Sabotage;
use watch::Promise;

/// Stories of an ordinary run.
const STORIES: u64 = 1_000;

/// Trials of the mute gate in an ordinary run.
const TRIALS: u64 = 10_000;

/// Broken stories after which a run tells no more.
const BROKEN_MAX: usize = 20;

/// Seeds of the past, and what each found.
const KEPT: &str = include_str!("data/sim/seeds.txt");

#[test]
fn whole_calls_keep_their_promises() {
    let seeds: Vec<u64> = match number("VOXHALL_SIM_SEED") {
        Some(seed) => vec![seed],
        None => kept().chain(0..number("VOXHALL_SIM_SEEDS").unwrap_or(STORIES)).collect(),
    };
    let forwarded = AtomicU64::new(0);
    let broken = tell_all(&seeds, |seed| {
        let told = story::tell(seed, Sabotage::None);
        told.map(|packets| _ = forwarded.fetch_add(packets, Ordering::Relaxed))
    });
    println!("{} stories, {} packets forwarded", seeds.len(), forwarded.into_inner());
    let Some((first, (complaint, transcript))) = broken.first_key_value() else { return };
    for (seed, (complaint, _)) in &broken {
        println!("seed {seed}: {complaint}");
        keep(*seed, complaint);
    }
    panic!(
        "seed {first} broke a promise\n{transcript}{complaint}\n\
         again: VOXHALL_SIM_SEED={first} cargo test --test sim whole_calls"
    );
}

#[test]
fn muted_voices_stay_silent_in_ten_thousand_trials() {
    let seeds: Vec<u64> = (0..number("VOXHALL_SIM_TRIALS").unwrap_or(TRIALS)).collect();
    let (forwarded, came_muted) = (AtomicU64::new(0), AtomicU64::new(0));
    let broken = tell_all(&seeds, |seed| {
        let tried = trials::attempt(seed, Sabotage::None)?;
        forwarded.fetch_add(tried.forwarded, Ordering::Relaxed);
        came_muted.fetch_add(tried.came_muted, Ordering::Relaxed);
        Ok(())
    });
    let (forwarded, came_muted) = (forwarded.into_inner(), came_muted.into_inner());
    println!(
        "{} trials, {forwarded} packets forwarded, none of {came_muted} that came while muted",
        seeds.len()
    );
    if let Some((seed, (complaint, transcript))) = broken.first_key_value() {
        panic!("{} trials broke a promise, first {seed}\n{transcript}{complaint}", broken.len());
    }
    let enough = 20 * seeds.len() as u64;
    assert!(forwarded > enough && came_muted > enough, "the trials try too little");
}

#[test]
fn every_sabotage_is_noticed() {
    for (sabotage, promise) in Sabotage::ALL {
        let complaints = (0..SABOTAGED).filter_map(|seed| story::tell(seed, *sabotage).err());
        let mut promises = complaints.map(|(complaint, _)| complaint.promise);
        assert!(promises.any(|broken| broken == *promise), "{sabotage:?} breaks no {promise:?}");
    }
}

#[test]
fn every_open_mute_gate_is_noticed_in_trials() {
    let gates = Sabotage::ALL.iter().filter(|(_, promise)| *promise == Promise::MutedIsSilent);
    for (sabotage, promise) in gates {
        let complaints = (0..SABOTAGED).filter_map(|seed| trials::attempt(seed, *sabotage).err());
        let mut promises = complaints.map(|(complaint, _)| complaint.promise);
        assert!(promises.any(|broken| broken == *promise), "{sabotage:?} breaks no {promise:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_story() {
    let forwarded = |seed| story::tell(seed, Sabotage::None).map_err(|(complaint, _)| complaint);
    assert_eq!(forwarded(7).unwrap(), forwarded(7).unwrap());
}

type Broken = BTreeMap<u64, (watch::Complaint, String)>;

/// Tells stories on every core; gives those that broke a promise.
fn tell_all(
    seeds: &[u64],
    tell: impl Fn(u64) -> Result<(), (watch::Complaint, String)> + Sync,
) -> Broken {
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Broken::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let told = tell(*seed);
                    let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Err(complaint) = told {
                        broken.insert(*seed, complaint);
                    }
                    if broken.len() >= BROKEN_MAX {
                        return;
                    }
                }
            });
        }
    });
    broken.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn kept() -> impl Iterator<Item = u64> {
    KEPT.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

/// Notes a seed among those of the past, where the sources can be written.
fn keep(seed: u64, complaint: &watch::Complaint) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sim/seeds.txt");
    let file = std::fs::OpenOptions::new().append(true).open(path);
    if let Some(mut file) = file.ok().filter(|_| kept().all(|known| known != seed)) {
        let noted = writeln!(file, "{seed} {:?}", complaint.promise);
        println!("seed {seed} is kept in {path}: {}", noted.is_ok());
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Seeds within which a sabotage must be noticed.
const SABOTAGED: u64 = 60;
