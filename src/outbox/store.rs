//! The SQLite file of the outbox: numbers facts, keeps them, gives them out again.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Value, json};

use super::{Fact, Kept};
use crate::limits::{FACTS_CALLS_KEPT_NANOS, FACTS_READ_MAX};
use crate::wire::time;

/// The file's name.
pub const FILE: &str = "outbox.sqlite";

/// Of the schema.
const VERSION: i64 = 1;

pub type Result<T> = rusqlite::Result<T>;

/// See the module's words.
pub struct Store {
    connection: Connection,
    facts_max: u64,
}

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Of calls that are over, dropped for their summary.
    pub collapsed: u64,
    /// For want of room.
    pub lost: u64,
}

impl Store {
    /// Opens the file or makes it. A power cut takes nothing that was committed.
    ///
    /// # Errors
    /// It is garbled, of another version, or the disk fails.
    pub fn open(path: &Path, facts_max: u64) -> Result<Store> {
        let mut connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )?;
        let changing = connection.transaction()?;
        let version: i64 = changing.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version == 0 {
            changing.execute_batch(include_str!("schema.sql"))?;
            changing.pragma_update(None, "user_version", VERSION)?;
        } else if version != VERSION {
            return Err(rusqlite::Error::InvalidQuery);
        }
        changing.commit()?;
        Ok(Store { connection, facts_max })
    }

    /// Tells the end of each call that a former process left open, and forgets calls of long ago.
    pub fn close_open_calls(&mut self, now_nanos: i64) -> Result<usize> {
        let changing = self.connection.transaction()?;
        let open: Vec<(String, i64)> = changing
            .prepare("SELECT uid, at FROM calls WHERE is_open ORDER BY uid")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        for (uid, at) in &open {
            let details = summary(&changing, uid, now_nanos.max(*at), "node_restart")?;
            let call = Call { uid: uid.clone(), at: now_nanos.max(*at), ends: true };
            insert(&changing, &call, "finished", "", &details)?;
        }
        changing.execute(
            "DELETE FROM calls WHERE NOT is_open AND at < ?
             AND NOT EXISTS (SELECT 1 FROM facts WHERE call = uid)",
            [now_nanos.saturating_sub(FACTS_CALLS_KEPT_NANOS)],
        )?;
        changing.commit()?;
        Ok(open.len())
    }

    /// Keeps facts and forgets those up to `taken`, all of it or nothing.
    pub fn turn(&mut self, facts: &[Fact], taken: Option<i64>) -> Result<Done> {
        let facts_max = self.facts_max;
        let changing = self.connection.transaction()?;
        if let Some(taken) = taken {
            changing.execute("DELETE FROM facts WHERE id <= ?", [taken])?;
        }
        let mut done = Done::default();
        let mut waiting = count(&changing)?;
        for fact in facts {
            if waiting >= facts_max {
                let collapsed = collapse(&changing)?;
                done.collapsed += collapsed;
                waiting -= collapsed;
            }
            // An end is always told: there are no more of them than calls.
            if waiting >= facts_max && !fact.ends {
                done.lost += 1;
                continue;
            }
            put(&changing, fact)?;
            waiting += 1;
        }
        changing.commit()?;
        Ok(done)
    }

    pub fn count(&self) -> Result<u64> {
        count(&self.connection)
    }

    /// The next facts behind `after`, the oldest first.
    pub fn read(&self, after: i64, most: usize) -> Result<Vec<Kept>> {
        let mut asked = self.connection.prepare(
            "SELECT id, facts.call, facts.seq, kind, facts.at, head, actor, details
             FROM facts JOIN calls ON calls.uid = facts.call
             WHERE id > ? ORDER BY id LIMIT ?",
        )?;
        let most = i64::try_from(most.min(FACTS_READ_MAX)).unwrap_or(0);
        let kept = asked.query_map(params![after, most], |row| {
            let text = |at: usize| row.get::<_, String>(at);
            let (id, seq): (i64, i64) = (row.get(0)?, row.get(2)?);
            let (call, at) = (text(1)?, time::format(row.get(4)?));
            let (kind, head, actor, details) = (text(3)?, text(5)?, text(6)?, text(7)?);
            let actor = if actor.is_empty() { actor } else { format!("\"actor\":{actor},") };
            // Each part was JSON of ours when it was written.
            let body = format!(
                "\"id\":{id},\"call_uid\":\"{call}\",\"call_seq\":{seq},\"at\":\"{at}\",\
                 \"kind\":\"{kind}\",{head},{actor}\"details\":{details}"
            );
            Ok(Kept { id, call, seq, body })
        })?;
        kept.collect()
    }
}

/// A call as a new fact changes it.
struct Call {
    uid: String,
    at: i64,
    ends: bool,
}

fn put(changing: &Transaction<'_>, fact: &Fact) -> Result<()> {
    let uid = &*fact.call;
    let head = format!("\"team\":{},\"chat\":{}", fact.team, fact.chat);
    changing.execute(
        "INSERT INTO calls VALUES (?, 0, ?, ?, NULL, ?)
         ON CONFLICT (uid) DO UPDATE SET at = max(at, excluded.at)",
        params![uid, head, fact.opens, fact.at],
    )?;
    let at = changing.query_row("SELECT at FROM calls WHERE uid = ?", [uid], |row| row.get(0))?;
    if fact.kind == "started" {
        changing.execute("UPDATE calls SET started = ? WHERE uid = ?", params![at, uid])?;
    }
    if let Some((jid, name)) = fact.actor.as_ref().filter(|_| fact.kind == "joined") {
        changing.execute(
            "INSERT INTO people SELECT ?1, ?2, ?3, count(*) FROM people WHERE call = ?1
             ON CONFLICT DO NOTHING",
            params![uid, jid, name],
        )?;
    }
    let actor = fact.actor.as_ref();
    let actor = actor.map(|(jid, name)| json!({ "jid": jid, "display_name": name }).to_string());
    let details = match fact.ends {
        true => {
            let reason = fact.details["reason"].as_str().unwrap_or("left");
            summary(changing, uid, at, reason)?
        }
        false => fact.details.clone(),
    };
    let call = Call { uid: uid.to_owned(), at, ends: fact.ends };
    insert(changing, &call, fact.kind, &actor.unwrap_or_default(), &details)
}

fn insert(
    changing: &Transaction<'_>,
    call: &Call,
    kind: &str,
    actor: &str,
    details: &Value,
) -> Result<()> {
    let seq: i64 = changing.query_row(
        "UPDATE calls SET seq = seq + 1, is_open = is_open AND NOT ?, at = ? WHERE uid = ?
         RETURNING seq",
        params![call.ends, call.at, call.uid],
        |row| row.get(0),
    )?;
    changing.execute(
        "INSERT INTO facts (call, seq, kind, at, actor, details) VALUES (?, ?, ?, ?, ?, ?)",
        params![call.uid, seq, kind, call.at, actor, details.to_string()],
    )?;
    Ok(())
}

/// What is told at a call's end.
fn summary(changing: &Transaction<'_>, uid: &str, at: i64, reason: &str) -> Result<Value> {
    let started = "SELECT started FROM calls WHERE uid = ?";
    let started: Option<i64> =
        changing.query_row(started, [uid], |row| row.get(0)).optional()?.flatten();
    let people: Vec<Value> = changing
        .prepare("SELECT jid, name FROM people WHERE call = ? ORDER BY place")?
        .query_map([uid], |row| {
            let (jid, name): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(json!({ "jid": jid, "display_name": name }))
        })?
        .collect::<Result<_>>()?;
    let duration_ms = started.map_or(0, |started| (at - started).max(0) / 1_000_000);
    let mut summary =
        json!({ "reason": reason, "duration_ms": duration_ms, "people": people, "collapsed": 0 });
    if let Some(started) = started {
        summary["started"] = time::format(started).into();
    }
    Ok(summary)
}

fn count(connection: &Connection) -> Result<u64> {
    let count: i64 = connection.query_row("SELECT count(*) FROM facts", [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Of calls that are over only their end stays, which says how many went. Returns that.
fn collapse(changing: &Transaction<'_>) -> Result<u64> {
    let over: Vec<(String, i64)> = changing
        .prepare(
            "SELECT call, count(*) - 1 FROM facts JOIN calls ON uid = call WHERE NOT is_open
             AND EXISTS (SELECT 1 FROM facts AS ends WHERE ends.call = uid AND kind = 'finished')
             GROUP BY call HAVING count(*) > 1",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    let mut collapsed = 0;
    for (call, more) in over {
        changing.execute("DELETE FROM facts WHERE call = ? AND kind <> 'finished'", [&call])?;
        changing.execute(
            "UPDATE facts SET details = json_set(details, '$.collapsed',
                 json_extract(details, '$.collapsed') + ?) WHERE call = ?",
            params![more, call],
        )?;
        collapsed += u64::try_from(more).unwrap_or(0);
    }
    Ok(collapsed)
}
