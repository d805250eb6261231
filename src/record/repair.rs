//! Mends a recording that was cut off: tracks end at their last whole page, the timeline at its
//! last whole line, and says so. Idempotent: what is whole stays as it is.

use std::io::{self, Read, Seek, SeekFrom, Write};

use engine::timeline::{ClockMap, ClockPoint};

use super::history::{LINE_US_MAX, point_of};
use super::line::{self, Event, Line, TIMELINE, TIMELINE_PART};
use super::ogg::{self, Pages, ReadFault};
use super::store::{Folder, PART};
use super::track::{track_name, track_number};

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// Nothing to mend.
    Whole,
    /// So many bytes were taken from the ends of files.
    Mended { cut_bytes: u64 },
    /// Nothing was ever recorded: the folder may go.
    Empty,
}

/// Longest timeline that is read, in bytes: 12 hours of a crowd.
pub const TIMELINE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Headers take two pages; a track without a third says nothing.
const HEADER_PAGES: u32 = 2;

/// Mends what is in the folder. No server may be recording into it.
///
/// # Errors
/// The disk fails; nothing is lost by that, and it can be tried again.
pub fn repair(folder: &Folder) -> io::Result<Repaired> {
    let mut cut_bytes = 0;
    for name in folder.names()? {
        let Some(whole) = name.strip_suffix(PART) else { continue };
        match (track_number(whole), whole) {
            (Some(_), _) => cut_bytes += mend_track(folder, whole)?,
            (None, TIMELINE) => {}
            // What is derived is made again.
            (None, _) => folder.discard(&name)?,
        }
    }
    if folder.has(TIMELINE_PART) {
        return mend_timeline(folder, cut_bytes);
    }
    match (folder.has(TIMELINE), cut_bytes) {
        (true, 0) => Ok(Repaired::Whole),
        (true, cut_bytes) => Ok(Repaired::Mended { cut_bytes }),
        (false, _) => without_beginning(folder),
    }
}

/// Bytes that were taken away.
fn mend_track(folder: &Folder, name: &str) -> io::Result<u64> {
    let mut file = folder.open_to_change(&format!("{name}{PART}"))?;
    let length = file.metadata()?.len();
    let good = scan(&file)?;
    if good.pages <= HEADER_PAGES {
        folder.discard(&format!("{name}{PART}"))?;
        return Ok(length);
    }
    file.set_len(good.bytes)?;
    file.seek(SeekFrom::Start(good.last_at))?;
    let mut last = Vec::new();
    (&mut file).take(ogg::PAGE_BYTES_MAX as u64).read_to_end(&mut last)?;
    ogg::mark_last(&mut last);
    file.seek(SeekFrom::Start(good.last_at))?;
    file.write_all(&last)?;
    folder.finish(name, &file)?;
    Ok(length - good.bytes)
}

/// A file's good beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Good {
    pages: u32,
    bytes: u64,
    /// Where its last page begins.
    last_at: u64,
}

fn scan(file: impl Read) -> io::Result<Good> {
    let (mut pages, mut good, mut serial) = (Pages::new(file), Good::default(), None);
    loop {
        let page = match pages.page() {
            Ok(Some(page)) => page,
            Ok(None) | Err(ReadFault::Malformed(_)) => return Ok(good),
            Err(ReadFault::File(fault)) => return Err(fault),
        };
        let is_next =
            page.number == good.pages && *serial.get_or_insert(page.serial) == page.serial;
        let is_opus = good.pages < HEADER_PAGES
            || page.packets().all(|packet| engine::opus::Packet::parse(packet).is_some());
        if !is_next || !is_opus || page.packets().next().is_none() {
            return Ok(good);
        }
        good.last_at = good.bytes;
        good.bytes += page.bytes as u64;
        good.pages += 1;
    }
}

fn mend_timeline(folder: &Folder, cut_tracks: u64) -> io::Result<Repaired> {
    let part = TIMELINE_PART;
    let content = folder.read(part, TIMELINE_BYTES_MAX)?;
    let good = good_lines(&content);
    let (lines, _) = line::read(&content[..good]);
    if !matches!(lines.first().map(|line| &line.event), Some(Event::Recording { .. })) {
        return without_beginning(folder);
    }
    let cut_bytes = cut_tracks + (content.len() - good) as u64;
    let file = folder.open_to_change(part)?;
    file.set_len(good as u64)?;
    let is_over = |line: &Line| matches!(line.event, Event::Ended { .. } | Event::Repaired { .. });
    if !lines.iter().any(is_over) {
        let line = Line { at_us: end_of(folder, &lines)?, event: Event::Repaired { cut_bytes } };
        (&file).seek(SeekFrom::End(0))?;
        (&file).write_all(line.to_text().as_bytes())?;
    }
    folder.finish(TIMELINE, &file)?;
    Ok(Repaired::Mended { cut_bytes })
}

/// Nobody knows whose call it was. Voices that are there all the same are somebody's to look at.
fn without_beginning(folder: &Folder) -> io::Result<Repaired> {
    let has_track = folder.names()?.iter().any(|name| track_number(name).is_some());
    match has_track {
        true => Err(io::Error::new(io::ErrorKind::InvalidData, "its timeline has no beginning")),
        false => Ok(Repaired::Empty),
    }
}

/// Bytes up to the end of the last whole line. One that is garbled before it is left out by
/// whoever reads, and takes nothing else with it.
fn good_lines(content: &[u8]) -> usize {
    content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

/// When the last thing that is known was said or happened.
fn end_of(folder: &Folder, lines: &[Line]) -> io::Result<u64> {
    let told = lines.iter().map(|line| line.at_us).filter(|at| *at <= LINE_US_MAX);
    let mut end = told.max().unwrap_or(0);
    for line in lines {
        let Event::Track { track, .. } = line.event else { continue };
        let Ok(file) = folder.open(&track_name(track)) else { continue };
        let Ok(reader) = ogg::Reader::open(file) else { continue };
        let last = reader.into_packets().last();
        let samples = last.map_or(0, |packet| packet.sample + packet.samples);
        let points = lines.iter().filter_map(point_of).filter(|(number, _)| *number == track);
        let points: Vec<ClockPoint> = points.map(|(_, point)| point).collect();
        let said = ClockMap::new(&points).at_us(samples);
        let said = said.and_then(|said| u64::try_from(said).ok());
        end = end.max(said.filter(|said| *said <= LINE_US_MAX).unwrap_or(0));
    }
    Ok(end)
}

#[cfg(test)]
mod tests;
