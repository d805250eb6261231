//! The operator, as a test has him: he knows where the door is from the file that the node wrote.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::server::{Reply, Server, request};

/// What opens the door, and where it is.
pub struct Desk {
    pub url: String,
    pub token: String,
}

/// Every route, as docs/admin.md lists them. `UID` stands for a call.
pub const ROUTES: [(&str, &str); 13] = [
    ("GET", "calls"),
    ("GET", "calls/UID"),
    ("GET", "calls/UID/hearing"),
    ("POST", "calls/UID/kick"),
    ("POST", "calls/UID/mute"),
    ("POST", "calls/UID/record"),
    ("POST", "calls/UID/end"),
    ("GET", "node"),
    ("POST", "drain"),
    ("GET", "log"),
    ("PUT", "log"),
    ("GET", "metrics"),
    ("GET", "openapi.json"),
];

impl Desk {
    pub fn of(server: &Server) -> Desk {
        Self::at(server.data())
    }

    pub fn at(data: &Path) -> Desk {
        let note = std::fs::read(data.join("admin.json")).expect("the node says where");
        let note: Value = serde_json::from_slice(&note).expect("JSON");
        let text = |name: &str| note[name].as_str().expect("a text").to_owned();
        Desk { url: text("url"), token: text("token") }
    }

    /// The `result` of a question.
    pub async fn read(&self, path: &str) -> Value {
        self.ask("GET", path, "").await.expect("an answer")
    }

    /// The `result` of a deed.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, &body.to_string()).await.expect("it is done")
    }

    /// The status and the body of what is refused.
    pub async fn refused(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.ask(method, path, body).await.expect_err("it is refused")
    }

    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Result<Value, (u16, Value)> {
        let reply = self.shown(method, path, Some(&self.token), body).await;
        let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        match reply.status {
            200 => Ok(body["result"].clone()),
            status => Err((status, body)),
        }
    }

    /// Any request, with this token or none.
    pub async fn shown(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Reply {
        let header = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let path = format!("/admin/v1/{path}");
        request(&self.url, method, &path, &header.unwrap_or_default(), body).await
    }

    /// Asks until the answer is as awaited: counters come from packets, in their own time.
    pub async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = json!(null);
        let asking = async {
            loop {
                last = self.read(path).await;
                if holds(&last) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        let held = timeout(PATIENCE, asking).await;
        assert!(held.is_ok(), "{path} stays: {last:#}");
        last
    }

    /// The uid of the only call.
    pub async fn only_call(&self) -> String {
        let calls = self.read("calls").await;
        assert_eq!(calls["calls"].as_array().map(Vec::len), Some(1), "{calls}");
        calls["calls"][0]["uid"].as_str().expect("a uid").to_owned()
    }
}

/// For what comes in milliseconds, on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(20);
