//! Recordings over HTTP, at the real server: with recordings that were made before it started, and
//! people whose tokens are known; and one that is made meanwhile.

mod support;

#[path = "recordings/place.rs"]
mod place;

use std::fs;
use std::path::{Path, PathBuf};

use place::Place;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::client::Sections;
use support::server::{Reply, Server};
use support::story::{ANNA_HZ, DEADLINE, guest, join_talking};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TEAM: &str = "2c6d1f80-93ab-4e5d-b7f1-40c8a9e2d305";
const TEA: &str = "g-tea";
const ANNA: &str = "d-anna";
const BORIS: &str = "d-boris";
const CLARA: &str = "d-clara";

/// In the group; what anna and boris said to each other; boris and clara; one of anna and boris
/// whose timeline is of a later version, so that it cannot be finished.
const IN_GROUP: &str = "20160101-100000-aaaaaaaa";
const DIRECT: &str = "20160202-100000-bbbbbbbb";
const OTHERS: &str = "20160303-100000-cccccccc";
const FAILED: &str = "20160404-100000-dddddddd";

/// A data folder with people and recordings, gone with the test.
struct Tapes(Place);

impl Tapes {
    fn new() -> Tapes {
        let tapes = Tapes(Place::new());
        write_people(&tapes.0.0);
        tapes.finished(IN_GROUP, &[TEA], &["Clara", "Жанна"]);
        tapes.finished(DIRECT, &[ANNA, BORIS], &["Anna", "Boris"]);
        tapes.finished(OTHERS, &[BORIS, CLARA], &["Boris", "Clara"]);
        fs::create_dir(tapes.folder(FAILED)).expect("a folder of the test");
        let line = json!({
            "at_us": 0, "kind": "recording", "version": 99, "id": FAILED, "call": "call-d",
            "chat": { "type": "direct", "jids": [ANNA, BORIS], "display_name": "" },
            "began": began(FAILED), "by": ANNA,
        });
        fs::write(tapes.file(FAILED, "timeline.jsonl"), format!("{line}\n"))
            .expect("a file of the test");
        tapes
    }

    fn finished(&self, id: &str, chat: &[&str], people: &[&str]) {
        fs::create_dir_all(self.folder(id)).expect("a file of the test");
        let (wav, sha256) = (sound(), Sha256::digest(sound()));
        fs::write(self.file(id, "mix.wav"), &wav).expect("a file of the test");
        fs::write(self.file(id, "speakers.vtt"), "WEBVTT\n").expect("a file of the test");
        let sha256: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let person = |name: &&str| {
            json!({
                "jid": format!("d-{}", name.to_lowercase()), "display_name": name,
                "no_record": false, "present": [{ "from_ms": 0, "to_ms": 60_000 }],
                "muted": [], "told_ms": [2], "talked_ms": 1_500,
            })
        };
        let report = json!({
            "version": 1, "id": id, "call": format!("call-{id}"),
            "chat": {
                "type": if chat.len() == 1 { "group" } else { "direct" },
                "jids": chat, "display_name": if chat.len() == 1 { "Tea" } else { "" },
            },
            "began": began(id), "ended": began(id).replace("T10:00", "T10:01"),
            "duration_ms": 60_000, "by": "d-boris", "why_ended": "record_off",
            "people": people.iter().map(person).collect::<Vec<_>>(),
            "segments": [{ "jid": "d-boris", "from_ms": 5, "to_ms": 1_505, "level_dbov": 30 }],
            "gaps": [], "stops": [], "dropped_packets": 0, "tracks": [],
            "files": [{ "name": "mix.wav", "bytes": wav.len(), "sha256": sha256 }],
        });
        fs::write(self.file(id, "call.json"), report.to_string()).expect("a file of the test");
    }

    /// What lies beside the recordings, or one of them.
    fn folder(&self, name: &str) -> PathBuf {
        self.0.0.join("recordings").join(name)
    }

    fn file(&self, id: &str, name: &str) -> PathBuf {
        self.folder(id).join(name)
    }

    fn server(&self) -> Server {
        Server::on(&self.0.0, &[])
    }
}

/// Somebody whose token is his jid.
fn write_people(data: &Path) {
    let person = |jid: &str| {
        let token: String = Sha256::digest(jid).iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "jid": jid, "display_name": jid.to_uppercase(), "token_sha256": token })
    };
    let people = json!({
        "team": { "uid": TEAM, "name": "Voxhall" },
        "groups": [{ "jid": TEA, "display_name": "Lobby" }],
        "people": [person(ANNA), person(BORIS), person(CLARA)],
    });
    fs::write(data.join("people.json"), people.to_string()).expect("a file of the test");
}

/// `20160101-100000-..` began then.
fn began(id: &str) -> String {
    format!("{}-{}-{}T10:00:00.000000Z", &id[..4], &id[4..6], &id[6..8])
}

/// More than a piece, and no two neighbours alike.
fn sound() -> Vec<u8> {
    (0..200_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn path(who: &str, rest: &str) -> String {
    let joint = if rest.contains('?') { '&' } else { '?' };
    format!("/api/v3/teams/{TEAM}/recordings{rest}{joint}token={who}")
}

async fn list(server: &Server, who: &str, query: &str) -> Vec<Value> {
    let (status, reply) = server.fetch(&path(who, query)).await;
    assert_eq!(status, 200, "{reply}");
    reply["result"]["recordings"].as_array().expect("a list").clone()
}

/// The list, once it is so.
async fn until(server: &Server, who: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let listing = async {
        loop {
            let all = list(server, who, "").await;
            if is_so(&all) {
                return all;
            }
        }
    };
    timeout(DEADLINE, listing).await.expect("it comes to that")
}

async fn ids(server: &Server, who: &str, query: &str) -> Vec<String> {
    let all = list(server, who, query).await;
    all.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

async fn download(server: &Server, rest: &str, headers: &str) -> Reply {
    server.bytes("GET", &path(ANNA, rest), headers, "").await
}

#[tokio::test]
async fn each_lists_his_own_the_newest_first_and_names_direct_chats_after_the_other() {
    let tapes = Tapes::new();
    let server = tapes.server();
    assert_eq!(ids(&server, ANNA, "").await, [FAILED, DIRECT, IN_GROUP]);
    assert_eq!(ids(&server, BORIS, "").await, [FAILED, OTHERS, DIRECT, IN_GROUP]);
    assert_eq!(ids(&server, CLARA, "").await, [OTHERS, IN_GROUP]);
    let all = until(&server, ANNA, |all| all[0]["state"] == "failed").await;
    let direct = |name| json!({ "jid": BORIS, "type": "direct", "display_name": name });
    assert_eq!(all[0]["chat"], direct("D-BORIS"), "as the core calls him");
    assert_eq!(all[1]["chat"], direct("Boris"), "as he was called in the call");
    assert_eq!(list(&server, BORIS, "").await[2]["chat"]["jid"], ANNA);
    let state = |one: &Value| (one["state"].clone(), one["progress"].clone());
    assert_eq!(state(&all[0]), (json!("failed"), json!(0)));
    assert_eq!((all[0]["ended"].clone(), all[0]["people"].clone()), (Value::Null, json!([])));
    assert_eq!(state(&all[1]), (json!("ready"), json!(100)));
    assert_eq!(
        all[1]["people"][1],
        json!({
            "jid": BORIS, "display_name": "Boris", "talked_ms": 1_500,
        })
    );
    let bytes: u64 = fs::read_dir(tapes.folder(DIRECT))
        .unwrap()
        .fold(0, |sum, entry| sum + entry.unwrap().metadata().unwrap().len());
    assert_eq!(all[1]["bytes"], bytes);
}

#[tokio::test]
async fn each_filter_and_the_pages_leave_what_they_say() {
    let tapes = Tapes::new();
    let server = tapes.server();
    let mark = json!({ "tags": ["Планы", "two words"], "favourite": true });
    let (status, reply) = server.post(&path(ANNA, &format!("/{DIRECT}")), &mark).await;
    assert_eq!(status, 200, "{reply}");
    for (query, found) in [
        ("?chat=g-tea", vec![IN_GROUP]),
        ("?chat=d-boris", vec![FAILED, DIRECT]),
        ("?chat=d-anna", vec![]),
        ("?person=d-clara", vec![IN_GROUP]),
        ("?from=2016-02-02T10:00:00.000000Z", vec![FAILED, DIRECT]),
        ("?to=2016-02-02T10:00:00.000000Z", vec![IN_GROUP]),
        ("?text=%D0%B6%D0%B0%D0%BD", vec![IN_GROUP]),
        ("?text=BORIS", vec![DIRECT]),
        ("?text=%25", vec![]),
        ("?tag=%D0%BF%D0%BB%D0%B0%D0%BD%D1%8B", vec![DIRECT]),
        ("?tag=two+words&favourite=true&chat=d-boris", vec![DIRECT]),
        ("?favourite=false", vec![FAILED, IN_GROUP]),
        ("?limit=2", vec![FAILED, DIRECT]),
        ("?before=20160202-100000-bbbbbbbb&limit=100", vec![IN_GROUP]),
    ] {
        assert_eq!(ids(&server, ANNA, query).await, found, "{query}");
    }
    let (_, page) = server.fetch(&path(ANNA, "?limit=2")).await;
    assert_eq!(page["result"]["next"], DIRECT);
    let (_, page) = server.fetch(&path(ANNA, "?limit=3")).await;
    assert!(page["result"].get("next").is_none(), "{page}");
    for wrong in ["chat=x", "from=now", "limit=101", "limit=0", "before=..", "favourite=1"] {
        let (status, reply) = server.fetch(&path(ANNA, &format!("?{wrong}"))).await;
        assert_eq!((status, &reply["error"]), (422, &json!("INVALID_DATA")), "{wrong}");
    }
}

#[tokio::test]
async fn one_recording_comes_with_its_whole_report() {
    let tapes = Tapes::new();
    let server = tapes.server();
    let (status, reply) = server.fetch(&path(ANNA, &format!("/{DIRECT}"))).await;
    assert_eq!(status, 200, "{reply}");
    let (one, summary) = (&reply["result"], &list(&server, ANNA, "").await[1]);
    for (field, value) in summary.as_object().expect("an object") {
        assert!(field == "people" || one[field] == *value, "{field}: {one}");
    }
    assert_eq!(one["people"][0]["present"], json!([{ "from_ms": 0, "to_ms": 60_000 }]));
    assert_eq!(one["segments"][0]["level_dbov"], 30);
    assert_eq!(one["files"][0]["name"], "mix.wav");
    let (status, reply) = server.fetch(&path(ANNA, &format!("/{FAILED}"))).await;
    assert_eq!((status, &reply["result"]["segments"]), (200, &json!([])), "{reply}");
}

#[tokio::test]
async fn what_one_may_not_see_is_as_if_it_were_not_there() {
    let tapes = Tapes::new();
    let server = tapes.server();
    let (_, nothing) = server.fetch(&path(CLARA, "/20990101-000000-00000000")).await;
    for (method, rest) in [
        ("GET", format!("/{DIRECT}")),
        ("POST", format!("/{DIRECT}")),
        ("DELETE", format!("/{DIRECT}")),
        ("GET", format!("/{DIRECT}/files/mix.wav")),
        ("GET", format!("/{DIRECT}/files/nothing.wav")),
        ("GET", format!("/{FAILED}/files/timeline.jsonl")),
    ] {
        let reply = server.bytes(method, &path(CLARA, &rest), "", "").await;
        let mut body: Value = serde_json::from_slice(&reply.body).expect("the envelope");
        body["_time"] = nothing["_time"].clone();
        assert_eq!((reply.status, &body), (404, &nothing), "{method} {rest}");
    }
    for query in ["?chat=d-boris", "?person=d-anna", "?text=anna", "?favourite=false"] {
        let all = json!(list(&server, CLARA, query).await).to_string();
        assert!(!all.contains("bbbbbbbb") && !all.contains("d-anna"), "{query}: {all}");
    }
    let reply = server.bytes("GET", "/api/v3/teams/other/recordings?token=d-anna", "", "").await;
    assert_eq!(reply.status, 403);
    let reply = server.bytes("GET", &format!("/api/v3/teams/{TEAM}/recordings"), "", "").await;
    assert_eq!(reply.status, 401);
    assert!(tapes.file(DIRECT, "call.json").exists());
}

#[tokio::test]
async fn a_file_comes_whole_and_by_ranges_as_it_lies_on_the_disk() {
    let tapes = Tapes::new();
    let server = tapes.server();
    let (sound, wav) = (sound(), format!("/{DIRECT}/files/mix.wav"));
    let whole = download(&server, &wav, "").await;
    assert_eq!((whole.status, whole.body == sound), (200, true));
    let etag = whole.header("etag").expect("a checksum").to_owned();
    for (name, value) in [
        ("content-type", "audio/wav"),
        ("content-length", "200000"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(whole.header(name), Some(value), "{name}");
    }
    assert_eq!(whole.header("content-disposition"), None);
    for (range, start, end) in [
        ("0-0", 0, 1),
        ("0-", 0, 200_000),
        ("65535-65536", 65_535, 65_537),
        ("199999-999999", 199_999, 200_000),
        ("-70000", 130_000, 200_000),
    ] {
        let part = download(&server, &wav, &format!("Range: bytes={range}\r\n")).await;
        assert_eq!((part.status, part.body == sound[start..end]), (206, true), "{range}");
        let content_range = format!("bytes {start}-{}/200000", end - 1);
        assert_eq!(part.header("content-range"), Some(content_range.as_str()), "{range}");
    }
    for range in ["200000-", "-0"] {
        let none = download(&server, &wav, &format!("Range: bytes={range}\r\n")).await;
        assert_eq!((none.status, none.header("content-range")), (416, Some("bytes */200000")));
    }
    for (known, status) in [(etag.as_str(), 206), ("\"another\"", 200)] {
        let headers = format!("Range: bytes=1-2\r\nIf-Range: {known}\r\n");
        assert_eq!(download(&server, &wav, &headers).await.status, status, "{known}");
    }
    let head = server.bytes("HEAD", &path(ANNA, &wav), "Range: bytes=1-2\r\n", "").await;
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (206, 0, Some("2")));
}

#[tokio::test]
async fn files_have_their_types_and_a_name_to_be_saved_as() {
    let tapes = Tapes::new();
    fs::write(tapes.file(DIRECT, "mix.opus"), "OggS").unwrap();
    fs::write(tapes.file(DIRECT, "empty.txt"), "").unwrap();
    let server = tapes.server();
    for (name, kind) in [
        ("mix.opus", "audio/ogg"),
        ("call.json", "application/json"),
        ("speakers.vtt", "text/vtt; charset=utf-8"),
        ("empty.txt", "text/plain; charset=utf-8"),
    ] {
        let rest = format!("/{DIRECT}/files/{name}?download=true");
        let reply = download(&server, &rest, "").await;
        let saved_as = format!("attachment; filename=\"{DIRECT}-{name}\"");
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(kind)), "{name}");
        assert_eq!(reply.header("content-disposition"), Some(saved_as.as_str()));
        assert_eq!(reply.body, fs::read(tapes.file(DIRECT, name)).unwrap(), "{name}");
    }
}

#[tokio::test]
async fn no_id_and_no_name_leads_out_of_the_folder() {
    let tapes = Tapes::new();
    fs::write(tapes.file(DIRECT, "mix.wav.part"), "half").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", tapes.file(DIRECT, "planted.txt")).unwrap();
    fs::create_dir(tapes.file(DIRECT, "folder")).unwrap();
    std::os::unix::fs::symlink("/etc", tapes.folder("planted")).unwrap();
    let server = tapes.server();
    let long = "a".repeat(300);
    for name in [
        "..%2f..%2fpeople.json",
        "..%2Fcall.json",
        "%2e%2e",
        ".",
        "%2fetc%2fhostname",
        "%00",
        "call.json%00",
        "mix.wav.part",
        "planted.txt",
        "folder",
        "nothing.wav",
        "MIX.WAV",
        "%D0%B6",
        "..%5ccall.json",
        &long,
    ] {
        let reply = download(&server, &format!("/{DIRECT}/files/{name}"), "").await;
        assert_eq!(reply.status, 404, "{name}: {reply:?}");
    }
    for id in ["..", "%2e%2e", "..%2frecordings", "planted", "%00", "index.sqlite", "A", &long] {
        for rest in [format!("/{id}"), format!("/{id}/files/hostname")] {
            assert_eq!(download(&server, &rest, "").await.status, 404, "{rest}");
        }
    }
}

#[tokio::test]
async fn a_fifth_download_at_once_is_refused_until_one_ends() {
    let tapes = Tapes::new();
    // Too large for what the machine keeps of a stream that nobody reads.
    let large = fs::File::create(tapes.file(DIRECT, "large.wav")).unwrap();
    large.set_len(64 * 1024 * 1024).unwrap();
    let server = tapes.server();
    let rest = format!("/{DIRECT}/files/large.wav");
    let authority = server.url.strip_prefix("http://").expect("plain http").to_owned();
    let mut four = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(&authority).await.unwrap();
        let request = format!("GET {} HTTP/1.0\r\n\r\n", path(ANNA, &rest));
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first[9..], b"200");
        four.push(stream);
    }
    let reply = download(&server, &rest, "").await;
    assert_eq!(reply.status, 429, "{:?}", reply.head);
    let other = server.bytes("GET", &path(BORIS, &rest), "Range: bytes=0-1\r\n", "").await;
    assert_eq!(other.status, 206, "another person has his own");
    let head = server.bytes("HEAD", &path(ANNA, &rest), "", "").await;
    assert_eq!(head.status, 200, "which takes no place");
    let mut one = four.pop().expect("four");
    let mut sent = Vec::new();
    one.read_to_end(&mut sent).await.unwrap();
    assert!(sent.len() > 64 * 1024 * 1024);
    // The server has closed the connection, and so the download is over.
    let reply = download(&server, &rest, "Range: bytes=0-1\r\n").await;
    assert_eq!(reply.status, 206, "{:?}", reply.head);
}

#[tokio::test]
async fn tags_and_favourites_change_and_outlive_the_index() {
    let tapes = Tapes::new();
    let server = tapes.server();
    let one = path(BORIS, &format!("/{DIRECT}"));
    let (status, reply) = server.post(&one, &json!({ "tags": [" plan ", "a", "plan"] })).await;
    assert_eq!((status, &reply["result"]["tags"]), (200, &json!(["plan", "a"])), "{reply}");
    let (_, reply) = server.post(&one, &json!({ "favourite": true })).await;
    assert_eq!(reply["result"]["tags"], json!(["plan", "a"]));
    assert_eq!(reply["result"]["favourite"], true);
    for wrong in [json!({ "tags": "a" }), json!({ "tags": ["a".repeat(65)] }), json!([1])] {
        let (status, reply) = server.post(&one, &wrong).await;
        assert_eq!((status, &reply["error"]), (422, &json!("INVALID_DATA")), "{wrong}");
    }
    let has_failed = |all: &[Value]| all[0]["state"] == "failed";
    let before = until(&server, ANNA, has_failed).await;
    server.stop().await;
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
        let _ = fs::remove_file(tapes.folder(name));
    }
    let server = tapes.server();
    assert_eq!(until(&server, ANNA, has_failed).await, before);
    assert_eq!(ids(&server, ANNA, "?tag=PLAN").await, [DIRECT]);
}

#[tokio::test]
async fn what_is_deleted_is_gone_but_for_its_tombstone() {
    let tapes = Tapes::new();
    let server = tapes.server();
    let one = path(ANNA, &format!("/{DIRECT}"));
    let reply = server.bytes("DELETE", &one, "Origin: http://evil.example\r\n", "").await;
    assert_eq!(reply.status, 403, "a page of somebody else's");
    let delete = async |path: &str| {
        let reply = server.bytes("DELETE", path, "", "").await;
        (reply.status, serde_json::from_slice::<Value>(&reply.body).expect("the envelope"))
    };
    let (status, reply) = delete(&one).await;
    assert_eq!((status, &reply["result"]), (200, &json!({})), "{reply}");
    assert_eq!(delete(&one).await.0, 404);
    // What failed must not stay for ever either.
    until(&server, ANNA, |all| all[0]["state"] == "failed").await;
    assert_eq!(delete(&path(ANNA, &format!("/{FAILED}"))).await.0, 200);
    assert_eq!(ids(&server, BORIS, "").await, [OTHERS, IN_GROUP]);
    assert!(!tapes.folder(DIRECT).exists());
    let stones = fs::read_to_string(tapes.folder("deleted.jsonl")).unwrap();
    assert_eq!(stones.lines().count(), 2, "{stones}");
    let stone: Value = serde_json::from_str(stones.lines().next().unwrap()).unwrap();
    assert_eq!((&stone["id"], &stone["by"]), (&json!(DIRECT), &json!(ANNA)));
    assert_eq!((&stone["chat"], &stone["why"]), (&json!([ANNA, BORIS]), &json!("asked")));
}

#[tokio::test]
async fn what_is_too_old_is_deleted_at_the_start_and_favourites_stay() {
    let tapes = Tapes::new();
    let marks = json!({ "tags": [], "favourite": true }).to_string();
    fs::write(tapes.file(IN_GROUP, "marks.json"), marks).unwrap();
    let server = Server::on(&tapes.0.0, &[("VOXHALL_RECORD_KEEP_DAYS", "1")]);
    // It looks at once, but beside all else that it does.
    until(&server, BORIS, |all| all.len() == 2).await;
    assert_eq!(ids(&server, BORIS, "").await, [FAILED, IN_GROUP]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_is_listed_while_it_is_made_and_ready_afterwards() {
    let tapes = Tapes::new();
    let server = tapes.server();
    let mut anna = guest(&server, "anna").await;
    let who = anna.account.token.clone();
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    let lobby = anna.lobby();
    let state = anna.events().all("server.call.state").pop().expect("a state");
    let record = async |on| {
        let params = json!({ "jid": lobby, "uid": state["uid"], "audiorecord": on });
        anna.send_confirmed("client.call.record", params).await.expect("it is taken");
    };
    record(true).await;
    let is_being_made = |all: &[Value]| all[0]["state"] == "recording";
    let made = until(&server, &who, is_being_made).await.remove(0);
    let id = made["id"].as_str().expect("an id").to_owned();
    assert_eq!((&made["chat"]["jid"], &made["call"]), (&json!(lobby), &state["uid"]));
    let reply = server.bytes("DELETE", &path(&who, &format!("/{id}")), "", "").await;
    assert_eq!(reply.status, 422, "it is being made");
    let (_, marked) = server.post(&path(&who, &format!("/{id}")), &json!({ "tags": ["x"] })).await;
    assert_eq!(marked["result"]["tags"], json!(["x"]));
    record(false).await;
    let is_ready = |all: &[Value]| all[0]["state"] == "ready";
    let one = until(&server, &who, is_ready).await.remove(0);
    assert_eq!(one["id"], id);
    assert_eq!((&one["tags"], &one["people"][0]["display_name"]), (&json!(["x"]), &json!("anna")));
    let file = path(&who, &format!("/{id}/files/mix.wav"));
    let reply = server.bytes("GET", &file, "Range: bytes=0-3\r\n", "").await;
    assert_eq!((reply.status, reply.body.as_slice()), (206, b"RIFF".as_slice()));
    assert!(reply.header("etag").is_some_and(|etag| etag.len() == 66));
}

#[tokio::test]
async fn where_nothing_is_recorded_the_routes_say_so() {
    let tapes = Tapes::new();
    let server = Server::on(&tapes.0.0, &[("VOXHALL_RECORD_ENABLED", "false")]);
    let (status, reply) = server.fetch(&path(ANNA, "")).await;
    assert_eq!((status, &reply["error"]), (404, &json!("NOT_FOUND")));
    assert_eq!(reply["reason"], "this server does not record");
}
