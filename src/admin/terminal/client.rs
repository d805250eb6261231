//! Asking a node: requests with the token, answers without their envelope.

use std::error::Error;
use std::io;

use reqwest::{Method, Url};
use serde_json::Value;

use crate::limits::REQUEST_MAX;

/// A node that may be asked.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{url}: {reason}")]
    Address { url: String, reason: String },
    #[error("no server answers at {url}: it has ended, or was killed and left its note behind")]
    Gone { url: String },
    #[error("{url} does not answer: {reason}")]
    Unanswered { url: String, reason: String },
    #[error("the server refuses the token: it is another server's, or of a former start")]
    Token,
    #[error("the server refuses with {status}: {reason}")]
    Refused { status: u16, reason: String },
}

impl Client {
    /// # Errors
    /// The address is none.
    pub fn new(url: &str, token: String) -> Result<Client, Failure> {
        let bad = |reason: String| Failure::Address { url: url.to_owned(), reason };
        let base = Url::parse(url).and_then(|url| url.join("/admin/v1/"));
        let base = base.map_err(|no| bad(no.to_string()))?;
        // A proxy of the environment's would see the token, and cannot know this machine's ports.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_MAX)
            .build();
        let http = http.map_err(|no| bad(no.to_string()))?;
        Ok(Client { http, base, token })
    }

    pub async fn read(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path).await
    }

    pub async fn post(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::POST, path).await
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Value, Failure> {
        let address = |no: &dyn std::fmt::Display| Failure::Address {
            url: self.base.to_string(),
            reason: no.to_string(),
        };
        let url = self.base.join(path).map_err(|no| address(&no))?;
        let request = self.http.request(method, url).bearer_auth(&self.token);
        let answer = request.send().await.map_err(|no| self.unanswered(no))?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(|no| self.unanswered(no))?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        match (status, body["ok"].as_bool()) {
            (200, Some(true)) => Ok(body["result"].clone()),
            (401, _) => Err(Failure::Token),
            _ => {
                let told = [&body["reason"], &body["error"]].into_iter().find_map(Value::as_str);
                let reason = told.unwrap_or("this is no admin listener").to_owned();
                Err(Failure::Refused { status, reason })
            }
        }
    }

    /// One that ends while it answers has ended, too.
    fn unanswered(&self, no: reqwest::Error) -> Failure {
        let url = self.base.origin().ascii_serialization();
        let is_gone = match no.is_connect() {
            // A certificate that nobody trusts is refused while connecting, too.
            true => causes(&no).any(|cause| {
                let fault = cause.downcast_ref::<io::Error>();
                fault.is_some_and(|fault| fault.kind() == io::ErrorKind::ConnectionRefused)
            }),
            false => !no.is_timeout() && (no.is_request() || no.is_body()),
        };
        match is_gone {
            true => Failure::Gone { url },
            false => Failure::Unanswered {
                url,
                reason: causes(&no).last().map_or(String::new(), ToString::to_string),
            },
        }
    }
}

/// An error, and what it comes of.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
