//! The SSRCs of one direction that have authenticated, each with its replay window.

use super::OpenError;
use super::window::Window;

/// SSRCs that a leg may use for RTP, and as many for RTCP. A browser sends one for its voice and
/// one more after a change of track; a leg that hops through them is refused, because to forget
/// one would let its old packets pass again.
pub const SSRCS_MAX: usize = 4;

/// The known SSRCs. Takes no heap before the first one is admitted.
#[derive(Default)]
pub(super) struct Streams(Vec<Stream>);

struct Stream {
    ssrc: u32,
    window: Window,
}

impl Streams {
    /// The index of a packet, by what is known of its SSRC; rollover 0 if nothing is.
    pub fn estimate(&self, ssrc: u32, sequence: u16) -> u64 {
        let known = self.0.iter().find(|stream| stream.ssrc == ssrc);
        known.map_or(u64::from(sequence), |stream| stream.window.estimate(sequence))
    }

    /// Notes an authentic packet.
    ///
    /// # Errors
    /// [`OpenError::Replayed`] if it was there before or is too old to tell,
    /// [`OpenError::TooManySsrcs`] if its SSRC is new and there are [`SSRCS_MAX`].
    pub fn admit(&mut self, ssrc: u32, index: u64) -> Result<(), OpenError> {
        if let Some(stream) = self.0.iter_mut().find(|stream| stream.ssrc == ssrc) {
            return if stream.window.note(index) { Ok(()) } else { Err(OpenError::Replayed) };
        }
        if self.0.len() >= SSRCS_MAX {
            return Err(OpenError::TooManySsrcs);
        }
        self.0.reserve_exact(1);
        self.0.push(Stream { ssrc, window: Window::starting_at(index) });
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}
