//! Janus: the same load for a VideoRoom of Janus 1.x, to compare. A call is a room; a talker
//! publishes by one PeerConnection, and everybody subscribes to all other talkers by one more.

mod bot;
mod line;

use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio_tungstenite::tungstenite::http::Uri;

use crate::bot::Join;
use crate::leg::Role;
use crate::scenario::Scenario;
use crate::voice::BotId;

pub use bot::Bot;
use line::Line;

/// A Janus, and who talks in which of its rooms.
#[derive(Clone, Debug)]
pub struct Rooms {
    url: Arc<str>,
    address: SocketAddr,
    calls: usize,
    onliners: usize,
    talking: usize,
}

impl Rooms {
    /// # Errors
    /// When the URL is another kind of URL, its host has no address, or the scenario has what this
    /// driver does not do.
    pub fn new(url: &str, scenario: &Scenario) -> Result<Self> {
        let Scenario { calls, onliners, talking, sections, record, .. } = *scenario;
        let Scenario { churn_per_second, mutes_per_second, reconnects_per_second, .. } = *scenario;
        let stirs = churn_per_second + mutes_per_second + reconnects_per_second;
        ensure!(
            stirs <= 0.0 && !record,
            "--janus goes without --churn, --mutes, --reconnects and --record"
        );
        ensure!(sections >= talking, "with --janus everybody hears all talkers: no --sections");
        Ok(Self { url: url.into(), address: address(url)?, calls, onliners, talking })
    }

    /// Makes a room and gives its number.
    ///
    /// # Errors
    /// When Janus refuses or cannot be reached.
    pub async fn make_room(&self, name: &str) -> Result<String> {
        let mut line = Line::open(&self.url).await?;
        let handle = line.attach().await?;
        let create = json!({
            "request": "create",
            "description": name,
            "publishers": self.talking.max(1),
            "audiocodec": "opus",
            "audiolevel_ext": true,
            "audiolevel_event": false,
        });
        let created = line.ask(handle, create, None).await?;
        let room = created.data.get("room").context("Janus made a room without a number")?;
        Ok(room.to_string())
    }

    /// The leg by which a talker hears the others: its number and how it joins. Whoever talks alone
    /// hears nobody.
    pub fn ears(&self, talker: BotId, join: &Join) -> Option<(BotId, Join)> {
        let others = self.feeds(join.call, talker).count() > 0;
        let role = Role { is_talker: false, ..join.role };
        others.then(|| (self.ears_of(talker), Join { role, ..join.clone() }))
    }

    /// Numbers above everybody's, one after another.
    fn ears_of(&self, talker: BotId) -> BotId {
        let (call, place) = (talker as usize / self.onliners, talker as usize % self.onliners);
        (self.calls * self.onliners + call * self.talking + place) as BotId
    }

    /// What a bot hears in a call: the feeds of its talkers but himself. They came first: later
    /// ones of a growing call only listen.
    fn feeds(&self, call: usize, listener: BotId) -> impl Iterator<Item = u64> {
        let first = call * self.onliners;
        let talkers: Range<usize> = first..first + self.talking;
        talkers.filter(move |bot| *bot != listener as usize).map(|bot| feed(bot as BotId))
    }
}

/// A talker's number in his room: Janus wants it above 0.
fn feed(bot: BotId) -> u64 {
    u64::from(bot) + 1
}

/// The address behind `ws://host:port`.
///
/// # Errors
/// When the URL is another kind of URL, or its host has no address.
pub fn address(url: &str) -> Result<SocketAddr> {
    let uri: Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
    ensure!(uri.scheme_str() == Some("ws"), "Janus is loaded by ws://host:port, not by {url}");
    let host = uri.host().with_context(|| format!("{url} names no host"))?;
    let mut found = (host, uri.port_u16().unwrap_or(80)).to_socket_addrs()?;
    found.next().with_context(|| format!("{url} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(talking: usize) -> Rooms {
        let address = SocketAddr::from(([127, 0, 0, 1], 8188));
        Rooms { url: "ws://127.0.0.1:8188".into(), address, calls: 2, onliners: 4, talking }
    }

    fn join(call: usize) -> Join {
        let role = Role { is_talker: true, sections: 2, light: None };
        Join { chat: "7".into(), call, role, is_recorder: false }
    }

    #[test]
    fn everybody_hears_the_talkers_of_his_call_but_himself() {
        let heard = |call, bot| rooms(2).feeds(call, bot).collect::<Vec<_>>();
        assert_eq!(heard(0, 3), [1, 2]);
        assert_eq!(heard(1, 7), [5, 6]);
        assert_eq!(heard(1, 4), [6]);
    }

    #[test]
    fn a_talker_has_ears_above_all_numbers_and_one_who_talks_alone_has_none() {
        let (leg, ears) = rooms(2).ears(5, &join(1)).expect("another talks");
        assert_eq!((leg, ears.role.is_talker, ears.call), (11, false, 1));
        assert!(rooms(1).ears(4, &join(1)).is_none());
    }

    #[test]
    fn a_scenario_with_what_the_driver_does_not_do_is_refused() {
        let plain = Scenario { talking: 3, sections: 3, ..Scenario::default() };
        let churn = Scenario { churn_per_second: 1.0, ..plain.clone() };
        let record = Scenario { record: true, ..plain.clone() };
        let sections = Scenario { sections: 2, ..plain.clone() };
        let taken = |scenario: &Scenario| Rooms::new("ws://127.0.0.1:8188", scenario).is_ok();
        assert!(taken(&plain));
        assert_eq!([&churn, &record, &sections].map(taken), [false; 3]);
    }

    #[test]
    fn only_ws_urls_are_taken() {
        assert!(address("ws://127.0.0.1:8188").is_ok_and(|address| address.port() == 8188));
        assert!(address("http://127.0.0.1:8188").is_err());
    }
}
