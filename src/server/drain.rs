//! The node's orderly end: what asks for it, and how long calls have.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::service;
use crate::registry::Registry;

/// Resolves once a signal came, or the operator's word, and the calls are over, or their time is.
pub async fn drained(registry: Registry, limit: Duration, mut stops: Stops) {
    stops.first().await;
    registry.drain();
    service::tell_stopping();
    info!(onliners = registry.onliners(), "draining");
    let calls_over = async {
        while registry.onliners() > 0 {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    };
    tokio::select! {
        () = calls_over => return,
        () = tokio::time::sleep(limit) => {
            warn!(onliners = registry.onliners(), "drain time is over, people dial again");
        }
        () = stops.signal() => warn!("second signal, people dial again"),
    }
    registry.move_people();
    tokio::time::sleep(MOVED_GRACE).await;
}

/// What ends the node, heard from before the ready line on: SIGTERM, SIGINT, and the operator.
pub struct Stops {
    terminate: Signal,
    interrupt: Signal,
    /// The operator's word; once more it changes nothing.
    drain: Arc<Notify>,
}

impl Stops {
    /// # Errors
    /// The system hands out no signals.
    pub fn listen(drain: Arc<Notify>) -> io::Result<Stops> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Stops { terminate, interrupt: signal(SignalKind::interrupt())?, drain })
    }

    async fn first(&mut self) {
        let drain = self.drain.clone();
        tokio::select! {
            () = drain.notified() => {}
            () = self.signal() => {}
        }
    }

    async fn signal(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// How often a drain looks whether the last call is over.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// How long those who were told to dial again have to hear it.
const MOVED_GRACE: Duration = Duration::from_millis(500);
