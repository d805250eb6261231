//! The comparison: medians side by side, what Janus takes of each for one of ours, and what makes
//! a figure doubtful.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::Args;
use crate::figures::{Figures, Outcome};
use crate::machine::Machine;

#[derive(Debug, Serialize)]
pub struct Comparison {
    machine: Machine,
    load: Load,
    medians: Vec<Median>,
    ratios: Vec<Ratio>,
    doubts: Vec<String>,
    contenders: Vec<Outcome>,
}

#[derive(Debug, Serialize)]
struct Load {
    calls: usize,
    onliners: usize,
    talking: usize,
    seconds: u64,
    settle_seconds: u64,
    rounds: usize,
    server_cpu: usize,
    generator_cpu: usize,
}

#[derive(Debug, Serialize)]
struct Median {
    name: String,
    us_per_listener_second: f64,
    us_per_listener_second_range: (f64, f64),
    us_per_frame: f64,
    us_per_packet: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    lost_percent: f64,
    kib_per_leg: f64,
}

/// How many times as much the one takes as the other, by medians.
#[derive(Debug, Serialize)]
struct Ratio {
    of: String,
    to: String,
    us_per_listener_second: f64,
    us_per_frame: f64,
    us_per_packet: f64,
    p50: f64,
    p95: f64,
    p99: f64,
    kib_per_leg: f64,
}

impl Comparison {
    pub fn new(args: &Args, machine: Machine, contenders: Vec<Outcome>) -> Self {
        let load = Load {
            calls: args.calls,
            onliners: args.onliners,
            talking: args.talking,
            seconds: args.seconds,
            settle_seconds: args.settle,
            rounds: args.rounds,
            server_cpu: args.server_pin,
            generator_cpu: args.pin,
        };
        let medians: Vec<Median> = contenders.iter().map(Median::of).collect();
        // Janus stands last, once for each of its ways.
        let ours = medians.len() - args.event_loops.len().min(medians.len());
        let (ours, theirs) = medians.split_at(ours);
        let pairs = theirs.iter().flat_map(|their| ours.iter().map(move |our| (their, our)));
        let ratios = pairs.map(|(their, our)| Ratio::between(their, our)).collect();
        let doubts = doubts(&contenders);
        Self { machine, load, medians, ratios, doubts, contenders }
    }
}

impl Median {
    fn of(outcome: &Outcome) -> Self {
        let median = |figure: fn(&Figures) -> f64| outcome.median(figure);
        Self {
            name: outcome.name.clone(),
            us_per_listener_second: median(|run| run.us_per_listener_second),
            us_per_listener_second_range: outcome.range(|run| run.us_per_listener_second),
            us_per_frame: median(|run| run.us_per_frame),
            us_per_packet: median(|run| run.us_per_packet),
            p50_ms: median(|run| run.p50_ms),
            p95_ms: median(|run| run.p95_ms),
            p99_ms: median(|run| run.p99_ms),
            lost_percent: median(|run| run.lost_percent),
            kib_per_leg: median(|run| run.kib_per_leg),
        }
    }
}

impl Ratio {
    fn between(of: &Median, to: &Median) -> Self {
        let ratio = |figure: fn(&Median) -> f64| figure(of) / figure(to);
        Self {
            of: of.name.clone(),
            to: to.name.clone(),
            us_per_listener_second: ratio(|it| it.us_per_listener_second),
            us_per_frame: ratio(|it| it.us_per_frame),
            us_per_packet: ratio(|it| it.us_per_packet),
            p50: ratio(|it| it.p50_ms),
            p95: ratio(|it| it.p95_ms),
            p99: ratio(|it| it.p99_ms),
            kib_per_leg: ratio(|it| it.kib_per_leg),
        }
    }
}

fn doubts(contenders: &[Outcome]) -> Vec<String> {
    let mut doubts = Vec::new();
    for Outcome { name, runs } in contenders {
        let mut doubt = |is_so: fn(&Figures) -> bool, what: &str| {
            let times = runs.iter().filter(|run| is_so(run)).count();
            if times > 0 {
                doubts.push(format!("{name}, {times} of {} runs: {what}", runs.len()));
            }
        };
        doubt(
            |run| run.is_generator_bottleneck,
            "the generator was the bottleneck, delays and losses are its own",
        );
        doubt(
            |run| run.server_percent > 95.0,
            "the server had no CPU left, delays and losses grow",
        );
        doubt(
            |run| run.others_percent > BUSY_PERCENT,
            "others took CPU, run it on an idle machine",
        );
        doubt(|run| run.lost_percent > 1.0, "sound was lost: a listener-second was less work");
        doubt(|run| run.failed > 0, "not everybody joined, it does not count");
    }
    doubts
}

impl Display for Comparison {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cpus, kernel, load_before, voxhall, janus } = &self.machine;
        let Load { calls, onliners, talking, seconds, settle_seconds, rounds, .. } = self.load;
        let Load { server_cpu, generator_cpu, .. } = self.load;
        writeln!(out, "{voxhall}; Janus {janus} of Debian, VideoRoom")?;
        writeln!(
            out,
            "{cpus} x {cpu}, Linux {kernel}, load before {load_before:.1}; \
             server on CPU {server_cpu}, generator on {generator_cpu}"
        )?;
        writeln!(
            out,
            "{calls} x {onliners} onliners, {talking} of them talking, {seconds} s \
             {settle_seconds} s after the last join, medians of {rounds} in turns, \
             a fresh server each\n"
        )?;
        self.heading(out)?;
        let wide = self.width();
        for it in &self.medians {
            let (least, most) = it.us_per_listener_second_range;
            writeln!(
                out,
                "{:wide$} {:>10.0} {:>13} {:>8.2} {:>8.2} {:>8.2}{:>8.2}{:>8.2} {:>8.3} {:>7.1}",
                it.name,
                it.us_per_listener_second,
                format!("{least:.0} - {most:.0}"),
                it.us_per_frame,
                it.us_per_packet,
                it.p50_ms,
                it.p95_ms,
                it.p99_ms,
                it.lost_percent,
                it.kib_per_leg
            )?;
        }
        for it in &self.ratios {
            writeln!(
                out,
                "{:wide$} {:>10.2} {:>13} {:>8.2} {:>8.2} {:>8.2}{:>8.2}{:>8.2} {:>8} {:>7.1}",
                it.label(),
                it.us_per_listener_second,
                "times",
                it.us_per_frame,
                it.us_per_packet,
                it.p50,
                it.p95,
                it.p99,
                "",
                it.kib_per_leg
            )?;
        }
        self.doubts.iter().try_for_each(|doubt| writeln!(out, "! {doubt}"))
    }
}

impl Comparison {
    fn heading(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let wide = self.width();
        writeln!(
            out,
            "{:wide$} {:>24} {:>8} {:>8}   {:>22} {:>8} {:>7}",
            "", "us CPU a listener-second", "us CPU", "us CPU", "added latency (ms)", "lost", "KiB"
        )?;
        writeln!(
            out,
            "{:wide$} {:>10} {:>13} {:>8} {:>8} {:>8}{:>8}{:>8} {:>8} {:>7}",
            "", "", "least to most", "a frame", "a packet", "p50", "p95", "p99", "%", "a leg"
        )
    }

    fn width(&self) -> usize {
        let names = self.medians.iter().map(|it| it.name.len());
        names.chain(self.ratios.iter().map(|it| it.label().len())).max().unwrap_or(0)
    }
}

impl Ratio {
    fn label(&self) -> String {
        format!("{} / {}", self.of, self.to)
    }
}

/// More of a CPU than a machine's usual services take.
const BUSY_PERCENT: f64 = 10.0;
