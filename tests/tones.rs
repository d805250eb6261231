//! The tests' own ears: a tone is known again after Opus, and nothing else passes for one.

mod support;

use std::collections::BTreeMap;

use support::ears::{Ear, Hears};
use support::tone::{Frames, are_exactly, dominant_hz};
use voxhall::demo::voice::Conversation;

fn after_opus(hz: f32) -> Vec<f32> {
    let mut frames = Frames::new(hz);
    decoded((0..10).map(|_| frames.next_frame().opus))
}

fn decoded(packets: impl Iterator<Item = impl AsRef<[u8]>>) -> Vec<f32> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).expect("48 kHz mono");
    let mut all = Vec::new();
    for packet in packets {
        let mut pcm = [0.0; 960];
        let samples = decoder.decode_float(packet.as_ref(), &mut pcm, false).expect("Opus");
        all.extend_from_slice(&pcm[..samples]);
    }
    all
}

fn hears(tones: &[f32]) -> Hears {
    let ear = |hz: &f32| Ear { pcm: after_opus(*hz), frames: 10, missing: 0 };
    (0..).map(|mid: u32| mid.to_string()).zip(tones.iter().map(ear)).collect()
}

#[test]
fn tone_is_known_again_after_opus() {
    for hz in [300.0, 440.0, 445.0, 1000.0, 2900.0] {
        let heard = dominant_hz(&after_opus(hz)).unwrap();
        assert!((heard - hz).abs() <= 10.0, "{hz} Hz is heard as {heard} Hz");
    }
}

#[test]
fn silence_two_tones_at_once_and_a_moment_are_no_tone() {
    assert_eq!(dominant_hz(&[0.0; 4800]), None);
    assert_eq!(dominant_hz(&after_opus(440.0)[..2000]), None);
    let both: Vec<f32> =
        after_opus(440.0).iter().zip(after_opus(900.0)).map(|(a, b)| a + b).collect();
    assert_eq!(dominant_hz(&both), None);
}

#[test]
fn speech_is_hardly_ever_a_tone() {
    let talk = Conversation::load(1).unwrap();
    let pcm = decoded((0..200).map(|now| talk.frame(0, now).unwrap().opus.clone()));
    let tones = pcm.chunks(4800).filter(|chunk| dominant_hz(chunk).is_some()).count();
    assert!(tones * 4 < pcm.len() / 4800, "{tones} of {} chunks", pcm.len() / 4800);
}

#[test]
fn exactly_means_neither_more_nor_fewer() {
    assert!(are_exactly(&hears(&[500.0, 700.0]), &[700.0, 500.0]));
    assert!(!are_exactly(&hears(&[500.0, 700.0]), &[500.0]));
    assert!(!are_exactly(&hears(&[500.0]), &[500.0, 700.0]));
    assert!(!are_exactly(&hears(&[500.0, 500.0]), &[500.0, 700.0]));
    assert!(are_exactly(&BTreeMap::new(), &[]));
}
