//! Compare: two reports side by side, and which of them is better where. Reads figures only; that
//! both are of the same load it says when they are not.

use std::fmt::{self, Display, Formatter};

use crate::report::{Load, Report};

/// Two reports, figure by figure.
pub struct Comparison {
    lines: Vec<Line>,
    /// What of the scenario differs.
    differences: Vec<String>,
}

struct Line {
    what: &'static str,
    before: f64,
    after: f64,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Better,
    Worse,
    /// Within the noise of one run.
    Same,
}

struct Figure {
    what: &'static str,
    better: Better,
    read: fn(&Report) -> Option<f64>,
}

#[derive(Clone, Copy)]
enum Better {
    Less,
    More,
}

impl Comparison {
    pub fn of(before: &Report, after: &Report) -> Self {
        let lines = FIGURES.iter().filter_map(|figure| {
            let (before, after) = ((figure.read)(before)?, (figure.read)(after)?);
            let verdict = verdict(before, after, figure.better);
            Some(Line { what: figure.what, before, after, verdict })
        });
        Self { lines: lines.collect(), differences: differences(before, after) }
    }
}

fn verdict(before: f64, after: f64, better: Better) -> Verdict {
    let is_less = after < before;
    if (after - before).abs() <= before.abs().max(after.abs()) * NOISE {
        Verdict::Same
    } else if is_less == matches!(better, Better::Less) {
        Verdict::Better
    } else {
        Verdict::Worse
    }
}

/// Keys of the scenarios with different values, its name left out.
fn differences(before: &Report, after: &Report) -> Vec<String> {
    let fields = |report: &Report| match serde_json::to_value(&report.scenario) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let differ =
        before.iter().filter(|(key, value)| *key != "name" && after.get(*key) != Some(*value));
    differ
        .map(|(key, value)| {
            let other = after.get(key).unwrap_or(&serde_json::Value::Null);
            format!("{key} {value} and {other}")
        })
        .collect()
}

impl Display for Comparison {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(out, "! not the same load: {difference}")?;
        }
        writeln!(out, "{:32} {:>12} {:>12} {:>8}", "", "before", "after", "ratio")?;
        for Line { what, before, after, verdict } in &self.lines {
            let ratio = match (*before, *after) {
                (0.0, 0.0) => "1.00".to_owned(),
                (0.0, _) => "-".to_owned(),
                (before, after) => format!("{:.2}", after / before),
            };
            let verdict = match verdict {
                Verdict::Better => "better",
                Verdict::Worse => "worse",
                Verdict::Same => "same",
            };
            writeln!(out, "{what:32} {before:12.3} {after:12.3} {ratio:>8}  {verdict}")?;
        }
        Ok(())
    }
}

const fn less(what: &'static str, read: fn(&Report) -> Option<f64>) -> Figure {
    Figure { what, better: Better::Less, read }
}

const fn more(what: &'static str, read: fn(&Report) -> Option<f64>) -> Figure {
    Figure { what, better: Better::More, read }
}

fn load(report: &Report) -> Option<&Load> {
    report.load.as_ref()
}

const FIGURES: [Figure; 20] = [
    more("joined", |it| Some(it.joined as f64)),
    less("failed", |it| Some(it.failed as f64)),
    less("answer p95, ms", |it| Some(it.join.answered.p95_ms)),
    less("connected p95, ms", |it| Some(it.join.connected.p95_ms)),
    less("hears a voice p50, ms", |it| Some(it.join.first_heard.p50_ms)),
    less("hears a voice p95, ms", |it| Some(it.join.first_heard.p95_ms)),
    less("frames lost, %", |it| Some(load(it)?.voices.lost_percent)),
    less("gaps", |it| Some(load(it)?.gaps.as_ref()?.count as f64)),
    less("longest gap, ms", |it| Some(load(it)?.gaps.as_ref()?.longest_ms)),
    less("packets a frame", |it| {
        let voices = &load(it)?.voices;
        Some(voices.packets as f64 / voices.heard.max(1) as f64)
    }),
    less("added latency p50, ms", |it| Some(load(it)?.latency.p50_ms)),
    less("added latency p95, ms", |it| Some(load(it)?.latency.p95_ms)),
    less("added latency p99, ms", |it| Some(load(it)?.latency.p99_ms)),
    less("us CPU a packet", |it| Some(load(it)?.server.as_ref()?.us_per_packet)),
    less("us CPU a frame", |it| Some(load(it)?.server.as_ref()?.us_per_frame)),
    less("us CPU a listener-second", |it| Some(load(it)?.server.as_ref()?.us_per_listener_second)),
    less("KiB a leg", |it| Some(load(it)?.server.as_ref()?.kib_per_leg)),
    less("KiB an onliner", |it| Some(load(it)?.server.as_ref()?.kib_per_onliner)),
    less("first voice p95, ms", |it| Some(it.first_voice.as_ref()?.after_offer.p95_ms)),
    more("onliners within the bound", |it| Some(it.limit.as_ref()?.last_good as f64)),
];

/// One run differs from the next by this, of the greater one.
const NOISE: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_by_more_than_the_noise_is_better_or_worse() {
        for (before, after, better, wanted) in [
            (10.0, 10.4, Better::Less, Verdict::Same),
            (10.0, 12.0, Better::Less, Verdict::Worse),
            (10.0, 12.0, Better::More, Verdict::Better),
            (10.0, 5.0, Better::Less, Verdict::Better),
            (0.0, 0.0, Better::Less, Verdict::Same),
            (0.0, 3.0, Better::Less, Verdict::Worse),
        ] {
            assert_eq!(verdict(before, after, better), wanted, "{before} {after}");
        }
    }
}
