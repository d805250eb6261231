//! The index follows the folders: what came, what was finished, what is gone; and all of it anew.

use std::collections::BTreeSet;
use std::io;

use tracing::{info, warn};

use super::entry::{self, Entry, Found};
use super::search::Known;
use super::{Archive, Fault, Shelf, tombs};
use crate::record::progress::State;
use crate::record::store::Id;
use crate::record::upload::{is_leftover, take_away};

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    pub done: usize,
    pub all: usize,
}

impl Archive {
    /// Reads every folder anew, and tells after each how far it is. Others may go on meanwhile.
    ///
    /// # Errors
    /// The folder or the index cannot be used.
    pub fn rebuild(&self, told: &mut dyn FnMut(Rebuilt)) -> Result<(), Fault> {
        self.shelf().odd.clear();
        self.end_deletions()?;
        let ids = self.root.ids()?;
        for (number, id) in (1..).zip(&ids) {
            self.take_in(&mut self.shelf(), id)?;
            told(Rebuilt { done: number, all: ids.len() });
        }
        self.follow(&mut self.shelf())
    }

    /// The index becomes what the folders say: those that came, those that were finished, those
    /// that are gone.
    pub(super) fn follow(&self, shelf: &mut Shelf) -> Result<(), Fault> {
        let folders: BTreeSet<Id> = self.root.ids()?.into_iter().collect();
        let known = shelf.index.known()?;
        for gone in known.keys().filter(|id| !folders.contains(id)) {
            shelf.index.forget(gone)?;
        }
        for id in folders.iter().filter(|id| known.get(id) != Some(&Known::Finished)) {
            self.take_in(shelf, id)?;
        }
        Ok(())
    }

    /// Brings one row up to date.
    pub(super) fn take_in(&self, shelf: &mut Shelf, id: &Id) -> Result<(), Fault> {
        if shelf.odd.contains(id) {
            return Ok(());
        }
        let found = self.root.folder(id).and_then(|folder| entry::find(id, &folder));
        match found {
            Ok(Found::Finished(entry, files)) => shelf.index.put(&entry, &files)?,
            Ok(Found::Unfinished(entry)) => shelf.index.put(&entry, &[])?,
            Ok(Found::Nothing) => {}
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => shelf.index.forget(id)?,
            // The machine's fault: the next look may go better.
            Err(fault) if fault.raw_os_error().is_some() => {
                warn!(recording = %id, %fault, "recording cannot be read");
            }
            Err(fault) => {
                warn!(recording = %id, %fault, "recording makes no sense and is not listed");
                shelf.index.forget(id)?;
                shelf.odd.insert(id.clone());
            }
        }
        Ok(())
    }

    pub(super) fn look(&self, shelf: &mut Shelf, id: &Id) -> Result<Option<Entry>, Fault> {
        let known = shelf.index.entry(id)?;
        let is_whole = known.as_ref().is_some_and(|entry| entry.ended.is_some());
        if !is_whole || self.root.folder(id).is_err() {
            self.take_in(shelf, id)?;
        }
        Ok(shelf.index.entry(id)?.map(|entry| self.of_now(entry)))
    }

    /// With what changes by itself.
    pub(super) fn of_now(&self, mut entry: Entry) -> Entry {
        let told = self.progress.state(&entry.id);
        if entry.ended.is_none()
            && let Ok(folder) = self.root.folder(&entry.id)
        {
            entry.bytes = folder.bytes().unwrap_or(entry.bytes);
            if entry::is_being_made(&folder) {
                entry.state = State::Recording;
            }
        }
        entry.state = told.unwrap_or(entry.state);
        entry
    }

    /// Takes folders away whose recordings are deleted already.
    pub(super) fn end_deletions(&self) -> Result<(), Fault> {
        let folders: BTreeSet<Id> = self.root.ids()?.into_iter().collect();
        for id in tombs::read(&self.root, |id| folders.contains(id))? {
            let mut shelf = self.shelf();
            shelf.index.forget(&id)?;
            if self.root.folder(&id).is_ok_and(|folder| is_leftover(&folder)) {
                // Only the store has some of it still.
                continue;
            }
            match take_away(&self.root, &id) {
                Ok(()) => info!(recording = %id, "deletion ended that was cut off"),
                Err(fault) => {
                    warn!(recording = %id, %fault, "a deleted recording's folder stays");
                    shelf.odd.insert(id);
                }
            }
        }
        Ok(())
    }
}
