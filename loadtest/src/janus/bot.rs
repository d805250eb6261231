//! One bot at Janus: a session of his own, a handle to publish by if he talks, and one to hear by.

use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::line::{Jsep, Line, Refused};
use super::{Rooms, feed};
use crate::bot::{Join, Order};
use crate::leg::{Leg, Role};
use crate::media::{Command, MediaHandle};
use crate::notice::Notice;
use crate::voice::BotId;

/// A client with a session.
pub struct Bot {
    id: BotId,
    rooms: Rooms,
    line: Line,
    media: MediaHandle,
    notices: mpsc::Sender<Notice>,
    /// The number and the handle of each leg.
    legs: Vec<(BotId, u64)>,
}

impl Bot {
    /// Opens the bot's session.
    ///
    /// # Errors
    /// When Janus refuses or cannot be reached.
    pub async fn connect(
        id: BotId,
        rooms: Rooms,
        media: MediaHandle,
        notices: mpsc::Sender<Notice>,
    ) -> Result<Self> {
        let line = Line::open(&rooms.url).await?;
        Ok(Self { id, rooms, line, media, notices, legs: Vec::new() })
    }

    /// Lives until its orders end; tells the conductor when it fails before that.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        if let Err(error) = self.live(&mut orders).await {
            let why = format!("{error:#}");
            // A conductor that is gone needs no notice.
            let _ = self.notices.send(Notice::Failed { bot: self.id, why }).await;
        }
    }

    async fn live(&mut self, orders: &mut mpsc::Receiver<Order>) -> Result<()> {
        let mut alive = interval(KEEP_ALIVE);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Join(join)) if join.role.is_talker => self.publish(join).await?,
                    Some(Order::Join(join)) => self.subscribe(join).await?,
                    Some(Order::Leave) => self.leave().await?,
                    // Of loads that `Rooms::new` refuses.
                    Some(Order::Reconnect(_) | Order::Mute | Order::Unmute) => {}
                    None => return self.line.close().await,
                },
                said = self.line.listen() => said?,
                _ = alive.tick() => self.line.keep_alive().await?,
            }
        }
    }

    /// Speaks in the room.
    async fn publish(&mut self, join: Join) -> Result<()> {
        let Join { chat, call, role, .. } = join;
        let handle = self.line.attach().await?;
        let one_section = Role { sections: 1, ..role };
        let offered = Leg::offer(self.id, call, one_section, self.rooms.address)?;
        let body = json!({
            "request": "joinandconfigure",
            "ptype": "publisher",
            "room": room(&chat)?,
            "id": feed(self.id),
        });
        let offered_at = Instant::now();
        let jsep = Jsep::new("offer", offered.sdp.clone());
        let reply = self.line.ask(handle, body, Some(jsep)).await?;
        let answer = reply.jsep.context("Janus sent no answer")?;
        let mut leg = offered.answer(&answer.sdp, self.rooms.address.ip(), offered_at)?;
        // He hears by another leg, unless there is nobody to hear.
        leg.is_listener = self.rooms.feeds(call, self.id).next().is_none();
        // Listeners have a stream of each talker, whatever he offers.
        leg.sections = role.sections;
        self.adopt(leg, handle)
    }

    /// Hears the talkers of the room.
    async fn subscribe(&mut self, join: Join) -> Result<()> {
        let Join { chat, call, role, .. } = join;
        let feeds = self.rooms.feeds(call, self.id);
        let streams: Vec<Value> = feeds.map(|feed| json!({ "feed": feed })).collect();
        let handle = self.line.attach().await?;
        let body = json!({
            "request": "join",
            "ptype": "subscriber",
            "room": room(&chat)?,
            "streams": streams,
        });
        let offered_at = Instant::now();
        let offer = self.attend(handle, &body).await?;
        let is_talker = !self.legs.is_empty();
        let number = if is_talker { self.rooms.ears_of(self.id) } else { self.id };
        let (mut leg, sdp) = Leg::accept(number, call, role, self.rooms.address, &offer.sdp)?;
        leg.offered_at = offered_at;
        self.adopt(leg, handle)?;
        let answer = Jsep::new("answer", sdp);
        self.line.ask(handle, json!({ "request": "start" }), Some(answer)).await?;
        Ok(())
    }

    /// Asks for the talkers until all of them publish: Janus has a talker's keys a moment after he
    /// has them himself.
    async fn attend(&mut self, handle: u64, body: &Value) -> Result<Jsep> {
        for _ in 0..ATTEMPTS {
            match self.line.ask(handle, body.clone(), None).await {
                Ok(reply) => return reply.jsep.context("Janus sent no offer"),
                Err(error) if is_too_early(&error) => sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        bail!("not all talkers publish")
    }

    async fn leave(&mut self) -> Result<()> {
        for (leg, handle) in std::mem::take(&mut self.legs) {
            self.media.tell(Command::Release(leg))?;
            self.line.detach(handle).await?;
        }
        Ok(())
    }

    fn adopt(&mut self, leg: Leg, handle: u64) -> Result<()> {
        self.legs.push((leg.bot, handle));
        self.media.tell(Command::Adopt(Box::new(leg)))
    }
}

fn is_too_early(error: &Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(Refused::is_no_such_feed)
}

/// The room's number, as Janus gave it.
fn room(chat: &str) -> Result<u64> {
    chat.parse().with_context(|| format!("{chat} is no number of a room"))
}

/// Well within the 60 s after which Janus forgets a session.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How often, and how many times (5 s), talkers who do not publish yet are asked for.
const PAUSE: Duration = Duration::from_millis(20);
const ATTEMPTS: usize = 250;
