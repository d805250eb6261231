//! The section of the listener.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::sections::{count, number};
use crate::limits::{CONNECTIONS_MAX, FAILURES_PER_MIN, REQUESTS_PER_S, STRANGERS_MAX};

/// The page, the API and the WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port of the listener; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Everybody who reaches the listener may come in: allows listening beyond loopback, and
    /// serves https with a self-signed certificate.
    pub open: bool,
    /// PEM files of the certificate that https is served with, and its key; empty = no https, or,
    /// with `open`, a self-signed one.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// Origins besides our own that may open sockets, such as `https://chat.example.org`.
    pub origins: Vec<String>,
    /// Connections of the listener, and those at once that have not shown who they are.
    pub connections_max: NonZeroUsize,
    pub strangers_max: NonZeroUsize,
    /// Of one address.
    pub wrong_tokens_per_min: NonZeroU32,
    /// Of one person.
    pub requests_per_s: NonZeroU32,
    /// Whoever reaches the listener may read `/metrics`.
    pub metrics: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpAddr>,
}

impl Http {
    /// Whether https is served with the operator's own.
    pub fn has_certificate(&self) -> bool {
        !self.cert.as_os_str().is_empty()
    }
}

impl Default for Http {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        let (cert, key) = (PathBuf::new(), PathBuf::new());
        Self {
            listen,
            open: false,
            cert,
            key,
            origins: Vec::new(),
            connections_max: count(CONNECTIONS_MAX),
            strangers_max: count(STRANGERS_MAX),
            wrong_tokens_per_min: number(FAILURES_PER_MIN),
            requests_per_s: number(REQUESTS_PER_S),
            metrics: true,
            proxies: Vec::new(),
        }
    }
}
