//! Tones: how a test knows whose voice it hears. Each person speaks a sine of his own.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::interval;
use voxhall::demo::mouth::Mouth;
use voxhall::demo::voice::{Frame, level_dbov};

use super::ears::Hears;

/// Says a sine of `hz` until it is aborted or the connection is closed. Frames are counted from
/// `began`, so that the RTP clock goes on between two tones.
pub async fn say(mouth: Arc<Mutex<Mouth>>, began: Instant, hz: f32) {
    let mut mouth = mouth.lock().await;
    let mut frames = Frames::new(hz);
    // Two more than have passed: the tone before this one may be a tick ahead.
    let passed = began.elapsed().as_millis() / FRAME.as_millis();
    let mut now = u64::try_from(passed).expect("no test runs for ages") + 2;
    let mut ticks = interval(FRAME);
    loop {
        ticks.tick().await;
        if mouth.say(&frames.next_frame(), now).await.is_err() {
            return;
        }
        now += 1;
    }
}

/// A sine as Opus, 20 ms at a time.
pub struct Frames {
    encoder: opus::Encoder,
    hz: f32,
    /// Of the next sample, in turns: 0..1.
    phase: f32,
    begins: bool,
}

impl Frames {
    pub fn new(hz: f32) -> Self {
        let (mono, audio) = (opus::Channels::Mono, opus::Application::Audio);
        let encoder = opus::Encoder::new(RATE, mono, audio);
        let encoder = encoder.expect("libopus encodes 48 kHz mono");
        Self { encoder, hz, phase: 0.0, begins: true }
    }

    pub fn next_frame(&mut self) -> Frame {
        let mut pcm = [0.0; FRAME_SAMPLES];
        for sample in &mut pcm {
            *sample = AMPLITUDE * (TAU * self.phase).sin();
            self.phase = (self.phase + self.hz / RATE as f32).fract();
        }
        let opus = self.encoder.encode_vec_float(&pcm, MAX_FRAME_BYTES);
        let opus = opus.expect("a frame of a sine fits").into();
        let begins = std::mem::replace(&mut self.begins, false);
        Frame { opus, level_dbov: level_dbov(&pcm), begins }
    }
}

/// The frequency, to 10 Hz, that holds most of the energy at the end of `pcm`; `None` where none
/// does, or where less than a window was heard. By Goertzel's method.
pub fn dominant_hz(pcm: &[f32]) -> Option<f32> {
    let window = pcm.last_chunk::<WINDOW>()?;
    let energy: f32 = window.iter().map(|sample| sample * sample).sum();
    let of_tones = (LOWEST..=HIGHEST).step_by(STEP).map(|hz| (share(window, hz as f32), hz as f32));
    let (strongest, hz) = of_tones.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (energy > AUDIBLE && strongest / energy > DOMINANT).then_some(hz)
}

/// Whether each of `tones` dominates a section of its own, and no section carries another.
pub fn are_exactly(hears: &Hears, tones: &[f32]) -> bool {
    let heard: Option<Vec<f32>> = hears.values().map(|ear| dominant_hz(&ear.pcm)).collect();
    let Some(mut heard) = heard else { return false };
    let mut wanted = tones.to_vec();
    heard.sort_by(f32::total_cmp);
    wanted.sort_by(f32::total_cmp);
    let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= STEP as f32;
    heard.len() == wanted.len() && heard.iter().zip(&wanted).all(is_near)
}

/// Energy at `hz`: as much as that of the whole window for a pure sine.
fn share(window: &[f32; WINDOW], hz: f32) -> f32 {
    let coefficient = 2.0 * (TAU * hz / RATE as f32).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in window {
        (last, before) = (sample + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power / WINDOW as f32
}

const FRAME: Duration = Duration::from_millis(20);
const RATE: u32 = 48_000;
const FRAME_SAMPLES: usize = 960;
/// About -14 dBov: as loud as a person.
const AMPLITUDE: f32 = 0.3;
/// The most a packet may hold without being split (RFC 7587 section 4.2 leaves it to the path).
const MAX_FRAME_BYTES: usize = 1000;
/// 50 ms: a tone between two steps still has most of its energy at either.
const WINDOW: usize = 2400;
const LOWEST: usize = 200;
const HIGHEST: usize = 3000;
const STEP: usize = 10;
/// Of the window's energy: more than either of two equal tones has.
const DOMINANT: f32 = 0.6;
/// Energy of a window at -60 dBov.
const AUDIBLE: f32 = 0.0024;
