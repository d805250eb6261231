//! What the bots and the media thread tell the conductor.

use std::time::Duration;

use crate::tally::{Second, Spread, Tally};
use crate::voice::BotId;

#[derive(Debug)]
pub enum Notice {
    /// The bot's keys are ready.
    Connected(BotId),
    /// The bot cannot join, or fell out of its call.
    Failed { bot: BotId, why: String },
    /// Another onliner heard the bot for the first time.
    FirstVoice {
        bot: BotId,
        /// Since the bot's offer was handed to the WebSocket.
        after: Duration,
        /// The packet heard: 0 when nothing of the beginning was lost.
        seq: u32,
    },
    /// The server warned a bot about one of its events.
    Warned { message: String },
    /// A second of the window is over.
    Second(LastSecond),
    /// The window asked for is over.
    Measured(Box<Measured>),
}

/// A finished window.
#[derive(Debug)]
pub struct Measured {
    pub tally: Tally,
    /// CPU time the media thread took within the window.
    pub media_cpu: Duration,
}

/// The last second of a window that goes on.
#[derive(Clone, Debug)]
pub struct LastSecond {
    pub heard: u64,
    pub lost_percent: f64,
    pub latency: Spread,
}

impl LastSecond {
    pub fn of(second: &Second) -> Self {
        Self {
            heard: second.heard,
            lost_percent: second.lost_percent(),
            latency: second.latency.spread(),
        }
    }
}
