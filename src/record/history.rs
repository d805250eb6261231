//! A timeline read back: who was there when, muted when, on which track.

use std::collections::BTreeMap;
use std::io;

use engine::Time;
use engine::timeline::{ClockMap, ClockPoint};

use super::line::{self, ChatName, End, Event, Line, TIMELINE};
use super::repair::TIMELINE_BYTES_MAX;
use super::report::{GapReport, PersonReport, Span, StopReport};
use super::store::Folder;
use super::track::track_name;
use crate::limits::RECORD_MAX;

/// See the module's words.
#[derive(Clone, Debug)]
pub struct History {
    pub version: u32,
    pub id: String,
    pub call: String,
    pub chat: ChatName,
    pub began: String,
    pub by: String,
    pub duration_us: u64,
    pub ending: Ending,
    /// In the order they came; what is derived from sound is still empty.
    pub people: Vec<PersonReport>,
    pub tracks: Vec<TrackHistory>,
    pub gaps: Vec<GapReport>,
    pub stops: Vec<StopReport>,
    pub dropped_packets: u64,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Ended {
        why: End,
        /// Wall clock.
        ended: String,
    },
    CutOff,
}

/// A voice's file.
#[derive(Clone, Debug)]
pub struct TrackHistory {
    pub number: u32,
    pub jid: String,
    pub points: Vec<ClockPoint>,
    pub packets: u64,
    pub lost_samples: u64,
    pub late: u64,
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("timeline.jsonl: {0}")]
    File(#[from] io::Error),
    #[error("timeline.jsonl does not begin as one")]
    NoBeginning,
    #[error("timeline.jsonl is of version {0}, which this server does not know")]
    Version(u32),
    #[error("timeline.jsonl claims {0} seconds: no recording is that long")]
    TooLong(u64),
    #[error("timeline.jsonl has no end: repair the recording first")]
    NoEnd,
}

impl History {
    /// # Errors
    /// The timeline is missing, or is not whole.
    pub fn read(folder: &Folder) -> Result<History, Unreadable> {
        let content = folder.read(TIMELINE, TIMELINE_BYTES_MAX)?;
        History::of(&line::read(&content).0)
    }

    /// # Errors
    /// The lines do not begin with a recording, or do not end.
    pub fn of(lines: &[Line]) -> Result<History, Unreadable> {
        let mut history = History::begin(lines)?;
        let mut reading = Reading::default();
        for line in lines {
            history.take(line, &mut reading);
        }
        history.place_gaps(&reading.gaps);
        let end_ms = history.duration_us / 1_000;
        for person in &mut history.people {
            close(&mut person.present, end_ms);
            close(&mut person.muted, end_ms);
        }
        for stop in &mut history.stops {
            stop.to_ms = if stop.to_ms == OPEN { end_ms } else { stop.to_ms };
        }
        Ok(history)
    }

    fn begin(lines: &[Line]) -> Result<History, Unreadable> {
        let Some(Event::Recording { version, id, call, chat, began, by }) =
            lines.first().map(|line| line.event.clone())
        else {
            return Err(Unreadable::NoBeginning);
        };
        if version > line::VERSION {
            return Err(Unreadable::Version(version));
        }
        let end = lines.iter().rev().find_map(|line| match &line.event {
            Event::Ended { why, ended } => {
                Some((line.at_us, Ending::Ended { why: *why, ended: ended.clone() }))
            }
            Event::Repaired { .. } => Some((line.at_us, Ending::CutOff)),
            _ => None,
        });
        let (duration_us, ending) = end.ok_or(Unreadable::NoEnd)?;
        if duration_us > LINE_US_MAX {
            return Err(Unreadable::TooLong(duration_us / 1_000_000));
        }
        Ok(History {
            version,
            id,
            call,
            chat,
            began,
            by,
            duration_us,
            ending,
            people: Vec::new(),
            tracks: Vec::new(),
            gaps: Vec::new(),
            stops: Vec::new(),
            dropped_packets: 0,
        })
    }

    fn take(&mut self, line: &Line, reading: &mut Reading) {
        // What a broken disk made of a number places nothing.
        if line.at_us > LINE_US_MAX {
            return;
        }
        let at_ms = line.at_us.min(self.duration_us) / 1_000;
        match &line.event {
            Event::Joined { jid, display_name, no_record, muted } => {
                let person = reading.person(&mut self.people, jid);
                person.display_name.clone_from(display_name);
                person.no_record = *no_record;
                open(&mut person.present, at_ms);
                if *muted {
                    open(&mut person.muted, at_ms);
                }
            }
            Event::Left { jid } => {
                let person = reading.person(&mut self.people, jid);
                close(&mut person.present, at_ms);
                close(&mut person.muted, at_ms);
            }
            Event::Muted { jid, .. } => {
                open(&mut reading.person(&mut self.people, jid).muted, at_ms);
            }
            Event::Unmuted { jid } => {
                close(&mut reading.person(&mut self.people, jid).muted, at_ms);
            }
            Event::Told { jid } => reading.person(&mut self.people, jid).told_ms.push(at_ms),
            Event::Track { track, jid, .. } => {
                // Whose coming was not noted, for want of time, is a person all the same.
                reading.person(&mut self.people, jid);
                self.tracks.push(TrackHistory {
                    number: *track,
                    jid: jid.clone(),
                    points: Vec::new(),
                    packets: 0,
                    lost_samples: 0,
                    late: 0,
                })
            }
            Event::TrackCounts { .. } | Event::Clock { .. } | Event::Gap { .. } => {
                self.take_track(line, reading);
            }
            Event::Dropped { packets } => {
                self.dropped_packets = self.dropped_packets.saturating_add(*packets);
            }
            Event::Stopped { why } => {
                let why = why.label().to_owned();
                self.stops.push(StopReport { from_ms: at_ms, to_ms: OPEN, why });
            }
            Event::Resumed => {
                if let Some(stop) = self.stops.last_mut().filter(|stop| stop.to_ms == OPEN) {
                    stop.to_ms = at_ms;
                }
            }
            Event::Recording { .. }
            | Event::Leg { .. }
            | Event::LegLeft { .. }
            | Event::Talking { .. }
            | Event::TrackEnded { .. }
            | Event::Ended { .. }
            | Event::Repaired { .. }
            | Event::Unknown => {}
        }
    }
}

impl History {
    /// What is told of a track that has begun.
    fn take_track(&mut self, line: &Line, reading: &mut Reading) {
        match &line.event {
            Event::TrackCounts { track, packets, lost_samples, late } => {
                if let Some(known) = self.track(*track) {
                    (known.packets, known.late) = (*packets, *late);
                    known.lost_samples = *lost_samples;
                }
            }
            Event::Clock { .. } => {
                if let Some((track, point)) = point_of(line)
                    && let Some(known) = self.track(track)
                {
                    known.points.push(point);
                }
            }
            Event::Gap { track, sample, samples } => {
                reading.gaps.push((*track, *sample, sample.saturating_add(*samples)));
            }
            _ => {}
        }
    }

    /// When the gaps were, by the clocks of their tracks.
    fn place_gaps(&mut self, gaps: &[(u32, u64, u64)]) {
        let clocks = self.tracks.iter().map(|track| (track.number, ClockMap::new(&track.points)));
        let clocks: BTreeMap<u32, ClockMap> = clocks.collect();
        let placed = gaps.iter().filter_map(|(track, from, to)| {
            let clock = clocks.get(track)?;
            let ms = |sample: u64| {
                let at = clock.at_us(sample.min(SAMPLE_MAX))?.clamp(0, self.duration_us as i64);
                Some(at as u64 / 1_000)
            };
            Some(GapReport { file: track_name(*track), from_ms: ms(*from)?, to_ms: ms(*to)? })
        });
        self.gaps = placed.collect();
    }

    /// The newest ones are asked for most.
    fn track(&mut self, number: u32) -> Option<&mut TrackHistory> {
        self.tracks.iter_mut().rev().find(|track| track.number == number)
    }
}

/// A recording's length at most, with a day for lines that came last.
pub const LINE_US_MAX: u64 = (RECORD_MAX.as_micros() + 24 * 3_600 * 1_000_000) as u64;

/// Samples of so long an axis, and as much again for one that ran ahead.
const SAMPLE_MAX: u64 = LINE_US_MAX / 1_000_000 * 48_000 * 2;

/// What a line says of a track's clock; what a broken disk made of its numbers places nothing.
pub fn point_of(line: &Line) -> Option<(u32, ClockPoint)> {
    let Event::Clock { track, sample, anew } = line.event else { return None };
    let at = Time::from_micros(line.at_us);
    let is_sane = line.at_us <= LINE_US_MAX && sample <= SAMPLE_MAX;
    is_sane.then_some((track, ClockPoint { sample, at, is_anew: anew }))
}

/// Where each person stands in the list, and what is placed once all clocks are known.
#[derive(Default)]
struct Reading {
    known: BTreeMap<String, usize>,
    /// Track, first sample, and the first one after it.
    gaps: Vec<(u32, u64, u64)>,
}

impl Reading {
    fn person<'p>(&mut self, people: &'p mut Vec<PersonReport>, jid: &str) -> &'p mut PersonReport {
        let at = *self.known.entry(jid.to_owned()).or_insert_with(|| {
            people.push(PersonReport {
                jid: jid.to_owned(),
                display_name: String::new(),
                no_record: false,
                present: Vec::new(),
                muted: Vec::new(),
                told_ms: Vec::new(),
                talked_ms: 0,
            });
            people.len() - 1
        });
        &mut people[at]
    }
}

/// The end of a span that has none yet.
const OPEN: u64 = u64::MAX;

fn open(spans: &mut Vec<Span>, at_ms: u64) {
    if spans.last().is_none_or(|span| span.to_ms != OPEN) {
        spans.push(Span { from_ms: at_ms, to_ms: OPEN });
    }
}

fn close(spans: &mut [Span], at_ms: u64) {
    if let Some(span) = spans.last_mut().filter(|span| span.to_ms == OPEN) {
        span.to_ms = at_ms;
    }
}
