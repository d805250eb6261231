//! What finishing a recording costs: ten minutes of three people who each speak a twentieth of the
//! time over bad networks, decoded, placed, mixed and described. One core.
//!
//! Last result (2 vCPU AMD EPYC, `cargo bench --bench mix`): see README, "Recordings".

#[path = "../tests/sim/chance.rs"]
#[allow(dead_code, reason = "the simulation uses all of it")]
mod chance;
#[path = "../tests/recordings/studio.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod studio;

use std::path::PathBuf;
use std::time::Instant;

use chance::Chance;
use studio::{Stay, Studio};
use voxhall::config::Mix;
use voxhall::record::Floor;
use voxhall::record::finish::finish;
use voxhall::record::mix::Options;

const SECONDS: u64 = 600;

fn main() {
    for (what, opus, talks) in [
        ("mix.wav, bursts", false, false),
        ("mix.wav and mix.opus, bursts", true, false),
        ("mix.wav, all three talk all the time", false, true),
        ("mix.wav and mix.opus, all three talk all the time", true, true),
    ] {
        let place = Place::new();
        let mut studio = Studio::open(&place.0);
        let mut chance = Chance::new(1);
        for (leg, hz) in [(1, 600.0), (2, 1_000.0), (3, 1_600.0)] {
            let jid = ["d-anna", "d-boris", "d-clara"][leg as usize - 1];
            let stay = Stay {
                jid,
                leg,
                hz,
                from_s: 0,
                to_s: SECONDS,
                drift_ppm: 100,
                lost_permille: 20,
                jitter_us: 40_000,
                dtx: false,
                muted: None,
            };
            match talks {
                true => studio.add_talking(&stay, &mut chance),
                false => studio.add(&stay, &mut chance),
            }
        }
        let (folder, _) = studio.run(SECONDS);
        let began = Instant::now();
        let floor = Floor { bytes: 0, percent: 0 };
        finish(&folder, Options { layout: Mix::Mono, opus }, floor, &mut |_| true)
            .expect("it can be finished");
        let took = began.elapsed().as_secs_f64();
        println!("{what}: {:.0} times real time ({took:.2} s)", SECONDS as f64 / took);
    }
}

/// A folder that goes with it.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        let path = std::env::temp_dir().join(format!("voxhall-mix-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).expect("a folder");
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
