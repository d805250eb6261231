//! The command line of `voxhall`: serve, check, bring the demo people, look at recordings, ask a
//! server that runs.

use std::process::ExitCode;

use clap::Parser;
use voxhall::admin::terminal::{self, CommandFault};
use voxhall::config::{
    CheckFlags, Cli, Command, Config, DemoFlags, Log, LogLevel, RecordingsFlags, ServeFlags,
};
use voxhall::demo::{self, DemoOptions};
use voxhall::record::commands;
use voxhall::{server, telemetry};

fn main() -> ExitCode {
    voxhall::memory::bound_arenas();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // The main thread stays as it is: media workers are its children.
    runtime.enable_all().on_thread_start(voxhall::threads::stand_back);
    let runtime = match runtime.build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(1, &error),
    };
    match Cli::parse().command() {
        Command::Serve(flags) => runtime.block_on(serve(&flags)),
        Command::Check(flags) => runtime.block_on(check(&flags)),
        Command::Demo(flags) => runtime.block_on(bring_demo(flags)),
        Command::Recordings(flags) => recordings(&flags),
        Command::Calls(flags) => told(runtime.block_on(terminal::calls(&flags))),
        Command::Call(flags) => told(runtime.block_on(terminal::call(&flags))),
        Command::Drain(flags) => told(runtime.block_on(terminal::drain(&flags))),
    }
}

async fn serve(flags: &ServeFlags) -> ExitCode {
    let config = match Config::load(flags) {
        Ok(config) => config,
        Err(error) => return failed(2, &error),
    };
    let verbosity = match telemetry::init(&config.log) {
        Ok(verbosity) => verbosity,
        Err(error) => return failed(1, &error),
    };
    tokio::spawn(telemetry::tell_left_out());
    if let Err(error) = telemetry::traces::start(&config.trace) {
        return failed(1, &error);
    }
    let flags = flags.clone();
    match server::run(config, Box::new(move || Config::load(&flags)), verbosity).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => failed(1, &fault),
    }
}

/// 0 where nothing keeps the node from working, else 1.
async fn check(flags: &CheckFlags) -> ExitCode {
    let report = voxhall::check::run(flags).await;
    match flags.json {
        true => println!("{}", report.json()),
        false => print!("{report}"),
    }
    if report.is_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn bring_demo(flags: DemoFlags) -> ExitCode {
    if let Err(error) = telemetry::init(&Log::default()) {
        return failed(1, &error);
    }
    let options = DemoOptions { url: flags.url, chat: flags.chat, people: 3 };
    let stop = async {
        // Without the signal they talk on until the process is killed.
        let _ = tokio::signal::ctrl_c().await;
    };
    eprintln!("voxhall demo: three people talk; Ctrl-C sends them away");
    match demo::run(options, stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(1, &error),
    }
}

fn recordings(flags: &RecordingsFlags) -> ExitCode {
    if let Err(error) = telemetry::init(&Log { level: LogLevel::Warn, ..Log::default() }) {
        return failed(1, &error);
    }
    let serve = ServeFlags { config: flags.config.clone(), ..ServeFlags::default() };
    let config = match Config::load(&serve) {
        Ok(config) => config,
        Err(error) => return failed(2, &error),
    };
    match commands::run(flags, &config) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(1, &error),
    }
}

fn told(outcome: Result<(), CommandFault>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandFault::Config(error)) => failed(2, &error),
        Err(error) => failed(1, &error),
    }
}

fn failed(code: u8, error: &dyn std::error::Error) -> ExitCode {
    eprintln!("voxhall: {error}");
    ExitCode::from(code)
}
