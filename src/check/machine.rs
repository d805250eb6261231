//! The machine itself: its clock, how many files a process may open, how much the kernel keeps for
//! a socket.

use std::time::{Duration, SystemTime};

use rustix::process::{Resource, getrlimit};

use super::{Finding, fail, ok, warn};
use crate::config::{Config, CoreMode};

pub fn check(config: &Config) -> Vec<Finding> {
    let built = std::env::current_exe().and_then(std::fs::metadata).and_then(|it| it.modified());
    let limit = getrlimit(Resource::Nofile).current;
    let buffers = ["rmem_max", "wmem_max"].map(|name| {
        let read = std::fs::read_to_string(format!("/proc/sys/net/core/{name}"));
        (name, read.ok().and_then(|text| text.trim().parse().ok()))
    });
    vec![
        judge_clock(SystemTime::now(), built.ok(), is_synchronised()),
        judge_files(limit, files_needed(config)),
        judge_buffers(buffers),
    ]
}

/// Tokens and records carry times of the wall clock. The program's own file is older than now.
fn judge_clock(
    now: SystemTime,
    built: Option<SystemTime>,
    is_synchronised: Option<bool>,
) -> Finding {
    const WHAT: &str = "clock";
    if built.is_some_and(|built| now + CLOCK_SLACK < built) {
        return fail(WHAT, "it stands before this program was made: set it, and run an NTP client");
    }
    match is_synchronised {
        Some(true) => ok(WHAT, "the kernel says that it is synchronised"),
        Some(false) => warn(
            WHAT,
            "the kernel says that nobody keeps it: run chrony or systemd-timesyncd, as tokens \
             and records carry its time",
        ),
        None => warn(WHAT, "the kernel does not say whether anybody keeps it"),
    }
}

/// `None` where the kernel does not say.
fn is_synchronised() -> Option<bool> {
    // SAFETY: an all-zero timex is a valid one that changes nothing (modes 0), and the call
    // writes at most its size.
    let (state, read) = unsafe {
        let mut read: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut read), read)
    };
    (state >= 0).then_some(state != libc::TIME_ERROR && read.status & libc::STA_UNSYNC == 0)
}

/// One full call's sockets, what is recorded at once, and what every node has.
fn files_needed(config: &Config) -> u64 {
    let people = match config.core.mode {
        CoreMode::BuiltIn => u64::from(config.call.max_participants.get()),
        // Theirs are the core's.
        CoreMode::Dial | CoreMode::Accept => 0,
    };
    let record = &config.record;
    let tracks =
        if record.enabled { u64::from(record.open_max.get()) * FILES_A_RECORDING } else { 0 };
    let workers = u64::from(config.media.workers.count().get()) * FILES_A_WORKER;
    people + tracks + workers + FILES_BESIDE
}

/// `None` is no limit.
fn judge_files(limit: Option<u64>, needed: u64) -> Finding {
    const WHAT: &str = "files";
    let Some(limit) = limit else { return ok(WHAT, "there is no limit of open files") };
    let text = format!("a process may open {limit} files, a full call here takes up to {needed}");
    match limit {
        _ if limit >= needed => ok(WHAT, text),
        _ => warn(WHAT, format!("{text}: LimitNOFILE=65536 in the unit, or ulimit -n")),
    }
}

fn judge_buffers(buffers: [(&str, Option<u64>); 2]) -> Finding {
    const WHAT: &str = "buffers";
    if buffers.iter().all(|(_, bytes)| bytes.is_none()) {
        return ok(WHAT, "net.core is not readable here: they are the host's");
    }
    let is_small = |bytes: &Option<u64>| bytes.is_some_and(|bytes| bytes < BUFFER_BYTES);
    let small = buffers.iter().filter(|(_, bytes)| is_small(bytes));
    let small: Vec<String> = small.map(|(name, _)| format!("net.core.{name}")).collect();
    match small.is_empty() {
        true => ok(WHAT, "a socket may keep 4 MiB"),
        false => warn(
            WHAT,
            format!(
                "{} is below 4 MiB, which lets some hundred packets wait for a worker: install \
                 config/sysctl.conf",
                small.join(" and ")
            ),
        ),
    }
}

/// A clock that was set a minute back is still one.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// A recording has a file for each voice, three of its own, and those that are finished.
const FILES_A_RECORDING: u64 = 8;

/// Its socket, its epoll, its waker, those of its threads.
const FILES_A_WORKER: u64 = 8;

/// Listener, databases, log, runtime, monitoring.
const FILES_BESIDE: u64 = 64;

/// What a media socket asks for (docs/production.md, "Limits of the machine").
const BUFFER_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict::{Fail, Ok, Warn};

    #[test]
    fn a_clock_before_the_program_fails_and_one_that_nobody_keeps_is_warned_of() {
        let now = SystemTime::now();
        let judge = |built, kept| judge_clock(now, built, kept).verdict;
        assert_eq!(judge(Some(now + Duration::from_secs(3_600)), Some(true)), Fail);
        assert_eq!(judge(Some(now + Duration::from_secs(5)), Some(true)), Ok);
        assert_eq!(judge(Some(now), Some(true)), Ok);
        assert_eq!(judge(None, Some(false)), Warn);
        assert_eq!(judge(None, None), Warn);
    }

    #[test]
    fn files_are_compared_with_what_a_full_call_takes() {
        let config = Config::default();
        let needed = files_needed(&config);
        assert!(needed > 1_000 + 64 * 8, "{needed}");
        assert_eq!(judge_files(Some(1_024), needed).verdict, Warn);
        assert_eq!(judge_files(Some(65_536), needed).verdict, Ok);
        assert_eq!(judge_files(None, needed).verdict, Ok);
    }

    #[test]
    fn buffers_below_what_a_worker_asks_for_are_named() {
        let judge = |read, write| judge_buffers([("rmem_max", read), ("wmem_max", write)]);
        assert_eq!(judge(Some(4 << 20), Some(8 << 20)).verdict, Ok);
        let small = judge(Some(212_992), Some(4 << 20));
        assert_eq!(small.verdict, Warn);
        assert!(small.text.starts_with("net.core.rmem_max is below"), "{small:?}");
        assert_eq!(judge(None, None).verdict, Ok);
    }
}
