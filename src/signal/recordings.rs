//! The HTTP routes of recordings (docs/protocol.md, "Recordings"). Who may see one the core says;
//! one that somebody may not see is not there.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::error;

use super::access::Caller;
use super::api::{Body, json as body_json};
use super::downloads::{Sent, Source};
use super::reply::Reply;
use super::{Shell, access};
use crate::clock;
use crate::core::directory::Pass;
use crate::core::{ChatKey, Jid, Reader, Rights};
use crate::record::archive::{self, Archive, Deletion, Entry, Fault, Why};
use crate::record::finish::read_report;
use crate::record::report::Report;
use crate::record::store::{Id, PART, is_file_name};
use crate::record::upload::UPLOAD;
use crate::wire::http::{ErrorCode, HttpError, value};
use crate::wire::recordings::{
    self, RecordedChat, RecordedPerson, RecordingHead, RecordingSummary, RecordingView, Recordings,
};

/// Somebody who asks for recordings.
struct Asker {
    shell: Shell,
    archive: Arc<Archive>,
    reader: Reader,
    pass: Arc<Pass>,
}

pub async fn list(
    State(shell): State<Shell>,
    Path(team): Path<String>,
    caller: Caller,
    uri: Uri,
) -> Reply {
    let list = async {
        let asker = Asker::of(&shell, &team, &caller)?;
        let query = recordings::query(&access::query(&uri))?;
        let reader = asker.reader.clone();
        let page = asker.archive(move |archive| archive.list(&query, &reader)).await?;
        let recordings = page.entries.into_iter().map(|entry| asker.summary(entry)).collect();
        let next = page.next.map(|id| id.to_string());
        Ok(value(&Recordings { recordings, next }))
    };
    Reply(list.await)
}

pub async fn view(
    State(shell): State<Shell>,
    Path((team, id)): Path<(String, String)>,
    caller: Caller,
) -> Reply {
    let view = async {
        let asker = Asker::of(&shell, &team, &caller)?;
        let (entry, _) = asker.entry(&id).await?;
        let id = entry.id.clone();
        let is_finished = entry.ended.is_some();
        let read = move |archive: &Archive| {
            let read = || Ok(Some(read_report(&archive.folder(&id)?)?));
            if is_finished { read() } else { Ok(None) }
        };
        let report = asker.archive(read).await?;
        Ok(value(&asker.view(entry, report)))
    };
    Reply(view.await)
}

/// `{tags?, favourite?}`
pub async fn change(
    State(shell): State<Shell>,
    Path((team, id)): Path<(String, String)>,
    caller: Caller,
    body: Body,
) -> Reply {
    let change = async {
        let asker = Asker::of(&shell, &team, &caller)?;
        let entry = asker.entry_to_change(&id).await?;
        let change = recordings::change(&body_json(&shell, body)?)?;
        let marked = asker.archive(move |archive| archive.mark(&entry.id, change)).await?;
        Ok(value(&asker.summary(marked.ok_or_else(unknown)?)))
    };
    Reply(change.await)
}

pub async fn delete(
    State(shell): State<Shell>,
    Path((team, id)): Path<(String, String)>,
    caller: Caller,
) -> Reply {
    let delete = async {
        let asker = Asker::of(&shell, &team, &caller)?;
        let entry = asker.entry_to_change(&id).await?;
        let (now, by) = (clock::wall(), asker.reader.jid.to_string());
        let delete = move |archive: &Archive| archive.delete(now, &entry.id, &by, Why::Asked);
        match asker.archive(delete).await? {
            Deletion::Gone => Ok(json!({})),
            Deletion::Unknown => Err(unknown()),
            Deletion::Busy => {
                let reason = "it is being made or finished: delete it once it is ready";
                Err(HttpError::because(ErrorCode::InvalidData, reason))
            }
        }
    };
    Reply(delete.await)
}

/// A file, or a range of it; `?download=true` has it saved.
pub async fn file(
    State(shell): State<Shell>,
    Path((team, id, name)): Path<(String, String, String)>,
    method: Method,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let file = async {
        let asker = Asker::of(&shell, &team, &caller)?;
        let (entry, _) = asker.entry(&id).await?;
        if !is_file_name(&name) || name.ends_with(PART) || name == UPLOAD {
            return Err(unknown());
        }
        let is_saved = access::value(&access::query(&uri), "download") == Some("true");
        let saved_as = is_saved.then(|| format!("{}-{name}", entry.id));
        let open = move |archive: &Archive| {
            let id = &entry.id;
            let Ok(file) = archive.folder(id).and_then(|folder| folder.open(&name)) else {
                let stored = archive.stored(id, &name)?;
                return Ok(stored.map(|stored| Sent::of_store(stored, name, saved_as)));
            };
            let (length, sha256) = (file.metadata()?.len(), archive.sha256(id, &name)?);
            let source = Source::Here(file);
            Ok(Some(Sent { source, length, name, saved_as, sha256 }))
        };
        let sent = asker.archive(open).await?.ok_or_else(unknown)?;
        let begin = || shell.downloads.begin(&asker.reader.jid);
        sent.respond(&method, &headers, begin).await
    };
    file.await.unwrap_or_else(|error| Reply::from(error).into_response())
}

impl Asker {
    fn of(shell: &Shell, team: &str, caller: &Caller) -> Result<Self, HttpError> {
        let sender = caller.of(team)?;
        let reader = shell.sockets.directory().reader(&sender.pass);
        let off = || HttpError::because(ErrorCode::NotFound, "this server does not record");
        let archive = shell.archive.clone().ok_or_else(off)?;
        Ok(Self { shell: shell.clone(), archive, reader, pass: sender.pass })
    }

    /// Asks the archive, which blocks.
    async fn archive<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Archive) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, HttpError> {
        let archive = self.archive.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&archive)).await;
        let internal = || HttpError::new(ErrorCode::Internal);
        let asked = asked.map_err(|fault| {
            error!(%fault, "the archive has panicked");
            internal()
        })?;
        asked.map_err(|fault| {
            error!(%fault, "the archive cannot answer");
            internal()
        })
    }

    /// A recording that he may see, and what he may do with it.
    async fn entry(&self, id: &str) -> Result<(Entry, Rights), HttpError> {
        let id = Id::parse(id).ok_or_else(unknown)?;
        let entry = self.archive(move |archive| archive.entry(&id)).await?;
        let rights = |entry: &Entry| self.reader.reads(&entry.chat).then_some(self.pass.rights);
        entry.and_then(|entry| rights(&entry).map(|rights| (entry, rights))).ok_or_else(unknown)
    }

    async fn entry_to_change(&self, id: &str) -> Result<Entry, HttpError> {
        let (entry, rights) = self.entry(id).await?;
        let refusal = || HttpError::because(ErrorCode::AccessDenied, "you may not record here");
        rights.record.then_some(entry).ok_or_else(refusal)
    }

    fn summary(&self, entry: Entry) -> RecordingSummary {
        let head = self.head(&entry);
        let person = |person: archive::Participant| RecordedPerson {
            jid: person.jid,
            display_name: person.display_name,
            talked_ms: person.talked_ms,
        };
        RecordingSummary { head, people: entry.people.into_iter().map(person).collect() }
    }

    fn view(&self, entry: Entry, report: Option<Report>) -> RecordingView {
        let head = self.head(&entry);
        match report {
            Some(report) => RecordingView::of(head, report),
            None => RecordingView::unfinished(head),
        }
    }

    fn head(&self, entry: &Entry) -> RecordingHead {
        RecordingHead {
            id: entry.id.to_string(),
            call: entry.call.clone(),
            chat: self.chat(entry),
            began: entry.began.clone(),
            ended: entry.ended.clone(),
            duration_ms: entry.duration_ms,
            tags: entry.marks.tags.iter().map(str::to_owned).collect(),
            favourite: entry.marks.favourite,
            bytes: entry.bytes,
            state: entry.state.label(),
            progress: entry.state.percent(),
        }
    }

    /// A direct chat is named after the other one, as he was called in the call, else as he is
    /// called now.
    fn chat(&self, entry: &Entry) -> RecordedChat {
        let jid: &Jid = entry.chat.jid_for(&self.reader.jid);
        let (kind, display_name) = match &entry.chat {
            ChatKey::Group(_) => ("group", entry.chat_name.clone()),
            ChatKey::Direct(..) => {
                let name = entry.name_of(jid).map(str::to_owned);
                let name = name.or_else(|| self.shell.sockets.directory().name_of(&self.pass, jid));
                ("direct", name.unwrap_or_default())
            }
        };
        RecordedChat { jid: jid.to_string(), kind, display_name }
    }
}

fn unknown() -> HttpError {
    HttpError::new(ErrorCode::NotFound)
}
