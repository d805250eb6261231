//! `voxhall check`: proves before the first user does what a node needs of its machine and of
//! others: ports, addresses, clock, files, disk, secrets, core, store, TURN.
//!
//! Each judgement is a function of what was read; reading is beside it. Changes nothing: what it
//! writes it takes away again. Nobody is waited for longer than [`WITHIN`], all at once.

mod addresses;
mod disk;
mod elsewhere;
mod machine;
mod ports;
mod secrets;
mod turn;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::{self, CheckFlags, Config};

/// What somebody else may take for an answer.
const WITHIN: Duration = Duration::from_secs(2);

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    /// What was looked at: one word of a closed list.
    pub what: &'static str,
    /// What was found, and what to do where something is wrong.
    pub text: String,
}

/// What a finding means for the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    /// It runs, but perhaps not as meant.
    Warn,
    /// It does not run, or nobody can call.
    Fail,
}

/// All that was found, in the order it is read.
pub struct Report(Vec<Finding>);

/// Looks at everything that the configuration names.
pub async fn run(flags: &CheckFlags) -> Report {
    let config = match Config::load(&flags.serve) {
        Ok(config) => config,
        Err(error) => return Report(vec![fail("configuration", error)]),
    };
    let file = flags.serve.config.as_deref();
    let mut found = vec![configuration(file)];
    let (ports, others) = tokio::join!(ports(&config), elsewhere::check(&config));
    found.extend(ports);
    found.extend(machine::check(&config));
    found.extend(disk::check(&config));
    found.extend(secrets::check(&config, file));
    found.extend(others);
    Report(found)
}

fn configuration(file: Option<&Path>) -> Finding {
    let named = file.map(|file| format!("{} is read", file.display()));
    ok("configuration", named.unwrap_or("no file: defaults, environment and flags".to_owned()))
}

async fn ports(config: &Config) -> Vec<Finding> {
    let interfaces = match config::interfaces() {
        Ok(interfaces) => interfaces,
        Err(error) => return vec![fail("addresses", format!("they cannot be listed: {error}"))],
    };
    let told = config::advertised(&config.media, &interfaces);
    let mut found = addresses::judge(&told, &interfaces, addresses::is_container());
    found.extend(ports::check(config, &told, &interfaces).await);
    found
}

impl Report {
    /// Whether nothing keeps the node from working.
    pub fn is_passed(&self) -> bool {
        self.0.iter().all(|finding| finding.verdict != Verdict::Fail)
    }

    /// For machines: `{"ok": .., "checks": [{"verdict", "what", "finding"}]}`.
    pub fn json(&self) -> Value {
        let lines: Vec<Value> = self.0.iter().map(Finding::json).collect();
        json!({ "ok": self.is_passed(), "checks": lines })
    }
}

impl Finding {
    fn json(&self) -> Value {
        json!({ "verdict": self.verdict.word(), "what": self.what, "finding": self.text })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { verdict, what, text } in &self.0 {
            writeln!(f, "{:<4}  {what:<13}  {text}", verdict.word())?;
        }
        Ok(())
    }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }
}

fn ok(what: &'static str, text: impl ToString) -> Finding {
    Finding { verdict: Verdict::Ok, what, text: text.to_string() }
}

fn warn(what: &'static str, text: impl ToString) -> Finding {
    Finding { verdict: Verdict::Warn, what, text: text.to_string() }
}

fn fail(what: &'static str, text: impl ToString) -> Finding {
    Finding { verdict: Verdict::Fail, what, text: text.to_string() }
}

/// How many of something: `1 worker`, `2 workers`.
fn count(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}
