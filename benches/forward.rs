//! What a listener costs: one 98-byte Opus packet of a talker, rewritten and sealed for each of
//! N listeners. `nowhere` is our own work (numbers, header, copy, AES-GCM); `sent` adds the
//! kernel's sendmmsg to a loopback socket that nobody reads. Divide by N for one listener.
//! Allocations are counted: 0 in both.
//!
//! Run: `cargo bench --bench forward`. 2 vCPU AMD EPYC, Linux 6.18, ns a packet and listener:
//!
//! | listeners | 2 | 10 | 50 | 200 | 1000 |
//! |---|---|---|---|---|---|
//! | nowhere | 145 | 127 | 124 | 125 | 131 |
//! | sent | 3130 | 3090 | 3030 | 3030 | 2980 |

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use voxhall::media::rehearsal::Rehearsal;
use voxhall::media::srtp::Profile;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const LISTENERS: [u32; 5] = [2, 10, 50, 200, 1000];

fn main() {
    divan::main();
}

#[divan::bench(args = LISTENERS)]
fn nowhere(bencher: Bencher<'_, '_>, listeners: u32) {
    let mut call = Rehearsal::new(listeners, Profile::AeadAes256Gcm);
    bencher.counter(ItemsCount::new(listeners)).bench_local(|| call.forward_nowhere());
}

#[divan::bench(args = LISTENERS)]
fn sent(bencher: Bencher<'_, '_>, listeners: u32) {
    let mut call = Rehearsal::new(listeners, Profile::AeadAes256Gcm);
    bencher.counter(ItemsCount::new(listeners)).bench_local(|| call.forward_sent());
}
