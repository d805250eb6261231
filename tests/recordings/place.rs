//! A data folder that goes with its test, and what the command makes of the recordings in it.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::support::server::Server;

/// See the module's words.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new() -> Place {
        let path = std::env::temp_dir().join(format!("voxhall-recorded-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Place(path)
    }

    /// The folder of the one recording, once the server has made it ready.
    pub async fn ready(&self, server: &Server) -> PathBuf {
        loop {
            let (_, metrics) = server.fetch("/metrics").await;
            let metrics = metrics.as_str().expect("text");
            if metrics.contains("voxhall_recordings_finished_total{outcome=\"ready\"} 1") {
                break;
            }
            assert!(!metrics.contains("outcome=\"failed\"} 1"), "{metrics}");
            tokio::task::yield_now().await;
        }
        let folders = std::fs::read_dir(self.0.join("recordings")).expect("recordings");
        let folders = folders.map(|entry| entry.expect("an entry").path());
        folders.into_iter().find(|path| path.is_dir()).expect("one recording")
    }

    /// The one recording, made ready by the command, and its call.json.
    pub fn finished(&self) -> (PathBuf, Value) {
        let recordings = self.0.join("recordings");
        let folder = recordings.to_str().expect("plain");
        voxhall(&["recordings", "repair", folder]);
        voxhall(&["recordings", "verify", "--dir", folder]);
        let folders = std::fs::read_dir(&recordings).expect("recordings");
        let folders = folders.map(|entry| entry.expect("an entry").path());
        let folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        let report = std::fs::read_to_string(folders[0].join("call.json")).expect("call.json");
        (folders[0].clone(), serde_json::from_str(&report).expect("JSON"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The command, which must end well.
pub fn voxhall(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_voxhall")).args(arguments).output();
    let output = output.expect("cargo has built the binary");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// opusinfo, ffmpeg, ffprobe and sox judge what lies in a recording's folder.
pub fn others_find_nothing_wrong(folder: &Path, long_us: u64) {
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let (text, name) = (path.to_str().expect("plain"), path.file_name().expect("a name"));
        let name = name.to_str().expect("plain");
        if name.ends_with(".opus") {
            let said = run("opusinfo", &[text]);
            assert!(!said.contains("WARNING"), "{name}: {said}");
            run("ffmpeg", &["-v", "error", "-i", text, "-f", "null", "-"]);
        }
        if name.starts_with("mix.") {
            let asked = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"];
            let said = run("ffprobe", &[&asked[..], &[text]].concat());
            let seconds: f64 = said.trim().parse().expect("seconds");
            let off = (seconds * 1e6 - long_us as f64).abs();
            assert!(off <= 20_000.0, "{name} is {seconds} s long, the call {long_us} us");
        }
    }
    let said = run("sox", &["--i", folder.join("mix.wav").to_str().expect("plain")]);
    for fact in ["Channels       : 1", "Sample Rate    : 48000", "Precision      : 16-bit"] {
        assert!(said.contains(fact), "{said}");
    }
}

/// What a program says; it must end well and complain of nothing.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } =
        Command::new(program).args(arguments).output().expect("tests/run installs it");
    let (said, complained) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let is_well = status.success() && complained.is_empty();
    assert!(is_well, "{program} {arguments:?}: {said}{complained}");
    said.into_owned()
}
