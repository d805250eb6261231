//! Real calls on the real server, recorded: who is on the tracks and in the mix, who is not, and
//! what becomes of it when the disk is full. Judged by the tones and by programs that are not ours.

mod support;

#[path = "recordings/ear.rs"]
mod ear;
#[path = "recordings/place.rs"]
mod place;

use std::path::{Path, PathBuf};
use std::process::Command;

use ear::Ear;
use place::{Place, others_find_nothing_wrong};
use serde_json::{Value, json};
use support::client::{Client, Sections};
use support::server::{Server, dress};
use support::story::{ANNA_HZ, BORIS_HZ, CLARA_HZ, DEADLINE, guest, join_talking, only_is_heard};
use voxhall::demo::client::{Candidates, Join, JoinMute, Levels};
use voxhall::demo::http::Origin;
use voxhall::demo::socket::{Account, Chat};

// ---- Who is recorded.

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_recorded_from_on_to_off_and_everybody_is_told() {
    let place = Place::new();
    let server = Server::on(&place.0, &[]);
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    only_is_heard(&anna, BORIS_HZ).await;
    record(&anna, &[&anna, &boris], true).await;
    only_is_heard(&anna, BORIS_HZ).await;
    only_is_heard(&boris, ANNA_HZ).await;
    record(&anna, &[&anna, &boris], false).await;
    // Said after the end: on no track.
    boris.say_tone(CLARA_HZ);
    only_is_heard(&anna, CLARA_HZ).await;
    server.stop().await;
    let (folder, report) = place.finished();
    assert_eq!(report["why_ended"], "record_off");
    let jids: Vec<&Value> =
        report["people"].as_array().unwrap().iter().map(|it| &it["jid"]).collect();
    assert_eq!(jids, [&json!(anna.account.jid), &json!(boris.account.jid)]);
    for person in report["people"].as_array().unwrap() {
        assert_eq!(person["told_ms"].as_array().unwrap().len(), 1, "{person}");
    }
    assert_eq!(report["tracks"].as_array().unwrap().len(), 2);
    let mix = folder.join("mix.wav");
    let long_us = report["duration_ms"].as_u64().unwrap() * 1_000;
    assert!(long_us > 1_900_000, "{long_us}");
    let ear = Ear::on(&mix, 500_000, long_us - 300_000);
    for hz in [ANNA_HZ, BORIS_HZ] {
        assert!(ear.strength(hz) > 0.02, "{hz} Hz: {}", ear.strength(hz));
    }
    assert!(ear.strength(CLARA_HZ) < 0.002, "{}", ear.strength(CLARA_HZ));
    others_find_nothing_wrong(&folder, long_us);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_one_and_one_who_may_not_be_recorded_are_on_no_track() {
    let place = Place::new();
    let server = Server::on(&place.0, &[("VOXHALL_RECORD_AUTO", "true")]);
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = private(&server, "clara").await;
    join_talking(&mut anna, ANNA_HZ, Sections::Ahead(2)).await;
    join_talking(&mut clara, CLARA_HZ, Sections::Ahead(2)).await;
    // Muted from his first packet on: a mute that is under way may still let one through.
    let muted = Join {
        sections: Sections::Ahead(2),
        mute: JoinMute::Muted,
        candidates: Candidates::InOffer,
        levels: Levels::Told,
    };
    boris.offer_as(&boris.lobby(), muted).await.unwrap();
    boris.say_tone(BORIS_HZ);
    // Whoever may not be recorded is heard all the same.
    anna.hears_exactly(DEADLINE, &[CLARA_HZ]).await.unwrap();
    boris.listen(DEADLINE, 100).await.unwrap();
    server.stop().await;
    let (folder, report) = place.finished();
    assert_eq!(report["why_ended"], "shutdown");
    let tracks = report["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 1, "{tracks:?}");
    assert_eq!(tracks[0]["jid"], json!(anna.account.jid));
    let people = report["people"].as_array().unwrap();
    let of = |jid: &str| people.iter().find(|it| it["jid"] == jid).unwrap();
    assert_eq!(of(&clara.account.jid)["no_record"], true);
    assert_eq!(of(&boris.account.jid)["muted"].as_array().unwrap().len(), 1);
    let long_us = report["duration_ms"].as_u64().unwrap() * 1_000;
    let ear = Ear::on(&folder.join("mix.wav"), 0, long_us);
    assert!(ear.strength(ANNA_HZ) > 0.02);
    assert!(ear.strength(BORIS_HZ) < 0.002 && ear.strength(CLARA_HZ) < 0.002);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_and_returns_has_another_track_and_the_recording_ends_with_the_call() {
    let place = Place::new();
    let server = Server::on(&place.0, &[]);
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    record(&anna, &[&anna, &boris], true).await;
    only_is_heard(&boris, ANNA_HZ).await;
    anna.leave().await.unwrap();
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    only_is_heard(&boris, ANNA_HZ).await;
    anna.leave().await.unwrap();
    boris.leave().await.unwrap();
    let state = |state: &Value| state["finish"].is_string();
    anna.events().wait(DEADLINE, "server.call.state", state).await.unwrap();
    server.stop().await;
    let (_, report) = place.finished();
    assert_eq!(report["why_ended"], "call_finished");
    let of = |jid: &str| {
        let tracks = report["tracks"].as_array().unwrap();
        tracks.iter().filter(|track| track["jid"] == jid).count()
    };
    assert_eq!((of(&anna.account.jid), of(&boris.account.jid)), (2, 1));
    let people = report["people"].as_array().unwrap();
    assert_eq!(people[0]["present"].as_array().unwrap().len(), 2, "{people:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_found_no_place_is_recorded_once_another_recording_has_ended() {
    let place = Place::new();
    let rules = [("VOXHALL_RECORD_AUTO", "true"), ("VOXHALL_RECORD_OPEN_MAX", "1")];
    let server = Server::on(&place.0, &rules);
    let mut anna = guest(&server, "anna").await;
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    let recorded = |is: bool| move |state: &Value| state["audiorecord"] == is;
    anna.events().wait(DEADLINE, "server.call.state", recorded(true)).await.unwrap();
    let mut boris = guest(&server, "boris").await;
    let path = Server::path(&boris.account, "groups");
    let (status, group) = server.post(&path, &json!({ "display_name": "Annexe" })).await;
    assert_eq!(status, 200, "{group}");
    let annexe = group["result"]["jid"].as_str().unwrap();
    boris.offer(annexe, Sections::One).await.unwrap();
    boris.events().wait(DEADLINE, "server.call.state", recorded(false)).await.unwrap();
    anna.leave().await.unwrap();
    boris.events().wait(DEADLINE, "server.call.state", recorded(true)).await.unwrap();
    server.stop().await;
    let folders = std::fs::read_dir(place.0.join("recordings")).unwrap();
    let ended = folders.filter(|it| it.as_ref().unwrap().path().join("timeline.jsonl").exists());
    assert_eq!(ended.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_the_operators_hears_every_finished_recording() {
    let place = Place::new();
    // A real listener: sox writes how loud the mix is.
    let hook = r#"["sh", "-c", "sox \"$1/mix.wav\" -n stat; cat \"$1/speakers.rttm\"", "hook"]"#;
    let server = Server::on(&place.0, &[("VOXHALL_RECORD_HOOK", hook)]);
    let mut anna = guest(&server, "anna").await;
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    record(&anna, &[&anna], true).await;
    let mut boris = guest(&server, "boris").await;
    boris.offer(&boris.lobby(), Sections::One).await.unwrap();
    boris.listen(DEADLINE, 50).await.unwrap();
    record(&anna, &[&anna, &boris], false).await;
    let folder = place.ready(&server).await;
    let log = std::fs::read_to_string(folder.join("hook.log")).unwrap();
    assert!(log.contains("Maximum amplitude"), "{log}");
    let speaker = format!("<NA> <NA> {} <NA> <NA>", anna.account.jid);
    assert!(log.contains("SPEAKER") && log.contains(&speaker), "{log}");
    assert!(!folder.join("hook.todo").exists());
}

#[tokio::test]
async fn a_server_that_does_not_record_says_so() {
    let server = Server::with(&["--http", "127.0.0.1:0"], &[("VOXHALL_RECORD_ENABLED", "false")]);
    let anna = Account::login(&server.url, "anna").await.unwrap();
    let mut raw = support::raw::Raw::connect(&anna).await;
    let lobby = anna.chat("Lobby").unwrap();
    let uid = raw.offer(lobby).await["uid"].as_str().unwrap().to_owned();
    let params = json!({ "jid": lobby, "uid": uid, "audiorecord": true });
    let id = raw.send("client.call.record", params.clone()).await;
    let orig = json!({ "event": "client.call.record", "confirm_id": id, "params": params });
    raw.warned("no_recording", &orig).await;
    let (_, features) = server.fetch("/features.json").await;
    assert_eq!(features["calls_record"], false);
}

// ---- The disk.

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_recording_and_never_the_call_and_it_goes_on_once_there_is_room() {
    let place = Place::new();
    let mounted = Mounted::new(&place.0);
    let server = mounted.serve();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    record(&anna, &[&anna, &boris], true).await;
    only_is_heard(&boris, ANNA_HZ).await;
    // The root of its mount namespace, as this process sees it.
    let data = PathBuf::from(format!("/proc/{}/root{}", server.pid(), place.0.display()));
    let ballast = data.join("ballast");
    fill(&ballast);
    let stopped =
        |state: &Value| state["_record_stopped"].is_string() && state["audiorecord"] == false;
    let state = boris.events().wait(DEADLINE, "server.call.state", stopped).await;
    assert_eq!(state.expect("everybody is told")["_record_stopped"], "disk_full");
    only_is_heard(&boris, ANNA_HZ).await;
    let mark = boris.events().mark();
    std::fs::remove_file(&ballast).unwrap();
    let goes_on = |state: &Value| state["audiorecord"] == true;
    let told = boris.events().wait_after(mark, DEADLINE, "server.call.state", goes_on).await;
    told.expect("everybody is told again");
    only_is_heard(&boris, ANNA_HZ).await;
    record(&anna, &[&anna, &boris], false).await;
    // What lies on the tmpfs goes with the server: it is looked at before.
    let copy = Place::new();
    copy_all(&data.join("recordings"), &copy.0.join("recordings"));
    let (folder, report) = copy.finished();
    let stops = report["stops"].as_array().unwrap();
    assert_eq!(stops.len(), 1, "{stops:?}");
    assert_eq!(stops[0]["why"], "disk_full");
    let tracks = report["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 4, "two before, two after: {tracks:?}");
    others_find_nothing_wrong(&folder, report["duration_ms"].as_u64().unwrap() * 1_000);
    server.stop().await;
}

/// Each write takes as long as 75 packets: what is recorded waits, what is heard does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_seconds_for_a_write_delays_nobody_and_loses_nothing() {
    let place = Place::new();
    let slow = slow_disk(&place.0);
    let shim = [("LD_PRELOAD", slow.to_str().unwrap()), ("VOXHALL_TEST_WRITE_MS", "1500")];
    let server = Server::on(&place.0, &shim);
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    only_is_heard(&boris, ANNA_HZ).await;
    record(&anna, &[&anna, &boris], true).await;
    let heard = boris.listen(DEADLINE, 300).await.unwrap();
    let ear = heard.values().next().unwrap();
    assert_eq!(ear.missing, 0, "{heard:?}");
    record(&anna, &[&anna, &boris], false).await;
    server.stop().await;
    let (_, report) = place.finished();
    assert_eq!(report["dropped_packets"], 0);
    for track in report["tracks"].as_array().unwrap() {
        let packets = track["packets"].as_u64().unwrap();
        assert!(packets >= 280 && track["late"] == 0, "{track}");
    }
}

/// A library that makes writes of recordings slow, in front of the C library.
fn slow_disk(place: &Path) -> PathBuf {
    let library = place.join("slow.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings/slow_disk.c");
    let library_text = library.to_str().expect("plain");
    place::run("cc", &["-shared", "-fPIC", "-O1", "-o", library_text, source, "-ldl"]);
    library
}

/// A mount namespace with a small disk in it.
struct Mounted {
    data: PathBuf,
}

impl Mounted {
    fn new(data: &Path) -> Mounted {
        Mounted { data: data.to_owned() }
    }

    fn serve(&self) -> Server {
        let mut command = Command::new("unshare");
        let ways: [&[&str]; 2] = [&["--user", "--map-root-user", "--mount"], &["--mount"]];
        let is_open = |way: &&&[&str]| {
            let tried = Command::new("unshare").args(**way).arg("true").output();
            tried.is_ok_and(|output| output.status.success())
        };
        let way = ways.iter().find(is_open).expect("the kernel lets users make mount namespaces");
        let script = "mount -t tmpfs -o size=8m none \"$0\" && exec \"$@\"";
        command.args(*way).args(["sh", "-c", script]).arg(&self.data);
        command.arg(env!("CARGO_BIN_EXE_voxhall"));
        dress(&mut command, &self.data, &["--http", "127.0.0.1:0"], &[]);
        Server::run(command, self.data.clone(), true)
    }
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).expect("the disk is there");
    let block = vec![0; 4_096];
    while file.write_all(&block).is_ok() {}
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_all(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("a copy")),
        }
    }
}

// ---- What the tests share.

/// Switches it on or off, and waits until all of them are told.
async fn record(by: &Client, all: &[&Client], on: bool) {
    let lobby = by.lobby();
    let of = |client: &Client| client.events().all("server.call.state");
    let uid = of(by).last().expect("a state")["uid"].clone();
    let params = json!({ "jid": lobby, "uid": uid, "audiorecord": on });
    let marks: Vec<_> = all.iter().map(|client| client.events().mark()).collect();
    by.send_confirmed("client.call.record", params).await.expect("it is taken");
    for (client, mark) in all.iter().zip(marks) {
        let is_so = |state: &Value| state["audiorecord"] == on;
        let events = client.events();
        let told = events.wait_after(mark, DEADLINE, "server.call.state", is_so).await;
        assert!(told.is_some(), "{:?}", of(client).last());
    }
}

/// Somebody of whom the core says that he may not be recorded.
async fn private(server: &Server, name: &str) -> Client {
    let body = json!({ "display_name": name, "no_record": true });
    let (status, reply) = server.post("/api/v3/demo-login", &body).await;
    assert_eq!(status, 200, "{reply}");
    let told = &reply["result"];
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let chat =
        |chat: &Value| Chat { jid: text(&chat["jid"]), display_name: text(&chat["display_name"]) };
    let account = Account {
        origin: Origin::parse(&server.url).expect("an origin"),
        token: text(&told["token"]),
        jid: text(&told["me"]["jid"]),
        team_uid: text(&told["team"]["uid"]),
        chats: told["chats"].as_array().expect("a list").iter().map(chat).collect(),
    };
    let mut client = Client::known(account, name);
    client.connect_socket().await.expect("it is taken");
    client
}
