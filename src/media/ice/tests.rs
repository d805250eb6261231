//! ICE-lite, told in checks of one client. Requests are built, and replies are read, by rtc-stun.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use rtc_stun::attributes::*;
use rtc_stun::error_code::{CODE_ROLE_CONFLICT, ErrorCodeAttribute};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::message::*;
use rtc_stun::xoraddr::XorMappedAddress;

use super::*;

const OURS: &str = "serverufragaaaaa";
const THEIRS: &str = "f7vC";
const PWD: &str = "passwordpasswordpasswordpassword";

fn credentials(ufrag: &str) -> Credentials {
    Credentials { ufrag: ufrag.into(), pwd: PWD.into() }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// An agent, and what its client sends.
struct Pair {
    ice: IceLite,
    now: Instant,
    sent: u32,
    reply: Vec<u8>,
}

impl Pair {
    fn new() -> Self {
        let ice = IceLite::new(credentials(OURS), THEIRS.into());
        Self { ice, now: Instant::now(), sent: 0, reply: Vec::new() }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn request(&mut self) -> Builder {
        self.sent += 1;
        Builder::new(self.sent)
    }

    fn receive(&mut self, port: u16, datagram: &[u8]) -> Result<Check, IceDiscard> {
        self.ice.handle_request(self.now, address(port), datagram, &mut self.reply)
    }

    fn check(&mut self, port: u16) -> Check {
        let datagram = self.request().seal();
        self.receive(port, &datagram).expect("a good check")
    }

    fn nominate(&mut self, port: u16) -> Check {
        let datagram = self.request().nominating().seal();
        self.receive(port, &datagram).expect("a good check")
    }

    /// All that a check may change.
    fn state(&self) -> (Vec<SocketAddr>, Option<SocketAddr>, Option<Instant>, Option<Instant>) {
        let ice = &self.ice;
        (ice.addresses().collect(), ice.path(), ice.consent_until(), ice.poll_timeout())
    }
}

/// A binding request in the making.
struct Builder {
    message: Message,
    username: String,
    pwd: &'static str,
    fingerprint: bool,
}

impl Builder {
    fn new(number: u32) -> Self {
        let mut message = Message::new();
        message.set_type(BINDING_REQUEST);
        let mut id = [7; 12];
        id[..4].copy_from_slice(&number.to_be_bytes());
        message.transaction_id = TransactionId(id);
        message.write_header();
        message.add(ATTR_PRIORITY, &1_862_270_975_u32.to_be_bytes());
        let username = format!("{OURS}:{THEIRS}");
        Self { message, username, pwd: PWD, fingerprint: true }
    }

    fn with(mut self, kind: AttrType, value: &[u8]) -> Self {
        self.message.add(kind, value);
        self
    }

    fn nominating(self) -> Self {
        self.with(ATTR_USE_CANDIDATE, &[])
    }

    fn username(mut self, username: &str) -> Self {
        self.username = username.into();
        self
    }

    fn pwd(mut self, pwd: &'static str) -> Self {
        self.pwd = pwd;
        self
    }

    fn without_fingerprint(mut self) -> Self {
        self.fingerprint = false;
        self
    }

    fn seal(self) -> Vec<u8> {
        self.seal_and_add(&[])
    }

    /// With attributes that MESSAGE-INTEGRITY does not cover.
    fn seal_and_add(mut self, uncovered: &[AttrType]) -> Vec<u8> {
        self.message.add(ATTR_USERNAME, self.username.as_bytes());
        let length = self.message.length;
        self.message.length += 24;
        self.message.write_length();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.pwd.as_bytes());
        let tag = hmac::sign(&key, &self.message.raw);
        self.message.length = length;
        self.message.add(ATTR_MESSAGE_INTEGRITY, tag.as_ref());
        for kind in uncovered {
            self.message.add(*kind, &[]);
        }
        if self.fingerprint {
            FINGERPRINT.add_to(&mut self.message).unwrap();
        }
        self.message.raw
    }
}

/// Reads a reply with rtc-stun and verifies its integrity and fingerprint.
fn read_reply(reply: &[u8]) -> Message {
    let mut message = Message::new();
    message.unmarshal_binary(reply).unwrap();
    FINGERPRINT.check(&message).unwrap();
    let tag = message.get(ATTR_MESSAGE_INTEGRITY).unwrap();
    let mut covered = reply[..reply.len() - 8 - 24].to_vec();
    let length = u16::try_from(reply.len() - 20 - 8).unwrap();
    covered[2..4].copy_from_slice(&length.to_be_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, PWD.as_bytes());
    hmac::verify(&key, &covered, &tag).unwrap();
    message
}

/// RFC 5769 section 2.1.
const SAMPLE_REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e2074657374\
    20636c69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020\
    000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";

fn sample_request() -> Vec<u8> {
    let digits: Vec<u8> = SAMPLE_REQUEST.bytes().filter(|byte| *byte != b' ').collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn sample_agent() -> IceLite {
    let pwd = "VOkJxbRl1RmTxUk/WvJxBt".to_owned();
    IceLite::new(Credentials { ufrag: "evtj".into(), pwd }, "h6vY".into())
}

#[test]
fn sample_request_of_rfc_5769_is_authentic() {
    let mut reply = Vec::new();
    let check =
        sample_agent().handle_request(Instant::now(), address(1), &sample_request(), &mut reply);
    // It has ICE-CONTROLLED, so that a lite agent asks its sender to take the other role.
    assert_eq!(check, Ok(Check::RoleConflict));
    assert_eq!(addressed_ufrag(&sample_request()), Some(&b"evtj"[..]));
}

#[test]
fn sample_request_with_any_bit_flipped_gets_no_answer() {
    let mut agent = sample_agent();
    let mut reply = Vec::new();
    // The type of FINGERPRINT is covered by nothing: renamed, it is one more attribute to ignore.
    let uncovered = sample_request().len() - 8..sample_request().len() - 6;
    for bit in (0..sample_request().len() * 8).filter(|bit| !uncovered.contains(&(bit / 8))) {
        let mut datagram = sample_request();
        datagram[bit / 8] ^= 1 << (bit % 8);
        let check = agent.handle_request(Instant::now(), address(1), &datagram, &mut reply);
        assert!(check.is_err() && reply.is_empty(), "bit {bit}: {check:?}");
    }
}

#[test]
fn reply_is_authentic_and_names_the_address_the_check_came_from() {
    let v6: SocketAddr = "[2001:db8::7]:4242".parse().unwrap();
    for from in [address(32853), v6] {
        let mut pair = Pair::new();
        let datagram = pair.request().seal();
        pair.ice.handle_request(pair.now, from, &datagram, &mut pair.reply).unwrap();
        let reply = read_reply(&pair.reply);
        let mut mapped = XorMappedAddress::default();
        reply.parse(std::slice::from_mut(&mut mapped)).unwrap();
        assert_eq!(SocketAddr::new(mapped.ip, mapped.port), from);
        assert_eq!(reply.typ, BINDING_SUCCESS);
        assert_eq!(reply.transaction_id.0, datagram[8..20]);
    }
}

#[test]
fn first_validated_address_is_the_path_until_one_is_nominated() {
    let mut pair = Pair::new();
    assert_eq!(pair.ice.path(), None);
    let moved = Some(Move { from: None, to: Some(address(1)) });
    let added = Some(address(1));
    assert_eq!(pair.check(1), Check::Changed(Changes { added, moved, ..Changes::default() }));
    let added = Some(address(2));
    assert_eq!(pair.check(2), Check::Changed(Changes { added, ..Changes::default() }));
    assert_eq!(pair.ice.path(), Some(address(1)));
    let moved = Some(Move { from: Some(address(1)), to: Some(address(2)) });
    assert_eq!(pair.nominate(2), Check::Changed(Changes { moved, ..Changes::default() }));
    assert_eq!(pair.ice.path(), Some(address(2)));
}

#[test]
fn use_candidate_in_the_first_check_makes_the_path() {
    let mut pair = Pair::new();
    pair.check(1);
    pair.nominate(2);
    assert_eq!(pair.ice.path(), Some(address(2)));
    assert_eq!(pair.nominate(2), Check::Alive);
}

#[test]
fn newest_nomination_moves_the_path_after_a_nat_rebinding() {
    let mut pair = Pair::new();
    pair.nominate(1);
    pair.pass(Duration::from_secs(5));
    pair.nominate(2);
    assert_eq!(pair.ice.path(), Some(address(2)));
    pair.pass(Duration::from_millis(9_999));
    assert!(pair.ice.is_valid(pair.now, address(1)));
    pair.pass(Duration::from_millis(1));
    assert!(!pair.ice.is_valid(pair.now, address(1)));
    let changes = pair.ice.handle_timeout(pair.now);
    assert_eq!(changes, Changes { evicted: vec![address(1)], ..Changes::default() });
}

#[test]
fn unauthentic_check_gets_no_answer_and_changes_nothing() {
    let mut pair = Pair::new();
    pair.nominate(1);
    let before = pair.state();
    pair.pass(Duration::from_secs(1));
    let foreign = |name: &str| Builder::new(900).nominating().username(name).seal();
    let cases = [
        (Builder::new(900).pwd("another").nominating().seal(), IceDiscard::Integrity),
        (foreign(&format!("another:{THEIRS}")), IceDiscard::Username),
        (foreign(&format!("{OURS}:another")), IceDiscard::Username),
        (foreign(&format!("{OURS}:")), IceDiscard::Username),
        (foreign(&format!("{OURS}:{THEIRS}x")), IceDiscard::Username),
        (foreign(&format!("{OURS}{THEIRS}")), IceDiscard::Username),
        (foreign(""), IceDiscard::Username),
        (Builder::new(900).with(AttrType(0x7abc), b"?").seal(), IceDiscard::Unknown),
    ];
    for (datagram, reason) in cases {
        assert_eq!(pair.receive(2, &datagram), Err(reason));
        assert!(pair.reply.is_empty());
        assert_eq!(pair.state(), before);
    }
}

#[test]
fn truncated_or_changed_check_gets_no_answer_and_changes_nothing() {
    let mut pair = Pair::new();
    pair.nominate(1);
    let before = pair.state();
    pair.pass(Duration::from_secs(1));
    // Without FINGERPRINT, so that nothing but MESSAGE-INTEGRITY refuses.
    let whole = Builder::new(900).nominating().without_fingerprint().seal();
    for length in 0..whole.len() {
        assert!(pair.receive(2, &whole[..length]).is_err(), "{length} bytes");
        assert!(pair.reply.is_empty());
    }
    for at in 0..whole.len() {
        let mut datagram = whole.clone();
        datagram[at] ^= 0x40;
        assert!(pair.receive(2, &datagram).is_err(), "byte {at}");
        assert!(pair.reply.is_empty());
    }
    assert_eq!(pair.state(), before);
    assert!(pair.receive(2, &whole).is_ok());
}

#[test]
fn fingerprint_may_be_left_out_but_not_be_wrong() {
    let mut pair = Pair::new();
    let bare = pair.request().without_fingerprint().seal();
    assert!(pair.receive(1, &bare).is_ok());
    let mut wrong = pair.request().seal();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(pair.receive(1, &wrong), Err(IceDiscard::Fingerprint));
}

#[test]
fn only_binding_requests_of_at_most_1280_bytes_are_read() {
    let mut pair = Pair::new();
    let empty = pair.request().seal().len();
    let padded =
        |bytes: usize| Builder::new(800).with(AttrType(0xc001), &vec![0; bytes - empty - 4]).seal();
    assert_eq!(padded(1280).len(), 1280);
    assert!(pair.receive(1, &padded(1280)).is_ok());
    assert_eq!(pair.receive(1, &padded(1284)), Err(IceDiscard::Malformed));
    assert_eq!(addressed_ufrag(&padded(1284)), None);
    let mut indication = pair.request().seal();
    indication[1] = 0x11;
    assert_eq!(pair.receive(1, &indication), Err(IceDiscard::Malformed));
    assert_eq!(addressed_ufrag(&indication), None);
}

#[test]
fn attributes_behind_the_integrity_count_for_nothing() {
    let mut pair = Pair::new();
    pair.nominate(1);
    let datagram = pair.request().seal_and_add(&[ATTR_USE_CANDIDATE]);
    assert!(pair.receive(2, &datagram).is_ok());
    assert_eq!(pair.ice.path(), Some(address(1)));
    let mut message = Message::new();
    message.unmarshal_binary(&pair.request().without_fingerprint().seal()).unwrap();
    let without_username = {
        let mut bare = Message::new();
        bare.set_type(BINDING_REQUEST);
        bare.write_header();
        bare.add(ATTR_MESSAGE_INTEGRITY, &[0; 20]);
        bare.add(ATTR_USERNAME, format!("{OURS}:{THEIRS}").as_bytes());
        bare.raw
    };
    assert_eq!(addressed_ufrag(&without_username), None);
}

#[test]
fn client_that_thinks_itself_controlled_is_told_only_if_authentic() {
    let mut pair = Pair::new();
    let controlled = |pwd| Builder::new(1).with(ATTR_ICE_CONTROLLED, &[1; 8]).pwd(pwd).seal();
    assert_eq!(pair.receive(1, &controlled("another")), Err(IceDiscard::Integrity));
    assert!(pair.reply.is_empty());
    assert_eq!(pair.receive(1, &controlled(PWD)), Ok(Check::RoleConflict));
    let reply = read_reply(&pair.reply);
    let mut error = ErrorCodeAttribute::default();
    reply.parse(std::slice::from_mut(&mut error)).unwrap();
    assert_eq!((reply.typ, error.code.0), (BINDING_ERROR, CODE_ROLE_CONFLICT.0));
    assert_eq!(pair.ice.addresses().count(), 0);
}

#[test]
fn copy_of_a_check_sent_from_elsewhere_is_dropped() {
    let mut pair = Pair::new();
    let copied = pair.request().nominating().seal();
    pair.receive(1, &copied).unwrap();
    assert_eq!(pair.receive(2, &copied), Err(IceDiscard::Replayed));
    assert!(pair.reply.is_empty());
    pair.check(2);
    assert_eq!(pair.receive(2, &copied), Err(IceDiscard::Replayed));
    assert_eq!(pair.ice.path(), Some(address(1)));
}

#[test]
fn repeated_check_is_answered_and_does_not_extend_consent() {
    let mut pair = Pair::new();
    let first = pair.request().nominating().seal();
    pair.receive(1, &first).unwrap();
    pair.nominate(2);
    let before = pair.state();
    pair.pass(Duration::from_secs(1));
    assert_eq!(pair.receive(1, &first), Ok(Check::Alive));
    assert_eq!(read_reply(&pair.reply).typ, BINDING_SUCCESS);
    assert_eq!(pair.state(), before);
}

#[test]
fn sixty_four_transactions_are_remembered() {
    let mut pair = Pair::new();
    let first = pair.request().seal();
    pair.receive(1, &first).unwrap();
    for _ in 0..63 {
        pair.check(1);
        pair.pass(Duration::from_millis(100));
    }
    assert_eq!(pair.receive(2, &first), Err(IceDiscard::Replayed));
    pair.check(1);
    assert!(pair.receive(2, &first).is_ok());
}

#[test]
fn consent_ends_thirty_seconds_after_the_last_check() {
    let mut pair = Pair::new();
    pair.nominate(1);
    pair.pass(Duration::from_secs(20));
    assert_eq!(pair.check(1), Check::Alive);
    assert_eq!(pair.ice.consent_until(), Some(pair.now + Duration::from_secs(30)));
    pair.pass(Duration::from_millis(29_999));
    assert!(pair.ice.handle_timeout(pair.now).is_empty());
    pair.pass(Duration::from_millis(1));
    assert_eq!(pair.ice.poll_timeout(), Some(pair.now));
    let moved = Some(Move { from: Some(address(1)), to: None });
    let expected = Changes { evicted: vec![address(1)], moved, ..Changes::default() };
    assert_eq!(pair.ice.handle_timeout(pair.now), expected);
    assert_eq!(pair.ice.consent_until(), None);
}

#[test]
fn path_without_consent_gives_way_to_a_valid_address() {
    let mut pair = Pair::new();
    pair.nominate(1);
    pair.pass(Duration::from_secs(20));
    pair.check(2);
    pair.pass(Duration::from_secs(10));
    let changes = pair.ice.handle_timeout(pair.now);
    assert_eq!(changes.moved, Some(Move { from: Some(address(1)), to: Some(address(2)) }));
}

#[test]
fn restart_keeps_the_former_generation_until_the_new_one_is_nominated() {
    let mut pair = Pair::new();
    pair.nominate(1);
    assert!(pair.ice.restart(pair.now, credentials("second"), "new".into()).is_empty());
    assert_eq!(pair.ice.former_ufrag(), Some(OURS));
    assert_eq!(pair.nominate(1), Check::Alive);
    let fresh = pair.request().username("second:new").seal();
    pair.receive(2, &fresh).unwrap();
    assert_eq!(pair.ice.path(), Some(address(1)));

    let nomination = pair.request().username("second:new").nominating().seal();
    let expected = Changes {
        evicted: vec![address(1)],
        moved: Some(Move { from: Some(address(1)), to: Some(address(2)) }),
        ended_ufrag: Some(OURS.into()),
        ..Changes::default()
    };
    assert_eq!(pair.receive(2, &nomination), Ok(Check::Changed(expected)));
    assert_eq!(pair.ice.former_ufrag(), None);
    let old = pair.request().seal();
    assert_eq!(pair.receive(1, &old), Err(IceDiscard::Username));
}

#[test]
fn restart_on_the_same_address_keeps_the_path() {
    let mut pair = Pair::new();
    pair.nominate(1);
    assert!(pair.ice.restart(pair.now, credentials("second"), "new".into()).is_empty());
    let nomination = pair.request().username("second:new").nominating().seal();
    let expected = Changes { ended_ufrag: Some(OURS.into()), ..Changes::default() };
    assert_eq!(pair.receive(1, &nomination), Ok(Check::Changed(expected)));
    assert_eq!(pair.ice.path(), Some(address(1)));
}

#[test]
fn former_generation_ends_after_ten_seconds_without_a_nomination() {
    let mut pair = Pair::new();
    pair.nominate(1);
    assert!(pair.ice.restart(pair.now, credentials("second"), "new".into()).is_empty());
    assert_eq!(pair.ice.poll_timeout(), Some(pair.now + Duration::from_secs(10)));
    pair.pass(Duration::from_millis(9_999));
    pair.check(1);
    pair.pass(Duration::from_millis(1));
    let late = pair.request().seal();
    assert_eq!(pair.receive(1, &late), Err(IceDiscard::Username));
    let changes = pair.ice.handle_timeout(pair.now);
    assert_eq!(changes.evicted, [address(1)]);
    assert_eq!(changes.ended_ufrag.as_deref(), Some(OURS));
    assert_eq!(pair.ice.path(), None);
}

#[test]
fn second_restart_ends_the_first_generation_but_not_its_path() {
    let mut pair = Pair::new();
    pair.nominate(1);
    assert!(pair.ice.restart(pair.now, credentials("second"), "new".into()).is_empty());
    let changes = pair.ice.restart(pair.now, credentials("third"), "newer".into());
    assert_eq!(changes.ended_ufrag.as_deref(), Some(OURS));
    assert_eq!(pair.ice.former_ufrag(), Some("second"));
    assert_eq!(pair.ice.path(), Some(address(1)));
}

#[test]
fn ninth_address_evicts_the_most_silent_one_but_never_the_path() {
    let mut pair = Pair::new();
    pair.nominate(1);
    for port in 2..=8 {
        pair.pass(Duration::from_millis(100));
        pair.check(port);
    }
    assert_eq!(pair.ice.addresses().count(), 8);
    pair.pass(Duration::from_millis(100));
    let expected =
        Changes { added: Some(address(9)), evicted: vec![address(2)], ..Changes::default() };
    assert_eq!(pair.check(9), Check::Changed(expected));
    assert_eq!(pair.ice.path(), Some(address(1)));
    assert_eq!(pair.ice.addresses().count(), 8);
}

#[test]
fn fifty_first_check_in_a_second_is_dropped() {
    let mut pair = Pair::new();
    for _ in 0..50 {
        pair.check(1);
    }
    let next = pair.request().seal();
    assert_eq!(pair.receive(1, &next), Err(IceDiscard::TooFast));
    assert!(pair.reply.is_empty());
    pair.pass(Duration::from_millis(20));
    assert_eq!(pair.receive(1, &next), Ok(Check::Alive));
    let another = pair.request().seal();
    assert_eq!(pair.receive(1, &another), Err(IceDiscard::TooFast));
}

#[test]
fn forged_checks_use_up_nothing_of_the_client() {
    let mut pair = Pair::new();
    for _ in 0..1000 {
        let forged = pair.request().pwd("another").seal();
        assert_eq!(pair.receive(2, &forged), Err(IceDiscard::Integrity));
    }
    pair.check(1);
}

#[test]
fn ipv4_in_ipv6_is_reported_as_ipv4() {
    let mut pair = Pair::new();
    let mapped: SocketAddr = "[::ffff:192.0.2.1]:7".parse().unwrap();
    let datagram = pair.request().seal();
    pair.ice.handle_request(pair.now, mapped, &datagram, &mut pair.reply).unwrap();
    assert_eq!(pair.ice.path(), Some(address(7)));
    assert!(pair.ice.is_valid(pair.now, mapped) && pair.ice.is_valid(pair.now, address(7)));
    assert_eq!(read_reply(&pair.reply).get(ATTR_XORMAPPED_ADDRESS).unwrap().len(), 8);
}

#[test]
fn garbage_names_no_ufrag_and_gets_no_answer() {
    let mut pair = Pair::new();
    let good = pair.request().without_fingerprint().seal();
    assert_eq!(addressed_ufrag(&good), Some(OURS.as_bytes()));
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap()
    };
    for round in 0..100_000 {
        // Half of them keep the header, so that the attributes are read.
        let mut datagram = good.clone();
        let first = if round % 2 == 0 { 0 } else { 20 };
        for _ in 0..=random() % 8 {
            let at = first + random() % (good.len() - first);
            datagram[at] = u8::try_from(random() % 256).unwrap();
        }
        if datagram == good {
            continue;
        }
        let _ = addressed_ufrag(&datagram);
        assert!(pair.receive(1, &datagram).is_err() && pair.reply.is_empty(), "round {round}");
    }
    assert_eq!(pair.ice.path(), None);
}

#[test]
fn random_credentials_differ_and_are_long_enough() {
    let (first, second) = (Credentials::random(), Credentials::random());
    assert_ne!(first, second);
    assert_eq!((first.ufrag.len(), first.pwd.len()), (16, 32));
    let all = first.ufrag + &first.pwd;
    assert!(all.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    assert!(!format!("{second:?}").contains(&second.pwd));
}
