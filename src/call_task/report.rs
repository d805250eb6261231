//! How the call stands, for whoever asks by HTTP: its state with the levels of this moment, and
//! its legs, with the reason why the reader hears somebody or does not.

use std::net::SocketAddr;
use std::time::Duration;

use engine::call::{Leg, Link, Onliner};
use engine::{Jid, LegId, Level};

use super::CallTask;
use crate::core::{Question, Reply};
use crate::effects::{link_word, muted_by};
use crate::media::LegReading;
use crate::wire::report::{LegFigures, LegView, LegsView, PathView, SlotView, Verdict};
use crate::wire::server::Voice;

impl CallTask {
    pub(super) async fn reply(&mut self, reader: &Jid, question: Question) -> Option<Reply> {
        if self.call.onliners().is_empty() {
            return None;
        }
        let readings = self.worker.inspect(self.no).await;
        Some(match question {
            Question::State => {
                let gentime = self.call.next_gentime(self.shared.clock.now().wall);
                let mut state = self.state_for(self.key.jid_for(reader), gentime);
                for (onliner, view) in self.call.onliners().iter().zip(&mut state.onliners) {
                    let own = |it: &&LegReading| onliner.legs.iter().any(|leg| leg.id == it.leg);
                    let loudest = readings.iter().filter(own).filter_map(|it| it.level).min();
                    let talking = onliner.talks().is_some();
                    view.voice = Some(Voice { talking, level: loudest.map(Level::dbov) });
                }
                Reply::State(Box::new(state))
            }
            Question::Legs => Reply::Legs(self.legs_for(reader, &readings)),
        })
    }

    fn legs_for(&self, reader: &Jid, readings: &[LegReading]) -> LegsView {
        let (jid, uid) = self.named_for(reader);
        let onliners = self.call.onliners().iter();
        let legs = onliners.flat_map(|onliner| onliner.legs.iter().map(move |leg| (onliner, leg)));
        let view = |(onliner, leg): (&Onliner, &Leg)| {
            let reading = readings.iter().find(|reading| reading.leg == leg.id);
            self.leg_view(reader, onliner, leg, (reading, readings))
        };
        LegsView { jid, uid, legs: legs.map(view).collect() }
    }

    fn leg_view(
        &self,
        reader: &Jid,
        onliner: &Onliner,
        leg: &Leg,
        (reading, all): (Option<&LegReading>, &[LegReading]),
    ) -> LegView {
        let own = onliner.who == *reader;
        let person = self.people.get(&onliner.who);
        let mut figures = self.leg_figures(onliner, leg, reading);
        // Where somebody sits is his own business, and the operator's.
        if let Some(path) = figures.path.as_mut().filter(|_| !own) {
            path.remote.clear();
        }
        LegView {
            jid: onliner.who.to_string(),
            display_name: person.map(|it| it.display_name.clone()).unwrap_or_default(),
            own,
            figures,
            muted: onliner.mute.is_muted(),
            muted_by: muted_by(onliner),
            verdict: self.verdict(reader, onliner, leg, (reading, all)),
        }
    }

    /// What its worker says of a leg; where it says nothing, nothing came.
    pub(super) fn leg_figures(
        &self,
        onliner: &Onliner,
        leg: &Leg,
        reading: Option<&LegReading>,
    ) -> LegFigures {
        LegFigures {
            useragent: leg.useragent.to_string(),
            link: link_word(Some(leg.link)),
            sends: reading.is_some_and(|reading| reading.sends),
            talking: leg.talks.is_some() && !onliner.mute.is_muted(),
            level: reading.and_then(|reading| reading.level).map(Level::dbov),
            packets_in: reading.map_or(0, |reading| reading.packets_in),
            last_packet_ms: reading.and_then(|reading| reading.last_packet).map(millis),
            loss_in_percent: percent(reading.map_or(0, |reading| reading.lost_in)),
            path: reading.and_then(|reading| reading.path).map(path_view),
            bundle_ms: reading.and_then(|reading| reading.bundled).map(millis),
            slots: reading.map(|reading| self.slot_views(leg.id, reading)).unwrap_or_default(),
        }
    }

    fn slot_views(&self, leg: LegId, reading: &LegReading) -> Vec<SlotView> {
        let mids = self.legs.get(&leg).map(|entry| entry.dialogue.slots()).unwrap_or_default();
        let view = |(slot, spec): (&crate::media::SlotReading, crate::media::SlotSpec)| SlotView {
            mid: spec.mid,
            jid: slot.heard.and_then(|leg| self.owner(leg)).map(Jid::to_string).unwrap_or_default(),
            packets_out: slot.packets_out,
            loss_percent: percent(slot.lost_there),
        };
        reading.slots.iter().zip(mids).map(view).collect()
    }

    /// Why the reader hears this leg, or does not.
    pub(super) fn verdict(
        &self,
        reader: &Jid,
        onliner: &Onliner,
        leg: &Leg,
        (reading, all): (Option<&LegReading>, &[LegReading]),
    ) -> Verdict {
        if onliner.who == *reader {
            return Verdict::Own;
        }
        let Some(reading) = reading.filter(|_| leg.link == Link::Connected) else {
            return Verdict::NotConnected;
        };
        let is_readers = |it: &&LegReading| self.owner(it.leg) == Some(reader);
        let mut ears = all.iter().filter(is_readers).flat_map(|it| &it.slots);
        let has_slot = ears.any(|slot| slot.heard == Some(leg.id));
        let comes = reading.last_packet.is_some_and(|since| since < PACKETS_COME_WITHIN);
        match () {
            () if onliner.mute.is_muted() => Verdict::Muted,
            () if !reading.sends => Verdict::NoMicrophone,
            () if !comes => Verdict::NoPackets,
            () if !has_slot => Verdict::NoSlot,
            () if !reading.talks => Verdict::Silent,
            () => Verdict::Heard,
        }
    }
}

fn path_view((local, remote): (SocketAddr, SocketAddr)) -> PathView {
    PathView { protocol: "udp", local: local.to_string(), remote: remote.to_string() }
}

fn millis(since: Duration) -> u64 {
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// 256ths to percent, one digit behind the point.
fn percent(share: u8) -> f32 {
    (f32::from(share) * 1_000.0 / 256.0).round() / 10.0
}

/// Longer than the gaps that DTX leaves (400 ms a packet), shorter than a person's patience.
const PACKETS_COME_WITHIN: Duration = Duration::from_secs(2);
