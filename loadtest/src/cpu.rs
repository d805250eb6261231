//! CPU time, memory and CPU affinity, of this process and of the server's (Linux, `/proc`).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::thread::CpuSet;
use rustix::time::{ClockId, clock_gettime};

/// CPU time of the calling thread so far.
pub fn of_this_thread() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

/// CPU time of this process so far, all threads.
pub fn of_this_process() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

/// CPU time of a process so far, user and system, all threads that ever were. Counted in ticks of
/// 10 ms on most kernels.
///
/// # Errors
/// When there is no such process.
pub fn of_process(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
    ticks(&stat)
        .map(|ticks| Duration::from_secs(ticks) / rustix::param::clock_ticks_per_second() as u32)
        .with_context(|| format!("{path} is not as expected"))
}

/// A thread's name, a number at its end left out, and its CPU time so far.
pub type Thread = (String, Duration);

/// CPU time so far of a process's threads, by their ids. Exact to the nanosecond, but without
/// threads that have ended.
///
/// # Errors
/// When there is no such process.
pub fn of_threads(pid: u32) -> Result<BTreeMap<u32, Thread>> {
    let path = format!("/proc/{pid}/task");
    let mut threads = BTreeMap::new();
    for task in fs::read_dir(&path).with_context(|| path.clone())? {
        let task = task?;
        let id = task.file_name().to_str().and_then(|name| name.parse().ok()).unwrap_or(0);
        let read = |name: &str| fs::read_to_string(task.path().join(name));
        // It may end while it is looked at.
        let (Ok(name), Ok(spent)) = (read("comm"), read("schedstat")) else { continue };
        let spent = spent.split_ascii_whitespace().next().and_then(|spent| spent.parse().ok());
        let name = name.trim_end().trim_end_matches(|end: char| end.is_ascii_digit());
        let name = name.trim_end_matches('-').to_owned();
        threads.insert(id, (name, Duration::from_nanos(spent.unwrap_or(0))));
    }
    Ok(threads)
}

/// Memory of a process in RAM that is its own (`RssAnon`), in KiB: not the pages of its program
/// file, which come in as code runs for the first time and are no leg's.
///
/// # Errors
/// When there is no such process.
pub fn resident_kib(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    resident(&status).with_context(|| format!("{path} is not as expected"))
}

/// Keeps the calling thread, and the threads and processes it starts from now on, on one CPU.
///
/// # Errors
/// When the machine has no such CPU.
pub fn pin(cpu: usize) -> Result<()> {
    anyhow::ensure!(cpu < CpuSet::MAX_CPU, "there is no CPU {cpu}");
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    rustix::thread::sched_setaffinity(None, &cpus).with_context(|| format!("no CPU {cpu} here"))
}

/// Runs `start` pinned to `cpu`, and gives the thread its CPUs back after.
///
/// # Errors
/// When the machine has no such CPU, or `start` fails.
pub fn pinned<T>(cpu: Option<usize>, start: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(cpu) = cpu else {
        return start();
    };
    let before = rustix::thread::sched_getaffinity(None)?;
    pin(cpu)?;
    let started = start();
    rustix::thread::sched_setaffinity(None, &before)?;
    started
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// `utime` + `stime`, the 14th and 15th field; the name before them may hold spaces.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_a_name_with_spaces() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 120 34 0 0 20 0 4 0 100 5 6";
        assert_eq!(ticks(stat), Some(154));
    }

    #[test]
    fn a_thread_s_time_stands_under_its_name_without_the_number() {
        let (end, ended) = std::sync::mpsc::sync_channel::<()>(0);
        let (begun, begins) = std::sync::mpsc::sync_channel(0);
        let work = move || {
            begun.send(()).unwrap();
            ended.recv().unwrap_err();
        };
        let thread = std::thread::Builder::new().name("worker-7".into()).spawn(work).unwrap();
        begins.recv().unwrap();
        let threads = of_threads(std::process::id()).unwrap();
        assert!(threads.values().any(|(name, _)| name == "worker"));
        drop(end);
        thread.join().unwrap();
    }

    #[test]
    fn resident_memory_is_read_in_kib() {
        assert_eq!(resident("Name:\tvoxhall\nRssAnon:\t   20480 kB\n"), Some(20_480));
    }

    #[test]
    fn this_process_has_memory_and_a_process_that_is_not_has_none() {
        assert!(resident_kib(std::process::id()).is_ok_and(|kib| kib > 0));
        assert!(resident_kib(u32::MAX).is_err());
    }
}
