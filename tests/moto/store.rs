//! moto's S3 server, on a free port of this machine, and what lies in it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::DEADLINE;

/// A running server with one bucket; it ends with the test.
pub struct Moto {
    child: Child,
    pub port: u16,
    /// What it was asked, a line each, as `PUT /calls/.. 200`.
    log: Arc<Mutex<Vec<String>>>,
}

pub const BUCKET: &str = "calls";

impl Moto {
    pub async fn start() -> Moto {
        let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/moto-venv/bin");
        let mut child = Command::new(venv.join("python"))
            .arg(venv.join("moto_server"))
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tests/run installs moto");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let (port, lines) = tokio::task::spawn_blocking(move || {
            let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
                let (_, port) = line.split_once("Running on http://127.0.0.1:")?;
                port.trim().parse().ok()
            });
            (port.expect("it says where it listens"), lines)
        })
        .await
        .expect("it starts");
        let log = Arc::<Mutex<Vec<String>>>::default();
        let noted = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut parts = line.split('"').skip(1);
                let (request, status) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
                let request = request.trim_end_matches(" HTTP/1.1");
                let status = status.split_whitespace().next().unwrap_or("");
                let mut log = noted.lock().expect("nobody panics with it");
                log.push(format!("{request} {status}"));
            }
        });
        let moto = Moto { child, port, log };
        assert_eq!(moto.ask("PUT", "", "", b"").await.0, 200, "the bucket");
        moto
    }

    /// What it was asked so far, by beginning of a line.
    pub fn asked(&self, beginning: &str) -> Vec<String> {
        let lines = self.log.lock().expect("nobody panics with it");
        lines.iter().filter(|line| line.starts_with(beginning)).cloned().collect()
    }

    /// Every object's key, in order.
    pub async fn keys(&self) -> Vec<String> {
        let (_, page) = self.ask("GET", "?list-type=2", "", b"").await;
        let page = String::from_utf8(page).expect("XML");
        let keys = page.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        keys.map(str::to_owned).collect()
    }

    pub async fn object(&self, key: &str) -> Vec<u8> {
        let (status, body) = self.ask("GET", &format!("/{key}"), "", b"").await;
        assert_eq!(status, 200, "{key}");
        body
    }

    /// Puts an object there that is not from the server under test.
    pub async fn plant(&self, key: &str, headers: &str, content: &[u8]) {
        let (status, _) = self.ask("PUT", &format!("/{key}"), headers, content).await;
        assert_eq!(status, 200, "{key}");
    }

    /// A request about the bucket: status and body.
    async fn ask(&self, method: &str, rest: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let asking = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it is up");
            let head = format!(
                "{method} /{BUCKET}{rest} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n\
                 Authorization: AWS somebody:unchecked\r\n{headers}Content-Length: {}\r\n\r\n",
                self.port,
                body.len()
            );
            stream.write_all(head.as_bytes()).await.expect("it reads");
            stream.write_all(body).await.expect("it reads");
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).await.expect("it answers");
            reply
        };
        let reply = timeout(DEADLINE, asking).await.expect("it answers in time");
        let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("HTTP");
        let head = String::from_utf8_lossy(&reply[..end]).into_owned();
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), reply[end + 4..].to_vec())
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
