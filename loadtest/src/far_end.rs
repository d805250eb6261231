//! The far end for tests: a str0m instance in the server's place, ICE-lite and DTLS passive.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::{Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::voice::{self, Frame};

pub struct FarEnd {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    section: Option<Mid>,
    pt: Option<Pt>,
    sent: u64,
}

impl FarEnd {
    pub fn open() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has ports");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("5 ms is not zero");
        let address = socket.local_addr().expect("it is bound");
        let mut rtc = Rtc::builder().set_ice_lite(true).set_rtp_mode(true).build(Instant::now());
        let candidate = Candidate::host(address, Protocol::Udp).expect("loopback is an address");
        rtc.add_local_candidate(candidate);
        Self { rtc, socket, address, section: None, pt: None, sent: 0 }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn answer(&mut self, offer: &str) -> String {
        let offer = SdpOffer::from_sdp_string(offer).expect("an offer of ours");
        let answer = self.rtc.sdp_api().accept_offer(offer).expect("an offer of ours");
        answer.to_sdp_string()
    }

    /// Waits for the client's next packet.
    pub fn hear(&mut self) -> Frame {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            match self.rtc.poll_output().expect("the client keeps to the protocol") {
                Output::Timeout(_) => self.wait(),
                Output::Transmit(datagram) => {
                    let sent = self.socket.send_to(&datagram.contents, datagram.destination);
                    sent.expect("loopback has room");
                }
                Output::Event(Event::MediaAdded(added)) => self.section = Some(added.mid),
                Output::Event(Event::RtpPacket(packet)) => {
                    self.pt = Some(packet.header.payload_type);
                    let mut frames = voice::heard(&packet.payload).expect("a payload of ours");
                    return frames.next().flatten().expect("a frame of ours");
                }
                Output::Event(_) => {}
            }
        }
        panic!("the client said nothing");
    }

    /// Sends a packet to the client; it leaves with the next [`FarEnd::hear`].
    pub fn speak(&mut self, frames: &[Frame]) {
        let mut api = self.rtc.direct_api();
        let section = self.section.expect("the offer had a section");
        let stream = api.stream_tx_by_mid(section, None).expect("the section is sendrecv");
        let pt = self.pt.expect("the client was heard before");
        let (seq, time) = (self.sent, self.sent as u32 * 960);
        let payload = voice::payload(frames);
        stream.write_rtp(RtpWrite::new(pt, seq.into(), time, Instant::now(), payload));
        self.sent += 1;
        self.rtc.handle_input(Input::Timeout(Instant::now())).expect("time may pass");
    }

    fn wait(&mut self) {
        let mut bytes = [0; 2048];
        let input = match self.socket.recv_from(&mut bytes) {
            Ok((len, source)) => {
                let contents = &bytes[..len];
                let receive = Receive::new(Protocol::Udp, source, self.address, contents);
                Input::Receive(Instant::now(), receive.expect("a datagram of ours"))
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
                Input::Timeout(Instant::now())
            }
        };
        self.rtc.handle_input(input).expect("the client keeps to the protocol");
    }
}
