//! Limit: adds onliners step by step until a bound is passed, and says who had no room left.

use anyhow::Result;

use crate::args::Bound;
use crate::cost::BUSY_PERCENT;
use crate::crowd::Crowd;
use crate::load::Calls;
use crate::report::{EndedBy, Limit, LimitStep, Load};
use crate::scenario::Scenario;

/// Fills the calls by `scenario.onliners` a step, and measures each step. Gives the last load too.
///
/// # Errors
/// When the server cannot be reached or goes away.
pub async fn run(
    scenario: &Scenario,
    crowd: &mut Crowd<'_>,
    calls: &mut Calls<'_>,
    bound: Bound,
) -> Result<(Limit, Load)> {
    let mut steps: Vec<LimitStep> = Vec::new();
    loop {
        let onliners = scenario.onliners * (steps.len() + 1);
        calls.fill(crowd, onliners).await?;
        let load = calls.measure(crowd).await?;
        let step = step(onliners, &load, bound);
        let is_within = step.is_within && crowd.failed() == 0;
        crowd.watch.view.line(&format!(
            "{onliners} onliners a call: p99 {:.2} ms, {:.3} % lost",
            step.p99_ms, step.lost_percent
        ));
        steps.push(step);
        if !is_within || steps.len() == STEPS {
            let good = steps.iter().filter(|step| step.is_within).map(|step| step.onliners).max();
            let ended_by = if crowd.failed() > 0 { EndedBy::Joining } else { ended_by(&load) };
            let (bound, last_good) = (bound.to_string(), good.unwrap_or(0));
            return Ok((Limit { bound, last_good, ended_by, steps }, load));
        }
    }
}

fn step(onliners: usize, load: &Load, bound: Bound) -> LimitStep {
    let voices = &load.voices;
    // What the simulated network loses is not the server's.
    let lost = voices.lost.saturating_sub(voices.injected);
    let lost_percent = lost as f64 * 100.0 / voices.expected.max(1) as f64;
    let p99_ms = load.latency.p99_ms;
    let is_within = match bound {
        Bound::P99(most) => p99_ms <= most.as_secs_f64() * 1e3,
        Bound::LossPercent(most) => lost_percent <= most,
    };
    let server = load.server.as_ref();
    LimitStep {
        onliners,
        p99_ms,
        lost_percent,
        server_busiest_thread_percent: server.map(|server| server.busiest_thread_percent),
        us_per_listener_second: server.map(|server| server.us_per_listener_second),
        generator_percent: load.generator.process_percent,
        is_within,
    }
}

fn ended_by(load: &Load) -> EndedBy {
    let busiest = load.server.as_ref().map_or(0.0, |server| server.busiest_thread_percent);
    if load.generator.is_bottleneck {
        EndedBy::Generator
    } else if busiest > BUSY_PERCENT {
        EndedBy::Server
    } else {
        EndedBy::Neither
    }
}

/// Steps at most: who needs more begins with more.
const STEPS: usize = 100;
