//! What holds for every profile, whatever arrives.

use super::{Keys, MasterKey, OpenError, Opened, Opener, Profile, SSRCS_MAX, Sealer};

/// Both ends of one direction.
fn pair(profile: Profile) -> (Sealer, Opener) {
    let key = master(profile, 7);
    let sealer = Sealer::new(profile, &key).expect("derives");
    (sealer, Opener::new(profile, &key).expect("derives"))
}

fn master(profile: Profile, fill: u8) -> MasterKey {
    let key = vec![fill; profile.key_bytes()];
    MasterKey::new(profile, &key, &vec![!fill; profile.salt_bytes()]).expect("fits")
}

/// A plain RTP packet with an 8 byte extension; its header takes 20 bytes.
fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x90, 111];
    packet.extend(sequence.to_be_bytes());
    packet.extend(960_u32.wrapping_mul(u32::from(sequence)).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xbe, 0xde, 0, 1, 0x10, 0x85, 0, 0]);
    packet.extend(payload);
    packet
}

const HEADER_BYTES: usize = 20;

/// A plain receiver report with one block.
fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x81, 201, 0, 7];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x5a; 24]);
    packet
}

fn seal_rtp(sealer: &Sealer, plain: &[u8], roc: u32) -> Vec<u8> {
    let mut packet = plain.to_vec();
    packet.resize(plain.len() + sealer.profile().rtp_tag_bytes(), 0);
    assert_eq!(sealer.seal_rtp(&mut packet, HEADER_BYTES, plain.len(), roc), packet.len());
    packet
}

fn seal_rtcp(sealer: &Sealer, plain: &[u8], index: u32) -> Vec<u8> {
    let mut packet = plain.to_vec();
    packet.resize(plain.len() + sealer.profile().rtcp_overhead_bytes(), 0);
    assert_eq!(sealer.seal_rtcp(&mut packet, plain.len(), index), packet.len());
    packet
}

/// Opens a copy; the plain packet.
fn open_rtp(opener: &mut Opener, packet: &[u8]) -> Result<(Opened, Vec<u8>), OpenError> {
    let mut packet = packet.to_vec();
    let opened = opener.open_rtp(&mut packet)?;
    packet.truncate(opened.len);
    Ok((opened, packet))
}

/// Opens a copy; the plain packet.
fn open_rtcp(opener: &mut Opener, packet: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut packet = packet.to_vec();
    let len = opener.open_rtcp(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

#[test]
fn sealed_rtp_opens_to_what_it_was() {
    for profile in Profile::ALL {
        let (sealer, mut opener) = pair(profile);
        for len in 0..200_u16 {
            let plain = rtp(9, len, &vec![0xaa; usize::from(len)]);
            let sealed = seal_rtp(&sealer, &plain, 0);
            assert_eq!(sealed[..HEADER_BYTES], plain[..HEADER_BYTES]);
            assert!(len < 16 || sealed[HEADER_BYTES..plain.len()] != plain[HEADER_BYTES..]);
            let (opened, packet) = open_rtp(&mut opener, &sealed).expect("authentic");
            let index = u64::from(len);
            assert_eq!(opened, Opened { header_bytes: HEADER_BYTES, len: plain.len(), index });
            assert_eq!(packet, plain);
        }
    }
}

#[test]
fn sealed_rtcp_opens_to_what_it_was() {
    for profile in Profile::ALL {
        let (sealer, mut opener) = pair(profile);
        for index in [0, 1, 500, 400, (1 << 31) - 1] {
            let sealed = seal_rtcp(&sealer, &rtcp(3), index);
            assert_eq!(open_rtcp(&mut opener, &sealed), Ok(rtcp(3)), "{profile:?} {index}");
        }
        let bye = [0x80, 203, 0, 1, 0, 0, 0, 4];
        assert_eq!(open_rtcp(&mut opener, &seal_rtcp(&sealer, &bye, 9)), Ok(bye.to_vec()));
    }
}

#[test]
fn packet_sent_twice_is_opened_once() {
    for profile in Profile::ALL {
        let (sealer, mut opener) = pair(profile);
        for sequence in [10, 11, 15, 13, 12, 14, 2000, 1999] {
            let sealed = seal_rtp(&sealer, &rtp(1, sequence, b"voice"), 0);
            assert!(open_rtp(&mut opener, &sealed).is_ok(), "{profile:?} {sequence}");
            assert_eq!(open_rtp(&mut opener, &sealed), Err(OpenError::Replayed));
        }
        let sealed = seal_rtcp(&sealer, &rtcp(1), 77);
        assert!(open_rtcp(&mut opener, &sealed).is_ok());
        assert_eq!(open_rtcp(&mut opener, &sealed), Err(OpenError::Replayed));
    }
}

#[test]
fn packet_behind_the_window_is_refused() {
    let (sealer, mut opener) = pair(Profile::AeadAes128Gcm);
    let sealed = |sequence| seal_rtp(&sealer, &rtp(1, sequence, b"voice"), 0);
    assert!(open_rtp(&mut opener, &sealed(2000)).is_ok());
    assert!(open_rtp(&mut opener, &sealed(2000 - 1023)).is_ok());
    assert_eq!(open_rtp(&mut opener, &sealed(2000 - 1024)), Err(OpenError::Replayed));
}

/// 108,000 packets: two wraps, one in eight lost, neighbours swapped over up to 60 packets.
#[test]
fn wrap_survives_loss_and_reorder() {
    for profile in Profile::ALL {
        let (sealer, mut opener) = pair(profile);
        let mut random = Random(3);
        let mut order: Vec<u64> = (32_000..140_000).filter(|_| random.below(8) != 0).collect();
        for at in 0..order.len() - 60 {
            if random.below(4) == 0 {
                order.swap(at, at + random.below(60));
            }
        }
        for index in order {
            let sealed = seal_rtp(&sealer, &rtp(1, index as u16, b"v"), (index >> 16) as u32);
            let opened = open_rtp(&mut opener, &sealed).map(|(opened, _)| opened.index);
            assert_eq!(opened, Ok(index), "{profile:?}");
        }
    }
}

#[test]
fn late_packet_of_the_former_rollover_is_opened() {
    for profile in Profile::ALL {
        let (sealer, mut opener) = pair(profile);
        for (roc, sequence) in [(0, 30_000), (0, 60_000), (0, 65_534), (1, 1), (0, 65_535), (1, 0)]
        {
            let sealed = seal_rtp(&sealer, &rtp(1, sequence, b"voice"), roc);
            let opened = open_rtp(&mut opener, &sealed).map(|(opened, _)| opened.index);
            assert_eq!(opened, Ok(u64::from(roc) << 16 | u64::from(sequence)), "{profile:?}");
        }
        let replay = seal_rtp(&sealer, &rtp(1, 65_535, b"voice"), 0);
        assert_eq!(open_rtp(&mut opener, &replay), Err(OpenError::Replayed));
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    for profile in Profile::ALL {
        let (sealer, mut opener) = pair(profile);
        let voice = seal_rtp(&sealer, &rtp(1, 5, b"a syllable"), 0);
        let report = seal_rtcp(&sealer, &rtcp(1), 5);
        for bit in 0..8 {
            for at in 0..voice.len() {
                let mut changed = voice.clone();
                changed[at] ^= 1 << bit;
                let opened = open_rtp(&mut opener, &changed).map(|_| ());
                assert!(refused_as_foreign(opened), "{profile:?} rtp {at} {bit}");
            }
            for at in 0..report.len() {
                let mut changed = report.clone();
                changed[at] ^= 1 << bit;
                let opened = open_rtcp(&mut opener, &changed).map(|_| ());
                assert!(refused_as_foreign(opened), "{profile:?} rtcp {at} {bit}");
            }
        }
        assert_eq!(opener.ssrcs(), 0);
        assert!(open_rtp(&mut opener, &voice).is_ok());
        assert!(open_rtcp(&mut opener, &report).is_ok());
    }
}

fn refused_as_foreign(opened: Result<(), OpenError>) -> bool {
    matches!(opened, Err(OpenError::Unauthenticated | OpenError::Malformed))
}

#[test]
fn forged_packets_leave_no_state() {
    for profile in Profile::ALL {
        let (_, mut opener) = pair(profile);
        let forger = Sealer::new(profile, &master(profile, 8)).expect("derives");
        for ssrc in 0..1000 {
            let voice = seal_rtp(&forger, &rtp(ssrc, 40_000, b"voice"), 0);
            assert_eq!(open_rtp(&mut opener, &voice), Err(OpenError::Unauthenticated));
            let report = seal_rtcp(&forger, &rtcp(ssrc), 1);
            assert_eq!(open_rtcp(&mut opener, &report), Err(OpenError::Unauthenticated));
        }
        assert_eq!(opener.ssrcs(), 0);
    }
}

#[test]
fn forged_packet_moves_no_window() {
    for profile in Profile::ALL {
        let (sealer, mut opener) = pair(profile);
        assert!(open_rtp(&mut opener, &seal_rtp(&sealer, &rtp(1, 5, b"voice"), 0)).is_ok());
        let mut forged = seal_rtp(&sealer, &rtp(1, 30_000, b"voice"), 0);
        forged[HEADER_BYTES] ^= 1;
        assert_eq!(open_rtp(&mut opener, &forged), Err(OpenError::Unauthenticated));
        assert!(open_rtp(&mut opener, &seal_rtp(&sealer, &rtp(1, 6, b"voice"), 0)).is_ok());
    }
}

#[test]
fn one_ssrc_too_many_is_refused_and_the_others_go_on() {
    let (sealer, mut opener) = pair(Profile::AeadAes256Gcm);
    let voice = |ssrc: usize, sequence| {
        let ssrc = u32::try_from(ssrc).expect("small");
        seal_rtp(&sealer, &rtp(ssrc, sequence, b"voice"), 0)
    };
    for ssrc in 0..SSRCS_MAX {
        assert!(open_rtp(&mut opener, &voice(ssrc, 1)).is_ok());
    }
    assert_eq!(open_rtp(&mut opener, &voice(SSRCS_MAX, 1)), Err(OpenError::TooManySsrcs));
    assert!(open_rtp(&mut opener, &voice(0, 2)).is_ok());
    assert_eq!(open_rtp(&mut opener, &voice(0, 1)), Err(OpenError::Replayed));
    assert_eq!(opener.ssrcs(), SSRCS_MAX);
    assert!(open_rtcp(&mut opener, &seal_rtcp(&sealer, &rtcp(9), 1)).is_ok());
}

#[test]
fn rtcp_without_the_encryption_flag_is_refused() {
    for profile in Profile::ALL {
        let (sealer, mut opener) = pair(profile);
        let mut report = seal_rtcp(&sealer, &rtcp(1), 5);
        let behind_flag = if profile == Profile::Aes128CmSha1_80 { 14 } else { 4 };
        let flag = report.len() - behind_flag;
        assert_eq!(report[flag], 0x80);
        report[flag] = 0;
        assert_eq!(open_rtcp(&mut opener, &report), Err(OpenError::Malformed));
    }
}

#[test]
fn no_length_and_no_first_byte_panics() {
    for profile in Profile::ALL {
        let (_, mut opener) = pair(profile);
        for len in 0..=64 {
            for first in 0..=255 {
                let mut packet = vec![0xff; len];
                if let Some(byte) = packet.first_mut() {
                    *byte = first;
                }
                assert!(open_rtp(&mut opener, &packet).is_err());
                assert!(open_rtcp(&mut opener, &packet).is_err());
            }
        }
        assert_eq!(opener.ssrcs(), 0);
    }
}

#[test]
fn random_bytes_are_never_opened() {
    let mut random = Random(11);
    for profile in Profile::ALL {
        let (_, mut opener) = pair(profile);
        for _ in 0..20_000 {
            let mut packet: Vec<u8> = (0..random.below(120)).map(|_| random.byte()).collect();
            if let Some(byte) = packet.first_mut() {
                *byte = *byte & 0x3f | 0x80;
            }
            assert!(open_rtp(&mut opener, &packet).is_err());
            assert!(open_rtcp(&mut opener, &packet).is_err());
        }
    }
}

#[test]
fn both_ends_split_the_exported_keys_alike() {
    for profile in Profile::ALL {
        let material: Vec<u8> = (0_u8..).take(profile.exporter_bytes()).collect();
        let server = Keys::from_exporter_as_server(profile, &material).expect("fits");
        let client = Keys::from_exporter_as_client(profile, &material).expect("fits");
        for (from, to) in [(&server, &client), (&client, &server)] {
            let sealer = Sealer::new(profile, &from.outbound).expect("derives");
            let mut opener = Opener::new(profile, &to.inbound).expect("derives");
            let mut echo = Opener::new(profile, &from.inbound).expect("derives");
            let voice = seal_rtp(&sealer, &rtp(1, 5, b"voice"), 0);
            assert!(open_rtp(&mut opener, &voice).is_ok());
            assert_eq!(open_rtp(&mut echo, &voice), Err(OpenError::Unauthenticated));
        }
        let (client_key, salts) = (&material[..profile.key_bytes()], 2 * profile.key_bytes());
        let client_salt = &material[salts..salts + profile.salt_bytes()];
        assert_eq!(server.inbound.key(), client_key);
        assert_eq!(&server.inbound.salt()[..profile.salt_bytes()], client_salt);
        assert!(Keys::from_exporter_as_server(profile, &material[1..]).is_none());
        assert!(Keys::from_exporter_as_server(profile, &[]).is_none());
    }
}

#[test]
fn debug_prints_no_key() {
    let material = [0xab; Profile::AeadAes256Gcm.exporter_bytes()];
    let keys = Keys::from_exporter_as_server(Profile::AeadAes256Gcm, &material).expect("fits");
    let (sealer, opener) = pair(Profile::AeadAes256Gcm);
    let printed = format!("{keys:?} {sealer:?} {opener:?}").to_lowercase();
    assert!(!printed.contains("ab,") && !printed.contains("171"), "{printed}");
    assert!(printed.contains("aeadaes256gcm"));
}

#[test]
fn sealer_and_opener_may_move_to_a_worker() {
    fn check<T: Send + Sync>() {}
    check::<Sealer>();
    check::<Opener>();
    check::<Keys>();
}

#[test]
fn leg_stays_small() {
    assert!(size_of::<Sealer>() <= 144, "{}", size_of::<Sealer>());
    assert!(size_of::<Opener>() <= 208, "{}", size_of::<Opener>());
}

/// A linear congruential generator, so that a failure comes again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: u64) -> usize {
        (self.next() % end) as usize
    }

    fn byte(&mut self) -> u8 {
        (self.next() & 0xff) as u8
    }
}
