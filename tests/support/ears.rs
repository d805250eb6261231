//! What a test's person hears: every section decoded on its own, the last second kept.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use voxhall::demo::hearing::Heard;

/// By mid; only sections in which something came within the last second.
pub type Hears = BTreeMap<String, Ear>;

/// What came in one section.
#[derive(Clone, Default)]
pub struct Ear {
    /// Mono, 48 kHz: what came within the last second.
    pub pcm: Vec<f32>,
    /// Opus frames since the call began, or since `forget`.
    pub frames: u64,
    /// Packets among them that never came.
    pub missing: u64,
}

impl std::fmt::Debug for Ear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hz = super::tone::dominant_hz(&self.pcm);
        write!(f, "{{{} frames, {} samples, {hz:?} Hz}}", self.frames, self.pcm.len())
    }
}

/// Both ears of one call; they close with the call's packets.
pub struct Ears {
    sections: Arc<Mutex<BTreeMap<String, Section>>>,
    /// Counts packets, so that one can wait for the next.
    packets: watch::Receiver<u64>,
}

struct Section {
    decoder: opus::Decoder,
    recent: VecDeque<(Instant, Vec<f32>)>,
    frames: u64,
    missing: u64,
    newest: Option<u16>,
}

impl Ears {
    /// Decodes packets as they come, in the order in which they come.
    pub fn on(mut heard: mpsc::Receiver<Heard>) -> Self {
        let sections = Arc::new(Mutex::new(BTreeMap::new()));
        let (counted, packets) = watch::channel(0);
        let ours = Arc::clone(&sections);
        tokio::spawn(async move {
            while let Some(heard) = heard.recv().await {
                let mut sections = lock(&ours);
                let mid = heard.mid.clone();
                sections.entry(mid).or_insert_with(Section::new).take(&heard);
                drop(sections);
                counted.send_modify(|packets| *packets += 1);
            }
        });
        Self { sections, packets }
    }

    /// A copy of the last second.
    pub fn hears(&self) -> Hears {
        let mut sections = lock(&self.sections);
        let since = Instant::now().checked_sub(MEMORY);
        let mut hears = Hears::new();
        for (mid, section) in sections.iter_mut() {
            section.recent.retain(|(came, _)| since.is_none_or(|since| *came >= since));
            if !section.recent.is_empty() {
                let pcm = section.recent.iter().flat_map(|(_, pcm)| pcm).copied().collect();
                let ear = Ear { pcm, frames: section.frames, missing: section.missing };
                hears.insert(mid.clone(), ear);
            }
        }
        hears
    }

    /// From here on only what is new counts.
    pub fn forget(&self) {
        for section in lock(&self.sections).values_mut() {
            section.recent.clear();
            (section.frames, section.missing) = (0, 0);
        }
    }

    /// Waits until `is_so`, which is asked after every packet; what is heard at the deadline, or
    /// when no packet can come any more, otherwise.
    pub async fn until(
        &self,
        deadline: Duration,
        is_so: impl Fn(&Hears) -> bool,
    ) -> Result<(), Hears> {
        let mut packets = self.packets.clone();
        let asking = async {
            loop {
                packets.borrow_and_update();
                if is_so(&self.hears()) {
                    return true;
                }
                if packets.changed().await.is_err() {
                    return false;
                }
            }
        };
        if timeout(deadline, asking).await == Ok(true) { Ok(()) } else { Err(self.hears()) }
    }
}

impl Section {
    fn new() -> Self {
        let decoder = opus::Decoder::new(48_000, opus::Channels::Mono);
        let decoder = decoder.expect("libopus decodes 48 kHz mono");
        Self { decoder, recent: VecDeque::new(), frames: 0, missing: 0, newest: None }
    }

    fn take(&mut self, heard: &Heard) {
        let packet = &heard.packet;
        let (payload, number) = (&packet.payload, packet.header.sequence_number);
        let skipped = self.newest.map_or(0, |newest| number.wrapping_sub(newest) as i16 - 1);
        self.missing = self.missing.saturating_add_signed(skipped.into());
        if skipped >= 0 {
            self.newest = Some(number);
        }
        let mut pcm = vec![0.0; MAX_PACKET_SAMPLES];
        let samples = self.decoder.decode_float(payload, &mut pcm, false);
        pcm.truncate(samples.expect("a packet that arrives is Opus"));
        let now = Instant::now();
        self.recent.push_back((now, pcm));
        self.recent.retain(|(came, _)| now.duration_since(*came) <= MEMORY);
        self.frames += opus::packet::get_nb_frames(payload).map_or(0, |frames| frames as u64);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far back one hears.
const MEMORY: Duration = Duration::from_secs(1);
/// 120 ms: the longest Opus packet (RFC 6716 section 3.2).
const MAX_PACKET_SAMPLES: usize = 5760;
