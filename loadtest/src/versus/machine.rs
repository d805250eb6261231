//! The machine and what runs on it, for whoever reads the figures elsewhere.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{Args, janus};

#[derive(Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cpus: usize,
    pub kernel: String,
    /// One minute's load before the first run: what else was going on.
    pub load_before: f64,
    pub voxhall: String,
    /// Debian's version.
    pub janus: String,
}

impl Machine {
    /// # Errors
    /// When Voxhall does not tell its version, or there is no `/proc`.
    pub fn look(args: &Args) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| path.to_owned());
        let load = read("/proc/loadavg")?;
        let program = args.programs.join("voxhall");
        let said = Command::new(&program).arg("--version").output();
        let said = said.with_context(|| format!("cannot start {}", program.display()))?.stdout;
        Ok(Self {
            cpu: model(&read("/proc/cpuinfo")?),
            cpus: std::thread::available_parallelism()?.get(),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load_before: load.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0.0),
            voxhall: String::from_utf8_lossy(&said).trim().to_owned(),
            janus: janus::version(&args.janus),
        })
    }
}

/// What others take of the machine's CPUs while it is watched.
pub struct Watch {
    since: Instant,
    others: f64,
}

impl Watch {
    /// # Errors
    /// When there is no `/proc`.
    pub fn begin() -> Result<Self> {
        Ok(Self { since: Instant::now(), others: others()? })
    }

    /// In percent of one CPU.
    ///
    /// # Errors
    /// When there is no `/proc`.
    pub fn end(self) -> Result<f64> {
        let ticks = (others()? - self.others).max(0.0);
        let spent = ticks / rustix::param::clock_ticks_per_second() as f64;
        Ok(spent * 100.0 / self.since.elapsed().as_secs_f64())
    }
}

/// Ticks that all CPUs were busy, but for our children that have ended and theirs.
fn others() -> Result<f64> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| path.to_owned());
    let (all, own) = (read("/proc/stat")?, read("/proc/self/stat")?);
    Ok(busy(&all) - of_children(&own))
}

/// All columns but idle, waiting, and guests, who are in the first two already.
fn busy(stat: &str) -> f64 {
    let columns = stat.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1);
    let columns: Vec<f64> = columns.filter_map(|it| it.parse().ok()).collect();
    let counted = [0, 1, 2, 5, 6, 7].into_iter().filter_map(|at| columns.get(at));
    counted.sum()
}

/// `cutime` + `cstime`, the 16th and 17th field.
fn of_children(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let fields = after_name.split_ascii_whitespace().skip(13).take(2);
    fields.filter_map(|it| it.parse::<f64>().ok()).sum()
}

fn model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or("an unknown CPU").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_neither_idle_nor_waiting_nor_counted_twice() {
        assert_eq!(busy("cpu  1 2 4 1000 2000 8 16 32 4000 0\ncpu0 9 9 9\n"), 63.0);
    }

    #[test]
    fn children_s_time_is_found_behind_a_name_with_spaces() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 120 34 56 78 20 0 4 0 100 5 6";
        assert_eq!(of_children(stat), 134.0);
    }
}
