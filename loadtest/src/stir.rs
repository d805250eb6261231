//! Stir: what people do besides talking while the load is measured: they leave and come back,
//! mute, and lose their network. Who does it is drawn from the seed.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::bot::{Join, Order};
use crate::crowd::Crowd;
use crate::scenario::Scenario;
use crate::voice::BotId;

/// What is still to come.
pub struct Stir<'a> {
    people: &'a [(BotId, Join)],
    rng: fastrand::Rng,
    streams: [Stream; 3],
    /// Who is amid something, and when it is to end how.
    returns: Vec<(Instant, BotId, Order)>,
    busy: HashSet<BotId>,
}

struct Stream {
    what: What,
    every: Duration,
    next: Option<Instant>,
}

#[derive(Clone, Copy)]
enum What {
    Churn,
    Mute,
    Reconnect,
}

impl<'a> Stir<'a> {
    pub fn new(scenario: &Scenario, people: &'a [(BotId, Join)], now: Instant) -> Self {
        let stream = |what, rate: f64| {
            let every = Duration::from_secs_f64(1.0 / rate.max(f64::MIN_POSITIVE).max(1e-6));
            Stream { what, every, next: (rate > 0.0).then(|| now + every) }
        };
        Self {
            people,
            rng: fastrand::Rng::with_seed(scenario.seed),
            streams: [
                stream(What::Churn, scenario.churn_per_second),
                stream(What::Mute, scenario.mutes_per_second),
                stream(What::Reconnect, scenario.reconnects_per_second),
            ],
            returns: Vec::new(),
            busy: HashSet::new(),
        }
    }

    /// When something is to be done next.
    pub fn due(&self) -> Option<Instant> {
        let returns = self.returns.iter().map(|(at, ..)| *at);
        returns.chain(self.streams.iter().filter_map(|stream| stream.next)).min()
    }

    /// Does what is due by `now`.
    pub async fn act(&mut self, crowd: &mut Crowd<'_>, now: Instant) {
        while let Some(at) = self.returns.iter().position(|(at, ..)| *at <= now) {
            let (_, bot, order) = self.returns.swap_remove(at);
            self.busy.remove(&bot);
            crowd.order(bot, order).await;
        }
        for at in 0..self.streams.len() {
            while let Stream { what, every, next: Some(next) } = self.streams[at]
                && next <= now
            {
                self.streams[at].next = Some(next + every);
                self.disturb(crowd, what, now).await;
            }
        }
    }

    async fn disturb(&mut self, crowd: &mut Crowd<'_>, what: What, now: Instant) {
        let free = |(bot, _): &&(BotId, Join)| !self.busy.contains(bot);
        let free: Vec<&(BotId, Join)> = self.people.iter().filter(free).collect();
        // Talkers stay where others can do it: the load is to remain what it is.
        let listeners = free.iter().filter(|(_, join)| !join.role.is_talker).count();
        let is_fit = |join: &Join| match what {
            What::Mute => true,
            What::Churn | What::Reconnect => listeners == 0 || !join.role.is_talker,
        };
        let fit: Vec<_> = free.into_iter().filter(|(_, join)| is_fit(join)).collect();
        let Some((bot, join)) = self.rng.choice(fit) else {
            return;
        };
        let join = Join { is_recorder: false, ..join.clone() };
        let (order, back) = match what {
            What::Churn => (Order::Leave, Some(Order::Join(join))),
            What::Reconnect => (Order::Reconnect(join), None),
            What::Mute if join.role.is_talker => (Order::Mute, Some(Order::Unmute)),
            What::Mute => (Order::Unmute, Some(Order::Mute)),
        };
        if let Some(back) = back {
            self.busy.insert(*bot);
            self.returns.push((now + AWAY, *bot, back));
        }
        crowd.order(*bot, order).await;
    }
}

/// How long somebody is away or muted.
const AWAY: Duration = Duration::from_secs(1);
