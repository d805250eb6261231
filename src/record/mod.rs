//! Recordings: captured from a tap without decoding, finished when the call is over, kept in an
//! archive.
//!
//! The truth is written while it happens (a track of Ogg Opus for each leg, and `timeline.jsonl`);
//! everything else is derived from these and can be made again. docs/recordings.md has the layout.
//! Knows calls by what they note, and nothing of sockets and packets on the network.

mod append;
pub mod capture;
pub mod fill;
pub mod line;
pub mod ogg;
mod recorder;
pub mod report;
pub mod stats;
pub mod store;
pub mod track;

pub use recorder::{Recorder, Spec, TooMany};

/// Free space below which nothing is recorded: the larger of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    pub bytes: u64,
    /// Of the whole disk.
    pub percent: u8,
}
