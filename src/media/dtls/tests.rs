use std::collections::VecDeque;

use super::*;
use crate::media::sdp::HashAlgorithm;

/// A client and our side of it, in virtual time, over a wire that loses what it is told to.
struct Pair {
    now: Instant,
    client: Dtls,
    client_keys: Option<Vec<u8>>,
    client_due: Instant,
    ours: Peer,
    our_keys: Option<(Profile, Box<Keys>)>,
    failed: Option<Failure>,
    sent: usize,
    lost: Option<usize>,
    /// What a stranger sends us, and before which datagram.
    forged: Option<(usize, Vec<u8>)>,
}

impl Pair {
    fn new(lost: Option<usize>) -> Pair {
        let now = Instant::now();
        let identity = Identity::generate().unwrap();
        let theirs = dimpl::certificate::generate_self_signed_certificate().unwrap();
        let fingerprint =
            Fingerprint { algorithm: HashAlgorithm::Sha256, digest: theirs.fingerprint() };
        // Offers both versions, as browsers do.
        let mut client = Dtls::new_auto(Arc::new(Config::default()), theirs, now);
        client.set_active(true);
        let ours = Peer::new(identity.server(now), vec![fingerprint]);
        Pair {
            now,
            client,
            client_keys: None,
            client_due: now,
            ours,
            our_keys: None,
            failed: None,
            sent: 0,
            lost,
            forged: None,
        }
    }

    /// Runs until both have keys, one failed, or the handshake's time is over.
    fn run(&mut self) {
        let end = self.now + HANDSHAKE_TIMEOUT;
        self.client.handle_timeout(self.now).unwrap();
        while self.now < end {
            while self.exchange() {}
            if self.failed.is_some() {
                return;
            }
            if self.client_keys.is_some() && self.our_keys.is_some() {
                return;
            }
            let due = self.ours.due.into_iter().chain([self.client_due]).min().unwrap();
            self.now = due.max(self.now + Duration::from_millis(1));
            self.client.handle_timeout(self.now).unwrap();
            if let Err(error) = self.ours.dtls.handle_timeout(self.now) {
                self.failed = Some(Failure::of(&error));
            }
        }
    }

    /// One round of datagrams in both directions; false where there was none.
    fn exchange(&mut self) -> bool {
        let mut to_us = VecDeque::new();
        let mut buffer = vec![0; 2_048];
        loop {
            match self.client.poll_output(&mut buffer) {
                Output::Packet(packet) => to_us.push_back(packet.to_vec()),
                Output::KeyingMaterial(material, _) => self.client_keys = Some(material.to_vec()),
                Output::Timeout(at) => break self.client_due = at,
                _ => {}
            }
        }
        to_us.retain(|_| self.arrives());
        let mut busy = !to_us.is_empty();
        if let Some((_, forged)) = self.forged.take_if(|(at, _)| *at <= self.sent) {
            to_us.push_front(forged);
        }
        for datagram in to_us {
            if let Err(error) = self.ours.feed(self.now, &datagram) {
                self.failed = Some(Failure::of(&error));
                return false;
            }
            busy |= self.take_ours(&mut buffer);
        }
        busy |= self.take_ours(&mut buffer);
        busy
    }

    fn take_ours(&mut self, buffer: &mut Vec<u8>) -> bool {
        let mut to_client = Vec::new();
        match self.ours.drain(buffer, |packet| to_client.push(packet.to_vec())) {
            Said::Keys(profile, keys) => self.our_keys = Some((profile, keys)),
            Said::Failed(reason) => self.failed = Some(reason),
            Said::Nothing | Said::Closed => {}
        }
        to_client.retain(|_| self.arrives());
        for datagram in &to_client {
            self.client.handle_timeout(self.now).unwrap();
            self.client.handle_packet(datagram).unwrap();
        }
        !to_client.is_empty()
    }

    fn arrives(&mut self) -> bool {
        self.sent += 1;
        self.lost != Some(self.sent)
    }
}

#[test]
fn every_single_lost_datagram_recovers() {
    let mut whole = Pair::new(None);
    whole.run();
    assert!(whole.our_keys.is_some() && whole.client_keys.is_some());
    assert!(whole.sent >= 4, "{} datagrams", whole.sent);
    for lost in 1..=whole.sent {
        let mut pair = Pair::new(Some(lost));
        pair.run();
        let keys = (pair.our_keys.is_some(), pair.client_keys.is_some());
        assert_eq!(keys, (true, true), "datagram {lost} of {}", whole.sent);
    }
}

#[test]
fn a_forged_alert_between_any_two_datagrams_changes_nothing() {
    // Fatal handshake_failure, epoch 0, with a sequence number of its own.
    for at in 1..=6 {
        let mut pair = Pair::new(None);
        pair.forged = Some((at, vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 1, at as u8, 0, 2, 2, 40]));
        pair.run();
        assert!(pair.our_keys.is_some() && pair.client_keys.is_some(), "before datagram {at}");
    }
}

#[test]
fn a_client_with_both_gets_gcm() {
    let mut pair = Pair::new(None);
    pair.run();
    let (profile, _) = pair.our_keys.unwrap();
    assert_eq!(profile, Profile::AeadAes256Gcm);
    assert_eq!(pair.client_keys.unwrap().len(), profile.exporter_bytes());
}

#[test]
fn another_certificate_than_the_description_says_gives_no_keys() {
    let mut pair = Pair::new(None);
    pair.ours.fingerprints[0].digest[31] ^= 1;
    pair.run();
    assert_eq!(pair.failed, Some(Failure::WrongFingerprint));
    assert!(pair.our_keys.is_none());
}

#[test]
fn a_forged_hello_leaves_another_attempt() {
    let mut pair = Pair::new(None);
    for attempt in 1..ATTEMPTS {
        assert!(!pair.ours.is_given_up(Failure::Protocol), "attempt {attempt}");
    }
    assert!(pair.ours.is_given_up(Failure::Protocol));
}
