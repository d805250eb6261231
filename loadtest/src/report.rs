//! The report: figures with their units in their names. `version` changes when one of them
//! changes its meaning or goes; new ones may come at any time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;
use crate::tally::{Joins, Spread, Tally};
use crate::voice::FRAME;

/// Of the JSON.
pub const VERSION: u32 = 1;

/// Everything one run found.
#[derive(Debug, Deserialize, Serialize)]
pub struct Report {
    pub version: u32,
    pub scenario: Scenario,
    pub joined: usize,
    pub failed: usize,
    /// Connections of those who had left or lost one.
    pub reconnected: usize,
    pub join: JoinTimes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_voice: Option<FirstVoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// Failures and warnings, how often each.
    pub complaints: Vec<String>,
}

/// From the offer on.
#[derive(Debug, Deserialize, Serialize)]
pub struct JoinTimes {
    pub answered: Spread,
    pub connected: Spread,
    pub first_heard: Spread,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Load {
    /// In all calls.
    pub onliners: usize,
    pub voices: Voices,
    /// From the talker's socket to the listener's.
    pub latency: Spread,
    /// Its distribution: how many took up to so many milliseconds, and more than the one before.
    pub latency_steps: Vec<(f64, u64)>,
    /// Where each voice has a section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps: Option<GapsFound>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub light: Option<LightLegs>,
    pub server: Option<ServerCost>,
    pub generator: Generator,
    /// Since the first login.
    pub series: Vec<Point>,
}

/// Frames of the window, and the packets in which they came.
#[derive(Debug, Deserialize, Serialize)]
pub struct Voices {
    pub sent: u64,
    pub expected: u64,
    pub heard: u64,
    pub packets: u64,
    pub lost: u64,
    pub lost_percent: f64,
    /// Of the lost ones: by the simulated network.
    pub injected: u64,
    pub duplicates: u64,
    pub corrupted: u64,
    pub refused: u64,
    pub echoed: u64,
}

/// Two or more frames missing in a row, between two that one listener heard of one talker. Where
/// legs are light: packets.
#[derive(Debug, Deserialize, Serialize)]
pub struct GapsFound {
    pub count: u64,
    pub longest_ms: f64,
}

/// Legs that count most packets by their headers.
#[derive(Debug, Deserialize, Serialize)]
pub struct LightLegs {
    pub legs: usize,
    pub packets: u64,
    pub decrypted: u64,
    /// Numbers between those that came: lost packets, and what the server left out.
    pub missing_numbers: u64,
    pub heard: u64,
    pub expected: u64,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct ServerCost {
    pub cpu_seconds: f64,
    /// Of one core.
    pub cpu_percent: f64,
    pub busiest_thread_percent: f64,
    /// CPU microseconds per packet that a listener got.
    pub us_per_packet: f64,
    /// CPU microseconds per frame that a listener heard.
    pub us_per_frame: f64,
    /// CPU microseconds per onliner and second of the window.
    pub us_per_listener_second: f64,
    /// CPU milliseconds of each kind of thread, by name.
    pub threads_ms: BTreeMap<String, f64>,
    pub idle_kib: u64,
    /// With everybody's WebSocket open, nobody in a call.
    pub connected_kib: u64,
    pub steady_kib: u64,
    pub kib_per_socket: f64,
    pub kib_per_leg: f64,
    pub kib_per_onliner: f64,
}

/// The load generator's own part.
#[derive(Debug, Deserialize, Serialize)]
pub struct Generator {
    pub media_thread_percent: f64,
    pub process_percent: f64,
    /// Legs that a core of this machine carries so, by the process's CPU time.
    pub legs_per_core: f64,
    /// Frames that its talkers should have sent and did not.
    pub unsent: u64,
    /// How late its talkers' packets left.
    pub late_p99_ms: f64,
    /// It had too little CPU, by its own work or by others': delays and losses may be its own.
    pub is_bottleneck: bool,
}

/// One second.
#[derive(Debug, Deserialize, Serialize)]
pub struct Point {
    /// When it ended, since the first login.
    pub at_s: f64,
    /// In their calls.
    pub joined: usize,
    /// Connections made in this second.
    pub joins: usize,
    pub server_cpu_percent: Option<f64>,
    pub server_kib: Option<u64>,
    pub generator_cpu_percent: f64,
    /// Within the window, by the second in which it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<VoicePoint>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct VoicePoint {
    pub heard: u64,
    pub packets: u64,
    pub lost_percent: f64,
    pub latency: Spread,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct FirstVoice {
    /// In the call before the joiner.
    pub onliners: usize,
    pub joiners: u64,
    /// From the joiner's offer until any other onliner heard him.
    pub after_offer: Spread,
    /// Joiners nobody heard.
    pub unheard: u64,
    /// Joiners whose first packet nobody heard.
    pub clipped: u64,
}

/// What `--find-limit` found.
#[derive(Debug, Deserialize, Serialize)]
pub struct Limit {
    pub bound: String,
    /// Onliners a call of the last step within the bound; 0 where none was.
    pub last_good: usize,
    pub ended_by: EndedBy,
    pub steps: Vec<LimitStep>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The server's busiest thread had no room.
    Server,
    /// This program had no room: the server may carry more.
    Generator,
    /// Both had room, and the bound was passed all the same.
    Neither,
    /// Not everybody could join.
    Joining,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct LimitStep {
    /// A call.
    pub onliners: usize,
    pub p99_ms: f64,
    pub lost_percent: f64,
    pub server_busiest_thread_percent: Option<f64>,
    pub us_per_listener_second: Option<f64>,
    pub generator_percent: f64,
    pub is_within: bool,
}

impl Voices {
    pub fn of(tally: &Tally) -> Self {
        let (lost, expected) = (tally.lost(), tally.expected());
        Self {
            sent: tally.sent,
            expected,
            heard: tally.heard(),
            packets: tally.packets(),
            lost,
            lost_percent: lost as f64 * 100.0 / expected.max(1) as f64,
            injected: tally.injected.round() as u64,
            duplicates: tally.duplicates,
            corrupted: tally.corrupted,
            refused: tally.refused,
            echoed: tally.echoed,
        }
    }
}

impl GapsFound {
    /// `None` where there are more voices than sections: what is missing was not to be heard.
    pub fn of(tally: &Tally, scenario: &Scenario) -> Option<Self> {
        let a_packet = tally.light.heard as f64 / tally.light.packets.max(1) as f64;
        let full = f64::from(tally.gaps.longest);
        let longest = full.max(f64::from(tally.light_gaps.longest) * a_packet);
        (scenario.sections >= scenario.talking).then(|| Self {
            count: tally.gaps.count + tally.light_gaps.count,
            longest_ms: longest * FRAME.as_secs_f64() * 1e3,
        })
    }
}

impl LightLegs {
    pub fn of(tally: &Tally, legs: usize) -> Self {
        Self {
            legs,
            packets: tally.light.packets,
            decrypted: tally.decrypted,
            missing_numbers: tally.light_gaps.lost,
            heard: tally.light.heard,
            expected: tally.light.expected.round() as u64,
        }
    }
}

impl JoinTimes {
    pub fn of(joins: &Joins) -> Self {
        Self {
            answered: joins.answered.spread(),
            connected: joins.connected.spread(),
            first_heard: joins.heard.spread(),
        }
    }
}

impl Report {
    /// Everybody joined, and everybody who should be heard was, at least once.
    pub fn is_sound(&self) -> bool {
        let load_heard = self.load.as_ref().is_none_or(|load| {
            let Voices { expected, heard, .. } = load.voices;
            expected == 0 || heard > 0
        });
        let all_heard = self.first_voice.as_ref().is_none_or(|first| first.unheard == 0);
        self.failed == 0 && load_heard && all_heard
    }
}
