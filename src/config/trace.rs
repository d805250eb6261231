//! The section of traces.

use serde::{Deserialize, Serialize};

use super::archive::{Wrong, is_endpoint};

/// Where spans of signals and legs go (docs/production.md, "Traces").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trace {
    /// A collector's address for traces (OTLP over HTTP); empty = none are made.
    pub otlp_url: String,
}

impl Trace {
    pub(super) fn check(&self) -> Result<(), Wrong<'_>> {
        if !self.otlp_url.is_empty() && !is_endpoint(&self.otlp_url) {
            let reason = "a collector is http(s)://HOST:PORT/v1/traces, without a password";
            return Err(("trace.otlp_url", "[redacted]", reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_reached_by_http_and_its_address_holds_no_password() {
        let is_fine = |url: &str| Trace { otlp_url: url.to_owned() }.check().is_ok();
        assert!(is_fine("") && is_fine("http://127.0.0.1:4318/v1/traces"));
        assert!(!is_fine("grpc://127.0.0.1:4317") && !is_fine("http://me:pass@example.org/"));
    }
}
