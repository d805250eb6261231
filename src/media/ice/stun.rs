//! STUN as ICE-lite needs it: a borrowed view of a binding request, and its two answers.
//! Knows no paths and no time. Requests are read in place, without an allocation; answers are
//! encoded by rtc-stun, and HMAC-SHA1 is that of aws-lc, with the key set up once a generation.
//! Rules: RFC 8489 (STUN), RFC 8445 section 7 (checks).

use std::net::SocketAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use rtc_stun::attributes::{
    ATTR_FINGERPRINT, ATTR_ICE_CONTROLLED, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY,
    ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType,
};
use rtc_stun::error_code::{CODE_ROLE_CONFLICT, ErrorCodeAttribute};
use rtc_stun::fingerprint::{FINGERPRINT, fingerprint_value};
use rtc_stun::message::{
    BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, MAGIC_COOKIE, Message, MessageType, Setter,
    TransactionId,
};
use rtc_stun::xoraddr::XorMappedAddress;

use super::IceDiscard;

/// A binding request, read in place. Nothing in it is proved before [`Request::is_authentic`].
pub(super) struct Request<'a> {
    datagram: &'a [u8],
    /// Names this check; the answer repeats it.
    pub(super) transaction: [u8; 12],
    /// `ours:theirs`, both ufrags.
    username: &'a [u8],
    integrity: &'a [u8],
    /// Where MESSAGE-INTEGRITY begins.
    integrity_at: usize,
    /// The client chooses this path (RFC 8445 section 8.1).
    pub(super) nominates: bool,
    /// The client believes that the server chooses paths.
    pub(super) is_controlled: bool,
}

impl<'a> Request<'a> {
    /// Reads the header and every attribute; what follows MESSAGE-INTEGRITY is not covered by it
    /// and so ignored, but for FINGERPRINT, which must be right and last (RFC 8489 section 14.5).
    pub(super) fn read(datagram: &'a [u8]) -> Result<Self, IceDiscard> {
        let transaction = header(datagram).ok_or(IceDiscard::Malformed)?;
        let (mut username, mut integrity) = (None, None);
        let (mut nominates, mut is_controlled, mut ended) = (false, false, false);
        for attribute in Attributes::of(datagram) {
            let Attribute { kind, value, at } = attribute.ok_or(IceDiscard::Malformed)?;
            if ended {
                return Err(IceDiscard::Malformed);
            }
            match kind {
                ATTR_FINGERPRINT => {
                    if value != fingerprint_value(&datagram[..at]).to_be_bytes() {
                        return Err(IceDiscard::Fingerprint);
                    }
                    ended = true;
                }
                _ if integrity.is_some() => {}
                ATTR_USERNAME => username = username.or(Some(value)),
                ATTR_MESSAGE_INTEGRITY => integrity = Some((value, at)),
                ATTR_USE_CANDIDATE => nominates = true,
                ATTR_ICE_CONTROLLED => is_controlled = true,
                ATTR_PRIORITY => {}
                AttrType(unknown) if unknown < FIRST_OPTIONAL => return Err(IceDiscard::Unknown),
                _ => {}
            }
        }
        let username = username.ok_or(IceDiscard::Malformed)?;
        let (integrity, integrity_at) = integrity.ok_or(IceDiscard::Integrity)?;
        Ok(Self {
            datagram,
            transaction,
            username,
            integrity,
            integrity_at,
            nominates,
            is_controlled,
        })
    }

    /// The user name is exactly `ours:theirs`.
    pub(super) fn is_between(&self, ours: &str, theirs: &str) -> bool {
        let rest = self.username.strip_prefix(ours.as_bytes());
        rest.and_then(|rest| rest.strip_prefix(b":")) == Some(theirs.as_bytes())
    }

    /// The sender knows our password (RFC 8489 section 14.5); compared in constant time.
    pub(super) fn is_authentic(&self, key: &hmac::Key) -> bool {
        // The length that was hashed ends with MESSAGE-INTEGRITY.
        let covered = self.integrity_at - HEADER_BYTES + ATTRIBUTE_HEADER_BYTES + INTEGRITY_BYTES;
        let Ok(covered) = u16::try_from(covered) else {
            return false;
        };
        let mut context = hmac::Context::with_key(key);
        context.update(&self.datagram[..2]);
        context.update(&covered.to_be_bytes());
        context.update(&self.datagram[4..self.integrity_at]);
        verify_slices_are_equal(context.sign().as_ref(), self.integrity).is_ok()
    }
}

/// Our ufrag, as named in the USERNAME of a binding request. Looks at bytes only and allocates
/// nothing; `None` = not a well-formed binding request.
pub fn addressed_ufrag(datagram: &[u8]) -> Option<&[u8]> {
    header(datagram)?;
    let mut username = None;
    for attribute in Attributes::of(datagram) {
        match attribute? {
            Attribute { kind: ATTR_MESSAGE_INTEGRITY, .. } => break,
            Attribute { kind: ATTR_USERNAME, value, .. } => username = username.or(Some(value)),
            _ => {}
        }
    }
    let username = username?;
    let colon = username.iter().position(|byte| *byte == b':')?;
    Some(&username[..colon])
}

/// The answer to a check that was taken: the address it came from (RFC 8445 section 7.3).
pub(super) fn write_success(
    reply: &mut Vec<u8>,
    transaction: [u8; 12],
    from: SocketAddr,
    key: &hmac::Key,
) {
    let mapped = XorMappedAddress { ip: from.ip(), port: from.port() };
    write(reply, BINDING_SUCCESS, transaction, &mapped, key);
}

/// 487: the client is to choose paths (RFC 8445 section 7.3.1.1; a lite agent never does).
pub(super) fn write_role_conflict(reply: &mut Vec<u8>, transaction: [u8; 12], key: &hmac::Key) {
    let conflict =
        ErrorCodeAttribute { code: CODE_ROLE_CONFLICT, reason: b"Role Conflict".to_vec() };
    write(reply, BINDING_ERROR, transaction, &conflict, key);
}

fn write(
    reply: &mut Vec<u8>,
    kind: MessageType,
    transaction: [u8; 12],
    body: &dyn Setter,
    key: &hmac::Key,
) {
    let mut message = Message { raw: std::mem::take(reply), ..Message::default() };
    message.raw.clear();
    message.typ = kind;
    message.transaction_id = TransactionId(transaction);
    message.write_header();
    body.add_to(&mut message).expect("an IP address and a short reason always fit");
    // RFC 8489 section 14.5: hashed with the length that MESSAGE-INTEGRITY will lead to.
    let plain_length = message.length;
    message.length += (ATTRIBUTE_HEADER_BYTES + INTEGRITY_BYTES) as u32;
    message.write_length();
    let tag = hmac::sign(key, &message.raw);
    message.length = plain_length;
    message.add(ATTR_MESSAGE_INTEGRITY, tag.as_ref());
    FINGERPRINT.add_to(&mut message).expect("a checksum always fits");
    *reply = message.raw;
}

/// The transaction id of a binding request whose length is true (RFC 8489 section 5).
fn header(datagram: &[u8]) -> Option<[u8; 12]> {
    let (header, attributes) = datagram.split_first_chunk::<HEADER_BYTES>()?;
    let is_request = header[..2] == BINDING_REQUEST.value().to_be_bytes();
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let is_whole = length == attributes.len() && length.is_multiple_of(4);
    let has_cookie = header[4..8] == MAGIC_COOKIE.to_be_bytes();
    let is_small = datagram.len() <= DATAGRAM_BYTES_MAX;
    let mut transaction = [0; 12];
    transaction.copy_from_slice(&header[8..]);
    (is_request && is_whole && has_cookie && is_small).then_some(transaction)
}

struct Attribute<'a> {
    kind: AttrType,
    value: &'a [u8],
    /// Its offset in the datagram.
    at: usize,
}

/// Yields `None` once, and ends, where an attribute is longer than the datagram.
struct Attributes<'a> {
    datagram: &'a [u8],
    at: usize,
}

impl<'a> Attributes<'a> {
    /// Of a datagram that has a [`header`].
    fn of(datagram: &'a [u8]) -> Self {
        Self { datagram, at: HEADER_BYTES }
    }

    fn read(&self) -> Option<Attribute<'a>> {
        let (head, rest) =
            self.datagram[self.at..].split_first_chunk::<ATTRIBUTE_HEADER_BYTES>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let kind = AttrType(u16::from_be_bytes([head[0], head[1]]));
        // Attributes are padded to four bytes (RFC 8489 section 14).
        rest.get(..length.next_multiple_of(4))?;
        Some(Attribute { kind, value: &rest[..length], at: self.at })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Option<Attribute<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.datagram.len() {
            return None;
        }
        let attribute = self.read();
        self.at = match &attribute {
            Some(read) => self.at + ATTRIBUTE_HEADER_BYTES + read.value.len().next_multiple_of(4),
            None => self.datagram.len(),
        };
        Some(attribute)
    }
}

/// RFC 8489 section 5.
const HEADER_BYTES: usize = 20;
/// Type and length.
const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// HMAC-SHA1.
const INTEGRITY_BYTES: usize = 20;
/// Attributes from here on may be ignored by who does not know them (RFC 8489 section 14).
const FIRST_OPTIONAL: u16 = 0x8000;
/// A check is about 100 bytes; the smallest MTU of IPv6 is what may come at most.
const DATAGRAM_BYTES_MAX: usize = 1280;
