//! The sections of people who come to this node themselves: whose tokens are believed, and which
//! TURN servers they are given.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::archive::Wrong;
use super::core::SECRET_BYTES_MIN;
use super::sections::seconds;
use crate::telemetry::Redacted;

/// Tokens that let people of a core elsewhere in (docs/clients.md); no key = nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clients {
    /// What signs HS256.
    pub secrets: Vec<String>,
    /// PEM files of Ed25519 keys.
    pub public_keys: Vec<PathBuf>,
    /// What a token's `aud` must be.
    pub audience: String,
}

/// TURN servers with a secret that we share with them, so that each person is given a password of
/// his own for a while.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    /// One URL each, such as `turn:turn.example.org:3478?transport=udp`.
    pub urls: Vec<String>,
    /// coturn's `static-auth-secret`.
    pub secret: String,
    /// How long a password is good for.
    #[serde(rename = "ttl_s", with = "seconds")]
    pub ttl: Duration,
}

impl Clients {
    /// Whether tokens let anybody in.
    pub fn has_keys(&self) -> bool {
        !self.secrets.is_empty() || !self.public_keys.is_empty()
    }

    /// What no key can know by itself.
    pub(super) fn check(&self) -> Result<(), Wrong<'_>> {
        if self.secrets.iter().any(|secret| secret.len() < SECRET_BYTES_MIN) {
            let reason = "tokens are signed with 32 characters or more";
            return Err(("clients.secrets", "[redacted]", reason));
        }
        if self.has_keys() && self.audience.is_empty() {
            let reason = "a token made for something else must not open this door";
            return Err(("clients.audience", "", reason));
        }
        Ok(())
    }
}

impl Turn {
    pub(super) fn check(&self) -> Result<(), Wrong<'_>> {
        let is_turn = |url: &&String| url.starts_with("turn:") || url.starts_with("turns:");
        if let Some(other) = self.urls.iter().find(|url| !is_turn(url)) {
            return Err(("turn.urls", other, "a TURN server is turn:HOST:PORT or turns:HOST:PORT"));
        }
        if !self.urls.is_empty() && self.secret.is_empty() {
            let reason = "without the secret nobody can be given a password";
            return Err(("turn.secret", "[redacted]", reason));
        }
        Ok(())
    }
}

impl Default for Clients {
    fn default() -> Self {
        let (secrets, public_keys) = (Vec::new(), Vec::new());
        Self { secrets, public_keys, audience: "voxhall".to_owned() }
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self { urls: Vec::new(), secret: String::new(), ttl: Duration::from_secs(86_400) }
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("secrets", &Redacted(&self.secrets))
            .field("public_keys", &self.public_keys)
            .field("audience", &self.audience)
            .finish()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("urls", &self.urls)
            .field("secret", &Redacted(&self.secret))
            .field("ttl", &self.ttl)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_need_long_secrets_and_an_audience_and_turn_a_secret() {
        let wrong = |clients: &Clients| clients.check().err().map(|(key, ..)| key);
        let of = |secret: &str| Clients { secrets: vec![secret.to_owned()], ..Clients::default() };
        let long = "x".repeat(32);
        assert_eq!(wrong(&Clients::default()), None);
        assert_eq!(wrong(&of(&long)), None);
        assert_eq!(wrong(&of(&long[1..])), Some("clients.secrets"));
        let nowhere = Clients { audience: String::new(), ..of(&long) };
        assert_eq!(wrong(&nowhere), Some("clients.audience"));
        assert!(!format!("{:?}", of(&long)).contains(&long));
        let turn = |url: &str, secret: &str| Turn {
            urls: vec![url.to_owned()],
            secret: secret.to_owned(),
            ..Turn::default()
        };
        let wrong = |turn: &Turn| turn.check().err().map(|(key, ..)| key);
        assert_eq!(wrong(&turn("turn:turn.example.org:3478", "s")), None);
        assert_eq!(wrong(&turn("stun:turn.example.org:3478", "s")), Some("turn.urls"));
        assert_eq!(wrong(&turn("turns:turn.example.org:5349", "")), Some("turn.secret"));
        assert!(!format!("{:?}", turn("turn:x", "s3cret")).contains("s3cret"));
    }
}
