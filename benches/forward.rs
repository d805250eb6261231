//! What a listener costs: 98-byte Opus packets of 20 ms, rewritten and sealed for each of N
//! listeners. `Nowhere` is our own work (numbers, header, copy, AES-GCM); `Sent` adds the
//! kernel's sendmmsg to a loopback socket that nobody reads. `voice`: one packet of one talker;
//! `voices`: three talkers at one moment, one message a listener; `bundles`: three talkers, two
//! packets in one. Per packet that is sent. Allocations are counted: 0 in all.
//!
//! Run: `cargo bench --bench forward`. Figures: benches/README.md.

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use voxhall::media::rehearsal::{Rehearsal, To};
use voxhall::media::srtp::Profile;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Where packets go, and to how many.
const CASES: [(To, u32); 8] = [
    (To::Nowhere, 2),
    (To::Nowhere, 10),
    (To::Nowhere, 200),
    (To::Nowhere, 1000),
    (To::Sent, 2),
    (To::Sent, 10),
    (To::Sent, 200),
    (To::Sent, 1000),
];

fn main() {
    divan::main();
}

#[divan::bench(args = CASES)]
fn voice(bencher: Bencher<'_, '_>, (to, listeners): (To, u32)) {
    each(bencher, (1, listeners), |call| call.forward(to));
}

#[divan::bench(args = CASES)]
fn voices(bencher: Bencher<'_, '_>, (to, listeners): (To, u32)) {
    each(bencher, (3, listeners), |call| call.forward(to));
}

#[divan::bench(args = CASES)]
fn bundles(bencher: Bencher<'_, '_>, (to, listeners): (To, u32)) {
    each(bencher, (3, listeners), |call| call.forward_bundled(to, 2));
}

fn each(
    bencher: Bencher<'_, '_>,
    (talkers, listeners): (u32, u32),
    send: impl Fn(&mut Rehearsal) -> u64,
) {
    let mut call = Rehearsal::new(talkers, listeners, Profile::AeadAes256Gcm);
    // Rings and buffers have their size from then on.
    for _ in 0..WARM_UP {
        send(&mut call);
    }
    bencher.counter(ItemsCount::new(talkers * listeners)).bench_local(|| send(&mut call));
}

const WARM_UP: usize = 20;
