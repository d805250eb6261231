//! The thread that makes recordings ready, one after the other and behind everything else that the
//! machine has to do.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::Floor;
use super::finish::{FinishFault, finish, read_report};
use super::hook::{Hook, HookFault, TODO};
use super::line::{TIMELINE, TIMELINE_PART};
use super::mix::Options;
use super::report::{REPORT, Report};
use super::stats::Stats;
use super::store::{Folder, Id, Root};
use crate::backoff::Backoff;
use crate::limits::RECORD_UNFINISHED_MAX;
use crate::threads;

/// What becomes of a recording on its way.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    Waiting,
    /// So much of it is done, in percent.
    Finishing(u8),
    Ready(Box<Report>),
    /// The log says why; tried again later.
    Failed,
    /// Nothing was ever recorded, and the folder is gone.
    Empty,
}

/// Hears what becomes of each recording.
pub type Told = Box<dyn Fn(&Id, Stage) + Send>;

/// All that it is made of.
pub struct Spec {
    pub root: Arc<Root>,
    pub options: Options,
    /// Left free for what is recorded meanwhile.
    pub floor: Floor,
    pub hook: Option<Hook>,
    pub stats: Arc<Stats>,
    pub told: Told,
}

/// See the module's words.
pub struct Finisher {
    queue: Mutex<Option<SyncSender<Id>>>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Finisher {
    /// Starts it, with all that an earlier run of the server left unfinished. What cannot be
    /// finished is tried again, ever more seldom ([`RETRY`]).
    ///
    /// # Errors
    /// The folder cannot be read, or the machine gives no thread.
    pub fn start(spec: Spec) -> io::Result<Finisher> {
        let (queue, ids) = sync_channel(RECORD_UNFINISHED_MAX);
        let left = unfinished(&spec.root)?;
        for id in &left {
            info!(recording = %id, "recording is to be finished");
            (spec.told)(id, Stage::Waiting);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stops = stop.clone();
        let run = move || run(&spec, left, &ids, &stops);
        let thread = std::thread::Builder::new().name("record-finish".into()).spawn(run)?;
        Ok(Finisher { queue: Mutex::new(Some(queue)), stop, thread: Mutex::new(Some(thread)) })
    }

    pub fn add(&self, id: Id) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.as_ref().is_none_or(|queue| queue.try_send(id.clone()).is_err()) {
            warn!(recording = %id, "recording is finished at the next start");
        }
    }

    /// Ends it soon; what is not ready then is made ready after the next start.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            error!("finishing recordings has panicked: the next start tries again");
        }
    }
}

/// What could not be finished.
struct Again {
    due: Instant,
    failures: u32,
    id: Id,
}

fn run(spec: &Spec, left: Vec<Id>, ids: &Receiver<Id>, stop: &AtomicBool) {
    // A thread of Linux has a priority of its own: calls come first.
    if let Err(fault) = threads::come_last() {
        warn!(%fault, "recordings are finished at the priority of calls");
    }
    let mut waiting: Vec<Again> = Vec::new();
    let mut left = left.into_iter();
    loop {
        let next = left.next().map(|id| (id, 0));
        let Some((id, failures)) = next.or_else(|| next_of(ids, &mut waiting)) else { return };
        if stop.load(Ordering::Relaxed) {
            return;
        }
        match make_ready(spec, &id, stop) {
            Ok(stage) => {
                spec.stats.finished(true);
                (spec.told)(&id, stage);
            }
            Err(fault) if fault.is_stop() => return,
            Err(fault) => {
                let failures = failures + 1;
                let waits = RETRY.wait(failures, 0);
                let retry_s = waits.as_secs();
                error!(recording = %id, %fault, retry_s, "recording cannot be finished");
                spec.stats.finished(false);
                (spec.told)(&id, Stage::Failed);
                if waiting.len() < RECORD_UNFINISHED_MAX {
                    waiting.push(Again { due: Instant::now() + waits, failures, id });
                }
            }
        }
    }
}

/// Another one to be finished, once there is one; `None` at the end.
fn next_of(ids: &Receiver<Id>, waiting: &mut Vec<Again>) -> Option<(Id, u32)> {
    let soonest = waiting.iter().enumerate().min_by_key(|(_, again)| again.due);
    let Some((at, due)) = soonest.map(|(at, again)| (at, again.due)) else {
        return ids.recv().ok().map(|id| (id, 0));
    };
    match ids.recv_timeout(due.saturating_duration_since(Instant::now())) {
        Ok(id) => Some((id, 0)),
        Err(RecvTimeoutError::Timeout) => {
            let again = waiting.swap_remove(at);
            Some((again.id, again.failures))
        }
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

fn make_ready(spec: &Spec, id: &Id, stop: &AtomicBool) -> Result<Stage, FinishFault> {
    let folder = spec.root.folder(id)?;
    let report = match folder.has(REPORT) {
        // Only its program has not run yet.
        true => Some(read_report(&folder)?),
        false => {
            if spec.hook.is_some() {
                folder.write(TODO, b"")?;
            }
            finish(&folder, spec.options, spec.floor, &mut |done| {
                (spec.told)(id, Stage::Finishing((done * 100.0) as u8));
                !stop.load(Ordering::Relaxed)
            })?
        }
    };
    let Some(report) = report else {
        spec.root.remove(id)?;
        info!(recording = %id, "recording was empty");
        return Ok(Stage::Empty);
    };
    let (call, duration_ms) = (&report.call, report.duration_ms);
    info!(%call, recording = %id, duration_ms, "recording is ready");
    if folder.has(TODO) && run_hook(spec, id, &folder, stop) {
        folder.discard(TODO)?;
    }
    Ok(Stage::Ready(Box::new(report)))
}

/// False where it is to be run again.
fn run_hook(spec: &Spec, id: &Id, folder: &Folder, stop: &AtomicBool) -> bool {
    let Some(hook) = &spec.hook else { return true };
    match hook.run(id.as_str(), folder, stop) {
        Ok(()) => info!(recording = %id, "hook ran"),
        Err(fault) => {
            warn!(recording = %id, %fault, "hook failed");
            return !matches!(fault, HookFault::Stopped);
        }
    }
    true
}

/// Recordings that were made and are not ready, the oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn unfinished(root: &Root) -> io::Result<Vec<Id>> {
    let is_open = |id: &Id| {
        root.folder(id).is_ok_and(|folder| {
            let begun = folder.has(TIMELINE) || folder.has(TIMELINE_PART);
            begun && (!folder.has(REPORT) || folder.has(TODO))
        })
    };
    Ok(root.ids()?.into_iter().filter(is_open).collect())
}

/// What could not be finished, for want of room most likely, is tried again after so long, and
/// after twice as long each further time.
const RETRY: Backoff = Backoff { first: Duration::from_secs(60), most: Duration::from_secs(3_600) };
