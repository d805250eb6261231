//! `voxhall check`: a machine that is fit passes, and whatever is broken is named.

mod support;

use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::server::Server;

/// In all, whoever does not answer.
const WITHIN: Duration = Duration::from_secs(10);

/// Of a folder that goes with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path =
            std::env::temp_dir().join(format!("voxhall-check-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Place(path)
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("it is ours");
        path.to_str().expect("text").to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(data: &Path, flags: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxhall"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VOXHALL_") {
            command.env_remove(name);
        }
    }
    // A machine whose disk is nearly full shall pass all the same.
    let floors = ["VOXHALL_RECORD_FREE_FLOOR_MIB", "VOXHALL_RECORD_FREE_FLOOR_PERCENT"];
    command.envs(floors.map(|floor| (floor, "0"))).envs(variables.iter().copied());
    command.args(["check", "--workers", "1", "--data"]).arg(data).args(flags);
    let began = Instant::now();
    let ended = command.output().expect("cargo has built the binary");
    assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
    let text = String::from_utf8(ended.stdout).expect("text");
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{ended:?}", ended = ended.status);
    (ended.status.success(), text)
}

/// Everything on free ports, but for what the test adds.
fn checked(place: &Place, flags: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let free = ["--http", "127.0.0.1:0", "--media-port", "0"];
    run(&place.0.join("data"), &[&free, flags].concat(), variables)
}

/// The one line that fails, which names these.
#[track_caller]
fn fails((is_passed, text): (bool, String), names: &[&str]) {
    let failed: Vec<&str> = text.lines().filter(|line| line.starts_with("fail  ")).collect();
    assert!(!is_passed && failed.len() == 1, "{text}");
    for name in names {
        assert!(failed[0].contains(name), "`{name}` is not named in: {}", failed[0]);
    }
}

#[test]
fn a_machine_that_is_fit_passes_and_is_left_as_it_was() {
    let place = Place::new("fit");
    let (is_passed, text) = checked(&place, &[], &[]);
    assert!(is_passed && !text.contains("fail  "), "{text}");
    for what in
        ["configuration", "addresses", "listener", "media", "clock", "files", "data", "secrets"]
    {
        assert!(text.lines().any(|line| line.split_whitespace().nth(1) == Some(what)), "{text}");
    }
    assert_eq!(std::fs::read_dir(&place.0).expect("a folder").count(), 0, "nothing was made");
}

#[test]
fn a_machine_reads_the_same_as_json() {
    let place = Place::new("json");
    let (is_passed, text) = checked(&place, &["--json"], &[]);
    let told: Value = serde_json::from_str(&text).expect("one JSON object");
    assert!(is_passed && told["ok"] == true, "{told}");
    for check in told["checks"].as_array().expect("a list") {
        assert!(["ok", "warn"].map(Value::from).contains(&check["verdict"]), "{check}");
        assert!(check["what"].is_string() && check["finding"].is_string(), "{check}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_node_that_runs_its_ports_are_no_fault() {
    let server = Server::start();
    let (place, http) = (Place::new("beside"), server.url.trim_start_matches("http://"));
    let port = server.media_port.to_string();
    let (is_passed, text) =
        run(&place.0.join("data"), &["--http", http, "--media-port", &port], &[]);
    assert!(is_passed && text.contains("held by a voxhall, which answers"), "{text}");
    assert!(text.contains(&format!("UDP {port} is held, as by the voxhall")), "{text}");
    server.stop().await;
}

#[test]
fn a_port_that_another_program_holds_is_named() {
    let place = Place::new("held");
    let data = place.0.join("data");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = tcp.local_addr().expect("bound").to_string();
    fails(run(&data, &["--http", &at, "--media-port", "0"], &[]), &[&at, "another program"]);
    let udp = UdpSocket::bind("[::]:0").expect("a port");
    let port = udp.local_addr().expect("bound").port().to_string();
    let named = [&*format!("UDP {port}"), "media.port"];
    fails(run(&data, &["--http", "127.0.0.1:0", "--media-port", &port], &[]), &named);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let place = Place::new("folder");
    // Of root's, too: it is below a file.
    let below = place.file("file", "") + "/recordings";
    let record = [("VOXHALL_RECORD_DIR", below.as_str())];
    fails(checked(&place, &[], &record), &["recordings", &below, "record.dir"]);
}

#[test]
fn a_secret_that_is_short_weak_or_open_to_all_is_named() {
    let place = Place::new("secret");
    let file = |secret: &str| format!("[core]\nmode = \"accept\"\nsecret = \"{secret}\"\n");
    let short = place.file("short.toml", &file("too-short"));
    fails(checked(&place, &["--config", &short], &[]), &["configuration", "core.secret", "32"]);
    let weak = place.file("weak.toml", &file(&"x".repeat(32)));
    fails(checked(&place, &["--config", &weak], &[]), &["secrets", "core.secret", "1 different"]);
    let good = place.file("good.toml", &file("3f9c1e0a7b5d48269f01c3e8a4b7d652"));
    let (is_passed, text) = checked(&place, &["--config", &good], &[]);
    assert!(is_passed, "{text}");
    std::fs::set_permissions(&good, PermissionsExt::from_mode(0o644)).expect("it is ours");
    fails(checked(&place, &["--config", &good], &[]), &[&good, "everybody", "chmod 640"]);
}

#[test]
fn a_certificate_that_has_ended_or_is_another_key_s_is_named() {
    let place = Place::new("certificate");
    let made = |until: i32| {
        let mut wanted =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        wanted.not_before = rcgen::date_time_ymd(2020, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        (wanted.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    };
    let ((old, old_key), (new, new_key)) = (made(2021), made(2999));
    let (old, old_key) = (place.file("old.pem", &old), place.file("old.key", &old_key));
    let (new, new_key) = (place.file("new.pem", &new), place.file("new.key", &new_key));
    let with = |cert: &str, key: &str| {
        checked(&place, &[], &[("VOXHALL_HTTP_CERT", cert), ("VOXHALL_HTTP_KEY", key)])
    };
    fails(with(&old, &old_key), &["certificate", &old, "has ended"]);
    fails(with(&new, &old_key), &["certificate", "http.cert and http.key"]);
    let (is_passed, text) = with(&new, &new_key);
    assert!(is_passed && text.contains("days more"), "{text}");
}

#[test]
fn a_relay_that_is_dead_or_silent_is_named() {
    let place = Place::new("turn");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let url = format!("turn:{}", socket.local_addr().expect("bound"));
    let list = format!("[{{ urls = \"{url}\", username = \"u\", credential = \"c\" }}]");
    let servers = [("VOXHALL_FEATURES_ICE_SERVERS", list.as_str())];
    fails(checked(&place, &[], &servers), &["turn", &url, "does not answer"]);
    drop(socket);
    fails(checked(&place, &[], &servers), &["turn", &url, "refused"]);
    let list = format!("[{{ urls = \"{url}\" }}]");
    let servers = [("VOXHALL_FEATURES_ICE_SERVERS", list.as_str())];
    fails(checked(&place, &[], &servers), &["turn", "no username and credential"]);
}

#[test]
fn a_store_that_is_not_there_is_named_and_a_core_that_is_not_there_yet_is_no_fault() {
    let place = Place::new("elsewhere");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = socket.local_addr().expect("bound");
    drop(socket);
    let endpoint = format!("http://{nobody}");
    let store = [
        ("VOXHALL_ARCHIVE_URL", "s3://calls/of/team"),
        ("VOXHALL_ARCHIVE_ENDPOINT", endpoint.as_str()),
        ("VOXHALL_ARCHIVE_ACCESS_KEY_ID", "id"),
        ("VOXHALL_ARCHIVE_SECRET_ACCESS_KEY", "key"),
    ];
    fails(checked(&place, &[], &store), &["store", "s3://calls/of/team", "[archive]"]);
    let url = format!("ws://{nobody}/voxhall");
    let core = [
        ("VOXHALL_CORE_MODE", "dial"),
        ("VOXHALL_CORE_URL", url.as_str()),
        ("VOXHALL_CORE_SECRET", "3f9c1e0a7b5d48269f01c3e8a4b7d652"),
    ];
    let (is_passed, text) = checked(&place, &[], &core);
    assert!(is_passed && text.contains("warn  core"), "{text}");
}

#[test]
fn an_address_behind_a_nat_is_said_to_be_unproved() {
    let place = Place::new("nat");
    let (is_passed, text) = checked(&place, &["--media-ip", "203.0.113.9"], &[]);
    assert!(is_passed && text.contains("cannot be proved from inside"), "{text}");
}
