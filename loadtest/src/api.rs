//! The server's HTTP side: a demo login for every bot, and the group that a call happens in.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::{TcpStream, lookup_host};

/// Where the server is.
#[derive(Clone, Debug)]
pub struct Api {
    /// `host:port`, as given.
    authority: String,
    pub address: SocketAddr,
}

/// What a login gives.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Login {
    pub token: String,
    pub team: Team,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Team {
    pub uid: String,
}

#[derive(Deserialize)]
struct Group {
    jid: String,
}

/// Every answer's envelope.
#[derive(Deserialize)]
struct Envelope<T> {
    ok: bool,
    error: Option<String>,
    result: Option<T>,
}

impl Api {
    /// Finds the server behind `http://host[:port]`.
    ///
    /// # Errors
    /// When the URL is another kind of URL, or its host has no address.
    pub async fn find(url: &str) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
        ensure!(uri.scheme_str() == Some("http"), "only http:// is spoken here");
        let host = uri.host().with_context(|| format!("{url} names no host"))?;
        let authority = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        let found: Vec<SocketAddr> = lookup_host(&authority).await?.collect();
        let address = match found[..] {
            [] => bail!("{authority} has no address"),
            [only] => only,
            [..] => reachable(&found).await?,
        };
        Ok(Self { authority, address })
    }

    /// Logs a new person in.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn login(&self, display_name: &str) -> Result<Login> {
        self.post("/api/v3/demo-login", None, &json!({ "display_name": display_name })).await
    }

    /// Makes a group and gives its jid.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn make_group(&self, login: &Login, display_name: &str) -> Result<String> {
        let path = format!("/api/v3/teams/{}/groups", login.team.uid);
        let body = json!({ "display_name": display_name });
        let group: Group = self.post(&path, Some(&login.token), &body).await?;
        Ok(group.jid)
    }

    /// The WebSocket's URL of a person's device.
    pub fn socket_url(&self, login: &Login, device: &str) -> String {
        let Self { authority, .. } = self;
        let Login { token, team } = login;
        format!("ws://{authority}/messaging/{}?token={token}&device={device}", team.uid)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &serde_json::Value,
    ) -> Result<T> {
        let mut request = Request::post(path)
            .header("host", &self.authority)
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("token", token);
        }
        let request = request.body(Full::new(Bytes::from(body.to_string())))?;
        let stream = TcpStream::connect(self.address).await.context("no server there")?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        connection.abort();
        let bytes = bytes.map_err(|error| anyhow::anyhow!("{path}: {error}"))?.to_bytes();
        let envelope: Envelope<T> = serde_json::from_slice(&bytes)
            .with_context(|| format!("{path}: {status} without the API's envelope"))?;
        match envelope {
            Envelope { ok: true, result: Some(result), .. } => Ok(result),
            Envelope { error, .. } => {
                bail!("{path}: {status} {}", error.as_deref().unwrap_or("without a code"))
            }
        }
    }
}

/// The first address that somebody listens at: `localhost` has two, and a server often one.
async fn reachable(addresses: &[SocketAddr]) -> Result<SocketAddr> {
    for address in addresses {
        if TcpStream::connect(address).await.is_ok() {
            return Ok(*address);
        }
    }
    bail!("nobody listens at any of {addresses:?}")
}

/// No answer needed here is longer: a login lists the chats, a few hundred bytes each.
const ANSWER_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request with `status` and `body`; gives the request's first line.
    async fn one_answer(status: &str, body: &str) -> (Result<Login>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
        let port = listener.local_addr().expect("it is bound").port();
        let api = Api::find(&format!("http://127.0.0.1:{port}")).await.expect("an address");
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let serving = async {
            let (mut stream, _) = listener.accept().await.expect("the client comes");
            let mut request = vec![0; 4096];
            let len = stream.read(&mut request).await.expect("a request");
            stream.write_all(answer.as_bytes()).await.expect("the client waits");
            request.truncate(len);
            String::from_utf8(request).expect("text").lines().next().unwrap_or("").to_owned()
        };
        tokio::join!(api.login("Anna"), serving)
    }

    #[tokio::test]
    async fn a_login_gives_token_and_team() {
        let body = r#"{"_time":"1 ms","ok":true,"result":{"token":"t0","me":{},
            "team":{"uid":"u1","name":"Demo"},"chats":[]}}"#;
        let (login, request) = one_answer("200 OK", body).await;
        let login = login.expect("it is let in");
        assert_eq!((login.token.as_str(), login.team.uid.as_str()), ("t0", "u1"));
        assert_eq!(request, "POST /api/v3/demo-login HTTP/1.1");
    }

    #[tokio::test]
    async fn a_refusal_carries_the_servers_code() {
        let body = r#"{"_time":"1 ms","ok":false,"error":"RATE_LIMIT"}"#;
        let (login, _) = one_answer("429 Too Many Requests", body).await;
        let error = login.expect_err("it is refused").to_string();
        assert!(error.contains("429") && error.contains("RATE_LIMIT"), "{error}");
    }

    #[tokio::test]
    async fn only_http_urls_are_taken() {
        assert!(Api::find("https://127.0.0.1").await.is_err());
        assert!(Api::find("127.0.0.1:80").await.is_err());
    }
}
