//! Loadtest: fills calls of a Voxhall server with str0m clients over real UDP and the real
//! WebSocket, and tells what they heard and what it cost the server.

mod api;
mod bot;
mod bundle;
mod cpu;
mod crowd;
#[cfg(test)]
mod far_end;
mod first_voice;
mod leg;
mod load;
mod media;
mod notice;
mod report;
mod seats;
mod server;
mod tally;
mod voice;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::mpsc;

use crate::api::Api;
use crate::crowd::Crowd;
use crate::media::Command;
use crate::report::{JoinTimes, Report};
use crate::server::Server;

/// Fill calls of a Voxhall server and measure what arrives.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version)]
pub struct Args {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Onliners a call.
    #[arg(long, default_value_t = 10)]
    onliners: usize,
    /// How many of a call's onliners talk, at 50 packets a second.
    #[arg(long, default_value_t = 3)]
    talking: usize,
    /// Calls at the same time.
    #[arg(long, default_value_t = 1)]
    calls: usize,
    /// Length of the window that is measured.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Joins a second.
    #[arg(long, default_value_t = 50.0)]
    ramp: f64,
    /// Audio sections every client offers, one voice each [default: one for each talker].
    #[arg(long)]
    sections: Option<usize>,
    /// Instead of a load: seat this many, then measure how soon 50 joiners are heard by them.
    #[arg(long, value_name = "ONLINERS")]
    first_voice: Option<usize>,
    /// A server that runs already: read its CPU time and memory.
    #[arg(long, conflicts_with = "spawn")]
    pid: Option<u32>,
    /// Start this server for the run; what stands behind `--` are its arguments.
    #[arg(long, value_name = "PROGRAM")]
    spawn: Option<PathBuf>,
    /// Keep the started server on this CPU.
    #[arg(long, value_name = "CPU", requires = "spawn")]
    server_pin: Option<usize>,
    /// Keep the load generator on this CPU.
    #[arg(long, value_name = "CPU")]
    pin: Option<usize>,
    /// Write the report there as JSON too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Arguments of the started server.
    #[arg(last = true, requires = "spawn")]
    server_args: Vec<String>,
}

impl Args {
    fn pause(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.ramp)
    }

    fn window(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// # Errors
    /// When a figure makes no sense.
    fn check(&self) -> Result<()> {
        ensure!(self.calls > 0 && self.onliners > 0, "there is no call without an onliner");
        ensure!(self.talking <= self.onliners, "--talking is more than --onliners");
        ensure!(self.seconds > 0, "a window of no time measures nothing");
        ensure!(self.ramp.is_finite() && self.ramp > 0.0, "--ramp is joins a second, above 0");
        ensure!(self.sections != Some(0), "an offer has at least one section");
        Ok(())
    }
}

fn main() -> ExitCode {
    match start(&Args::parse()) {
        Ok(report) if report.is_sound() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> Result<Report> {
    args.check()?;
    raise_file_limit()?;
    let server = match (&args.spawn, args.pid) {
        (Some(program), _) => Server::start(program, &args.server_args, args.server_pin)?,
        (None, Some(pid)) => Server::Running(pid),
        (None, None) => Server::Unknown,
    };
    if let Some(cpu) = args.pin {
        cpu::pin(cpu)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(run(args, &server))?;
    // A reader that has seen enough (`| head`) takes nothing from the JSON.
    let _ = write!(std::io::stdout(), "{report}");
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report)
}

async fn run(args: &Args, server: &Server) -> Result<Report> {
    let api = Api::find(&args.url).await?;
    let (sender, notices) = mpsc::channel(NOTICES);
    let (media, thread) = media::start(sender.clone())?;
    let mut crowd = Crowd::new(api, media.clone(), sender, notices);
    let (load, first_voice) = match args.first_voice {
        Some(listeners) => (None, Some(first_voice::run(args, &mut crowd, listeners).await?)),
        None => (Some(load::run(args, &mut crowd, server).await?), None),
    };
    media.tell(Command::Stop)?;
    let joins = thread.join().map_err(|_| anyhow!("the media thread panicked"))?;
    Ok(Report {
        joined: crowd.connected(),
        failed: crowd.failed(),
        join: JoinTimes::of(&joins),
        load,
        first_voice,
        complaints: crowd.complaints(),
    })
}

/// Two sockets a bot here, and one at the server: the usual soft limit of 1024 is soon reached.
fn raise_file_limit() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Notices that may wait for the conductor: several for each of a thousand bots.
const NOTICES: usize = 8192;
