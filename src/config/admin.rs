//! The section of the operator's own listener.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::archive::Wrong;
use super::http::Http;
use crate::telemetry::Redacted;

/// Where the operator asks and acts (docs/admin.md).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    pub enabled: bool,
    /// Address and port of the listener; port 0 takes any free one.
    pub listen: SocketAddr,
    /// What he shows; empty = one is made at each start.
    pub token: String,
}

impl Admin {
    /// What no key can know by itself.
    pub(super) fn check(&self) -> Result<(), Wrong<'_>> {
        let key = "admin.token";
        if !self.token.is_empty() && self.token.len() < TOKEN_BYTES_MIN {
            return Err((key, "[redacted]", "a token has 32 characters or more"));
        }
        if self.token.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err((key, "[redacted]", "a token has letters, digits and signs, no spaces"));
        }
        Ok(())
    }

    /// Whether whoever is on another machine may reach it.
    pub fn is_beyond_loopback(&self) -> bool {
        self.enabled && !self.listen.ip().is_loopback()
    }

    /// Why it cannot listen there.
    pub(super) fn lacks(&self, http: &Http) -> Option<&'static str> {
        if !self.is_beyond_loopback() {
            return None;
        }
        if self.token.is_empty() {
            return Some("beyond loopback the operator needs a token of his own: set admin.token");
        }
        let is_plain = http.cert.as_os_str().is_empty();
        is_plain.then_some("beyond loopback a token travels by https only: set http.cert")
    }
}

/// 128 bits in hexadecimal digits.
const TOKEN_BYTES_MIN: usize = 32;

impl Default for Admin {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { enabled: true, listen, token: String::new() }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("enabled", &self.enabled)
            .field("listen", &self.listen)
            .field("token", &Redacted(&self.token))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_the_listener_needs_a_long_token_and_a_certificate() {
        let long = "x".repeat(32);
        let wrong = |listen: &str, token: &str, cert: &str| {
            let (listen, token) = (listen.parse().unwrap(), token.to_owned());
            let http = Http { cert: cert.into(), ..Http::default() };
            let admin = Admin { listen, token, enabled: true };
            let key = admin.check().err().map(|(key, ..)| key);
            key.or(admin.lacks(&http).map(|_| "admin.listen"))
        };
        assert_eq!(wrong("127.0.0.1:0", "", ""), None);
        assert_eq!(wrong("[::1]:7000", &long, ""), None);
        assert_eq!(wrong("127.0.0.1:0", &long[1..], ""), Some("admin.token"));
        assert_eq!(wrong("127.0.0.1:0", &format!("{long} \n"), ""), Some("admin.token"));
        assert_eq!(wrong("0.0.0.0:7000", "", "cert.pem"), Some("admin.listen"));
        assert_eq!(wrong("0.0.0.0:7000", &long, ""), Some("admin.listen"));
        assert_eq!(wrong("0.0.0.0:7000", &long, "cert.pem"), None);
        let admin = Admin { token: long.clone(), ..Admin::default() };
        assert!(!format!("{admin:?}").contains(&long));
    }
}
