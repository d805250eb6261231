//! A call on paper: people who speak bursts of tones at known moments, over networks that lose,
//! delay and reorder, with crystals that drift; every packet goes through the recorder as in the
//! server.

use std::path::Path;
use std::sync::Arc;

use engine::slots::Arrival;
use engine::timeline::Taken;
use engine::{LegId, Now, Time, Wall};
use voxhall::media::CallNo;
use voxhall::media::tap::Batch;
use voxhall::record::Floor;
use voxhall::record::capture::{Begin, Capture, Order};
use voxhall::record::line::{ChatName, End, Event};
use voxhall::record::store::{Folder, Id, Root};

use super::chance::Chance;

pub const CALL: CallNo = CallNo(1);
const FRAME_US: u64 = 20_000;
/// The network's least delay.
pub const TRIP_US: u64 = 20_000;
/// Silence, 20 ms of it, as browsers send it.
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

/// A stay of somebody in the call.
#[derive(Clone)]
pub struct Stay {
    pub jid: &'static str,
    pub leg: u64,
    pub hz: f32,
    pub from_s: u64,
    pub to_s: u64,
    /// How much slower his crystal is.
    pub drift_ppm: i64,
    pub lost_permille: u64,
    pub jitter_us: u64,
    /// Between bursts nothing but a sign of life each 400 ms.
    pub dtx: bool,
    /// Muted in these seconds: nothing of it may be recorded.
    pub muted: Option<(u64, u64)>,
}

/// A burst that was said, and that is to be heard.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    pub hz: f32,
    /// When it arrived at the earliest: said, and the way.
    pub at_us: u64,
    /// Its beginning was lost on the way: it cannot be found to the millisecond.
    pub is_torn: bool,
    pub is_muted: bool,
}

/// Seconds between the bursts of one person.
pub const BURST_EVERY_S: u64 = 10;
/// Frames of a burst that sound, and before that frames of silence.
pub const SOUNDING: usize = 25;
const LEAD: usize = 5;

pub struct Studio {
    capture: Capture,
    root: Arc<Root>,
    pub id: Id,
    pub bursts: Vec<Burst>,
    arrivals: Vec<(u64, Taken)>,
    notes: Vec<(u64, Event)>,
}

impl Studio {
    /// A recording that began at 0.
    pub fn open(place: &Path) -> Studio {
        let root = Arc::new(Root::open(place).expect("a folder"));
        let mut capture =
            Capture::new(root.clone(), Floor { bytes: 0, percent: 0 }, 1, Arc::default());
        let id = Id::new(Wall(1_790_000_000_000_000_000));
        capture.handle_order(Order::Begin(Box::new(Begin {
            id: id.clone(),
            call: CALL,
            uid: "5f0c2a6e-0000-4000-8000-000000000001".into(),
            chat: ChatName {
                kind: "group".into(),
                jids: vec!["g-lobby".into()],
                display_name: "Lobby".into(),
            },
            by: "d-anna".into(),
            now: now(0),
            notices: Arc::new(|_| true),
        })));
        let (bursts, arrivals, notes) = (Vec::new(), Vec::new(), Vec::new());
        Studio { capture, root, id, bursts, arrivals, notes }
    }

    pub fn add(&mut self, stay: &Stay, chance: &mut Chance) {
        let jid = || stay.jid.to_owned();
        let (from, to) = (stay.from_s * 1_000_000, stay.to_s * 1_000_000);
        let display_name = stay.jid.trim_start_matches("d-").to_owned();
        self.notes.push((
            from,
            Event::Joined { jid: jid(), display_name, no_record: false, muted: false },
        ));
        self.notes.push((from, Event::Leg { leg: stay.leg, jid: jid() }));
        self.notes.push((from, Event::Told { jid: jid() }));
        self.notes.push((to, Event::Left { jid: jid() }));
        if let Some((from, to)) = stay.muted {
            self.notes.push((from * 1_000_000, Event::Muted { jid: jid(), by: jid() }));
            self.notes.push((to * 1_000_000, Event::Unmuted { jid: jid() }));
        }
        let burst = burst(stay.hz);
        let first_timestamp = chance.draw() as u32;
        let (mut index, mut sent) = (chance.draw() % 20_000, 0_u64);
        for frame in 0.. {
            let said =
                from + frame * FRAME_US + frame * FRAME_US * stay.drift_ppm as u64 / 1_000_000;
            if said >= to {
                break;
            }
            // Each at his own second of the ten, so that bursts overlap now and then.
            let within = (frame + stay.leg * 130) % (BURST_EVERY_S * 50);
            let sounding = burst.get(within as usize);
            if sounding.is_none() && stay.dtx && frame % 20 != 0 {
                continue;
            }
            index += 1;
            sent += 1;
            let is_lost = chance.permille(stay.lost_permille) && sent > 1;
            let is_muted = stay
                .muted
                .is_some_and(|(from, to)| (from * 1_000_000..to * 1_000_000).contains(&said));
            if within == LEAD as u64 {
                let at_us = said + TRIP_US;
                let hz = stay.hz;
                self.bursts.push(Burst { hz, at_us, is_torn: is_lost, is_muted });
            } else if within == LEAD as u64 + 1
                && is_lost
                && let Some(last) = self.bursts.last_mut()
            {
                last.is_torn = true;
            }
            if is_lost || is_muted {
                continue;
            }
            let jitter = if stay.jitter_us == 0 { 0 } else { chance.draw() % stay.jitter_us };
            let at_us = said + FRAME_US + TRIP_US + jitter;
            let arrival = Arrival {
                at: time(at_us),
                index,
                timestamp: first_timestamp.wrapping_add((frame * 960) as u32),
                marker: false,
            };
            let payload = sounding.map_or(&SILENCE[..], |packet| packet).into();
            let epoch = 1 + u32::from(stay.muted.is_some_and(|(_, to)| said >= to * 1_000_000));
            let taken = Taken { leg: LegId(stay.leg), epoch, arrival, samples: 960, payload };
            self.arrivals.push((at_us, taken));
        }
    }

    /// Speech without a pause: what costs most to decode.
    pub fn add_talking(&mut self, stay: &Stay, chance: &mut Chance) {
        let before = self.arrivals.len();
        self.add(stay, chance);
        let (mono, voip) = (opus::Channels::Mono, opus::Application::Voip);
        let mut encoder = opus::Encoder::new(48_000, mono, voip).expect("libopus encodes");
        encoder.set_bitrate(opus::Bitrate::Bits(32_000)).expect("a bitrate of Opus");
        for (_, taken) in &mut self.arrivals[before..] {
            let noise = |_| (chance.draw() % 2_000) as f32 / 4_000.0 - 0.25;
            let (mut last, frame) = (0.0, (0..960).map(noise));
            // Coloured as voices are, or the encoder hears none.
            let frame: Vec<f32> = frame
                .map(|sample| {
                    last = last * 0.9 + sample * 0.3;
                    last
                })
                .collect();
            let packet = encoder.encode_vec_float(&frame, 1_275).expect("a frame");
            taken.payload = packet.into();
        }
    }

    /// Everything happens, in its order, until the recording ends.
    pub fn run(mut self, until_s: u64) -> (Folder, Vec<Burst>) {
        self.arrivals.sort_by_key(|(at, _)| *at);
        self.notes.sort_by_key(|(at, _)| *at);
        let mut notes = std::mem::take(&mut self.notes).into_iter().peekable();
        let mut arrivals = std::mem::take(&mut self.arrivals).into_iter().peekable();
        let end = until_s * 1_000_000;
        for tick in 1..=(end + 1_000_000) / TICK_US {
            let until = tick * TICK_US;
            while let Some((at, event)) = notes.next_if(|(at, _)| *at < until) {
                self.capture.handle_order(Order::Note { call: CALL, at: time(at), event });
            }
            while let Some((at, taken)) = arrivals.next_if(|(at, _)| *at < until) {
                let batch =
                    Batch { packets: [(CALL, taken)].into_iter().collect(), ..Batch::default() };
                self.capture.handle_batch(time(at), batch);
            }
            if until >= end {
                let now = now(end);
                let why = End::CallFinished;
                self.capture.handle_order(Order::End { call: CALL, now, why });
            }
            self.capture.handle_tick(time(until), Some(time(until)));
        }
        (self.root.folder(&self.id).expect("the recording's folder"), self.bursts)
    }
}

const TICK_US: u64 = 250_000;

/// A burst as packets of 20 ms, from silence into a tone that begins at once, and back.
fn burst(hz: f32) -> Vec<Vec<u8>> {
    let (mono, voip) = (opus::Channels::Mono, opus::Application::Audio);
    let mut encoder = opus::Encoder::new(48_000, mono, voip).expect("libopus encodes");
    let frame = |frame: usize| -> Vec<f32> {
        let sounds = (LEAD..LEAD + SOUNDING).contains(&frame);
        let sample = |at: usize| (at as f32 * hz * std::f32::consts::TAU / 48_000.0).sin() * 0.25;
        (0..960).map(|at| if sounds { sample(frame * 960 + at) } else { 0.0 }).collect()
    };
    let frames = 0..LEAD + SOUNDING + LEAD;
    frames.map(|at| encoder.encode_vec_float(&frame(at), 1_275).expect("a frame")).collect()
}

fn time(us: u64) -> Time {
    // The server's clock does not begin with the recording.
    Time::from_micros(us + 5_000_000)
}

fn now(us: u64) -> Now {
    Now { time: time(us), wall: Wall(1_790_000_000_000_000_000 + us as i64 * 1_000) }
}
