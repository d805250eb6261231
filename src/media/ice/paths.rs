//! The addresses of one leg: which are the client's, since when, and which of them is the path.
//! Knows no STUN: everything that arrives here has been authenticated.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::IceDiscard;

/// Validated addresses, in the order of their first check, and the transactions that came of late.
#[derive(Default)]
pub(super) struct Paths {
    tuples: Vec<Tuple>,
    nominated: Option<SocketAddr>,
    /// At most [`TRANSACTIONS_MAX`]; the oldest is overwritten.
    transactions: Vec<Transaction>,
    oldest_transaction: usize,
    next_tuple: u32,
}

struct Tuple {
    address: SocketAddr,
    id: u32,
    generation: Age,
    checked: Instant,
    valid_until: Instant,
}

/// Whether an address was checked since the last ICE restart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Current,
    Former,
}

struct Transaction {
    id: [u8; 12],
    tuple: u32,
}

impl Paths {
    pub(super) fn selected(&self) -> Option<SocketAddr> {
        self.nominated.or_else(|| self.addresses().next())
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.tuples.iter().map(|tuple| tuple.address)
    }

    pub(super) fn valid_until(&self, address: SocketAddr) -> Option<Instant> {
        self.find(address).map(|tuple| tuple.valid_until)
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.tuples.iter().map(|tuple| tuple.valid_until).min()
    }

    /// The check came before, from this address: it is answered again and changes nothing.
    /// From another address it is a copy that somebody else sent, which integrity cannot tell,
    /// since it does not cover the sender's address.
    pub(super) fn is_repeat(&self, id: [u8; 12], from: SocketAddr) -> Result<bool, IceDiscard> {
        let Some(seen) = self.transactions.iter().find(|seen| seen.id == id) else {
            return Ok(false);
        };
        match self.find(from) {
            Some(tuple) if tuple.id == seen.tuple => Ok(true),
            Some(_) | None => Err(IceDiscard::Replayed),
        }
    }

    pub(super) fn note_transaction(&mut self, id: [u8; 12], from: SocketAddr) {
        let Some(tuple) = self.find(from).map(|tuple| tuple.id) else {
            return;
        };
        let transaction = Transaction { id, tuple };
        if self.transactions.len() < TRANSACTIONS_MAX {
            self.transactions.push(transaction);
        } else {
            self.transactions[self.oldest_transaction] = transaction;
            self.oldest_transaction = (self.oldest_transaction + 1) % TRANSACTIONS_MAX;
        }
    }

    /// Notes a check from an address; true where the address is new. A ninth evicts the one that
    /// was silent longest, never the path.
    pub(super) fn validate(
        &mut self,
        now: Instant,
        address: SocketAddr,
        is_current: bool,
        evicted: &mut Vec<SocketAddr>,
    ) -> bool {
        let valid_until = now + CONSENT_FOR;
        if let Some(tuple) = self.tuples.iter_mut().find(|tuple| tuple.address == address) {
            tuple.checked = now;
            tuple.valid_until = valid_until;
            if is_current {
                tuple.generation = Age::Current;
            }
            return false;
        }
        if self.tuples.len() == TUPLES_MAX {
            evicted.extend(self.evict_most_silent());
        }
        let generation = if is_current { Age::Current } else { Age::Former };
        let id = self.next_tuple;
        self.next_tuple = self.next_tuple.wrapping_add(1);
        self.tuples.push(Tuple { address, id, generation, checked: now, valid_until });
        true
    }

    /// Makes a validated address the path; the former path stays valid for 10 s.
    pub(super) fn nominate(&mut self, now: Instant, address: SocketAddr) {
        let former = self.selected().filter(|former| *former != address);
        if let Some(tuple) = self.tuples.iter_mut().find(|tuple| Some(tuple.address) == former) {
            tuple.valid_until = tuple.valid_until.min(now + FORMER_PATH_FOR);
        }
        self.nominated = Some(address);
    }

    /// What is known now belongs to the generation before.
    pub(super) fn restart(&mut self) {
        for tuple in &mut self.tuples {
            tuple.generation = Age::Former;
        }
    }

    /// Forgets what was not checked since the restart.
    pub(super) fn end_former(&mut self, evicted: &mut Vec<SocketAddr>) {
        self.retain(evicted, |tuple| tuple.generation == Age::Current);
    }

    /// Forgets what has no consent any more.
    pub(super) fn expire(&mut self, now: Instant, evicted: &mut Vec<SocketAddr>) {
        self.retain(evicted, |tuple| now < tuple.valid_until);
    }

    fn find(&self, address: SocketAddr) -> Option<&Tuple> {
        self.tuples.iter().find(|tuple| tuple.address == address)
    }

    fn evict_most_silent(&mut self) -> Option<SocketAddr> {
        let path = self.selected();
        let others =
            self.tuples.iter().enumerate().filter(|(_, tuple)| Some(tuple.address) != path);
        let (index, _) = others.min_by_key(|(_, tuple)| tuple.checked)?;
        Some(self.tuples.remove(index).address)
    }

    fn retain(&mut self, evicted: &mut Vec<SocketAddr>, stays: impl Fn(&Tuple) -> bool) {
        evicted.extend(self.tuples.iter().filter(|tuple| !stays(tuple)).map(|t| t.address));
        self.tuples.retain(|tuple| stays(tuple));
        self.nominated = self.nominated.filter(|address| self.find(*address).is_some());
    }
}

/// RFC 7675 section 5.1.
const CONSENT_FOR: Duration = Duration::from_secs(30);
/// Packets that were under way, and a client that changes its mind, find the former path alive.
const FORMER_PATH_FOR: Duration = Duration::from_secs(10);
/// A phone on Wi-Fi and mobile network with IPv4 and IPv6 needs 4; each costs a map entry.
const TUPLES_MAX: usize = 8;
/// Two and a half minutes of a browser's checks, 1 KiB. A copy of an older check that somebody on
/// the way kept can move the path, until the client's next check moves it back.
const TRANSACTIONS_MAX: usize = 64;
