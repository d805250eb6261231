//! A house for one test, and its guests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::core::builtin::BuiltIn;
use crate::core::fake_node::FakeNode;
use crate::core::sockets::bucket::Pace;
use crate::core::sockets::{SocketOptions, Sockets};
use crate::core::test_folder::TestFolder;
use crate::signal::{
    Counters, Demo, Gate, GateLimits, Options, PATIENCE, Parts, Shell, router, serve_people,
};

/// Fifty at once, and no refill while a test runs.
pub const FIFTY: Pace = Pace { refill: Duration::from_secs(3600), burst: 50 };

pub struct House {
    pub address: SocketAddr,
    pub node: Arc<FakeNode>,
    pub counters: Arc<Counters>,
    pub gate: Arc<Gate>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

pub struct Guest {
    pub token: String,
    pub jid: String,
    pub team: String,
    pub lobby: String,
    address: SocketAddr,
}

pub struct Talk(WebSocketStream<MaybeTlsStream<TcpStream>>);

struct OneDemo;

impl Demo for OneDemo {
    fn is_running(&self) -> bool {
        false
    }

    fn start(&self, _: Option<crate::core::Jid>) -> Result<usize, String> {
        Ok(3)
    }
}

impl House {
    pub async fn open(folder: &TestFolder) -> Self {
        Self::with(folder, Options { pace: FIFTY, ..Options::default() }).await
    }

    pub async fn with(folder: &TestFolder, options: Options) -> Self {
        Self::behind(folder, options, GateLimits::default()).await
    }

    pub async fn behind(folder: &TestFolder, options: Options, limits: GateLimits) -> Self {
        let people = BuiltIn::open(folder.path()).unwrap();
        let paced = SocketOptions { http_pace: FIFTY, ..SocketOptions::default() };
        let sockets = Sockets::open(people.clone(), paced);
        let node = FakeNode::new(sockets.clone());
        sockets.join(node.clone());
        let counters = Arc::<Counters>::default();
        let gate = Gate::new(limits);
        let parts = Parts {
            sockets,
            people: Some(people),
            counters: counters.clone(),
            gate: gate.clone(),
            shows_metrics: true,
            metrics: Arc::new(|| "voxhall_sockets 0\n".to_owned()),
            ready: Arc::new(|| Err("draining".to_owned())),
            demo: Some(Arc::new(OneDemo)),
            archive: None,
            downloads: Default::default(),
            break_worker: Arc::new(|_| false),
        };
        let shell = Shell::new(parts, options);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let served =
            tokio::spawn(serve_people(shell.clone(), router(shell), listener, None, stopped));
        Self { address, node, counters, gate, stop, served }
    }

    pub async fn close(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.served).await.unwrap().unwrap().unwrap();
    }

    pub async fn guest(&self, name: &str) -> Guest {
        let body = json!({ "display_name": name }).to_string();
        let (status, answer) = self.request("POST", "/api/v3/demo-login", &[], &body).await;
        assert_eq!(status, 200, "{answer}");
        Guest::new(self.address, &answer["result"])
    }

    /// The status and the body, which is always JSON but for files and metrics.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, Value) {
        let (status, _, body) = self.raw(method, path, headers, body).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String, String) {
        let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let lines = lines.collect::<String>();
        let (address, length) = (self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-length: {length}\r\n{lines}\r\n"
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server may answer and close before it has read a body that is too long.
        let _ = stream.write_all(body.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }
}

impl Guest {
    fn new(address: SocketAddr, login: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            token: text(&login["token"]),
            jid: text(&login["me"]["jid"]),
            team: text(&login["team"]["uid"]),
            lobby: text(&login["chats"][0]["jid"]),
            address,
        }
    }

    pub async fn connect(&self, device: &str) -> Talk {
        self.try_connect(device, &[]).await.unwrap()
    }

    /// `Err`: the status and body of the refusal.
    pub async fn try_connect(
        &self,
        device: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Talk, (u16, Value)> {
        let (address, team, token) = (self.address, &self.team, &self.token);
        let url = format!("ws://{address}/messaging/{team}?token={token}&device={device}");
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match timeout(PATIENCE, connect_async(request)).await.unwrap() {
            Ok((stream, _)) => Ok(Talk(stream)),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err((response.status().as_u16(), serde_json::from_slice(body).unwrap()))
            }
            Err(other) => panic!("{other}"),
        }
    }
}

impl Talk {
    pub async fn send(&mut self, event: &Value) {
        self.0.send(Message::text(event.to_string())).await.unwrap();
    }

    pub async fn send_message(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub async fn next(&mut self) -> Result<Value, u16> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("a message in time");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.unwrap().code.into()),
                Some(Ok(_)) => {}
                other => panic!("the socket broke: {other:?}"),
            }
        }
    }

    /// The next event of this name; others are passed over.
    pub async fn event(&mut self, name: &str) -> Value {
        loop {
            let event = self.next().await.unwrap();
            if event["event"] == name {
                return event;
            }
        }
    }

    /// The code the server closes the socket with.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    /// All that comes up to the confirm of a ping sent now.
    pub async fn until_ping(&mut self) -> Vec<Value> {
        self.send(&json!({ "event": "client.ping", "confirm_id": "the ping" })).await;
        let mut events = Vec::new();
        loop {
            let event = self.next().await.unwrap();
            if event["params"]["confirm_id"] == "the ping" {
                return events;
            }
            events.push(event);
        }
    }
}

pub fn offer(jid: &str, confirm_id: &str) -> Value {
    let params = json!({ "jid": jid, "sdp": "v=0", "trickle": true, "muted": false });
    json!({ "event": "client.call.offer", "confirm_id": confirm_id, "params": params })
}
