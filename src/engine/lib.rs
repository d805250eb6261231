//! The call, without clock, socket, thread, log or chance: inputs and the time come in by
//! `handle_*`, effects and deadlines go out by `poll_*`. The compiler is the guard (`no_std`),
//! so a whole call can run from a seed at a thousand times real time.
//!
//! - [`call`]: the control state of one call, owned by one task.
//! - [`routes`]: who hears whom on which slot, owned by one media worker.
//! - [`ring`]: the last moments of a voice that has no slot yet.
//! - [`bundles`]: several frames of a voice in one packet, for large calls.
//! - [`slots`]: one slot's outgoing stream: sequence, timestamp, tenure.
//! - [`rtp`]: a packet's header, read and written.
//! - [`opus`]: how long a packet sounds, and whether it can hold a voice.
//! - [`talking`]: whether a voice is talking, from the levels of its packets.
//! - [`timeline`]: the time of a recording: sample axes, and their clocks.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bundles;
pub mod call;
pub mod discard;
pub mod jid;
pub mod level;
pub mod limits;
pub mod opus;
pub mod ring;
pub mod routes;
pub mod rtp;
pub mod slots;
pub mod talking;
pub mod time;
pub mod timeline;

pub use call::{Call, Effect, Input, Refusal};
pub use discard::Discard;
pub use jid::{Jid, JidKind};
pub use level::Level;
pub use time::{Now, Time, Wall};

/// One device's media connection. Unique for the life of the process; a reconnect makes a new
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u64);

impl core::fmt::Display for LegId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}
