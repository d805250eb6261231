//! Recordings in a store, at a real S3 server (moto's) and the real binary: with a recording that
//! was made before it started.

mod support;

#[path = "recordings/place.rs"]
mod place;
#[path = "moto/road.rs"]
mod road;
#[path = "moto/store.rs"]
mod store;
#[path = "moto/tape.rs"]
mod tape;

use std::fs;
use std::time::Duration;

use place::voxhall;
use road::Road;
use store::Moto;
use tape::{CONFIRMED, FAILED, ID, PART, REFUSED, SECRET, Tape, WAITING};
use tape::{download, files, key, path, sha256, until};

/// For uploads on a machine that is busy building.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_finished_recording_is_in_the_store_byte_by_byte_and_its_report_came_last() {
    let (moto, tape) = (Moto::start().await, Tape::new());
    let road = Road::to(moto.port).await;
    let server = tape.server(&road.url(), &[]);
    until(&server, CONFIRMED, |count| count == 1).await;
    until(&server, WAITING, |count| count == 0).await;
    let sent: usize = files().iter().map(|(_, content)| content.len()).sum();
    let report = fs::read(tape.file("call.json")).unwrap();
    let all = (sent + report.len()) as u64;
    until(&server, "voxhall_archive_uploaded_bytes_total", |bytes| bytes == all).await;
    for (name, content) in files() {
        assert!(moto.object(&key(name)).await == content, "{name}");
        assert!(tape.has(name), "nothing goes from here");
    }
    assert!(moto.object(&key("call.json")).await == report);
    assert_eq!(moto.keys().await.len(), files().len() + 1);
    let puts = moto.asked("PUT ");
    assert!(puts.last().unwrap().contains("call.json"), "{puts:?}");
    let of_mix = puts.iter().filter(|put| put.contains("partNumber=")).count();
    assert_eq!(of_mix, 3, "{puts:?}");
    let log = server.stop().await.stderr;
    assert!(log.contains("recording is in the store") && !log.contains(SECRET), "{log}");
    assert!(!tape.ledger().to_string().contains(SECRET));
}

#[tokio::test]
async fn a_server_that_is_killed_goes_on_with_the_next_part() {
    let (moto, tape) = (Moto::start().await, Tape::new());
    let road = Road::to(moto.port).await;
    road.stop_after((2 * PART + PART / 4) as u64);
    let server = tape.server(&road.url(), &[]);
    road.stalled().await;
    server.kill();
    let held = tape.ledger()["files"]["mix.wav"].clone();
    assert_eq!(held["parts"].as_array().map(Vec::len), Some(2), "{held}");
    assert_eq!(moto.keys().await, [key("mix.opus")], "no half recording is to be seen");
    road.open();
    let server = tape.server(&road.url(), &[]);
    until(&server, CONFIRMED, |count| count == 1).await;
    let (_, mix) = files().swap_remove(1);
    assert!(moto.object(&key("mix.wav")).await == mix);
    let parts = moto.asked("PUT ");
    for number in 1..=3 {
        let of_part = |put: &&String| put.contains(&format!("partNumber={number}"));
        assert_eq!(parts.iter().filter(of_part).count(), 1, "part {number} once: {parts:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_asked_until_it_is_there() {
    let (moto, tape) = (Moto::start().await, Tape::new());
    let road = Road::to(moto.port).await;
    road.close();
    let server = tape.server(&road.url(), &[]);
    until(&server, FAILED, |count| count >= 1).await;
    until(&server, WAITING, |count| count == 1).await;
    assert_eq!(server.fetch("/readyz").await.0, 200, "nothing else is harmed");
    assert_eq!(download(&server, "mix.opus", "").await.status, 200);
    road.open();
    until(&server, CONFIRMED, |count| count == 1).await;
    assert_eq!(moto.keys().await.len(), files().len() + 1);
}

#[tokio::test]
async fn an_object_that_is_not_what_was_sent_is_noticed_and_nothing_goes_from_here() {
    let (moto, tape) = (Moto::start().await, Tape::new());
    let road = Road::to(moto.port).await;
    let (name, content) = files().swap_remove(0);
    let ours = format!("x-amz-meta-sha256: {}\r\n", sha256(&content));
    moto.plant(&key(name), &ours, &vec![7; content.len()]).await;
    let days = [("VOXHALL_ARCHIVE_KEEP_LOCAL_DAYS", "1")];
    let server = tape.server(&road.url(), &days);
    until(&server, REFUSED, |count| count == 1).await;
    let log = server.stop().await.stderr;
    assert!(log.contains("mix.opus in the store is not what was sent"), "{log}");
    assert!(tape.ledger()["confirmed"].is_null());
    assert!(files().iter().all(|(name, _)| tape.has(name)));
}

#[tokio::test]
async fn an_object_of_somebody_else_is_not_overwritten() {
    let (moto, tape) = (Moto::start().await, Tape::new());
    let road = Road::to(moto.port).await;
    moto.plant(&key("mix.opus"), "", b"another's").await;
    let server = tape.server(&road.url(), &[]);
    until(&server, REFUSED, |count| count == 1).await;
    assert_eq!(moto.object(&key("mix.opus")).await, b"another's");
    let log = server.stop().await.stderr;
    assert!(log.contains("is not ours, and is not overwritten"), "{log}");
}

#[tokio::test]
async fn sound_goes_after_its_days_and_is_played_from_the_store() {
    let (moto, tape) = (Moto::start().await, Tape::new());
    let road = Road::to(moto.port).await;
    let days = [("VOXHALL_ARCHIVE_KEEP_LOCAL_DAYS", "1")];
    let server = tape.server(&road.url(), &days);
    until(&server, CONFIRMED, |count| count == 1).await;
    let here = download(&server, "mix.wav", "Range: bytes=1-2\r\n").await;
    server.stop().await;
    assert!(tape.has("mix.wav"), "its day is not over");
    tape.backdate();
    let server = tape.server(&road.url(), &days);
    until(&server, WAITING, |_| !tape.has("mix.wav") && !tape.has("mix.opus")).await;
    for name in ["call.json", "peaks.json", "speakers.vtt", "timeline.jsonl"] {
        assert!(tape.has(name), "{name} stays for the list and the page");
    }
    let (_, mix) = files().swap_remove(1);
    let there = download(&server, "mix.wav", "Range: bytes=1-2\r\n").await;
    assert_eq!((there.status, &there.body), (206, &here.body));
    let names = |reply: &support::server::Reply| -> Vec<String> {
        let lines = reply.head.lines().filter(|line| !line.starts_with("date:"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(names(&there), names(&here), "the same headers");
    let (from, to) = (PART - 70_000, PART + 70_001);
    let range = format!("Range: bytes={from}-{}\r\n", to - 1);
    assert!(download(&server, "mix.wav", &range).await.body == mix[from..to]);
    assert!(download(&server, "mix.wav", "").await.body == mix);
    let folder = tape.recordings();
    let folder = folder.to_str().expect("plain");
    let said = voxhall(&["recordings", "verify", "--dir", folder]);
    assert_eq!(said, format!("{ID}: whole, 2 files in the store\n"));
    let mix = std::process::Command::new(env!("CARGO_BIN_EXE_voxhall"))
        .args(["recordings", "mix", ID, "--dir", folder])
        .output()
        .expect("cargo has built the binary");
    let said = String::from_utf8(mix.stderr).expect("text");
    assert!(!mix.status.success() && said.contains("only the store has mix.opus"), "{said}");
    road.close();
    let gone = download(&server, "mix.wav", "Range: bytes=1-2\r\n").await;
    assert_eq!(gone.status, 500, "the store is away: {}", gone.head);
    server.stop().await;
    assert_eq!(voxhall(&["recordings", "repair", "--dir", folder]), "nothing to mend\n");
}

#[tokio::test]
async fn sound_stays_where_the_store_has_lost_it() {
    let (moto, tape) = (Moto::start().await, Tape::new());
    let road = Road::to(moto.port).await;
    let days = [("VOXHALL_ARCHIVE_KEEP_LOCAL_DAYS", "1")];
    let server = tape.server(&road.url(), &days);
    until(&server, CONFIRMED, |count| count == 1).await;
    server.stop().await;
    tape.backdate();
    moto.plant(&key("mix.wav"), "", b"garbled").await;
    let server = tape.server(&road.url(), &days);
    until(&server, REFUSED, |count| count == 1).await;
    assert!(files().iter().all(|(name, _)| tape.has(name)));
}

#[tokio::test]
async fn deleting_takes_the_objects_too_once_the_store_is_there_again() {
    let (moto, tape) = (Moto::start().await, Tape::new());
    let road = Road::to(moto.port).await;
    let server = tape.server(&road.url(), &[]);
    until(&server, CONFIRMED, |count| count == 1).await;
    moto.plant(&key("note.txt"), "", b"another's").await;
    road.close();
    let reply = server.bytes("DELETE", &path(&format!("/{ID}")), "", "").await;
    assert_eq!(reply.status, 200, "{}", reply.head);
    until(&server, FAILED, |count| count >= 1).await;
    let left = fs::read_dir(tape.file("")).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["upload.json"], "the sound is gone from here at once");
    let folder = tape.recordings();
    let folder = folder.to_str().expect("plain");
    assert_eq!(voxhall(&["recordings", "verify", "--dir", folder]), "");
    server.kill();
    assert_eq!(moto.keys().await.len(), files().len() + 2);
    road.open();
    let server = tape.server(&road.url(), &[]);
    until(&server, WAITING, |_| !tape.has("")).await;
    assert_eq!(moto.keys().await, [key("note.txt")]);
}
