//! Recordings as HTTP shows them, and what may be asked of them.

use engine::{Jid, Wall};
use serde::Serialize;
use serde_json::Value;

use super::fields::{BadField, Fields, bad};
use super::time;
use crate::limits::{ARCHIVE_PAGE_MAX, SEARCH_CHARS_MAX, TAG_CHARS_MAX};
use crate::record::archive::{Change, Limit, Query, Tags};
use crate::record::report::{
    FileReport, GapReport, PersonReport, Report, Segment, StopReport, TrackReport,
};
use crate::record::store::Id;

/// What is said of a recording wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordingHead {
    pub id: String,
    /// The call's uid.
    pub call: String,
    pub chat: RecordedChat,
    pub began: String,
    /// `null` until it is finished.
    pub ended: Option<String>,
    /// 0 until it is finished.
    pub duration_ms: u64,
    pub tags: Vec<String>,
    pub favourite: bool,
    /// Of all its files.
    pub bytes: u64,
    /// `recording`, `finishing`, `ready` or `failed`.
    pub state: &'static str,
    /// 0 to 100.
    pub progress: u8,
}

/// The chat as the reader names it: a direct one after the other person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedChat {
    pub jid: String,
    /// `direct` or `group`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub display_name: String,
}

/// Somebody who was in the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedPerson {
    pub jid: String,
    pub display_name: String,
    pub talked_ms: u64,
}

/// A recording in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordingSummary {
    #[serde(flatten)]
    pub head: RecordingHead,
    pub people: Vec<RecordedPerson>,
}

/// The result of `GET .../recordings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recordings {
    pub recordings: Vec<RecordingSummary>,
    /// What `before` must be for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The result of `GET .../recordings/ID`: what call.json has of it, and nothing of that until it
/// is finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordingView {
    #[serde(flatten)]
    pub head: RecordingHead,
    pub by: String,
    pub why_ended: String,
    pub people: Vec<PersonReport>,
    pub segments: Vec<Segment>,
    pub gaps: Vec<GapReport>,
    pub stops: Vec<StopReport>,
    pub dropped_packets: u64,
    pub tracks: Vec<TrackReport>,
    pub files: Vec<FileReport>,
}

impl RecordingView {
    pub fn of(head: RecordingHead, report: Report) -> Self {
        Self {
            head,
            by: report.by,
            why_ended: report.why_ended,
            people: report.people,
            segments: report.segments,
            gaps: report.gaps,
            stops: report.stops,
            dropped_packets: report.dropped_packets,
            tracks: report.tracks,
            files: report.files,
        }
    }

    pub fn unfinished(head: RecordingHead) -> Self {
        Self {
            head,
            by: String::new(),
            why_ended: String::new(),
            people: Vec::new(),
            segments: Vec::new(),
            gaps: Vec::new(),
            stops: Vec::new(),
            dropped_packets: 0,
            tracks: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// What is looked for, from the pairs of an address; unknown ones are ignored.
///
/// # Errors
/// Names the pair that cannot be used.
pub fn query(pairs: &[(String, String)]) -> Result<Query, BadField> {
    let mut query = Query::default();
    for (name, text) in pairs.iter().filter(|(_, text)| !text.is_empty()) {
        match name.as_str() {
            "chat" => query.chat = Some(jid(name, text)?),
            "person" => query.person = Some(jid(name, text)?),
            "from" => query.from = Some(moment(name, text)?),
            "to" => query.to = Some(moment(name, text)?),
            "text" => query.text = Some(at_most(name, text, SEARCH_CHARS_MAX)?),
            "tag" => query.tag = Some(at_most(name, text, TAG_CHARS_MAX)?),
            "favourite" => query.favourite = Some(truth(name, text)?),
            "limit" => query.limit = limit(name, text)?,
            "before" => {
                let id = Id::parse(text).ok_or_else(|| bad(name, "not an id"))?;
                query.before = Some(id);
            }
            _ => {}
        }
    }
    Ok(query)
}

/// What is to be different, from the body of a request.
///
/// # Errors
/// Names the field that cannot be used.
pub fn change(body: &Value) -> Result<Change, BadField> {
    let fields = Fields::of(Some(body), "body", "")?;
    let favourite = fields.flag_if("favourite")?;
    // An absent list leaves the tags alone, an empty one takes them away.
    let tags = match body.get("tags").filter(|tags| !tags.is_null()) {
        None => None,
        Some(_) => {
            let tags = Tags::try_from(fields.texts("tags", usize::MAX)?);
            Some(tags.map_err(|problem| bad("tags", &problem.to_string()))?)
        }
    };
    Ok(Change { tags, favourite })
}

fn jid(name: &str, text: &str) -> Result<Jid, BadField> {
    Jid::parse(text).ok_or_else(|| bad(name, "not a jid"))
}

fn moment(name: &str, text: &str) -> Result<Wall, BadField> {
    let form = "expected a time such as 2026-03-02T09:30:15.264095Z";
    time::parse(text).map(Wall).ok_or_else(|| bad(name, form))
}

fn at_most(name: &str, text: &str, chars_max: usize) -> Result<String, BadField> {
    match text.chars().count() > chars_max {
        true => Err(bad(name, &format!("longer than {chars_max} characters"))),
        false => Ok(text.to_owned()),
    }
}

fn truth(name: &str, text: &str) -> Result<bool, BadField> {
    text.parse().map_err(|_| bad(name, "expected true or false"))
}

fn limit(name: &str, text: &str) -> Result<Limit, BadField> {
    let limit = text.parse().ok().and_then(Limit::new);
    limit.ok_or_else(|| bad(name, &format!("expected 1 to {ARCHIVE_PAGE_MAX}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::limits::TAGS_MAX;

    fn asked(name: &str, text: &str) -> Result<Query, BadField> {
        query(&[(name.to_owned(), text.to_owned())])
    }

    #[test]
    fn each_pair_is_taken_at_its_limit_and_refused_one_over() {
        let (a, e) = ("a".to_owned(), "é".to_owned());
        for (name, fine, wrong) in [
            ("chat", "g-1".to_owned(), "1".to_owned()),
            ("person", "d-1".to_owned(), "../x".to_owned()),
            ("from", "2026-03-02T09:30:15.264095Z".to_owned(), "2026-03-02".to_owned()),
            ("to", "2026-03-02T09:30:15.264095Z".to_owned(), "yesterday".to_owned()),
            ("text", e.repeat(SEARCH_CHARS_MAX), e.repeat(SEARCH_CHARS_MAX + 1)),
            ("tag", e.repeat(TAG_CHARS_MAX), e.repeat(TAG_CHARS_MAX + 1)),
            ("favourite", "false".to_owned(), "yes".to_owned()),
            ("limit", "100".to_owned(), "101".to_owned()),
            ("limit", "1".to_owned(), "0".to_owned()),
            ("before", a.repeat(64), a.repeat(65)),
            ("before", a.clone(), "../a".to_owned()),
        ] {
            assert_ne!(asked(name, &fine).unwrap(), Query::default(), "{name}");
            assert_eq!(asked(name, &wrong).unwrap_err().field, name);
            assert_eq!(asked(name, "").unwrap(), Query::default());
        }
        assert_eq!(asked("token", "secret").unwrap(), Query::default());
    }

    #[test]
    fn absent_tags_stay_and_an_empty_list_takes_them_away() {
        assert_eq!(change(&json!({})).unwrap(), Change::default());
        assert_eq!(change(&Value::Null).unwrap(), Change::default());
        let none = change(&json!({ "tags": [] })).unwrap();
        assert_eq!(none.tags, Some(Tags::default()));
        let most: Vec<String> = (0..=TAGS_MAX).map(|number| number.to_string()).collect();
        assert!(change(&json!({ "tags": most[1..] })).is_ok());
        for wrong in [json!(most), json!(["a".repeat(65)]), json!("a"), json!([1])] {
            assert_eq!(change(&json!({ "tags": wrong })).unwrap_err().field, "tags");
        }
        assert_eq!(change(&json!({ "favourite": 1 })).unwrap_err().field, "favourite");
        assert_eq!(change(&json!([])).unwrap_err().field, "body");
    }
}
