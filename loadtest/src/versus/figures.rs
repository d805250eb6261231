//! Figures: what a run's report says that is compared, and the medians of several.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Server CPU over the window, by onliners and seconds: all of them listen.
    pub us_per_listener_second: f64,
    /// By frames heard, and by the packets they came in.
    pub us_per_frame: f64,
    pub us_per_packet: f64,
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
    /// When there is none, it is of another version, or lacks a figure.
    pub fn read(path: &Path, others_percent: f64) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("no report {}", path.display()))?;
        let figures = Self::of(&serde_json::from_slice(&text)?)?;
        Ok(Self { others_percent, ..figures })
    }

    fn of(report: &Value) -> Result<Self> {
        let version: u32 = told(report, "/version")?;
        ensure!(version == VERSION, "loadtest's report has /version {version}, not {VERSION}");
        let figure = |path| told::<f64>(report, path);
        Ok(Self {
            us_per_listener_second: figure("/load/server/us_per_listener_second")?,
            us_per_frame: figure("/load/server/us_per_frame")?,
            us_per_packet: figure("/load/server/us_per_packet")?,
            server_percent: figure("/load/server/cpu_percent")?,
            p50_ms: figure("/load/latency/p50_ms")?,
            p95_ms: figure("/load/latency/p95_ms")?,
            p99_ms: figure("/load/latency/p99_ms")?,
            lost_percent: figure("/load/voices/lost_percent")?,
            kib_per_leg: figure("/load/server/kib_per_leg")?,
            failed: told(report, "/failed")?,
            generator_percent: figure("/load/generator/process_percent")?,
            is_generator_bottleneck: told(report, "/load/generator/is_bottleneck")?,
            others_percent: 0.0,
            complaints: told(report, "/complaints")?,
        })
    }
}

/// What the report tells at a path.
///
/// # Errors
/// When it tells nothing there, or something of another kind.
fn told<'a, T: Deserialize<'a>>(report: &'a Value, path: &str) -> Result<T> {
    let found = report.pointer(path);
    let found = found.with_context(|| format!("loadtest's report has no {path}"))?;
    T::deserialize(found).with_context(|| format!("{path} in loadtest's report"))
}

/// Of loadtest's JSON, the one read here.
const VERSION: u32 = 1;

impl Display for Figures {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:.0} us a listener-second, {:.2} a frame, {:.2} a packet, p50 {:.2} ms, \
             p99 {:.2} ms, {:.3} % lost, server {:.0} %, generator {:.0} %, others {:.0} %",
            self.us_per_listener_second,
            self.us_per_frame,
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
mod tests {
    use serde_json::json;

    use super::*;

    /// A report of a run that took `cpu` us a listener-second.
    fn report(cpu: f64) -> Value {
        let latency = json!({ "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0 });
        let server = json!({ "us_per_listener_second": cpu, "us_per_frame": 3, "us_per_packet": 6,
            "cpu_percent": 30.0, "kib_per_leg": 30.5 });
        let generator = json!({ "process_percent": 40.0, "is_bottleneck": cpu > 5.0 });
        json!({ "version": 1, "failed": 0, "complaints": ["2 x warned: late"], "load": {
            "latency": latency, "server": server, "generator": generator,
            "voices": { "lost_percent": 0.0 },
        }})
    }

    fn run(cpu: f64) -> Figures {
        Figures::of(&report(cpu)).expect("nothing lacks")
    }

    #[test]
    fn figures_are_what_the_report_tells() {
        let figures = run(6.0);
        assert_eq!(
            (figures.us_per_listener_second, figures.us_per_frame, figures.us_per_packet),
            (6.0, 3.0, 6.0)
        );
        assert_eq!((figures.server_percent, figures.kib_per_leg), (30.0, 30.5));
        assert!(figures.is_generator_bottleneck && !run(5.0).is_generator_bottleneck);
        assert_eq!(figures.complaints, ["2 x warned: late"]);
    }

    #[test]
    fn a_median_is_of_the_middle_and_of_two_it_is_between() {
        let of = |runs: &[f64]| {
            let runs = runs.iter().map(|cpu| run(*cpu)).collect();
            Outcome { name: "a".into(), runs }.median(|run| run.us_per_listener_second)
        };
        assert_eq!((of(&[3.0, 1.0, 2.0]), of(&[1.0, 2.0]), of(&[])), (2.0, 1.5, 0.0));
    }

    #[test]
    fn a_run_that_not_everybody_joined_counts_only_where_there_is_no_other() {
        let broken = Figures { failed: 1, ..run(9.0) };
        let of = |runs: &[Figures]| {
            let outcome = Outcome { name: "a".into(), runs: runs.to_vec() };
            outcome.median(|run| run.us_per_listener_second)
        };
        assert_eq!((of(&[run(1.0), broken.clone()]), of(&[broken])), (1.0, 9.0));
    }

    #[test]
    fn whatever_a_report_lacks_is_named() {
        for path in [
            "/version",
            "/failed",
            "/complaints",
            "/load/server/us_per_listener_second",
            "/load/server/us_per_frame",
            "/load/server/us_per_packet",
            "/load/server/cpu_percent",
            "/load/server/kib_per_leg",
            "/load/latency/p50_ms",
            "/load/latency/p95_ms",
            "/load/latency/p99_ms",
            "/load/voices/lost_percent",
            "/load/generator/process_percent",
            "/load/generator/is_bottleneck",
        ] {
            let mut report = report(3.0);
            let (parent, key) = path.rsplit_once('/').expect("it begins with one");
            let parent = report.pointer_mut(parent).and_then(Value::as_object_mut);
            parent.and_then(|parent| parent.remove(key)).expect("it is in the report");
            let error = Figures::of(&report).expect_err("one lacks");
            assert_eq!(error.to_string(), format!("loadtest's report has no {path}"));
        }
    }

    #[test]
    fn a_figure_of_another_kind_and_another_version_are_refused_by_name() {
        for (path, instead) in [
            ("/version", json!(2)),
            ("/load/generator/is_bottleneck", json!("no")),
            ("/load/server/us_per_packet", Value::Null),
            ("/complaints", json!({})),
        ] {
            let mut report = report(3.0);
            *report.pointer_mut(path).expect("it is in the report") = instead;
            let error = Figures::of(&report).expect_err("one is another");
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
