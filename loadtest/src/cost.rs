//! Cost: what the load took of the server and of this process, by CPU time and memory.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use crate::cpu::Thread;
use crate::report::{self, ServerCost};
use crate::server::Server;
use crate::tally::Tally;

/// CPU time of the server so far.
pub struct Spent {
    cpu: Option<Duration>,
    threads: BTreeMap<u32, Thread>,
}

/// CPU time of the server within a window.
pub struct SpentWithin {
    cpu: Duration,
    length: Duration,
    /// By kind of thread.
    threads_ms: BTreeMap<String, f64>,
    busiest: Duration,
}

impl Spent {
    /// # Errors
    /// When the server is gone.
    pub fn of(server: &Server) -> Result<Self> {
        Ok(Self { cpu: server.cpu()?, threads: server.threads()? })
    }

    /// Since `before`; `None` where the server's process is not known.
    pub fn since(self, before: &Self, length: Duration) -> Option<SpentWithin> {
        let cpu = self.cpu?.saturating_sub(before.cpu?);
        let mut threads_ms = BTreeMap::new();
        let mut busiest = Duration::ZERO;
        for (id, (name, spent)) in self.threads {
            let earlier = before.threads.get(&id).map_or(Duration::ZERO, |(_, spent)| *spent);
            let within = spent.saturating_sub(earlier);
            *threads_ms.entry(name).or_default() += within.as_secs_f64() * 1e3;
            busiest = busiest.max(within);
        }
        Some(SpentWithin { cpu, length, threads_ms, busiest })
    }
}

/// Memory of the server as the calls are filled, in KiB.
#[derive(Default)]
pub struct Memory {
    idle_kib: Option<u64>,
    /// What all sockets have added.
    sockets_kib: u64,
}

impl Memory {
    /// Notes what opening sockets has added.
    pub fn note_sockets(&mut self, before_kib: Option<u64>, after_kib: Option<u64>) {
        self.idle_kib = self.idle_kib.or(before_kib);
        if let (Some(before), Some(after)) = (before_kib, after_kib) {
            self.sockets_kib += after.saturating_sub(before);
        }
    }

    /// The server's part; `None` where its process is not known.
    pub fn cost(
        &self,
        spent: &SpentWithin,
        tally: &Tally,
        onliners: usize,
        steady_kib: Option<u64>,
    ) -> Option<ServerCost> {
        let (idle_kib, steady_kib) = (self.idle_kib?, steady_kib?);
        let connected_kib = idle_kib + self.sockets_kib;
        let people = onliners.max(1) as f64;
        let share = |kib: u64, base: u64| (kib as f64 - base as f64) / people;
        let us = spent.cpu.as_secs_f64() * 1e6;
        let percent = |cpu: Duration| cpu.as_secs_f64() * 100.0 / spent.length.as_secs_f64();
        Some(ServerCost {
            cpu_seconds: spent.cpu.as_secs_f64(),
            cpu_percent: percent(spent.cpu),
            busiest_thread_percent: percent(spent.busiest),
            us_per_packet: us / tally.packets().max(1) as f64,
            us_per_frame: us / tally.heard().max(1) as f64,
            us_per_listener_second: us / people / spent.length.as_secs_f64(),
            threads_ms: spent.threads_ms.clone(),
            idle_kib,
            connected_kib,
            steady_kib,
            kib_per_socket: share(connected_kib, idle_kib),
            kib_per_leg: share(steady_kib, connected_kib),
            kib_per_onliner: share(steady_kib, idle_kib),
        })
    }
}

/// CPU time of this process within a window.
pub struct Generator {
    pub process: Duration,
    pub media_thread: Duration,
    /// All its threads share one core.
    pub is_pinned: bool,
    pub legs: usize,
}

impl Generator {
    pub fn report(&self, tally: &Tally, length: Duration) -> report::Generator {
        let percent = |cpu: Duration| cpu.as_secs_f64() * 100.0 / length.as_secs_f64();
        let media_thread_percent = percent(self.media_thread);
        let process_percent = percent(self.process);
        let busiest = if self.is_pinned { process_percent } else { media_thread_percent };
        let due = tally.sent + tally.missed;
        let late_p99_ms = tally.lateness.spread().p99_ms;
        report::Generator {
            media_thread_percent,
            process_percent,
            legs_per_core: self.legs as f64 * 100.0 / process_percent.max(0.1),
            unsent: tally.missed,
            late_p99_ms,
            is_bottleneck: busiest > BUSY_PERCENT
                || tally.missed as f64 > due as f64 * UNSENT_SHARE
                || late_p99_ms > LATE_MS,
        }
    }
}

/// A thread busier than this has no room for a burst.
pub const BUSY_PERCENT: f64 = 85.0;

/// More of its frames missing than this, and the generator did not keep its pace.
const UNSENT_SHARE: f64 = 0.01;

/// A thread that comes to its talkers so late comes to its listeners' sockets as late.
const LATE_MS: f64 = 5.0;
