//! The server under load as a process: one that runs already, or one started for the run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::cpu;

/// Whose CPU time and memory is read.
pub enum Server {
    /// Somebody else's process, by its id.
    Running(u32),
    /// Ours, ended with the run.
    Started(Child),
    /// Not on this machine, or not told.
    Unknown,
}

impl Server {
    /// Starts a server on `cpu`, if one is named, and waits until it listens: for its first line,
    /// or, of one that says nothing, until `silent_at` lets somebody in.
    ///
    /// # Errors
    /// When it cannot be started, or ends before it listens.
    pub fn start(
        program: &Path,
        args: &[String],
        cpu: Option<usize>,
        log: Option<&Path>,
        silent_at: Option<SocketAddr>,
    ) -> Result<Self> {
        let stderr = match log {
            Some(path) => File::create(path)
                .with_context(|| format!("cannot write {}", path.display()))?
                .into(),
            None => Stdio::null(),
        };
        let mut command = Command::new(program);
        command.args(args).stdout(Stdio::piped()).stdin(Stdio::null()).stderr(stderr);
        if let Some(address) = silent_at {
            let taken = TcpStream::connect(address).is_ok();
            ensure!(!taken, "somebody listens at {address} already: end it, or take another port");
            command.stdout(Stdio::null());
        }
        let mut child = cpu::pinned(cpu, || {
            command.spawn().with_context(|| format!("cannot start {}", program.display()))
        })?;
        if let Some(address) = silent_at {
            return Self::await_port(child, address, program);
        }
        let stdout = child.stdout.take().context("its stdout is piped, so it is there")?;
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let server = Self::Started(child);
        ensure!(
            !line.is_empty(),
            "{} ended before it listened; --server-log FILE keeps what it says",
            program.display()
        );
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Ok(server)
    }

    fn await_port(child: Child, address: SocketAddr, program: &Path) -> Result<Self> {
        let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        let server = Self::Started(child);
        for _ in 0..LOOKS {
            if TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&LOOK))?;
            ensure!(ended == 0, "{} ended before it listened", program.display());
        }
        bail!("{} does not listen at {address}", program.display())
    }

    /// CPU time it took so far.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu(&self) -> Result<Option<Duration>> {
        self.pid().map(cpu::of_process).transpose()
    }

    /// CPU time its threads took so far, by their ids.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn threads(&self) -> Result<BTreeMap<u32, cpu::Thread>> {
        self.pid().map_or(Ok(BTreeMap::new()), cpu::of_threads)
    }

    /// Its memory, in KiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn resident_kib(&self) -> Result<Option<u64>> {
        self.pid().map(cpu::resident_kib).transpose()
    }

    fn pid(&self) -> Option<u32> {
        match self {
            Self::Running(pid) => Some(*pid),
            Self::Started(child) => Some(child.id()),
            Self::Unknown => None,
        }
    }
}

impl Drop for Server {
    /// Ends a started server the polite way first.
    fn drop(&mut self) {
        let Self::Started(child) = self else {
            return;
        };
        // Each step may find it gone already, which is what it is for.
        let pid = Pid::from_child(child);
        let _ = kill_process(pid, Signal::TERM);
        if let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) {
            let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&GRACE));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// How long a server may take to end by itself.
const GRACE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// How often, and how many times (10 s), a silent server's port is tried.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
const LOOKS: usize = 500;
