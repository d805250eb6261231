use alloc::vec::Vec;

use super::*;

const FRAME: u64 = 960;

/// Packet `index` of 20 ms, as it comes.
fn packet(index: u64, at_ms: u64) -> Taken {
    let timestamp = (index as u32).wrapping_mul(960).wrapping_add(7);
    stamped(index, timestamp, at_ms)
}

fn stamped(index: u64, timestamp: u32, at_ms: u64) -> Taken {
    Taken {
        leg: LegId(1),
        epoch: 1,
        arrival: Arrival { at: ms(at_ms), index, timestamp, marker: false },
        samples: FRAME as u32,
        payload: Box::new([index as u8]),
    }
}

fn ms(millis: u64) -> Time {
    Time::from_micros(millis * 1_000)
}

/// What is on the axis, in words: indices, `c` concealed and `s` silent samples.
fn written(axis: &mut Axis) -> Vec<(char, u64)> {
    core::iter::from_fn(|| axis.poll_piece())
        .map(|piece| match piece {
            Piece::Packet(taken) => ('p', taken.arrival.index),
            Piece::Conceal { samples, .. } => ('c', samples),
            Piece::Silence { samples, .. } => ('s', samples),
        })
        .collect()
}

fn take(axis: &mut Axis, packets: impl IntoIterator<Item = Taken>) {
    for taken in packets {
        axis.handle_packet(taken.arrival.at, taken);
    }
}

#[test]
fn packets_in_order_go_out_at_once() {
    let mut axis = Axis::default();
    take(&mut axis, (1..=3).map(|index| packet(index, index * 20)));
    assert_eq!(written(&mut axis), [('p', 1), ('p', 2), ('p', 3)]);
    assert_eq!(axis.end(), 3 * FRAME);
}

#[test]
fn an_overtaken_packet_is_put_in_its_place_and_one_too_late_is_not() {
    let mut axis = Axis::default();
    take(&mut axis, [packet(1, 20), packet(3, 60), packet(2, 70), packet(6, 120)]);
    assert_eq!(written(&mut axis), [('p', 1), ('p', 2), ('p', 3)]);
    axis.handle_timeout(ms(239));
    assert_eq!(written(&mut axis), []);
    axis.handle_timeout(ms(240));
    assert_eq!(written(&mut axis), [('c', 2 * FRAME), ('p', 6)]);
    assert_eq!(axis.handle_packet(ms(250), packet(5, 250)), Fate::Late);
    assert_eq!(axis.end(), 6 * FRAME);
}

#[test]
fn a_long_loss_is_concealed_for_200_ms_and_silent_then() {
    let mut axis = Axis::default();
    take(&mut axis, [packet(1, 20), packet(51, 1_020)]);
    axis.flush();
    let silent = 49 * FRAME - CONCEALED_LOST_SAMPLES;
    let filled = [('p', 1), ('c', CONCEALED_LOST_SAMPLES), ('s', silent), ('p', 51)];
    assert_eq!(written(&mut axis), filled);
}

#[test]
fn one_number_missing_over_a_long_pause_is_no_long_loss() {
    for (span_ms, why) in [(120, Gap::Lost), (140, Gap::Unsent)] {
        let mut axis = Axis::default();
        let timestamp = 967 + (span_ms as u32 / 20 + 1) * 960;
        take(&mut axis, [packet(1, 20), stamped(3, timestamp, 40 + span_ms)]);
        axis.flush();
        let pieces: Vec<Piece> = core::iter::from_fn(|| axis.poll_piece()).collect();
        let samples = (span_ms / 20) * FRAME;
        assert_eq!(pieces[1], Piece::Conceal { samples, why }, "{span_ms} ms");
    }
}

#[test]
fn a_pause_of_dtx_goes_on_from_what_was_heard() {
    let mut axis = Axis::default();
    take(&mut axis, [packet(1, 20), stamped(2, 967 + 20 * 960, 420)]);
    assert_eq!(written(&mut axis), [('p', 1), ('c', 19 * FRAME), ('p', 2)]);
}

#[test]
fn timestamps_that_stood_still_while_muted_are_not_believed() {
    let mut axis = Axis::default();
    let unmuted = Taken { epoch: 2, ..stamped(2, 967 + 960, 10_020) };
    take(&mut axis, [packet(1, 20), unmuted]);
    axis.flush();
    assert_eq!(axis.end(), 10_000 * 48 + FRAME);
    let points: Vec<_> = core::iter::from_fn(|| axis.poll_point()).collect();
    assert!(points.iter().filter(|point| point.is_anew).count() == 2, "{points:?}");
}

#[test]
fn timestamps_that_leap_cannot_make_an_axis_run_away() {
    let mut axis = Axis::default();
    let leaps =
        (1..3_000).map(|index| stamped(index, (index as u32).wrapping_mul(192_000), index * 20));
    take(&mut axis, leaps);
    axis.flush();
    let real = 3_000 * FRAME;
    assert!(axis.end() < 3 * real, "{} times", axis.end() / real);
}

#[test]
fn no_more_than_its_bound_waits() {
    let mut axis = Axis::default();
    take(&mut axis, [packet(1, 20)]);
    take(&mut axis, (3..200).map(|index| packet(index, 40)));
    assert!(axis.waiting.len() <= AXIS_WAITING_MAX, "{}", axis.waiting.len());
}

#[test]
fn a_map_shows_a_drift_through_the_jitter() {
    let mut axis = Axis::default();
    // Two hours, 100 ppm, up to 90 ms of jitter.
    for index in 1..=360_000_u64 {
        let said = index * 20_000 + index * 2;
        let jitter = (index * 7_919) % 90_000;
        let mut taken = packet(index, 0);
        taken.arrival.at = Time::from_micros(said + jitter + 30_000);
        axis.handle_packet(taken.arrival.at, taken);
        while axis.poll_piece().is_some() {}
    }
    axis.flush();
    let points: Vec<_> = core::iter::from_fn(|| axis.poll_point()).collect();
    assert!(points.len() < 1_500, "{}", points.len());
    let map = ClockMap::new(&points);
    for index in [1_u64, 1_000, 100_000, 359_000] {
        let said = (index * 20_000 + index * 2 + 30_000) as i64;
        let off = map.at_us(index * FRAME).unwrap() - said;
        assert!(off.abs() < 5_000, "packet {index}: {off} us");
    }
}

#[test]
fn a_clock_that_begins_anew_leaves_what_was_before() {
    let point = |sample, at_ms, is_anew| ClockPoint { sample, at: ms(at_ms), is_anew };
    let map = ClockMap::new(&[
        point(0, 100, true),
        point(48_000, 1_100, false),
        point(96_000, 2_000, true),
    ]);
    assert_eq!(map.at_us(48_000), Some(1_100_000));
    assert_eq!(map.at_us(95_999), Some(1_100_000 + 47_999 * 1_000 / 48));
    assert_eq!(map.at_us(96_000), Some(2_000_000));
    assert_eq!(ClockMap::default().at_us(0), None);
}

#[test]
fn a_drift_is_taken_back_in_pauses() {
    let mut placement = Placement::default();
    assert_eq!(placement.place(480, FRAME, Sound::Voice), Step::Pad(480));
    assert_eq!(placement.place(480 + 960 + 300, FRAME, Sound::Voice), Step::Join);
    assert_eq!(placement.place(480 + 1_920 + 300, FRAME, Sound::Silence), Step::Pad(300));
    assert_eq!(placement.place(480 + 2_880 + 100, FRAME, Sound::Silence), Step::Skip(200));
    assert_eq!(placement.next(), 480 + 3_840 + 100);
}

#[test]
fn a_voice_without_pauses_is_cut_before_it_is_far_off() {
    let mut placement = Placement::default();
    placement.place(0, FRAME, Sound::Voice);
    assert_eq!(placement.place(960 + 480, FRAME, Sound::Voice), Step::Join);
    assert_eq!(placement.place(1_920 + 481, FRAME, Sound::Voice), Step::Stretch(480));
    assert_eq!(placement.place(2_880 - 1_200, FRAME, Sound::Voice), Step::Shrink(480));
    assert_eq!(placement.place(100_000, FRAME, Sound::Voice), Step::Pad(100_000 - 3_840));
}

#[test]
fn a_room_is_blended_as_soon_as_it_is_off() {
    let mut placement = Placement::default();
    placement.place(0, FRAME, Sound::Voice);
    assert_eq!(placement.place(960 + 48, FRAME, Sound::Room), Step::Join);
    assert_eq!(placement.place(1_920 + 60, FRAME, Sound::Room), Step::Stretch(60));
    assert_eq!(placement.place(2_880, FRAME, Sound::Room), Step::Shrink(60));
}

#[test]
fn what_was_said_before_the_beginning_is_left_out() {
    let mut placement = Placement::default();
    assert_eq!(placement.place(-2_000, FRAME, Sound::Voice), Step::Skip(FRAME));
    assert_eq!(placement.place(-1_040, FRAME, Sound::Voice), Step::Skip(FRAME));
    assert_eq!(placement.place(-80, FRAME, Sound::Voice), Step::Skip(80));
    assert_eq!(placement.next(), 880);
}

#[test]
fn a_microphone_that_stood_still_is_late_from_then_on_and_no_longer_before() {
    let mut axis = Axis::default();
    // After ten seconds its clock stands still for two.
    for index in 1..=1_500_u64 {
        let stood = if index > 500 { 2_000 } else { 0 };
        let taken = packet(index, index * 20 + stood);
        axis.handle_packet(taken.arrival.at, taken);
        while axis.poll_piece().is_some() {}
    }
    axis.flush();
    let points: Vec<_> = core::iter::from_fn(|| axis.poll_point()).collect();
    let map = ClockMap::new(&points);
    let off_ms = |index: u64, stood: i64| {
        (map.at_us(index * FRAME).unwrap() / 1_000 - (index as i64 * 20 + stood)).abs()
    };
    assert!(off_ms(200, 0) < 10, "{}", off_ms(200, 0));
    assert!(off_ms(900, 2_000) < 10 && off_ms(1_500, 2_000) < 10, "{points:?}");
}

#[test]
fn a_sender_without_a_clock_gives_no_more_than_a_point_or_two_a_second() {
    let mut axis = Axis::default();
    for index in 1..=4_000_u64 {
        let stamp = (index as u32).wrapping_mul(2_654_435_761);
        let mut taken = stamped(index, stamp, 0);
        taken.arrival.at = Time::from_micros(index * 2_500);
        axis.handle_packet(taken.arrival.at, taken);
        while axis.poll_piece().is_some() {}
    }
    axis.flush();
    let points = core::iter::from_fn(|| axis.poll_point()).count();
    assert!(points <= 30, "{points} in ten seconds");
}

#[test]
fn nothing_is_concealed_over_a_mute() {
    let mut axis = Axis::default();
    let unmuted = Taken { epoch: 2, ..stamped(12, 967 + 12 * 960, 260) };
    take(&mut axis, [packet(1, 20), unmuted]);
    axis.flush();
    let pieces = written(&mut axis);
    assert!(pieces.iter().all(|(kind, _)| *kind != 'c'), "{pieces:?}");
}
