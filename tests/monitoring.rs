//! What an operator watches by: the alert rules and the dashboard name numbers that a real node
//! has, and promtool, Prometheus's own judge, finds nothing wrong with them.

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::server::Server;

const SECRET: &str = "a-secret-of-thirty-two-characters";

fn monitoring(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/monitoring").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(monitoring(name)).expect("it is there")
}

/// The one that `tests/run` has unpacked, or whichever there is.
fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prometheus/usr/bin/promtool");
    let program = if unpacked.is_file() { unpacked } else { "promtool".into() };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("tests/run brings promtool");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let ended = child.wait_with_output().expect("it ends");
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// `/metrics` of a node with a core of its own, and of one beside another.
async fn scrapes() -> [String; 2] {
    let alone = Server::start();
    let mode = [("VOXHALL_CORE_MODE", "accept"), ("VOXHALL_CORE_SECRET", SECRET)];
    let linked = Server::with(&["--http", "127.0.0.1:0"], &mode);
    let mut scrapes = [String::new(), String::new()];
    for (scrape, server) in scrapes.iter_mut().zip([&alone, &linked]) {
        let (status, metrics) = server.fetch("/metrics").await;
        assert_eq!(status, 200);
        metrics.as_str().expect("text").clone_into(scrape);
    }
    alone.stop().await;
    linked.stop().await;
    scrapes
}

/// Every name of ours in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |byte: char| byte.is_ascii_lowercase() || byte == '_';
    let words = text.split(|byte| !is_part(byte));
    words.filter(|word| word.starts_with("voxhall_")).map(str::to_owned).collect()
}

/// Each expression of the dashboard, with its variable filled in.
fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let told = targets.map(|target| target["expr"].as_str().expect("an expression"));
    told.map(|told| told.replace("$instance", ".+")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_that_is_watched_is_one_that_a_node_has() {
    let scrapes = scrapes().await;
    for scrape in &scrapes {
        let (is_fine, said) = promtool(&["check", "metrics"], scrape);
        assert!(is_fine, "{said}");
    }
    let had = names(&scrapes.concat());
    let watched = names(&(text("alerts.yml") + &text("dashboard.json")));
    let unknown: Vec<&String> = watched.difference(&had).collect();
    assert!(unknown.is_empty() && watched.len() > 20, "{unknown:?}");
    // And what a node has to tell of trouble is on the dashboard.
    let shown = names(&text("dashboard.json"));
    let counters = had.iter().filter(|name| name.ends_with("_total"));
    let quiet = ["voxhall_signals_total", "voxhall_signals_repeated_total"];
    let quiet = [&quiet[..], &["voxhall_events_resent_total", "voxhall_sockets_closed_total"]];
    let quiet: Vec<&str> = [quiet.concat(), vec!["voxhall_voice_unmetered_total"]].concat();
    let missing: Vec<&String> =
        counters.filter(|name| !shown.contains(*name) && !quiet.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn alerts_come_where_they_should_and_the_dashboard_s_expressions_are_sound() {
    let path = |name: &str| monitoring(name).to_str().expect("text").to_owned();
    let (is_fine, said) = promtool(&["check", "rules", &path("alerts.yml")], "");
    assert!(is_fine, "{said}");
    let (is_fine, said) = promtool(&["test", "rules", &path("alerts.test.yml")], "");
    assert!(is_fine, "{said}");
    // Each alert has its trial.
    let tried = text("alerts.test.yml");
    let rules = text("alerts.yml");
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let untried: Vec<&str> = alerts.filter(|name| !tried.contains(*name)).collect();
    assert!(untried.is_empty(), "{untried:?}");
    let dashboard: Value = serde_json::from_str(&text("dashboard.json")).expect("JSON");
    let all = expressions(&dashboard);
    assert!(all.len() > 20, "{all:?}");
    let rules: Vec<Value> = (0..)
        .zip(&all)
        .map(|(at, expr)| serde_json::json!({ "record": format!("panel:{at}"), "expr": expr }))
        .collect();
    // YAML takes JSON.
    let file = serde_json::json!({ "groups": [{ "name": "panels", "rules": rules }] }).to_string();
    let place = std::env::temp_dir().join(format!("voxhall-panels-{}.yml", std::process::id()));
    let check = |file: &str| {
        std::fs::write(&place, file).expect("a file of the test");
        promtool(&["check", "rules", place.to_str().expect("text")], "")
    };
    let (is_fine, said) = check(&file);
    assert!(is_fine, "{said}");
    // A broken one would have been noticed.
    let (is_fine, _) = check(&file.replacen("voxhall_calls", "sum by", 1));
    assert!(!is_fine);
    let _ = std::fs::remove_file(place);
}
