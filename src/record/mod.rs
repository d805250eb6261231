//! Recordings: captured from a tap without decoding, finished when the call is over, kept in an
//! archive.
//!
//! The truth is written while it happens (a track of Ogg Opus for each leg, and `timeline.jsonl`);
//! everything else is derived from these and can be made again. docs/recordings.md has the layout.
//! Knows calls by what they note, and nothing of sockets and packets on the network.

mod append;
pub mod archive;
pub mod capture;
pub mod commands;
pub mod fill;
pub mod finish;
pub mod finisher;
pub mod history;
pub mod hook;
pub mod line;
pub mod mix;
pub mod ogg;
pub mod progress;
mod recorder;
pub mod repair;
pub mod report;
mod service;
pub mod speakers;
pub mod stats;
pub mod store;
pub mod track;
pub mod upload;

pub use finish::FinishFault;
pub use finisher::Finisher;
pub use recorder::{Recorder, TooMany};
pub use service::{RecordFault, Recordings};

use store::Space;

use crate::config;
use crate::limits::RECORD_ROOM_BYTES;

/// Free space below which nothing is recorded: the larger of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    pub bytes: u64,
    /// Of the whole disk.
    pub percent: u8,
}

impl Floor {
    pub fn of(config: &config::Record) -> Floor {
        let bytes = config.free_floor_mib.saturating_mul(1024 * 1024);
        Floor { bytes, percent: config.free_floor_percent }
    }

    fn is_below(self, space: Space) -> bool {
        space.free < self.bytes(space)
    }

    /// A tenth above it and some more, or it would begin and end all the time.
    fn is_clear(self, space: Space) -> bool {
        let floor = self.bytes(space);
        space.free >= floor.saturating_add((floor / 10).max(RECORD_ROOM_BYTES))
    }

    fn bytes(self, space: Space) -> u64 {
        self.bytes.max(space.all / 100 * u64::from(self.percent))
    }
}
