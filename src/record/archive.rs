//! The archive: which recordings there are, and what becomes of them.
//!
//! Their folders are the truth: reports, timelines, tags (`marks.json`), and beside them what was
//! deleted (`deleted.jsonl`). The index in SQLite is derived from these, follows them by itself,
//! and is made anew where it is missing. Everything here blocks, for as long as the disk takes.
//! Who may see what is the chat core's to say: it comes in as a [`Reader`].

mod entry;
mod follow;
mod index;
mod marks;
mod query;
mod retention;
mod search;
mod tombs;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use engine::Wall;
use tracing::{info, warn};

pub use self::entry::{Entry, Participant};
pub use self::follow::Rebuilt;
use self::index::{INDEX, Index};
pub use self::marks::{BadTags, Change, MARKS, Marks, Tags};
pub use self::query::{Limit, Page, Query};
pub use self::retention::{Retention, expire_hourly};
use self::tombs::Tombstone;
pub use self::tombs::{Why, is_deleted};
use super::progress::{Progress, State};
use super::report::Report;
use super::store::{Folder, Id, Root};
use super::upload::{Ledger, Stored, Uploader, take_away};
use crate::core::{ChatKey, Reader};
use crate::wire::time;

/// What fails is our machine.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the index of recordings: {0}")]
    Index(#[from] rusqlite::Error),
    #[error("the folder of recordings: {0}")]
    Disk(#[from] io::Error),
}

/// What became of the wish to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    Gone,
    /// There is no such recording.
    Unknown,
    /// It is being made or finished: later.
    Busy,
}

/// See the module's words.
pub struct Archive {
    root: Arc<Root>,
    progress: Arc<Progress>,
    shelf: Mutex<Shelf>,
    /// Where recordings go to a store: set once, before anybody asks.
    uploader: OnceLock<Arc<Uploader>>,
}

/// What is changed by one at a time.
struct Shelf {
    index: Index,
    /// Folders that are looked at no more: of deleted recordings that could not be taken away, and
    /// such as make no sense. The next start tries again.
    odd: BTreeSet<Id>,
}

impl Archive {
    /// Ends deletions that were cut off, and brings the index up to date: where it is missing or
    /// garbled, from nothing, which reads every report there is.
    ///
    /// # Errors
    /// The folder or the index cannot be used.
    pub fn open(root: Arc<Root>, progress: Arc<Progress>) -> Result<Archive, Fault> {
        drop(root.own_file(INDEX)?);
        let path = root.path().join(INDEX);
        let open = || -> Result<Archive, Fault> {
            let shelf = Shelf { index: Index::open(&path)?, odd: BTreeSet::new() };
            let (root, progress) = (root.clone(), progress.clone());
            let (shelf, uploader) = (Mutex::new(shelf), OnceLock::new());
            let archive = Archive { root, progress, shelf, uploader };
            archive.end_deletions()?;
            archive.follow(&mut archive.shelf())?;
            Ok(archive)
        };
        match open() {
            Err(Fault::Index(fault)) if index::is_garbled(&fault) => {
                warn!(%fault, "the index of recordings is made anew");
                index::empty(&path)?;
                open()
            }
            opened => opened,
        }
    }

    /// Adds a recording that was finished, or finished anew.
    ///
    /// # Errors
    /// Its folder or the index cannot be used; then it is taken in when somebody asks for the list.
    pub fn put(&self, report: &Report) -> Result<(), Fault> {
        let id = Id::parse(&report.id).ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut shelf = self.shelf();
        shelf.odd.remove(&id);
        self.take_in(&mut shelf, &id)
    }

    /// A page of what the reader may see. It looks whether folders came or went: three microseconds
    /// each, measured with 10 000.
    ///
    /// # Errors
    /// The folder or the index cannot be used.
    pub fn list(&self, query: &Query, reader: &Reader) -> Result<Page, Fault> {
        let mut shelf = self.shelf();
        self.follow(&mut shelf)?;
        let mut entries = shelf.index.list(query, reader)?;
        drop(shelf);
        let has_more = entries.len() > query.limit.entries();
        entries.truncate(query.limit.entries());
        let next = entries.last().filter(|_| has_more).map(|entry| entry.id.clone());
        let entries = entries.into_iter().map(|entry| self.of_now(entry));
        Ok(Page { entries: entries.collect(), next })
    }

    /// One recording; `None` where there is none. Whether it may be told is not asked here.
    ///
    /// # Errors
    /// The index cannot be used.
    pub fn entry(&self, id: &Id) -> Result<Option<Entry>, Fault> {
        self.look(&mut self.shelf(), id)
    }

    /// The folder of a recording.
    ///
    /// # Errors
    /// There is none.
    pub fn folder(&self, id: &Id) -> io::Result<Folder> {
        self.root.folder(id)
    }

    /// From here on, recordings are in a store too.
    pub fn join(&self, uploader: Arc<Uploader>) {
        // A second one would be a slip of ours: the first one counts.
        let _ = self.uploader.set(uploader);
    }

    /// A file of a recording that only the store has; `None` where it has none of that name.
    ///
    /// # Errors
    /// The disk fails.
    pub fn stored(&self, id: &Id, name: &str) -> io::Result<Option<Stored>> {
        let Some(uploader) = self.uploader.get() else { return Ok(None) };
        let ledger = Ledger::read(&self.root.folder(id)?)?;
        Ok(ledger.and_then(|ledger| uploader.stored(id, name, &ledger)))
    }

    /// Looks again at a recording of which files are gone.
    pub fn refresh(&self, id: &Id) {
        if let Err(fault) = self.take_in(&mut self.shelf(), id) {
            warn!(recording = %id, %fault, "recording is listed as it was");
        }
    }

    /// The checksum of a file, 64 hexadecimal digits; `None` where none is known.
    ///
    /// # Errors
    /// The index cannot be used.
    pub fn sha256(&self, id: &Id, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.shelf().index.sha256(id, name)?)
    }

    /// Changes tags or favourite: on the disk first. `None` where there is no such recording.
    ///
    /// # Errors
    /// The disk or the index fails; what is on the disk counts.
    pub fn mark(&self, id: &Id, change: Change) -> Result<Option<Entry>, Fault> {
        let mut shelf = self.shelf();
        let Some(mut entry) = self.look(&mut shelf, id)? else { return Ok(None) };
        let folder = self.root.folder(id)?;
        entry.marks = entry.marks.changed(change);
        entry.marks.write(&folder)?;
        entry.bytes = folder.bytes()?;
        shelf.index.mark(id, &entry.marks, entry.bytes)?;
        Ok(Some(entry))
    }

    /// Deletes a recording: the tombstone first, then the folder. Once the stone is set it is
    /// listed no more, and a folder that stays then is taken away at the next start.
    ///
    /// # Errors
    /// The disk or the index fails.
    pub fn delete(&self, now: Wall, id: &Id, by: &str, why: Why) -> Result<Deletion, Fault> {
        let mut shelf = self.shelf();
        let Some(entry) = self.look(&mut shelf, id)? else { return Ok(Deletion::Unknown) };
        if entry.state.is_busy() {
            return Ok(Deletion::Busy);
        }
        let chat = match entry.chat {
            ChatKey::Direct(one, other) => vec![one.to_string(), other.to_string()],
            ChatKey::Group(jid) => vec![jid.to_string()],
        };
        let when = time::format(now.as_nanos());
        let stone = Tombstone { id: id.to_string(), when, by: by.to_owned(), chat, why };
        tombs::set(&self.root, &stone)?;
        info!(recording = %id, by, why = ?why, "recording deleted");
        shelf.odd.insert(id.clone());
        shelf.index.forget(id)?;
        self.progress.set(id, State::Ready);
        take_away(&self.root, id)?;
        shelf.odd.remove(id);
        if let Some(uploader) = self.uploader.get() {
            uploader.add(id.clone());
        }
        Ok(Deletion::Gone)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // What a panic leaves in the middle of a change, SQLite takes back.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
