//! Answers of `GET .../calls/{uid}/legs`: "why can't I hear", for people and operators.

use serde::Serialize;

/// Every leg of a call, as one reader may see them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LegsView {
    pub jid: String,
    pub uid: String,
    pub legs: Vec<LegView>,
}

/// One device's media connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LegView {
    pub jid: String,
    pub display_name: String,
    /// Whether it is the reader's.
    pub own: bool,
    #[serde(flatten)]
    pub figures: LegFigures,
    pub muted: bool,
    /// Who muted him, himself included; `""` where nobody did.
    pub muted_by: String,
    pub verdict: Verdict,
}

/// How a leg does, whoever asks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LegFigures {
    pub useragent: String,
    /// `connecting`, `connected` or `lost`.
    pub link: &'static str,
    /// Whether it offers a voice at all.
    pub sends: bool,
    pub talking: bool,
    /// Of the newest packet, RFC 6464; `null` where none came lately.
    pub level: Option<u8>,
    /// Voice packets that came to the server.
    pub packets_in: u64,
    /// Since the last of them; `null` where none came.
    pub last_packet_ms: Option<u64>,
    /// Lost on the way to the server in the last second.
    pub loss_in_percent: f32,
    /// `null` until a check has proved an address.
    pub path: Option<PathView>,
    /// Milliseconds of the packets that it hears, where those are longer than they came: so much
    /// later it may hear. Only while there is such a delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle_ms: Option<u64>,
    pub slots: Vec<SlotView>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathView {
    pub protocol: &'static str,
    pub local: String,
    /// `""` for other people's legs.
    pub remote: String,
}

/// A section in which the leg hears.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlotView {
    pub mid: String,
    /// Who is heard there; `""` where nobody is.
    pub jid: String,
    pub packets_out: u32,
    /// As the listener last reported it.
    pub loss_percent: f32,
}

/// Why the reader hears a leg, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The reader's own.
    Own,
    /// It has no connection at present.
    NotConnected,
    Muted,
    /// It offers no voice.
    NoMicrophone,
    /// Nothing came of it in the last two seconds.
    NoPackets,
    /// Others hold the reader's slots.
    NoSlot,
    /// It sends silence.
    Silent,
    Heard,
}
