//! A worker's counters: written by its thread alone, read on a scrape.

use std::sync::atomic::{AtomicU64, Ordering};

use engine::Discard;

use super::dtls::Failure;
use super::leg::Told;
use super::srtp::Profile;

#[derive(Default)]
pub struct Stats {
    received: AtomicU64,
    forwarded: AtomicU64,
    discarded: [AtomicU64; Discard::COUNT],
    messages: AtomicU64,
    unsent: AtomicU64,
    bundled: AtomicU64,
    bundled_legs: [AtomicU64; BUNDLED.len()],
    unmetered: AtomicU64,
    legs: AtomicU64,
    links: [AtomicU64; 3],
    connected: AtomicU64,
    handshakes_failed: [AtomicU64; 4],
    profiles: [AtomicU64; 3],
}

/// One reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub received: u64,
    pub forwarded: u64,
    /// Messages to the kernel: one may hold several packets.
    pub messages: u64,
    pub unsent: u64,
    /// Packets that hold the frames of several.
    pub bundled: u64,
    /// Legs that hear such ones, by their milliseconds.
    pub bundled_legs: Vec<(&'static str, u64)>,
    /// Packets of a voice without levels that the meter had no time for.
    pub unmetered: u64,
    /// Legs by the state of their link, as of the last second.
    pub links: Vec<(&'static str, u64)>,
    pub discarded: Vec<(&'static str, u64)>,
    pub handshakes_failed: Vec<(&'static str, u64)>,
    pub connected: u64,
    pub profiles: Vec<(&'static str, u64)>,
}

/// Milliseconds of the packets that legs hear, where those are longer than they came.
const BUNDLED: [&str; 2] = ["40", "60"];

const LINKS: [&str; 3] = ["connecting", "connected", "lost"];

const PROFILES: [Profile; 3] =
    [Profile::AeadAes256Gcm, Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80];

const FAILURES: [Failure; 4] =
    [Failure::Timeout, Failure::Protocol, Failure::WrongFingerprint, Failure::NoSrtpProfile];

impl Stats {
    pub fn received(&self) {
        add(&self.received, 1);
    }

    pub fn forwarded(&self, packets: u64) {
        add(&self.forwarded, packets);
    }

    /// Packets sent so far, one a listener.
    pub fn read_forwarded(&self) -> u64 {
        get(&self.forwarded)
    }

    pub fn discard(&self, reason: Discard) {
        add(&self.discarded[reason.index()], 1);
    }

    pub fn unmetered(&self) {
        add(&self.unmetered, 1);
    }

    /// Messages to the kernel so far, and datagrams that it did not take.
    pub fn sent(&self, messages: u64, unsent: u64) {
        self.messages.store(messages, Ordering::Relaxed);
        self.unsent.store(unsent, Ordering::Relaxed);
    }

    /// Counts packets of a tick's end, among those that were forwarded.
    pub fn bundled(&self, packets: u64) {
        self.forwarded(packets);
        add(&self.bundled, packets);
    }

    /// Legs that hear packets of 40 and of 60 ms, as of now.
    pub fn bundled_legs(&self, legs: [u64; 2]) {
        for (count, legs) in self.bundled_legs.iter().zip(legs) {
            count.store(legs, Ordering::Relaxed);
        }
    }

    pub fn legs(&self, legs: usize) {
        self.legs.store(legs as u64, Ordering::Relaxed);
    }

    /// Counts the legs of each state anew.
    pub(super) fn links(&self, told: impl Iterator<Item = Told>) {
        let mut counts = [0; LINKS.len()];
        for told in told {
            match told {
                Told::Nothing => counts[0] += 1,
                Told::Alive => counts[1] += 1,
                Told::Silent => counts[2] += 1,
                Told::Closed | Told::Ended => {}
            }
        }
        for (link, count) in self.links.iter().zip(counts) {
            link.store(count, Ordering::Relaxed);
        }
    }

    /// How many legs this worker carries: the measure of placing calls.
    pub fn load(&self) -> u64 {
        self.legs.load(Ordering::Relaxed)
    }

    pub fn connected(&self, profile: Profile) {
        add(&self.connected, 1);
        if let Some(at) = PROFILES.iter().position(|known| *known == profile) {
            add(&self.profiles[at], 1);
        }
    }

    pub fn handshake_failed(&self, reason: Failure) {
        if let Some(at) = FAILURES.iter().position(|known| *known == reason) {
            add(&self.handshakes_failed[at], 1);
        }
    }

    pub fn read(&self) -> Reading {
        let discarded = Discard::ALL.iter().map(|reason| reason.label()).zip(&self.discarded);
        let failed = FAILURES.iter().map(|reason| reason.label()).zip(&self.handshakes_failed);
        let profiles = PROFILES.iter().map(|profile| profile.label()).zip(&self.profiles);
        let load = |(label, value): (&'static str, &AtomicU64)| (label, get(value));
        Reading {
            received: get(&self.received),
            forwarded: get(&self.forwarded),
            messages: get(&self.messages),
            unsent: get(&self.unsent),
            bundled: get(&self.bundled),
            bundled_legs: BUNDLED.into_iter().zip(&self.bundled_legs).map(load).collect(),
            unmetered: get(&self.unmetered),
            links: LINKS.into_iter().zip(&self.links).map(load).collect(),
            discarded: discarded.map(load).collect(),
            handshakes_failed: failed.map(load).collect(),
            connected: get(&self.connected),
            profiles: profiles.map(load).collect(),
        }
    }
}

/// One writer: a load and a store, no locked instruction on the packet's way.
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
