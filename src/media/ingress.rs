//! The way in: what a datagram is (RFC 7983), whose it is, and whether it is true. Nothing
//! changes before a datagram is authenticated; what fails is counted and dropped in silence.

use std::time::Instant;

use engine::opus::Packet;
use engine::rtp::{Reception, View};
use engine::slots::{Arrival, Voice};
use engine::talking::Said;
use engine::timeline::Taken;
use engine::{Discard, LegId, Level, Time};

use super::fanout::Heard;
use super::ice::{self, Changes, Check, IceDiscard};
use super::leg::{Leg, SenderReportSeen, Told};
use super::socket::Path;
use super::srtp::OpenError;
use super::worker::Worker;
use super::{CallNo, Step};
use crate::limits::{ADDRESS_HELD, BUNDLE_LOSSY};

impl Worker {
    pub fn handle_datagram(&mut self, moment: Instant, now: Time, datagram: &mut [u8], path: Path) {
        let done = match datagram.first() {
            Some(0..=3) => self.handle_check(moment, now, datagram, path),
            Some(20..=63) => self.handle_handshake(now, datagram, path),
            Some(128..=191) => match self.addresses.owner(path.remote) {
                Some(seat) => {
                    self.handle_media(moment, now, seat, datagram);
                    Ok(())
                }
                None => Err(Discard::UnknownAddress),
            },
            Some(_) | None => Err(Discard::UnknownProtocol),
        };
        if let Err(reason) = done {
            self.stats.discard(reason);
        }
    }

    fn handle_check(
        &mut self,
        moment: Instant,
        now: Time,
        datagram: &[u8],
        path: Path,
    ) -> Result<(), Discard> {
        let ufrag = ice::addressed_ufrag(datagram).ok_or(Discard::UnauthenticatedCheck)?;
        let seat = self.addresses.named(ufrag).ok_or(Discard::UnauthenticatedCheck)?;
        let leg = self.seats.at_mut(seat).ok_or(Discard::Gone)?;
        let checked = leg.ice.handle_request(moment, path.remote, datagram, &mut self.reply);
        let check = checked.map_err(reason_of_check)?;
        let to = self.socket.destination(path);
        if let Some(room) = self.outbox.buffer().get_mut(..self.reply.len()) {
            room.copy_from_slice(&self.reply);
            self.outbox.push(&self.socket, self.reply.len(), &to);
        }
        match check {
            Check::Alive => {}
            Check::Changed(changes) => self.follow(seat, &changes),
            Check::RoleConflict => return Ok(()),
        }
        if self.is_held_by_another(now, path, seat) {
            return Ok(());
        }
        // The same remote address may come to another of ours, or to another leg's.
        let moved = self.addresses.prove(path, seat);
        if moved || self.seats.at(seat).is_some_and(|leg| leg.to.is_none()) {
            self.follow_path(seat);
        }
        self.note_life(now, seat);
        Ok(())
    }

    /// Whether the address is another leg's that is alive: whoever forges it in his own checks
    /// shall not take it away.
    fn is_held_by_another(&self, now: Time, path: Path, seat: u32) -> bool {
        let owner = self.addresses.owner(path.remote).filter(|owner| *owner != seat);
        let owner = owner.and_then(|owner| self.seats.at(owner));
        owner.is_some_and(|leg| leg.keys.is_some() && now.since(leg.life.seen_at) < ADDRESS_HELD)
    }

    /// Brings the tables and the leg's destination in line with its agent.
    pub fn follow(&mut self, seat: u32, changes: &Changes) {
        for evicted in &changes.evicted {
            self.addresses.disprove(*evicted, seat);
        }
        if let Some(former) = &changes.ended_ufrag {
            self.addresses.unname(former);
        }
        if changes.moved.is_some() {
            self.follow_path(seat);
        }
    }

    /// Sends media where the newest nomination says, and as the machine's routes are now.
    pub fn follow_path(&mut self, seat: u32) {
        let Some(leg) = self.seats.at_mut(seat) else { return };
        // Keys are agreed on over a path: what comes later is a change of paths.
        let is_first = leg.to.is_none() && leg.keys.is_none();
        let path = leg.ice.path().and_then(|remote| {
            let local = self.addresses.local_of(remote, seat)?;
            Some(Path { remote, local })
        });
        leg.to = path.map(|path| self.socket.lasting_destination(path));
        if is_first && path.is_some() {
            self.tell_step(seat, Step::Path);
        }
    }

    fn handle_handshake(&mut self, now: Time, datagram: &[u8], path: Path) -> Result<(), Discard> {
        let seat = self.addresses.owner(path.remote).ok_or(Discard::UnknownAddress)?;
        let leg = self.seats.at_mut(seat).ok_or(Discard::Gone)?;
        if !leg.source.handshake_allowance.take_handshake(now) {
            return Err(Discard::TooFast);
        }
        let key = leg.handshake;
        let taken = self.handshakes.datagram(key, path, datagram);
        if taken { Ok(()) } else { Err(Discard::HandshakeQueueFull) }
    }

    /// RTP or RTCP from a proved address.
    pub fn handle_media(&mut self, moment: Instant, now: Time, seat: u32, datagram: &mut [u8]) {
        // RTCP's packet types stand where RTP has marker and payload type (RFC 5761 section 4).
        let is_rtcp = datagram.get(1).is_some_and(|kind| (192..=223).contains(kind));
        let done = match is_rtcp {
            true => self.handle_rtcp(moment, now, seat, datagram),
            false => self.handle_rtp(now, seat, datagram),
        };
        if let Err(reason) = done {
            self.stats.discard(reason);
        }
    }

    fn handle_rtp(&mut self, now: Time, seat: u32, packet: &mut [u8]) -> Result<(), Discard> {
        let leg = self.seats.at_mut(seat).ok_or(Discard::Gone)?;
        let (id, call) = (leg.id, leg.call);
        let Some(keys) = &mut leg.keys else {
            let kept = self.keep_early(id, packet);
            return if kept { Ok(()) } else { Err(Discard::NoKeys) };
        };
        let opened = keys.opener.open_rtp(packet).map_err(reason_of)?;
        self.stats.received();
        let plain = packet.get(..opened.len).ok_or(Discard::Malformed)?;
        let spec = leg.source.spec;
        let view = View::parse(plain, spec.and_then(|spec| spec.level_id))?;
        leg.life.seen_at = now;
        if !leg.source.allowance.take(now, plain.len()) {
            return Err(Discard::TooFast);
        }
        if spec.is_none_or(|spec| spec.payload_type != view.payload_type) {
            return Err(Discard::WrongPayloadType);
        }
        let is_first = leg.source.packets == 0;
        let renewed = leg.note_reception(now, opened.index, &view);
        let silent = leg.life.told == Told::Silent;
        if silent {
            self.tell_link(seat, Told::Alive);
        }
        if is_first {
            self.tell_step(seat, Step::Voice);
        }
        if renewed {
            // What waits is of the voice as it was.
            self.depart();
            if let Some(routes) = self.calls.get_mut(&call) {
                routes.renew(id);
            }
        }
        let payload = plain.get(view.payload.clone()).ok_or(Discard::Malformed)?;
        let (timestamp, marker) = (view.timestamp, view.marker);
        let arrival = Arrival { at: now, index: opened.index, timestamp, marker };
        self.handle_voice((call, id, seat), Heard { arrival, level: view.level, payload })
    }

    /// One packet of a voice: who talks, who holds which slot, and on the way to those.
    fn handle_voice(
        &mut self,
        (call, id, seat): (CallNo, LegId, u32),
        heard: Heard<'_>,
    ) -> Result<(), Discard> {
        if self.departing.holds(id) {
            self.depart();
        }
        if self.bundling.is_late(call, heard.arrival.at) {
            // Or what came before a stall of the machine grows too old for its ring.
            self.send_bundles(heard.arrival.at);
        }
        let routes = self.calls.get_mut(&call).ok_or(Discard::Gone)?;
        let ring = self.seats.at_mut(seat).and_then(|leg| leg.source.ring.take());
        if routes.of(id).is_none() {
            // Its ring is gone with the permit.
            return Err(Discard::Muted);
        }
        match heard.level {
            Some(level) => routes.hear(id, said(heard.arrival.at, level, heard.payload)),
            None if self.meter.packet(id, heard.arrival.at, heard.payload) => {}
            None => self.stats.unmetered(),
        }
        let (voice, _) = routes.of(id).ok_or(Discard::Muted)?;
        if routes.is_recorded(id)
            && let (Some(tap), Some(taken)) = (&mut self.tap, taken(voice, &heard))
        {
            tap.take(call, taken);
        }
        let bundles = self.bundling.of(call);
        if let Some(leg) = self.seats.at_mut(seat) {
            leg.source.ring = ring.filter(|_| routes.is_scarce() || bundles.is_some());
            if routes.is_scarce() || bundles.is_some() {
                let ring = leg.source.ring.get_or_insert_default();
                ring.keep(voice, heard.arrival, heard.level, heard.payload);
            }
        }
        if let Some(bundles) = bundles.filter(|_| routes.has_bundles(id)) {
            bundles.hear(voice, seat, heard.arrival.at);
        }
        self.departing.push(call, voice, seat, heard);
        if routes.has_turns() {
            self.tell_turns(call);
        }
        Ok(())
    }

    fn handle_rtcp(
        &mut self,
        moment: Instant,
        now: Time,
        seat: u32,
        packet: &mut [u8],
    ) -> Result<(), Discard> {
        let leg = self.seats.at_mut(seat).ok_or(Discard::Gone)?;
        let keys = leg.keys.as_mut().ok_or(Discard::NoKeys)?;
        let len = keys.opener.open_rtcp(packet).map_err(reason_of)?;
        if !leg.source.allowance.take(now, len) {
            return Err(Discard::TooFast);
        }
        let lost = leg.handle_reports(moment, packet.get(..len).ok_or(Discard::Malformed)?);
        if lost.is_some_and(|lost| self.bundling.is_lossy(lost)) {
            leg.lossy_until = now + BUNDLE_LOSSY;
        }
        self.note_life(now, seat);
        Ok(())
    }

    fn note_life(&mut self, now: Time, seat: u32) {
        let Some(leg) = self.seats.at_mut(seat) else { return };
        leg.life.seen_at = now;
        if leg.life.told == Told::Silent {
            self.tell_link(seat, Told::Alive);
        }
    }
}

impl Leg {
    /// Counts a voice packet; true where the voice has another SSRC than before.
    fn note_reception(&mut self, now: Time, index: u64, view: &View) -> bool {
        self.source.packets += 1;
        self.source.heard_at = now;
        match &mut self.source.voice {
            Some((ssrc, reception)) if *ssrc == view.ssrc => {
                reception.note(now, index, view.timestamp);
                false
            }
            voice => {
                let renewed = voice.is_some();
                *voice = Some((view.ssrc, Reception::new(now, index, view.timestamp)));
                renewed
            }
        }
    }

    /// What the peer's reports say: how well our slots arrive, and his clock. The loss of the slot
    /// that arrives worst, in 256ths.
    fn handle_reports(&mut self, moment: Instant, mut compound: &[u8]) -> Option<u8> {
        use rtc_rtcp::receiver_report::ReceiverReport;
        use rtc_rtcp::sender_report::SenderReport;
        let packets = rtc_rtcp::packet::unmarshal(&mut compound).ok()?;
        let mut worst = None;
        for packet in packets {
            let packet = packet.as_any();
            if let Some(report) = packet.downcast_ref::<SenderReport>() {
                let middle = (report.ntp_time >> 16) as u32;
                self.source.last_report = Some(SenderReportSeen { middle, at: moment });
                worst = worst.max(self.note_losses(&report.reports));
            } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
                worst = worst.max(self.note_losses(&report.reports));
            }
        }
        worst
    }

    fn note_losses(
        &mut self,
        reports: &[rtc_rtcp::reception_report::ReceptionReport],
    ) -> Option<u8> {
        let mut worst = None;
        for report in reports {
            if let Some(slot) = self.slots.iter_mut().find(|slot| slot.ssrc == report.ssrc) {
                slot.lost_there = report.fraction_lost;
                worst = worst.max(Some(report.fraction_lost));
            }
        }
        worst
    }
}

/// What a packet says of its voice: its level is a claim, its payload is not.
pub(super) fn said(at: Time, level: Level, payload: &[u8]) -> Said {
    // What is no Opus sounds like nothing.
    let nothing = Said { at, level, samples: 0, is_silence: true, is_voiceless: true };
    Packet::parse(payload).map_or(nothing, |packet| Said {
        samples: packet.samples(),
        is_silence: packet.is_silence(),
        is_voiceless: packet.is_voiceless(),
        ..nothing
    })
}

/// A packet as the recorder keeps it. What is no Opus no player could play.
fn taken<'h>(voice: Voice, heard: &Heard<'h>) -> Option<Taken<&'h [u8]>> {
    let samples = Packet::parse(heard.payload)?.samples();
    let (arrival, payload) = (heard.arrival, heard.payload);
    Some(Taken { leg: voice.source, epoch: voice.epoch, arrival, samples, payload })
}

fn reason_of(error: OpenError) -> Discard {
    match error {
        OpenError::Malformed => Discard::Malformed,
        OpenError::Unauthenticated => Discard::Unauthenticated,
        OpenError::Replayed => Discard::Replayed,
        OpenError::TooManySsrcs => Discard::TooManySources,
    }
}

fn reason_of_check(error: IceDiscard) -> Discard {
    match error {
        IceDiscard::TooFast => Discard::TooManyChecks,
        IceDiscard::Malformed
        | IceDiscard::Fingerprint
        | IceDiscard::Username
        | IceDiscard::Integrity
        | IceDiscard::Unknown
        | IceDiscard::Replayed => Discard::UnauthenticatedCheck,
    }
}
