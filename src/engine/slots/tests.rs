use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::ring::Ring;

const ANNA: Voice = Voice { source: LegId(1), epoch: 0 };
const BORIS: Voice = Voice { source: LegId(2), epoch: 0 };

fn packet(millis: u64, index: u64, timestamp: u32) -> Arrival {
    Arrival { at: Time::from_micros(millis * 1000), index, timestamp, marker: false }
}

fn first(voice: Voice) -> Holder {
    Holder { voice, turn: 1 }
}

fn sent(stream: &mut Stream, voice: Voice, arrival: Arrival) -> Option<(u64, u32, bool)> {
    let stamp = stream.stamp(first(voice), arrival, 100).ok()?;
    Some((stamp.index, stamp.timestamp, stamp.marker))
}

#[test]
fn loss_and_reorder_of_the_sender_stay_visible() {
    let mut stream = Stream::new(100, 5_000);
    assert_eq!(sent(&mut stream, ANNA, packet(0, 7, 960)), Some((100, 5_000, true)));
    assert_eq!(sent(&mut stream, ANNA, packet(60, 10, 3_840)), Some((103, 7_880, false)));
    assert_eq!(sent(&mut stream, ANNA, packet(61, 9, 2_880)), Some((102, 6_920, false)));
}

#[test]
fn a_switch_goes_on_above_everything_sent() {
    let mut stream = Stream::new(100, 5_000);
    sent(&mut stream, ANNA, packet(0, 7, 960));
    sent(&mut stream, ANNA, packet(20, 8, 1_920));
    let boris = sent(&mut stream, BORIS, packet(120, 40_000, 77));
    assert_eq!(boris, Some((102, 5_960 + 4_800, true)));
    assert_eq!(sent(&mut stream, BORIS, packet(121, 39_999, 0)), None);
    let next = sent(&mut stream, BORIS, packet(140, 40_001, 1_037));
    assert_eq!(next, Some((103, 11_720, false)));
}

#[test]
fn a_leap_that_no_receiver_could_follow_is_a_new_tenure() {
    let mut stream = Stream::new(100, 0);
    sent(&mut stream, ANNA, packet(0, 7, 0));
    let below = sent(&mut stream, ANNA, packet(20, 7 + LEAP_PACKETS, 960));
    assert_eq!(below, Some((100 + LEAP_PACKETS, 960, false)));
    let far = 8 + 2 * LEAP_PACKETS;
    let leapt = sent(&mut stream, ANNA, packet(40, far, 5_000));
    assert_eq!(leapt, Some((101 + LEAP_PACKETS, 1_920, true)));
    assert_eq!(sent(&mut stream, ANNA, packet(41, far - 1, 4_040)), None);
}

#[test]
fn an_unmute_is_a_new_tenure() {
    let mut stream = Stream::new(0, 0);
    sent(&mut stream, ANNA, packet(0, 10, 0));
    let again = Voice { epoch: 1, ..ANNA };
    assert_eq!(sent(&mut stream, again, packet(1, 500, 9)), Some((1, FRAME_SAMPLES, true)));
    assert_eq!(sent(&mut stream, again, packet(2, 499, 0)), None);
}

#[test]
fn the_rollover_counter_rises_at_the_wrap() {
    let mut stream = Stream::new(0x7fff, 0);
    for step in 0..0x9000_u64 {
        let stamp = stream.stamp(first(ANNA), packet(step * 20, step, 0), 1).unwrap();
        assert_eq!(stamp.index, 0x7fff + step);
    }
}

#[test]
fn a_sender_report_runs_on_with_the_clock() {
    let mut stream = Stream::new(0, 1_000);
    assert_eq!(stream.sent(Time::ZERO), None);
    sent(&mut stream, ANNA, packet(0, 1, 0));
    let report = stream.sent(Time::from_micros(20_000)).unwrap();
    assert_eq!(report, Sent { packets: 1, octets: 100, timestamp: 1_960, tenures: 1 });
}

/// Voices of 20 ms packets; what `voice` kept until now, its packet `newest` the last.
fn ring(voice: Voice, newest: u64, packets: u64) -> Ring {
    let mut ring = Ring::default();
    for index in newest + 1 - packets..=newest {
        ring.keep(voice, packet(index * 20, index, index as u32 * 960), None, &[0]);
    }
    ring
}

fn at(index: u64) -> Newest {
    Newest { index, unheard: 0, may_catch_up: true }
}

/// What one arrival makes the slot send: (index in, timestamp out).
fn arrives(stream: &mut Stream, voice: Voice, kept: &Ring, newest: u64) -> Vec<(u64, u32)> {
    let kept = kept.of(voice);
    let owed = stream.owed(first(voice), kept, at(newest));
    let send = |at: usize| {
        let arrival = kept[at].arrival;
        let stamp = stream.stamp(first(voice), arrival, 1).unwrap();
        (arrival.index, stamp.timestamp)
    };
    owed.map(send).collect()
}

#[test]
fn a_new_holder_is_heard_from_its_ring_on_and_catches_up_by_one_packet_a_frame() {
    let mut stream = Stream::new(0, 0);
    sent(&mut stream, ANNA, packet(90 * 20, 1, 0));
    let mut heard = Vec::new();
    for newest in 100..110 {
        let kept = ring(BORIS, newest, 6);
        let now = match stream.is_live(first(BORIS)) {
            true => {
                let live = sent(&mut stream, BORIS, packet(newest * 20, newest, 0)).unwrap();
                Vec::from([(newest, live.1)])
            }
            false => arrives(&mut stream, BORIS, &kept, newest),
        };
        assert!(now.len() <= RING_BURST);
        heard.extend(now.into_iter().map(|(index, _)| index));
    }
    assert_eq!(heard, Vec::from_iter(95..110));
}

#[test]
fn a_ring_behind_a_talker_runs_ahead_of_the_clock_and_is_never_set_back() {
    let mut stream = Stream::new(0, 0);
    let anna = sent(&mut stream, ANNA, packet(100 * 20, 1, 0)).unwrap();
    let kept = ring(BORIS, 100, 6);
    let first_two = arrives(&mut stream, BORIS, &kept, 100);
    // Six packets cannot lie before the last one sent: the oldest follows it at once.
    assert_eq!(first_two[0].1, anna.1 + FRAME_SAMPLES);
    assert!(stream.lead > 0 && stream.lead <= LEAD_MAX, "{}", stream.lead);
    // The next holder goes on by the time that has passed: the receiver keeps his pace.
    let before = (stream.timestamp, stream.newest_at.unwrap().as_micros() / 1_000);
    let next = sent(&mut stream, ANNA, packet(before.1 + 300, 16, 0)).unwrap();
    assert_eq!(next.1, before.0 + 14_400);
}

#[test]
fn a_receiver_catches_up_with_a_lead_in_two_seconds() {
    let mut stream = Stream::new(0, 0);
    sent(&mut stream, ANNA, packet(100 * 20, 1, 0)).unwrap();
    arrives(&mut stream, BORIS, &ring(BORIS, 100, 6), 100);
    let lead = stream.lead;
    let after = |millis: u64| stream.begin_at(stream.led_at + Duration::from_millis(millis)).1;
    assert!(after(1_000) < lead && after(1_000) > 0);
    assert_eq!(after(2_000), 0);
}

#[test]
fn leads_do_not_add_up() {
    let mut stream = Stream::new(0, 0);
    for switch in 1..50_u64 {
        let (voice, newest) = (if switch % 2 == 0 { ANNA } else { BORIS }, switch * 4 + 100);
        let kept = ring(voice, newest, 6);
        arrives(&mut stream, voice, &kept, newest);
        assert!(stream.lead <= LEAD_MAX + FRAME_SAMPLES, "{} at {switch}", stream.lead);
    }
}

#[test]
fn a_slot_that_never_rests_runs_no_further_ahead_than_a_ring() {
    let mut stream = Stream::new(0, 0);
    let mut begun = 0;
    // Frames of two voices come 5 ms apart, and each frame's time the slot changes hands.
    for frame in 0..100_u64 {
        let (voice, lag) = if frame % 2 == 0 { (ANNA, 0) } else { (BORIS, 5) };
        let came = Arrival {
            at: Time::from_micros((frame / 2 * 20 + lag) * 1_000),
            ..packet(0, frame, 0)
        };
        let mut ring = Ring::default();
        ring.keep(voice, came, None, &[0]);
        let holder = Holder { voice, turn: frame as u32 };
        for at in stream.owed(holder, ring.of(voice), at(frame)) {
            stream.stamp(holder, ring.of(voice)[at].arrival, 1).unwrap();
            begun += 1;
        }
        assert!(stream.lead <= LEAD_MAX, "{} at {frame}", stream.lead);
    }
    assert!(begun >= 50, "a frame at most is held back: {begun} of 100");
}

#[test]
fn a_slot_that_may_not_catch_up_sends_one_packet_a_frame() {
    let mut stream = Stream::new(0, 0);
    for newest in 100..104 {
        let kept = ring(BORIS, newest, 6);
        let owed =
            stream.owed(first(BORIS), kept.of(BORIS), Newest { may_catch_up: false, ..at(newest) });
        assert_eq!(owed.len(), 1);
        let arrival = kept.of(BORIS)[owed.start].arrival;
        stream.stamp(first(BORIS), arrival, 1).unwrap();
    }
}

#[test]
fn another_turn_of_the_same_voice_is_a_new_tenure() {
    let mut stream = Stream::new(0, 0);
    sent(&mut stream, ANNA, packet(0, 10, 0));
    let again = Holder { voice: ANNA, turn: 2 };
    let stamp = stream.stamp(again, packet(10_000, 510, 480_000), 1).unwrap();
    assert_eq!((stamp.index, stamp.marker), (1, true));
}

#[test]
fn a_voice_that_comes_back_is_heard_from_where_it_was_left() {
    let (mut one, mut other) = (Stream::new(0, 0), Stream::new(0, 0));
    sent(&mut one, ANNA, packet(95 * 20, 95, 95 * 960)).unwrap();
    sent(&mut one, ANNA, packet(96 * 20, 96, 96 * 960)).unwrap();
    assert_eq!(one.unheard_from(ANNA), 97);
    sent(&mut one, BORIS, packet(97 * 20, 7, 0)).unwrap();
    assert_eq!((one.unheard_from(ANNA), one.unheard_from(BORIS)), (97, 8));
    let (kept, again) = (ring(ANNA, 98, 6), Holder { voice: ANNA, turn: 2 });
    for stream in [&mut one, &mut other] {
        let owed = stream.owed(again, kept.of(ANNA), Newest { unheard: 97, ..at(98) });
        let heard: Vec<u64> = kept.of(ANNA).range(owed).map(|kept| kept.arrival.index).collect();
        assert_eq!(heard, [97, 98]);
    }
}

#[test]
fn a_straggler_of_what_was_heard_begins_nothing() {
    let mut stream = Stream::new(0, 0);
    let (kept, unheard) = (ring(ANNA, 98, 6), 99);
    let owed = stream.owed(first(ANNA), kept.of(ANNA), Newest { unheard, ..at(97) });
    assert!(owed.is_empty());
    assert!(!stream.is_live(first(ANNA)));
}

#[test]
fn a_slot_remembers_so_many_voices_and_no_more() {
    let mut stream = Stream::new(0, 0);
    let voice = |source: u64| Voice { source: LegId(source), epoch: 0 };
    for source in 0..=FORMER_VOICES as u64 + 1 {
        sent(&mut stream, voice(source), packet(source * 20, 7, 0)).unwrap();
    }
    let heard: Vec<u64> = (0..3).map(|source| stream.unheard_from(voice(source))).collect();
    assert_eq!(heard, [0, 8, 8]);
    assert_eq!(stream.former.len(), FORMER_VOICES);
}
