//! What comes out of the index.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, named_params};

use super::entry::{Entry, Participant};
use super::index::{Index, Result};
use super::marks::{Marks, Tags};
use super::query::{Query, fold};
use crate::core::{ChatKey, Jid, Reader};
use crate::record::progress::State;
use crate::record::store::Id;
use crate::wire::time;

/// Whether a recording's row is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Finished,
    Unfinished,
}

/// What retention looks at.
pub struct Candidate {
    pub id: Id,
    pub bytes: u64,
}

impl Index {
    /// Every recording that has a row.
    pub fn known(&self) -> Result<BTreeMap<Id, Known>> {
        let mut asked = self.0.prepare("SELECT id, ended IS NOT NULL FROM recordings")?;
        let rows = asked.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let mut known = BTreeMap::new();
        for row in rows {
            let (id, is_finished) = row?;
            let state = if is_finished { Known::Finished } else { Known::Unfinished };
            known.extend(Id::parse(&id).map(|id| (id, state)));
        }
        Ok(known)
    }

    /// What the reader may see of what is looked for, the newest first, one more than the page
    /// holds where there are more.
    pub fn list(&self, query: &Query, reader: &Reader) -> Result<Vec<Entry>> {
        let groups: Vec<&str> = reader.groups.iter().map(Jid::as_str).collect();
        let moment = |wall: engine::Wall| time::format(wall.as_nanos());
        let mut asked = self.0.prepare(&format!("{COLUMNS} {FILTER}"))?;
        let found = asked.query_map(
            named_params! {
                ":reader": reader.jid.as_str(),
                ":groups": serde_json::Value::from(groups).to_string(),
                ":before": query.before.as_ref().map(Id::as_str),
                ":chat": query.chat.as_ref().map(Jid::as_str),
                ":person": query.person.as_ref().map(Jid::as_str),
                ":from": query.from.map(moment),
                ":to": query.to.map(moment),
                ":text": query.text.as_deref().map(fold),
                ":tag": query.tag.as_deref().map(fold),
                ":favourite": query.favourite,
                ":most": query.limit.entries() as i64 + 1,
            },
            entry,
        )?;
        let entries = found.filter_map(Result::transpose).collect::<Result<Vec<Entry>>>()?;
        entries.into_iter().map(|entry| self.whole(entry)).collect()
    }

    pub fn entry(&self, id: &Id) -> Result<Option<Entry>> {
        let mut asked = self.0.prepare(&format!("{COLUMNS} WHERE id = ?"))?;
        let found = asked.query_row([id.as_str()], entry).optional()?.flatten();
        found.map(|entry| self.whole(entry)).transpose()
    }

    /// The checksum of a file, 64 hexadecimal digits, where it is known.
    pub fn sha256(&self, id: &Id, name: &str) -> Result<Option<String>> {
        let mut asked = self.0.prepare("SELECT sha256 FROM files WHERE id = ? AND name = ?")?;
        asked.query_row([id.as_str(), name], |row| row.get(0)).optional()
    }

    /// Finished ones that are no favourites and began before that, the oldest first.
    pub fn older(&self, than: &str) -> Result<Vec<Candidate>> {
        let mut asked = self.0.prepare(
            "SELECT id, bytes FROM recordings
             WHERE ended IS NOT NULL AND NOT favourite AND began < ? ORDER BY began, id",
        )?;
        let found =
            asked.query_map([than], |row| Ok((row.get::<_, String>(0)?, unsigned(row.get(1)?))))?;
        let candidate = |row: Result<(String, u64)>| match row {
            Ok((id, bytes)) => Id::parse(&id).map(|id| Ok(Candidate { id, bytes })),
            Err(fault) => Some(Err(fault)),
        };
        found.filter_map(candidate).collect()
    }

    /// Of all finished ones, favourites included.
    pub fn bytes(&self) -> Result<u64> {
        let sum = "SELECT coalesce(sum(bytes), 0) FROM recordings WHERE ended IS NOT NULL";
        self.0.query_row(sum, [], |row| Ok(unsigned(row.get(0)?)))
    }

    /// With its people and its tags.
    fn whole(&self, mut entry: Entry) -> Result<Entry> {
        let id = [entry.id.as_str()];
        let people = "SELECT jid, name, talked_ms FROM people WHERE id = ? ORDER BY place";
        let mut asked = self.0.prepare(people)?;
        let people = asked.query_map(id, |row| {
            let (jid, display_name) = (row.get(0)?, row.get(1)?);
            Ok(Participant { jid, display_name, talked_ms: unsigned(row.get(2)?) })
        })?;
        entry.people = people.collect::<Result<_>>()?;
        let mut asked = self.0.prepare("SELECT tag FROM tags WHERE id = ? ORDER BY place")?;
        let tags = asked.query_map(id, |row| row.get(0))?.collect::<Result<Vec<String>>>()?;
        entry.marks.tags = Tags::try_from(tags).unwrap_or_default();
        Ok(entry)
    }
}

/// A row of [`COLUMNS`], without people and tags; `None` where an id or a jid is none of ours.
fn entry(row: &Row<'_>) -> Result<Option<Entry>> {
    let text = |column: usize| row.get::<_, String>(column);
    let (one, other) = (Jid::parse(&text(2)?), text(3)?);
    let chat = match (one, other.as_str()) {
        (Some(one), "") => Some(ChatKey::Group(one)),
        (Some(one), other) => Jid::parse(other).map(|other| ChatKey::Direct(one, other)),
        (None, _) => None,
    };
    let (Some(id), Some(chat)) = (Id::parse(&text(0)?), chat) else { return Ok(None) };
    let ended: Option<String> = row.get(6)?;
    let state = match ended {
        Some(_) => State::Ready,
        None => State::Finishing { percent: 0 },
    };
    Ok(Some(Entry {
        id,
        call: text(1)?,
        chat,
        chat_name: text(4)?,
        began: text(5)?,
        ended,
        duration_ms: unsigned(row.get(7)?),
        people: Vec::new(),
        marks: Marks { tags: Tags::default(), favourite: row.get(9)? },
        bytes: unsigned(row.get(8)?),
        state,
    }))
}

/// SQLite's integers are signed; ours were not when they went in.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

const COLUMNS: &str = "SELECT id, call, one, other, name, began, ended, duration_ms, bytes, \
    favourite FROM recordings";

/// Of a direct chat the reader names the other one, who is never himself.
const FILTER: &str = "
    WHERE (:before IS NULL OR id < :before)
    AND CASE other
        WHEN '' THEN one IN (SELECT value FROM json_each(:groups))
        ELSE :reader IN (one, other)
    END
    AND (:chat IS NULL OR (:chat IN (one, other) AND :chat <> :reader))
    AND (:person IS NULL OR (other <> '' AND :person IN (one, other))
        OR EXISTS (SELECT 1 FROM people
            WHERE people.id = recordings.id AND people.jid = :person))
    AND (:from IS NULL OR began >= :from)
    AND (:to IS NULL OR began < :to)
    AND (:text IS NULL OR instr(folded, :text) > 0
        OR EXISTS (SELECT 1 FROM people
            WHERE people.id = recordings.id AND instr(people.folded, :text) > 0))
    AND (:tag IS NULL OR EXISTS (SELECT 1 FROM tags
            WHERE tags.id = recordings.id AND tags.folded = :tag))
    AND (:favourite IS NULL OR favourite = :favourite)
    ORDER BY id DESC
    LIMIT :most";
