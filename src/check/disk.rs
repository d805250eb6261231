//! Whether the data folder and the folder of recordings can be written, and have room.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use super::{Finding, count, fail, ok, warn};
use crate::config::Config;

/// What a disk has left.
#[derive(Clone, Copy)]
struct Left {
    free: u64,
    all: u64,
    /// `None` where the file system makes them as it goes.
    inodes: Option<u64>,
}

pub fn check(config: &Config) -> Vec<Finding> {
    let mut found = vec![look("data", "data.dir", &config.data.dir, DATA_BYTES)];
    let record = &config.record;
    if record.enabled {
        let folder = record.folder(&config.data);
        let floor = |left: Left| {
            let share = left.all / 100 * u64::from(record.free_floor_percent);
            share.max(record.free_floor_mib.saturating_mul(1024 * 1024))
        };
        let floor = left(&existing(&folder)).map_or(0, floor);
        found.push(look("recordings", "record.dir", &folder, floor));
    }
    found
}

fn look(what: &'static str, key: &str, folder: &Path, floor: u64) -> Finding {
    let place = existing(folder);
    if let Err(fault) = write_once(&place) {
        let text = format!("{} cannot be written: {fault}; see {key}", folder.display());
        return fail(what, text);
    }
    match left(&place) {
        Ok(left) => judge(what, folder, left, floor),
        Err(fault) => warn(what, format!("{} does not tell its space: {fault}", folder.display())),
    }
}

fn judge(what: &'static str, folder: &Path, left: Left, floor: u64) -> Finding {
    let mib = |bytes: u64| count(bytes / (1024 * 1024), "MiB").trim_end_matches('s').to_owned();
    let (free, folder) = (mib(left.free), folder.display());
    if left.free < floor {
        let text = format!("{folder} has {free} left, below {}: make room", mib(floor));
        return match what {
            // Calls go on without.
            "recordings" => warn(what, format!("{text}, or nothing is recorded")),
            _ => fail(what, text),
        };
    }
    match left.inodes {
        Some(inodes) if inodes < INODES => {
            warn(what, format!("{folder} has room for {inodes} files only: remove small ones"))
        }
        Some(_) | None => ok(what, format!("{folder} can be written and has {free} left")),
    }
}

/// The folder, or the nearest one above it: what is missing is made at the start.
fn existing(folder: &Path) -> PathBuf {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let there = whole.ancestors().find(|place| place.symlink_metadata().is_ok());
    there.unwrap_or(Path::new("/")).to_owned()
}

/// Writes a file of its own and takes it away.
fn write_once(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".voxhall-check-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let written = file.write_all(b"x").and_then(|()| file.sync_all());
    fs::remove_file(path)?;
    written
}

fn left(folder: &Path) -> io::Result<Left> {
    let disk = statvfs(folder)?;
    let inodes = (disk.f_files > 0).then_some(disk.f_favail);
    Ok(Left { free: disk.f_bavail * disk.f_frsize, all: disk.f_blocks * disk.f_frsize, inodes })
}

/// For people, tokens and an outbox whose core is away for long (docs/production.md).
const DATA_BYTES: u64 = 64 * 1024 * 1024;

/// A recording of a dozen voices has some thirty.
const INODES: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict::{Fail, Ok, Warn};
    use crate::core::test_folder::TestFolder;

    #[test]
    fn a_full_disk_keeps_from_recording_and_one_without_room_for_data_from_running() {
        let left = |free, inodes| Left { free, all: 1 << 40, inodes };
        let judge = |what, left| judge(what, Path::new("/x"), left, 1 << 30).verdict;
        assert_eq!(judge("recordings", left(1 << 31, Some(1 << 20))), Ok);
        assert_eq!(judge("recordings", left(1 << 29, Some(1 << 20))), Warn);
        assert_eq!(judge("data", left(1 << 29, Some(1 << 20))), Fail);
        assert_eq!(judge("data", left(1 << 31, Some(9_999))), Warn);
        assert_eq!(judge("data", left(1 << 31, None)), Ok);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_the_one_above_and_nothing_stays() {
        let folder = TestFolder::new();
        std::fs::create_dir_all(folder.path()).unwrap();
        let deep = folder.path().join("a/b");
        assert_eq!(look("data", "data.dir", &deep, 0).verdict, Ok);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        std::fs::write(folder.path().join("a"), "a file").unwrap();
        let found = look("data", "data.dir", &deep, 0);
        assert_eq!(found.verdict, Fail);
        assert!(found.text.contains("see data.dir"), "{found:?}");
    }
}
