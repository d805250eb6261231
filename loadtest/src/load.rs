//! The load: calls full of onliners, a few of them talking, and a window in which it is measured.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

use crate::api::Login;
use crate::bot::Join;
use crate::cost::{Generator, Memory, Spent};
use crate::cpu;
use crate::crowd::Crowd;
use crate::leg::Role;
use crate::media::Command;
use crate::notice::{LastSecond, Measured, Notice};
use crate::report::{GapsFound, LightLegs, Load, Point, VoicePoint, Voices};
use crate::scenario::Scenario;
use crate::server::Server;
use crate::stir::Stir;
use crate::voice::BotId;

/// Calls that can be filled further, and measured again.
pub struct Calls<'a> {
    scenario: &'a Scenario,
    server: &'a Server,
    is_pinned: bool,
    /// Jids, by call number.
    chats: Vec<String>,
    people: Vec<(BotId, Join)>,
    memory: Memory,
}

impl<'a> Calls<'a> {
    pub fn new(scenario: &'a Scenario, server: &'a Server, is_pinned: bool) -> Self {
        let (chats, people, memory) = (Vec::new(), Vec::new(), Memory::default());
        Self { scenario, server, is_pinned, chats, people, memory }
    }

    /// Fills every call up to `onliners`: the talkers first, then those who only listen.
    ///
    /// # Errors
    /// When the server cannot be reached or goes away.
    pub async fn fill(&mut self, crowd: &mut Crowd<'_>, onliners: usize) -> Result<()> {
        let before_kib = self.server.resident_kib()?;
        let present = self.people.len() / self.scenario.calls;
        let more = onliners.saturating_sub(present);
        let logins = crowd.invite(self.scenario.calls * more).await?;
        let mut joins = Vec::with_capacity(logins.len());
        for (call, members) in logins.chunks(more.max(1)).enumerate() {
            let chat = self.chat(crowd, call, members).await?;
            for (place, (bot, _)) in (present..).zip(members) {
                joins.push((*bot, self.join(chat.clone(), call, place)));
            }
        }
        crowd.listen(QUIET).await;
        self.memory.note_sockets(before_kib, self.server.resident_kib()?);
        self.people.extend(joins.iter().cloned());
        let (talkers, mut listeners): (Vec<_>, Vec<_>) =
            joins.into_iter().partition(|(_, join)| join.role.is_talker);
        listeners.splice(0..0, crowd.ears(&talkers));
        crowd.join(talkers, self.scenario.pause()).await;
        crowd.join(listeners, self.scenario.pause()).await;
        crowd.listen(self.scenario.settling()).await;
        Ok(())
    }

    async fn chat(
        &mut self,
        crowd: &Crowd<'_>,
        call: usize,
        members: &[(BotId, Login)],
    ) -> Result<String> {
        if let Some(chat) = self.chats.get(call) {
            return Ok(chat.clone());
        }
        let (_, first) = members.first().context("a call has at least one onliner")?;
        let chat = crowd.make_group(first, &format!("Load {call}")).await?;
        self.chats.push(chat.clone());
        Ok(chat)
    }

    fn join(&self, chat: String, call: usize, place: usize) -> Join {
        let Scenario { talking, sections, light, record, .. } = *self.scenario;
        let is_talker = place < talking;
        let role = Role { is_talker, sections, light: light.filter(|_| !is_talker) };
        Join { chat, call, role, is_recorder: record && place == 0 }
    }

    /// Measures for the length of a window.
    ///
    /// # Errors
    /// When the server goes away.
    pub async fn measure(&mut self, crowd: &mut Crowd<'_>) -> Result<Load> {
        let length = self.scenario.window();
        crowd.watch.view.begin("measuring", self.scenario.seconds as usize);
        let (server, own) = (Spent::of(self.server)?, cpu::of_this_process());
        crowd.watch.begin_window();
        crowd.media().tell(Command::Measure(length))?;
        self.stir(crowd, Instant::now() + length).await;
        let (own, spent) = (cpu::of_this_process() - own, Spent::of(self.server)?);
        let steady_kib = self.server.resident_kib()?;
        let measured = finish(crowd).await?;
        let Measured { tally, media_cpu } = measured;
        let (onliners, light) = (self.people.len(), self.light_legs());
        let spent = spent.since(&server, length);
        let generator = Generator {
            process: own,
            media_thread: media_cpu,
            is_pinned: self.is_pinned,
            legs: onliners,
        };
        let series = series(crowd, &tally.seconds)?;
        crowd.watch.end_window();
        Ok(Load {
            onliners,
            voices: Voices::of(&tally),
            latency: tally.latency.spread(),
            latency_steps: tally.latency.steps(LATENCY_STEPS),
            gaps: GapsFound::of(&tally, self.scenario),
            light: (light > 0).then(|| LightLegs::of(&tally, light)),
            server: spent.and_then(|spent| self.memory.cost(&spent, &tally, onliners, steady_kib)),
            generator: generator.report(&tally, length),
            series,
        })
    }

    fn light_legs(&self) -> usize {
        self.people.iter().filter(|(_, join)| join.role.light.is_some()).count()
    }

    /// Lets people come and go until the window is over.
    async fn stir(&self, crowd: &mut Crowd<'_>, until: Instant) {
        let mut stir = Stir::new(self.scenario, &self.people, Instant::now());
        while let Some(due) = stir.due().filter(|due| *due < until) {
            crowd.listen_until(due).await;
            stir.act(crowd, due).await;
        }
        crowd.listen_until(until).await;
        // Whoever is away comes back.
        stir.act(crowd, until + HOMECOMING).await;
    }
}

async fn finish(crowd: &mut Crowd<'_>) -> Result<Measured> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match crowd.notice(deadline).await {
            Some(Notice::Measured(measured)) => {
                let last = measured.tally.seconds.last();
                last.into_iter().for_each(|last| crowd.watch.show(Some(&LastSecond::of(last))));
                crowd.watch.view.end();
                return Ok(*measured);
            }
            Some(_) => {}
            None => bail!("the media thread did not finish its window"),
        }
    }
}

/// What was seen of the server beside what was heard.
fn series(crowd: &Crowd<'_>, seconds: &[crate::tally::Second]) -> Result<Vec<Point>> {
    let (samples, window) = crowd.watch.samples()?;
    let mut points = Vec::with_capacity(samples.len());
    let mut before = 0;
    for (at, sample) in samples.iter().enumerate().take(window + seconds.len()) {
        let voice = at.checked_sub(window).and_then(|at| seconds.get(at));
        points.push(Point {
            at_s: sample.at_s,
            joined: sample.joined,
            joins: sample.connections - before,
            server_cpu_percent: sample.server_cpu_percent,
            server_kib: sample.server_kib,
            generator_cpu_percent: sample.generator_cpu_percent,
            voice: voice.map(|second| VoicePoint {
                heard: second.heard,
                packets: second.packets,
                lost_percent: second.lost_percent(),
                latency: second.latency.spread(),
            }),
        });
        before = sample.connections;
    }
    Ok(points)
}

/// Before memory is read: what the server does about new sockets is done.
const QUIET: Duration = Duration::from_secs(1);

/// How long after a window somebody may still be away.
const HOMECOMING: Duration = Duration::from_secs(2);

/// How long the end of a window may be late.
const PATIENCE: Duration = Duration::from_secs(10);

/// Steps of the latency's distribution: enough for a plot.
const LATENCY_STEPS: u64 = 60;
