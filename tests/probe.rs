//! The node's calls to itself: they are heard, touch nobody, and tell when the media is cut.

mod support;

#[path = "browser/namespace.rs"]
#[allow(dead_code, reason = "Firefox needs an address as well")]
mod namespace;

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::raw::Raw;
use support::server::Server;
use tokio::time::{interval, timeout};
use voxhall::demo::socket::Account;

/// For what comes in a second or two, on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket that is cut is to be known by then.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);

/// The value of a series, or of the first one that begins so.
async fn number(server: &Server, series: &str) -> Option<f64> {
    let (_, metrics) = server.fetch("/metrics").await;
    let mut lines = metrics.as_str().expect("text").lines();
    lines.find_map(|line| line.strip_prefix(series)?.split_whitespace().last()?.parse().ok())
}

async fn heard(server: &Server) -> f64 {
    number(server, "voxhall_probe_calls_total{result=\"heard\"}").await.expect("it is counted")
}

async fn heard_times(server: &Server, times: f64) {
    let look = async {
        let mut ticks = interval(LOOK);
        while heard(server).await < times {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, look).await.expect("the node hears itself");
}

/// What `/readyz` says once its status is that.
async fn answered(server: &Server, status: u16, within: Duration) -> Value {
    let look = async {
        let mut ticks = interval(LOOK);
        loop {
            ticks.tick().await;
            let (is, body) = server.fetch("/readyz").await;
            if is == status {
                return body;
            }
        }
    };
    timeout(within, look).await.unwrap_or_else(|_| panic!("/readyz is never {status}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_hears_itself_and_nobody_notices() {
    // What everybody's calls would have, and an address that leads nowhere from here.
    let variables = [
        ("VOXHALL_PROBE_EVERY_S", "1"),
        ("VOXHALL_RECORD_AUTO", "true"),
        ("VOXHALL_CALL_MAX_PARTICIPANTS", "1"),
        ("VOXHALL_MEDIA_IP", "203.0.113.9"),
    ];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    heard_times(&server, 3.0).await;
    for quiet in [
        "voxhall_calls ",
        "voxhall_onliners ",
        "voxhall_recordings ",
        "voxhall_legs{link=\"connected\"}",
        "voxhall_dtls_handshakes_total{outcome=\"connected\"}",
        "voxhall_offer_seconds_count",
        "voxhall_probe_failures ",
    ] {
        assert_eq!(number(&server, quiet).await, Some(0.0), "{quiet}");
    }
    assert_eq!(number(&server, "voxhall_signals_total").await, None);
    assert!(number(&server, "voxhall_probe_seconds_count").await >= Some(3.0));
    assert_eq!(server.fetch("/readyz").await.0, 200);
    let stopped = server.stop().await;
    assert!(stopped.status.success());
    for line in ["call began", "leg opened", "call to itself", "no_path"] {
        assert!(!stopped.stderr.contains(line), "{}", stopped.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_people_are_in_the_log_though_its_own_went_before_and_are_not() {
    let variables = [("VOXHALL_PROBE_EVERY_S", "1")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    heard_times(&server, 1.0).await;
    let anna = Account::login(&server.url, "anna").await.expect("a login");
    let lobby = anna.chat("Lobby").expect("a Lobby").to_owned();
    let mut anna = Raw::connect(&anna).await;
    anna.offer(&lobby).await;
    let log = server.stop().await.stderr;
    for line in ["call began", "leg opened", "onliner joined"] {
        assert_eq!(log.matches(line).count(), 1, "{line}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_itself_can_be_switched_off() {
    let server = Server::with(&["--http", "127.0.0.1:0"], &[("VOXHALL_PROBE_EVERY_S", "0")]);
    assert_eq!(server.fetch("/readyz").await.0, 200);
    assert_eq!(heard(&server).await, 0.0);
    server.stop().await;
}

#[test]
fn a_node_whose_media_is_cut_is_known_within_thirty_seconds_and_healed() {
    namespace::inside(
        "a_node_whose_media_is_cut_is_known_within_thirty_seconds_and_healed",
        || {
            let runtime = tokio::runtime::Runtime::new().expect("threads");
            runtime.block_on(cut_and_healed());
        },
    );
}

async fn cut_and_healed() {
    // As often as without any configuration.
    let every = ("VOXHALL_PROBE_EVERY_S", "10");
    let server = Server::with(&["--http", "127.0.0.1:0"], &[every]);
    heard_times(&server, 1.0).await;
    ip("rule add pref 10 lookup local");
    ip("rule del pref 0");
    // What goes to the media socket goes nowhere; HTTP is as it was.
    ip(&format!("rule add pref 5 ipproto udp dport {} blackhole", server.media_port));
    let cut = Instant::now();
    let body = answered(&server, 503, KNOWN_WITHIN).await.to_string();
    println!("cut: known after {:.1} s: {body}", cut.elapsed().as_secs_f64());
    let named = format!("media worker 0 (UDP {}): no media path", server.media_port);
    assert!(body.contains(&named), "{body}");
    assert!(number(&server, "voxhall_probe_failures ").await >= Some(2.0));
    let no_path = number(&server, "voxhall_probe_calls_total{result=\"no_path\"}").await;
    assert!(no_path >= Some(2.0), "{no_path:?}");
    ip("rule del pref 5");
    let healed = Instant::now();
    answered(&server, 200, KNOWN_WITHIN).await;
    println!("healed: known after {:.1} s", healed.elapsed().as_secs_f64());
    assert_eq!(number(&server, "voxhall_probe_failures ").await, Some(0.0));
    let log = server.stop().await.stderr;
    for once in ["call to itself failed", "calls to itself fail: not ready", "heard again"] {
        assert_eq!(log.matches(once).count(), 1, "{once}: {log}");
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("tests/run installs iproute2");
    assert!(output.status.success(), "ip {arguments}: {output:?}");
}
