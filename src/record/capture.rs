//! All recordings that are being made, driven from outside: orders, packets and the time come in,
//! files grow. Knows no threads; `recorder` runs it on one.

mod recording;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use engine::{Now, Time};
use tracing::{error, info, warn};

use recording::Recording;

use super::Floor;
use super::line::{ChatName, End, Event, Stop};
use super::stats::Stats;
use super::store::{Id, Root};
use crate::limits::{RECORD_END_GRACE, RECORD_SYNC};
use crate::media::CallNo;
use crate::media::tap::Batch;

/// What calls want.
pub enum Order {
    Begin(Box<Begin>),
    /// There was no place for a recording: the call is told to begin it once there is.
    Wait {
        call: CallNo,
        notices: Notices,
    },
    /// Something happened in a recorded call.
    Note {
        call: CallNo,
        at: Time,
        event: Event,
    },
    /// What is said from that time on is not recorded any more.
    End {
        call: CallNo,
        now: Now,
        why: End,
    },
}

/// A recording's beginning.
pub struct Begin {
    pub id: Id,
    pub call: CallNo,
    pub uid: Arc<str>,
    pub chat: ChatName,
    pub by: String,
    pub now: Now,
    /// Hears whether what is recorded arrives on the disk.
    pub notices: Notices,
}

/// Whether the disk takes recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Takes,
    Refuses(Stop),
    /// It takes recordings again, and this one never began: begin another.
    TakesAnew,
}

/// See the module's words.
pub struct Capture {
    root: Arc<Root>,
    floor: Floor,
    open_max: u64,
    stats: Arc<Stats>,
    /// Of one call the last one goes on; before it one may be ending, whose last packets are still
    /// on their way.
    open: HashMap<CallNo, Vec<Recording>>,
    disk: Disk,
    /// Calls whose recording could not begin, to be told once there is place and the disk takes it.
    unbegun: HashMap<CallNo, Notices>,
    next_sync: Time,
}

/// How a call hears of the disk. False gives it back: told again later.
pub type Notices = Arc<dyn Fn(Disk) -> bool + Send + Sync>;

/// What a tick leaves to be done elsewhere.
#[derive(Default)]
pub struct Due {
    /// Files that were written and are to be brought to the disk.
    pub dirty: Vec<Arc<File>>,
    /// Recordings that ended.
    pub ended: Vec<Id>,
}

impl Capture {
    /// `open_max`: recordings that may be made at once.
    pub fn new(root: Arc<Root>, floor: Floor, open_max: u64, stats: Arc<Stats>) -> Capture {
        let (open, unbegun) = (HashMap::new(), HashMap::new());
        let (disk, next_sync) = (Disk::Takes, Time::ZERO);
        Capture { root, floor, open_max, stats, open, disk, unbegun, next_sync }
    }

    pub fn handle_order(&mut self, order: Order) {
        match order {
            Order::Begin(begin) => {
                let (call, id, now) = (begin.call, begin.id.clone(), begin.now.time);
                let uid = begin.uid.clone();
                let notices = begin.notices.clone();
                match Recording::begin(&self.root, *begin, self.disk) {
                    Ok(recording) => {
                        info!(call = %uid, recording = %id, "recording began");
                        self.open.entry(call).or_default().push(recording);
                    }
                    Err(fault) => {
                        self.stats.end();
                        error!(call = %uid, recording = %id, %fault, "recording cannot begin");
                        if is_full(&fault) {
                            self.fail(now, &fault);
                        }
                        // Where the call has no room for it, its people are told a lie until then.
                        let _ = notices(Disk::Refuses(stop_of(&fault)));
                        self.unbegun.insert(call, notices);
                    }
                }
            }
            Order::Wait { call, notices } => drop(self.unbegun.insert(call, notices)),
            Order::Note { call, at, event } => {
                if let Some(recording) = self.newest(call) {
                    recording.note(at, event);
                }
            }
            Order::End { call, now, why } => {
                self.unbegun.remove(&call);
                if let Some(recording) = self.newest(call) {
                    recording.ends(now, why);
                }
            }
        }
    }

    /// Written with the next tick.
    pub fn handle_batch(&mut self, now: Time, batch: Batch) {
        for (call, lost) in batch.lost {
            self.stats.dropped(lost);
            if let Some(recording) = self.newest(call) {
                recording.note(now, Event::Dropped { packets: lost });
            }
        }
        for (call, taken) in batch.packets.into_voices() {
            let mut recordings = self.open.get_mut(&call).into_iter().flatten();
            let Some(recording) = recordings.find(|it| it.takes(taken.arrival.at)) else {
                continue;
            };
            if self.disk != Disk::Takes {
                self.stats.dropped(1);
                continue;
            }
            if let Err(fault) = recording.handle_packet(now, taken) {
                match is_full(&fault) {
                    true => self.fail(now, &fault),
                    false => recording.break_off(now, &fault),
                }
            }
        }
    }

    /// Writes what waits, and ends what has ended: once everything was `heard` that was handed over
    /// until then; `None` while more lies before the recorder.
    pub fn handle_tick(&mut self, now: Time, heard: Option<Time>) -> Due {
        let mut due = Due::default();
        let mut fault = None;
        for recording in self.open.values_mut().flatten() {
            match recording.flush(now, heard) {
                Err(error) if is_full(&error) => fault = Some(error),
                Err(error) => recording.break_off(now, &error),
                Ok(()) => {}
            }
            let (packets, lines) = recording.take_lost(now);
            self.stats.dropped(packets);
            self.stats.notes_lost(lines);
        }
        if let Some(fault) = fault {
            self.fail(now, &fault);
        }
        self.begin_anew_what_is_full(now);
        let over = heard.map(|heard| heard.as_micros().saturating_sub(GRACE_US));
        let is_over = |recording: &mut Recording| {
            recording.ends_at().zip(over).is_some_and(|(at, over)| over >= at.as_micros())
        };
        let over: Vec<Recording> =
            self.open.values_mut().flat_map(|all| all.extract_if(.., is_over)).collect();
        self.open.retain(|_, all| !all.is_empty());
        due.ended.extend(over.into_iter().map(|recording| self.close(now, recording)));
        if now >= self.next_sync {
            self.next_sync = now + RECORD_SYNC;
            due.dirty = self.open.values_mut().flatten().flat_map(Recording::take_dirty).collect();
            self.look_at_disk(now);
        }
        due
    }

    /// Ends everything: the server stops.
    pub fn stop(&mut self, now: Now) -> Vec<Id> {
        let open: Vec<Recording> = self.open.drain().flat_map(|(_, all)| all).collect();
        let close = |mut recording: Recording| {
            recording.ends(now, End::Shutdown);
            self.close(now.time, recording)
        };
        open.into_iter().map(close).collect()
    }

    /// The recording of a call that goes on, or that ended last.
    fn newest(&mut self, call: CallNo) -> Option<&mut Recording> {
        self.open.get_mut(&call)?.last_mut()
    }

    /// What is as long as one may be ends, and its call begins another.
    fn begin_anew_what_is_full(&mut self, now: Time) {
        for recording in self.open.values_mut().filter_map(|all| all.last_mut()) {
            if recording.is_full(now) && recording.tell_anew() {
                info!(recording = %recording.id(), "recording is full, another one begins");
            }
        }
    }

    fn close(&mut self, now: Time, recording: Recording) -> Id {
        self.stats.end();
        let (id, call) = (recording.id().clone(), recording.call().clone());
        match recording.close(now) {
            Ok(()) => info!(%call, recording = %id, "recording ended"),
            // The next start mends it.
            Err(fault) => error!(%call, recording = %id, %fault, "recording ended unfinished"),
        }
        id
    }

    fn look_at_disk(&mut self, now: Time) {
        let space = self.root.space();
        let disk = match (self.disk, space) {
            (Disk::Takes, Ok(space)) if self.floor.is_below(space) => {
                Disk::Refuses(Stop::DiskFloor)
            }
            (Disk::Refuses(_), Ok(space)) if self.floor.is_clear(space) => Disk::Takes,
            (disk, Ok(_)) => disk,
            (_, Err(_)) => Disk::Refuses(Stop::DiskFailed),
        };
        self.set_disk(now, disk);
        for recording in self.open.values_mut().flatten() {
            recording.tell(self.disk);
        }
        if self.disk == Disk::Takes {
            let free = self.open_max.saturating_sub(self.stats.read().open);
            let free = usize::try_from(free).unwrap_or(usize::MAX);
            let told = self.unbegun.extract_if(|_, notices| notices(Disk::TakesAnew));
            told.take(free).for_each(drop);
        }
    }

    fn fail(&mut self, now: Time, fault: &io::Error) {
        if self.disk == Disk::Takes {
            error!(%fault, "recordings cannot be written");
        }
        self.set_disk(now, Disk::Refuses(stop_of(fault)));
    }

    fn set_disk(&mut self, now: Time, disk: Disk) {
        if disk == self.disk {
            return;
        }
        // Another reason to refuse is no news.
        if let (Disk::Refuses(_), Disk::Refuses(_)) = (self.disk, disk) {
            return;
        }
        self.disk = disk;
        match disk {
            Disk::Takes | Disk::TakesAnew => {
                info!("recordings go on: the disk has room again");
            }
            Disk::Refuses(why) => {
                self.stats.stopped(why);
                error!(reason = why.label(), "recordings stop, calls go on: make room on the disk");
            }
        }
        for recording in self.open.values_mut().flatten() {
            match disk {
                Disk::Takes | Disk::TakesAnew => recording.note(now, Event::Resumed),
                Disk::Refuses(why) => {
                    recording.note(now, Event::Stopped { why });
                    if let Err(fault) = recording.end_tracks(now) {
                        warn!(recording = %recording.id(), %fault, "tracks are mended later");
                    }
                }
            }
            recording.tell(disk);
        }
    }
}

/// [`RECORD_END_GRACE`] in microseconds.
const GRACE_US: u64 = RECORD_END_GRACE.as_micros() as u64;

/// The disk's fault, and so every recording's; others are of one folder alone.
fn is_full(fault: &io::Error) -> bool {
    stop_of(fault) == Stop::DiskFull
}

fn stop_of(fault: &io::Error) -> Stop {
    match fault.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Stop::DiskFull,
        _ => Stop::DiskFailed,
    }
}

#[cfg(test)]
pub(super) mod tests;
