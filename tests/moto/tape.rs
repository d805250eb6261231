//! A data folder with one finished recording, and the server that has it.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::DEADLINE;
use crate::place::Place;
use crate::support::server::{Reply, Server};

const TEAM: &str = "2c6d1f80-93ab-4e5d-b7f1-40c8a9e2d305";
const ANNA: &str = "d-anna";
pub const ID: &str = "20160202-100000-bbbbbbbb";
pub const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
pub const PART: usize = 16 * 1024 * 1024;

/// See the module's words; all goes with the test.
pub struct Tape(Place);

impl Tape {
    pub fn new() -> Tape {
        let tape = Tape(Place::new());
        let person = json!({
            "jid": ANNA, "display_name": "Anna", "token_sha256": sha256(ANNA.as_bytes()),
        });
        let people = json!({
            "team": { "uid": TEAM, "name": "Voxhall" },
            "groups": [{ "jid": "g-tea", "display_name": "Lobby" }],
            "people": [person],
        });
        fs::write(tape.0.0.join("people.json"), people.to_string()).expect("a file of the test");
        fs::create_dir_all(tape.file("")).expect("a folder of the test");
        let files = files();
        for (name, content) in &files {
            fs::write(tape.file(name), content).expect("a file of the test");
        }
        let listed = files.iter().map(|(name, content)| {
            json!({ "name": name, "bytes": content.len(), "sha256": sha256(content) })
        });
        let report = json!({
            "version": 1, "id": ID, "call": "call-b",
            "chat": { "type": "group", "jids": ["g-tea"], "display_name": "Tea" },
            "began": "2016-02-02T10:00:00.000000Z", "ended": "2016-02-02T10:01:00.000000Z",
            "duration_ms": 60_000, "by": ANNA, "why_ended": "record_off", "people": [],
            "segments": [], "gaps": [], "stops": [], "dropped_packets": 0, "tracks": [],
            "files": listed.collect::<Vec<_>>(),
        });
        fs::write(tape.file("call.json"), report.to_string()).expect("a file of the test");
        tape
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.recordings().join(ID).join(name)
    }

    pub fn recordings(&self) -> PathBuf {
        self.0.0.join("recordings")
    }

    pub fn has(&self, name: &str) -> bool {
        self.file(name).exists()
    }

    pub fn ledger(&self) -> Value {
        let text = fs::read(self.file("upload.json")).expect("something was begun");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// As if all had been confirmed ten years ago.
    pub fn backdate(&self) {
        let mut ledger = self.ledger();
        assert!(ledger["confirmed"].is_string(), "{ledger}");
        ledger["confirmed"] = "2016-02-02T11:00:00.000000Z".into();
        fs::write(self.file("upload.json"), ledger.to_string()).expect("a file of the test");
    }

    /// A server whose store is at the end of a road, with further variables.
    pub fn server(&self, endpoint: &str, more: &[(&str, &str)]) -> Server {
        let mut variables = vec![
            ("VOXHALL_ARCHIVE_URL", "s3://calls/of/team"),
            ("VOXHALL_ARCHIVE_ENDPOINT", endpoint),
            ("VOXHALL_ARCHIVE_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("VOXHALL_ARCHIVE_SECRET_ACCESS_KEY", SECRET),
            ("VOXHALL_LOG_LEVEL", "trace"),
            ("NO_PROXY", "127.0.0.1"),
        ];
        variables.extend(more);
        Server::on(&self.0.0, &variables)
    }
}

/// Where in the bucket a file lies.
pub fn key(name: &str) -> String {
    format!("of/team/{ID}/{name}")
}

/// All but call.json, with the same bytes each time; the mix has three parts.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    let noise = |bytes: usize, seed: u32| -> Vec<u8> {
        let word = |at: u32| (at ^ seed).wrapping_mul(2_654_435_761).to_le_bytes();
        (0..bytes.div_ceil(4) as u32).flat_map(word).take(bytes).collect()
    };
    vec![
        ("mix.opus", noise(100_000, 1)),
        ("mix.wav", noise(2 * PART + 10_000_001, 2)),
        ("peaks.json", b"{\"interval_ms\":50,\"mix\":[],\"people\":[]}".to_vec()),
        ("speakers.vtt", b"WEBVTT\n".to_vec()),
        ("timeline.jsonl", b"{}\n".to_vec()),
    ]
}

pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Below the recordings of the team, as Anna.
pub fn path(rest: &str) -> String {
    format!("/api/v3/teams/{TEAM}/recordings{rest}?token={ANNA}")
}

pub async fn download(server: &Server, name: &str, headers: &str) -> Reply {
    server.bytes("GET", &path(&format!("/{ID}/files/{name}")), headers, "").await
}

/// Waits until a number of `/metrics` is so.
pub async fn until(server: &Server, metric: &str, is_so: impl Fn(u64) -> bool) {
    let reading = async {
        loop {
            let text = server.bytes("GET", "/metrics", "", "").await.body;
            let text = String::from_utf8(text).expect("text");
            let line = text.lines().find_map(|line| line.strip_prefix(metric));
            let value = line.and_then(|value| value.trim().parse().ok());
            if is_so(value.unwrap_or_else(|| panic!("no {metric} in {text}"))) {
                return;
            }
        }
    };
    timeout(DEADLINE, reading).await.unwrap_or_else(|_| panic!("{metric} comes to that"));
}

pub const CONFIRMED: &str = "voxhall_archive_uploads_total{outcome=\"confirmed\"}";
pub const FAILED: &str = "voxhall_archive_uploads_total{outcome=\"failed\"}";
pub const REFUSED: &str = "voxhall_archive_uploads_total{outcome=\"refused\"}";
pub const WAITING: &str = "voxhall_archive_waiting_recordings";
