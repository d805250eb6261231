//! The operator's door, over the real server: what he is shown, what he does and what people see
//! of it, who is refused; the commands in a terminal; and the document, tried by a machine.

mod support;

#[path = "admin/desk.rs"]
mod desk;
#[path = "core/fake.rs"]
#[allow(dead_code, reason = "tests/core_link.rs uses the rest of it")]
mod fake;
#[path = "admin/machine.rs"]
mod machine;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use desk::{Desk, ROUTES};
use fake::{FakeCore, SECRET};
use machine::Trial;
use serde_json::{Value, json};
use support::client::Sections;
use support::raw::{OFFER, Raw, holds, offer_of};
use support::server::{Server, request};
use support::story::{ANNA_HZ, BORIS_HZ, DEADLINE, guest, hears, join_talking, lobby, people};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use voxhall::demo::http::Origin;
use voxhall::demo::socket::Account;

/// What comes, comes in milliseconds; this forgives a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(30);

/// Anna and Boris in the Lobby's call, without media; its uid.
async fn two(server: &Server) -> ([Account; 2], [Raw; 2], Desk, String) {
    let [anna, boris, _] = people(server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    a.offer(lobby(&anna)).await;
    b.offer(lobby(&boris)).await;
    a.state(|state| holds(state, &[&anna, &boris])).await;
    let desk = Desk::of(server);
    let uid = desk.only_call().await;
    ([anna, boris], [a, b], desk, uid)
}

fn onliner<'v>(call: &'v Value, account: &Account) -> &'v Value {
    let onliners = call["onliners"].as_array().expect("onliners");
    onliners.iter().find(|it| it["jid"] == account.jid).expect("he is in the call")
}

// ---- Who comes in.

#[tokio::test]
async fn without_the_token_nothing_is_told_and_nothing_is_done() {
    let server = Server::start();
    let (_, [mut a, _], desk, uid) = two(&server).await;
    let (short, long) = (&desk.token[1..], format!("{}0", desk.token));
    let body = json!({}).to_string();
    for (method, route) in ROUTES.into_iter().chain([("GET", "nothing"), ("DELETE", "calls")]) {
        let path = route.replace("UID", &uid);
        for (token, code) in [
            (None, "EMPTY_TOKEN"),
            (Some(""), "INVALID_TOKEN"),
            (Some(short), "INVALID_TOKEN"),
            (Some(long.as_str()), "INVALID_TOKEN"),
        ] {
            let reply = desk.shown(method, &path, token, &body).await;
            let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
            assert_eq!((reply.status, &body["error"]), (401, &json!(code)), "{method} {path}");
            assert_eq!(reply.header("www-authenticate"), Some("bearer"));
        }
    }
    let basic = format!("Authorization: Basic {}\r\n", desk.token);
    assert_eq!(request(&desk.url, "GET", "/admin/v1/node", &basic, "").await.status, 401);
    let in_address = format!("/admin/v1/node?token={}", desk.token);
    assert_eq!(request(&desk.url, "GET", &in_address, "", "").await.status, 401);
    a.heard_nothing_of_calls().await;
    assert_eq!(desk.read("node").await["draining"], false);
    // The people's listener has nothing of it, whatever is shown.
    let shown = format!("Authorization: Bearer {}\r\n", desk.token);
    assert_eq!(server.bytes("GET", "/admin/v1/node", &shown, "").await.status, 404);
}

#[tokio::test]
async fn each_start_makes_a_token_of_its_own_that_its_owner_alone_can_read() {
    let (one, other) = (Server::start(), Server::start());
    let (first, second) = (Desk::of(&one), Desk::of(&other));
    assert_ne!((&first.url, &first.token), (&second.url, &second.token));
    assert_eq!(first.token.len(), 64);
    let file = one.data().join("admin.json");
    let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let crossed = Desk { url: first.url.clone(), token: second.token };
    assert_eq!(crossed.refused("GET", "node", "").await.0, 401);
    let (data, log) = (file.clone(), one.stop().await.stderr);
    assert!(!data.exists(), "who has ended is not to be looked for");
    assert!(!log.contains(&first.token), "a token is in no log");
}

#[tokio::test]
async fn a_token_of_ones_own_is_taken_and_the_listener_can_be_left_out() {
    let token = "0123456789abcdef0123456789abcdef";
    let server = Server::with(&["--http", "127.0.0.1:0"], &[("VOXHALL_ADMIN_TOKEN", token)]);
    let desk = Desk::of(&server);
    assert_eq!(desk.token, token);
    assert_eq!(desk.read("node").await["ready"], true);
    let server = Server::with(&["--http", "127.0.0.1:0"], &[("VOXHALL_ADMIN_ENABLED", "false")]);
    assert!(!server.data().join("admin.json").exists());
}

// ---- What he is shown.

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_shown_with_its_people_and_the_counters_of_their_legs() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    hears(&anna, &[BORIS_HZ]).await;
    let desk = Desk::of(&server);
    let uid = desk.only_call().await;
    let line = desk.read("calls").await["calls"][0].take();
    assert_eq!((&line["people"], &line["legs"]), (&json!(2), &json!(2)));
    let chat = json!({ "type": "group", "jid": anna.lobby(), "display_name": "Lobby" });
    assert_eq!((&line["chat"], &line["recording"]), (&chat, &json!("off")));
    let path = format!("calls/{uid}");
    let packets = |call: &Value, of: &Account| {
        let leg = &onliner(call, of)["legs"][0];
        let out = leg["slots"][0]["packets_out"].as_u64().unwrap_or_default();
        (leg["packets_in"].as_u64().unwrap_or_default(), out)
    };
    let is_loud = |(come, sent): (u64, u64)| come > 20 && sent > 20;
    let call = desk
        .until(&path, |call| {
            is_loud(packets(call, &anna.account)) && is_loud(packets(call, &boris.account))
        })
        .await;
    let leg = &onliner(&call, &anna.account)["legs"][0];
    assert_eq!(
        (&leg["link"], &leg["socket"], &leg["sends"]),
        (&json!("connected"), &json!(true), &json!(true))
    );
    // Where people sit is the operator's business.
    assert!(leg["path"]["remote"].as_str().expect("an address").starts_with("127.0.0.1:"));
    assert_eq!(leg["slots"][0]["jid"], boris.account.jid);
    let node = desk.read("node").await;
    assert_eq!(
        (&node["calls"], &node["onliners"], &node["workers"]),
        (&json!(1), &json!(2), &json!(1))
    );
    assert_eq!(
        (&node["version"], &node["draining"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!(false))
    );
    let metrics = desk.shown("GET", "metrics", Some(&desk.token), "").await;
    assert!(String::from_utf8_lossy(&metrics.body).contains("\nvoxhall_calls 1\n"));
    // Why each hears the other.
    let hearing = format!("calls/{uid}/hearing?listener={}", anna.account.jid);
    let verdict = |hearing: &Value| hearing["others"][0]["verdict"].clone();
    let heard = desk.until(&hearing, |hearing| verdict(hearing) == "heard").await;
    assert_eq!(heard["others"][0]["why"], "anna hears boris.");
    boris.hush();
    desk.until(&hearing, |hearing| verdict(hearing) == "no_packets").await;
    boris.mute(true).await.expect("he may");
    let muted = desk.until(&hearing, |hearing| verdict(hearing) == "muted").await;
    assert_eq!(muted["others"][0]["why"], "boris is muted, by own choice.");
}

#[tokio::test]
async fn who_has_no_connection_is_told_apart_from_whom_nothing_comes_of() {
    let server = Server::start();
    let ([anna, boris], _sockets, desk, uid) = two(&server).await;
    let hearing = desk.read(&format!("calls/{uid}/hearing?listener={}", anna.jid)).await;
    assert_eq!(hearing["others"][0]["jid"], boris.jid);
    assert_eq!(hearing["others"][0]["verdict"], "listener_not_connected");
    for (query, status) in [
        ("?listener=d-nobody", 404),
        ("", 422),
        ("?listener=", 422),
        ("?listener=anna", 422),
        ("?listner=d-nobody", 422),
    ] {
        let path = format!("calls/{uid}/hearing{query}");
        assert_eq!(desk.refused("GET", &path, "").await.0, status, "{query}");
    }
    assert_eq!(desk.refused("GET", "calls/nothing", "").await.0, 404);
    assert_eq!(desk.refused("GET", &format!("calls/{}", &uid[..8]), "").await.0, 404);
}

// ---- What he does.

#[tokio::test]
async fn whom_he_puts_out_is_told_so_and_may_come_again() {
    let server = Server::start();
    let ([anna, boris], [mut a, mut b], desk, uid) = two(&server).await;
    let kick = format!("calls/{uid}/kick");
    let after = desk.post(&kick, &json!({ "onliner": boris.jid })).await;
    assert_eq!(after["people"], 1);
    let left = b.event("server.call.leave").await;
    assert_eq!((&left["uid"], &left["_reason"]), (&json!(uid), &json!("kicked")));
    a.state(|state| holds(state, &[&anna])).await;
    let (status, again) =
        desk.refused("POST", &kick, &json!({ "onliner": boris.jid }).to_string()).await;
    assert_eq!((status, &again["details"]["code"]), (404, &json!("no_such_onliner")));
    b.offer(lobby(&boris)).await;
    a.state(|state| holds(state, &[&anna, &boris])).await;
    // The last ones out end the call.
    desk.post(&kick, &json!({ "onliner": anna.jid })).await;
    let gone = desk.post(&kick, &json!({ "onliner": boris.jid })).await;
    assert_eq!(gone, Value::Null);
    assert_eq!(desk.read("calls").await, json!({ "calls": [] }));
}

#[tokio::test]
async fn whom_he_mutes_is_told_so_and_may_speak_again_unless_it_is_sticky() {
    let server = Server::start();
    let ([anna, boris], [mut a, mut b], desk, uid) = two(&server).await;
    let mute = format!("calls/{uid}/mute");
    let is_muted = |state: &Value, who: &Account| onliner(state, who)["muted"] == true;
    let after = desk.post(&mute, &json!({ "onliner": boris.jid })).await;
    assert_eq!(onliner(&after, &boris)["muted_by"], "operator");
    assert_eq!(onliner(&after, &anna)["muted_by"], "");
    b.event_where("server.call.sound", |sound| sound["muted"] == true).await;
    let state = a.state(|state| is_muted(state, &boris)).await;
    // No jid: nobody of the chat did it.
    assert_eq!(
        (&onliner(&state, &boris)["_muted_by"], is_muted(&state, &anna)),
        (&json!(""), false)
    );
    let unmute = json!({ "jid": lobby(&boris), "muted": false });
    b.send("client.call.sound", unmute.clone()).await;
    a.state(|state| !is_muted(state, &boris)).await;
    desk.post(&mute, &json!({ "sticky": true })).await;
    for socket in [&mut a, &mut b] {
        assert_eq!(socket.event("server.call.muteall").await["muted"], true);
    }
    let held = a.state(|state| is_muted(state, &boris) && is_muted(state, &anna)).await;
    assert_eq!(held["_sticky"], true);
    let id = b.send("client.call.sound", unmute.clone()).await;
    let orig = json!({ "event": "client.call.sound", "confirm_id": id, "params": unmute });
    b.warned("muted_by_moderator", &orig).await;
    let after = desk.post(&mute, &json!({ "muted": false })).await;
    assert_eq!(
        (&after["sticky"], &onliner(&after, &boris)["muted"]),
        (&json!(false), &json!(true))
    );
    b.send("client.call.sound", unmute).await;
    a.state(|state| !is_muted(state, &boris)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_he_mutes_nobody_hears_though_the_client_sends_on() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    join_talking(&mut anna, ANNA_HZ, Sections::Ahead(2)).await;
    join_talking(&mut boris, BORIS_HZ, Sections::Ahead(2)).await;
    clara.offer(&clara.lobby(), Sections::Ahead(2)).await.expect("the call takes her");
    hears(&clara, &[ANNA_HZ, BORIS_HZ]).await;
    let desk = Desk::of(&server);
    let uid = desk.only_call().await;
    desk.post(&format!("calls/{uid}/mute"), &json!({ "onliner": boris.account.jid })).await;
    support::story::only_is_heard(&clara, ANNA_HZ).await;
    desk.post(&format!("calls/{uid}/kick"), &json!({ "onliner": boris.account.jid })).await;
    boris.ended(DEADLINE).await.expect("he is told");
}

#[tokio::test]
async fn what_he_has_recorded_people_see_and_once_more_changes_nothing() {
    let server = Server::start();
    let (_, [mut a, _b], desk, uid) = two(&server).await;
    let record = format!("calls/{uid}/record");
    for on in [true, true] {
        let after = desk.post(&record, &json!({ "audiorecord": on })).await;
        assert_eq!(after["recording"], "on");
    }
    a.state(|state| state["audiorecord"] == true).await;
    let after = desk.post(&record, &json!({ "audiorecord": false })).await;
    assert_eq!(after["recording"], "off");
    a.state(|state| state["audiorecord"] == false).await;
    let off = [("VOXHALL_RECORD_ENABLED", "false")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &off);
    let (_, _sockets, desk, uid) = two(&server).await;
    let on = json!({ "audiorecord": true }).to_string();
    let (status, refusal) = desk.refused("POST", &format!("calls/{uid}/record"), &on).await;
    assert_eq!((status, &refusal["details"]["code"]), (422, &json!("no_recording")));
}

#[tokio::test]
async fn a_call_that_he_ends_is_over_for_everybody() {
    let server = Server::start();
    let ([anna, _], [mut a, mut b], desk, uid) = two(&server).await;
    let end = format!("calls/{uid}/end");
    assert_eq!(desk.post(&end, &json!({})).await, Value::Null);
    for socket in [&mut a, &mut b] {
        let left = socket.event("server.call.leave").await;
        assert_eq!((&left["uid"], left.get("_reason")), (&json!(uid), None));
        let state = socket.state(|state| !state["finish"].is_null()).await;
        assert_eq!(state["onliners"], json!([]));
    }
    assert_eq!(desk.read("calls").await, json!({ "calls": [] }));
    assert_eq!(desk.refused("POST", &end, "").await.0, 404);
    // The chat has lost nothing: another call begins.
    let answer = a.offer(lobby(&anna)).await;
    assert_ne!(answer["uid"], uid);
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_another_core_he_is_answered_too_and_the_facts_say_what_he_did() {
    let core = FakeCore::start().await;
    let variables = [
        ("VOXHALL_CORE_MODE", "dial"),
        ("VOXHALL_CORE_URL", core.url.as_str()),
        ("VOXHALL_CORE_SECRET", SECRET),
    ];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    let chat = json!({ "type": "group", "jid": "g-tea", "display_name": "Tea" });
    let offer = offer_of("g-tea", OFFER);
    for who in ["d-anna", "d-boris"] {
        let offered = core.signal(who, &chat, "client.call.offer", &offer);
        assert_eq!(core.result(offered).await["ok"], true);
    }
    let desk = Desk::of(&server);
    let uid = desk.only_call().await;
    assert_eq!(desk.read("calls").await["calls"][0]["chat"], chat);
    let facts = || core.facts().remove(&uid).unwrap_or_default();
    let deed = async |what: &str, body: Value, kind: &str| {
        desk.post(&format!("calls/{uid}/{what}"), &body).await;
        core.until(kind, || facts().iter().any(|fact| fact["kind"] == kind)).await;
        facts().into_iter().find(|fact| fact["kind"] == kind).expect("just seen")
    };
    let muted = deed("mute", json!({ "onliner": "d-anna" }), "muted").await;
    assert_eq!((&muted["actor"]["jid"], &muted["details"]["by"]), (&json!("d-anna"), &json!("")));
    let on = deed("record", json!({ "audiorecord": true }), "record_on").await;
    assert_eq!(on.get("actor"), None);
    let left = deed("kick", json!({ "onliner": "d-boris" }), "left").await;
    assert_eq!(
        (&left["actor"]["jid"], &left["details"]["reason"]),
        (&json!("d-boris"), &json!("kicked"))
    );
    let finished = deed("end", json!({}), "finished").await;
    assert_eq!(finished["details"]["reason"], "ended");
    server.stop().await;
}

#[tokio::test]
async fn the_level_that_he_sets_is_logged_from_then_on() {
    let server = Server::start();
    let desk = Desk::of(&server);
    assert_eq!(desk.read("log").await, json!({ "level": "info" }));
    let [anna, ..] = people(&server).await;
    Raw::connect(&anna).await.settle().await;
    let set = async |level: &str| {
        let body = json!({ "level": level }).to_string();
        assert_eq!(desk.ask("PUT", "log", &body).await, Ok(json!({ "level": level })));
    };
    set("error").await;
    desk.post("drain", &json!({})).await;
    let quiet = server.ended().await.stderr;
    assert!(!quiet.contains("draining"), "{quiet}");
    let server = Server::start();
    let desk = Desk::of(&server);
    let set = async |level: &str| {
        let body = json!({ "level": level }).to_string();
        assert_eq!(desk.ask("PUT", "log", &body).await, Ok(json!({ "level": level })));
    };
    let (_, [mut a, _b], ..) = two(&server).await;
    set("debug").await;
    let uid = desk.only_call().await;
    desk.post(&format!("calls/{uid}/end"), &json!({})).await;
    a.settle().await;
    for body in [r#"{"level":"loud"}"#, r#"{"level":7}"#, "{}", "", r#"{"level":"info","x":1}"#] {
        assert_eq!(desk.refused("PUT", "log", body).await.0, 422, "{body}");
    }
    let log = server.stop().await.stderr;
    assert!(log.contains("the operator changed the log level level=\"debug\""), "{log}");
    let is_debug = |line: &str| line.contains("DEBUG");
    assert!(log.lines().any(is_debug), "{log}");
}

#[tokio::test]
async fn a_configuration_that_is_read_again_sets_the_level_where_it_changed_it() {
    let file = std::env::temp_dir().join(format!("voxhall-level-{}.toml", std::process::id()));
    let write = |text: &str| std::fs::write(&file, text).expect("it is ours");
    write("[log]\nlevel = \"info\"\n");
    let path = file.to_str().expect("plain");
    let server = Server::with(&["--http", "127.0.0.1:0", "--config", path], &[]);
    let desk = Desk::of(&server);
    write("[log]\nlevel = \"debug\"\n");
    let pid = libc::pid_t::try_from(server.pid()).expect("a pid fits");
    // SAFETY: a plain system call; the child is not yet waited for, so the pid is its own.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGHUP) }, 0);
    desk.until("log", |log| log["level"] == "debug").await;
    std::fs::remove_file(file).expect("it is ours");
}

#[tokio::test]
async fn a_drain_takes_no_new_call_waits_for_the_last_and_ends_well() {
    let patient = [("VOXHALL_CALL_DRAIN_S", "3600")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &patient);
    let ([anna, boris], [mut a, mut b], desk, _) = two(&server).await;
    for _ in 0..2 {
        // Once more is no second signal, which would cut the calls off.
        let node = desk.post("drain", &json!({})).await;
        assert_eq!((&node["draining"], &node["onliners"]), (&json!(true), &json!(2)));
        assert_eq!((&node["ready"], &node["reason"]), (&json!(false), &json!("draining")));
    }
    assert_eq!(server.fetch("/readyz").await.0, 503);
    let offer = offer_of(&boris.jid, OFFER);
    let id = a.send("client.call.offer", offer.clone()).await;
    let orig = json!({ "event": "client.call.offer", "confirm_id": id, "params": offer });
    a.warned("draining", &orig).await;
    let data = server.data().to_owned();
    a.send("client.call.leave", json!({ "jid": lobby(&anna) })).await;
    desk.until("node", |node| node["onliners"] == 1).await;
    b.send("client.call.leave", json!({ "jid": lobby(&boris) })).await;
    let stopped = server.ended().await;
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(!data.join("admin.json").exists());
}

// ---- Limits.

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_byte_more_is_refused() {
    let server = Server::start();
    let desk = Desk::of(&server);
    let level = r#"{"level":"info"}"#;
    let body = |bytes: usize| level.to_owned() + &" ".repeat(bytes - level.len());
    assert_eq!(desk.ask("PUT", "log", &body(65_536)).await, Ok(json!({ "level": "info" })));
    let (status, refusal) = desk.refused("PUT", "log", &body(65_537)).await;
    assert_eq!((status, &refusal["details"]["body"]), (422, &json!("longer than 65536 bytes")));
    let deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
    for body in ["[]", "7", "{", "null", "\u{1}", deep.as_str()] {
        assert_eq!(desk.refused("PUT", "log", body).await.0, 422, "{body}");
    }
}

#[tokio::test]
async fn a_field_that_is_misspelt_does_nothing() {
    let server = Server::start();
    let ([anna, _], [mut a, _b], desk, uid) = two(&server).await;
    a.settle().await;
    let jid = &anna.jid;
    for (deed, body) in [
        ("mute", json!({ "onlinr": jid })),
        ("mute", json!({ "onliner": null })),
        ("mute", json!({ "onliner": "anna" })),
        ("mute", json!({ "onliner": jid, "sticky": true })),
        ("mute", json!({ "onliner": jid, "muted": false })),
        ("mute", json!({ "sticky": true, "muted": false })),
        ("mute", json!({ "sticky": "yes" })),
        ("kick", json!({})),
        ("kick", json!({ "onliner": [jid] })),
        ("kick", json!({ "onliner": jid, "reason": "loud" })),
        ("record", json!({})),
        ("record", json!({ "audiorecord": 1 })),
        ("end", json!({ "now": true })),
    ] {
        let path = format!("calls/{uid}/{deed}");
        assert_eq!(desk.refused("POST", &path, &body.to_string()).await.0, 422, "{deed} {body}");
    }
    a.heard_nothing_of_calls().await;
    // No question changes anything: what acts is not asked by GET.
    for (method, route) in ROUTES.into_iter().filter(|(method, _)| *method == "POST") {
        let path = route.replace("UID", &uid);
        assert_eq!(desk.refused("GET", &path, "").await.0, 405, "{method} {path}");
    }
}

#[tokio::test]
async fn with_as_many_requests_as_may_be_one_more_is_refused_until_one_ends() {
    let server = Server::start();
    let desk = Desk::of(&server);
    let origin = Origin::parse(&desk.url).expect("an origin");
    let (body, mut held) = (r#"{"level":"info"}"#, Vec::new());
    let head = format!(
        "PUT /admin/v1/log HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
         Connection: close\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        origin.authority,
        desk.token,
        body.len()
    );
    for _ in 0..32 {
        let mut stream = origin.connect().await.expect("the node listens");
        stream.write_all(head.as_bytes()).await.expect("it reads");
        // It is told to go on once the handler waits for its body.
        let mut word = [0; 25];
        stream.read_exact(&mut word).await.expect("it answers");
        assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
        held.push(stream);
    }
    let (status, refusal) = desk.refused("GET", "node", "").await;
    assert_eq!((status, &refusal["error"]), (429, &json!("RATE_LIMIT")));
    let mut first = held.remove(0);
    first.write_all(body.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(desk.read("log").await, json!({ "level": "info" }));
}

// ---- In a terminal.

/// What a command said, and its exit code.
async fn run(server: &Server, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxhall"));
    command.args(arguments).arg("--data").arg(server.data());
    said(command).await
}

async fn said(mut command: Command) -> (Option<i32>, String, String) {
    command.stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
    let ended = ended.expect("cargo has built it");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (out, err) = (text(ended.stdout), text(ended.stderr));
    assert!(out.lines().all(|line| line.chars().count() <= 100 || line.starts_with('{')), "{out}");
    (ended.status.code(), out, err)
}

#[tokio::test]
async fn the_terminal_lists_calls_and_shows_one_by_the_beginning_of_its_uid() {
    let server = Server::start();
    assert_eq!(run(&server, &["calls"]).await, (Some(0), "no calls\n".into(), "".into()));
    let ([anna, boris], _sockets, desk, uid) = two(&server).await;
    let (code, calls, _) = run(&server, &["calls"]).await;
    let lines: Vec<Vec<&str>> = calls.lines().map(|it| it.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["CALL", "CHAT", "SINCE", "(UTC)", "PEOPLE", "LEGS", "RECORDING"]);
    assert_eq!((code, lines[1][0], lines[1][1]), (Some(0), &uid[..8], "Lobby"));
    assert_eq!(lines[1][4..], ["2", "2", "off"]);
    let (_, json, _) = run(&server, &["calls", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).expect("JSON"), desk.read("calls").await);
    desk.post(&format!("calls/{uid}/mute"), &json!({ "onliner": boris.jid })).await;
    let (code, call, _) = run(&server, &["call", &uid[..4]]).await;
    assert_eq!(code, Some(0));
    for part in [
        &*format!("call       {uid}\nchat       Lobby\n"),
        "muted by the operator",
        "LEG  PERSON  LINK        IN  LOST  LAST   OUT  LOST\n",
        "LEG  ADDRESS          CLIENT\n",
        "connecting",
        "anna hears nobody\n  listener_not_connected: anna has no connection at present",
        "boris hears nobody",
    ] {
        assert!(call.contains(part), "{part}: {call}");
    }
    let (_, one, _) = run(&server, &["call", &uid, "--listener", &anna.jid]).await;
    assert!(one.contains("anna hears nobody") && !one.contains("boris hears"), "{one}");
    let (_, json, _) = run(&server, &["call", &uid, "--json"]).await;
    let whole: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(whole["hearing"].as_array().map(Vec::len), Some(2));
    let (code, _, why) = run(&server, &["call", "no-such"]).await;
    assert_eq!((code, why.as_str()), (Some(1), "voxhall: no call begins with no-such\n"));
}

#[tokio::test]
async fn a_terminal_finds_a_node_elsewhere_and_says_when_there_is_none() {
    let server = Server::start();
    let desk = Desk::of(&server);
    let elsewhere = |token: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxhall"));
        command.args(["calls", "--url", &desk.url]).env_remove("VOXHALL_ADMIN_TOKEN");
        command.envs(token.map(|token| ("VOXHALL_ADMIN_TOKEN", token)));
        said(command)
    };
    assert_eq!(elsewhere(Some(&desk.token)).await.0, Some(0));
    let (code, _, why) = elsewhere(None).await;
    assert!(code == Some(1) && why.contains("VOXHALL_ADMIN_TOKEN"), "{why}");
    let (code, _, why) = elsewhere(Some("wrong")).await;
    assert!(code == Some(1) && why.contains("refuses the token"), "{why}");
    let data = std::env::temp_dir().join(format!("voxhall-nowhere-{}", std::process::id()));
    let gone = Server::on(&data, &[]);
    let note = std::fs::read(data.join("admin.json")).expect("it is there");
    gone.stop().await;
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxhall"));
        command.arg("calls").arg("--data").arg(&data);
        said(command)
    };
    let (code, _, why) = run().await;
    assert!(code == Some(1) && why.contains("no server runs with its data in"), "{why}");
    std::fs::write(data.join("admin.json"), note).expect("it is ours");
    let (code, _, why) = run().await;
    assert!(code == Some(1) && why.contains("no server answers at http://127.0.0.1:"), "{why}");
    // A server's configuration says where, though its secrets are the server's.
    let file = data.join("voxhall.toml");
    let text = format!("[core]\nmode = \"accept\"\n[data]\ndir = \"{}\"\n", data.display());
    std::fs::write(&file, text).expect("it is ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxhall"));
    command.arg("calls").arg("--config").arg(&file).env_remove("VOXHALL_DATA_DIR");
    let (code, _, why) = said(command).await;
    assert!(code == Some(1) && why.contains("no server answers at http://127.0.0.1:"), "{why}");
    std::fs::remove_dir_all(data).expect("it is ours");
}

#[tokio::test]
async fn a_drain_in_a_terminal_says_how_many_are_left_until_the_node_has_ended() {
    let patient = [("VOXHALL_CALL_DRAIN_S", "3600")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &patient);
    let ([anna, boris], [mut a, mut b], desk, _) = two(&server).await;
    let first = run(&server, &["drain", "--no-wait"]).await;
    assert_eq!(first, (Some(0), "draining: 2 people in 1 call\n".into(), "".into()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxhall"));
    command.args(["drain", "--data"]).arg(server.data());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut watching = command.spawn().expect("it runs");
    let out = BufReader::new(watching.stdout.take().expect("it is piped"));
    let (lines, mut said) = mpsc::channel(16);
    std::thread::spawn(move || {
        out.lines().map_while(Result::ok).try_for_each(|line| lines.blocking_send(line))
    });
    let mut until = async |wanted: &str| {
        loop {
            let line = tokio::time::timeout(PATIENCE, said.recv()).await.expect("it says so");
            if line.expect("it says so before it ends") == wanted {
                return;
            }
        }
    };
    until("draining: 2 people in 1 call").await;
    a.send("client.call.leave", json!({ "jid": lobby(&anna) })).await;
    until("draining: 1 person in 1 call").await;
    desk.read("node").await;
    b.send("client.call.leave", json!({ "jid": lobby(&boris) })).await;
    let stopped = server.ended().await;
    assert!(stopped.status.success(), "{stopped:?}");
    until("the server has ended").await;
    let ended = tokio::task::spawn_blocking(move || watching.wait()).await.expect("it ends");
    assert!(ended.expect("it is ours").success());
}

// ---- The document.

#[tokio::test]
async fn the_document_has_every_route_and_no_other() {
    let server = Server::start();
    let document = Desk::of(&server).document().await;
    let mut told = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            told.push((method.to_uppercase(), path.replace("{uid}", "UID")));
        }
    }
    let mut routes: Vec<(String, String)> =
        ROUTES.map(|(method, path)| (method.to_owned(), format!("/admin/v1/{path}"))).into();
    told.sort();
    routes.sort();
    assert_eq!(told, routes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_makes_up_requests_finds_no_answer_that_the_document_has_not() {
    let patient = [("VOXHALL_CALL_DRAIN_S", "3600")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &patient);
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    let desk = Desk::of(&server);
    let uid = desk.only_call().await;
    let jids = [anna.account.jid.as_str(), boris.account.jid.as_str()];
    let lasting = ["drain", "endCall", "kick"].map(|it| format!("--exclude-operation-id={it}"));
    let lasting = lasting.each_ref().map(String::as_str);
    let trial = Trial { desk: &desk, uid: &uid, people: &jids, which: &lasting, spoil: |_| {} };
    let (is_clean, said) = trial.run().await;
    assert!(is_clean, "{said}");
    assert!(said.contains("10 selected / 13 total"), "{said}");
    // What was made up has led to the call, and ended nothing.
    assert_eq!(desk.only_call().await, uid);
    let ends = ["--include-operation-id=kick", "--include-operation-id=endCall"];
    let (is_clean, said) = Trial { which: &ends, ..trial }.run().await;
    assert!(is_clean, "{said}");
    assert_eq!(desk.read("calls").await, json!({ "calls": [] }));
    // The drain waits for a call that nobody ends.
    let (_, _sockets, _, uid) = two(&server).await;
    let drain = ["--include-operation-id=drain"];
    let (is_clean, said) = Trial { which: &drain, uid: &uid, ..trial }.run().await;
    assert!(is_clean, "{said}");
    assert_eq!(desk.read("node").await["draining"], true);
    // It has people: SIGTERM is the second word, and cuts them off.
    assert!(server.stop().await.status.success());
}

/// Proof that the machine looks: of a document that says something else it complains.
#[tokio::test]
async fn a_document_that_is_wrong_is_noticed_by_the_machine() {
    let server = Server::start();
    let (_, _sockets, desk, uid) = two(&server).await;
    let which = ["--include-operation-id", "viewNode"];
    let spoil = |document: &mut Value| {
        let workers = &mut document["components"]["schemas"]["Node"]["properties"]["workers"];
        *workers = json!({ "type": "string" });
    };
    let trial = Trial { desk: &desk, uid: &uid, people: &["d-anna"], which: &which, spoil };
    let (is_clean, said) = trial.run().await;
    assert!(!is_clean && said.contains("Response violates schema"), "{said}");
}
