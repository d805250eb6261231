//! The words of a section: its name, kind, protocol, direction and codec.
//! Plain values; which of them are acceptable is decided in `section.rs` and `parse.rs`.

use std::fmt;

/// Name of a section, at most 16 token characters, so that it fits the one-byte header extension
/// of every packet (RFC 9143 section 15, RFC 8285 section 4.2). Empty where a client with a single
/// section gave none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Mid {
    /// Zero behind the text, so that equal texts are equal values.
    text: [u8; Self::BYTES_MAX],
    len: u8,
}

impl Mid {
    /// Longest element of a one-byte header extension (RFC 8285 section 4.2).
    pub const BYTES_MAX: usize = 16;

    /// The mid of this text; `None` unless it is 1 to 16 token characters.
    pub fn new(text: &str) -> Option<Self> {
        let mut mid = Self { text: [0; Self::BYTES_MAX], len: u8::try_from(text.len()).ok()? };
        mid.text.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        is_token(text).then_some(mid)
    }

    /// The text, as it stands in a=mid.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("a mid is made of ASCII only")
    }

    /// The text, as it stands in the header extension of a packet.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    /// The client gave no mid.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mid({:?})", self.as_str())
    }
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a section carries (RFC 8866 section 5.14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// A voice.
    Audio,
    /// Anything else, always refused; a token.
    Other(String),
}

impl Media {
    /// The first word of the m= line.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Other(name) => name,
        }
    }
}

/// The protocol of an m= line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proto {
    /// DTLS-SRTP with feedback; what every browser writes (RFC 5764 section 8).
    UdpTlsRtpSavpf,
    /// The same, written by clients whose default candidate is TCP (RFC 7850 section 3.4).
    TcpTlsRtpSavpf,
    /// Anything else, always refused; tokens with slashes between them.
    Other(String),
}

impl Proto {
    /// The third word of the m= line.
    pub fn as_str(&self) -> &str {
        match self {
            Self::UdpTlsRtpSavpf => "UDP/TLS/RTP/SAVPF",
            Self::TcpTlsRtpSavpf => "TCP/TLS/RTP/SAVPF",
            Self::Other(proto) => proto,
        }
    }
}

/// Which way voice flows in a section, from the writer's side (RFC 8866 section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both ways; what holds when nothing is written.
    #[default]
    SendRecv,
    /// The writer sends.
    SendOnly,
    /// The writer receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// The direction of this attribute name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    /// The attribute's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The writer sends in this section.
    pub fn is_sending(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// The writer listens in this section.
    pub fn is_receiving(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow as the other side writes it.
    pub fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::SendRecv | Self::Inactive => self,
        }
    }
}

/// How a client wants Opus (RFC 7587 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opus {
    /// Its payload type, 0 to 63 or 96 to 127.
    pub payload_type: u8,
    /// The client can do without packets in silence.
    pub usedtx: bool,
    /// The longest packet that it takes, in ms (a=maxptime, RFC 8866 section 6.4): 120 where it
    /// does not say (RFC 7587 section 6.1).
    pub maxptime_ms: u32,
}

/// Characters of one SDP word (RFC 8866 section 9, `token`).
pub(super) fn is_token(text: &str) -> bool {
    let is_token_char =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_char)
}
