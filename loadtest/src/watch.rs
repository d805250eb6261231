//! Watch: looks at the server and at this process once a second, keeps what it saw, and shows it.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use crate::cpu;
use crate::notice::LastSecond;
use crate::server::Server;
use crate::view::{Row, View};

/// The watcher of one run.
pub struct Watch<'a> {
    server: &'a Server,
    pub view: View,
    begun: Instant,
    next_tick: Instant,
    before: Reading,
    samples: Vec<Sample>,
    window: Phase,
}

/// One second of the run.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Seconds since the run began.
    pub at_s: f64,
    /// In their calls.
    pub joined: usize,
    /// Connections so far.
    pub connections: usize,
    pub server_cpu_percent: Option<f64>,
    pub server_kib: Option<u64>,
    pub generator_cpu_percent: f64,
}

#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    server: Option<Duration>,
    own: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    /// Since the sample of this number.
    Within(usize),
}

impl<'a> Watch<'a> {
    pub fn new(server: &'a Server, view: View) -> Self {
        let now = Instant::now();
        let before = Reading::now(server);
        Self {
            server,
            view,
            begun: now,
            next_tick: now + SECOND,
            before,
            samples: Vec::new(),
            window: Phase::Before,
        }
    }

    pub fn next_tick(&self) -> Instant {
        self.next_tick
    }

    /// The seconds are counted from now on as those of the window.
    pub fn begin_window(&mut self) {
        self.before = Reading::now(self.server);
        self.next_tick = self.before.at + SECOND;
        self.window = Phase::Within(self.samples.len());
    }

    pub fn end_window(&mut self) {
        self.window = Phase::Before;
    }

    /// A second has passed. In a window its row waits for what was heard.
    pub fn tick(&mut self, joined: usize, connections: usize) {
        let now = Reading::now(self.server);
        let passed = (now.at - self.before.at).as_secs_f64().max(1e-3);
        let percent = |after: Duration, before: Duration| {
            after.saturating_sub(before).as_secs_f64() * 100.0 / passed
        };
        self.samples.push(Sample {
            at_s: (now.at - self.begun).as_secs_f64(),
            joined,
            connections,
            server_cpu_percent: now.server.zip(self.before.server).map(|(a, b)| percent(a, b)),
            // A server that is gone is noticed where its figures are needed.
            server_kib: self.server.resident_kib().ok().flatten(),
            generator_cpu_percent: percent(now.own, self.before.own),
        });
        self.before = now;
        self.next_tick = (self.next_tick + SECOND).max(now.at);
        match self.window {
            Phase::Before => self.show(None),
            Phase::Within(from) => self.view.advance(self.samples.len() - from),
        }
    }

    /// Shows the last second of a window.
    pub fn show(&mut self, heard: Option<&LastSecond>) {
        if let Some(sample) = self.samples.last() {
            self.view.row(&Row { sample, heard });
        }
    }

    /// All seconds so far, and how many of them were before the window that began last.
    ///
    /// # Errors
    /// When there was no window.
    pub fn samples(&self) -> Result<(&[Sample], usize)> {
        match self.window {
            Phase::Within(from) => Ok((&self.samples, from)),
            Phase::Before => anyhow::bail!("no window was measured"),
        }
    }
}

impl Reading {
    fn now(server: &Server) -> Self {
        Self {
            at: Instant::now(),
            server: server.cpu().ok().flatten(),
            own: cpu::of_this_process(),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
