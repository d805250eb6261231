//! How a client speaks: Opus frames into RTP packets with level, MID, marker and clock.
//! Knows no timing: the caller says at which frame of the clock each one stands.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use rtc::rtp::{Header, Packet};
use rtc::rtp_transceiver::rtp_sender::RTCRtpParameters;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use super::client::ClientError;
use super::voice::{FRAME_SAMPLES, Frame};

/// Audio level of a packet (RFC 6464).
pub const LEVEL_URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// Which section a packet belongs to (RFC 9143 section 15).
pub const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// The sending side of a connected peer.
pub struct Mouth {
    track: Arc<TrackLocalStaticRTP>,
    /// Of the next packet, without its extensions of the frame.
    header: Header,
    level_id: Option<u8>,
    /// Timestamp of frame 0: random (RFC 3550 section 5.1).
    epoch: u32,
}

impl Mouth {
    pub(super) fn new(
        track: Arc<TrackLocalStaticRTP>,
        ssrc: u32,
        negotiated: &RTCRtpParameters,
        mid: &str,
    ) -> Result<Self, ClientError> {
        let codec = negotiated.codecs.first().ok_or(ClientError::NoOpus)?;
        let id_of = |uri: &str| {
            let mut all = negotiated.header_extensions.iter();
            all.find(|extension| extension.uri == uri)
                .and_then(|extension| extension.id.try_into().ok())
        };
        let mut header = Header {
            version: 2,
            payload_type: codec.payload_type,
            // Below 2^15, so that the first wrap is far away (RFC 3711 section 3.3.1).
            sequence_number: (random_u32() >> 17) as u16,
            ssrc,
            ..Default::default()
        };
        if let Some(id) = id_of(MID_URI) {
            header.set_extension(id, Bytes::copy_from_slice(mid.as_bytes()))?;
        }
        Ok(Self { track, header, level_id: id_of(LEVEL_URI), epoch: random_u32() })
    }

    /// Sends one frame, which stands at frame number `now` of the speaker's clock. A frame that
    /// `begins` a talk spurt gets the marker.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn say(&mut self, frame: &Frame, now: u64) -> Result<(), ClientError> {
        let mut header = self.header.clone();
        // The RTP clock wraps (RFC 3550 section 5.1), so the high bits go.
        header.timestamp = self.epoch.wrapping_add((now as u32).wrapping_mul(FRAME_SAMPLES));
        header.marker = frame.begins;
        if let Some(id) = self.level_id {
            let level = VOICE_FLAG | frame.level_dbov;
            header.set_extension(id, Bytes::copy_from_slice(&[level]))?;
        }
        self.header.sequence_number = self.header.sequence_number.wrapping_add(1);
        let packet = Packet { header, payload: frame.opus.clone() };
        Ok(self.track.write_rtp(packet).await?)
    }
}

/// Random enough for an SSRC: the standard library seeds every hasher anew.
pub(super) fn random_u32() -> u32 {
    RandomState::new().build_hasher().finish() as u32
}

/// All that the demo and the tests send is meant to be heard (RFC 6464 section 3).
const VOICE_FLAG: u8 = 0x80;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::demo::hearing::Heard;
    use crate::demo::peer::{Outlets, Peer, Sections};
    use crate::demo::voice::Conversation;

    /// Two peers with a connection between them; what the second one hears.
    async fn pair(local: IpAddr) -> (Peer, Peer, Outlets) {
        let (speaker, _) = Peer::new(local, Sections::Ahead(1)).await.unwrap();
        let (listener, outlets) = Peer::new(local, Sections::One).await.unwrap();
        let answer = listener.answer(&speaker.offer().await.unwrap()).await.unwrap();
        speaker.accept(&answer).await.unwrap();
        (speaker, listener, outlets)
    }

    async fn first_heard(local: IpAddr, from: u64, frames: u64) -> Vec<Heard> {
        let (speaker, listener, mut outlets) = pair(local).await;
        let mut mouth = speaker.connected().await.unwrap();
        listener.connected().await.unwrap();
        let talk = Conversation::load(3).unwrap();
        for now in from..from + frames {
            mouth.say(talk.frame(0, now).unwrap(), now).await.unwrap();
        }
        let mut heard = Vec::new();
        while heard.len() < usize::try_from(frames).unwrap() {
            heard.push(outlets.heard.recv().await.unwrap());
        }
        speaker.close().await.unwrap();
        heard
    }

    #[tokio::test]
    async fn frame_arrives_with_its_level_mid_marker_and_clock() {
        let heard = first_heard(Ipv4Addr::LOCALHOST.into(), 0, 20).await;
        let talk = Conversation::load(3).unwrap();
        let first = &heard[0].packet.header;
        for (now, Heard { mid, packet }) in (0_u16..).zip(&heard) {
            let frame = talk.frame(0, u64::from(now)).unwrap();
            let header = &packet.header;
            assert_eq!(mid, "0");
            assert_eq!(packet.payload, frame.opus);
            assert_eq!(header.marker, now == 0);
            assert_eq!(header.sequence_number, first.sequence_number.wrapping_add(now));
            let clock = u32::from(now) * FRAME_SAMPLES;
            assert_eq!(header.timestamp, first.timestamp.wrapping_add(clock));
            // Ids as this module's peer offers them: level first.
            assert_eq!(header.get_extension(1).unwrap()[0], VOICE_FLAG | frame.level_dbov);
            assert_eq!(header.get_extension(2).unwrap()[..], *b"0");
        }
    }

    #[tokio::test]
    async fn peers_hear_each_other_over_ipv6() {
        let heard = first_heard(Ipv6Addr::LOCALHOST.into(), 5, 1).await;
        assert!(!heard[0].packet.header.marker);
    }
}
