//! Published vectors: RFC 3711 appendix B, RFC 6188 section 7, RFC 7714 sections 16 and 17, and
//! the reference packets that libsrtp checks itself with at start.

use zeroize::Zeroizing;

use super::cm::{counter_key, first_block, xor_keystream};
use super::gcm::Gcm;
use super::kdf::{Channel, Purpose, derive};
use super::{MasterKey, OpenError, Opener, Profile, Sealer};

/// The bytes of hexadecimal digits; spaces do not count.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("ascii");
        u8::from_str_radix(pair, 16).expect("hexadecimal")
    };
    digits.chunks(2).map(byte).collect()
}

/// `packet` in a buffer that has room for any tag.
fn with_room(packet: &str) -> (Vec<u8>, usize) {
    let mut packet = hex(packet);
    let len = packet.len();
    packet.resize(len + 20, 0);
    (packet, len)
}

#[test]
fn keystream_is_that_of_rfc_3711_b2() {
    let key = counter_key(&hex("2b7e151628aed2a6abf7158809cf4f3c")).expect("16 bytes");
    let salt: [u8; 14] = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd").try_into().expect("14 bytes");
    let mut stream = vec![0; 0xff02 * 16];
    xor_keystream(&key, first_block(&salt, 0, 0), &mut stream);
    let first = "e03ead0935c95e80e166b16dd92b4eb4 d23513162b02d0f72a43a2fe4a5f97ab
                 41e95b3bb0a2e8dd477901e4fca894c0";
    let last = "ec8cdf7398607cb0f2d21675ea9ea1e4 362b7c3c6773516318a077d7fc5073ae
                6a2cc3787889374fbeb4c81b17ba6c44";
    assert_eq!(stream[..48], hex(first));
    assert_eq!(stream[0xfeff * 16..], hex(last));
}

#[test]
fn session_keys_are_those_of_rfc_3711_b3() {
    let key = hex("e1f97a0d3e018be0d64fa32c06de4139");
    let salt = hex("0ec675ad498afeebb6960b3aabe6");
    let master = MasterKey::new(Profile::Aes128CmSha1_80, &key, &salt).expect("fits");
    let cipher = derive::<16>(&master, Channel::Rtp, Purpose::Encrypt).expect("derives");
    let salt = derive::<14>(&master, Channel::Rtp, Purpose::Salt).expect("derives");
    let mac = derive::<94>(&master, Channel::Rtp, Purpose::Authenticate).expect("derives");
    let expect = "cebe321f6ff7716b6fd4ab49af256a15 6d38baa48f0a0acf3c34e2359e6cdbce
                  e049646c43d9327ad175578ef7227098 6371c10c9a369ac2f94a8c5fbcdddc25
                  6d6e919a48b610ef17c2041e47403576 6b68642c59bbfc2f34db60dbdfb2";
    assert_eq!(cipher[..], hex("c61e7a93744f39ee10734afe3ff7a087"));
    assert_eq!(salt[..], hex("30cbbc08863d8c85d49db34a9ae1"));
    assert_eq!(mac[..], hex(expect));
}

/// RFC 6188 section 7.2, label 0. Its salt has 112 bits, no profile of ours has that with
/// AES-256: so the block is given, not derived.
#[test]
fn aes_256_session_key_is_that_of_rfc_6188() {
    let key = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6";
    let key = counter_key(&hex(key)).expect("32 bytes");
    let mut session = [0; 32];
    let block = hex("3b04803de51ee7c96423ab5b78d20000").try_into().expect("16 bytes");
    xor_keystream(&key, block, &mut session);
    let expect = "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4";
    assert_eq!(session[..], hex(expect));
}

#[test]
fn counter_mode_packets_are_those_of_libsrtp() {
    let key = hex("e1f97a0d3e018be0d64fa32c06de4139");
    let salt = hex("0ec675ad498afeebb6960b3aabe6");
    let profile = Profile::Aes128CmSha1_80;
    let master = MasterKey::new(profile, &key, &salt).expect("fits");
    let sealer = Sealer::new(profile, &master).expect("derives");

    let (mut rtp, len) = with_room("800f1234decafbadcafebabe abababababababababababababababab");
    let sealed = sealer.seal_rtp(&mut rtp, 12, len, 0);
    let expect = "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb";
    assert_eq!(rtp[..sealed], hex(expect));

    let (mut rtcp, len) = with_room("81c8000bcafebabe abababababababababababababababab");
    let sealed = sealer.seal_rtcp(&mut rtcp, len, 1);
    let expect = "81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798";
    assert_eq!(rtcp[..sealed], hex(expect));
}

/// These start from a master key, so they also check the derivation from a salt of 96 bits.
#[test]
fn gcm_packets_are_those_of_libsrtp() {
    let profile = Profile::AeadAes128Gcm;
    let master = MasterKey::new(profile, &hex(KEY_128), &hex("a0a1a2a3a4a5a6a7a8a9aaab"));
    let sealer = Sealer::new(profile, &master.expect("fits")).expect("derives");

    let (mut rtp, len) = with_room("800f1234decafbadcafebabe abababababababababababababababab");
    let sealed = sealer.seal_rtp(&mut rtp, 12, len, 0);
    let expect = "800f1234decafbadcafebabe
                  c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392";
    assert_eq!(rtp[..sealed], hex(expect));

    let (mut rtcp, len) = with_room("81c8000bcafebabe abababababababababababababababab");
    let sealed = sealer.seal_rtcp(&mut rtcp, len, 1);
    let expect = "81c8000bcafebabe
                  c98b8b5df0392a55852b6c21ac8e7025 c52c6fbea2b3b446ea31123ba88ce61e 80000001";
    assert_eq!(rtcp[..sealed], hex(expect));
}

const RTP: &str = "8040f17b8041f8d35501a0b2
    47616c6c696120657374206f6d6e6973 2064697669736120696e207061727465 732074726573";
const RTCP: &str = "81c8000d4d617273 4e5450314e54503252545020
    0000042a0000e9304c756e61deadbeef deadbeefdeadbeefdeadbeefdeadbeef";
const KEY_128: &str = "000102030405060708090a0b0c0d0e0f";
const KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// RFC 7714 starts from session keys: the salt is "Quid pro quo".
fn gcm(channel: Channel, key: &str) -> Gcm {
    let salt = Zeroizing::new(*b"Quid pro quo");
    Gcm::from_session(channel, &hex(key), salt).expect("16 or 32 bytes")
}

/// Sequence number f17b, rollover counter 0.
fn check_rtp(key: &str, expect: &str) {
    let (mut packet, len) = with_room(RTP);
    let sealed = gcm(Channel::Rtp, key).seal_rtp(&mut packet, 12, len, 0);
    assert_eq!(packet[..sealed], hex(expect));
    assert_eq!(gcm(Channel::Rtp, key).open_rtp(&mut packet[..sealed], 12, 0), Ok(len));
    assert_eq!(packet[..len], hex(RTP));
}

#[test]
fn rtp_of_rfc_7714_section_16_is_sealed_and_opened() {
    check_rtp(
        KEY_128,
        "8040f17b8041f8d35501a0b2
         f24de3a3fb34de6cacba861c9d7e4bca be633bd50d294e6f42a5f47a51c7d19b 36de3adf8833
         899d7f27beb16a9152cf765ee4390cce",
    );
    check_rtp(
        KEY_256,
        "8040f17b8041f8d35501a0b2
         32b1de78a822fe12ef9f78fa332e33aa b18012389a58e2f3b50b2a0276ffae0f 1ba63799b87b
         7aa3db36dfffd6b0f9bb7878d7a76c13",
    );
}

/// SRTCP index 5d4.
fn check_rtcp(key: &str, expect: &str) {
    let (mut packet, len) = with_room(RTCP);
    let sealed = gcm(Channel::Rtcp, key).seal_rtcp(&mut packet, len, 0x5d4);
    assert_eq!(packet[..sealed], hex(expect));
    let opened = gcm(Channel::Rtcp, key)
        .open_rtcp(&mut packet[..sealed])
        .map(|report| (report.len, report.index));
    assert_eq!(opened, Ok((len, 0x5d4)));
    assert_eq!(packet[..len], hex(RTCP));
}

#[test]
fn rtcp_of_rfc_7714_section_17_is_sealed_and_opened() {
    check_rtcp(
        KEY_128,
        "81c8000d4d617273 63e94885dcdab67ca727d766 2f6b7e997ff5c0f76c06f32dc676a5f1
         730d6fda4ce09b4686303ded0bb9275b c84aa45896cf4d2fc5abf87245d9eade 800005d4",
    );
    check_rtcp(
        KEY_256,
        "81c8000d4d617273 d50ae4d1f5ce5d304ba297e4 7d470c282c3ece5dbffe0a50a2eaa5c1
         110555be8415f658c61de0476f1b6fad 1d1eb30c4446839f57ff6f6cb26ac3be 800005d4",
    );
}

/// Sections 17.3 and 17.4: authentic, but not encrypted. We want it encrypted.
#[test]
fn rtcp_of_rfc_7714_without_encryption_is_refused() {
    for (key, tag) in [
        (KEY_128, "841dd9683dd78ec92ae58790125f62b3"),
        (KEY_256, "91db4afbfeee5a978fab4393ed2615fe"),
    ] {
        let mut packet = hex(&format!("{RTCP} {tag} 000005d4"));
        let opened = gcm(Channel::Rtcp, key).open_rtcp(&mut packet).map(|report| report.len);
        assert_eq!(opened, Err(OpenError::Malformed));
    }
}

#[test]
fn key_of_one_profile_is_refused_by_another() {
    let master = MasterKey::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 12]).expect("fits");
    assert!(Sealer::new(Profile::Aes128CmSha1_80, &master).is_err());
    assert!(Opener::new(Profile::AeadAes256Gcm, &master).is_err());
    assert!(MasterKey::new(Profile::AeadAes256Gcm, &[1; 16], &[2; 12]).is_err());
    assert!(MasterKey::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 14]).is_err());
}
