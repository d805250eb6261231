//! One leg's offers and answers: from the client's descriptions to ours, and to what the worker
//! must know of the leg. Sans-IO. An offer of ours adds sections `s1`, `s2`, .. behind those that
//! are there; no section ever goes away, its place is only left empty (RFC 8829 section 5.2.2).

use std::net::SocketAddr;
use std::time::Duration;

use super::ice::Credentials;
use super::leg::{SlotSpec, VoiceSpec};
use super::reports::CNAME;
use super::sdp::{
    Accepted, Body, Direction, Fingerprint, Local, LocalSection, Malformed, Mid, Proto, Remote,
    Section, Setup, SlotLine, write,
};

/// What of us stands in every description.
#[derive(Clone, Debug)]
pub struct Ours {
    /// `sha-256 AA:BB:..`
    pub fingerprint: String,
    pub candidates: Vec<SocketAddr>,
    /// Most sections in which we send.
    pub slots_max: usize,
}

/// The state of one leg's descriptions.
#[derive(Debug)]
pub struct Dialogue {
    ours: Ours,
    session_id: u64,
    version: u64,
    local: Credentials,
    remote_ufrag: String,
    fingerprints: Vec<Fingerprint>,
    sections: Vec<LocalSection>,
    /// Index of the section that carries the client's voice, if it sends one.
    voice: Option<usize>,
    /// Sections of an offer that waits for its answer.
    offered: Vec<LocalSection>,
}

/// A client's offer within a leg that is there.
#[derive(Debug, PartialEq, Eq)]
pub struct Reoffer {
    /// New credentials of ours and the client's new ufrag, where it restarts ICE.
    pub restart: Option<(Credentials, String)>,
}

/// A description that is well formed but cannot follow what was agreed before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the description has fewer sections than were agreed, or another order")]
    Sections,
    #[error("the certificate's fingerprint changed: make a new call offer instead")]
    Fingerprint,
    #[error("there is no offer of ours that this could answer")]
    NotAsked,
}

impl Unfit {
    pub fn code(&self) -> &'static str {
        match self {
            Unfit::Malformed(malformed) => malformed.code(),
            Unfit::Sections | Unfit::Fingerprint => "bad_sdp",
            Unfit::NotAsked => "not_asked",
        }
    }
}

impl Dialogue {
    /// Begins with the client's offer.
    pub fn open(remote: &Remote, ours: Ours) -> Dialogue {
        let mut dialogue = Dialogue {
            ours,
            session_id: random() >> 2,
            version: 1,
            local: Credentials::random(),
            remote_ufrag: remote.ice_ufrag.clone(),
            fingerprints: remote.fingerprints.clone(),
            sections: Vec::new(),
            voice: None,
            offered: Vec::new(),
        };
        dialogue.answer_sections(remote);
        dialogue
    }

    /// Our answer to the client's latest offer.
    pub fn answer(&self) -> String {
        self.describe(Setup::Passive, self.sections.clone())
    }

    /// Offers the client sections until we send in `slots` of them; an offer that still waits is
    /// replaced.
    pub fn offer(&mut self, slots: usize) -> String {
        self.version += 1;
        self.offered.clear();
        for _ in self.slots().len()..slots.min(self.ours.slots_max) {
            let number = self.sections.len() + self.offered.len();
            self.offered.extend(self.further_section(number));
        }
        let sections = self.sections.iter().chain(&self.offered).cloned().collect();
        self.describe(Setup::Actpass, sections)
    }

    /// The client's answer to our offer.
    ///
    /// # Errors
    /// Where it does not answer what was offered; nothing changed.
    pub fn handle_answer(&mut self, remote: &Remote) -> Result<(), Unfit> {
        if self.offered.is_empty() {
            return Err(Unfit::NotAsked);
        }
        let known = self.sections.len();
        if remote.sections.len() != known + self.offered.len() {
            return Err(Unfit::Sections);
        }
        let offered = std::mem::take(&mut self.offered);
        for (theirs, mut ours) in remote.sections[known..].iter().zip(offered) {
            if let Body::Accepted(accepted) = &mut ours.body {
                match theirs.opus {
                    Some(opus) if theirs.is_usable() && theirs.direction.is_receiving() => {
                        accepted.opus = opus;
                    }
                    _ => accepted.direction = Direction::Inactive,
                }
            }
            self.sections.push(ours);
        }
        Ok(())
    }

    /// The client's own offer: renegotiation or ICE restart. An offer of ours is withdrawn.
    ///
    /// # Errors
    /// Where it contradicts what was agreed; nothing changed.
    pub fn handle_offer(&mut self, remote: &Remote) -> Result<Reoffer, Unfit> {
        if remote.sections.len() < self.sections.len() {
            return Err(Unfit::Sections);
        }
        let moved = |(ours, theirs): (&LocalSection, &Section)| {
            !ours.mid.is_empty() && !theirs.rejected && ours.mid != theirs.mid
        };
        if self.sections.iter().zip(&remote.sections).any(moved) {
            return Err(Unfit::Sections);
        }
        if remote.fingerprints.iter().all(|theirs| !self.fingerprints.contains(theirs)) {
            return Err(Unfit::Fingerprint);
        }
        self.offered.clear();
        self.version += 1;
        self.answer_sections(remote);
        if remote.ice_ufrag == self.remote_ufrag {
            return Ok(Reoffer { restart: None });
        }
        self.remote_ufrag.clone_from(&remote.ice_ufrag);
        self.local = Credentials::random();
        Ok(Reoffer { restart: Some((self.local.clone(), self.remote_ufrag.clone())) })
    }

    pub fn local(&self) -> &Credentials {
        &self.local
    }

    pub fn remote_ufrag(&self) -> &str {
        &self.remote_ufrag
    }

    pub fn fingerprints(&self) -> &[Fingerprint] {
        &self.fingerprints
    }

    /// Whether the client sends a voice, and how it numbers it.
    pub fn voice(&self) -> Option<VoiceSpec> {
        match &self.sections.get(self.voice?)?.body {
            Body::Accepted(accepted) => Some(VoiceSpec {
                payload_type: accepted.opus.payload_type,
                level_id: accepted.level_id,
            }),
            Body::Refused { .. } => None,
        }
    }

    /// The sections in which we send, in their order.
    pub fn slots(&self) -> Vec<SlotSpec> {
        self.sections.iter().filter_map(slot_of).collect()
    }

    /// The longest packet that the client takes in every section.
    pub fn packet_max(&self) -> Duration {
        let accepted = self.sections.iter().filter_map(|section| match &section.body {
            Body::Accepted(accepted) => Some(accepted.opus.maxptime_ms),
            Body::Refused { .. } => None,
        });
        Duration::from_millis(accepted.min().unwrap_or(0).into())
    }

    /// Our candidates as `server.call.answer` lists them.
    pub fn candidate_lines(&self) -> Vec<String> {
        let text = self.answer();
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("a=candidate:")) {
            let line = format!("candidate:{line}");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// The first section that sends is the client's voice; in each that receives we send, up to
    /// `slots_max`. What a slot was called before it keeps.
    fn answer_sections(&mut self, remote: &Remote) {
        let before = std::mem::take(&mut self.sections);
        self.voice = remote
            .sections
            .iter()
            .position(|section| section.is_usable() && section.direction.is_sending());
        let mut slots = 0;
        for (at, theirs) in remote.sections.iter().enumerate() {
            let receives = theirs.direction.is_receiving() && slots < self.ours.slots_max;
            let direction = match (self.voice == Some(at), receives) {
                (true, true) => Direction::SendRecv,
                (true, false) => Direction::RecvOnly,
                (false, true) => Direction::SendOnly,
                (false, false) => Direction::Inactive,
            };
            let kept = before.get(at).and_then(line_of).cloned();
            let line = kept.unwrap_or_else(|| new_line(self.session_id, at));
            let ours = theirs.accept(direction, Some(line), CNAME);
            let ours = ours.unwrap_or_else(|| theirs.refuse());
            slots += usize::from(slot_of(&ours).is_some());
            self.sections.push(ours);
        }
    }

    /// A section of ours, numbered like the client's first one.
    fn further_section(&self, number: usize) -> Option<LocalSection> {
        let model = self.sections.iter().find_map(|section| match &section.body {
            Body::Accepted(accepted) => Some(accepted),
            Body::Refused { .. } => None,
        })?;
        let body = Body::Accepted(Accepted {
            proto: Proto::UdpTlsRtpSavpf,
            direction: Direction::SendOnly,
            slot: Some(new_line(self.session_id, number)),
            ..model.clone()
        });
        Some(LocalSection { mid: Mid::new(&format!("s{number}"))?, body })
    }

    fn describe(&self, setup: Setup, sections: Vec<LocalSection>) -> String {
        write(&Local {
            session_id: self.session_id,
            version: self.version,
            ice_ufrag: self.local.ufrag.clone(),
            ice_pwd: self.local.pwd.clone(),
            fingerprint: self.ours.fingerprint.clone(),
            setup,
            candidates: self.ours.candidates.clone(),
            sections,
        })
    }
}

fn line_of(section: &LocalSection) -> Option<&SlotLine> {
    match &section.body {
        Body::Accepted(accepted) => accepted.slot.as_ref(),
        Body::Refused { .. } => None,
    }
}

fn slot_of(section: &LocalSection) -> Option<SlotSpec> {
    let Body::Accepted(accepted) = &section.body else { return None };
    let line = accepted.slot.as_ref().filter(|_| accepted.direction.is_sending())?;
    Some(SlotSpec {
        ssrc: line.ssrc,
        payload_type: accepted.opus.payload_type,
        level_id: accepted.level_id,
        mid_id: accepted.mid_id,
        mid: section.mid.as_str().to_owned(),
    })
}

/// The slot's names: stable for the leg's life, and no person's.
fn new_line(session_id: u64, at: usize) -> SlotLine {
    let stream = format!("slot-{:08x}-{at}", session_id as u32);
    SlotLine { ssrc: random() as u32 | 1, track: format!("{stream}-voice"), stream }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).expect("aws-lc ends the process rather than fail to draw");
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::sdp::{Limits, parse};

    fn capture(name: &str) -> Remote {
        let path = format!("{}/tests/data/sdp/{name}.sdp", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        parse(&text, &Limits::default()).unwrap()
    }

    fn ours() -> Ours {
        Ours {
            fingerprint: format!("sha-256 {}", vec!["AA"; 32].join(":")),
            candidates: vec!["127.0.0.1:7880".parse().unwrap()],
            slots_max: 8,
        }
    }

    #[test]
    fn one_section_carries_both_voices() {
        let dialogue = Dialogue::open(&capture("chromium-offer-plain"), ours());
        let voice = VoiceSpec { payload_type: 111, level_id: Some(1) };
        assert_eq!(dialogue.voice(), Some(voice));
        let slots = dialogue.slots();
        assert_eq!((slots.len(), slots[0].mid.as_str(), slots[0].mid_id), (1, "0", Some(4)));
        assert!(dialogue.answer().contains("a=sendrecv"));
    }

    #[test]
    fn sections_offered_ahead_become_slots() {
        let dialogue = Dialogue::open(&capture("firefox-offer-plus4recvonly"), ours());
        assert_eq!(dialogue.slots().len(), 5);
        assert_eq!(dialogue.answer().matches("a=sendonly").count(), 4);
    }

    #[test]
    fn no_more_slots_than_allowed() {
        let few = Ours { slots_max: 2, ..ours() };
        let dialogue = Dialogue::open(&capture("firefox-offer-plus4recvonly"), few);
        assert_eq!(dialogue.slots().len(), 2);
        assert_eq!(dialogue.answer().matches("a=inactive").count(), 3);
    }

    #[test]
    fn a_listener_without_a_microphone_sends_nothing() {
        let dialogue = Dialogue::open(&capture("chromium-offer-recvonly-nomic"), ours());
        assert_eq!(dialogue.voice(), None);
        assert_eq!(dialogue.slots().len(), 1);
    }

    #[test]
    fn our_offer_adds_a_section_and_the_answer_makes_it_a_slot() {
        let mut dialogue = Dialogue::open(&capture("chromium-offer-plain"), ours());
        let offer = dialogue.offer(2);
        assert!(offer.contains("a=mid:s1") && offer.contains("a=group:BUNDLE 0 s1"));
        assert!(offer.contains("a=setup:actpass"));
        let first = dialogue.slots();
        dialogue.handle_answer(&capture("chromium-answer-to-reoffer-a-msid-ssrc-midext")).unwrap();
        let slots = dialogue.slots();
        assert_eq!((slots.len(), slots[1].mid.as_str()), (2, "s1"));
        assert_eq!(slots[0], first[0]);
    }

    #[test]
    fn an_answer_that_nobody_asked_for_changes_nothing() {
        let mut dialogue = Dialogue::open(&capture("chromium-offer-plain"), ours());
        let answer = capture("chromium-answer-to-reoffer-a-msid-ssrc-midext");
        assert_eq!(dialogue.handle_answer(&answer), Err(Unfit::NotAsked));
        dialogue.offer(3);
        assert_eq!(dialogue.handle_answer(&answer), Err(Unfit::Sections));
        assert_eq!(dialogue.slots().len(), 1);
    }

    #[test]
    fn a_new_ufrag_in_an_offer_is_an_ice_restart() {
        let first = capture("chromium-offer-plain");
        let mut dialogue = Dialogue::open(&first, ours());
        let before = dialogue.local().clone();
        assert_eq!(dialogue.handle_offer(&first), Ok(Reoffer { restart: None }));
        assert_eq!(dialogue.local(), &before);
        let again = Remote { ice_ufrag: "fresh".into(), ..first };
        let reoffer = dialogue.handle_offer(&again).unwrap();
        assert_eq!(reoffer.restart.map(|(_, ufrag)| ufrag).as_deref(), Some("fresh"));
        assert_ne!(dialogue.local(), &before);
        assert_eq!(dialogue.slots().len(), 1);
    }

    #[test]
    fn another_certificate_needs_another_leg() {
        let mut dialogue = Dialogue::open(&capture("chromium-offer-plain"), ours());
        let other = capture("chromium-offer-reneg-initial");
        assert_eq!(dialogue.handle_offer(&other), Err(Unfit::Fingerprint));
    }
}
