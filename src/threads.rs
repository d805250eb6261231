//! Which threads the machine runs first where they have to share a core: a voice that waits is
//! heard to wait, an answer to an offer is not.

use rustix::process::{getpid, getpriority_process, setpriority_process};
use tracing::warn;

/// How much nicer than media (`nice(2)`) signalling, handshakes and level metering are. They get
/// a quarter of a core that is wanted whole by both, and all that media leaves of it otherwise.
const NICER: i32 = 5;

/// There is nothing beyond (`setpriority(2)`).
const NICEST: i32 = 19;

/// Called by a thread that shall stand back where media wants the core. Counted from the main
/// thread, which never does, so that an operator can move all of them (`nice`, systemd's `Nice=`),
/// and whoever is started by a thread that stands back is not nicer still.
pub fn stand_back() {
    let main = getpriority_process(Some(getpid()));
    let set = main.and_then(|main| setpriority_process(None, (main + NICER).min(NICEST)));
    if let Err(fault) = set {
        warn!(%fault, "signalling runs at the priority of media");
    }
}

/// Called by a thread that shall run only where nobody else wants to.
///
/// # Errors
/// The machine's: then it runs beside the others.
pub fn come_last() -> rustix::io::Result<()> {
    setpriority_process(None, NICEST)
}
