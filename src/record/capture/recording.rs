//! One recording that is being made: its timeline, and a track for each leg that is heard.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use engine::timeline::Taken;
use engine::{LegId, Now, Time};

use super::{Begin, Disk, Notices};
use crate::limits::{RECORD_END_GRACE, RECORD_LINES_BYTES_MAX, RECORD_MAX, RECORD_TRACKS_MAX};
use crate::record::append::Append;
use crate::record::line::{End, Event, Line, Stop, TIMELINE, VERSION};
use crate::record::store::{Folder, Id, Root};
use crate::record::track::Track;
use crate::wire::time;

/// Who speaks on which leg: his jid and his name.
#[derive(Default)]
struct Names {
    legs: BTreeMap<LegId, String>,
    people: BTreeMap<String, String>,
}

/// See the module's words.
pub struct Recording {
    id: Id,
    /// The call's uid.
    call: Arc<str>,
    folder: Folder,
    began: Time,
    lines: Lines,
    names: Names,
    tracks: BTreeMap<LegId, Track>,
    tracks_made: u32,
    /// Packets that belong to no track, as there may be no more of them.
    trackless: u64,
    /// Legs that are gone, and when.
    leaving: Vec<(Time, LegId)>,
    /// Since when nothing of it can be written.
    broken: Option<Time>,
    ending: Option<(Now, End)>,
    notices: Notices,
    /// What the call knows of the disk.
    told: Disk,
}

/// The timeline's file.
struct Lines {
    file: Append,
    began: Time,
    /// Lines that had no room.
    lost: u64,
}

impl Recording {
    /// # Errors
    /// Its folder or its timeline cannot be made.
    pub fn begin(root: &Root, begin: Begin, disk: Disk) -> io::Result<Recording> {
        let folder = root.create(&begin.id)?;
        let file = Append::new(folder.create(TIMELINE)?);
        let began = begin.now.time;
        let mut lines = Lines { file, began, lost: 0 };
        lines.add(
            began,
            Event::Recording {
                version: VERSION,
                id: begin.id.to_string(),
                call: begin.uid.to_string(),
                chat: begin.chat,
                began: time::format(begin.now.wall.as_nanos()),
                by: begin.by,
            },
        );
        let mut recording = Recording {
            id: begin.id,
            call: begin.uid,
            folder,
            began,
            lines,
            names: Names::default(),
            tracks: BTreeMap::new(),
            tracks_made: 0,
            trackless: 0,
            leaving: Vec::new(),
            broken: None,
            ending: None,
            notices: begin.notices,
            told: Disk::Takes,
        };
        if let Disk::Refuses(why) = disk {
            recording.note(began, Event::Stopped { why });
        }
        recording.tell(disk);
        Ok(recording)
    }

    pub fn note(&mut self, at: Time, event: Event) {
        self.names.note(&event);
        if let Event::LegLeft { leg } = event {
            self.leaving.push((at, LegId(leg)));
        }
        self.lines.add(at, event);
    }

    /// What is said later than now is not recorded.
    pub fn ends(&mut self, now: Now, why: End) {
        self.ending.get_or_insert((now, why));
    }

    /// Whether what came at that time belongs to it.
    pub fn takes(&self, at: Time) -> bool {
        !self.is_broken() && at >= self.began && self.ends_at().is_none_or(|end| at <= end)
    }

    /// Its folder cannot be written, for a reason of its own: it takes no more, its call is told,
    /// and what it has is mended later.
    pub fn break_off(&mut self, now: Time, fault: &io::Error) {
        if self.is_broken() {
            return;
        }
        let (call, recording) = (&self.call, &self.id);
        tracing::error!(%call, %recording, %fault, "recording breaks off, others go on");
        let why = Stop::DiskFailed;
        self.note(now, Event::Stopped { why });
        // Whatever can still be ended is.
        let _ = self.end_tracks(now);
        let _ = (self.notices)(Disk::Refuses(why));
        self.told = Disk::Refuses(why);
        self.broken = Some(now);
    }

    const fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// As long as one may be, and not ending yet.
    pub fn is_full(&self, now: Time) -> bool {
        let is_asked = self.told == Disk::TakesAnew;
        self.ending.is_none() && !is_asked && now.since(self.began) >= RECORD_MAX
    }

    /// Asks the call for another one; false where it has no room for that: asked again later.
    pub fn tell_anew(&mut self) -> bool {
        let is_told = (self.notices)(Disk::TakesAnew);
        if is_told {
            self.told = Disk::TakesAnew;
        }
        is_told
    }

    pub fn ends_at(&self) -> Option<Time> {
        self.ending.map(|(now, _)| now.time)
    }

    /// # Errors
    /// The disk fails or is full.
    pub fn handle_packet(&mut self, now: Time, taken: Taken<Bytes>) -> io::Result<()> {
        let (at, leg) = (taken.arrival.at, taken.leg);
        if let Some(track) = self.tracks.get_mut(&leg).filter(|track| !track.is_full()) {
            // By the time it came: the recorder may be late, and packets of one batch are not.
            track.handle_packet(at, taken);
            track.drain(now, &mut |(at, event)| self.lines.add(at, event));
            return Ok(());
        }
        self.handle_first(now, taken)
    }

    /// One of a voice that has no track yet, or needs another.
    fn handle_first(&mut self, now: Time, taken: Taken<Bytes>) -> io::Result<()> {
        let (at, leg) = (taken.arrival.at, taken.leg);
        if self.tracks.get(&leg).is_some_and(Track::is_full)
            && let Some(full) = self.tracks.remove(&leg)
        {
            self.end_track(now, full)?;
        }
        self.begin_track(at, leg)?;
        if let Some(track) = self.tracks.get_mut(&leg) {
            track.handle_packet(at, taken);
            track.drain(now, &mut |(at, event)| self.lines.add(at, event));
        }
        Ok(())
    }

    /// Ends the tracks of legs that are gone, once all they said was heard.
    fn end_left(&mut self, now: Time, heard: Option<Time>) -> io::Result<()> {
        let is_over = |(at, _): &mut (Time, LegId)| {
            heard.is_some_and(|heard| heard >= *at + RECORD_END_GRACE)
        };
        let over: Vec<(Time, LegId)> = self.leaving.extract_if(.., is_over).collect();
        let tracks = over.iter().filter_map(|(_, leg)| self.tracks.remove(leg));
        let tracks: Vec<Track> = tracks.collect();
        let ended = tracks.into_iter().map(|track| self.end_track(now, track));
        ended.fold(Ok(()), Result::and)
    }

    /// Writes what waits: the timeline too where a track cannot be written. `heard`: until when all
    /// that was handed over has been heard; `None` while more lies before the recorder.
    ///
    /// # Errors
    /// The disk fails or is full.
    pub fn flush(&mut self, now: Time, heard: Option<Time>) -> io::Result<()> {
        let mut flushed = self.end_left(now, heard);
        for track in self.tracks.values_mut() {
            if let Some(heard) = heard {
                track.handle_timeout(heard);
            }
            track.drain(now, &mut |(at, event)| self.lines.add(at, event));
            let track = track.flush();
            flushed = flushed.and(track);
        }
        let lines = self.lines.file.flush();
        flushed.and(lines)
    }

    /// Packets and lines that were lost to the limits since this was last asked.
    pub fn take_lost(&mut self, now: Time) -> (u64, u64) {
        let packets = std::mem::take(&mut self.trackless);
        if packets > 0 {
            self.lines.add(now, Event::Dropped { packets });
        }
        (packets, std::mem::take(&mut self.lines.lost))
    }

    /// As if it had had so many tracks.
    #[cfg(test)]
    pub fn skip_tracks(&mut self, made: u32) {
        self.tracks_made = made;
    }

    pub fn take_dirty(&mut self) -> Vec<Arc<File>> {
        let tracks = self.tracks.values_mut().filter_map(Track::take_dirty);
        tracks.chain(self.lines.file.take_dirty()).collect()
    }

    /// What comes next goes to new files.
    ///
    /// # Errors
    /// Some file is not finished, and is mended later.
    pub fn end_tracks(&mut self, now: Time) -> io::Result<()> {
        let tracks = std::mem::take(&mut self.tracks);
        let ended = tracks.into_values().map(|track| self.end_track(now, track));
        ended.fold(Ok(()), Result::and)
    }

    /// Tells the call what the disk does, once each change.
    pub fn tell(&mut self, disk: Disk) {
        // Another one begins: it will tell.
        let is_news = disk != self.told && self.told != Disk::TakesAnew && !self.is_broken();
        if is_news && (self.notices)(disk) {
            self.told = disk;
        }
    }

    /// # Errors
    /// Some file is not finished, and is mended later.
    pub fn close(mut self, now: Time) -> io::Result<()> {
        let tracks = self.end_tracks(now);
        if let Some((end, why)) = self.ending {
            let ended = time::format(end.wall.as_nanos());
            self.lines.add(end.time, Event::Ended { why, ended });
        }
        self.lines.file.flush()?;
        tracks?;
        self.folder.finish(TIMELINE, self.lines.file.file())
    }

    pub fn call(&self) -> &Arc<str> {
        &self.call
    }

    pub fn id(&self) -> &Id {
        &self.id
    }

    fn begin_track(&mut self, at: Time, leg: LegId) -> io::Result<()> {
        // A leg that nobody told of has no owner: its call is gone.
        let Some(jid) = self.names.legs.get(&leg) else { return Ok(()) };
        if self.tracks_made >= RECORD_TRACKS_MAX {
            self.trackless += 1;
            return Ok(());
        }
        self.tracks_made += 1;
        let number = self.tracks_made;
        let artist = self.names.people.get(jid).unwrap_or(jid);
        let track = Track::begin(&self.folder, number, artist)?;
        self.lines.add(at, Event::Track { track: number, leg: leg.0, jid: jid.clone() });
        self.tracks.insert(leg, track);
        Ok(())
    }

    fn end_track(&mut self, now: Time, track: Track) -> io::Result<()> {
        track.end(&self.folder, now, |(at, event)| self.lines.add(at, event))
    }
}

impl Names {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Joined { jid, display_name, .. } => {
                self.people.insert(jid.clone(), display_name.clone());
            }
            Event::Leg { leg, jid } => drop(self.legs.insert(LegId(*leg), jid.clone())),
            _ => {}
        }
    }
}

impl Lines {
    fn add(&mut self, at: Time, event: Event) {
        if self.file.buffer.len() >= RECORD_LINES_BYTES_MAX {
            self.lost += 1;
            return;
        }
        let at_us = at.since(self.began).as_micros() as u64;
        self.file.buffer.extend(Line { at_us, event }.to_text().as_bytes());
    }
}
