//! The gate in front of every listener: how many connections there are, how many of them have not
//! shown yet who they are, and how often one address may show a wrong token. What is beyond a
//! limit is turned away or waits, and is counted; nobody else notices.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::counters::Counter;
use crate::core::Jid;
use crate::core::sockets::bucket::{Buckets, Pace};
use crate::limits::{
    CONNECTIONS_MAX, FAILURES_PER_MIN, REQUESTS_PER_S, STRANGER_WAIT_MAX, STRANGERS_MAX,
    STRANGERS_PER_ADDRESS, STRANGERS_WAITING_FOR_EACH,
};
use crate::wire::http::{ErrorCode, HttpError};

/// What may come through.
#[derive(Clone, Debug)]
pub struct GateLimits {
    pub connections_max: usize,
    /// Connections at once that have not shown who they are. More wait.
    pub strangers_max: usize,
    /// Of these, from one address that is no proxy of ours.
    pub strangers_per_address: usize,
    /// How long one of more waits.
    pub wait: Duration,
    /// Wrong tokens of one address.
    pub failures: Pace,
    /// Requests with one token.
    pub requests: Pace,
    /// Whose word on where a request comes from is believed (`X-Forwarded-For`).
    pub proxies: Vec<IpAddr>,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            strangers_max: STRANGERS_MAX,
            strangers_per_address: STRANGERS_PER_ADDRESS,
            wait: STRANGER_WAIT_MAX,
            failures: per_minute(FAILURES_PER_MIN),
            requests: Pace::new(REQUESTS_PER_S, REQUESTS_PER_S),
            proxies: Vec::new(),
        }
    }
}

/// So many in any minute's beginning, and no more than that in the long run.
pub fn per_minute(count: u32) -> Pace {
    Pace { refill: Duration::from_secs(60) / count.max(1), burst: count }
}

/// Why something was turned away; the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// There were as many connections as there may be.
    Connection,
    /// It waited in vain among those who have not shown who they are.
    Stranger,
    /// No request came on the connection in time, or none that could be read.
    Silent,
    /// The request's head had too many fields or bytes.
    Head,
    /// Its body was too long.
    Body,
    /// Wrong tokens came too often from that address.
    Failures,
    /// Requests with that token came too fast.
    Requests,
    /// It was not answered in time.
    Slow,
}

/// See the module's words.
pub struct Gate {
    limits: GateLimits,
    places: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    /// Those of each address, waiting ones among them.
    addresses: Mutex<HashMap<IpAddr, Address>>,
    failures: Mutex<Buckets<IpAddr>>,
    requests: Mutex<Buckets<Jid>>,
    turned: [Counter; Turned::ALL.len()],
}

/// One connection, for as long as anything of it lives.
#[derive(Clone)]
pub struct Guest(Arc<Held>);

struct Held {
    gate: Arc<Gate>,
    address: IpAddr,
    has_asked: AtomicBool,
    /// It has shown a certificate that our authority signed.
    is_certified: AtomicBool,
    /// Given back once it has shown who it is.
    stranger: Mutex<Option<Stranger>>,
    _place: OwnedSemaphorePermit,
}

/// The strangers of one address.
struct Address {
    places: Arc<Semaphore>,
    /// Who holds one of them, or waits for one.
    count: usize,
}

/// A place among those who have not shown who they are.
struct Stranger {
    _of_address: Option<(Waiting, OwnedSemaphorePermit)>,
    _of_all: OwnedSemaphorePermit,
}

/// One of an address, until it is dropped.
struct Waiting {
    gate: Arc<Gate>,
    network: IpAddr,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut addresses = lock(&self.gate.addresses);
        if let Some(address) = addresses.get_mut(&self.network) {
            address.count -= 1;
            if address.count == 0 {
                addresses.remove(&self.network);
            }
        }
    }
}

impl Turned {
    pub const ALL: [Self; 8] = [
        Self::Connection,
        Self::Stranger,
        Self::Silent,
        Self::Head,
        Self::Body,
        Self::Failures,
        Self::Requests,
        Self::Slow,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connections",
            Self::Stranger => "strangers",
            Self::Silent => "silent",
            Self::Head => "head",
            Self::Body => "body",
            Self::Failures => "wrong_tokens",
            Self::Requests => "requests",
            Self::Slow => "slow",
        }
    }
}

impl Gate {
    pub fn new(limits: GateLimits) -> Arc<Gate> {
        let now = Instant::now();
        Arc::new(Gate {
            places: Arc::new(Semaphore::new(limits.connections_max)),
            strangers: Arc::new(Semaphore::new(limits.strangers_max)),
            addresses: Mutex::default(),
            failures: Mutex::new(Buckets::new(now, limits.failures)),
            requests: Mutex::new(Buckets::new(now, limits.requests)),
            turned: Default::default(),
            limits,
        })
    }

    /// Counts one that was turned away.
    pub fn turn(&self, why: Turned) {
        self.turned[why as usize].add(1);
    }

    pub fn turned(&self, why: Turned) -> u64 {
        self.turned[why as usize].read()
    }

    /// Connections open now.
    pub fn connections(&self) -> u64 {
        (self.limits.connections_max - self.places.available_permits()) as u64
    }

    /// Notes a wrong token.
    ///
    /// # Errors
    /// `RATE_LIMIT`: that address has shown too many. Whoever shows a good one is let in all the
    /// same, as many people may share an address.
    pub fn fail(&self, address: IpAddr) -> Result<(), HttpError> {
        if lock(&self.failures).take(Instant::now(), network(address)) {
            return Ok(());
        }
        self.turn(Turned::Failures);
        Err(HttpError::because(ErrorCode::RateLimit, "too many wrong tokens from your address"))
    }

    /// Notes a request by somebody who is known.
    ///
    /// # Errors
    /// `RATE_LIMIT`.
    pub fn ask(&self, who: Jid) -> Result<(), HttpError> {
        if lock(&self.requests).take(Instant::now(), who) {
            return Ok(());
        }
        self.turn(Turned::Requests);
        Err(HttpError::because(ErrorCode::RateLimit, "too many requests a second"))
    }

    /// A place for somebody from there, once there is one; `None` where too many wait already.
    async fn stranger(self: Arc<Self>, address: IpAddr) -> Option<Stranger> {
        let of_address = match self.limits.proxies.contains(&address) {
            true => None,
            false => {
                let (waiting, places) = self.clone().wait(network(address))?;
                Some((waiting, places.acquire_owned().await.ok()?))
            }
        };
        let of_all = self.strangers.clone().acquire_owned().await.ok()?;
        Some(Stranger { _of_address: of_address, _of_all: of_all })
    }

    fn wait(self: Arc<Self>, network: IpAddr) -> Option<(Waiting, Arc<Semaphore>)> {
        let most = self.limits.strangers_per_address;
        let places = {
            let mut addresses = lock(&self.addresses);
            let fresh = || Address { places: Arc::new(Semaphore::new(most)), count: 0 };
            let address = addresses.entry(network).or_insert_with(fresh);
            if address.count >= most * STRANGERS_WAITING_FOR_EACH {
                return None;
            }
            address.count += 1;
            address.places.clone()
        };
        Some((Waiting { gate: self, network }, places))
    }

    /// A connection that comes in; `None` where there is no place.
    pub async fn admit(self: Arc<Self>, address: IpAddr) -> Option<Guest> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            self.turn(Turned::Connection);
            return None;
        };
        let stranger = timeout(self.limits.wait, self.clone().stranger(address)).await;
        let Ok(Some(stranger)) = stranger else {
            self.turn(Turned::Stranger);
            return None;
        };
        Some(Guest(Arc::new(Held {
            gate: self,
            address,
            has_asked: AtomicBool::new(false),
            is_certified: AtomicBool::new(false),
            stranger: Mutex::new(Some(stranger)),
            _place: place,
        })))
    }
}

impl Guest {
    pub fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// It has sent a request.
    pub fn asked(&self) {
        self.0.has_asked.store(true, Ordering::Relaxed);
    }

    /// It has shown a certificate, and the handshake proved that it is its own.
    pub fn certified(&self) {
        self.0.is_certified.store(true, Ordering::Relaxed);
    }

    pub fn is_certified(&self) -> bool {
        self.0.is_certified.load(Ordering::Relaxed)
    }

    /// It has shown who it is: another stranger may come in.
    pub fn known(&self) {
        // Its place is given back outside of the lock.
        let stranger = lock(&self.0.stranger).take();
        drop(stranger);
    }

    pub fn is_known(&self) -> bool {
        lock(&self.0.stranger).is_none()
    }

    /// Where a request comes from: its connection's other end, or whom a proxy of ours names.
    pub fn origin(&self, headers: &HeaderMap) -> IpAddr {
        let named = || {
            let told = headers.get_all("x-forwarded-for").into_iter().next_back()?.to_str().ok()?;
            told.rsplit(',').next()?.trim().parse().ok()
        };
        let is_proxy = self.0.gate.limits.proxies.contains(&self.0.address);
        is_proxy.then(named).flatten().unwrap_or(self.0.address)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.has_asked.load(Ordering::Relaxed) {
            self.gate.turn(Turned::Silent);
        }
    }
}

/// One subscriber's line: of IPv6 the first 64 bits (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(whole) => IpAddr::V6((whole.to_bits() >> 64 << 64).into()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain data: whoever panicked left it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(connections_max: usize, strangers_max: usize) -> Arc<Gate> {
        waiting(Duration::ZERO, connections_max, strangers_max)
    }

    fn waiting(wait: Duration, connections_max: usize, strangers_max: usize) -> Arc<Gate> {
        let pace = Pace { refill: Duration::from_secs(3_600), burst: 2 };
        let (failures, requests) = (pace, pace);
        let proxies = vec!["10.0.0.1".parse().unwrap()];
        let strangers_per_address = 2;
        Gate::new(GateLimits {
            connections_max,
            strangers_max,
            strangers_per_address,
            wait,
            failures,
            requests,
            proxies,
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn one_connection_more_than_there_are_places_is_turned_away() {
        let gate = gate(2, 9);
        let first = gate.clone().admit(ip("192.0.2.1")).await.unwrap();
        let _second = gate.clone().admit(ip("192.0.2.1")).await.unwrap();
        assert_eq!(gate.connections(), 2);
        assert!(gate.clone().admit(ip("192.0.2.1")).await.is_none());
        assert_eq!(gate.turned(Turned::Connection), 1);
        drop(first);
        assert!(gate.clone().admit(ip("192.0.2.1")).await.is_some());
    }

    #[tokio::test]
    async fn a_stranger_too_many_waits_for_one_to_become_known_and_not_for_ever() {
        let gate = gate(9, 1);
        let first = gate.clone().admit(ip("192.0.2.1")).await.unwrap();
        assert!(gate.clone().admit(ip("192.0.2.2")).await.is_none());
        assert_eq!(gate.turned(Turned::Stranger), 1);
        drop(first);
        let gate = waiting(crate::signal::PATIENCE, 9, 1);
        let first = gate.clone().admit(ip("192.0.2.1")).await.unwrap();
        let waits = tokio::spawn(gate.clone().admit(ip("192.0.2.2")));
        tokio::task::yield_now().await;
        first.known();
        assert!(waits.await.unwrap().is_some());
    }

    #[tokio::test]
    async fn one_address_takes_no_more_places_of_strangers_than_its_own() {
        let gate = gate(99, 9);
        let from = |address: &str| gate.clone().admit(ip(address));
        let first = from("192.0.2.1").await.unwrap();
        let _second = from("192.0.2.1").await.unwrap();
        assert!(from("192.0.2.1").await.is_none());
        assert!(from("192.0.2.2").await.is_some());
        first.known();
        let again = from("192.0.2.1").await.unwrap();
        // Behind a proxy of ours are many.
        let proxied = [from("10.0.0.1").await, from("10.0.0.1").await, from("10.0.0.1").await];
        assert!(proxied.iter().all(Option::is_some));
        drop((_second, again));
        assert!(lock(&gate.addresses).is_empty(), "nothing is kept of who is not there");
    }

    #[tokio::test]
    async fn one_more_of_an_address_than_may_wait_is_turned_away_at_once() {
        let gate = waiting(crate::signal::PATIENCE, 99, 99);
        let from = || gate.clone().wait(network(ip("192.0.2.1")));
        let most = gate.limits.strangers_per_address * STRANGERS_WAITING_FOR_EACH;
        let all: Vec<_> = (0..most).map(|_| from().unwrap()).collect();
        assert!(from().is_none());
        assert!(gate.clone().admit(ip("192.0.2.1")).await.is_none());
        assert_eq!(gate.turned(Turned::Stranger), 1);
        drop(all);
        assert!(from().is_some());
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_was_asked_is_counted() {
        let gate = gate(9, 9);
        let silent = gate.clone().admit(ip("192.0.2.1")).await.unwrap();
        let asks = gate.clone().admit(ip("192.0.2.1")).await.unwrap();
        asks.asked();
        drop((silent, asks));
        assert_eq!(gate.turned(Turned::Silent), 1);
    }

    #[test]
    fn the_third_of_two_wrong_tokens_is_turned_away_and_other_addresses_are_not() {
        let gate = gate(9, 9);
        let fails = |address: &str| gate.fail(ip(address)).is_ok();
        assert_eq!(
            [fails("192.0.2.1"), fails("192.0.2.1"), fails("192.0.2.1")],
            [true, true, false]
        );
        assert!(fails("192.0.2.2"));
        // One line has many addresses of version 6.
        assert_eq!(
            [fails("2001:db8::1"), fails("2001:db8::2"), fails("2001:db8::3")],
            [true, true, false]
        );
        assert!(fails("2001:db8:0:1::1"));
        assert_eq!(gate.turned(Turned::Failures), 2);
        let asks = |who: &str| gate.ask(Jid::parse(who).unwrap()).is_ok();
        assert_eq!([asks("d-a"), asks("d-a"), asks("d-a"), asks("d-b")], [true, true, false, true]);
        assert_eq!(gate.turned(Turned::Requests), 1);
    }

    #[tokio::test]
    async fn only_a_proxy_of_ours_is_believed_where_a_request_comes_from() {
        let gate = gate(9, 9);
        let proxy = gate.clone().admit(ip("10.0.0.1")).await.unwrap();
        let other = gate.clone().admit(ip("10.0.0.2")).await.unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(proxy.origin(&headers), ip("10.0.0.1"));
        headers.insert("x-forwarded-for", "203.0.113.9, 192.0.2.7".parse().unwrap());
        assert_eq!(proxy.origin(&headers), ip("192.0.2.7"));
        assert_eq!(other.origin(&headers), ip("10.0.0.2"));
        headers.insert("x-forwarded-for", "rubbish".parse().unwrap());
        assert_eq!(proxy.origin(&headers), ip("10.0.0.1"));
    }

    #[test]
    fn every_reason_has_its_own_counter() {
        let gate = gate(1, 1);
        for (index, why) in Turned::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, index);
            (0..index).for_each(|_| gate.turn(why));
        }
        assert!(Turned::ALL.into_iter().all(|why| gate.turned(why) == why as u64));
    }
}
