//! The crowd: all bots, who of them is in, and why the others are not. The only reader of notices.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::api::{Api, Login};
use crate::bot::{Bot, Join, Order};
use crate::janus::{self, Rooms};
use crate::media::MediaHandle;
use crate::notice::Notice;
use crate::voice::BotId;
use crate::watch::Watch;

/// Where the bots come in.
#[derive(Clone)]
pub enum Door {
    Voxhall(Api),
    Janus(Rooms),
}

/// Everybody who takes part.
pub struct Crowd<'a> {
    door: Door,
    media: MediaHandle,
    sender: mpsc::Sender<Notice>,
    notices: mpsc::Receiver<Notice>,
    orders: HashMap<BotId, mpsc::Sender<Order>>,
    next_bot: BotId,
    /// Numbers of talkers' second legs.
    ears: HashSet<BotId>,
    pub watch: Watch<'a>,
    connected: HashSet<BotId>,
    /// Connected, and not gone since.
    inside: HashSet<BotId>,
    connections: usize,
    failed: HashMap<BotId, String>,
    /// Warnings of the server, how often each.
    warnings: HashMap<String, usize>,
}

impl<'a> Crowd<'a> {
    pub fn new(
        door: Door,
        watch: Watch<'a>,
        media: MediaHandle,
        sender: mpsc::Sender<Notice>,
        notices: mpsc::Receiver<Notice>,
    ) -> Self {
        Self {
            door,
            media,
            sender,
            notices,
            orders: HashMap::new(),
            next_bot: 0,
            ears: HashSet::new(),
            watch,
            connected: HashSet::new(),
            inside: HashSet::new(),
            connections: 0,
            failed: HashMap::new(),
            warnings: HashMap::new(),
        }
    }

    pub fn media(&self) -> &MediaHandle {
        &self.media
    }

    /// Logs `count` more bots in and opens their sockets, a few at a time.
    ///
    /// # Errors
    /// When one of them is refused: a load with a hole in it measures something else.
    pub async fn invite(&mut self, count: usize) -> Result<Vec<(BotId, Login)>> {
        let mut waiting = self.next_bot..self.next_bot + count as BotId;
        self.next_bot = waiting.end;
        let mut arriving = JoinSet::new();
        let mut logins = Vec::with_capacity(count);
        self.watch.view.begin("logging in", count);
        loop {
            while arriving.len() < DOORS
                && let Some(id) = waiting.next()
            {
                let (orders, inbox) = mpsc::channel(ORDERS);
                self.orders.insert(id, orders);
                let (media, sender) = (self.media.clone(), self.sender.clone());
                arriving.spawn(arrive(id, self.door.clone(), media, sender, inbox));
            }
            let Some(arrived) = arriving.join_next().await else {
                break;
            };
            logins.push(arrived??);
            self.watch.view.advance(logins.len());
        }
        logins.sort_by_key(|(id, _)| *id);
        Ok(logins)
    }

    /// Makes the group of a call.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn make_group(&self, login: &Login, name: &str) -> Result<String> {
        match &self.door {
            Door::Voxhall(api) => api.make_group(login, name).await,
            Door::Janus(rooms) => rooms.make_room(name).await,
        }
    }

    /// What talkers join with to hear too, where that takes a leg of its own.
    pub fn ears(&mut self, talkers: &[(BotId, Join)]) -> Vec<(BotId, Join)> {
        let Door::Janus(rooms) = &self.door else {
            return Vec::new();
        };
        let ears = talkers.iter().filter_map(|(bot, join)| Some((*bot, rooms.ears(*bot, join)?)));
        let ears: Vec<(BotId, (BotId, Join))> = ears.collect();
        for (bot, (leg, _)) in &ears {
            self.ears.insert(*leg);
            self.next_bot = self.next_bot.max(leg + 1);
            if let Some(orders) = self.orders.get(bot).cloned() {
                self.orders.insert(*leg, orders);
            }
        }
        ears.into_iter().map(|(_, ears)| ears).collect()
    }

    /// Tells a bot what to do. One that has failed is beyond orders.
    pub async fn order(&mut self, bot: BotId, order: Order) {
        if let Order::Leave | Order::Reconnect(_) = order {
            self.inside.remove(&bot);
        }
        if let Some(orders) = self.orders.get(&bot) {
            let _ = orders.send(order).await;
        }
    }

    /// Lets the bots join one after another, `pause` apart, and waits until each is in or failed.
    pub async fn join(&mut self, joins: Vec<(BotId, Join)>, pause: Duration) {
        let bots: Vec<BotId> = joins.iter().map(|(bot, _)| *bot).collect();
        self.watch.view.begin("joining", bots.len());
        let start = Instant::now();
        for (at, (bot, join)) in (1..).zip(joins) {
            self.order(bot, Order::Join(join)).await;
            self.listen_until(start + pause * at).await;
            self.watch.view.advance(at as usize);
        }
        let deadline = Instant::now() + PATIENCE;
        while bots.iter().any(|bot| self.is_pending(*bot)) {
            if self.notice(deadline).await.is_none() {
                break;
            }
        }
        for bot in bots.into_iter().filter(|bot| self.is_pending(*bot)).collect::<Vec<_>>() {
            self.failed.insert(bot, format!("not connected within {PATIENCE:?}"));
        }
    }

    /// Sends a bot away: he leaves, and his socket is closed.
    pub async fn dismiss(&mut self, bot: BotId) {
        self.order(bot, Order::Leave).await;
        self.orders.remove(&bot);
    }

    /// Takes notices for a while.
    pub async fn listen(&mut self, time: Duration) {
        self.listen_until(Instant::now() + time).await;
    }

    /// Takes notices until the deadline.
    pub async fn listen_until(&mut self, deadline: Instant) {
        while self.notice(deadline).await.is_some() {}
    }

    /// The next notice, or `None` at the deadline.
    pub async fn notice(&mut self, deadline: Instant) -> Option<Notice> {
        let notice = loop {
            let tick = self.watch.next_tick();
            if tick <= Instant::now() {
                self.watch.tick(self.inside.len(), self.connections);
            } else if let Ok(notice) = timeout_at(deadline.min(tick), self.notices.recv()).await {
                break notice?;
            } else if deadline <= Instant::now() {
                return None;
            }
        };
        match &notice {
            Notice::Connected(bot) => {
                self.connected.insert(*bot);
                if !self.ears.contains(bot) {
                    self.inside.insert(*bot);
                    self.connections += 1;
                }
            }
            Notice::Second(second) => self.watch.show(Some(second)),
            Notice::Failed { bot, why } => {
                self.failed.insert(*bot, why.clone());
                self.inside.remove(bot);
            }
            Notice::Warned { message } => {
                *self.warnings.entry(message.clone()).or_default() += 1;
            }
            Notice::FirstVoice { .. } | Notice::Measured(_) => {}
        }
        Some(notice)
    }

    pub fn connected(&self) -> usize {
        self.connected.difference(&self.ears).count()
    }

    /// Connections of those who had one before.
    pub fn reconnected(&self) -> usize {
        self.connections - self.connected()
    }

    pub fn failed(&self) -> usize {
        self.failed.len()
    }

    /// Reasons of failures and warnings, the most frequent first.
    pub fn complaints(&self) -> Vec<String> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for why in self.failed.values() {
            *counts.entry(format!("failed: {why}")).or_default() += 1;
        }
        for (message, times) in &self.warnings {
            *counts.entry(format!("warned: {message}")).or_default() += times;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.into_iter().map(|(what, times)| format!("{times} x {what}")).collect()
    }

    fn is_pending(&self, bot: BotId) -> bool {
        !self.connected.contains(&bot) && !self.failed.contains_key(&bot)
    }
}

async fn arrive(
    id: BotId,
    door: Door,
    media: MediaHandle,
    notices: mpsc::Sender<Notice>,
    orders: mpsc::Receiver<Order>,
) -> Result<(BotId, Login)> {
    let who = || format!("bot {id}");
    let login = match door {
        Door::Voxhall(api) => {
            let login = api.login(&format!("Bot {id}")).await.with_context(who)?;
            let bot = Bot::connect(id, &api, &login, media, notices).await.with_context(who)?;
            tokio::spawn(bot.run(orders));
            login
        }
        Door::Janus(rooms) => {
            let bot = janus::Bot::connect(id, rooms, media, notices).await.with_context(who)?;
            tokio::spawn(bot.run(orders));
            // Janus asks nobody who he is.
            Login::default()
        }
    };
    Ok((id, login))
}

/// Bots logging in at the same time.
const DOORS: usize = 16;

/// Orders that wait for one bot at most.
const ORDERS: usize = 4;

/// How long a join may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);
