//! How often a device may offer, and how many candidates it may trickle after each: an offer costs
//! keys and a connection, and a candidate nobody asked for costs a word with the call.

use std::collections::HashMap;
use std::time::Instant;

use crate::core::sockets::bucket::{Bucket, Pace};
use crate::core::{Device, Refusal};
use crate::limits::OFFERERS_MAX;
use crate::wire::ClientEvent;
use crate::wire::server::JsepKind;

/// What one device may.
#[derive(Clone, Copy, Debug)]
pub struct OfferLimits {
    pub pace: Pace,
    /// Since its last offer.
    pub candidates_max: usize,
}

pub fn is_offer(event: &ClientEvent) -> bool {
    match event {
        ClientEvent::Offer { .. } => true,
        ClientEvent::Sdp { jsep, .. } => jsep.kind == JsepKind::Offer,
        _ => false,
    }
}

/// See the module's words.
pub struct Offers {
    limits: OfferLimits,
    of: HashMap<Device, Offerer>,
}

struct Offerer {
    bucket: Bucket,
    candidates: usize,
    heard: Instant,
}

impl Offers {
    pub fn new(limits: OfferLimits) -> Self {
        Self { limits, of: HashMap::new() }
    }

    /// # Errors
    /// `too_fast`, or `too_many_candidates`.
    pub fn admit(
        &mut self,
        now: Instant,
        device: &Device,
        event: &ClientEvent,
    ) -> Result<(), Refusal> {
        match event {
            event if is_offer(event) => self.offer(now, device),
            // The empty one says that there are no more.
            ClientEvent::Trickle { candidate, .. } if !candidate.is_empty() => {
                self.candidate(now, device)
            }
            _ => Ok(()),
        }
    }

    /// What was admitted came to nothing: it cost no keys, and does not count.
    pub fn forgive(&mut self, device: &Device) {
        if let Some(offerer) = self.of.get_mut(device) {
            offerer.bucket.give_back();
        }
    }

    fn offer(&mut self, now: Instant, device: &Device) -> Result<(), Refusal> {
        let Some(offerer) = self.offerer(now, device) else { return Ok(()) };
        if !offerer.bucket.take(now) {
            return Err(Refusal::new("too_fast", "too many offers: wait for an answer"));
        }
        offerer.candidates = 0;
        Ok(())
    }

    fn candidate(&mut self, now: Instant, device: &Device) -> Result<(), Refusal> {
        let most = self.limits.candidates_max;
        let Some(offerer) = self.offerer(now, device) else { return Ok(()) };
        offerer.candidates += 1;
        let too_many = || {
            let message = format!("more than {most} candidates since the last offer");
            Refusal::new("too_many_candidates", message)
        };
        (offerer.candidates <= most).then_some(()).ok_or_else(too_many)
    }

    /// `None` where there is no room for another: he is not counted.
    fn offerer(&mut self, now: Instant, device: &Device) -> Option<&mut Offerer> {
        if self.of.len() >= OFFERERS_MAX && !self.of.contains_key(device) {
            // Whoever is silent for as long may begin anew.
            let pause = self.limits.pace.refill * self.limits.pace.burst;
            self.of.retain(|_, offerer| now.duration_since(offerer.heard) < pause);
            if self.of.len() >= OFFERERS_MAX {
                return None;
            }
        }
        let pace = self.limits.pace;
        let begin = || Offerer { bucket: Bucket::new(now, pace), candidates: 0, heard: now };
        let offerer = self.of.entry(device.clone()).or_insert_with(begin);
        offerer.heard = now;
        Some(offerer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::Jid;

    fn device(name: &str) -> Device {
        Device { jid: Jid::parse("d-anna").unwrap(), name: name.to_owned() }
    }

    fn offer() -> ClientEvent {
        let (jid, sdp) = ("g-1".to_owned(), String::new());
        ClientEvent::Offer { jid, sdp, trickle: true, muted: false }
    }

    fn candidate(text: &str) -> ClientEvent {
        ClientEvent::Trickle {
            jid: "g-1".to_owned(),
            candidate: text.to_owned(),
            sdp_mid: None,
            sdp_mline_index: 0,
        }
    }

    fn offers() -> Offers {
        Offers::new(OfferLimits { pace: Pace::new(2, 5), candidates_max: 64 })
    }

    #[test]
    fn the_sixth_offer_at_once_is_refused_and_two_a_second_go_on() {
        let (mut offers, now) = (offers(), Instant::now());
        let mut admit = |at, name| offers.admit(at, &device(name), &offer());
        assert!((0..5).all(|_| admit(now, "pc").is_ok()));
        assert_eq!(admit(now, "pc").unwrap_err().code, "too_fast");
        assert!(admit(now, "phone").is_ok(), "another device's own");
        let later = now + Duration::from_secs(1);
        assert_eq!([(); 3].map(|()| admit(later, "pc").is_ok()), [true, true, false]);
    }

    #[test]
    fn an_offer_that_was_refused_does_not_count() {
        let (mut offers, now) = (offers(), Instant::now());
        for _ in 0..20 {
            offers.admit(now, &device("pc"), &offer()).unwrap();
            offers.forgive(&device("pc"));
        }
        assert!((0..5).all(|_| offers.admit(now, &device("pc"), &offer()).is_ok()));
        assert!(offers.admit(now, &device("pc"), &offer()).is_err());
    }

    #[test]
    fn the_65th_candidate_after_an_offer_is_refused_and_the_next_offer_begins_anew() {
        let (mut offers, now) = (offers(), Instant::now());
        let mut admit = |event: &ClientEvent| offers.admit(now, &device("pc"), event);
        for _ in 0..2 {
            admit(&offer()).unwrap();
            assert!((0..64).all(|_| admit(&candidate("candidate:1")).is_ok()));
            let refused = admit(&candidate("candidate:1")).unwrap_err();
            assert_eq!(refused.code, "too_many_candidates");
            assert!(admit(&candidate("")).is_ok());
        }
    }

    #[test]
    fn one_device_more_than_are_told_apart_is_not_counted_and_silent_ones_make_room() {
        let (mut offers, now) = (offers(), Instant::now());
        for number in 0..OFFERERS_MAX {
            offers.admit(now, &device(&number.to_string()), &offer()).unwrap();
        }
        assert!((0..9).all(|_| offers.admit(now, &device("more"), &offer()).is_ok()));
        let later = now + Duration::from_secs(3);
        assert!((0..5).all(|_| offers.admit(later, &device("more"), &offer()).is_ok()));
        assert!(offers.admit(later, &device("more"), &offer()).is_err());
        assert_eq!(offers.of.len(), 1);
    }
}
