//! What is to be done for a recording now, told by what lies in its folder.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::stats::Stats;
use super::{Ledger, Spec, UploadFault};
use crate::clock;
use crate::record::archive;
use crate::record::hook::TODO;
use crate::record::report::REPORT;
use crate::record::store::{Folder, Id};
use crate::wire::time;

/// See the module's words.
pub struct Tending {
    pub(super) spec: Arc<Spec>,
    pub(super) stats: Arc<Stats>,
}

/// The next thing to do.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Nothing,
    /// The store has not all of it.
    Send,
    /// Its sound may go from this disk.
    Retire(Ledger),
    /// It is deleted here, and its objects are not.
    Undo(Ledger),
}

impl Tending {
    pub fn new(spec: Spec, stats: Arc<Stats>) -> Tending {
        Tending { spec: Arc::new(spec), stats }
    }

    /// All for which there is something to do, the oldest first.
    ///
    /// # Errors
    /// The folder of recordings cannot be read.
    pub async fn due(&self) -> io::Result<VecDeque<Id>> {
        let spec = self.spec.clone();
        blocking(move || {
            let is_due = |id: &Id| match spec.root.folder(id) {
                // What cannot be read is told of when it is tended.
                Ok(folder) => !matches!(task(&spec, id, &folder), Ok(Task::Nothing)),
                Err(_) => false,
            };
            Ok(spec.root.ids()?.into_iter().filter(is_due).collect())
        })
        .await
    }

    /// Does what there is to do for one.
    pub async fn tend(&self, id: &Id) -> Result<(), UploadFault> {
        let (spec, wanted) = (self.spec.clone(), id.clone());
        let found = blocking(move || match spec.root.folder(&wanted) {
            Ok(folder) => Ok(Some((task(&spec, &wanted, &folder)?, Arc::new(folder)))),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        });
        let Some((task, folder)) = found.await? else { return Ok(()) };
        match task {
            Task::Nothing => Ok(()),
            Task::Send => self.send(id, folder).await,
            Task::Retire(ledger) => self.retire(id, folder, &ledger).await,
            Task::Undo(ledger) => self.undo(id, &ledger).await,
        }
    }
}

fn task(spec: &Spec, id: &Id, folder: &Folder) -> io::Result<Task> {
    let ledger = Ledger::read(folder)?;
    let is_deleted = || archive::is_deleted(&spec.root, id);
    if !folder.has(REPORT) {
        return Ok(match ledger {
            Some(ledger) if is_deleted()? => Task::Undo(ledger),
            _ => Task::Nothing,
        });
    }
    let Some(ledger) = ledger else {
        let is_ready = !folder.has(TODO) && !is_deleted()?;
        return Ok(if is_ready { Task::Send } else { Task::Nothing });
    };
    match &ledger.confirmed {
        None if is_deleted()? => Ok(Task::Nothing),
        None => Ok(Task::Send),
        Some(when) if is_over(spec, when) && has_sound(folder)? => Ok(Task::Retire(ledger)),
        Some(_) => Ok(Task::Nothing),
    }
}

/// Whether files that were confirmed then have been here for long enough.
fn is_over(spec: &Spec, confirmed: &str) -> bool {
    let days = DAY_NANOS.saturating_mul(spec.keep_local_days.into());
    let until = time::parse(confirmed).map(|then| then.saturating_add(days));
    spec.keep_local_days > 0 && until.is_some_and(|until| until <= clock::wall().as_nanos())
}

fn has_sound(folder: &Folder) -> io::Result<bool> {
    Ok(folder.names()?.iter().any(|name| is_sound(name)))
}

/// The large files, which people play and do not look at.
pub(super) fn is_sound(name: &str) -> bool {
    name == "mix.opus"
        || (name.starts_with("mix") && name.ends_with(".wav"))
        || (name.starts_with("track-") && name.ends_with(".opus"))
}

/// Asks the disk, which may take its time.
pub(super) async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(ask).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

const DAY_NANOS: i64 = 24 * 3_600 * 1_000_000_000;

#[cfg(test)]
mod tests;
