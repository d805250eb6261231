//! The section of the chat core.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::archive::Wrong;
use crate::telemetry::Redacted;

/// Which chat core there is, and how it is reached (docs/core.md).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Core {
    pub mode: CoreMode,
    /// Whom the node dials: `ws://` or `wss://`.
    pub url: String,
    /// What whoever dials shows the other side.
    pub secret: String,
    /// PEM file of who signs the core's certificate; empty = whom this machine trusts, or, where
    /// the core dials, that it need show none.
    pub ca: PathBuf,
    /// PEM files of what we show the core of ourselves (mutual TLS), and its key; empty = nothing.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// Facts are posted there instead of going over the link; empty = they go over the link.
    pub webhook_url: String,
    /// What signs them.
    pub webhook_secret: String,
    /// Facts on the disk that the core has not acknowledged.
    pub facts_max: u32,
}

/// Who dials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoreMode {
    /// Nobody: a small core in this process.
    #[default]
    BuiltIn,
    Dial,
    Accept,
}

impl Core {
    /// Whose certificate a core that dials must show; `None` where none.
    pub fn accepts_by_certificate(&self) -> Option<&Path> {
        let is_asked = self.mode == CoreMode::Accept && !self.ca.as_os_str().is_empty();
        is_asked.then_some(self.ca.as_path())
    }

    /// What no key can know by itself.
    pub(super) fn check(&self) -> Result<(), Wrong<'_>> {
        let is_http = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        if !self.webhook_url.is_empty() && !is_http(&self.webhook_url) {
            return Err(("core.webhook_url", "[redacted]", "facts are posted to http(s)://.."));
        }
        if !self.webhook_url.is_empty() && self.webhook_secret.len() < SECRET_BYTES_MIN {
            let reason = "facts are signed with 32 characters or more";
            return Err(("core.webhook_secret", "[redacted]", reason));
        }
        if self.mode == CoreMode::BuiltIn {
            return Ok(());
        }
        if self.secret.len() < SECRET_BYTES_MIN {
            return Err(("core.secret", "[redacted]", "a link needs 32 characters or more"));
        }
        let is_url = self.url.starts_with("ws://") || self.url.starts_with("wss://");
        if self.mode == CoreMode::Dial && !is_url {
            return Err(("core.url", &self.url, "dialling needs ws://.. or wss://.."));
        }
        Ok(())
    }
}

/// 128 bits in hexadecimal digits.
pub(super) const SECRET_BYTES_MIN: usize = 32;

impl Default for Core {
    fn default() -> Self {
        Self {
            mode: CoreMode::BuiltIn,
            url: String::new(),
            secret: String::new(),
            ca: PathBuf::new(),
            cert: PathBuf::new(),
            key: PathBuf::new(),
            webhook_url: String::new(),
            webhook_secret: String::new(),
            facts_max: 100_000,
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("mode", &self.mode)
            .field("url", &self.url)
            .field("secret", &Redacted(&self.secret))
            .field("ca", &self.ca)
            .field("cert", &self.cert)
            .field("key", &self.key)
            .field("webhook_url", &Redacted(&self.webhook_url))
            .field("webhook_secret", &Redacted(&self.webhook_secret))
            .field("facts_max", &self.facts_max)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(mode: CoreMode, url: &str, secret: &str) -> Core {
        Core { mode, url: url.to_owned(), secret: secret.to_owned(), ..Core::default() }
    }

    #[test]
    fn a_link_and_a_webhook_need_a_long_secret_and_an_address() {
        let long = "x".repeat(32);
        let wrong = |core: &Core| core.check().err().map(|(key, ..)| key);
        assert_eq!(wrong(&with(CoreMode::BuiltIn, "", "")), None);
        assert_eq!(wrong(&with(CoreMode::Accept, "", &long)), None);
        assert_eq!(wrong(&with(CoreMode::Accept, "", &long[1..])), Some("core.secret"));
        assert_eq!(wrong(&with(CoreMode::Dial, "", &long)), Some("core.url"));
        assert_eq!(wrong(&with(CoreMode::Dial, "https://chat", &long)), Some("core.url"));
        assert_eq!(wrong(&with(CoreMode::Dial, "wss://chat/voxhall", &long)), None);
        let hook = |url: &str, secret: &str| Core {
            webhook_url: url.to_owned(),
            webhook_secret: secret.to_owned(),
            ..Core::default()
        };
        assert_eq!(wrong(&hook("https://chat/facts", &long)), None);
        assert_eq!(wrong(&hook("https://chat/facts", "short")), Some("core.webhook_secret"));
        assert_eq!(wrong(&hook("ftp://chat/facts", &long)), Some("core.webhook_url"));
        assert!(!format!("{:?}", with(CoreMode::Accept, "", &long)).contains(&long));
    }
}
