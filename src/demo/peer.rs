//! One WebRTC connection of a demo person or a test client, on the `webrtc` crate: Opus both ways,
//! with the audio level (RFC 6464) and MID (RFC 9143) in every packet. Knows no signalling.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionEventHandler, RTCIceConnectionState, RTCIceGatheringState,
    RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription,
};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit, RtpSender};

use super::client::ClientError;
use super::hearing::{Heard, listen};
use super::mouth::{Mouth, random_u32};
use super::stack::{connection, voice_track};

/// The m=audio sections of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sections {
    /// One, sendrecv.
    One,
    /// One, sendrecv, and so many recvonly behind it.
    Ahead(usize),
}

/// What a peer tells its owner, both bounded. Whoever drops `heard` hears nothing and loses
/// nothing else.
#[derive(Debug)]
pub struct Outlets {
    pub heard: mpsc::Receiver<Heard>,
    /// Local candidates as they are found; closes after the last one.
    pub candidates: mpsc::Receiver<String>,
}

/// A connection that offers, and answers later offers.
pub struct Peer {
    connection: Arc<dyn PeerConnection>,
    sender: Arc<dyn RtpSender>,
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    link: watch::Receiver<RTCPeerConnectionState>,
    path: watch::Receiver<bool>,
    gathering: watch::Receiver<bool>,
    runtime: Handle,
}

impl Peer {
    /// A connection with a socket on `local`, of which nothing is sent yet.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn new(local: IpAddr, sections: Sections) -> Result<(Self, Outlets), ClientError> {
        let (ears, heard) = mpsc::channel(MAX_HEARD);
        let (found, candidates) = mpsc::channel(MAX_CANDIDATES);
        let (tracks, opened) = mpsc::channel(MAX_TRACKS);
        let (link_is, link) = watch::channel(RTCPeerConnectionState::New);
        let (has_path, path) = watch::channel(false);
        let (is_gathered, gathering) = watch::channel(false);
        let found = Mutex::new(Some(found));
        let handler = Arc::new(Handler { tracks, found, link_is, has_path, is_gathered });
        let connection = connection(local, handler).await?;
        tokio::spawn(listen(Arc::downgrade(&connection), opened, ears));

        let ssrc = random_u32();
        let track = Arc::new(TrackLocalStaticRTP::new(voice_track(ssrc)));
        let sender = connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await?;
        if let Sections::Ahead(more) = sections {
            for _ in 0..more {
                let direction = RTCRtpTransceiverDirection::Recvonly;
                let init = RTCRtpTransceiverInit { direction, ..Default::default() };
                connection.add_transceiver_from_kind(RtpCodecKind::Audio, Some(init)).await?;
            }
        }
        let runtime = Handle::current();
        let peer = Self { connection, sender, track, ssrc, link, path, gathering, runtime };
        Ok((peer, Outlets { heard, candidates }))
    }

    /// The SDP of an offer without candidates: they come out of `Outlets::candidates`.
    pub async fn offer_trickling(&self) -> Result<String, ClientError> {
        let offer = self.connection.create_offer(None).await?;
        let sdp = offer.sdp.clone();
        self.connection.set_local_description(offer).await?;
        Ok(sdp)
    }

    /// The SDP of an offer with all its candidates.
    pub async fn offer(&self) -> Result<String, ClientError> {
        self.offer_trickling().await?;
        self.gathered_description().await
    }

    /// Takes the answer to the last offer.
    pub async fn accept(&self, answer: &str) -> Result<(), ClientError> {
        let answer = RTCSessionDescription::answer(answer.to_owned())?;
        Ok(self.connection.set_remote_description(answer).await?)
    }

    /// Takes the server's offer of more sections; the SDP of the answer to it.
    pub async fn answer(&self, offer: &str) -> Result<String, ClientError> {
        let offer = RTCSessionDescription::offer(offer.to_owned())?;
        self.connection.set_remote_description(offer).await?;
        let answer = self.connection.create_answer(None).await?;
        self.connection.set_local_description(answer).await?;
        self.gathered_description().await
    }

    /// Waits until the server has answered a check: ICE is done, DTLS may not be.
    ///
    /// # Errors
    /// The connection itself is gone.
    pub async fn reached(&self) -> Result<(), ClientError> {
        let mut path = self.path.clone();
        path.wait_for(|has_path| *has_path).await.map(drop).map_err(|_| ClientError::LinkFailed)
    }

    /// Waits until ICE and DTLS are done, and returns the means to speak.
    ///
    /// # Errors
    /// The connection failed, was closed, or took longer than ten seconds.
    pub async fn connected(&self) -> Result<Mouth, ClientError> {
        let mut link = self.link.clone();
        let is_decided = |state: &RTCPeerConnectionState| {
            use RTCPeerConnectionState::{Closed, Connected, Failed};
            matches!(state, Connected | Failed | Closed)
        };
        let decided = timeout(CONNECT_WITHIN, link.wait_for(is_decided)).await;
        match decided.map_err(|_| ClientError::TimedOut("ICE and DTLS"))? {
            Ok(state) if *state == RTCPeerConnectionState::Connected => {}
            Ok(_) | Err(_) => return Err(ClientError::LinkFailed),
        }
        let mid = self.own_mid().await?;
        let parameters = self.sender.get_parameters().await?.rtp_parameters;
        Mouth::new(Arc::clone(&self.track), self.ssrc, &parameters, &mid)
    }

    /// Waits until the connection is lost for good, by failure or by `close`.
    pub async fn lost(&self) {
        let mut link = self.link.clone();
        let is_lost = |state: &RTCPeerConnectionState| {
            matches!(state, RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed)
        };
        // An error means that the connection itself is gone.
        let _ = link.wait_for(is_lost).await;
    }

    /// Ends the connection; the other side is told.
    pub async fn close(&self) -> Result<(), ClientError> {
        Ok(self.connection.close().await?)
    }

    async fn gathered_description(&self) -> Result<String, ClientError> {
        let mut gathering = self.gathering.clone();
        let gathered = timeout(GATHER_WITHIN, gathering.wait_for(|is_done| *is_done)).await;
        gathered
            .map_err(|_| ClientError::TimedOut("candidates"))?
            .map_err(|_| ClientError::LinkFailed)?;
        let description = self.connection.local_description().await;
        Ok(description.ok_or(ClientError::LinkFailed)?.sdp)
    }

    async fn own_mid(&self) -> Result<String, ClientError> {
        for transceiver in self.connection.get_transceivers().await {
            let sender = transceiver.sender().await?;
            if sender.is_some_and(|sender| sender.id() == self.sender.id()) {
                return transceiver.mid().await?.ok_or(ClientError::LinkFailed);
            }
        }
        Err(ClientError::LinkFailed)
    }
}

impl Drop for Peer {
    /// The crate's connection lives on, and answers checks, until it is closed.
    fn drop(&mut self) {
        if *self.link.borrow() != RTCPeerConnectionState::Closed {
            let connection = Arc::clone(&self.connection);
            self.runtime.spawn(async move { connection.close().await });
        }
    }
}

struct Handler {
    tracks: mpsc::Sender<Arc<dyn TrackRemote>>,
    found: Mutex<Option<mpsc::Sender<String>>>,
    link_is: watch::Sender<RTCPeerConnectionState>,
    has_path: watch::Sender<bool>,
    is_gathered: watch::Sender<bool>,
}

impl Handler {
    fn found(&self) -> MutexGuard<'_, Option<mpsc::Sender<String>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let Ok(candidate) = event.candidate.to_json() else {
            return;
        };
        if let Some(found) = &*self.found() {
            // A host with more addresses than fit here is reached by the first ones.
            let _ = found.try_send(candidate.candidate);
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.found().take();
            self.is_gathered.send_replace(true);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        use RTCIceConnectionState::{Completed, Connected};
        self.has_path.send_replace(matches!(state, Connected | Completed));
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.link_is.send_replace(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        // One track a section, and sections are bounded by the server's `slots_max`.
        let _ = self.tracks.try_send(track);
    }
}

/// A host has its candidates at once; only name resolution could make this long.
const GATHER_WITHIN: Duration = Duration::from_secs(5);
/// The time in which a correct client must be able to join, twice (DESIGN.md section 8).
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Five seconds of one voice.
const MAX_HEARD: usize = 256;
/// More than a message may carry (PROTOCOL.md section 5).
const MAX_CANDIDATES: usize = 64;
/// More than the sections of any offer (PROTOCOL.md section 5).
const MAX_TRACKS: usize = 64;
