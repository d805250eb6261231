//! The synthetic caller: each few seconds the node calls itself on one of its media workers, by
//! the way that people's calls go: an offer and its answer, STUN, DTLS, SRTP, one voice there and
//! one back, over real sockets. What comes of it is a metric and a part of `/readyz`.
//!
//! It touches nobody: its call is in no list, no fact, no recording and no count of people, and
//! goes on where calls are refused or drained. `watch` decides what the results mean.

mod call;
mod voice;
mod watch;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use self::call::Caller;
use self::watch::{Change, Stage, Watch};
use crate::call_task::Shared;
use crate::metrics::{self, Metrics, Sample, Sink, Source};

/// What the node's calls to itself have come to.
pub struct Probe {
    findings: Mutex<Findings>,
    ports: Vec<u16>,
}

struct Findings {
    watch: Watch,
    heard: u64,
    /// In the order of [`Stage::ALL`].
    failed: [u64; Stage::ALL.len()],
}

/// Calls the workers of `shared` in turn from now on, one `every` so long; `None` is never.
/// `bind` is the address that their sockets are bound to. Must be called within a runtime.
pub fn start(every: Option<Duration>, bind: Option<IpAddr>, shared: &Shared) -> Arc<Probe> {
    let ports = shared.pool.ports();
    let watch = Watch::new(ports.len());
    let findings = Findings { watch, heard: 0, failed: [0; Stage::ALL.len()] };
    let probe = Arc::new(Probe { findings: Mutex::new(findings), ports });
    if let Some(every) = every {
        let caller = Caller::new(shared, bind);
        tokio::spawn(probe.clone().run(caller, every, shared.metrics.clone()));
    }
    probe
}

impl Probe {
    /// Why the node is not ready: the worker, its port, and the stage that fails.
    pub fn complaint(&self) -> Option<String> {
        let (worker, stage) = self.findings().watch.complaint()?;
        let port = self.ports.get(worker).copied().unwrap_or_default();
        Some(format!(
            "a call to itself fails on media worker {worker} (UDP {port}): {}",
            stage.words()
        ))
    }

    async fn run(self: Arc<Self>, mut caller: Caller, every: Duration, metrics: Arc<Metrics>) {
        loop {
            let worker = self.findings().watch.worker();
            let began = Instant::now();
            let result = caller.call(worker).await;
            if let Ok(elapsed) = result {
                metrics.probe_heard(elapsed);
            }
            let change = self.note(result.map(drop));
            if let Some(change) = change {
                tell(worker, change);
            }
            let pause = self.findings().watch.pause(every, began.elapsed());
            tokio::time::sleep(pause).await;
        }
    }

    fn note(&self, result: Result<(), Stage>) -> Option<Change> {
        let mut findings = self.findings();
        match result {
            Ok(()) => findings.heard += 1,
            Err(stage) => findings.failed[stage as usize] += 1,
        }
        findings.watch.handle(Instant::now(), result)
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        // Numbers, whole between any two changes: a panic elsewhere leaves them good.
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Probe {
    fn collect(&self, sink: &mut dyn Sink) {
        use metrics::Probe::{Calls, Failures};
        let findings = self.findings();
        sink.add(Sample::Probe(Failures), findings.watch.failures());
        sink.add(Sample::Probe(Calls("heard")), findings.heard);
        for (stage, count) in Stage::ALL.into_iter().zip(findings.failed) {
            sink.add(Sample::Probe(Calls(stage.label())), count);
        }
    }
}

fn tell(worker: usize, change: Change) {
    match change {
        Change::Doubted { stage } => {
            warn!(worker, stage = stage.label(), "call to itself failed, tried again");
        }
        Change::Failing { stage } => {
            error!(worker, stage = stage.label(), "calls to itself fail: not ready");
        }
        Change::Heard { after } => {
            let elapsed_ms = after.as_millis();
            info!(worker, elapsed_ms, "call to itself heard again");
        }
    }
}
