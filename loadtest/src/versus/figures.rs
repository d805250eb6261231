//! Figures: what a run's report says that is compared, and the medians of several.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::Args;

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub us_per_packet: f64,
    /// Server CPU over the window, by onliners and seconds: all of them listen.
    pub us_per_listener_second: f64,
    /// The server's share of a CPU.
    pub server_percent: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub lost_percent: f64,
    pub kib_per_leg: f64,
    pub failed: u64,
    pub generator_percent: f64,
    pub is_generator_bottleneck: bool,
    /// What neither server nor generator took, in percent of one CPU.
    pub others_percent: f64,
    /// Why somebody did not join, and what the server warned of.
    pub complaints: Vec<String>,
}

/// All runs of one contender.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub name: String,
    pub runs: Vec<Figures>,
}

impl Figures {
    /// Reads loadtest's report.
    ///
    /// # Errors
    /// When there is none, or it lacks a figure.
    pub fn read(path: &Path, args: &Args, others_percent: f64) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("no report {}", path.display()))?;
        let report: Value = serde_json::from_slice(&text)?;
        let listeners = (args.calls * args.onliners) as f64;
        let figures = Self::of(&report, listeners, args.seconds as f64)?;
        Ok(Self { others_percent, ..figures })
    }

    fn of(report: &Value, listeners: f64, seconds: f64) -> Result<Self> {
        let figure = |path: &str| {
            let found = report.pointer(path).and_then(Value::as_f64);
            found.with_context(|| format!("loadtest's report has no {path}"))
        };
        let cpu = figure("/load/server/cpu_seconds")?;
        let complaints = report.get("complaints").and_then(Value::as_array).into_iter().flatten();
        let complaints = complaints.filter_map(Value::as_str).map(str::to_owned).collect();
        let bottleneck = report.pointer("/load/generator/is_bottleneck");
        Ok(Self {
            us_per_packet: figure("/load/server/us_per_packet")?,
            us_per_listener_second: cpu * 1e6 / (listeners * seconds),
            server_percent: cpu * 100.0 / seconds,
            p50_ms: figure("/load/latency/p50_ms")?,
            p95_ms: figure("/load/latency/p95_ms")?,
            p99_ms: figure("/load/latency/p99_ms")?,
            lost_percent: figure("/load/voices/lost_percent")?,
            kib_per_leg: figure("/load/server/kib_per_leg")?,
            failed: figure("/failed")? as u64,
            generator_percent: figure("/load/generator/process_percent")?,
            is_generator_bottleneck: bottleneck.and_then(Value::as_bool).unwrap_or(false),
            others_percent: 0.0,
            complaints,
        })
    }
}

impl Display for Figures {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:.2} us a packet, p50 {:.2} ms, p99 {:.2} ms, {:.3} % lost, server {:.0} %, \
             generator {:.0} %, others {:.0} %",
            self.us_per_packet,
            self.p50_ms,
            self.p99_ms,
            self.lost_percent,
            self.server_percent,
            self.generator_percent,
            self.others_percent
        )?;
        match self.failed {
            0 => {}
            failed => write!(out, ", {failed} FAILED TO JOIN")?,
        }
        self.complaints.iter().try_for_each(|complaint| write!(out, "\n  ! {complaint}"))
    }
}

impl Outcome {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), runs: Vec::new() }
    }

    /// The median of one figure; 0 without runs.
    pub fn median(&self, figure: impl Fn(&Figures) -> f64) -> f64 {
        let sorted = self.sorted(figure);
        match sorted[..] {
            [] => 0.0,
            _ => (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0,
        }
    }

    /// The least and the greatest of one figure.
    pub fn range(&self, figure: impl Fn(&Figures) -> f64) -> (f64, f64) {
        let sorted = self.sorted(figure);
        let end = |found: Option<&f64>| found.copied().unwrap_or(0.0);
        (end(sorted.first()), end(sorted.last()))
    }

    /// Of the runs in which everybody joined, if there is any.
    fn sorted(&self, figure: impl Fn(&Figures) -> f64) -> Vec<f64> {
        let is_any_whole = self.runs.iter().any(|run| run.failed == 0);
        let counted = self.runs.iter().filter(|run| run.failed == 0 || !is_any_whole);
        let mut sorted: Vec<f64> = counted.map(figure).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A run's figures that take `cpu` seconds of 10.
    pub fn run(cpu: f64) -> Figures {
        let latency = json!({ "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0 });
        let server = json!({ "cpu_seconds": cpu, "us_per_packet": cpu * 2.0, "kib_per_leg": 30 });
        let generator = json!({ "process_percent": 40.0, "is_bottleneck": cpu > 5.0 });
        let report = json!({ "failed": 0, "load": {
            "latency": latency, "server": server, "generator": generator,
            "voices": { "lost_percent": 0.0 },
        }});
        Figures::of(&report, 300.0, 10.0).expect("nothing lacks")
    }

    #[test]
    fn a_listener_second_is_the_cpu_by_listeners_and_seconds() {
        let figures = run(3.0);
        assert!((figures.us_per_listener_second - 1000.0).abs() < 1e-9, "{figures:?}");
        assert!((figures.server_percent - 30.0).abs() < 1e-9, "{figures:?}");
    }

    #[test]
    fn a_median_is_of_the_middle_and_of_two_it_is_between() {
        let of = |runs: &[f64]| {
            let runs = runs.iter().map(|cpu| run(*cpu)).collect();
            Outcome { name: "a".into(), runs }.median(|run| run.us_per_packet)
        };
        assert_eq!((of(&[3.0, 1.0, 2.0]), of(&[1.0, 2.0]), of(&[])), (4.0, 3.0, 0.0));
    }

    #[test]
    fn a_run_that_not_everybody_joined_counts_only_where_there_is_no_other() {
        let broken = Figures { failed: 1, ..run(9.0) };
        let of = |runs: &[Figures]| {
            Outcome { name: "a".into(), runs: runs.to_vec() }.median(|run| run.us_per_packet)
        };
        assert_eq!((of(&[run(1.0), broken.clone()]), of(&[broken])), (2.0, 18.0));
    }

    #[test]
    fn a_report_without_a_server_is_refused_by_name() {
        let error = Figures::of(&json!({ "load": {} }), 1.0, 1.0).expect_err("it lacks all");
        assert!(error.to_string().contains("/load/server/cpu_seconds"), "{error}");
    }
}
