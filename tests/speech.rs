//! Talking, on speech: the demo's voices through a real encoder, in noise and out of it, against
//! what can be known of a packet without decoding, and against other detectors.
//!
//! The comparison with two reference detectors takes minutes and Python: `tests/speech/run`. Its
//! last result stands in `tests/speech/README.md`.

#[path = "speech/chance.rs"]
mod chance;
#[path = "speech/measure.rs"]
mod measure;
#[path = "speech/noise.rs"]
mod noise;
#[path = "speech/score.rs"]
mod score;
#[path = "speech/sound.rs"]
mod sound;

use chance::Chance;
use engine::opus::Packet;
use engine::talking::Edge;
use noise::{Noise, rms};
use score::{Decided, decide, edges, turns};
use sound::{FRAME, Pcm, Sender, Silence, demo_lines};

/// 200 ms: shorter spurts need not begin.
const SPURT_FRAMES: usize = 10;

/// The lines with 1.5 s before and after each, at `gain_db`; and which frames are voice: those
/// within 35 dB of the loudest.
fn spoken(gain_db: f32) -> (Pcm, Vec<bool>) {
    let pause = vec![0.0; 75 * FRAME];
    let gain = 10_f32.powf(gain_db / 20.0);
    let mut pcm = pause.clone();
    for line in demo_lines() {
        pcm.extend(line.iter().map(|sample| sample * gain));
        pcm.extend(&pause);
    }
    let loudness: Vec<f32> = pcm.chunks_exact(FRAME).map(rms).collect();
    let least = loudness.iter().fold(0.0, |most: f32, rms| most.max(*rms)) / 56.0;
    let is_voice = loudness.iter().map(|rms| *rms > least).collect();
    (pcm, is_voice)
}

fn with_noise(mut pcm: Pcm, noise: Noise, dbov: f32) -> Pcm {
    let gain = 10_f32.powf(-dbov / 20.0);
    let noise = noise.make(pcm.len(), &demo_lines(), 1);
    pcm.iter_mut().zip(noise).for_each(|(sample, noise)| *sample += gain * noise);
    pcm
}

/// Every spurt began within `began_ms` and ceased between 500 ms and `ceased_ms` after its end,
/// and nothing else began, but for what a noise may at its `onsets`.
fn assert_turns(
    decided: &Decided,
    is_voice: &[bool],
    (began_ms, ceased_ms): (i64, i64),
    onsets: usize,
) {
    let spurts = turns(is_voice, SPURT_FRAMES);
    let found = edges(decided, is_voice);
    assert_eq!((found.turns, found.missed), (spurts.len(), 0), "{found:?}");
    assert!(found.extra <= onsets, "{found:?}");
    assert_eq!(found.began.len(), found.ceased.len(), "{found:?}");
    assert!(found.began.iter().all(|late| (0..=began_ms).contains(late)), "{found:?}");
    assert!(found.ceased.iter().all(|late| (500..=ceased_ms).contains(late)), "{found:?}");
}

#[test]
fn every_line_of_the_demo_begins_and_ceases_once() {
    let desk = Sender::DESK;
    let phone = Sender { complexity: 5, ..desk };
    let dtx = Sender { silence: Silence::LeftOut, ..desk };
    for (gain_db, sender) in [(0.0, desk), (-20.0, desk), (0.0, phone), (-20.0, dtx)] {
        let (pcm, is_voice) = spoken(gain_db);
        assert_turns(&decide(&sender.packets(&pcm)), &is_voice, (160, 900), 0);
    }
}

#[test]
fn packets_of_any_length_begin_and_cease_alike() {
    let (pcm, is_voice) = spoken(0.0);
    for (frames_a_packet, silence) in
        [(2, Silence::Sent), (3, Silence::LeftOut), (6, Silence::Sent)]
    {
        let sender = Sender { frames_a_packet, silence, ..Sender::DESK };
        assert_turns(&decide(&sender.packets(&pcm)), &is_voice, (240, 1_000), 0);
    }
}

#[test]
fn every_line_begins_and_ceases_once_in_a_noisy_room() {
    let (pcm, is_voice) = spoken(0.0);
    for noise in [Noise::White, Noise::Pink] {
        let noisy = with_noise(pcm.clone(), noise, 50.0);
        assert_turns(&decide(&Sender::DESK.packets(&noisy)), &is_voice, (200, 1_000), 1);
    }
}

#[test]
fn a_room_without_a_voice_hardly_ever_talks() {
    for noise in [Noise::White, Noise::Pink, Noise::Typing] {
        for dbov in [40.0, 60.0] {
            let room = with_noise(vec![0.0; 1_000 * FRAME], noise, dbov);
            let decided = decide(&Sender::DESK.packets(&room));
            let begins = decided.edges.iter().filter(|edge| edge.1 == Edge::Began).count();
            let talking = decided.talking.iter().filter(|talking| **talking).count();
            assert!(begins <= 1 && talking <= 250, "{noise:?} at {dbov}: {begins}, {talking}");
        }
    }
}

#[test]
fn the_encoder_says_where_there_is_no_voice() {
    let share = |pcm: &Pcm, is_counted: &dyn Fn(usize) -> bool| {
        let packets = Sender::DESK.packets(pcm);
        let voiceless: Vec<bool> = packets
            .iter()
            .flatten()
            .enumerate()
            .filter(|(frame, _)| is_counted(*frame))
            .map(|(_, (_, payload))| Packet::parse(payload).expect("Opus").is_voiceless())
            .collect();
        voiceless.iter().filter(|it| **it).count() as f64 / voiceless.len() as f64
    };
    let (pcm, is_voice) = spoken(0.0);
    let (voice, room) = (
        share(&pcm, &|frame| is_voice[frame]),
        share(&with_noise(vec![0.0; 500 * FRAME], Noise::Pink, 60.0), &|_| true),
    );
    assert!(voice < 0.1 && room > 0.9, "{voice} of voice, {room} of noise");
}

#[test]
fn a_packet_is_read_as_libopus_reads_it() {
    let mut chance = Chance(1);
    let mut accepted = 0;
    for _ in 0..100_000 {
        let bytes = chance.of(&[1, 2, 3, 4, 6, 9, 40, 300, 1_300, 2_700]);
        let few = chance.of(&[2, 5, 256]);
        let mut payload: Vec<u8> =
            (0..1 + chance.below(bytes)).map(|_| chance.next() as u8).collect();
        let small = |byte: &mut u8| *byte = (usize::from(*byte) % few) as u8;
        payload.iter_mut().skip(1).take(4).for_each(small);
        let ours = Packet::parse(&payload);
        let theirs = opus::packet::parse(&payload).ok().map(|packet| {
            let samples = opus::packet::get_nb_samples(&payload, 48_000).expect("it was parsed");
            let is_short = packet.frames.iter().all(|frame| frame.len() <= 2);
            (samples as u32, packet.frames.len() as u32, is_short)
        });
        let told = ours.map(|it| (it.samples(), it.frames()));
        assert_eq!(told, theirs.map(|it| (it.0, it.1)), "{payload:x?}");
        accepted += usize::from(ours.is_some());
        if let (Some(ours), Some((.., true))) = (ours, theirs) {
            assert!(ours.is_silence(), "{payload:x?}");
        }
    }
    assert!((20_000..80_000).contains(&accepted), "{accepted} of 100,000 are packets");
}

#[test]
#[ignore = "minutes, and Python: tests/speech/run"]
fn the_detector_agrees_with_others() {
    measure::print_tables();
}
