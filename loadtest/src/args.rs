//! Arguments: flags of a run, and what else the program can do.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use clap::{Parser, Subcommand};

use crate::scenario::Wishes;

/// Fill calls of a Voxhall server and measure what arrives.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, args_conflicts_with_subcommands = true)]
// A script adds what it wants otherwise.
#[command(args_override_self = true)]
pub struct Args {
    #[command(subcommand)]
    pub action: Option<Action>,
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Load a Janus VideoRoom instead, by its WebSocket, such as ws://127.0.0.1:8188.
    #[arg(long, value_name = "URL", conflicts_with_all = ["url", "first_voice"])]
    pub janus: Option<String>,
    /// A TOML file of the flags below, or the name of a built-in one (small-calls, all-hands,
    /// webinar, fifty-calls, join-storm, churn, lossy).
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<String>,
    #[command(flatten)]
    pub wishes: Wishes,
    /// Instead of a load: seat this many, then measure how soon 50 joiners are heard by them.
    #[arg(long, value_name = "ONLINERS")]
    pub first_voice: Option<usize>,
    /// Add onliners until this is passed, `p99=10ms` or `loss=1%`: --onliners to begin with, and
    /// as many more each step.
    #[arg(long, value_name = "BOUND", conflicts_with = "first_voice")]
    pub find_limit: Option<Bound>,
    /// A server that runs already: read its CPU time and memory.
    #[arg(long, conflicts_with = "spawn")]
    pub pid: Option<u32>,
    /// Start this server for the run; what stands behind `--` are its arguments.
    #[arg(long, value_name = "PROGRAM")]
    pub spawn: Option<PathBuf>,
    /// Keep the started server on this CPU.
    #[arg(long, value_name = "CPU", requires = "spawn")]
    pub server_pin: Option<usize>,
    /// Where the started server's log goes [default: nowhere].
    #[arg(long, value_name = "FILE", requires = "spawn")]
    pub server_log: Option<PathBuf>,
    /// Keep the load generator on this CPU.
    #[arg(long, value_name = "CPU")]
    pub pin: Option<usize>,
    /// Write the report there as JSON too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the report there as one page of HTML, plots included.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// No progress and no table while it runs, only the report.
    #[arg(long)]
    pub quiet: bool,
    /// Arguments of the started server.
    #[arg(last = true, requires = "spawn")]
    pub server_args: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Compare two reports that `--json` wrote: is the second one better?
    Compare { before: PathBuf, after: PathBuf },
}

/// What a load may reach before it is too much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// The 99th percentile of the added latency.
    P99(Duration),
    LossPercent(f64),
}

impl FromStr for Bound {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str, unit: &str| -> Result<f64> {
            let figure = text.strip_suffix(unit).unwrap_or(text).trim();
            figure.parse().with_context(|| format!("{figure} is not a number"))
        };
        match text.split_once('=') {
            Some(("p99", time)) => {
                let seconds = number(time, "ms")? / 1e3;
                Ok(Self::P99(Duration::try_from_secs_f64(seconds)?))
            }
            Some(("loss", share)) => Ok(Self::LossPercent(number(share, "%")?)),
            _ => bail!("a bound is p99=10ms or loss=1%"),
        }
    }
}

impl Display for Bound {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::P99(time) => write!(out, "p99={} ms", time.as_secs_f64() * 1e3),
            Self::LossPercent(share) => write!(out, "loss={share} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_bound_is_a_latency_or_a_loss() {
        let bound = |text: &str| text.parse::<Bound>().ok();
        assert_eq!(bound("p99=10ms"), Some(Bound::P99(Duration::from_millis(10))));
        assert_eq!(bound("loss=0.5%"), Some(Bound::LossPercent(0.5)));
        assert_eq!((bound("p99"), bound("p98=3ms"), bound("p99=x")), (None, None, None));
    }

    #[test]
    fn of_a_flag_that_is_given_twice_the_later_one_counts() {
        let args = Args::try_parse_from(["loadtest", "--settle", "6", "--settle", "3"]);
        assert_eq!(args.expect("both are numbers").wishes.settle, Some(3));
    }

    #[test]
    fn flags_are_sound_and_a_comparison_takes_none() {
        Args::command().debug_assert();
        assert!(Args::try_parse_from(["loadtest", "compare", "a.json", "b.json"]).is_ok());
        assert!(Args::try_parse_from(["loadtest", "--talk-spurts", "--light", "9"]).is_ok());
    }
}
