//! ICE-lite: answers the checks of one leg's client and so learns where its media goes.
//!
//! Decides which addresses are the client's (only a check that is authenticated by our password
//! adds one), which of them is the path, and when consent ends. Sends nothing of its own accord and
//! never looks at an address that a client wrote. Must not know sockets, clocks or calls: time and
//! addresses come in with each datagram, what changed goes out as [`Changes`].
//! Rules: RFC 8445 (lite agents: sections 2.5 and 7.3), RFC 7675 (consent).

mod paths;
mod stun;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aws_lc_rs::{hmac, rand};

use paths::Paths;
pub use stun::addressed_ufrag;
use stun::{Request, write_role_conflict, write_success};

/// What a client must know to check us, in the session description and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// 16 characters of `a-z0-9`, 82 random bits: found in the demux before any HMAC, so it must
    /// not be guessed (RFC 8445 section 5.3 asks 24 bits).
    pub ufrag: String,
    /// 32 characters of `a-z0-9`, 165 random bits (RFC 8445 section 5.3 asks 128).
    pub pwd: String,
}

impl Credentials {
    /// Fresh ones, for a new leg or an ICE restart.
    pub fn random() -> Self {
        Self { ufrag: random_text(16), pwd: random_text(32) }
    }
}

/// Never shows the password: descriptions of state end up in logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// What became of a check that was authenticated; in each case the reply is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Check {
    /// From a known address, and nothing changed but the time of consent.
    Alive,
    /// The addresses, the path or the generation changed.
    Changed(Changes),
    /// The client believes that we choose the path; the reply tells it to (487). Nothing changed.
    RoleConflict,
}

/// What the worker's map of addresses and ufrags must follow, `evicted` before `added`: an address
/// whose consent ended and that checks again is in both.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "the worker's map of addresses must follow"]
pub struct Changes {
    /// From now on the leg's.
    pub added: Option<SocketAddr>,
    /// No longer the leg's.
    pub evicted: Vec<SocketAddr>,
    /// Media goes elsewhere.
    pub moved: Option<Move>,
    /// Our ufrag of a generation that is over.
    pub ended_ufrag: Option<String>,
}

impl Changes {
    /// Nothing to follow.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A change of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Where media went.
    pub from: Option<SocketAddr>,
    /// Where it goes; `None`: nowhere, for want of consent.
    pub to: Option<SocketAddr>,
}

/// Why a datagram was dropped without an answer (RFC 8445 section 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceDiscard {
    /// Not a whole binding request of at most 1,280 bytes.
    Malformed,
    /// FINGERPRINT is there and wrong.
    Fingerprint,
    /// Not between our ufrag and the client's.
    Username,
    /// MESSAGE-INTEGRITY is missing or wrong.
    Integrity,
    /// An attribute that may not be ignored and that we do not know.
    Unknown,
    /// A check that came before, from another address.
    Replayed,
    /// Over 50 checks a second.
    TooFast,
}

impl IceDiscard {
    /// The reason as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Malformed => "stun_malformed",
            Self::Fingerprint => "stun_fingerprint",
            Self::Username => "stun_username",
            Self::Integrity => "stun_integrity",
            Self::Unknown => "stun_unknown_attribute",
            Self::Replayed => "stun_replayed",
            Self::TooFast => "stun_too_fast",
        }
    }
}

/// The ICE agent of one leg.
pub struct IceLite {
    current: Generation,
    /// Boxed: most legs never restart.
    former: Option<Box<Former>>,
    paths: Paths,
    pace: Pace,
}

impl IceLite {
    /// An agent that knows no address yet.
    pub fn new(local: Credentials, remote_ufrag: String) -> Self {
        Self {
            current: Generation { local, remote_ufrag },
            former: None,
            paths: Paths::default(),
            pace: Pace { full_at: None },
        }
    }

    /// The credentials of the newest generation.
    pub fn local(&self) -> &Credentials {
        &self.current.local
    }

    /// Our ufrag before the last restart, while checks for it are still answered.
    pub fn former_ufrag(&self) -> Option<&str> {
        self.former.as_ref().map(|former| former.generation.local.ufrag.as_str())
    }

    /// ICE restart (RFC 8445 section 9). The former generation, its addresses and the path stay
    /// valid until a path of the new one is nominated, or for 10 s.
    pub fn restart(&mut self, now: Instant, local: Credentials, remote_ufrag: String) -> Changes {
        let mut changes = self.handle_timeout(now);
        let generation = std::mem::replace(&mut self.current, Generation { local, remote_ufrag });
        let older = self.former.replace(Box::new(Former { generation, until: now + FORMER_FOR }));
        if let Some(older) = older {
            changes.ended_ufrag = Some(older.generation.local.ufrag);
        }
        self.paths.restart();
        changes
    }

    /// Takes a STUN datagram. `reply` is cleared, and filled only where the check is authentic.
    ///
    /// # Errors
    /// Anything but an authentic check is dropped without an answer and changes nothing.
    pub fn handle_request(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        reply: &mut Vec<u8>,
    ) -> Result<Check, IceDiscard> {
        reply.clear();
        let from = canonical(from);
        let request = Request::read(datagram)?;
        let former = self.former.as_ref().filter(|former| now < former.until);
        let mut generations =
            std::iter::once(&self.current).chain(former.map(|former| &former.generation));
        let generation = generations
            .find(|generation| generation.is_asked(&request))
            .ok_or(IceDiscard::Username)?;
        let key = generation.key();
        if !request.is_authentic(&key) {
            return Err(IceDiscard::Integrity);
        }
        let is_repeat = self.paths.is_repeat(request.transaction, from)?;
        self.pace.take(now)?;
        if request.is_controlled {
            write_role_conflict(reply, request.transaction, &key);
            return Ok(Check::RoleConflict);
        }
        write_success(reply, request.transaction, from, &key);
        if is_repeat {
            return Ok(Check::Alive);
        }
        let is_current = std::ptr::eq(generation, &self.current);
        let changes = self.take_check(now, from, &request, is_current);
        Ok(if changes.is_empty() { Check::Alive } else { Check::Changed(changes) })
    }

    /// Ends what is over: addresses without consent, the generation before a restart.
    pub fn handle_timeout(&mut self, now: Instant) -> Changes {
        let before = self.path();
        let mut changes = Changes::default();
        if self.former.as_ref().is_some_and(|former| former.until <= now) {
            self.end_former(&mut changes);
        }
        self.paths.expire(now, &mut changes.evicted);
        self.note_move(before, &mut changes);
        changes
    }

    /// When [`Self::handle_timeout`] has something to do, if no check comes before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let former = self.former.as_ref().map(|former| former.until);
        former.into_iter().chain(self.paths.next_expiry()).min()
    }

    /// Where media goes: the newest nominated address, before that the first validated one.
    pub fn path(&self) -> Option<SocketAddr> {
        self.paths.selected()
    }

    /// The leg's addresses, oldest first, at most 8.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.paths.addresses()
    }

    /// The address is the client's at this time.
    pub fn is_valid(&self, now: Instant, address: SocketAddr) -> bool {
        self.paths.valid_until(canonical(address)).is_some_and(|until| now < until)
    }

    /// The client agreed to receive on the path until then: 30 s after the last authentic check
    /// on it (RFC 7675 section 5.1).
    pub fn consent_until(&self) -> Option<Instant> {
        self.path().and_then(|path| self.paths.valid_until(path))
    }

    fn take_check(
        &mut self,
        now: Instant,
        from: SocketAddr,
        request: &Request<'_>,
        is_current: bool,
    ) -> Changes {
        let before = self.path();
        let mut changes = self.handle_timeout(now);
        if self.paths.validate(now, from, is_current, &mut changes.evicted) {
            changes.added = Some(from);
        }
        self.paths.note_transaction(request.transaction, from);
        if request.nominates {
            self.paths.nominate(now, from);
            if is_current {
                self.end_former(&mut changes);
            }
        }
        self.note_move(before, &mut changes);
        changes
    }

    fn end_former(&mut self, changes: &mut Changes) {
        if let Some(former) = self.former.take() {
            changes.ended_ufrag = Some(former.generation.local.ufrag);
            self.paths.end_former(&mut changes.evicted);
        }
    }

    fn note_move(&self, from: Option<SocketAddr>, changes: &mut Changes) {
        let to = self.path();
        changes.moved = (from != to).then_some(Move { from, to });
    }
}

/// The one form of an address: IPv4 that a dual-stack socket shows as IPv6 is IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(mut v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => {
                v6.set_flowinfo(0);
                SocketAddr::V6(v6)
            }
        },
    }
}

/// Both ufrags and our password, from one offer to the next ICE restart.
struct Generation {
    local: Credentials,
    remote_ufrag: String,
}

impl Generation {
    /// Made for each check: it has a kilobyte, and a browser checks every second or third second.
    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.local.pwd.as_bytes())
    }

    fn is_asked(&self, request: &Request<'_>) -> bool {
        request.is_between(&self.local.ufrag, &self.remote_ufrag)
    }
}

/// The generation before a restart.
struct Former {
    generation: Generation,
    until: Instant,
}

/// At most 50 checks at once and 50 a second. Only authentic ones count: forged ones must not be
/// able to use up the client's.
struct Pace {
    /// When the whole allowance is there again; `None`: since ever.
    full_at: Option<Instant>,
}

impl Pace {
    fn take(&mut self, now: Instant) -> Result<(), IceDiscard> {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + CHECK_EVERY;
        if full_at.duration_since(now) > CHECK_EVERY * CHECKS_AT_ONCE {
            return Err(IceDiscard::TooFast);
        }
        self.full_at = Some(full_at);
        Ok(())
    }
}

/// Every character is equally likely: bytes beyond a multiple of the alphabet are drawn again.
fn random_text(length: usize) -> String {
    let fair = ALPHABET.len() * (256 / ALPHABET.len());
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 32];
    while text.len() < length {
        rand::fill(&mut bytes).expect("aws-lc ends the process rather than fail to draw");
        let drawn = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        let characters = drawn.map(|byte| char::from(ALPHABET[byte % ALPHABET.len()]));
        text.extend(characters.take(length - text.len()));
    }
    text
}

/// Characters that need no quoting anywhere.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// Long enough for any client to nominate after it got our answer.
const FORMER_FOR: Duration = Duration::from_secs(10);
/// A client with 8 candidates, each checked every 20 ms (RFC 8445 section 14.2), stays below 50/s.
const CHECK_EVERY: Duration = Duration::from_millis(20);
/// One second's worth.
const CHECKS_AT_ONCE: u32 = 50;
