//! A clock that jumps an hour back and a day ahead while people talk: nobody is dropped, everybody
//! goes on being heard, and the versions of the call's state only rise (libfaketime moves the
//! server's wall clock, and leaves the one that never jumps alone).

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::client::{Client, Sections};
use support::server::Server;
use support::story::{ANNA_HZ, BORIS_HZ, DEADLINE, guest, join_talking, only_is_heard};

/// Where the server reads how far its clock is off.
struct Clock(PathBuf);

impl Clock {
    fn set(&self, off: &str) {
        // At once, or the server would read half of it.
        let next = self.0.with_extension("next");
        std::fs::write(&next, off).expect("a file of the test");
        std::fs::rename(next, &self.0).expect("a file of the test");
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn libfaketime() -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/libfaketime/usr/lib");
    // One folder, called after the machine's kind.
    let kinds = std::fs::read_dir(unpacked).expect("tests/run brings libfaketime");
    let mut places = kinds
        .map(|kind| kind.expect("a folder can be read").path().join("faketime/libfaketime.so.1"));
    places.find(|place| place.is_file()).expect("it is in Debian's package")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_drops_nobody_and_no_version_goes_back() {
    let clock = std::env::temp_dir().join(format!("voxhall-clock-{}", std::process::id()));
    let clock = Clock(clock);
    clock.set("+0s");
    let library = libfaketime();
    let server = Server::with(
        &["--http", "127.0.0.1:0"],
        &[
            ("LD_PRELOAD", library.to_str().expect("text")),
            ("FAKETIME_TIMESTAMP_FILE", clock.0.to_str().expect("text")),
            ("FAKETIME_NO_CACHE", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ],
    );
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    only_is_heard(&anna, BORIS_HZ).await;
    let before = now(&server).await;
    for off in ["-3600s", "+86400s", "-3600s", "+0s"] {
        clock.set(off);
        // The state changes on the other side of the jump, and both are heard there.
        for muted in [true, false] {
            mute(&anna, &boris, muted).await;
        }
        only_is_heard(&anna, BORIS_HZ).await;
        only_is_heard(&boris, ANNA_HZ).await;
        if off == "+86400s" {
            // It did jump, or all of this is about nothing.
            assert_ne!(now(&server).await[..10], before[..10]);
        }
    }
    let states = anna.events().all("server.call.state");
    let versions: Vec<i64> = states.iter().filter_map(|state| state["gentime"].as_i64()).collect();
    assert!(versions.len() > 8 && versions.is_sorted_by(|one, other| one < other), "{versions:?}");
    for client in [&anna, &boris] {
        for ended in ["server.call.leave", "server.call.restart"] {
            assert_eq!(client.events().all(ended), [] as [Value; 0], "{ended}");
        }
    }
    server.stop().await;
}

/// The server's clock, as it tells it.
async fn now(server: &Server) -> String {
    let (_, told) = server.fetch("/api/v3/time").await;
    told["result"].as_str().expect("a time").to_owned()
}

/// Mutes himself or speaks again, and waits until `other` is told.
async fn mute(who: &Client, other: &Client, muted: bool) {
    let mark = other.events().mark();
    let params = json!({ "jid": who.lobby(), "muted": muted });
    who.send_confirmed("client.call.sound", params).await.expect("it is taken");
    let is_so = |state: &Value| {
        let onliners = state["onliners"].as_array().expect("a list").iter();
        onliners.into_iter().any(|it| it["jid"] == who.account.jid && it["muted"] == muted)
    };
    let told = other.events().wait_after(mark, DEADLINE, "server.call.state", is_so).await;
    assert!(told.is_some(), "{muted}: {:?}", other.events().all("server.call.state").last());
}
