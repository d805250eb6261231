//! schemathesis, which makes requests up from the document and compares what comes back with it.
//! `tests/run` brings it, in `target/schemathesis-venv`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::desk::Desk;

/// What is tried, and of what.
#[derive(Clone, Copy)]
pub struct Trial<'t> {
    pub desk: &'t Desk,
    /// Paths that lead somewhere.
    pub uid: &'t str,
    pub people: &'t [&'t str],
    /// Options of schemathesis's: which operations.
    pub which: &'t [&'t str],
    /// What becomes of the document before it is tried.
    pub spoil: fn(&mut Value),
}

impl Trial<'_> {
    /// The beginning of what it said, and whether it found nothing.
    pub async fn run(&self) -> (bool, String) {
        let mut document = self.desk.document().await;
        let parameters = &mut document["components"]["parameters"];
        lead(&mut parameters["Uid"], &[self.uid]);
        let hearing = &mut document["paths"]["/admin/v1/calls/{uid}/hearing"]["get"];
        lead(&mut hearing["parameters"][1], self.people);
        let kept = Path::new(SCRATCH).join(format!("voxhall-openapi-{}.json", self.desk.token));
        (self.spoil)(&mut document);
        std::fs::write(&kept, document.to_string()).expect("room for a document");
        let header = format!("Authorization: Bearer {}", self.desk.token);
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis-venv/bin/st");
        let mut command = Command::new(place);
        command.arg("run").arg(&kept).args(["--url", &self.desk.url, "--header", &header]);
        command.args(["--checks", "all", "--max-examples", "25", "--seed", "1"]);
        // With more workers hypothesis 6.170 stumbles over CPython 3.11's parser, now and then.
        command.args(["--workers", "1", "--no-color"]).args(self.which);
        // It keeps what it found in the folder that it runs in.
        command.current_dir(SCRATCH).stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
        let ended = ended.expect("tests/run makes target/schemathesis-venv");
        let _ = std::fs::remove_file(kept);
        let said = [ended.stdout, ended.stderr].concat();
        let said = String::from_utf8_lossy(&said).chars().take(SAID_CHARS_MAX).collect();
        (ended.status.success(), said)
    }
}

impl Desk {
    pub async fn document(&self) -> Value {
        let reply = self.shown("GET", "openapi.json", Some(&self.token), "").await;
        assert_eq!(reply.header("content-type"), Some("application/json"));
        serde_json::from_slice(&reply.body).expect("the document is JSON")
    }
}

/// Half of what is made up for a parameter leads to what is there.
fn lead(parameter: &mut Value, known: &[&str]) {
    let anything = parameter["schema"].take();
    parameter["schema"] = json!({ "anyOf": [{ "enum": known }, anything] });
    parameter["example"] = json!(known[0]);
}

/// Cargo's folder for what tests leave.
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// A fault of its own is told with all of its source.
const SAID_CHARS_MAX: usize = 10_000;
