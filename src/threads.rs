//! Which threads the machine runs first where they have to share a core: a voice that waits is
//! heard to wait, an answer to an offer is not.

use tracing::warn;

/// How much nicer than media (`nice(2)`) signalling, handshakes and level metering are. They get
/// a quarter of a core that is wanted whole by both, and all that media leaves of it otherwise.
const NICER: i32 = 5;

/// Called by a thread that shall stand back where media wants the core. Counted from what the
/// process has, so that an operator can move all of it (`nice`, systemd's `Nice=`).
pub fn stand_back() {
    if let Err(fault) = rustix::process::nice(NICER) {
        warn!(%fault, "signalling runs at the priority of media");
    }
}
