//! The SQLite file, and what goes into it. Knows no folders; each statement is a prepared one, and
//! what comes from people is never part of its text.

use std::path::Path;
use std::{fs, io};

use rusqlite::{Connection, ErrorCode, Transaction, params};

use super::entry::Entry;
use super::marks::{Marks, Tags};
use super::query::fold;
use crate::core::ChatKey;
use crate::record::report::FileReport;
use crate::record::store::Id;

/// The file's name.
pub const INDEX: &str = "index.sqlite";

/// Of the schema.
const VERSION: i64 = 1;

pub type Result<T> = rusqlite::Result<T>;

/// See the module's words.
pub struct Index(pub(super) Connection);

impl Index {
    /// Opens the file, which is there already, maybe empty; one of another version is emptied.
    ///
    /// # Errors
    /// It is garbled, the disk fails, or another process holds it for too long.
    pub fn open(path: &Path) -> Result<Index> {
        let mut connection = Connection::open(path)?;
        // All of it can be made again: what a power cut takes is found by the next look around.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
        )?;
        let version = |connection: &Connection| -> Result<i64> {
            connection.query_row("PRAGMA user_version", [], |row| row.get(0))
        };
        let changing = connection.transaction()?;
        if version(&changing)? != VERSION {
            changing.execute_batch(
                "DROP TABLE IF EXISTS files; DROP TABLE IF EXISTS tags;
                 DROP TABLE IF EXISTS people; DROP TABLE IF EXISTS recordings;",
            )?;
            changing.execute_batch(include_str!("schema.sql"))?;
            changing.pragma_update(None, "user_version", VERSION)?;
        }
        changing.commit()?;
        Ok(Index(connection))
    }

    /// Adds a recording, or replaces it with all that belongs to it.
    pub fn put(&mut self, entry: &Entry, files: &[FileReport]) -> Result<()> {
        let changing = self.0.transaction()?;
        forget(&changing, &entry.id)?;
        let (one, other) = match &entry.chat {
            ChatKey::Direct(one, other) => (one.as_str(), other.as_str()),
            ChatKey::Group(jid) => (jid.as_str(), ""),
        };
        let id = entry.id.as_str();
        changing.execute(
            "INSERT INTO recordings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                id,
                entry.call,
                one,
                other,
                entry.chat_name,
                fold(&entry.chat_name),
                entry.began,
                entry.ended,
                signed(entry.duration_ms),
                signed(entry.bytes),
                entry.marks.favourite,
            ],
        )?;
        let mut person = changing.prepare("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)")?;
        for (place, who) in (0_i64..).zip(&entry.people) {
            let (name, talked) = (&who.display_name, signed(who.talked_ms));
            person.execute(params![id, place, who.jid, name, fold(name), talked])?;
        }
        drop(person);
        let mut file = changing.prepare("INSERT OR REPLACE INTO files VALUES (?, ?, ?)")?;
        for known in files {
            file.execute(params![id, known.name, known.sha256])?;
        }
        drop(file);
        put_tags(&changing, &entry.id, &entry.marks.tags)?;
        changing.commit()
    }

    pub fn mark(&mut self, id: &Id, marks: &Marks, bytes: u64) -> Result<()> {
        let changing = self.0.transaction()?;
        changing.execute(
            "UPDATE recordings SET favourite = ?, bytes = ? WHERE id = ?",
            params![marks.favourite, signed(bytes), id.as_str()],
        )?;
        changing.execute("DELETE FROM tags WHERE id = ?", [id.as_str()])?;
        put_tags(&changing, id, &marks.tags)?;
        changing.commit()
    }

    pub fn forget(&mut self, id: &Id) -> Result<()> {
        let changing = self.0.transaction()?;
        forget(&changing, id)?;
        changing.commit()
    }
}

fn put_tags(changing: &Transaction<'_>, id: &Id, tags: &Tags) -> Result<()> {
    let mut put = changing.prepare("INSERT INTO tags VALUES (?, ?, ?, ?)")?;
    for (place, tag) in (0_i64..).zip(tags.iter()) {
        put.execute(params![id.as_str(), place, tag, fold(tag)])?;
    }
    Ok(())
}

fn forget(changing: &Transaction<'_>, id: &Id) -> Result<()> {
    changing.execute("DELETE FROM recordings WHERE id = ?", [id.as_str()]).map(drop)
}

/// The file is no index, or is one no more.
pub fn is_garbled(fault: &rusqlite::Error) -> bool {
    matches!(fault.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Takes the content of an index that nobody has open away, and what SQLite keeps beside it; the
/// file and its mode stay.
///
/// # Errors
/// The disk's.
pub fn empty(path: &Path) -> io::Result<()> {
    for beside in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        match fs::remove_file(name) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
    }
    fs::OpenOptions::new().write(true).truncate(true).open(path).map(drop)
}

/// SQLite's integers are signed; ours never come near the end of theirs.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
