//! The report: figures with their units in their names, as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde::Serialize;

use crate::Args;
use crate::tally::{Joins, Spread, Tally};
use crate::voice::FRAME;

/// Everything one run found.
#[derive(Debug, Serialize)]
pub struct Report {
    pub joined: usize,
    pub failed: usize,
    pub join: JoinTimes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_voice: Option<FirstVoice>,
    /// Failures and warnings, how often each.
    pub complaints: Vec<String>,
}

/// From the offer on.
#[derive(Debug, Serialize)]
pub struct JoinTimes {
    pub answered: Spread,
    pub connected: Spread,
    pub first_heard: Spread,
}

#[derive(Debug, Serialize)]
pub struct Load {
    pub calls: usize,
    /// A call.
    pub onliners: usize,
    /// A call.
    pub talking: usize,
    pub seconds: u64,
    pub voices: Voices,
    /// From the talker's socket to the listener's.
    pub latency: Spread,
    pub server: Option<ServerCost>,
    pub generator: Generator,
}

/// Frames of the window, and the packets in which they came.
#[derive(Debug, Serialize)]
pub struct Voices {
    pub sent: u64,
    pub expected: u64,
    pub heard: u64,
    pub packets: u64,
    pub lost: u64,
    pub lost_percent: f64,
    pub duplicates: u64,
    pub corrupted: u64,
    pub refused: u64,
    pub echoed: u64,
}

#[derive(Debug, Serialize)]
pub struct ServerCost {
    pub cpu_seconds: f64,
    /// CPU microseconds per packet that a listener got.
    pub us_per_packet: f64,
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
#[derive(Debug, Serialize)]
pub struct Generator {
    pub media_thread_percent: f64,
    pub process_percent: f64,
    /// Frames that its talkers should have sent and did not.
    pub unsent: u64,
    /// It had too little CPU, by its own work or by others': delays and losses may be its own.
    pub is_bottleneck: bool,
}

#[derive(Debug, Serialize)]
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

impl Voices {
    pub fn of(tally: &Tally) -> Self {
        let lost = tally.lost();
        Self {
            sent: tally.sent,
            expected: tally.expected,
            heard: tally.heard,
            packets: tally.packets,
            lost,
            lost_percent: lost as f64 * 100.0 / tally.expected.max(1) as f64,
            duplicates: tally.duplicates,
            corrupted: tally.corrupted,
            refused: tally.refused,
            echoed: tally.echoed,
        }
    }
}

impl Generator {
    /// From the CPU time of process and media thread, and from the packets sent.
    pub fn of(args: &Args, process: Duration, media_thread: Duration, sent: u64) -> Self {
        let percent = |cpu: Duration| cpu.as_secs_f64() * 100.0 / args.window().as_secs_f64();
        let (media_thread_percent, process_percent) = (percent(media_thread), percent(process));
        // Pinned, all its threads share one core.
        let busiest = if args.pin.is_some() { process_percent } else { media_thread_percent };
        let frames = args.window().as_millis() / FRAME.as_millis();
        let due = (args.calls * args.talking) as u64 * frames as u64;
        let unsent = due.saturating_sub(sent);
        let is_bottleneck = busiest > BUSY_PERCENT || unsent as f64 > due as f64 * UNSENT_SHARE;
        Self { media_thread_percent, process_percent, unsent, is_bottleneck }
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

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "joined     {} ({} failed)", self.joined, self.failed)?;
        spread(out, "  answer after the offer", &self.join.answered)?;
        spread(out, "  connected after the offer", &self.join.connected)?;
        spread(out, "  hears a voice after the offer", &self.join.first_heard)?;
        if let Some(load) = &self.load {
            write!(out, "{load}")?;
        }
        if let Some(first) = &self.first_voice {
            let FirstVoice { onliners, joiners, unheard, clipped, .. } = first;
            writeln!(out, "first voice of {joiners} joiners, {onliners} onliners in the call")?;
            spread(out, "  heard after the offer", &first.after_offer)?;
            writeln!(out, "  never heard {unheard}, first packet lost {clipped}")?;
        }
        for complaint in &self.complaints {
            writeln!(out, "! {complaint}")?;
        }
        Ok(())
    }
}

impl Display for Load {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { calls, onliners, talking, seconds, voices, .. } = self;
        writeln!(
            out,
            "load       {calls} x {onliners} onliners, {talking} of them talking, {seconds} s"
        )?;
        writeln!(
            out,
            "frames     {} sent, {} heard of {} in {} packets, {} lost ({:.3} %)",
            voices.sent,
            voices.heard,
            voices.expected,
            voices.packets,
            voices.lost,
            voices.lost_percent
        )?;
        writeln!(
            out,
            "           {} duplicate, {} corrupted, {} refused, {} echoed",
            voices.duplicates, voices.corrupted, voices.refused, voices.echoed
        )?;
        spread(out, "  added latency", &self.latency)?;
        if let Some(server) = &self.server {
            writeln!(
                out,
                "server     {:.2} us CPU a packet ({:.2} s)",
                server.us_per_packet, server.cpu_seconds
            )?;
            let threads = server.threads_ms.iter().filter(|(_, spent)| **spent >= 1.0);
            let threads: Vec<String> =
                threads.map(|(name, spent)| format!("{name} {spent:.0} ms")).collect();
            writeln!(out, "threads    {}", threads.join(", "))?;
            writeln!(
                out,
                "memory     {} KiB idle, {} with sockets, {} in the call",
                server.idle_kib, server.connected_kib, server.steady_kib
            )?;
            writeln!(
                out,
                "           {:.1} KiB a socket, {:.1} a leg, {:.1} an onliner",
                server.kib_per_socket, server.kib_per_leg, server.kib_per_onliner
            )?;
        }
        write!(out, "{}", self.generator)
    }
}

impl Display for Generator {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { media_thread_percent, process_percent, unsent, is_bottleneck } = self;
        writeln!(
            out,
            "generator  media thread {media_thread_percent:.0} % busy, \
             process {process_percent:.0} %, {unsent} frames not sent in time"
        )?;
        if *is_bottleneck {
            writeln!(out, "! the generator is the bottleneck: its delays and losses are its own")?;
        }
        Ok(())
    }
}

fn spread(out: &mut Formatter<'_>, what: &str, times: &Spread) -> fmt::Result {
    writeln!(
        out,
        "{what:31} p50 {:8.2}  p95 {:8.2}  p99 {:8.2}  max {:8.2} ms  (n = {})",
        times.p50_ms, times.p95_ms, times.p99_ms, times.max_ms, times.count
    )
}

/// A thread busier than this has no room for a burst.
const BUSY_PERCENT: f64 = 85.0;

/// More of its packets missing than this, and the generator did not keep its pace. One frame a
/// talker may fall off the window's edge.
const UNSENT_SHARE: f64 = 0.01;
