//! Loudness of voices whose clients do not tell it (no RFC 6464): their Opus is decoded, on a
//! thread of its own. A slow meter loses its own packets, never the call's.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use engine::talking::Said;
use engine::{LegId, Level, Time};

use super::ingress::said;
use crate::limits::{METER_EARS, METER_PACKETS};
use crate::threads;

/// The worker's end of the thread. Dropping it ends the thread.
pub(super) struct Meter {
    queue: SyncSender<Order>,
}

enum Order {
    Packet { leg: LegId, at: Time, payload: Box<[u8]> },
    Close { leg: LegId },
}

impl Meter {
    /// Starts the thread; `tell` is called on it with every level.
    ///
    /// # Errors
    /// The machine has no thread left.
    pub fn start(
        name: String,
        tell: impl Fn(LegId, Said) + Send + 'static,
    ) -> std::io::Result<Meter> {
        let (queue, orders) = sync_channel(METER_PACKETS);
        std::thread::Builder::new().name(name).spawn(move || listen(&orders, tell))?;
        Ok(Meter { queue })
    }

    /// False where the queue is full and the packet goes unheard.
    pub fn packet(&self, leg: LegId, at: Time, payload: &[u8]) -> bool {
        self.queue.try_send(Order::Packet { leg, at, payload: payload.into() }).is_ok()
    }

    /// The leg is gone. Where the queue is full its decoder stays until the thread tidies up.
    pub fn close(&self, leg: LegId) {
        let _ = self.queue.try_send(Order::Close { leg });
    }
}

fn listen(orders: &Receiver<Order>, tell: impl Fn(LegId, Said)) {
    threads::stand_back();
    let mut ears: HashMap<LegId, (Time, opus::Decoder)> = HashMap::new();
    let mut samples = vec![0.0; PACKET_SAMPLES_MAX];
    while let Ok(order) = orders.recv() {
        match order {
            Order::Packet { leg, at, payload } => {
                if ears.len() >= METER_EARS && !ears.contains_key(&leg) {
                    forget_oldest(&mut ears);
                }
                let ear = ears.entry(leg).or_insert_with(|| (at, decoder()));
                ear.0 = at;
                let heard = ear.1.decode_float(&payload, &mut samples, false);
                let level = heard.map_or(Level::SILENCE, |heard| loudness(&samples[..heard]));
                tell(leg, said(at, level, &payload));
            }
            Order::Close { leg } => drop(ears.remove(&leg)),
        }
    }
}

/// A leg whose close was lost, or one that has been quiet for longest.
fn forget_oldest(ears: &mut HashMap<LegId, (Time, opus::Decoder)>) {
    let oldest = ears.iter().min_by_key(|(_, (at, _))| *at).map(|(leg, _)| *leg);
    if let Some(leg) = oldest {
        ears.remove(&leg);
    }
}

fn decoder() -> opus::Decoder {
    opus::Decoder::new(48_000, opus::Channels::Mono).expect("libopus decodes 48 kHz mono")
}

/// Root mean square in -dBov, as RFC 6464 appendix A computes it.
fn loudness(samples: &[f32]) -> Level {
    let power: f32 = samples.iter().map(|sample| sample * sample).sum();
    let mean = power / samples.len().max(1) as f32;
    let decibels = -10.0 * mean.log10();
    Level::from_extension(decibels.round().clamp(0.0, 127.0) as u8)
}

/// 120 ms at 48 kHz: the longest Opus packet (RFC 6716 section 3.2).
const PACKET_SAMPLES_MAX: usize = 5_760;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn tone(amplitude: f32) -> Vec<f32> {
        let wave = |at: u16| (f32::from(at) * 440.0 * std::f32::consts::TAU / 48_000.0).sin();
        (0..960).map(|at| amplitude * wave(at)).collect()
    }

    #[test]
    fn full_scale_is_loud_and_nothing_is_silence() {
        assert_eq!(loudness(&[1.0, -1.0]).dbov(), 0);
        assert_eq!(loudness(&tone(0.1)).dbov(), 23);
        assert_eq!(loudness(&[0.0; 960]), Level::SILENCE);
        assert_eq!(loudness(&[]), Level::SILENCE);
    }

    #[test]
    fn one_packet_more_than_wait_goes_unheard() {
        let (go_on, held) = mpsc::sync_channel::<()>(0);
        let meter = Meter::start("meter-test".into(), move |_, _| {
            let _ = held.recv();
        })
        .unwrap();
        let packet = || meter.packet(LegId(7), Time::ZERO, &[0xf8, 0xff, 0xfe]);
        // The thread holds one while the queue fills up.
        let taken = (0..=METER_PACKETS + 1).take_while(|_| packet()).count();
        assert!((METER_PACKETS..=METER_PACKETS + 1).contains(&taken), "{taken}");
        drop(go_on);
    }

    #[test]
    fn a_voice_without_levels_is_heard_by_its_sound() {
        let (heard, levels) = mpsc::sync_channel(64);
        let meter = Meter::start("meter-test".into(), move |leg, said| {
            let _ = heard.try_send((leg, said));
        });
        let meter = meter.unwrap();
        let mut encoder =
            opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
        for frame in 0..10 {
            let payload = encoder.encode_vec_float(&tone(0.1), 1_500).unwrap();
            assert!(meter.packet(LegId(7), Time::from_micros(frame * 20_000), &payload));
        }
        assert!(meter.packet(LegId(7), Time::from_micros(300_000), b"no opus at all"));
        meter.close(LegId(7));
        let levels: Vec<(LegId, Said)> = (0..11).map(|_| levels.recv().unwrap()).collect();
        let (leg, said) = levels[9];
        assert_eq!((leg, said.samples, said.is_silence), (LegId(7), 960, false));
        assert!((21..=26).contains(&said.level.dbov()), "{}", said.level.dbov());
        assert_eq!(levels[10].1.level, Level::SILENCE);
    }
}
