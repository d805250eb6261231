//! Deletes in the store what was deleted here. Until that is done the recording's folder stays,
//! with its ledger alone in it.

use std::io::{self, ErrorKind::DirectoryNotEmpty, ErrorKind::NotFound};

use tracing::{info, warn};

use super::UploadFault;
use super::ledger::{Ledger, Stage, UPLOAD};
use super::tending::{Tending, blocking};
use crate::record::line::TIMELINE;
use crate::record::report::REPORT;
use crate::record::store::{Folder, Id, PART, Root};

impl Tending {
    /// Call.json first: who finds it finds the rest. What is not ours stays.
    pub(super) async fn undo(&self, id: &Id, ledger: &Ledger) -> Result<(), UploadFault> {
        let depot = &self.spec.depot;
        if ledger.store != depot.url() {
            return Err(UploadFault::Elsewhere(ledger.store.clone()));
        }
        let (reports, rest): (Vec<_>, Vec<_>) =
            ledger.files.iter().partition(|(name, _)| *name == REPORT);
        for (name, held) in reports.into_iter().chain(rest) {
            let place = depot.place(id, name);
            if let Stage::Parts { upload, .. } = &held.stage {
                depot.abort(&place, upload).await?;
            }
            match depot.head(&place).await? {
                Some(found) if found.sha256.as_ref() == Some(&held.sha256) => {
                    depot.delete(&place).await?;
                }
                Some(_) => warn!(recording = %id, name, "an object that is not ours stays"),
                None => {}
            }
        }
        let (spec, gone) = (self.spec.clone(), id.clone());
        blocking(move || spec.root.remove(&gone)).await?;
        info!(recording = %id, "recording is deleted in the store too");
        Ok(())
    }
}

/// Takes a deleted recording's folder away, all but its ledger where the store may have some of it.
///
/// # Errors
/// Some of it stays that should not.
pub fn take_away(root: &Root, id: &Id) -> io::Result<()> {
    if !root.folder(id)?.has(UPLOAD) {
        match root.remove(id) {
            // A ledger came meanwhile.
            Err(fault) if matches!(fault.kind(), DirectoryNotEmpty | NotFound) => {}
            done => return done,
        }
    }
    let folder = root.folder(id)?;
    let is_ledger = |name: &str| name.strip_suffix(PART).unwrap_or(name) == UPLOAD;
    for name in folder.names()?.iter().filter(|name| !is_ledger(name)) {
        folder.discard(name)?;
    }
    Ok(())
}

/// Whether nothing is left of a recording but what the store has still to delete.
pub fn is_leftover(folder: &Folder) -> bool {
    let is_there = |name: &str| folder.has(name) || folder.has(&format!("{name}{PART}"));
    folder.has(UPLOAD) && !is_there(REPORT) && !is_there(TIMELINE)
}
