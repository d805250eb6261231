//! Facts to whoever prefers HTTP: signed, in order, again and again until he has them
//! (docs/core.md).

use std::sync::Arc;

use hmac::{Hmac, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};
use sha2::Sha256;
use tokio::time::sleep;
use tracing::{error, warn};

use super::{Kept, Outbox};
use crate::clock;
use crate::hex;
use crate::limits::{CORE_RETRY, WEBHOOK_ANSWER_MAX, WEBHOOK_FACTS_MAX};

/// Where facts go.
pub struct Webhook {
    client: Client,
    url: Url,
    secret: String,
}

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("core.webhook_url: {0}")]
pub struct WebhookFault(String);

impl Webhook {
    /// # Errors
    /// The address is none, or the machine has no roots to trust.
    pub fn new(url: &str, secret: String) -> Result<Webhook, WebhookFault> {
        let url = Url::parse(url).map_err(|no| WebhookFault(no.to_string()))?;
        // Who was moved elsewhere is not who was meant: and a proxy's word would be taken for his.
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(WEBHOOK_ANSWER_MAX)
            .build();
        let client = client.map_err(|no| WebhookFault(no.to_string()))?;
        Ok(Webhook { client, url, secret })
    }

    /// Brings facts for as long as it runs.
    pub async fn run(self, outbox: Arc<Outbox>) {
        let (mut taken, mut failures) = (0, 0_u32);
        loop {
            let facts = outbox.next(taken, WEBHOOK_FACTS_MAX).await;
            let Some(last) = facts.last().map(|fact| fact.id) else { continue };
            match self.post(&facts).await {
                Ok(()) => {
                    outbox.taken(last).await;
                    (taken, failures) = (last, 0);
                }
                Err(Refused { reason, is_ours }) => {
                    failures = failures.saturating_add(1);
                    let wait = CORE_RETRY.wait(failures, 0);
                    let retry_ms = wait.as_millis() as u64;
                    match is_ours {
                        true => error!(reason, retry_ms, "facts are refused: somebody must look"),
                        false => warn!(reason, retry_ms, "facts wait"),
                    }
                    sleep(wait).await;
                }
            }
        }
    }

    async fn post(&self, facts: &[Kept]) -> Result<(), Refused> {
        let all: Vec<String> = facts.iter().map(|fact| format!("{{{}}}", fact.body)).collect();
        let body = format!("{{\"facts\":[{}]}}", all.join(","));
        let at = clock::wall().as_nanos() / 1_000_000_000;
        let signature = format!("t={at},v1={}", sign(&self.secret, at, &body));
        let later = |reason: String| Refused { reason, is_ours: false };
        let signature = HeaderValue::from_str(&signature).map_err(|no| later(no.to_string()))?;
        let posted = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE, signature)
            .body(body)
            .send()
            .await
            // Its address may hold a password.
            .map_err(|no| later(no.without_url().to_string()))?;
        let status = posted.status();
        match status.is_success() {
            true => Ok(()),
            // What he will never take he says by 4xx: that is a fault of ours, or of a secret.
            false => Err(Refused {
                reason: format!("the answer is {status}"),
                is_ours: status.is_client_error() && status.as_u16() != 429,
            }),
        }
    }
}

struct Refused {
    reason: String,
    is_ours: bool,
}

/// The header that shows who sends, and when.
const SIGNATURE: &str = "Voxhall-Signature";

/// HMAC-SHA256 of `time.body`, in hexadecimal digits (RFC 2104).
fn sign(secret: &str, at: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(format!("{at}.").as_bytes());
    mac.update(body.as_bytes());
    hex::text(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_rfc() {
        // RFC 4231 section 4.3, test case 2, over one text: "what do ya want for nothing?".
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let told = hex::text(&mac.finalize().into_bytes());
        assert_eq!(told, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_ne!(sign("Jefe", 1, "a"), sign("Jefe", 2, "a"));
        assert_ne!(sign("Jefe", 1, "a"), sign("jefe", 1, "a"));
    }
}
