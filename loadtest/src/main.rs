//! Loadtest: fills calls of a Voxhall server with str0m clients over real UDP and the real
//! WebSocket, and tells what they heard and what it cost the server.

mod api;
mod args;
mod bot;
mod bundle;
mod compare;
mod cost;
mod cpu;
mod crowd;
#[cfg(test)]
mod far_end;
mod first_voice;
mod hearing;
mod html;
mod janus;
mod leg;
mod light;
mod limit;
mod load;
mod media;
mod network;
mod notice;
mod plot;
mod report;
mod scenario;
mod seat;
mod seats;
mod server;
mod speech;
mod stir;
mod table;
mod tally;
mod view;
mod voice;
mod watch;
mod window;

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::mpsc;

use crate::api::Api;
use crate::args::{Action, Args};
use crate::crowd::{Crowd, Door};
use crate::janus::Rooms;
use crate::load::Calls;
use crate::media::Command;
use crate::report::{JoinTimes, Limit, Report, VERSION};
use crate::scenario::Scenario;
use crate::server::Server;
use crate::view::View;
use crate::watch::Watch;

fn main() -> ExitCode {
    let args = Args::parse();
    match start(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: Args) -> Result<ExitCode> {
    if let Some(Action::Compare { before, after }) = &args.action {
        print(&compare::Comparison::of(&read_report(before)?, &read_report(after)?));
        return Ok(ExitCode::SUCCESS);
    }
    let scenario = Scenario::of(args.wishes.clone(), args.scenario.as_deref())?;
    raise_file_limit()?;
    let server = match (&args.spawn, args.pid) {
        (Some(program), _) => {
            let log = args.server_log.as_deref();
            let speaks = args.janus.as_deref().map(janus::address).transpose()?;
            Server::start(program, &args.server_args, args.server_pin, log, speaks)?
        }
        (None, Some(pid)) => Server::Running(pid),
        (None, None) => Server::Unknown,
    };
    if let Some(cpu) = args.pin {
        cpu::pin(cpu)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(run(&args, &scenario, &server))?;
    print(&report);
    if let Some(path) = &args.json {
        write_file(path, &serde_json::to_vec_pretty(&report)?)?;
    }
    if let Some(path) = &args.html {
        write_file(path, html::page(&report).as_bytes())?;
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn run(args: &Args, scenario: &Scenario, server: &Server) -> Result<Report> {
    let door = match &args.janus {
        Some(url) => Door::Janus(Rooms::new(url, scenario)?),
        None => Door::Voxhall(Api::find(&args.url).await?),
    };
    let (sender, notices) = mpsc::channel(NOTICES);
    let (media, thread) = media::start(scenario, sender.clone())?;
    // From here on this thread only signals: packets shall not wait while it reads long states, or
    // the server would seem to be late. Where it cannot stand back, it is as before.
    let _ = rustix::process::nice(NICER);
    let watch = Watch::new(server, View::new(args.quiet));
    let mut crowd = Crowd::new(door, watch, media.clone(), sender, notices);
    let (mut load, mut first_voice, mut limit) = (None, None, None);
    if let Some(listeners) = args.first_voice {
        first_voice = Some(first_voice::run(scenario, &mut crowd, listeners).await?);
    } else {
        let mut calls = Calls::new(scenario, server, args.pin.is_some());
        if let Some(bound) = args.find_limit {
            let found = limit::run(scenario, &mut crowd, &mut calls, bound).await?;
            (limit, load) = (Some(found.0), Some(found.1));
        } else {
            calls.fill(&mut crowd, scenario.onliners).await?;
            load = Some(calls.measure(&mut crowd).await?);
        }
    }
    media.tell(Command::Stop)?;
    let joins = thread.join().map_err(|_| anyhow!("the media thread panicked"))?;
    // The load that is reported is the last step's.
    let onliners = limit.as_ref().and_then(|limit: &Limit| limit.steps.last());
    let onliners = onliners.map_or(scenario.onliners, |step| step.onliners);
    Ok(Report {
        version: VERSION,
        scenario: Scenario { onliners, ..scenario.clone() },
        joined: crowd.connected(),
        failed: crowd.failed(),
        reconnected: crowd.reconnected(),
        join: JoinTimes::of(&joins),
        load,
        first_voice,
        limit,
        complaints: crowd.complaints(),
    })
}

/// A reader that has seen enough (`| head`) takes nothing from the files.
fn print(text: &impl Display) {
    let _ = write!(std::io::stdout(), "{text}");
}

fn read_report(path: &Path) -> Result<Report> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let report: Report = serde_json::from_slice(&bytes)
        .with_context(|| format!("{name} is not a report that --json wrote"))?;
    ensure!(
        report.version == VERSION,
        "{name} has version {}, this program reads {VERSION}: measure again",
        report.version
    );
    Ok(report)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Two sockets a bot here, and one at the server: the usual soft limit of 1024 is soon reached.
fn raise_file_limit() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// How much nicer than media (`nice(2)`) signalling is: a quarter of a core that both want.
const NICER: i32 = 5;

/// Notices that may wait for the conductor: several for each of a thousand bots.
const NOTICES: usize = 8192;
