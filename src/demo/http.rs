//! The few bytes of HTTP that a client of the built-in core needs: one JSON request, one reply.
//! HTTP/1.0 without keep-alive, so a reply ends where its connection does (RFC 9112 section 6.3).
//! https reaches only this machine, where a server with a self-signed certificate may run.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tls;

/// Where a server is, parsed from `http://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub scheme: Scheme,
    /// `HOST:PORT`, as it stands in a Host header and in a WebSocket URL.
    pub authority: String,
}

/// How the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

/// A byte stream to a server, plain or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Origin {
    /// Reads `http://HOST[:PORT]` or `https://...`, with or without a slash at its end.
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let (scheme, default_port) = match scheme {
            "http" => (Scheme::Http, ":80"),
            "https" => (Scheme::Https, ":443"),
            _ => return None,
        };
        let authority = rest.trim_end_matches('/');
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c);
        if authority.is_empty() || !authority.chars().all(is_plain) {
            return None;
        }
        let host_end = authority.rfind(']').unwrap_or(0);
        let has_port = authority[host_end..].contains(':');
        let port = if has_port { "" } else { default_port };
        Some(Self { scheme, authority: format!("{authority}{port}") })
    }

    /// Opens a connection to the server.
    ///
    /// # Errors
    /// Nobody listens there; or it is https, and not on this machine.
    pub async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        match self.scheme {
            Scheme::Http => Ok(Box::new(stream)),
            Scheme::Https => Ok(Box::new(tls::wrap(stream).await?)),
        }
    }

    /// Posts `body` to `path` and returns the `result` of the reply's envelope.
    ///
    /// # Errors
    /// The server is not there, answers no envelope, or says no.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, HttpError> {
        let reply = timeout(REPLY_WITHIN, self.exchange(path, &body.to_string()))
            .await
            .map_err(|_| HttpError::Unreachable(io::ErrorKind::TimedOut.into()))??;
        result_of(&reply)
    }

    async fn exchange(&self, path: &str, body: &str) -> io::Result<Vec<u8>> {
        let mut stream = self.connect().await?;
        let (host, length) = (&self.authority, body.len());
        let request = format!(
            "POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        match stream.take(MAX_REPLY_BYTES).read_to_end(&mut reply).await {
            // TLS servers often hang up without a close_notify; the envelope is parsed in any case.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            Ok(_) | Err(_) => Ok(reply),
        }
    }
}

/// Why a request brought no result.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("no server there: {0}")]
    Unreachable(#[from] io::Error),
    #[error("the reply is not the envelope of a Voxhall server")]
    NoEnvelope,
    #[error("the server says {code}")]
    Refused { code: String },
}

fn result_of(reply: &[u8]) -> Result<Value, HttpError> {
    let head_end = reply.windows(4).position(|four| four == b"\r\n\r\n");
    let body = &reply[head_end.ok_or(HttpError::NoEnvelope)? + 4..];
    let mut envelope: Value = serde_json::from_slice(body).map_err(|_| HttpError::NoEnvelope)?;
    match (envelope["ok"].as_bool(), envelope["error"].as_str()) {
        (Some(true), _) => Ok(envelope["result"].take()),
        (Some(false), Some(code)) => Err(HttpError::Refused { code: code.to_owned() }),
        _ => Err(HttpError::NoEnvelope),
    }
}

/// A login is a few milliseconds of work; ten seconds forgive a machine that is busy building.
const REPLY_WITHIN: Duration = Duration::from_secs(10);
/// A login reply lists the chats; a thousand of them fit.
const MAX_REPLY_BYTES: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(url: &str) -> Option<String> {
        Origin::parse(url).map(|origin| origin.authority)
    }

    #[test]
    fn origin_is_host_and_port() {
        assert_eq!(authority("http://127.0.0.1:8080/").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(authority("http://[::1]:8080").as_deref(), Some("[::1]:8080"));
        assert_eq!(authority("http://[::1]").as_deref(), Some("[::1]:80"));
        assert_eq!(authority("http://voxhall.example").as_deref(), Some("voxhall.example:80"));
        assert_eq!(authority("https://localhost").as_deref(), Some("localhost:443"));
    }

    #[test]
    fn what_is_no_http_origin_is_refused() {
        for url in ["", "http://", "ws://a:1", "127.0.0.1:80", "http://a b", "http://a/b\r\nX: y"] {
            assert_eq!(authority(url), None, "{url}");
        }
    }

    #[test]
    fn reply_gives_its_result_or_its_error_code() {
        let ok = b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{\"ok\":true,\"result\":{\"n\":1}}";
        assert_eq!(result_of(ok).unwrap()["n"], 1);
        let no = b"HTTP/1.0 429 No\r\n\r\n{\"ok\":false,\"error\":\"RATE_LIMIT\"}";
        assert!(matches!(result_of(no), Err(HttpError::Refused { code }) if code == "RATE_LIMIT"));
        for broken in [&b""[..], b"HTTP/1.0 200 OK\r\n\r\n", b"x\r\n\r\n[]"] {
            assert!(matches!(result_of(broken), Err(HttpError::NoEnvelope)));
        }
    }
}
