//! The section of the store that recordings go to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::telemetry::Redacted;

/// A store of objects, S3 or alike, to which finished recordings are copied.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Archive {
    /// Where in it; off = recordings stay on this machine alone.
    pub url: StoreUrl,
    /// Another store than Amazon's, such as `https://minio.example.org`; empty = Amazon's.
    pub endpoint: String,
    pub region: String,
    /// Empty, like the secret: the machine's own role.
    pub access_key_id: String,
    pub secret_access_key: String,
    /// Sound may go to an endpoint beyond loopback unencrypted.
    pub allow_http: bool,
    /// Days that large files stay here after the store has them; 0 = for ever.
    pub keep_local_days: u32,
}

/// `s3://BUCKET` or `s3://BUCKET/PREFIX`; `""` is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StoreUrl {
    #[default]
    Off,
    S3 {
        bucket: String,
        /// Without `/` at either end; may be empty.
        prefix: String,
    },
}

/// What is wrong only in company: the key, its value as it may be shown, and why.
pub(super) type Wrong<'a> = (&'static str, &'a str, &'static str);

impl Archive {
    /// What no key can know by itself.
    pub(super) fn check(&self) -> Result<(), Wrong<'_>> {
        let Self { endpoint, access_key_id, secret_access_key, .. } = self;
        if !endpoint.is_empty() && !is_endpoint(endpoint) {
            let reason = "an endpoint is https://host or https://host:port, maybe with a path";
            // It may hold a password.
            return Err(("archive.endpoint", "[redacted]", reason));
        }
        if endpoint.starts_with("http://") && !is_loopback(endpoint) && !self.allow_http {
            let reason = "beyond loopback only https, or archive.allow_http = true";
            return Err(("archive.endpoint", endpoint, reason));
        }
        match (access_key_id.is_empty(), secret_access_key.is_empty()) {
            (true, false) => {
                let reason = "is needed with archive.secret_access_key";
                Err(("archive.access_key_id", "", reason))
            }
            (false, true) => {
                let reason = "is needed with archive.access_key_id";
                Err(("archive.secret_access_key", "", reason))
            }
            (true, true) | (false, false) => Ok(()),
        }
    }
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            url: StoreUrl::Off,
            endpoint: String::new(),
            region: "us-east-1".to_owned(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
            allow_http: false,
            keep_local_days: 0,
        }
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive")
            .field("url", &self.url)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &Redacted(&self.access_key_id))
            .field("secret_access_key", &Redacted(&self.secret_access_key))
            .field("allow_http", &self.allow_http)
            .field("keep_local_days", &self.keep_local_days)
            .finish()
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            return Ok(Self::Off);
        }
        let place =
            text.strip_prefix("s3://").ok_or("a store is s3://bucket or s3://bucket/prefix")?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let of_bucket = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(of_bucket) {
            return Err("a bucket's name has 3 to 63 of a-z, 0-9, - and .");
        }
        let is_part = |part: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !matches!(part, "" | "." | "..") && part.bytes().all(fits)
        };
        if !prefix.is_empty() && (prefix.len() > 512 || !prefix.split('/').all(is_part)) {
            return Err("a prefix has names of letters, digits, - . and _ between its slashes");
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => Ok(()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl From<StoreUrl> for String {
    fn from(url: StoreUrl) -> Self {
        url.to_string()
    }
}

/// Without a name and a password in it, which would stand in logs.
pub(super) fn is_endpoint(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]/_".contains(&byte);
    rest.is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty() && rest.bytes().all(fits))
}

fn is_loopback(endpoint: &str) -> bool {
    let rest = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(inner) => inner.split(']').next(),
        None => authority.split(':').next(),
    };
    let address = |host: &str| host.parse::<std::net::IpAddr>();
    host.is_some_and(|host| host == "localhost" || address(host).is_ok_and(|ip| ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_bucket_and_maybe_a_prefix() {
        let read = |text: &str| StoreUrl::try_from(text.to_owned());
        for (text, again) in [
            ("", ""),
            ("s3://calls", "s3://calls"),
            ("s3://calls/", "s3://calls"),
            ("s3://calls.example/a/b_C-1.d/", "s3://calls.example/a/b_C-1.d"),
        ] {
            assert_eq!(read(text).map(String::from), Ok(again.to_owned()), "{text}");
        }
        for wrong in ["calls", "https://calls", "s3://", "s3://ab", "s3://Calls", "s3://a_b_c"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for wrong in ["s3://calls//a", "s3://calls/..", "s3://calls/a b", "s3://calls/a/../b"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_that_everybody_hears_on_the_way_is_refused() {
        let with = |endpoint: &str, allow_http| Archive {
            endpoint: endpoint.to_owned(),
            allow_http,
            ..Archive::default()
        };
        for fine in ["http://127.0.0.1:9000", "http://localhost/s3", "http://[::1]:9000"] {
            assert_eq!(with(fine, false).check(), Ok(()), "{fine}");
        }
        assert_eq!(with("https://minio.example.org", false).check(), Ok(()));
        assert_eq!(with("http://10.0.0.7:9000", true).check(), Ok(()));
        for wrong in ["http://10.0.0.7:9000", "http://127.0.0.1.example.org"] {
            assert_eq!(with(wrong, false).check().unwrap_err().0, "archive.endpoint", "{wrong}");
        }
        for wrong in ["minio.example.org", "https://", "https://me:secret@minio.example.org"] {
            let config = with(wrong, true);
            let (key, shown, _) = config.check().unwrap_err();
            assert_eq!((key, shown), ("archive.endpoint", "[redacted]"), "{wrong}");
        }
    }

    #[test]
    fn a_key_without_its_secret_is_refused_and_neither_is_shown() {
        let with = |id: &str, secret: &str| Archive {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned(),
            ..Archive::default()
        };
        assert_eq!(with("AKIA", "").check().unwrap_err().0, "archive.secret_access_key");
        assert_eq!(with("", "s3cret").check().unwrap_err().0, "archive.access_key_id");
        let shown = format!("{:?}", with("AKIA", "s3cret"));
        assert!(!shown.contains("s3cret") && !shown.contains("AKIA"), "{shown}");
    }
}
