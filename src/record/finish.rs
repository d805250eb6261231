//! Makes a captured recording ready: mended, mixed, described. Whatever is derived is made anew, so
//! it can be done again after anything.

use std::fs::File;
use std::io::{self, Read};

use engine::timeline::ClockMap;
use sha2::{Digest, Sha256};

use super::Floor;
use super::archive::MARKS;
use super::history::{Ending, History, Unreadable};
use super::hook;
use super::line::End;
use super::mix::{self, MixFault, Mixed, Options};
use super::repair::{Repaired, repair};
use super::report::{FileReport, PEAKS, REPORT, Report, TrackReport};
use super::speakers;
use super::store::{Folder, Lock, PART};
use super::track::track_name;
use super::upload::{Ledger, UPLOAD};
use crate::hex;
use crate::wire::time;

/// Files of a recording's folder that are not of the recording.
const NOT_LISTED: [&str; 5] = [REPORT, hook::TODO, hook::LOG, MARKS, UPLOAD];

/// Why a recording cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum FinishFault {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error(transparent)]
    History(#[from] Unreadable),
    #[error(transparent)]
    Mix(#[from] MixFault),
    #[error("its mix takes {needs} bytes, and {free} are free above the floor")]
    NoRoom { needs: u64, free: u64 },
    #[error("another process is mending or mixing it")]
    Busy,
    #[error("only the store has {0} (archive.keep_local_days): fetch that first")]
    Away(String),
}

impl FinishFault {
    /// The server stops: it will be tried again.
    pub fn is_stop(&self) -> bool {
        matches!(self, FinishFault::Mix(MixFault::Stopped))
    }
}

/// Makes a recording ready; `None` for a folder in which nothing was ever recorded. `go_on` hears
/// the share that is done; false ends it. Takes no room that is kept for what is recorded now.
///
/// # Errors
/// The disk fails or has no room, what lies there is no recording, or another process is at it.
pub fn finish(
    folder: &Folder,
    options: Options,
    floor: Floor,
    go_on: &mut dyn FnMut(f32) -> bool,
) -> Result<Option<Report>, FinishFault> {
    let _lock = lock(folder)?;
    let Some(history) = prepare(folder)? else { return Ok(None) };
    check_room(folder, floor, &history, options)?;
    // Of a former time, and true no more: where this is killed, the next start does it again.
    folder.discard(REPORT)?;
    derive(folder, history, options, go_on).map(Some)
}

fn lock(folder: &Folder) -> Result<Lock, FinishFault> {
    folder.lock().map_err(|fault| match fault.kind() {
        io::ErrorKind::WouldBlock => FinishFault::Busy,
        _ => FinishFault::File(fault),
    })
}

/// A mix may be as large as the disk: what is recorded now needs it more.
fn check_room(
    folder: &Folder,
    floor: Floor,
    history: &History,
    options: Options,
) -> Result<(), FinishFault> {
    let channels = u64::from(options.layout.channels(history.people.len()));
    let needs = mix::samples(history) * 2 * channels;
    let space = folder.space()?;
    let free = space.free.saturating_sub(floor.bytes(space));
    if needs <= free { Ok(()) } else { Err(FinishFault::NoRoom { needs, free }) }
}

/// Mends what was captured and reads it.
fn prepare(folder: &Folder) -> Result<Option<History>, FinishFault> {
    check_sound(folder)?;
    if repair(folder)? == Repaired::Empty {
        return Ok(None);
    }
    let mut history = History::read(folder)?;
    // A track that was cut off before its first page has left nothing.
    history.tracks.retain(|track| folder.has(&track_name(track.number)));
    Ok(Some(history))
}

/// Makes all that is derived.
fn derive(
    folder: &Folder,
    history: History,
    options: Options,
    go_on: &mut dyn FnMut(f32) -> bool,
) -> Result<Report, FinishFault> {
    let mixed = mix::mix(folder, &history, options, go_on)?;
    let peaks = serde_json::to_vec(&mixed.peaks).expect("numbers can be written");
    folder.write(PEAKS, &peaks)?;
    let mut report = describe(history, mixed);
    let segments = &report.segments;
    folder.write("speakers.vtt", speakers::vtt(&report.people, segments).as_bytes())?;
    folder.write("speakers.rttm", speakers::rttm(&report.id, segments).as_bytes())?;
    report.files = list(folder)?;
    let text = serde_json::to_vec_pretty(&report).expect("a report has text keys");
    folder.write(REPORT, &text)?;
    Ok(report)
}

/// What is made of sound needs the sound here.
///
/// # Errors
/// Some of it is in the store alone.
pub fn check_sound(folder: &Folder) -> Result<(), FinishFault> {
    let ledger = Ledger::read(folder)?.unwrap_or_default();
    match ledger.away(folder).as_slice() {
        [] => Ok(()),
        names => Err(FinishFault::Away(names.join(", "))),
    }
}

/// # Errors
/// There is no report, or it is none.
pub fn read_report(folder: &Folder) -> io::Result<Report> {
    let content = folder.read(REPORT, super::report::REPORT_BYTES_MAX)?;
    serde_json::from_slice(&content).map_err(io::Error::other)
}

fn describe(history: History, mixed: Mixed) -> Report {
    let duration_ms = history.duration_us / 1_000;
    let (why_ended, ended) = match &history.ending {
        Ending::Ended { why, ended } => (word(*why), ended.clone()),
        Ending::CutOff => ("cut_off", later(&history.began, history.duration_us)),
    };
    let mut people = history.people;
    for person in &mut people {
        let own = mixed.segments.iter().filter(|segment| segment.jid == person.jid);
        person.talked_ms = own.map(|segment| segment.to_ms - segment.from_ms).sum();
    }
    let tracks = history.tracks.into_iter().zip(mixed.spans).map(|(track, (from, to))| {
        let map = ClockMap::new(&track.points);
        TrackReport {
            file: track_name(track.number),
            jid: track.jid,
            from_ms: from / 48,
            to_ms: to / 48,
            packets: track.packets,
            lost_ms: track.lost_samples / 48,
            late: track.late,
            clock: map.knots().collect(),
        }
    });
    Report {
        version: history.version,
        id: history.id,
        call: history.call,
        chat: history.chat,
        began: history.began,
        ended,
        duration_ms,
        by: history.by,
        why_ended: why_ended.to_owned(),
        people,
        segments: mixed.segments,
        gaps: history.gaps,
        stops: history.stops,
        dropped_packets: history.dropped_packets,
        tracks: tracks.collect(),
        files: Vec::new(),
    }
}

fn word(why: End) -> &'static str {
    match why {
        End::RecordOff => "record_off",
        End::CallFinished => "call_finished",
        End::Shutdown => "shutdown",
    }
}

fn later(began: &str, duration_us: u64) -> String {
    let began = time::parse(began).unwrap_or(0);
    time::format(began.saturating_add_unsigned(duration_us.saturating_mul(1_000)))
}

/// Every file of the recording with its checksum.
///
/// # Errors
/// One cannot be read.
pub fn list(folder: &Folder) -> io::Result<Vec<FileReport>> {
    let names = folder.names()?.into_iter();
    let listed = names.filter(|name| !name.ends_with(PART) && !NOT_LISTED.contains(&name.as_str()));
    listed
        .map(|name| {
            let (bytes, sha256) = checksum(folder.open(&name)?)?;
            Ok(FileReport { name, bytes, sha256 })
        })
        .collect()
}

/// Length and SHA-256 of a file, read a piece at a time.
///
/// # Errors
/// It cannot be read.
pub fn checksum(mut file: File) -> io::Result<(u64, String)> {
    let (mut sum, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 256 * 1024]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        sum.update(&piece[..read]);
        bytes += read as u64;
    }
    Ok((bytes, digits(sum)))
}

/// 64 hexadecimal ones.
pub fn digits(sum: Sha256) -> String {
    hex::text(&sum.finalize())
}
