//! Recordings of a running server: the recorder, what makes them ready, the archive, and the folder
//! that they have for themselves.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::error;

use super::Floor;
use super::archive::{self, Archive};
use super::finisher::{self, Finisher, Stage};
use super::hook::Hook;
use super::mix::Options;
use super::progress::{Progress, State};
use super::recorder::{self, Recorder};
use super::report::Report;
use super::stats::{Reading, Stats};
use super::store::{Id, Lock, Root};
use super::upload::{self, Depot, Uploader};
use crate::clock::Clock;
use crate::config::{Archive as StoreSection, Record};

/// See the module's words.
pub struct Recordings {
    recorder: Arc<Recorder>,
    finisher: Arc<Finisher>,
    archive: Arc<Archive>,
    uploader: Option<Arc<Uploader>>,
    stats: Arc<Stats>,
    _lock: Lock,
}

/// Why a server does not run that is to record.
#[derive(Debug, thiserror::Error)]
pub enum RecordFault {
    #[error("cannot keep recordings in {}: {fault}", path.display())]
    Folder { path: PathBuf, fault: io::Error },
    #[error("another server records in {}: record.dir gives this one its own", .0.display())]
    Busy(PathBuf),
    #[error(transparent)]
    Archive(#[from] archive::Fault),
    #[error("cannot use the store of recordings: {0}")]
    Store(#[from] upload::StoreFault),
    #[error("cannot start the recorder: {0}")]
    Thread(io::Error),
}

impl Recordings {
    /// Mends, finishes and uploads what an earlier run left, and records from now on. `ready` hears
    /// of each that is ready, at least once. Within a runtime of tokio.
    ///
    /// # Errors
    /// The folder or the store cannot be used, or the machine gives no thread.
    pub fn start(
        config: &Record,
        store: &StoreSection,
        (path, clock): (PathBuf, Clock),
        ready: Box<dyn Fn(&Report) + Send>,
    ) -> Result<Recordings, RecordFault> {
        let fault = |fault| RecordFault::Folder { path: path.clone(), fault };
        let root = Arc::new(Root::open(&path).map_err(fault)?);
        let lock = root.lock().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => RecordFault::Busy(path.clone()),
            _ => fault(error),
        })?;
        let stats = Arc::new(Stats::default());
        let progress = Arc::new(Progress::default());
        let archive = Arc::new(Archive::open(root.clone(), progress.clone())?);
        let uploader = uploader(store, &root, &archive)?;
        let (shown, uploading) = (archive.clone(), uploader.clone());
        let (command, timeout) = (config.hook.clone(), config.hook_timeout);
        let floor = Floor::of(config);
        let finisher = Finisher::start(finisher::Spec {
            root: root.clone(),
            options: Options { layout: config.mix, opus: config.mix_opus },
            floor,
            hook: (!command.is_empty()).then_some(Hook { command, timeout }),
            stats: stats.clone(),
            told: Box::new(move |id, stage| {
                let is_ready = matches!(stage, Stage::Ready(_));
                if let Stage::Ready(report) = &stage {
                    ready(report);
                }
                show(&shown, &progress, id, stage);
                if let Some(uploader) = uploading.as_ref().filter(|_| is_ready) {
                    uploader.add(id.clone());
                }
            }),
        });
        let finisher = Arc::new(finisher.map_err(RecordFault::Thread)?);
        let next = finisher.clone();
        let recorder = Recorder::start(recorder::Spec {
            root,
            clock,
            floor,
            open_max: config.open_max.get().into(),
            stats: stats.clone(),
            ended: Box::new(move |id| next.add(id)),
        });
        let recorder = Arc::new(recorder.map_err(RecordFault::Thread)?);
        Ok(Recordings { recorder, finisher, archive, uploader, stats, _lock: lock })
    }

    pub fn recorder(&self) -> Arc<Recorder> {
        self.recorder.clone()
    }

    pub fn archive(&self) -> Arc<Archive> {
        self.archive.clone()
    }

    pub fn read_stats(&self) -> Reading {
        self.stats.read()
    }

    /// What is counted of the store; zeros where there is none.
    pub fn read_uploads(&self) -> upload::Reading {
        self.uploader.as_ref().map(|uploader| uploader.read_stats()).unwrap_or_default()
    }

    /// Ends every recording and returns once all is written; what is not ready then is made ready
    /// after the next start.
    pub fn stop(&self) {
        self.recorder.stop();
        self.finisher.stop();
        if let Some(uploader) = &self.uploader {
            uploader.stop();
        }
    }
}

/// What brings recordings to the store, where one is configured.
fn uploader(
    store: &StoreSection,
    root: &Arc<Root>,
    archive: &Arc<Archive>,
) -> Result<Option<Arc<Uploader>>, upload::StoreFault> {
    let Some(depot) = Depot::open(store)? else { return Ok(None) };
    let went = archive.clone();
    let uploader = Arc::new(Uploader::start(upload::Spec {
        root: root.clone(),
        depot: Arc::new(depot),
        keep_local_days: store.keep_local_days,
        went: Box::new(move |id| went.refresh(id)),
    }));
    archive.join(uploader.clone());
    Ok(Some(uploader))
}

/// Lets people see how far a recording is.
fn show(archive: &Archive, progress: &Progress, id: &Id, stage: Stage) {
    let state = match stage {
        Stage::Waiting => State::Finishing { percent: 0 },
        Stage::Finishing(percent) => State::Finishing { percent },
        Stage::Ready(report) => {
            if let Err(fault) = archive.put(&report) {
                error!(recording = %id, %fault, "recording is listed later");
            }
            State::Ready
        }
        Stage::Failed => State::Failed,
        Stage::Empty => State::Ready,
    };
    progress.set(id, state);
}
