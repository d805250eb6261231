//! The call's story in the log, readable alone by `call=`: who came and how, whether he was
//! connected and heard, what was done to whom by whom, how it ended, with its numbers.
//!
//! Facts tell most of it, in the order in which the core hears of them; the worker's steps tell
//! how far a leg has come on its way to the first voice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use engine::call::{Fact, FactKind, Finish, Link, Phase, Seen, Targets};
use engine::{Jid, LegId};
use tracing::{debug, info};

use super::CallTask;
use crate::core::{Refusal, Signal};
use crate::media::Step;
use crate::wire::ClientEvent;

/// What the last line of a story counts.
pub(super) struct Story {
    began: Instant,
    /// Whoever was in it.
    people: BTreeSet<Jid>,
    /// The most at once.
    people_max: usize,
    pub legs: u64,
    pub recordings: u64,
    why: Finish,
}

impl Story {
    pub fn new() -> Story {
        let (people, people_max) = (BTreeSet::new(), 0);
        let (began, why) = (Instant::now(), Finish::Left);
        Story { began, people, people_max, legs: 0, recordings: 0, why }
    }
}

impl CallTask {
    pub(super) fn tell_began(&self) {
        info!(call = %self.uid, chat = %self.chat_name(), "call began");
    }

    /// The last line, if its first offer was taken.
    pub(super) fn tell_ended(&self) {
        let (call, chat) = (&self.uid, self.chat_name());
        let Story { began, people, people_max, legs, recordings, why } = &self.story;
        let elapsed_ms = millis(*began);
        let reason = match self.call.phase() {
            // Nobody was told of it, and nobody shall be.
            Phase::Live { .. } | Phase::Calling => {
                info!(%call, %chat, elapsed_ms, "call given up, its first offer was refused");
                return;
            }
            Phase::Finished { .. } if *why == Finish::Ended => "ended",
            Phase::Finished { start: None, .. } => "unanswered",
            Phase::Finished { start: Some(_), .. } => "left",
        };
        let onliners = people.len();
        info!(
            %call, %chat, reason, elapsed_ms, onliners, onliners_max = people_max, legs, recordings,
            "call finished"
        );
    }

    /// One line a fact, but for those that have a better one of their own: a recording's has its
    /// id, the finish its numbers.
    pub(super) fn tell_fact(&mut self, fact: &Fact) {
        if let (FactKind::Joined, Some(jid)) = (&fact.kind, &fact.actor) {
            self.story.people.insert(jid.clone());
            self.story.people_max = self.story.people_max.max(self.call.onliners().len());
        }
        let call = &self.uid;
        let onliner = fact.actor.as_ref().map_or("", Jid::as_str);
        match &fact.kind {
            FactKind::Started => info!(%call, %onliner, "call is live"),
            FactKind::Joined => info!(%call, %onliner, "onliner joined"),
            FactKind::Left { reason } => {
                info!(%call, %onliner, reason = reason.label(), "onliner left");
            }
            FactKind::Muted { by } => {
                let by = by.as_ref().map_or("operator", Jid::as_str);
                info!(%call, %onliner, by, "onliner muted");
            }
            FactKind::Unmuted => info!(%call, %onliner, "onliner unmuted"),
            FactKind::Rung { targets } => info!(%call, %onliner, to = names(targets), "rings"),
            FactKind::AnsweredElsewhere { device } => {
                info!(%call, %onliner, device = &**device, "ringing answered");
            }
            // The reason is the client's text.
            FactKind::Rejected { .. } => info!(%call, %onliner, "ringing refused"),
            FactKind::Cancelled { targets } => {
                info!(%call, %onliner, to = names(targets), "ringing cancelled");
            }
            FactKind::Missed { targets } => {
                info!(%call, %onliner, to = names(targets), "ringing missed");
            }
            FactKind::Finished { why, .. } => self.story.why = *why,
            FactKind::RecordOn | FactKind::RecordOff => {}
        }
    }

    pub(super) fn tell_bundled(&self, span: Option<Duration>) {
        let (call, onliners) = (&self.uid, self.call.onliners().len());
        match span.map(|span| span.as_millis()) {
            Some(bundle_ms) => info!(%call, onliners, bundle_ms, "listeners hear bundles"),
            None => info!(%call, onliners, "listeners hear single packets again"),
        }
    }

    /// What came of a client's event. One who cannot come in is a story of its own.
    pub(super) fn tell_signal(&self, signal: &Signal, result: &Result<(), Refusal>) {
        let (call, onliner, event) = (&self.uid, &signal.actor.jid, signal.event.name());
        match (result, &signal.event) {
            (Ok(()), ClientEvent::Kick { onliner: whom, .. }) => {
                info!(%call, onliner = %whom, by = %onliner, "onliner put out");
            }
            (Ok(()), ClientEvent::MuteAll { muted: true, sticky, .. }) => {
                info!(%call, by = %onliner, sticky, "others muted");
            }
            (Ok(()), ClientEvent::MuteAll { muted: false, .. }) => {
                info!(%call, by = %onliner, "others may unmute themselves");
            }
            (Ok(()), _) => debug!(%call, %onliner, event, "signal"),
            (Err(refusal), ClientEvent::Offer { .. }) => {
                info!(%call, %onliner, reason = refusal.code, "offer refused");
            }
            (Err(refusal), _) => {
                debug!(%call, %onliner, event, reason = refusal.code, "signal refused");
            }
        }
    }

    /// A link that is no longer as it was.
    pub(super) fn tell_link(&self, leg: LegId, former: Option<Link>, seen: Seen) {
        let (Some(former), Some(link)) = (former, self.link_of(leg)) else { return };
        let (call, entry) = (&self.uid, self.legs.get(&leg));
        let onliner = entry.map_or("", |entry| entry.device.jid.as_str());
        let elapsed_ms = entry.map_or(0, |entry| millis(entry.way.opened));
        match (former, link) {
            (Link::Connecting { .. }, Link::Connected) => {
                info!(%call, %leg, %onliner, elapsed_ms, "leg connected");
            }
            (Link::Lost { .. }, Link::Connected) => info!(%call, %leg, %onliner, "leg is back"),
            (Link::Connecting { .. } | Link::Connected, Link::Lost { .. }) => {
                let reason = match seen {
                    Seen::Silent => "silent",
                    Seen::Closed => "closed",
                    Seen::Alive | Seen::Ended => "ended",
                };
                info!(%call, %leg, %onliner, reason, "leg lost");
            }
            (Link::Connected, Link::Connected)
            | (_, Link::Connecting { .. })
            | (Link::Lost { .. }, Link::Lost { .. }) => {}
        }
    }

    /// How far the leg has come, as its worker saw it.
    pub(super) fn tell_step(&self, leg: LegId, step: Step, at: Instant) {
        let Some(entry) = self.legs.get(&leg) else { return };
        let (call, onliner) = (&self.uid, &entry.device.jid);
        let elapsed_ms = at.saturating_duration_since(entry.way.opened).as_millis() as u64;
        match step {
            Step::Path => debug!(%call, %leg, %onliner, elapsed_ms, "path proved"),
            Step::Keys => debug!(%call, %leg, %onliner, elapsed_ms, "keys agreed"),
            Step::Voice => info!(%call, %leg, %onliner, elapsed_ms, "first voice"),
            Step::NoKeys(reason) => {
                info!(%call, %leg, %onliner, reason, elapsed_ms, "handshake failed");
            }
        }
    }

    pub(super) fn link_of(&self, leg: LegId) -> Option<Link> {
        let mut legs = self.call.onliners().iter().flat_map(|onliner| &onliner.legs);
        legs.find(|it| it.id == leg).map(|it| it.link)
    }
}

pub(crate) fn millis(since: Instant) -> u64 {
    since.elapsed().as_millis() as u64
}

/// A few of them: a line is to be read.
fn names(targets: &Targets) -> String {
    match targets {
        Targets::Everyone => "everyone".to_owned(),
        Targets::These(these) if these.len() > NAMES_MAX => format!("{} people", these.len()),
        Targets::These(these) => these.iter().map(Jid::as_str).collect::<Vec<_>>().join(" "),
    }
}

const NAMES_MAX: usize = 5;
