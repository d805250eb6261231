//! Files of recordings: by ranges, in pieces, and a few at once for each person.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::try_unfold;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tracing::warn;

use super::range::Range;
use super::reply::Reply;
use crate::core::Jid;
use crate::limits::{DOWNLOAD_PIECE_BYTES, DOWNLOADS_PER_PERSON_MAX};
use crate::record::upload::Stored;
use crate::wire::http::{ErrorCode, HttpError};

/// How many downloads each person has under way.
#[derive(Clone, Debug, Default)]
pub struct Downloads(Arc<Mutex<HashMap<Jid, usize>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Download {
    all: Downloads,
    jid: Jid,
}

/// Where what is sent lies.
pub enum Source {
    Here(File),
    /// Only in the store.
    Stored(Stored),
}

/// What is sent, before a range of it is chosen.
pub struct Sent {
    pub source: Source,
    /// In bytes.
    pub length: u64,
    pub name: String,
    /// What the browser may save it as; `None` = it may show it.
    pub saved_as: Option<String>,
    /// 64 hexadecimal digits, where they are known.
    pub sha256: Option<String>,
}

impl Downloads {
    /// One more; it ends when what is returned is dropped.
    ///
    /// # Errors
    /// `RATE_LIMIT`: he has `DOWNLOADS_PER_PERSON_MAX` already.
    pub fn begin(&self, jid: &Jid) -> Result<Download, HttpError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = all.entry(jid.clone()).or_default();
        if *under_way >= DOWNLOADS_PER_PERSON_MAX {
            let reason = format!("more than {DOWNLOADS_PER_PERSON_MAX} downloads at once");
            return Err(HttpError::because(ErrorCode::RateLimit, reason));
        }
        *under_way += 1;
        Ok(Download { all: self.clone(), jid: jid.clone() })
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = all.get_mut(&self.jid) {
            *under_way -= 1;
            if *under_way == 0 {
                all.remove(&self.jid);
            }
        }
    }
}

impl Sent {
    pub fn of_store(stored: Stored, name: String, saved_as: Option<String>) -> Self {
        let (length, sha256) = (stored.bytes, Some(stored.sha256.clone()));
        Self { source: Source::Stored(stored), length, name, saved_as, sha256 }
    }

    /// Answers with the bytes that are asked for. `HEAD` takes no place among the downloads.
    ///
    /// # Errors
    /// `RATE_LIMIT`, or the disk or the store fails.
    pub async fn respond(
        self,
        method: &Method,
        headers: &HeaderMap,
        begin: impl FnOnce() -> Result<Download, HttpError>,
    ) -> Result<Response, HttpError> {
        let etag = self.sha256.as_ref().map(|sha256| format!("\"{sha256}\""));
        let asked = text(headers, &RANGE).filter(|_| is_same(headers, etag.as_deref()));
        let (status, start, end) = match Range::of(asked, self.length) {
            Range::Whole => (StatusCode::OK, 0, self.length),
            Range::Part { start, end } => (StatusCode::PARTIAL_CONTENT, start, end),
            Range::Outside => return Ok(outside(self.length)),
        };
        let mut response = match *method == Method::HEAD {
            true => Response::new(Body::empty()),
            false => Response::new(self.source.body(start, end, begin()?).await?),
        };
        *response.status_mut() = status;
        let saved_as = self.saved_as.map(|name| format!("attachment; filename=\"{name}\""));
        let part = format!("bytes {start}-{}/{}", end.saturating_sub(1), self.length);
        let part = (status == StatusCode::PARTIAL_CONTENT).then_some(part);
        for (name, value) in [
            (CONTENT_TYPE, Some(content_type(&self.name).to_owned())),
            (CONTENT_LENGTH, Some((end - start).to_string())),
            (CONTENT_RANGE, part),
            (CONTENT_DISPOSITION, saved_as),
            (ETAG, etag),
            (ACCEPT_RANGES, Some("bytes".to_owned())),
            // What is deleted is nowhere else.
            (CACHE_CONTROL, Some("no-store".to_owned())),
            (X_CONTENT_TYPE_OPTIONS, Some("nosniff".to_owned())),
        ] {
            let value = value.and_then(|value| HeaderValue::from_str(&value).ok());
            response.headers_mut().extend(value.map(|value| (name, value)));
        }
        Ok(response)
    }
}

/// Whether a range may be of the file as it is now (RFC 9110 section 13.1.5): what cannot be known
/// again is another one.
fn is_same(headers: &HeaderMap, etag: Option<&str>) -> bool {
    match headers.get(IF_RANGE) {
        None => true,
        Some(known) => etag.is_some_and(|etag| known.as_bytes() == etag.as_bytes()),
    }
}

fn outside(length: u64) -> Response {
    let error = HttpError::because(ErrorCode::InvalidData, "the file has no such bytes");
    let mut response = Reply::from(error).into_response();
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    let range = HeaderValue::from_str(&format!("bytes */{length}"));
    response.headers_mut().extend(range.ok().map(|range| (CONTENT_RANGE, range)));
    response
}

impl Source {
    /// The download is over when the body is dropped.
    async fn body(self, start: u64, end: u64, download: Download) -> Result<Body, HttpError> {
        match self {
            Source::Here(file) => of_file(file, start, end, download).await,
            Source::Stored(stored) => of_store(&stored, start, end, download).await,
        }
    }
}

async fn of_store(
    stored: &Stored,
    start: u64,
    end: u64,
    download: Download,
) -> Result<Body, HttpError> {
    let pieces = stored.read(start..end).await.map_err(|fault| {
        warn!(%fault, "a download is refused");
        HttpError::because(ErrorCode::Internal, "the store of recordings does not answer")
    })?;
    Ok(Body::from_stream(pieces.map(move |piece| {
        let _until_all_is_sent = &download;
        piece
    })))
}

async fn of_file(file: File, start: u64, end: u64, download: Download) -> Result<Body, HttpError> {
    let mut file = tokio::fs::File::from_std(file);
    let at = file.seek(SeekFrom::Start(start)).await;
    at.map_err(|_| HttpError::new(ErrorCode::Internal))?;
    let pieces = try_unfold((file, end - start, download), async |(mut file, left, download)| {
        if left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let most = left.min(DOWNLOAD_PIECE_BYTES as u64);
        let mut piece = Vec::with_capacity(DOWNLOAD_PIECE_BYTES.min(most as usize));
        (&mut file).take(most).read_to_end(&mut piece).await?;
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let left = left - piece.len() as u64;
        Ok(Some((Bytes::from(piece), (file, left, download))))
    });
    Ok(Body::from_stream(pieces))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("wav") => "audio/wav",
        Some("opus" | "ogg") => "audio/ogg",
        Some("json") => "application/json",
        Some("vtt") => "text/vtt; charset=utf-8",
        Some("txt" | "rttm" | "jsonl") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_downloads_of_one_person_are_taken_and_a_fifth_is_not() {
        let (downloads, anna) = (Downloads::default(), Jid::parse("d-anna").unwrap());
        let mut four: Vec<_> = (0..4).map(|_| downloads.begin(&anna).unwrap()).collect();
        assert_eq!(downloads.begin(&anna).unwrap_err().code, ErrorCode::RateLimit);
        assert!(downloads.begin(&Jid::parse("d-boris").unwrap()).is_ok());
        four.pop();
        four.push(downloads.begin(&anna).unwrap());
        drop(four);
        assert!(downloads.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_range_of_a_file_that_cannot_be_known_again_is_all_of_it() {
        let mut headers = HeaderMap::new();
        assert!(is_same(&headers, None) && is_same(&headers, Some("\"a\"")));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"a\""));
        assert!(is_same(&headers, Some("\"a\"")));
        assert!(!is_same(&headers, Some("\"b\"")) && !is_same(&headers, None));
    }
}
