//! A server that is killed while it records, again and again: what is found then is playable,
//! finished by the next start, and misses less than a second.
//!
//! `VOXHALL_KILLS=200 cargo test --test killed -- --nocapture` is the long run.

mod support;

#[path = "sim/chance.rs"]
#[allow(dead_code, reason = "the simulation uses all of it")]
mod chance;
#[path = "recordings/ear.rs"]
mod ear;
#[path = "recordings/place.rs"]
mod place;

use std::time::{Duration, Instant};

use chance::Chance;
use ear::Ear;
use place::{Place, others_find_nothing_wrong};
use serde_json::Value;
use support::client::Sections;
use support::server::Server;
use support::story::{ANNA_HZ, DEADLINE, guest, join_talking};

/// What may be missing at the end.
const MISSING_MAX: Duration = Duration::from_millis(1_000);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_recordings_that_miss_less_than_a_second() {
    let kills: u64 = number("VOXHALL_KILLS").unwrap_or(4);
    let mut chance = Chance::new(number("VOXHALL_SEED").unwrap_or(7));
    let mut most = Duration::ZERO;
    for kill in 0..kills {
        let missing = killed_once(&mut chance).await;
        most = most.max(missing);
        println!("kill {}: {} ms missing", kill + 1, missing.as_millis());
        assert!(missing <= MISSING_MAX, "{missing:?}");
    }
    println!("{kills} kills, at most {} ms missing", most.as_millis());
}

/// How much of the end is missing.
async fn killed_once(chance: &mut Chance) -> Duration {
    let place = Place::new();
    let server = Server::on(&place.0, &[("VOXHALL_RECORD_AUTO", "true")]);
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    boris.offer(&boris.lobby(), Sections::One).await.expect("the call takes him");
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    let began = Instant::now();
    // What he hears is the clock.
    boris.listen(DEADLINE, chance.within(10..120)).await.expect("she is heard");
    let spoke = began.elapsed();
    server.kill();
    drop((anna, boris));
    // The next start mends and finishes it by itself.
    let server = Server::on(&place.0, &[]);
    let folder = place.ready(&server).await;
    server.stop().await;
    let text = std::fs::read_to_string(folder.join("call.json")).expect("it is finished");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["why_ended"], "cut_off");
    let long = Duration::from_millis(report["duration_ms"].as_u64().expect("a length"));
    let track = report["tracks"].as_array().expect("a list").first();
    // Killed before its first page was written, it has none.
    let edge = |name: &str| track.map_or(0, |track| track[name].as_u64().expect("a time"));
    let (heard_from, heard_until) = (edge("from_ms"), edge("to_ms"));
    let (heard_from, heard_until) =
        (Duration::from_millis(heard_from), Duration::from_millis(heard_until));
    others_find_nothing_wrong(&folder, long.as_micros() as u64);
    let (from, to) = (heard_from.as_micros() as u64, heard_until.as_micros() as u64);
    if to > from + 200_000 {
        assert!(Ear::on(&folder.join("mix.wav"), from, to).strength(ANNA_HZ) > 0.02);
    }
    // The recording began with the call, a little before she spoke.
    spoke.saturating_sub(heard_until.saturating_sub(heard_from))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
