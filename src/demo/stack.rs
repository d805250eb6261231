//! How the `webrtc` crate is set up: Opus and nothing else, two header extensions, one socket, no
//! mDNS and no STUN server, so that nothing is sent but to the server.

use std::net::IpAddr;
use std::sync::Arc;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, Registry,
    SettingEngineBuilder, configure_rtcp_reports,
};

use super::client::ClientError;
use super::mouth::{LEVEL_URI, MID_URI};

/// A connection with one UDP socket on `local`.
pub(super) async fn connection(
    local: IpAddr,
    handler: Arc<dyn PeerConnectionEventHandler>,
) -> Result<Arc<dyn PeerConnection>, ClientError> {
    let mut media = MediaEngine::default();
    let opus = RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OFFERED_TYPE };
    media.register_codec(opus, RtpCodecKind::Audio)?;
    for uri in [LEVEL_URI, MID_URI] {
        let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
        media.register_header_extension(extension, RtpCodecKind::Audio, None)?;
    }
    let settings = SettingEngineBuilder::new()
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_setting_engine(settings)
        .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
        .with_handler(handler)
        .with_udp_addrs(vec![(local, 0)])
        .build()
        .await?;
    Ok(Arc::new(connection))
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: "audio/opus".to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

/// The one track that a client sends.
pub(super) fn voice_track(ssrc: u32) -> MediaStreamTrack {
    let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: coding,
        codec: opus(),
        ..Default::default()
    };
    let name = "voice".to_owned();
    MediaStreamTrack::new(name.clone(), name.clone(), name, RtpCodecKind::Audio, vec![encoding])
}

/// As browsers have it; what the answer says is what is sent.
const OFFERED_TYPE: u8 = 111;
