//! The sections and keys, their types and their defaults. Where a key's unit is not in its type,
//! it ends the key's name; `config/default.toml` says why a default is what it is.

use std::fmt;
use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU16, NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::admin::Admin;
use super::archive::Archive;
use super::clients::{Clients, Turn};
use super::core::Core;
use super::http::Http;
use super::probe::Probe;
use super::record::Record;
use super::trace::Trace;
use crate::limits::{OFFERS_BURST, OFFERS_PER_S};
use crate::telemetry::Redacted;

/// Everything an operator can choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub http: Http,
    pub media: Media,
    pub data: Data,
    pub core: Core,
    pub clients: Clients,
    pub turn: Turn,
    pub call: Call,
    pub signal: Signal,
    pub sdp: Sdp,
    pub record: Record,
    pub archive: Archive,
    pub probe: Probe,
    pub admin: Admin,
    pub features: Features,
    pub log: Log,
    pub trace: Trace,
}

/// UDP media.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// Addresses told to clients; empty = see [`super::advertised`].
    pub ip: Vec<IpAddr>,
    /// Addresses the workers' sockets are bound to; empty = both families, dual stack.
    pub bind: Vec<IpAddr>,
    /// Worker `n` (from 0) listens on `port + n`; 0 = each takes any free port.
    pub port: u16,
    pub workers: Workers,
    /// From so many listeners of a call on, those who do not talk hear packets of 40 ms; 0 = never.
    pub bundle_40ms_from: u32,
    /// From so many on of 60 ms, while their worker is busy; 0 = never.
    pub bundle_60ms_from: u32,
    /// How busy: CPU of the worker's thread, 0..=100.
    pub bundle_60ms_busy_percent: u8,
    /// A listener who reports more loss than this hears packets as they came, 0..=100.
    pub bundle_loss_percent: u8,
}

/// How many media workers run: in the file a number, 0 = one a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    PerCore,
    Exactly(NonZeroU16),
}

/// What is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    pub dir: PathBuf,
}

/// The rules of a call (PROTOCOL section 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Call {
    /// Voices a leg can be sent at once, 1..=64.
    pub slots_max: NonZeroU8,
    /// Onliners in one call.
    pub max_participants: NonZeroU32,
    /// A second device of a person puts the first one out of the call.
    pub only_one_device: bool,
    #[serde(rename = "buzz_timeout_s", with = "seconds")]
    pub buzz_timeout: Duration,
    /// Silence of an onliner's media after which the others see him as lost.
    #[serde(rename = "media_lost_shown_s", with = "seconds")]
    pub media_lost_shown: Duration,
    /// Silence of an onliner's media after which he is removed.
    #[serde(rename = "media_lost_removed_s", with = "seconds")]
    pub media_lost_removed: Duration,
    /// How long a leg lives on without its socket while its media is alive.
    #[serde(rename = "socketless_max_s", with = "seconds")]
    pub socketless_max: Duration,
    /// How long a server that stops waits for its calls to end by themselves.
    #[serde(rename = "drain_s", with = "seconds")]
    pub drain: Duration,
}

/// The WebSocket's limits and habits (PROTOCOL sections 1 and 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signal {
    /// Largest message of a client.
    pub message_bytes: NonZeroUsize,
    pub messages_per_s: NonZeroU32,
    pub messages_burst: NonZeroU32,
    /// Offers of one device.
    pub offers_per_s: NonZeroU32,
    pub offers_burst: NonZeroU32,
    pub sockets_per_user: NonZeroUsize,
    /// After this time without a confirm a client sends its event again.
    #[serde(rename = "resend_timeout_s", with = "seconds")]
    pub resend_timeout: Duration,
    /// The form of our answers for sockets that do not ask for one.
    pub default_answer: Answer,
    /// Clients are told which certificate we saw of them.
    pub check_fingerprint: bool,
}

/// Which of the twin events carries the answer to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// `server.call.sdp`
    Sdp,
    /// `server.call.answer`, for old clients.
    Answer,
}

/// Limits of a session description, checked before it is parsed. Sections: `slots_max` + 8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sdp {
    pub bytes: NonZeroUsize,
    pub lines: NonZeroUsize,
    pub line_bytes: NonZeroUsize,
    /// Formats (payload types) of one section.
    pub formats: NonZeroUsize,
    /// Header extensions of one section.
    pub extmaps: NonZeroUsize,
    /// Candidates of one ICE generation, trickled ones included.
    pub candidates: NonZeroUsize,
}

/// What `/features.json` tells clients beside what other sections already say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Features {
    pub ice_servers: Vec<IceServer>,
    pub ice_transport_policy: IceTransportPolicy,
    /// Calls are offered to mobile applications too.
    pub mobile_calls: bool,
}

/// A STUN or TURN server for clients; we ourselves need none.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// One URL, such as `stun:stun.example.org:3478`.
    pub urls: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Which candidates clients may use (W3C WebRTC, `RTCIceTransportPolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceTransportPolicy {
    All,
    Relay,
}

/// Logs, on stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

/// The least urgent kind of line that is still written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// For a person or for a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Workers {
    /// The number of media workers on this machine.
    pub fn count(self) -> NonZeroU16 {
        match self {
            Self::Exactly(count) => count,
            Self::PerCore => thread::available_parallelism()
                .ok()
                .and_then(|cores| NonZeroU16::try_from(cores).ok())
                .unwrap_or(NonZeroU16::MIN),
        }
    }
}

impl Media {
    /// The port of worker `index` (from 0); 0 = any free one.
    pub fn worker_port(&self, index: u16) -> u16 {
        if self.port == 0 { 0 } else { self.port.saturating_add(index) }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            ip: Vec::new(),
            bind: Vec::new(),
            port: 7880,
            workers: Workers::PerCore,
            bundle_40ms_from: 500,
            bundle_60ms_from: 1_000,
            bundle_60ms_busy_percent: 60,
            bundle_loss_percent: 5,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: PathBuf::from("./data") }
    }
}

impl Default for Call {
    fn default() -> Self {
        Self {
            slots_max: const { NonZeroU8::new(8).expect("8 is not 0") },
            max_participants: const { NonZeroU32::new(1_000).expect("1,000 is not 0") },
            only_one_device: true,
            buzz_timeout: Duration::from_secs(60),
            media_lost_shown: Duration::from_secs(10),
            media_lost_removed: Duration::from_secs(40),
            socketless_max: Duration::from_secs(600),
            drain: Duration::from_secs(5),
        }
    }
}

impl Default for Signal {
    fn default() -> Self {
        Self {
            message_bytes: count(64 * 1024),
            messages_per_s: const { NonZeroU32::new(20).expect("20 is not 0") },
            messages_burst: const { NonZeroU32::new(50).expect("50 is not 0") },
            offers_per_s: number(OFFERS_PER_S),
            offers_burst: number(OFFERS_BURST),
            sockets_per_user: count(5),
            resend_timeout: Duration::from_secs(10),
            default_answer: Answer::Sdp,
            check_fingerprint: false,
        }
    }
}

impl Default for Sdp {
    fn default() -> Self {
        Self {
            bytes: count(32 * 1024),
            lines: count(1_000),
            line_bytes: count(2_048),
            formats: count(64),
            extmaps: count(32),
            candidates: count(64),
        }
    }
}

impl Default for Features {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            ice_transport_policy: IceTransportPolicy::All,
            mobile_calls: true,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .field("credential", &self.credential.as_ref().map(Redacted))
            .finish()
    }
}

impl Serialize for Workers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::PerCore => serializer.serialize_u16(0),
            Self::Exactly(count) => serializer.serialize_u16(count.get()),
        }
    }
}

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer)
            .map(|count| NonZeroU16::new(count).map_or(Self::PerCore, Self::Exactly))
    }
}

pub(super) const fn number(limit: u32) -> NonZeroU32 {
    NonZeroU32::new(limit).expect("defaults are not 0")
}

/// A default of a limit, which is never 0.
pub(super) const fn count(limit: usize) -> NonZeroUsize {
    NonZeroUsize::new(limit).expect("defaults are not 0")
}

/// Whole seconds, at least 1 and at most a day: longer is a slip of the operator's.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::de::{Error, Unexpected};
    use serde::{Deserialize, Deserializer, Serializer};

    const DAY_S: u64 = 24 * 60 * 60;

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.as_secs())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        match u64::deserialize(deserializer)? {
            value @ 1..=DAY_S => Ok(Duration::from_secs(value)),
            value => {
                Err(D::Error::invalid_value(Unexpected::Unsigned(value), &"1 to 86400 seconds"))
            }
        }
    }
}
