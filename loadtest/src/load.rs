//! The load: calls full of onliners, a few of them talking, and one window in which it is measured.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use crate::Args;
use crate::bot::Join;
use crate::cpu;
use crate::crowd::Crowd;
use crate::notice::{Measured, Notice};
use crate::report::{Generator, Load, ServerCost, Voices};
use crate::server::Server;
use crate::voice::BotId;

/// CPU time and memory over the window.
struct Window {
    measured: Measured,
    server_cpu: Option<Duration>,
    /// Of each kind of thread, over the window.
    threads: BTreeMap<String, Duration>,
    own_cpu: Duration,
    steady_kib: Option<u64>,
}

/// Fills the calls, measures, and leaves the crowd where it is.
///
/// # Errors
/// When the server cannot be reached or goes away.
pub async fn run(args: &Args, crowd: &mut Crowd, server: &Server) -> Result<Load> {
    let idle_kib = server.resident_kib()?;
    let (talkers, listeners) = invite(args, crowd).await?;
    crowd.listen(SETTLE).await;
    let connected_kib = server.resident_kib()?;
    let pause = args.pause();
    crowd.join(talkers, pause).await;
    crowd.join(listeners, pause).await;
    crowd.listen(WARM_UP).await;
    let window = measure(args, crowd, server).await?;
    let onliners = crowd.connected();
    let tally = &window.measured.tally;
    let server = server_cost(&window, [idle_kib, connected_kib], onliners);
    Ok(Load {
        calls: args.calls,
        onliners: args.onliners,
        talking: args.talking,
        seconds: args.seconds,
        voices: Voices::of(tally),
        latency: tally.latency.spread(),
        server,
        generator: Generator::of(args, window.own_cpu, window.measured.media_cpu, tally.sent),
    })
}

/// Opens everybody's socket and makes the groups: who joins as a talker, who as a listener.
async fn invite(
    args: &Args,
    crowd: &mut Crowd,
) -> Result<(Vec<(BotId, Join)>, Vec<(BotId, Join)>)> {
    let logins = crowd.invite(args.calls * args.onliners).await?;
    let mut joins = Vec::with_capacity(logins.len());
    for (call, members) in logins.chunks(args.onliners).enumerate() {
        let (_, first) = members.first().context("a call has at least one onliner")?;
        let chat = crowd.make_group(first, &format!("Load {call}")).await?;
        for (place, (bot, _)) in members.iter().enumerate() {
            let is_talker = place < args.talking;
            let sections = args.sections.unwrap_or(args.talking.max(1));
            joins.push((*bot, Join { chat: chat.clone(), call, is_talker, sections }));
        }
    }
    Ok(joins.into_iter().partition(|(_, join)| join.is_talker))
}

async fn measure(args: &Args, crowd: &mut Crowd, server: &Server) -> Result<Window> {
    let length = args.window();
    let (server_before, own_before) = (server.cpu()?, cpu::of_this_process());
    let threads_before = server.threads()?;
    crowd.media().tell(crate::media::Command::Measure(length))?;
    crowd.listen(length).await;
    let (server_after, own_after) = (server.cpu()?, cpu::of_this_process());
    let threads = server.threads()?.into_iter().map(|(name, after)| {
        let before = threads_before.get(&name).copied().unwrap_or_default();
        (name, after.saturating_sub(before))
    });
    let threads = threads.collect();
    let steady_kib = server.resident_kib()?;
    let deadline = Instant::now() + SETTLE * 10;
    loop {
        match crowd.notice(deadline).await {
            Some(Notice::Measured(measured)) => {
                return Ok(Window {
                    measured: *measured,
                    server_cpu: server_after
                        .zip(server_before)
                        .map(|(after, before)| after - before),
                    threads,
                    own_cpu: own_after - own_before,
                    steady_kib,
                });
            }
            Some(_) => {}
            None => anyhow::bail!("the media thread did not finish its window"),
        }
    }
}

fn server_cost(
    window: &Window,
    before_kib: [Option<u64>; 2],
    onliners: usize,
) -> Option<ServerCost> {
    let tally = &window.measured.tally;
    let cpu = window.server_cpu?;
    let [idle_kib, connected_kib] = [before_kib[0]?, before_kib[1]?];
    let steady_kib = window.steady_kib?;
    let share = |kib: u64, base: u64| (kib as f64 - base as f64) / onliners.max(1) as f64;
    Some(ServerCost {
        cpu_seconds: cpu.as_secs_f64(),
        us_per_packet: cpu.as_secs_f64() * 1e6 / tally.packets.max(1) as f64,
        threads_ms: window
            .threads
            .iter()
            .map(|(name, spent)| (name.clone(), spent.as_secs_f64() * 1e3))
            .collect(),
        idle_kib,
        connected_kib,
        steady_kib,
        kib_per_socket: share(connected_kib, idle_kib),
        kib_per_leg: share(steady_kib, connected_kib),
        kib_per_onliner: share(steady_kib, idle_kib),
    })
}

/// Before memory is read: what the server does about new sockets is done.
const SETTLE: Duration = Duration::from_secs(1);

/// Between the last join and the window.
const WARM_UP: Duration = Duration::from_secs(2);
