//! The core in Python that docs/core.md points to, with real Chromium at its page: a stranger's
//! chat server has calls by it, whoever dials, and writes down what happened in them.

#![allow(dead_code, reason = "the browsers' modules are shared, and each test uses its part")]

#[path = "browser/folder.rs"]
mod folder;
#[path = "browser/make.rs"]
mod make;
#[path = "support/server.rs"]
mod server;
#[path = "browser/tone.rs"]
mod tone;
#[path = "browser/webdriver.rs"]
mod webdriver;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use folder::Folder;
use make::Make;
use serde_json::Value;
use server::Server;
use webdriver::{Browser, Driver};

const SECRET: &str = "a-secret-of-thirty-two-characters";
const ANNA_HZ: u32 = 440;
const BORIS_HZ: u32 = 700;

/// `tests/core/core.py`, as anybody would run it.
struct Reference {
    url: String,
    child: Child,
}

impl Reference {
    fn start(facts: &Path, more: &[&str]) -> Reference {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(here.join("target/core-venv/bin/python"));
        command.arg(here.join("tests/core/core.py")).args(["--listen", "127.0.0.1:0"]);
        command.args(["--secret", SECRET, "--facts"]).arg(facts);
        command.arg("--page").arg(here.join("tests/core/page.html")).args(more);
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.expect("tests/run makes target/core-venv");
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        said.read_line(&mut line).expect("a pipe can be read");
        let url = line.split_whitespace().find(|word| word.contains("://"));
        let url = url.unwrap_or_else(|| panic!("no address: {line:?}")).trim_end_matches('/');
        Reference { url: url.to_owned(), child }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn people_of_a_core_that_the_node_dials_hear_each_other() {
    let _turn = turn();
    let folder = Folder::new();
    let facts = folder.path().join("facts.jsonl");
    let core = Reference::start(&facts, &[]);
    let link = format!("{}/voxhall", core.url.replace("http://", "ws://"));
    let _server = Server::with(
        &["--http", "127.0.0.1:0"],
        &[
            ("VOXHALL_CORE_MODE", "dial"),
            ("VOXHALL_CORE_URL", &link),
            ("VOXHALL_CORE_SECRET", SECRET),
        ],
    );
    a_call_is_held(&core, &facts);
}

#[test]
fn people_of_a_core_that_dials_the_node_hear_each_other() {
    let _turn = turn();
    let folder = Folder::new();
    let facts = folder.path().join("facts.jsonl");
    let server = Server::with(
        &["--http", "127.0.0.1:0"],
        &[("VOXHALL_CORE_MODE", "accept"), ("VOXHALL_CORE_SECRET", SECRET)],
    );
    let node = format!("{}/api/v3/core", server.url.replace("http://", "ws://"));
    let core = Reference::start(&facts, &["--dial", &node]);
    a_call_is_held(&core, &facts);
}

/// One at a time: each has two browsers.
fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn a_call_is_held(core: &Reference, facts: &Path) {
    let driver = Driver::start(Make::Chromium);
    let come = |name: &str, hz| {
        let browser = driver.browser_at(&format!("{}/?name={name}", core.url), name, hz);
        // What the ears of all browser tests know the page by.
        browser.run(
            "window.voxhall = { client: {
                 get pc() { return window.call.pc }, tracksByJid: new Map() } }",
        );
        until(&browser, "!document.querySelector('#join').disabled");
        browser
    };
    let (anna, boris) = (come("Anna", ANNA_HZ), come("Boris", BORIS_HZ));
    for browser in [&anna, &boris] {
        browser.click("#join");
    }
    hears(&anna, &[BORIS_HZ]);
    hears(&boris, &[ANNA_HZ]);
    until(&anna, "document.querySelector('#people').textContent.includes('Boris')");
    boris.click("#mute");
    until(&anna, "document.querySelector('#people').textContent.includes('Boris, muted')");
    hears(&anna, &[]);
    boris.click("#mute");
    hears(&anna, &[BORIS_HZ]);
    for browser in [&anna, &boris] {
        browser.click("#leave");
        until(browser, "call.pc === null");
        assert_eq!(browser.run("return call.warnings"), Value::Array(Vec::new()));
    }
    until(&anna, "call.state?.finish");
    let kinds = kinds(facts);
    let told: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let begin = ["started", "joined", "joined", "muted", "unmuted", "left", "left", "finished"];
    assert_eq!(told, begin, "{kinds:?}");
}

/// The facts that the core wrote down, once the end is among them.
fn kinds(facts: &Path) -> Vec<String> {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(facts).expect("the core keeps them");
        let kind = |line: &str| -> Option<String> {
            let fact: Value = serde_json::from_str(line).ok()?;
            Some(fact["kind"].as_str()?.to_owned())
        };
        let kinds: Vec<String> = text.lines().filter_map(kind).collect();
        if kinds.last().is_some_and(|last| last == "finished") {
            return kinds;
        }
        assert!(std::time::Instant::now() < until, "no end: {kinds:?}");
    }
}

/// Exactly these tones.
fn hears(listener: &Browser, tones: &[u32]) {
    let is_one = format!("{tones:?}.some((hz) => Math.abs(hz - it.hz) < 25)");
    let these = format!("all.length === {} && all.every((it) => {is_one})", tones.len());
    until(listener, &format!("await ears.hears().then((all) => {these})"));
}

/// An expression of JavaScript that may wait.
fn until(browser: &Browser, holds: &str) {
    let look = format!("return ears.until(async () => Boolean({holds}), 0, {DEADLINE_MS})");
    let held = browser.run(&look);
    assert!(held.is_null(), "never: {holds}; instead: {held:#}");
}

const DEADLINE_MS: u32 = 20_000;
