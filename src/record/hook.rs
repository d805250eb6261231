//! The operator's program, run on each finished recording: a transcriber, a mover, a mail.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::store::Folder;

/// It stands in the folder until the program has run: a server that dies meanwhile runs it again.
pub const TODO: &str = "hook.todo";

/// What it wrote.
pub const LOG: &str = "hook.log";

/// How often is looked whether the server stops.
const LOOK: Duration = Duration::from_millis(200);

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The program and its arguments; the recording's folder is added.
    pub command: Vec<String>,
    pub timeout: Duration,
}

/// Why it did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum HookFault {
    #[error("cannot be run: {0}")]
    Run(#[from] io::Error),
    #[error("{0}, see hook.log")]
    Status(ExitStatus),
    #[error("the server stops, it runs again after the next start")]
    Stopped,
    #[error("took longer than {} s and was ended", .0.as_secs())]
    Timeout(Duration),
}

impl Hook {
    /// Runs it and waits. Its process group is ended with it when its time is over.
    ///
    /// # Errors
    /// It cannot be run, fails, or takes too long.
    pub fn run(&self, id: &str, folder: &Folder, stop: &AtomicBool) -> Result<(), HookFault> {
        let Some((program, arguments)) = self.command.split_first() else { return Ok(()) };
        let log = folder.create_anew(LOG)?;
        let mut child = Command::new(program)
            .args(arguments)
            .arg(folder.path())
            .env("VOXHALL_RECORDING", id)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .process_group(0)
            .spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (over, waited) = sync_channel(1);
        std::thread::Builder::new().name("record-hook".into()).spawn(move || {
            // Whoever waited may have given up.
            let _ = over.send(child.wait());
        })?;
        let status = match self.wait(&waited, stop) {
            Ok(status) => status?,
            Err(fault) => {
                if let Some(group) = group {
                    // It may have ended just now.
                    let _ = kill_process_group(group, Signal::KILL);
                }
                folder.replace(LOG, &log)?;
                return Err(fault);
            }
        };
        folder.replace(LOG, &log)?;
        if status.success() { Ok(()) } else { Err(HookFault::Status(status)) }
    }

    fn wait(
        &self,
        waited: &Receiver<io::Result<ExitStatus>>,
        stop: &AtomicBool,
    ) -> Result<io::Result<ExitStatus>, HookFault> {
        let mut left = self.timeout;
        loop {
            let step = left.min(LOOK);
            match waited.recv_timeout(step) {
                Ok(status) => return Ok(status),
                Err(_) if stop.load(Ordering::Relaxed) => return Err(HookFault::Stopped),
                Err(_) if left <= step => return Err(HookFault::Timeout(self.timeout)),
                Err(_) => left -= step,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::Wall;

    use super::*;
    use crate::core::test_folder::TestFolder;
    use crate::record::store::{Id, Root};

    fn run(script: &str, timeout: Duration) -> (Result<(), HookFault>, String) {
        let place = TestFolder::new();
        let root = Root::open(place.path()).unwrap();
        let folder = root.create(&Id::new(Wall(0))).unwrap();
        let command = ["sh", "-c", script, "hook"].map(str::to_owned).to_vec();
        let done = Hook { command, timeout }.run("rec-1", &folder, &AtomicBool::new(false));
        let log = folder.read(LOG, 1_000).unwrap();
        (done, String::from_utf8(log).unwrap())
    }

    #[test]
    fn a_program_is_told_which_recording_and_where() {
        let long = Duration::from_secs(60);
        let (done, log) = run("echo $VOXHALL_RECORDING; test -d \"$1\" && echo folder", long);
        assert!(done.is_ok());
        assert_eq!(log, "rec-1\nfolder\n");
    }

    #[test]
    fn a_program_that_fails_or_hangs_is_a_fault_and_ends() {
        assert!(matches!(run("exit 3", Duration::from_secs(60)).0, Err(HookFault::Status(_))));
        let hung = run("sleep 600 & wait", Duration::from_millis(50));
        assert!(matches!(hung.0, Err(HookFault::Timeout(_))));
        let missing = Hook { command: vec!["/no/such".into()], timeout: Duration::from_secs(1) };
        let place = TestFolder::new();
        let root = Root::open(place.path()).unwrap();
        let folder = root.create(&Id::new(Wall(0))).unwrap();
        let (go_on, stop) = (AtomicBool::new(false), AtomicBool::new(true));
        assert!(matches!(missing.run("rec-1", &folder, &go_on), Err(HookFault::Run(_))));
        let command = ["sh", "-c", "sleep 600 & wait"].map(str::to_owned).to_vec();
        let long = Hook { command, timeout: Duration::from_secs(600) };
        assert!(matches!(long.run("rec-1", &folder, &stop), Err(HookFault::Stopped)));
    }
}
