//! Versus: runs the same load against Voxhall and against Debian's Janus in turns, a fresh server
//! each time, and tells the medians. `loadtest/versus` prepares what it needs and starts it.

mod contender;
mod figures;
mod janus;
mod machine;
mod table;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::contender::{Contender, Variant};
use crate::figures::{Figures, Outcome};
use crate::machine::{Machine, Watch};
use crate::table::Comparison;

/// Compare Voxhall and Janus (VideoRoom) under the same load, in turns.
#[derive(Debug, Parser)]
#[command(name = "versus", version)]
pub struct Args {
    /// Onliners a call, all of whom listen.
    #[arg(long, default_value_t = 300)]
    onliners: usize,
    /// How many of a call's onliners talk.
    #[arg(long, default_value_t = 3)]
    talking: usize,
    /// Calls at the same time.
    #[arg(long, default_value_t = 1)]
    calls: usize,
    /// Length of a run's window.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Runs of each server; the medians are told.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Joins a second.
    #[arg(long, default_value_t = 50.0)]
    ramp: f64,
    /// Seconds between the last join and the window: Voxhall bundles frames 4 s after it.
    #[arg(long, default_value_t = 6)]
    settle: u64,
    /// A Voxhall of its own arguments, repeatable: "NAME:[KEY=VALUE ..] [LOADTEST-ARGS --]
    /// VOXHALL-ARGS", such as "40 ms:--config a.toml".
    #[arg(long, value_name = "VARIANT")]
    variant: Vec<Variant>,
    /// Janus' event loops, repeatable: 0 is Debian's default, a thread for each PeerConnection.
    #[arg(long, value_name = "LOOPS", default_value = "0")]
    event_loops: Vec<usize>,
    /// The CPU of the servers.
    #[arg(long, value_name = "CPU", default_value_t = 0)]
    server_pin: usize,
    /// The CPU of the load generator.
    #[arg(long, value_name = "CPU", default_value_t = 1)]
    pin: usize,
    /// Where the servers listen: no address of `lo` itself, of which Janus offers none.
    #[arg(long, default_value = "127.0.0.2")]
    address: IpAddr,
    /// Signalling: this TCP port for Voxhall, the next one for Janus.
    #[arg(long, default_value_t = 28280)]
    http_port: u16,
    /// Voxhall's UDP port.
    #[arg(long, default_value_t = 27280)]
    media_port: u16,
    /// Janus' UDP ports, two or more for each onliner.
    #[arg(long, default_value = "20000-24000")]
    rtp_ports: String,
    /// Where Debian's janus is unpacked.
    #[arg(long, default_value = "target/janus")]
    janus: PathBuf,
    /// Where voxhall and loadtest are.
    #[arg(long, default_value = "target/release")]
    programs: PathBuf,
    /// For configurations, reports and data of the runs; emptied first.
    #[arg(long, default_value = "target/versus")]
    scratch: PathBuf,
    /// The comparison as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/versus.json")]
    json: PathBuf,
    /// Arguments of every Voxhall.
    #[arg(last = true)]
    voxhall_args: Vec<String>,
}

fn main() -> ExitCode {
    match compare(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("versus: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> Result<()> {
    ensure!(args.rounds > 0, "--rounds is 1 or more");
    if args.scratch.exists() {
        fs::remove_dir_all(&args.scratch)?;
    }
    fs::create_dir_all(&args.scratch)?;
    let contenders = contender::all(args)?;
    let machine = Machine::look(args)?;
    let mut outcomes: Vec<Outcome> = contenders.iter().map(|it| Outcome::new(&it.name)).collect();
    let runs = args.rounds * contenders.len();
    for round in 0..args.rounds {
        for (at, contender) in contenders.iter().enumerate() {
            let number = round * contenders.len() + at + 1;
            eprint!("[{number}/{runs}] {} .. ", contender.name);
            let figures = run(args, contender)?;
            eprintln!("{figures}");
            outcomes[at].runs.push(figures);
        }
    }
    let comparison = Comparison::new(args, machine, outcomes);
    print!("{comparison}");
    let json = serde_json::to_vec_pretty(&comparison)?;
    let path = &args.json;
    fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    println!("\nall runs: {}", path.display());
    Ok(())
}

/// One run against a fresh server.
fn run(args: &Args, contender: &Contender) -> Result<Figures> {
    let report = args.scratch.join("report.json");
    let data = args.scratch.join("data");
    for old in [&report, &data] {
        let _ = if old.is_dir() { fs::remove_dir_all(old) } else { fs::remove_file(old) };
    }
    let mut command = Command::new(args.programs.join("loadtest"));
    command.stdin(Stdio::null()).envs(contender.environment.iter().cloned());
    for (flag, value) in [
        ("--onliners", args.onliners),
        ("--talking", args.talking),
        ("--calls", args.calls),
        ("--seconds", args.seconds as usize),
        ("--settle", args.settle as usize),
        ("--server-pin", args.server_pin),
        ("--pin", args.pin),
    ] {
        command.arg(flag).arg(value.to_string());
    }
    command.arg("--ramp").arg(args.ramp.to_string()).args(["--quiet", "--json"]).arg(&report);
    let watch = Watch::begin()?;
    let output = command.args(&contender.words).output().context("cannot start loadtest")?;
    let said = String::from_utf8_lossy(&output.stderr);
    // 2: a report, but somebody did not join or was not heard. The comparison tells.
    let has_report = matches!(output.status.code(), Some(0 | 2));
    ensure!(has_report, "{}: {}", contender.name, said.trim());
    Figures::read(&report, watch.end()?)
}

/// A path that holds wherever a program looks from.
fn absolute(path: &Path) -> Result<String> {
    let found = path.canonicalize();
    let found = found.with_context(|| format!("no {}: run loadtest/versus", path.display()))?;
    Ok(found.to_string_lossy().into_owned())
}
