//! Loudness of a packet as its sender claims it.

/// Loudness in -dBov: 0 is the loudest, 127 is silence (RFC 6464 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    pub const SILENCE: Level = Level(127);

    /// The low seven bits of the extension's byte; the voice bit above them says nothing
    /// (browsers always set it, others never do).
    pub const fn from_extension(byte: u8) -> Self {
        Level(byte & 0x7f)
    }

    /// -dBov, 0..=127.
    pub const fn dbov(self) -> u8 {
        self.0
    }
}
