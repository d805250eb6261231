//! Calls with a third WebRTC stack, aiortc: alone, offered more sections, and beside the
//! `webrtc` crate. Each of its people is a process (`tests/aiortc/client.py`).

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::{Client, Sections};
use support::server::Server;

const TONES: [f32; 3] = [440.0, 660.0, 990.0];

#[test]
fn two_hear_each_other_in_the_one_section_they_offered() {
    let server = Server::start();
    let mut both = people(&server, 2, 1);
    hear_each_other(&mut both);
    for one in &both {
        assert_eq!(one.kinds(), ["answer"]);
    }
}

#[test]
fn three_with_one_section_each_are_offered_another_and_hear_exactly_the_others() {
    let server = Server::start();
    let mut all = people(&server, 3, 1);
    hear_each_other(&mut all);
    for one in &all {
        assert_eq!(one.kinds(), ["answer", "offer"]);
    }
}

#[test]
fn three_with_sections_ahead_hear_exactly_the_others_and_are_never_offered_any() {
    let server = Server::start();
    let mut all = people(&server, 3, 4);
    hear_each_other(&mut all);
    for one in &all {
        assert_eq!(one.kinds(), ["answer"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_and_the_webrtc_crate_hear_each_other_and_mute_holds_between_them() {
    let server = Server::start();
    let mut anna = Aiortc::spawn(&server, TONES[0], 1);
    let mut boris = Client::login(&server.url, "boris").await.unwrap();
    boris.connect_socket().await.unwrap();
    boris.offer(&boris.lobby(), Sections::One).await.unwrap();
    boris.say_tone(TONES[1]);
    anna.hears_exactly(&[TONES[1]]);
    boris.hears_exactly(DEADLINE, &[TONES[0]]).await.unwrap();
    let mut clara = Client::login(&server.url, "clara").await.unwrap();
    clara.connect_socket().await.unwrap();
    clara.offer(&clara.lobby(), Sections::Ahead(2)).await.unwrap();
    clara.say_tone(TONES[2]);
    anna.hears_exactly(&[TONES[1], TONES[2]]);
    anna.command(json!({ "do": "mute", "muted": true }));
    boris.hears_exactly(DEADLINE, &[TONES[2]]).await.unwrap();
    clara.hears_exactly(DEADLINE, &[TONES[1]]).await.unwrap();
}

#[test]
fn it_connects_with_candidates_that_come_one_by_one() {
    let server = Server::start();
    let mut anna = Aiortc::spawn_with(&server, TONES[0], &["--trickle"]);
    let mut boris = Aiortc::spawn(&server, TONES[1], 1);
    anna.hears_exactly(&[TONES[1]]);
    boris.hears_exactly(&[TONES[0]]);
}

/// A person on aiortc in the Lobby, killed when dropped.
struct Aiortc {
    tone: f32,
    child: Child,
    reports: Receiver<Value>,
    seen: Vec<Value>,
}

impl Aiortc {
    fn spawn(server: &Server, tone: f32, sections: usize) -> Self {
        Self::spawn_with(server, tone, &["--sections", &sections.to_string()])
    }

    fn spawn_with(server: &Server, tone: f32, flags: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aiortc/client.py");
        let mut command = Command::new(python());
        command.arg(script).args(["--url", &server.url, "--chat", "lobby"]);
        command.args(["--tone", &tone.to_string()]).args(flags);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python runs");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let (said, reports) = sync_channel(MAX_REPORTS);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let report = serde_json::from_str(&line).expect("reports are JSON");
                if said.send(report).is_err() {
                    return;
                }
            }
        });
        Self { tone, child, reports, seen: Vec::new() }
    }

    /// Waits until each of `tones`, and nothing else, was in every report of some section three
    /// times in a row, in sections of their own.
    fn hears_exactly(&mut self, tones: &[f32]) {
        let until = Instant::now() + DEADLINE;
        let mut wanted: Vec<i64> = tones.iter().map(|hz| *hz as i64).collect();
        wanted.sort_unstable();
        let mut runs: BTreeMap<String, (Option<i64>, u32)> = BTreeMap::new();
        loop {
            let report = match self.reports.recv_timeout(until - Instant::now().min(until)) {
                Ok(report) => report,
                Err(RecvTimeoutError::Timeout) => panic!("wanted {tones:?}, heard {runs:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("ended: {:#?}", self.seen),
            };
            assert_ne!(report["is"], "failed", "{report}");
            if report["is"] == "hears" {
                let mid = report["mid"].as_str().expect("a section has a mid").to_owned();
                let near = |hz: f64| TONES.into_iter().find(|it| (f64::from(*it) - hz).abs() < 10.);
                let heard = report["hz"].as_f64().and_then(near).map(|hz| hz as i64);
                let run = runs.entry(mid).or_insert((heard, 0));
                *run = (heard, if run.0 == heard { run.1 + 1 } else { 1 });
            }
            self.seen.push(report);
            let mut heard: Vec<i64> = runs.values().filter_map(|(hz, _)| *hz).collect();
            heard.sort_unstable();
            if heard == wanted && runs.values().all(|(hz, run)| hz.is_some() && *run >= 3) {
                return;
            }
        }
    }

    /// Of the SDP that it was told so far: answers and offers.
    fn kinds(&self) -> Vec<&str> {
        let told = self.seen.iter().map(|report| &report["params"]["jsep"]["type"]);
        told.filter_map(Value::as_str).collect()
    }

    fn command(&mut self, command: Value) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{command}").expect("it reads");
    }
}

impl Drop for Aiortc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn people(server: &Server, count: usize, sections: usize) -> Vec<Aiortc> {
    TONES.iter().take(count).map(|tone| Aiortc::spawn(server, *tone, sections)).collect()
}

/// Each hears the tones of all others and nothing else.
fn hear_each_other(all: &mut [Aiortc]) {
    let tones: Vec<f32> = all.iter().map(|one| one.tone).collect();
    for one in all {
        let own = one.tone;
        let others: Vec<f32> = tones.iter().copied().filter(|hz| *hz != own).collect();
        one.hears_exactly(&others);
    }
}

/// The interpreter that has aiortc.
fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = || root.join("target/aiortc-venv/bin/python");
    let python = std::env::var_os("VOXHALL_PYTHON").map_or_else(made, PathBuf::from);
    assert!(
        python.is_file(),
        "no Python with aiortc at {}: run tests/run once (it makes target/aiortc-venv), or set \
         VOXHALL_PYTHON",
        python.display(),
    );
    python
}

/// Ends a test that has failed; Python starts in a second or two.
const DEADLINE: Duration = Duration::from_secs(30);
/// Five a second and section; more than a test reads.
const MAX_REPORTS: usize = 4096;
