//! The bounds of a call, each with its unit, its reason and what happens there.

use core::time::Duration;

/// Longest jid in bytes: prefix and UUID take 39. Longer: not a jid.
pub const JID_BYTES: usize = 64;

/// Most slots a leg may have, whatever the configuration says: one byte of a bit set.
pub const SLOTS_HARD_MAX: usize = 16;

/// States go to a chat at most this often; changes between are told together.
pub const STATE_INTERVAL: Duration = Duration::from_millis(100);

/// From 51 onliners on: a state is long, and there are many readers.
pub const STATE_INTERVAL_ABOVE_50: Duration = Duration::from_millis(250);

/// From 201 onliners on.
pub const STATE_INTERVAL_ABOVE_200: Duration = Duration::from_secs(1);

/// Of each pair of an onliner and a reader, where only the roster changed: each of a thousand
/// readers is sent a thousand onliners of some 330 bytes, so all of them at most 130 MB a second.
/// The longer of both from 633 onliners on; what people do is told at the interval above.
pub const ROSTER_INTERVAL_A_PAIR: Duration = Duration::from_nanos(2_500);

/// A version step in nanoseconds: JavaScript reads `gentime` as a double, whose precision at
/// today's values is 256 ns; a millisecond stays far above it.
pub const GENTIME_STEP_NANOS: i64 = 1_000_000;

/// While its own offer is younger than this the server is the impolite side of a glare.
pub const GLARE_IMPOLITE: Duration = Duration::from_secs(5);

/// An unanswered offer is repeated with the next change after this.
pub const OFFER_RETRY: Duration = Duration::from_secs(10);

/// Between a peer's goodbye and his removal: a client that dials again closes first.
pub const CLOSED_GRACE: Duration = Duration::from_secs(5);

/// How far a packet may lie ahead of the last one within a tenure: a minute of a voice, far below
/// the 2^15 beyond which a receiver mistakes the rollover counter (RFC 3711 section 3.3.1).
pub const LEAP_PACKETS: u64 = 3_000;

/// Between two `server.call.talking` of one call: ten a second are read with ease; what
/// changes back meanwhile is never told.
pub const TALKING_INTERVAL: Duration = Duration::from_millis(100);

/// Between two begans of one onliner: with their ceased, five events a second at most.
pub const BEGAN_INTERVAL: Duration = Duration::from_millis(400);

/// How much of a voice without a slot is kept: two syllables' beginnings, and what deciding takes.
pub const RING_SPAN: Duration = Duration::from_millis(120);

/// Packets of it, 5 ms each; senders of shorter ones keep less.
pub const RING_PACKETS: usize = 24;

/// Packets that a slot is sent at once while it catches up with a ring: the newest and one more,
/// so that nobody's line is flooded.
pub const RING_BURST: usize = 2;

/// Bytes of frames in a bundle: with headers and tag below any path's MTU. Beyond: another packet.
pub const BUNDLE_BYTES: usize = 1_100;

/// Voices in one tick of bundles: as many as slots, and one person's other devices.
pub const BUNDLE_VOICES_MAX: usize = SLOTS_HARD_MAX + 16;

/// How long after its last packet is due a tick still waits for it: network jitter of talkers on
/// a good line.
pub const BUNDLE_SLACK: Duration = Duration::from_millis(2);

/// How long somebody who was muted goes on hearing packets as they come before his are bundled:
/// whoever takes part in a conversation mutes himself between two turns.
pub const BUNDLED_AFTER: Duration = Duration::from_secs(3);

/// A voice that was quiet for so long gives its slot to one that talks: longer than the stops
/// within a word, and no longer than [`RING_SPAN`], so that the next one loses nothing.
pub const YIELDS_AFTER: Duration = Duration::from_millis(120);

/// How much louder a voice must be to take the slot of one that talks on: twice the pressure.
pub const LOUDER_DBOV: u8 = 6;

/// A voice that talks keeps its slot for so long against louder ones: a word or two.
pub const SLOT_HELD: Duration = Duration::from_secs(1);

/// How often a call looks whether slots change hands: a frame.
pub const CONTEST_INTERVAL: Duration = Duration::from_millis(20);

/// Voices a slot remembers after they lost it, so that none is heard twice: as many as can come
/// and go by contests within a ring. One more: the first is forgotten, and may be heard again.
pub const FORMER_VOICES: usize = 6;

/// In this time a receiver has caught up with a ring's lead: browsers play a little faster while
/// more waits than they need (tests/browser.rs looks).
pub const LEAD_SETTLES: Duration = Duration::from_secs(2);

/// Devices of one person in one call where several are allowed. One more: the oldest is put out.
pub const DEVICES_PER_ONLINER: usize = 5;

/// Samples a second of Opus's RTP clock (RFC 7587 section 4.1).
pub const RTP_HZ: u64 = 48_000;

/// Samples of the usual Opus frame of 20 ms: the least step of a timestamp at a switch.
pub const FRAME_SAMPLES: u32 = 960;

/// Longest Opus packet in samples: 120 ms (RFC 6716 section 3.4, R5). Longer: malformed.
pub const OPUS_PACKET_SAMPLES: u32 = 5_760;

/// Longest frame in bytes that an Opus packet can hold (RFC 6716 section 3.4, R2). Longer:
/// malformed.
pub const OPUS_FRAME_BYTES: usize = 1_275;

/// A frame of at most so many bytes holds no voice. DTX leaves none or one, which a decoder takes
/// for a frame that is missing; `ff fe`, behind the TOC `f8`, is the silence that clients send when
/// muted. Two bytes in 20 ms are 800 bit/s: the least that Opus speaks at is 6 kbit/s.
pub const SILENT_FRAME_BYTES: usize = 2;

/// Voice before talking has begun, and before voice counts at all: three 20 ms frames. Less is a
/// click, a stroke of a key, a cough; a dip takes back as much as it is long.
pub const TALKING_BEGAN: Duration = Duration::from_millis(60);

/// Most voice that is counted: a dip up to the half of it does not break a spurt.
pub const TALKING_COUNTED: Duration = Duration::from_millis(120);

/// All voice that makes talking begin came within this time; what is older counts no more.
pub const TALKING_BEGAN_WITHIN: Duration = Duration::from_secs(1);

/// Time without voice before talking has ceased: longer than the pauses inside a sentence.
pub const TALKING_CEASED: Duration = Duration::from_millis(800);

/// Time without any packet that is silence, not jitter: voice before it is not counted on.
/// Also how long the newest packet's level stands for now.
pub const TALKING_GAP: Duration = Duration::from_millis(200);

// What follows is tuned by measurement: tests/speech/README.md.

/// How much louder than the noise voice begins, in dB: above the swing of a steady noise, and of
/// most of a babble (at 8 dB one talks five times as long).
pub const VOICE_BEGINS_ABOVE_NOISE_DB: u8 = 10;

/// How much louder than the noise voice goes on, in dB: the ends of words are quieter.
pub const VOICE_GOES_ON_ABOVE_NOISE_DB: u8 = 5;

/// Noise is never taken for quieter than this, in -dBov: a quiet room is not a reason to hear
/// breath. So voice begins at 55 at the quietest.
pub const NOISE_QUIETEST_DBOV: u8 = 65;

/// Noise is never taken for louder than this, in -dBov. So voice begins at 20 at the latest, and
/// that loud counts even where the sender's encoder found no voice.
pub const NOISE_LOUDEST_DBOV: u8 = 30;

/// How fast the noise is believed to rise, in dB a second: slower than any sentence between two
/// of its pauses.
pub const NOISE_RISES_DB: u8 = 3;

/// The same, in dB a second, where the sender's encoder says that there is no voice.
pub const NOISE_RISES_VOICELESS_DB: u8 = 20;

/// In this time of a quieter level the noise is believed to be that quiet: a few frames, so that
/// one dip of a babble does not count.
pub const NOISE_FALLS: Duration = Duration::from_millis(80);

// What is recorded.

/// How long a recorded packet waits for one that it overtook: longer than any path reorders.
/// Beyond: the missing one is concealed, and late where it still comes.
pub const AXIS_REORDER_WAIT: Duration = Duration::from_millis(120);

/// Packets of one voice that wait so, a second of the shortest usual ones. Beyond: no more waiting.
pub const AXIS_WAITING_MAX: usize = 100;

/// How far a timestamp may lie behind the time its packet came at: a network that stalled. Beyond:
/// the sender's timestamps stood still, and the axis begins anew.
pub const AXIS_BEHIND_MAX: Duration = Duration::from_secs(5);

/// How far a timestamp may lie ahead, after packets that were delayed. Beyond: the sender set them
/// anew.
pub const AXIS_AHEAD_MAX: Duration = Duration::from_secs(5);

/// The same over a mute, in either direction: clients may let timestamps stand still meanwhile.
pub const UNMUTE_SLIP_MAX: Duration = Duration::from_millis(100);

/// A gap is filled in steps of Opus's shortest frame, 2.5 ms (RFC 7845 section 4.1).
pub const FILL_STEP_SAMPLES: u64 = 120;

/// So much of a loss the decoder conceals, 200 ms; then it has faded out, and silence follows.
pub const CONCEALED_LOST_SAMPLES: u64 = 9_600;

/// So much of an unsent stretch it fills with the noise it learnt, 500 ms: DTX renews it each
/// 400 ms.
pub const CONCEALED_DTX_SAMPLES: u64 = 24_000;

/// Of so long the least delayed packet tells the sender's clock: 250 packets, of which one was
/// hardly delayed.
pub const CLOCK_WINDOW: Duration = Duration::from_secs(5);

/// How fast two clocks may part, in ppm: crystals are good for 100 each, and a half more.
pub const CLOCK_SLOPE_PPM: i64 = 300;

/// Less than so much nobody corrects: 1 ms.
pub const PLACE_SLACK_SAMPLES: u64 = 48;

/// How far a voice that does not pause may drift before it is cut: 10 ms.
pub const PLACE_CUT_SAMPLES: u64 = 480;

/// The most that a cut blends over, 40 ms. Beyond: silence, or left out.
pub const PLACE_BLEND_SAMPLES: u64 = 1_920;

/// Between two clocks of one voice that begin anew: a device change or two. More often: the former
/// one goes on, or a sender could fill the timeline with them.
pub const ANEW_INTERVAL: Duration = Duration::from_secs(1);

/// So much later than before, in microseconds, over a whole [`CLOCK_WINDOW`], is no network's
/// delay: the microphone stood still.
pub const STOOD_STILL_US: i64 = 300_000;
