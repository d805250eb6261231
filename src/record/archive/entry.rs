//! A recording as lists show it: derived from its report, or, while it has none, from the first
//! line of its timeline.

use std::io::{self, Read};

use super::marks::Marks;
use crate::core::{ChatKey, Jid};
use crate::record::finish::read_report;
use crate::record::line::{self, ChatName, Event, TIMELINE, TIMELINE_PART};
use crate::record::progress::State;
use crate::record::report::{FileReport, REPORT, Report};
use crate::record::store::{Folder, Id};

/// A timeline's first line is looked for in so many bytes; it has under 1 KiB.
const FIRST_LINE_BYTES_MAX: u64 = 16 * 1024;

/// See the module's words. Times are in the product's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: Id,
    /// The call's uid.
    pub call: String,
    pub chat: ChatKey,
    /// A group's; `""` for a direct chat, which each of the two names after the other.
    pub chat_name: String,
    pub began: String,
    /// `None` until it is finished, and so are all below but the last three.
    pub ended: Option<String>,
    /// 0 until it is finished.
    pub duration_ms: u64,
    /// Whoever was in the call, in the order they came; nobody until it is finished.
    pub people: Vec<Participant>,
    pub marks: Marks,
    /// Of all its files.
    pub bytes: u64,
    pub state: State,
}

/// Somebody who was in the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    pub jid: String,
    pub display_name: String,
    pub talked_ms: u64,
}

/// What a folder says of its recording.
pub(super) enum Found {
    /// It is finished: with the files whose checksums are known.
    Finished(Entry, Vec<FileReport>),
    /// It is being made, or to be finished.
    Unfinished(Entry),
    /// Its first line is not written yet.
    Nothing,
}

impl Entry {
    /// How the other one of a direct chat was called, as far as he was in the call.
    pub fn name_of(&self, jid: &Jid) -> Option<&str> {
        let person = self.people.iter().find(|person| person.jid == jid.as_str());
        person.map(|person| person.display_name.as_str())
    }
}

/// Looks into a folder.
///
/// # Errors
/// It cannot be read, or what is in it is not what the layout says.
pub(super) fn find(id: &Id, folder: &Folder) -> io::Result<Found> {
    if folder.has(REPORT) {
        let report = read_report(folder)?;
        let files = report.files.clone();
        return Ok(Found::Finished(of_report(id, report, folder)?, files));
    }
    let Some(line) = first_line(folder)? else { return Ok(Found::Nothing) };
    of_line(id, &line, folder).map(Found::Unfinished)
}

/// Whether the folder's recording is still being made, or to be finished, where nobody tells.
pub(super) fn is_being_made(folder: &Folder) -> bool {
    folder.has(TIMELINE_PART)
}

fn of_report(id: &Id, report: Report, folder: &Folder) -> io::Result<Entry> {
    let chat = chat_key(&report.chat)?;
    let people = report.people.into_iter().map(|person| Participant {
        jid: person.jid,
        display_name: person.display_name,
        talked_ms: person.talked_ms,
    });
    Ok(Entry {
        id: id.clone(),
        call: report.call,
        chat,
        chat_name: report.chat.display_name,
        began: report.began,
        ended: Some(report.ended),
        duration_ms: report.duration_ms,
        people: people.collect(),
        marks: Marks::read(folder),
        bytes: folder.bytes()?,
        state: State::Ready,
    })
}

fn of_line(id: &Id, line: &[u8], folder: &Folder) -> io::Result<Entry> {
    let (lines, _) = line::read(line);
    let Some(Event::Recording { call, chat, began, .. }) =
        lines.into_iter().next().map(|it| it.event)
    else {
        return Err(garbled("the timeline does not begin with its recording"));
    };
    Ok(Entry {
        id: id.clone(),
        call,
        chat: chat_key(&chat)?,
        chat_name: chat.display_name,
        began,
        ended: None,
        duration_ms: 0,
        people: Vec::new(),
        marks: Marks::read(folder),
        bytes: folder.bytes()?,
        state: State::Finishing { percent: 0 },
    })
}

/// `None` while it is not whole.
fn first_line(folder: &Folder) -> io::Result<Option<Vec<u8>>> {
    let file = match folder.open(TIMELINE_PART) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => folder.open(TIMELINE),
        opened => opened,
    };
    let mut head = Vec::new();
    match file {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
        Ok(file) => drop(file.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut head)?),
    }
    let end = head.iter().position(|byte| *byte == b'\n');
    Ok(end.map(|end| head[..end].to_vec()))
}

fn chat_key(chat: &ChatName) -> io::Result<ChatKey> {
    let jids: Option<Vec<Jid>> = chat.jids.iter().map(|jid| Jid::parse(jid)).collect();
    let mut jids = jids.unwrap_or_default();
    jids.sort();
    match (chat.kind.as_str(), jids.as_slice()) {
        ("direct", [one, other]) => Ok(ChatKey::Direct(one.clone(), other.clone())),
        ("group", [jid]) => Ok(ChatKey::Group(jid.clone())),
        _ => Err(garbled("neither two people's chat nor a group")),
    }
}

fn garbled(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
