//! The listening side of a peer: a task for every remote track carries its packets to one ear.

use std::sync::{Arc, Weak};

use rtc::rtp::Packet;
use rtc::rtp_transceiver::RTCRtpTransceiverId;
use tokio::sync::mpsc;
use webrtc::error::Result as RtcResult;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::PeerConnection;
use webrtc::rtp_transceiver::RTCRtpReceiverId;

/// A packet that arrived in the section `mid`.
#[derive(Debug, Clone)]
pub struct Heard {
    pub mid: String,
    pub packet: Packet,
}

/// Gives every remote track a task that carries its packets to `ears`.
pub(super) async fn listen(
    connection: Weak<dyn PeerConnection>,
    mut opened: mpsc::Receiver<Arc<dyn TrackRemote>>,
    ears: mpsc::Sender<Heard>,
) {
    while let Some(track) = opened.recv().await {
        tokio::spawn(carry(Weak::clone(&connection), track, ears.clone()));
    }
}

async fn carry(
    connection: Weak<dyn PeerConnection>,
    track: Arc<dyn TrackRemote>,
    ears: mpsc::Sender<Heard>,
) {
    let mut mid = None;
    while let Some(event) = track.poll().await {
        match event {
            TrackRemoteEvent::OnOpen(init) => {
                mid = mid_of(&connection, init.receiver_id).await.ok()
            }
            TrackRemoteEvent::OnRtpPacket(packet) => {
                let Some(mid) = mid.clone().flatten() else {
                    continue;
                };
                // Nobody listens, or not fast enough: a packet lost, as on any network.
                let _ = ears.try_send(Heard { mid, packet });
            }
            _ => {}
        }
    }
}

async fn mid_of(
    connection: &Weak<dyn PeerConnection>,
    receiver: RTCRtpReceiverId,
) -> RtcResult<Option<String>> {
    let Some(connection) = connection.upgrade() else {
        return Ok(None);
    };
    let id: RTCRtpTransceiverId = receiver.into();
    for transceiver in connection.get_transceivers().await {
        if transceiver.id() == id {
            return transceiver.mid().await;
        }
    }
    Ok(None)
}
