//! The outbox: what happened in calls, on this disk until the core has it. At least once, in order
//! for each call, and found again after our own death (docs/core.md).
//!
//! Knows no links. One thread owns the file; whoever puts a fact never waits for it.

mod store;
#[cfg(test)]
mod tests;
pub mod webhook;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use crate::limits::{FACTS_A_TURN, FACTS_ORDERS_MAX};
use store::{Done, FILE, Store};

/// Something that happened, not yet numbered.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The call's uid.
    pub call: Arc<str>,
    /// Nanoseconds since 1970.
    pub at: i64,
    pub kind: &'static str,
    /// `{uid, name}`.
    pub team: Value,
    /// As a signal has it.
    pub chat: Value,
    /// Whose doing it is: jid and name.
    pub actor: Option<(String, String)>,
    pub details: Value,
    /// Whether its call is open if this is the first one of it.
    pub opens: bool,
    /// Nothing follows but what becomes of recordings.
    pub ends: bool,
}

/// A fact on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub id: i64,
    pub call: String,
    pub seq: i64,
    /// The members of its JSON object, without the braces.
    pub body: String,
}

/// Why there is no outbox.
#[derive(Debug, thiserror::Error)]
pub enum OutboxFault {
    #[error("{path}: {fault}")]
    File { path: PathBuf, fault: rusqlite::Error },
    #[error("cannot use {path}: {fault}")]
    Folder { path: PathBuf, fault: std::io::Error },
}

/// What is counted.
#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicU64,
    kept: AtomicU64,
    collapsed: AtomicU64,
    lost: AtomicU64,
}

/// One reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// On the disk, not acknowledged.
    pub waiting: u64,
    pub kept: u64,
    pub collapsed: u64,
    pub lost: u64,
}

/// See the module's words.
pub struct Outbox {
    orders: mpsc::Sender<Order>,
    newest: watch::Receiver<i64>,
    counts: Arc<Counts>,
    facts_max: u64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Order {
    Put(Box<Fact>),
    Taken(i64),
    Read { after: i64, most: usize, reply: oneshot::Sender<Vec<Kept>> },
    Stop,
}

impl Outbox {
    /// Opens what `folder` keeps; calls that a former process left open are told as finished.
    ///
    /// # Errors
    /// The folder or the file cannot be used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(folder: &Path, facts_max: u64, now_nanos: i64) -> Result<Outbox, OutboxFault> {
        let path = folder.join(FILE);
        std::fs::create_dir_all(folder)
            .map_err(|fault| OutboxFault::Folder { path: folder.to_owned(), fault })?;
        let file = |fault| OutboxFault::File { path: path.clone(), fault };
        let mut store = Store::open(&path, facts_max).map_err(file)?;
        let closed = store.close_open_calls(now_nanos).map_err(file)?;
        if closed > 0 {
            warn!(calls = closed, "calls of a former run are told as finished");
        }
        let waiting = store.count().map_err(file)?;
        info!(waiting, "outbox open");
        let counts = Arc::new(Counts { waiting: waiting.into(), ..Counts::default() });
        let (orders, inbox) = mpsc::channel(FACTS_ORDERS_MAX);
        let (changed, newest) = watch::channel(0);
        let own = counts.clone();
        let runtime = Handle::current();
        let run = move || run(store, inbox, (&changed, &own), &runtime);
        let thread = std::thread::Builder::new().name("outbox".into()).spawn(run);
        let thread =
            thread.map_err(|fault| OutboxFault::Folder { path: folder.to_owned(), fault })?;
        Ok(Outbox { orders, newest, counts, facts_max, thread: Mutex::new(Some(thread)) })
    }

    /// Keeps a fact soon. Never waits: a disk that hangs for long loses it, counted.
    pub fn put(&self, fact: Fact) {
        let (call, kind) = (fact.call.clone(), fact.kind);
        if self.orders.try_send(Order::Put(Box::new(fact))).is_err() {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            error!(%call, kind, "a fact is lost: the disk of the outbox does not keep up");
        }
    }

    /// The facts behind `after`, at most `most`, once there are some.
    pub async fn next(&self, after: i64, most: usize) -> Vec<Kept> {
        let mut newest = self.newest.clone();
        loop {
            newest.mark_unchanged();
            let (reply, answer) = oneshot::channel();
            let asked = self.orders.send(Order::Read { after, most, reply }).await;
            match (asked, answer.await) {
                (Ok(()), Ok(kept)) if !kept.is_empty() => return kept,
                (Ok(()), Ok(_)) if newest.changed().await.is_ok() => {}
                // It is closed: there will be nothing more.
                _ => std::future::pending().await,
            }
        }
    }

    /// The core has all up to this id.
    pub async fn taken(&self, id: i64) {
        // Closed: they are told again after the next start, and left out there.
        let _ = self.orders.send(Order::Taken(id)).await;
    }

    /// So full that no more calls should begin here.
    pub fn is_nearly_full(&self) -> bool {
        self.counts.waiting.load(Ordering::Relaxed) >= self.facts_max / 10 * 8
    }

    pub fn read(&self) -> Reading {
        let get = |value: &AtomicU64| value.load(Ordering::Relaxed);
        Reading {
            waiting: get(&self.counts.waiting),
            kept: get(&self.counts.kept),
            collapsed: get(&self.counts.collapsed),
            lost: get(&self.counts.lost),
        }
    }

    /// Returns once all that was put is on the disk.
    pub fn stop(&self) {
        // From a thread that may wait; a queue that is full is worked off.
        let _ = self.orders.blocking_send(Order::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            error!("the outbox has panicked");
        }
    }
}

/// How long it waits where the disk fails.
const RETRY: Duration = Duration::from_millis(250);

fn run(
    mut store: Store,
    mut inbox: mpsc::Receiver<Order>,
    (changed, counts): (&watch::Sender<i64>, &Counts),
    runtime: &Handle,
) {
    let mut orders = Vec::with_capacity(FACTS_A_TURN);
    // What could not be written is tried again with what comes next.
    let mut facts: Vec<Fact> = Vec::new();
    let mut taken = None;
    loop {
        let more = inbox.recv_many(&mut orders, FACTS_A_TURN);
        let came = match facts.is_empty() && taken.is_none() {
            true => runtime.block_on(more),
            false => {
                let retry = async { tokio::time::timeout(RETRY, more).await };
                runtime.block_on(retry).unwrap_or(1)
            }
        };
        if came == 0 {
            return;
        }
        let (mut reads, mut stops) = (Vec::new(), false);
        for order in orders.drain(..) {
            match order {
                Order::Put(fact) => facts.push(*fact),
                Order::Taken(id) => taken = taken.max(Some(id)),
                Order::Read { after, most, reply } => reads.push((after, most, reply)),
                Order::Stop => stops = true,
            }
        }
        if !facts.is_empty() || taken.is_some() {
            match store.turn(&facts, taken) {
                Ok(done) => {
                    counts.kept.fetch_add(facts.len() as u64 - done.lost, Ordering::Relaxed);
                    counts.collapsed.fetch_add(done.collapsed, Ordering::Relaxed);
                    counts.lost.fetch_add(done.lost, Ordering::Relaxed);
                    counts.waiting.store(store.count().unwrap_or(0), Ordering::Relaxed);
                    facts.clear();
                    taken = None;
                    changed.send_modify(|turn| *turn += 1);
                    if done != Done::default() {
                        let Done { collapsed, lost } = done;
                        error!(collapsed, lost, "the outbox is full: the core has been away long");
                    }
                }
                Err(fault) => {
                    error!(%fault, facts = facts.len(), "facts are not on the disk, tried again");
                    let over = facts.len().saturating_sub(FACTS_ORDERS_MAX);
                    counts.lost.fetch_add(over as u64, Ordering::Relaxed);
                    facts.drain(..over);
                }
            }
        }
        for (after, most, reply) in reads {
            let kept = store.read(after, most).unwrap_or_else(|fault| {
                error!(%fault, "the outbox cannot be read");
                Vec::new()
            });
            // Whoever asked may be gone.
            let _ = reply.send(kept);
        }
        if stops {
            return;
        }
    }
}
