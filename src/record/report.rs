//! `call.json`: all that is known of a finished recording, derived from its timeline and its
//! tracks. docs/recordings.md is this file in words.

use serde::{Deserialize, Serialize};

use super::line::ChatName;

/// The file's name. A recording that has it is finished.
pub const REPORT: &str = "call.json";

/// Longest one that is read, in bytes: 12 hours of a crowd.
pub const REPORT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// See the module's words. Times in `_ms` count from the recording's beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub version: u32,
    pub id: String,
    /// The call's uid.
    pub call: String,
    pub chat: ChatName,
    /// Wall clock, in the product's time format.
    pub began: String,
    pub ended: String,
    pub duration_ms: u64,
    /// Who asked for it; `""` for the rule that records every call.
    pub by: String,
    /// `record_off`, `call_finished`, `shutdown`, or `cut_off` where the server died.
    pub why_ended: String,
    /// Whoever was in the call, in the order they came.
    pub people: Vec<PersonReport>,
    /// Who spoke when, in order.
    pub segments: Vec<Segment>,
    /// Stretches longer than a word that the network lost.
    pub gaps: Vec<GapReport>,
    /// Stretches in which the disk took nothing.
    pub stops: Vec<StopReport>,
    /// Packets that the recorder had no time for.
    pub dropped_packets: u64,
    pub tracks: Vec<TrackReport>,
    /// Every file but this one.
    pub files: Vec<FileReport>,
}

/// A person in the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonReport {
    pub jid: String,
    pub display_name: String,
    /// The core said that he may not be recorded: no track is his.
    pub no_record: bool,
    pub present: Vec<Span>,
    pub muted: Vec<Span>,
    /// When his devices were sent that the call is recorded.
    pub told_ms: Vec<u64>,
    /// How long he spoke.
    pub talked_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from_ms: u64,
    pub to_ms: u64,
}

/// Somebody spoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub jid: String,
    pub from_ms: u64,
    pub to_ms: u64,
    /// Mean loudness, in -dBov: 0 is the loudest.
    pub level_dbov: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapReport {
    /// The track's file.
    pub file: String,
    pub from_ms: u64,
    pub to_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReport {
    pub from_ms: u64,
    pub to_ms: u64,
    /// `disk_floor`, `disk_full`, `disk_failed`.
    pub why: String,
}

/// One leg's voice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackReport {
    pub file: String,
    pub jid: String,
    pub from_ms: u64,
    pub to_ms: u64,
    pub packets: u64,
    /// What the network lost of it.
    pub lost_ms: u64,
    pub late: u64,
    /// The track's clock against the call's: sample (48 kHz, from the track's beginning) and the
    /// microsecond of the recording in which it was said; straight lines between.
    pub clock: Vec<(u64, i64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    pub name: String,
    pub bytes: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
}

/// `peaks.json`: how loud it was when, for a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peaks {
    /// How long one value stands for, in milliseconds.
    pub interval_ms: u64,
    /// The loudest sample of each interval, 0 to 255.
    pub mix: Vec<u8>,
    /// The same of each person, in the order of `Report::people`; empty for who was never heard.
    pub people: Vec<Vec<u8>>,
}

/// The file's name.
pub const PEAKS: &str = "peaks.json";
