//! Reads a whole description: limits first, then its lines, then whether its sections agree.

use std::io::Cursor;

use rtc_sdp::SessionDescription;

use super::malformed::Transport as Differs;
use super::section::Attributes;
use super::transport::Transport;
use super::{Limits, Malformed, Media, Mid, Remote, Section, Setup};

/// What a client offers.
///
/// The transport is that of the first usable section of the BUNDLE; values that a section lacks are
/// those of the session.
///
/// # Errors
/// Over a limit, not SDP, or nothing that this server could connect to; see [`Malformed`].
pub fn parse(text: &str, limits: &Limits) -> Result<Remote, Malformed> {
    let remote = parse_answer(text, limits)?;
    match remote.setup {
        Setup::Active | Setup::Actpass => Ok(remote),
        Setup::Passive => Err(Malformed::BadSetup),
    }
}

/// What a client answers to our offer. Its association stands by then and keeps its roles (RFC
/// 8842 section 5), whatever a=setup says: Pion and the `webrtc` crate say passive to a lite agent.
///
/// # Errors
/// As [`parse`].
pub fn parse_answer(text: &str, limits: &Limits) -> Result<Remote, Malformed> {
    let remote = read(text, limits)?;
    if remote.ice_lite { Err(Malformed::IceLite) } else { Ok(remote) }
}

/// Any description of this profile, a lite and passive agent's (such as our own) included.
pub(super) fn read(text: &str, limits: &Limits) -> Result<Remote, Malformed> {
    limits.check(text)?;
    let description =
        SessionDescription::unmarshal(&mut Cursor::new(text)).map_err(|_| Malformed::Syntax)?;
    let session = &description.attributes;
    let bundle = read_bundle(&description);
    let mut sections = Vec::with_capacity(description.media_descriptions.len());
    for media in &description.media_descriptions {
        let attributes = Attributes { session, media: &media.attributes };
        sections.push(Section::read(media, &attributes, &bundle)?);
    }
    check_mids(&sections)?;
    let first = first_usable(&sections)?;
    check_extmaps(&sections)?;

    let attributes = |index: usize| Attributes {
        session,
        media: &description.media_descriptions[index].attributes,
    };
    let transport = Transport::read(&attributes(first))?;
    let bundled = |section: &Section| section.is_usable() && section.in_bundle;
    for (index, _) in sections.iter().enumerate().filter(|(_, section)| bundled(section)) {
        check_agreement(&transport, &Transport::read(&attributes(index))?)?;
    }
    if transport.fingerprints.is_empty() {
        return Err(Malformed::NoFingerprint);
    }
    let has = |key: &str| session.iter().any(|attribute| attribute.key == key);
    Ok(Remote {
        ice_ufrag: transport.ice_ufrag.ok_or(Malformed::NoIce)?,
        ice_pwd: transport.ice_pwd.ok_or(Malformed::NoIce)?,
        fingerprints: transport.fingerprints,
        setup: transport.setup.ok_or(Malformed::BadSetup)?,
        end_of_candidates: has(END_OF_CANDIDATES) || attributes(first).has_own(END_OF_CANDIDATES),
        ice_lite: has("ice-lite"),
        sections,
    })
}

/// The names in the first BUNDLE group; what is no mid names no section.
fn read_bundle(description: &SessionDescription) -> Vec<Mid> {
    let groups = description.attributes.iter().filter(|attribute| attribute.key == "group");
    let mut values = groups.filter_map(|attribute| attribute.value.as_deref());
    let bundle = values.find_map(|value| {
        let mut words = value.split_whitespace();
        (words.next() == Some("BUNDLE")).then_some(words)
    });
    bundle.into_iter().flatten().filter_map(Mid::new).collect()
}

/// Mids are unique, and none is missing where it would be needed to tell sections apart.
fn check_mids(sections: &[Section]) -> Result<(), Malformed> {
    for (index, section) in sections.iter().enumerate() {
        if section.mid.is_empty() {
            if sections.len() > 1 && !section.rejected {
                return Err(Malformed::NoMid);
            }
        } else if sections[..index].iter().any(|earlier| earlier.mid == section.mid) {
            return Err(Malformed::BadMid);
        }
    }
    Ok(())
}

fn first_usable(sections: &[Section]) -> Result<usize, Malformed> {
    let is_audio = |section: &Section| section.media == Media::Audio && !section.rejected;
    if !sections.iter().any(is_audio) {
        return Err(Malformed::NoAudio);
    }
    sections
        .iter()
        .position(|section| section.is_usable() && section.in_bundle)
        .or_else(|| sections.iter().position(Section::is_usable))
        .ok_or(Malformed::NoOpus)
}

/// An id means the same in every section of a bundle (RFC 9143 section 9).
fn check_extmaps(sections: &[Section]) -> Result<(), Malformed> {
    let (mut level, mut mid) = (None, None);
    for section in sections.iter().filter(|section| section.is_usable() && section.in_bundle) {
        level = level.or(section.level_id);
        mid = mid.or(section.mid_id);
        let differs = |ours: Option<u8>, common| ours.is_some() && ours != common;
        if differs(section.level_id, level) || differs(section.mid_id, mid) {
            return Err(Malformed::BadExtmap);
        }
    }
    if level.is_some() && level == mid { Err(Malformed::BadExtmap) } else { Ok(()) }
}

fn check_agreement(first: &Transport, other: &Transport) -> Result<(), Malformed> {
    let ufrag = other.ice_ufrag.is_some() && other.ice_ufrag != first.ice_ufrag;
    let pwd = other.ice_pwd.is_some() && other.ice_pwd != first.ice_pwd;
    if ufrag || pwd {
        return Err(Malformed::Contradiction(Differs::Ice));
    }
    if !other.fingerprints.is_empty() && other.fingerprints != first.fingerprints {
        return Err(Malformed::Contradiction(Differs::Fingerprint));
    }
    if other.setup.is_some() && other.setup != first.setup {
        return Err(Malformed::Contradiction(Differs::Setup));
    }
    Ok(())
}

const END_OF_CANDIDATES: &str = "end-of-candidates";
