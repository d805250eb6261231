//! Calls of people whom no packet reaches but over a relay: real Chromiums that may use TURN alone,
//! a real coturn, and passwords that the server made for them. `tests/run` unpacks coturn.

#[path = "browser/fits.rs"]
#[allow(dead_code, reason = "tests/browser.rs uses the rest of it")]
mod fits;
#[path = "browser/folder.rs"]
mod folder;
#[path = "browser/make.rs"]
#[allow(dead_code, reason = "tests/browser.rs uses the rest of it")]
mod make;
#[path = "browser/person.rs"]
#[allow(dead_code, reason = "tests/browser.rs uses the rest of it")]
mod person;
#[path = "browser/tone.rs"]
mod tone;
#[path = "browser/webdriver.rs"]
#[allow(dead_code, reason = "tests/browser.rs uses the rest of it")]
mod webdriver;

mod support;

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use make::Make;
use person::{Held, Person};
use support::server::{Server, command};
use webdriver::Driver;

const SECRET: &str = "north-and-south-and-east-and-west";

#[test]
fn people_behind_a_relay_hear_each_other_by_passwords_of_their_own() {
    let relay = Relay::start();
    let url = format!("turn:127.0.0.1:{}", relay.port);
    let variables = [
        ("VOXHALL_TURN_URLS", url.as_str()),
        ("VOXHALL_TURN_SECRET", SECRET),
        ("VOXHALL_FEATURES_ICE_TRANSPORT_POLICY", "relay"),
    ];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    let driver = Driver::start(Make::Chromium);
    let come = |name, tone_hz| Person::comes(&driver, &server.url, name, tone_hz);
    let (anna, boris) = (come("Anna", 440), come("Boris", 700));
    for person in [&anna, &boris] {
        person.joins_lobby();
    }
    anna.hears_exactly(&[&boris], Held::Briefly);
    boris.hears_exactly(&[&anna], Held::Briefly);
    for person in [&anna, &boris] {
        let own = person.stats("local-candidate");
        let is_relayed = own.iter().all(|candidate| candidate["candidateType"] == "relay");
        assert!(is_relayed && !own.is_empty(), "{own:#?}");
    }
    let names = relay.users();
    for person in [&anna, &boris] {
        let is_his = |name: &&String| name.ends_with(&format!(":{}", person.jid));
        assert!(names.iter().any(|name| is_his(&name)), "{names:?}");
    }
}

#[test]
fn check_tries_the_relay_with_a_password_of_its_own() {
    let relay = Relay::start();
    let url = format!("turn:127.0.0.1:{}", relay.port);
    let checked = |secret: &str| {
        let variables = [("VOXHALL_TURN_URLS", url.as_str()), ("VOXHALL_TURN_SECRET", secret)];
        let folder = folder::Folder::new();
        let flags = ["check", "--http", "127.0.0.1:0"];
        let ended = command(folder.path(), &flags, &variables).output().expect("it runs");
        let text = String::from_utf8(ended.stdout).expect("text");
        let line = text.lines().find(|line| line.contains(&url)).unwrap_or_default().to_owned();
        (ended.status.success(), line)
    };
    let (is_passed, line) = checked(SECRET);
    assert!(is_passed && line.starts_with("ok"), "{line}");
    let (is_passed, line) = checked("another");
    assert!(!is_passed && line.starts_with("fail") && !line.contains("another"), "{line}");
}

/// Debian's coturn, on a free port of this machine.
struct Relay {
    port: u16,
    child: Child,
    said: std::sync::mpsc::Receiver<String>,
}

impl Relay {
    fn start() -> Relay {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/coturn");
        let free = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let libraries = ["x86_64", "aarch64"]
            .map(|make| format!("{}/usr/lib/{make}-linux-gnu", place.display()))
            .join(":");
        let mut command = Command::new(place.join("usr/bin/turnserver"));
        command.env("LD_LIBRARY_PATH", libraries);
        // Without TCP: that port may be another's, and coturn would wait for it and answer nobody.
        command.args(["-n", "--no-cli", "--no-tcp", "--no-tls", "--no-dtls", "--no-rfc5780"]);
        command.args(["--use-auth-secret", "--realm", "voxhall", "--log-file", "stdout"]);
        command.args(["--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1"]);
        command.args(["--allow-loopback-peers", "--verbose", "--pidfile", "/dev/null"]);
        command.args(["--static-auth-secret", SECRET, "--listening-port", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn();
        let mut child = child.unwrap_or_else(|e| panic!("tests/run unpacks coturn: {e}"));
        let (say, said) = std::sync::mpsc::sync_channel(LINES);
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        std::thread::spawn(move || {
            // What nobody reads any more is lost.
            lines.lines().map_while(Result::ok).for_each(|line| drop(say.try_send(line)));
        });
        let relay = Relay { port, child, said };
        let mut lines = std::iter::from_fn(|| relay.said.recv_timeout(PATIENCE).ok());
        assert!(lines.any(|line| line.contains("UDP listener opened")), "coturn does not listen");
        relay
    }

    /// Who was let in.
    fn users(&self) -> Vec<String> {
        let user = |line: String| {
            let (_, user) = line.split_once("user <")?;
            Some(user.split_once('>')?.0.to_owned())
        };
        self.said.try_iter().filter_map(user).collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log: Vec<String> = self.said.iter().collect();
            eprintln!("the relay's log:\n{}", log.join("\n"));
        }
    }
}

/// For a start on a machine that is busy building.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
const LINES: usize = 65_536;
