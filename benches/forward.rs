//! What a listener costs: 98-byte Opus packets of 20 ms, rewritten and sealed for each of N
//! listeners. `nowhere` is our own work (numbers, header, copy, AES-GCM); `sent` adds the
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

const LISTENERS: [u32; 4] = [2, 10, 200, 1000];

fn main() {
    divan::main();
}

fn call(talkers: u32, listeners: u32) -> Rehearsal {
    Rehearsal::new(talkers, listeners, Profile::AeadAes256Gcm)
}

fn voice(bencher: Bencher<'_, '_>, listeners: u32, to: To) {
    let mut call = call(1, listeners);
    bencher.counter(ItemsCount::new(listeners)).bench_local(|| call.forward(to));
}

fn voices(bencher: Bencher<'_, '_>, listeners: u32, to: To) {
    let mut call = call(3, listeners);
    bencher.counter(ItemsCount::new(3 * listeners)).bench_local(|| call.forward(to));
}

fn bundles(bencher: Bencher<'_, '_>, listeners: u32, to: To) {
    let mut call = call(3, listeners);
    bencher.counter(ItemsCount::new(3 * listeners)).bench_local(|| call.forward_bundled(to, 2));
}

#[divan::bench(args = LISTENERS)]
fn nowhere_voice(bencher: Bencher<'_, '_>, listeners: u32) {
    voice(bencher, listeners, To::Nowhere);
}

#[divan::bench(args = LISTENERS)]
fn nowhere_voices(bencher: Bencher<'_, '_>, listeners: u32) {
    voices(bencher, listeners, To::Nowhere);
}

#[divan::bench(args = LISTENERS)]
fn nowhere_bundles(bencher: Bencher<'_, '_>, listeners: u32) {
    bundles(bencher, listeners, To::Nowhere);
}

#[divan::bench(args = LISTENERS)]
fn sent_voice(bencher: Bencher<'_, '_>, listeners: u32) {
    voice(bencher, listeners, To::Sent);
}

#[divan::bench(args = LISTENERS)]
fn sent_voices(bencher: Bencher<'_, '_>, listeners: u32) {
    voices(bencher, listeners, To::Sent);
}

#[divan::bench(args = LISTENERS)]
fn sent_bundles(bencher: Bencher<'_, '_>, listeners: u32) {
    bundles(bencher, listeners, To::Sent);
}
