//! Whole calls from a seed, in virtual time: people join, talk, mute, vanish and come back over a
//! bad network, and checkers hold the engine to its promises (`sim/watch.rs` lists them). Each
//! checker is shown to complain where its promise is broken on purpose (`sim/sabotage.rs`).
//!
//! `VOXHALL_SIM_SEED=n` tells one story, `VOXHALL_SIM_SEEDS=n` says how many are told.

#[path = "sim/chance.rs"]
mod chance;
#[path = "sim/control.rs"]
mod control;
#[path = "sim/device.rs"]
mod device;
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
#[path = "sim/speech.rs"]
mod speech;
#[path = "sim/story.rs"]
mod story;
#[path = "sim/watch.rs"]
mod watch;
#[path = "sim/worker.rs"]
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};

use sabotage::Sabotage;

/// Stories of an ordinary run.
const STORIES: u64 = 300;

#[test]
fn whole_calls_keep_their_promises() {
    if let Some(seed) = number("VOXHALL_SIM_SEED") {
        println!("seed {seed}: {} packets forwarded", tell(seed));
        return;
    }
    let stories = number("VOXHALL_SIM_SEEDS").unwrap_or(STORIES);
    let (next, forwarded) = (AtomicU64::new(0), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mine = || next.fetch_add(1, Ordering::Relaxed);
                for seed in std::iter::repeat_with(mine).take_while(|seed| *seed < stories) {
                    forwarded.fetch_add(tell(seed), Ordering::Relaxed);
                }
            });
        }
    });
    println!("{stories} stories, {} packets forwarded", forwarded.into_inner());
}

#[test]
fn every_sabotage_is_noticed() {
    for (sabotage, promise) in Sabotage::ALL {
        let complaints = (0..60).filter_map(|seed| story::tell(seed, *sabotage).err());
        let mut promises = complaints.map(|(complaint, _)| complaint.promise);
        assert!(promises.any(|broken| broken == *promise), "{sabotage:?} breaks no {promise:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_story() {
    let forwarded = |seed| story::tell(seed, Sabotage::None).map_err(|(complaint, _)| complaint);
    assert_eq!(forwarded(7).unwrap(), forwarded(7).unwrap());
}

/// Packets forwarded in this story.
fn tell(seed: u64) -> u64 {
    story::tell(seed, Sabotage::None).unwrap_or_else(|(complaint, transcript)| {
        panic!(
            "seed {seed} broke a promise\n{transcript}{complaint}\n\
             again: VOXHALL_SIM_SEED={seed} cargo test --test sim whole_calls"
        )
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
