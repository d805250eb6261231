//! What a leg is told and asked in passing, about once a second: sender reports for its slots,
//! a receiver report for its voice, and whether it still lives (consent, RFC 7675).

use std::time::Instant;

use engine::Time;
use engine::rtp::Report;
use rtc_rtcp::packet::Packet;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};

use super::leg::Told;
use super::worker::Worker;
use crate::clock;
use crate::limits::{REPORTED_LOSS_MAX, ROUTES_EVERY_SWEEPS, SENDER_REPORT_EVERY_SWEEPS};

/// The canonical name of every source we send (RFC 3550 section 6.5.1).
pub(super) const CNAME: &str = "voxhall";

/// Seconds from 1900 to 1970: NTP's epoch to Unix's.
const NTP_OFFSET_S: u64 = 2_208_988_800;

impl Worker {
    pub fn sweep_leg(&mut self, moment: Instant, now: Time, seat: u32) {
        let Some(leg) = self.seats.at_mut(seat) else { return };
        let changes = leg.ice.handle_timeout(moment);
        let (quiet, told) = (now.since(leg.life.seen_at), leg.life.told);
        if !changes.is_empty() {
            self.follow(seat, &changes);
        }
        if told == Told::Alive && quiet >= self.silent_after {
            self.tell_link(seat, Told::Silent);
        }
        if self.seats.at(seat).is_some_and(|leg| leg.life.sweeps % ROUTES_EVERY_SWEEPS == 0) {
            self.follow_path(seat);
        }
        self.report_sources(now, seat);
        self.report_reception(moment, seat);
    }

    /// A sender report for each slot that sent since the last one.
    fn report_sources(&mut self, now: Time, seat: u32) {
        let Some(leg) = self.seats.at_mut(seat) else { return };
        leg.life.sweeps = leg.life.sweeps.wrapping_add(1);
        // The first report goes early: a listener cannot place a voice in time without one.
        let due = leg.life.sweeps % SENDER_REPORT_EVERY_SWEEPS == 1;
        let ntp = ntp(clock::wall().as_nanos());
        let mut packets: Vec<Box<dyn Packet>> = Vec::new();
        let mut chunks = Vec::new();
        for slot in &mut leg.slots {
            let Some(sent) = slot.stream.sent(now) else { continue };
            let first = slot.reported == 0 || slot.reported_tenures != sent.tenures;
            if sent.packets == slot.reported || !(due || first) {
                continue;
            }
            (slot.reported, slot.reported_tenures) = (sent.packets, sent.tenures);
            packets.push(Box::new(SenderReport {
                ssrc: slot.ssrc,
                ntp_time: ntp,
                rtp_time: sent.timestamp,
                packet_count: sent.packets,
                octet_count: sent.octets,
                ..SenderReport::default()
            }));
            chunks.push(named(slot.ssrc));
        }
        if !packets.is_empty() {
            packets.push(Box::new(SourceDescription { chunks }));
            self.send_rtcp(seat, &packets);
        }
    }

    /// A receiver report for the leg's voice, where something came since the last one.
    fn report_reception(&mut self, moment: Instant, seat: u32) {
        let elsewhere = self.loss_elsewhere(seat);
        let Some(leg) = self.seats.at_mut(seat) else { return };
        let Some(own) = leg.slots.first().map(|slot| slot.ssrc) else { return };
        let Some((ssrc, reception)) = &mut leg.source.voice else { return };
        let report = reception.report();
        if report.highest == leg.life.reported_highest {
            return;
        }
        leg.life.reported_highest = report.highest;
        let block = leg.source.last_report.map_or((0, 0), |seen| {
            let delay = moment.saturating_duration_since(seen.at);
            (seen.middle, (delay.as_micros() * 65_536 / 1_000_000) as u32)
        });
        let report = reception_report(*ssrc, report, elsewhere, block);
        let packets: [Box<dyn Packet>; 2] = [
            Box::new(ReceiverReport { ssrc: own, reports: vec![report], ..Default::default() }),
            Box::new(SourceDescription { chunks: vec![named(own)] }),
        ];
        self.send_rtcp(seat, &packets);
    }

    /// The 90th percentile of what this voice's listeners reported lost, in 256ths: what makes a
    /// browser add in-band FEC for those behind us.
    fn loss_elsewhere(&self, seat: u32) -> u8 {
        let Some(leg) = self.seats.at(seat) else { return 0 };
        let Some(routes) = self.calls.get(&leg.call) else { return 0 };
        let lost = |route: &engine::routes::Route| {
            let listener = self.seats.at(route.seat)?;
            listener.slots.get(usize::from(route.slot)).map(|slot| slot.lost_there)
        };
        let mut losses: Vec<u8> = routes.heard_by(leg.id).filter_map(lost).collect();
        if losses.is_empty() {
            return 0;
        }
        let rank = (losses.len() * 9 / 10).min(losses.len() - 1);
        *losses.select_nth_unstable(rank).1
    }

    fn send_rtcp(&mut self, seat: u32, packets: &[Box<dyn Packet>]) {
        let Some(leg) = self.seats.at_mut(seat) else { return };
        let (Some(to), Some(keys)) = (leg.to, leg.keys.as_ref()) else { return };
        let Ok(plain) = rtc_rtcp::packet::marshal(packets) else { return };
        let buffer = self.outbox.buffer();
        let room = buffer.len() - keys.sealer.profile().rtcp_overhead_bytes();
        if plain.len() > room.min(super::socket::DATAGRAM_BYTES) {
            return;
        }
        buffer[..plain.len()].copy_from_slice(&plain);
        leg.rtcp_index = (leg.rtcp_index + 1) & 0x7fff_ffff;
        let sealed = keys.sealer.seal_rtcp(buffer, plain.len(), leg.rtcp_index);
        self.outbox.push(&self.socket, sealed, &to);
    }
}

fn reception_report(
    ssrc: u32,
    report: Report,
    elsewhere: u8,
    (last_sender_report, delay): (u32, u32),
) -> ReceptionReport {
    ReceptionReport {
        ssrc,
        fraction_lost: report.fraction_lost.max(elsewhere.min(REPORTED_LOSS_MAX)),
        total_lost: report.total_lost as u32 & 0x00ff_ffff,
        last_sequence_number: report.highest,
        jitter: report.jitter,
        last_sender_report,
        delay,
    }
}

fn named(source: u32) -> SourceDescriptionChunk {
    let item = SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: CNAME.into() };
    SourceDescriptionChunk { source, items: vec![item] }
}

/// 32.32 fixed point since 1900 (RFC 3550 section 4).
fn ntp(unix_nanos: i64) -> u64 {
    let nanos = unix_nanos.max(0) as u64;
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    ((seconds + NTP_OFFSET_S) << 32) | ((rest << 32) / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_counts_from_1900_in_fractions() {
        assert_eq!(ntp(0), NTP_OFFSET_S << 32);
        assert_eq!(ntp(500_000_000) & 0xffff_ffff, 0x8000_0000);
    }

    #[test]
    fn a_negative_loss_is_written_in_24_bits() {
        let report = Report { fraction_lost: 0, total_lost: -1, highest: 1, jitter: 0 };
        assert_eq!(reception_report(1, report, 0, (0, 0)).total_lost, 0x00ff_ffff);
    }

    #[test]
    fn loss_behind_us_is_told_up_to_a_fifth() {
        let report = Report { fraction_lost: 5, total_lost: 1, highest: 1, jitter: 0 };
        assert_eq!(reception_report(1, report, 30, (0, 0)).fraction_lost, 30);
        assert_eq!(reception_report(1, report, 200, (0, 0)).fraction_lost, REPORTED_LOSS_MAX);
    }
}
