//! The rules of docs/protocol.md that no other test proves, over the real server and bare sockets:
//! the examples themselves, repeats, both names of a direct chat, who is told what, HTTP.

mod support;

use serde_json::{Value, json};
use support::client::{Client, Sections};
use support::raw::{OFFER, Raw, holds, offer_of};
use support::server::Server;
use support::story::{ANNA_HZ, BORIS_HZ, CLARA_HZ, DEADLINE, guest, hears, lobby, people};
use tokio_tungstenite::tungstenite::Message;
use voxhall::demo::socket::Account;
use voxhall::media::dialogue::{Dialogue, Ours, Reoffer, Unfit};
use voxhall::media::sdp;

// ---- The examples.

#[tokio::test]
async fn the_examples_of_a_group_call_do_what_the_page_says() {
    let server = Server::start();
    let three = people(&server).await;
    let [mut a, mut b, mut c] = sockets(&three).await;
    let uid = a.say("client.call.offer", &three, "").await.event("server.call.sdp").await["uid"]
        .as_str()
        .expect("a uid")
        .to_owned();
    for name in ["client.call.trickle", "client.call.trickle.end", "client.activity"] {
        a.say(name, &three, &uid).await.settle().await;
    }
    a.say("client.call.buzz", &three, &uid).await;
    for rung in [&mut b, &mut c] {
        assert_eq!(rung.event("server.call.buzz").await["uid"], uid);
        rung.offer(lobby(&three[0])).await;
    }
    a.say("client.call.sound", &three, &uid).await;
    assert_eq!(a.event("server.call.sound").await["muted"], true);
    a.say("client.call.muteall", &three, &uid).await;
    assert_eq!(b.event("server.call.muteall").await["muted"], true);
    a.say("client.call.muteall.sticky", &three, &uid).await;
    c.state(|state| state["_sticky"] == true).await;
    a.say("client.call.muteall.lift", &three, &uid).await;
    c.state(|state| state["_sticky"] == false).await;
    a.say("client.call.record", &three, &uid).await;
    c.state(|state| state["audiorecord"] == true).await;
    a.say("client.call.kick", &three, &uid).await;
    assert_eq!(c.event("server.call.leave").await["_reason"], "kicked");
    a.say("client.call.sdp.restart", &three, &uid).await;
    let answer = a.event("server.call.sdp").await;
    assert_eq!((&answer["jsep"]["type"], &answer["uid"]), (&json!("answer"), &json!(uid)));
    assert_eq!(a.count("server.warning"), 0, "{:#?}", a.seen);
    for (name, code) in [
        ("client.call.sdp.answer", "not_asked"),
        ("client.call.video", "audio_only"),
        ("client.call.screenshare", "audio_only"),
    ] {
        a.say(name, &three, &uid).await;
        assert_eq!(a.event("server.warning").await["code"], code, "{name}");
    }
    a.say("client.call.leave", &three, &uid).await;
    assert_eq!(a.event("server.call.leave").await["uid"], uid);
}

#[tokio::test]
async fn the_examples_of_a_direct_call_do_what_the_page_says() {
    let server = Server::start();
    let three = people(&server).await;
    let [mut a, mut b, _] = sockets(&three).await;
    let ahead = a.say("client.call.offer.ahead", &three, "").await.event("server.call.sdp").await;
    assert_eq!(ahead["jids"].as_array().map(Vec::len), Some(3));
    b.event("server.call.buzz").await;
    b.say("client.call.reject", &three, "").await;
    let reject = a.event("server.call.reject").await;
    assert_eq!((&reject["jid"], &reject["reason"]), (&json!(three[1].jid), &json!("busy")));
    a.state(|state| !state["finish"].is_null()).await;
    a.offer(&three[1].jid).await;
    b.event("server.call.buzz").await;
    a.say("client.call.buzzcancel", &three, "").await;
    b.event("server.call.buzzcancel").await;
}

// ---- Events and their confirms.

#[tokio::test]
async fn an_event_that_is_sent_again_is_confirmed_again_and_has_no_second_effect() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let offer = json!({ "event": "client.call.offer", "confirm_id": "the offer",
        "params": offer_of(lobby(&anna), OFFER) });
    let buzz = json!({ "event": "client.call.buzz", "confirm_id": "the buzz",
        "params": { "jid": lobby(&anna) } });
    for event in [&offer, &buzz] {
        for _ in 0..3 {
            a.send_message(Message::text(event.to_string())).await;
            a.event_where("server.confirm", |it| it["confirm_id"] == event["confirm_id"]).await;
        }
    }
    // A confirm may be lost with its socket: the next one knows the event all the same.
    drop(a);
    let mut a = Raw::connect(&anna).await;
    a.send_message(Message::text(buzz.to_string())).await;
    a.event_where("server.confirm", |it| it["confirm_id"] == "the buzz").await;
    a.settle().await;
    assert!(a.count("server.call.sdp") <= 1, "{:#?}", a.seen);
    b.event("server.call.buzz").await;
    b.settle().await;
    assert_eq!(b.count("server.call.buzz"), 1);
}

#[tokio::test]
async fn a_refused_event_is_confirmed_and_then_warned_about() {
    let server = Server::start();
    let [anna, ..] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    let chat = lobby(&anna);
    for (event, params, code) in [
        ("client.call.leave", json!({ "jid": chat }), "no_such_call"),
        ("client.call.offer", json!({ "jid": chat }), "bad_params"),
        ("client.call.offer", offer_of(chat, "hello"), "bad_sdp"),
        ("client.chat.composing", json!({ "jid": chat }), "unknown_event"),
        // Also where there is no call.
        ("client.call.video", json!({ "jid": chat }), "audio_only"),
        ("client.call.screenshare", json!({ "jid": chat }), "audio_only"),
    ] {
        let id = a.send(event, params.clone()).await;
        a.event_where("server.confirm", |it| it["confirm_id"] == *id).await;
        let orig = json!({ "event": event, "confirm_id": id, "params": params });
        a.warned(code, &orig).await;
    }
}

#[tokio::test]
async fn candidates_may_overtake_their_offer_and_an_activity_is_taken() {
    let server = Server::start();
    let [anna, ..] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    let candidate = "candidate:1 1 udp 2122260223 192.0.2.44 54321 typ host";
    for candidate in [candidate, ""] {
        let params = json!({ "jid": lobby(&anna), "candidate": candidate });
        a.send("client.call.trickle", params).await;
    }
    a.send("client.activity", json!({ "afk": true })).await;
    a.heard_nothing_of_calls().await;
}

#[tokio::test]
async fn an_offer_with_video_is_answered_with_audio_only() {
    let server = Server::start();
    let [anna, ..] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    let mut offer = offer_of(lobby(&anna), OFFER);
    (offer["enabled_video"], offer["call_type"]) = (json!(true), json!("video"));
    a.send("client.call.offer", offer).await;
    a.event("server.call.sdp").await;
    let state = a.state(|state| holds(state, &[&anna])).await;
    assert_eq!(state["onliners"][0]["enabled_video"], false);
    let online = a.event_where("server.online", |it| it["calls"] != json!([])).await;
    assert_eq!(online["calls"][0]["call_type"], "audio");
}

// ---- Who is told, and under which name.

#[tokio::test]
async fn both_names_of_a_direct_chat_stand_in_every_event() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let uid = a.offer(&boris.jid).await["uid"].clone();
    b.offer(&anna.jid).await;
    for (one, chat, other) in [(&mut a, &boris.jid, &boris.jid), (&mut b, &anna.jid, &anna.jid)] {
        let tracks = one.event_where("server.call.tracks", |it| it["tracks"][0]["jid"] != "").await;
        let expected = json!({ "jid": chat, "uid": uid, "tracks": [{ "mid": "0", "jid": other }] });
        assert_eq!(tracks, expected);
        let listed = |it: &Value| it["calls"][0]["online_count"] == 2;
        let online = one.event_where("server.online", listed).await;
        assert_eq!((&online["calls"][0]["jid"], &online["calls"][0]["uid"]), (&json!(chat), &uid));
        one.send("client.call.sound", json!({ "jid": chat, "muted": true })).await;
        let sound = one.event("server.call.sound").await;
        assert_eq!(sound, json!({ "jid": chat, "muted": true }));
    }
    let (status, _) = server.post("/api/v3/debug/media/0/break", &json!({})).await;
    assert_eq!(status, 200);
    for (one, chat) in [(&mut a, &boris.jid), (&mut b, &anna.jid)] {
        let restart = one.event("server.call.restart").await;
        assert_eq!(restart, json!({ "jid": chat, "uid": uid, "team": anna.team_uid }));
    }
    for (one, chat) in [(&mut a, &boris.jid), (&mut b, &anna.jid)] {
        one.send("client.call.leave", json!({ "jid": chat })).await;
        let leave = one.event("server.call.leave").await;
        assert_eq!(leave, json!({ "jid": chat, "uid": uid }));
        let over = one.state(|state| !state["finish"].is_null() || holds(state, &[&boris])).await;
        assert_eq!(over["jid"], *chat);
    }
}

#[tokio::test]
async fn a_new_socket_is_told_of_every_live_call_in_its_chats_and_of_no_other() {
    let server = Server::start();
    let [anna, boris, clara] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let group = b.offer(lobby(&boris)).await["uid"].clone();
    let direct = a.offer(&boris.jid).await["uid"].clone();
    b.event("server.call.buzz").await;
    let states = |socket: &Raw| -> Vec<Value> {
        let states = socket.seen.iter().filter(|event| event["event"] == "server.call.state");
        states.map(|event| event["params"]["uid"].clone()).collect()
    };
    let mut phone = Raw::with(&boris, "device=phone").await;
    // In which order the calls tell him is their own affair.
    let buzz = phone.event("server.call.buzz").await;
    assert_eq!((&buzz["uid"], &buzz["jid"]), (&direct, &json!(anna.jid)));
    assert!(states(&phone).contains(&direct));
    if !states(&phone).contains(&group) {
        phone.state(|state| state["uid"] == group).await;
    }
    let mut c = Raw::connect(&clara).await;
    c.state(|state| state["uid"] == group).await;
    c.settle().await;
    assert!(!states(&c).contains(&direct));
    assert_eq!(c.count("server.call.buzz"), 0);
}

#[tokio::test]
async fn somebody_in_another_call_is_rung_all_the_same() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let group = b.offer(lobby(&boris)).await["uid"].clone();
    let uid = a.offer(&boris.jid).await["uid"].clone();
    assert_eq!(b.event("server.call.buzz").await["uid"], uid);
    b.settle().await;
    assert_eq!(b.count("server.call.leave"), 0);
    let path = Server::path(&boris, &format!("calls/{}", group.as_str().expect("a uid")));
    assert_eq!(server.fetch(&path).await.0, 200);
}

#[tokio::test]
async fn a_ringing_is_cancelled_only_where_it_still_rings() {
    let server = Server::start();
    let three = people(&server).await;
    let [mut a, mut b, mut c] = sockets(&three).await;
    let [anna, boris, clara] = &three;
    let mut tablet = Raw::with(boris, "device=tablet").await;
    a.offer(lobby(anna)).await;
    a.send("client.call.buzz", json!({ "jid": lobby(anna) })).await;
    for rung in [&mut b, &mut tablet, &mut c] {
        rung.event("server.call.buzz").await;
    }
    b.offer(lobby(boris)).await;
    tablet.event("server.call.buzzcancel").await;
    a.send("client.call.buzzcancel", json!({ "jid": lobby(anna) })).await;
    c.event("server.call.buzzcancel").await;
    for (socket, cancels) in [(&mut a, 0), (&mut b, 0), (&mut tablet, 1), (&mut c, 1)] {
        socket.settle().await;
        assert_eq!(socket.count("server.call.buzzcancel"), cancels, "{:#?}", socket.seen);
    }
    c.offer(lobby(clara)).await;
}

#[tokio::test]
async fn several_devices_of_a_person_are_in_the_call_where_that_is_allowed() {
    let several = [("VOXHALL_CALL_ONLY_ONE_DEVICE", "false")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &several);
    let [anna, ..] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    let mut phone = Raw::with(&anna, "device=phone").await;
    a.offer(lobby(&anna)).await;
    phone.offer(lobby(&anna)).await;
    let devices = |state: &Value| state["onliners"][0]["devices"].as_array().map(Vec::len);
    a.state(|state| devices(state) == Some(2)).await;
    assert_eq!((a.count("server.call.leave"), a.count("server.call.sdp")), (0, 1));
    phone.send("client.call.leave", json!({ "jid": lobby(&anna) })).await;
    phone.event("server.call.leave").await;
    a.state(|state| devices(state) == Some(1)).await;
    assert_eq!(a.count("server.call.leave"), 0);
}

#[tokio::test]
async fn one_more_than_a_call_holds_is_refused_and_who_is_in_may_dial_again() {
    let two = [("VOXHALL_CALL_MAX_PARTICIPANTS", "2")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &two);
    let three = people(&server).await;
    let [mut a, mut b, mut c] = sockets(&three).await;
    let [anna, boris, clara] = &three;
    a.offer(lobby(anna)).await;
    b.offer(lobby(boris)).await;
    c.send("client.call.offer", offer_of(lobby(clara), OFFER)).await;
    assert_eq!(c.event("server.warning").await["code"], "call_full");
    b.offer(lobby(boris)).await;
    let path = Server::path(clara, "ws/client.call.offer");
    let (status, reply) = server.post(&path, &offer_of(lobby(clara), OFFER)).await;
    assert_eq!((status, &reply["details"]["code"]), (422, &json!("call_full")), "{reply}");
    a.send("client.call.leave", json!({ "jid": lobby(anna) })).await;
    a.event("server.call.leave").await;
    c.offer(lobby(clara)).await;
    assert_eq!(server.fetch("/features.json").await.1["max_participants_per_call"], 2);
}

// ---- Offers by the server.

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_answers_no_offer_harms_nobody_and_its_own_is_refused_meanwhile() {
    let server = Server::start();
    let mut anna = talking(&server, "anna", ANNA_HZ).await;
    // Another socket of the same device: her media goes on, and nobody answers offers.
    let mut deaf = Raw::with(&anna.account, "device=test-anna").await;
    let boris = talking(&server, "boris", BORIS_HZ).await;
    // The server's offer comes while clara still connects, and is young for five seconds.
    let glare = async {
        let is_offer = |it: &Value| it["jsep"]["type"] == "offer";
        let offer = deaf.event_where("server.call.sdp", is_offer).await;
        let jsep = json!({ "type": "offer", "sdp": OFFER });
        let own = json!({ "jid": offer["jid"], "uid": offer["uid"], "jsep": jsep });
        let id = deaf.send("client.call.sdp", own.clone()).await;
        let orig = json!({ "event": "client.call.sdp", "confirm_id": id, "params": own });
        deaf.warned("glare", &orig).await;
    };
    let (clara, ()) = tokio::join!(talking(&server, "clara", CLARA_HZ), glare);
    hears(&boris, &[ANNA_HZ, CLARA_HZ]).await;
    hears(&clara, &[ANNA_HZ, BORIS_HZ]).await;
    // In her one section she hears one of them, and the other one when he alone talks.
    anna.listen(DEADLINE, 25).await.expect("somebody is heard");
    drop(boris);
    hears(&anna, &[CLARA_HZ]).await;
    assert_eq!(deaf.count("server.call.leave"), 0);
    anna.hush();
}

#[test]
fn an_offer_of_the_servers_that_was_withdrawn_cannot_be_answered_late() {
    let read = |name: &str| {
        let path = format!("{}/tests/data/sdp/{name}.sdp", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a capture")
    };
    let (limits, answer) =
        (sdp::Limits::default(), read("chromium-answer-to-reoffer-a-msid-ssrc-midext"));
    let own = sdp::parse(OFFER, &limits).expect("an offer");
    let answer = sdp::parse_answer(&answer, &limits).expect("an answer");
    let ours = Ours { fingerprint: "sha-256 AA".into(), candidates: vec![], slots_max: 8 };
    let mut dialogue = Dialogue::open(&own, ours);
    dialogue.offer(2);
    assert_eq!(dialogue.handle_offer(&own), Ok(Reoffer { restart: None }));
    assert_eq!(dialogue.handle_answer(&answer), Err(Unfit::NotAsked));
    assert_eq!(dialogue.slots().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_loses_only_his_socket_is_heard_on() {
    let server = Server::start();
    let anna = talking(&server, "anna", ANNA_HZ).await;
    let boris = talking(&server, "boris", BORIS_HZ).await;
    hears(&boris, &[ANNA_HZ]).await;
    let mark = boris.events().mark();
    drop(Raw::with(&anna.account, "device=test-anna").await);
    let is_alone = |it: &Value| it["contacts"].as_array().is_some_and(|all| all.len() == 1);
    boris.events().wait_after(mark, DEADLINE, "server.online", is_alone).await.expect("told");
    boris.listen(DEADLINE, 50).await.expect("anna is heard on");
    hears(&boris, &[ANNA_HZ]).await;
    let uid = boris.events().all("server.call.sdp")[0]["uid"].as_str().expect("a uid").to_owned();
    let path = Server::path(&boris.account, &format!("calls/{uid}"));
    let (_, reply) = server.fetch(&path).await;
    assert!(holds(&reply["result"], &[&anna.account, &boris.account]), "{reply}");
    // Off unless the operator wants it.
    assert_eq!(boris.events().all("server.call.checkfingerprint"), [] as [Value; 0]);
}

// ---- HTTP.

#[tokio::test]
async fn a_request_acts_as_its_tokens_device() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    // Neither names its device: both are the token's.
    let (mut a, mut b) = (Raw::with(&anna, "").await, Raw::connect(&boris).await);
    let mut phone = Raw::with(&anna, "device=phone").await;
    a.offer(lobby(&anna)).await;
    b.state(|state| holds(state, &[&anna])).await;
    let post =
        async |path: &str, params: Value| server.post(&Server::path(&anna, path), &params).await;
    let muted = json!({ "jid": lobby(&anna), "muted": true });
    let (status, reply) = post("ws/client.call.sound", muted.clone()).await;
    assert_eq!((status, &reply["result"]), (200, &muted), "{reply}");
    for own in [&mut a, &mut phone] {
        assert_eq!(own.event("server.call.sound").await, muted);
    }
    let (status, reply) = post("ws/client.call.leave", json!({ "jid": lobby(&anna) })).await;
    let leave = a.event("server.call.leave").await;
    assert_eq!((status, &reply["result"]), (200, &leave), "{reply}");
    phone.settle().await;
    assert_eq!(phone.count("server.call.leave"), 0);
    b.state(|state| !state["finish"].is_null()).await;
    // With a name it is that device.
    let path = format!("{}&device=phone", Server::path(&anna, "ws/client.call.offer"));
    let (status, reply) = server.post(&path, &offer_of(lobby(&anna), OFFER)).await;
    let answer = phone.event("server.call.sdp").await;
    assert_eq!((status, &reply["result"]), (200, &answer), "{reply}");
}

#[tokio::test]
async fn features_tell_what_the_server_can() {
    let server = Server::start();
    let (status, features) = server.fetch("/features.json").await;
    let expected = json!({ "ice_servers": [], "calls": true, "calls_version": 1,
        "calls_audio_enabled": true, "calls_video_enabled": false, "calls_record": true,
        "mobile_calls": true, "only_one_device_per_call": true,
        "max_participants_per_call": 1000, "resend_timeout": 10 });
    assert_eq!((status, features), (200, expected));
}

#[tokio::test]
async fn every_refusal_of_http_has_the_envelope() {
    let server = Server::start();
    let [anna, ..] = people(&server).await;
    let own = |rest: &str| Server::path(&anna, rest);
    let other = own("calls").replace(&anna.team_uid, "another");
    let no_token = format!("/api/v3/teams/{}/calls", anna.team_uid);
    for (method, path, status, error) in [
        ("GET", "/api/v3/nowhere".to_owned(), 404, "NOT_FOUND"),
        ("GET", own("nowhere"), 404, "NOT_FOUND"),
        ("GET", own("calls/unknown"), 404, "NOT_FOUND"),
        ("GET", own("calls/unknown/legs"), 404, "NOT_FOUND"),
        ("POST", own("ws/client.nonsense"), 404, "NOT_FOUND"),
        ("GET", no_token, 401, "EMPTY_TOKEN"),
        ("GET", own("calls").replace(&anna.token, "x"), 401, "INVALID_TOKEN"),
        ("GET", other, 403, "ACCESS_DENIED"),
        ("POST", own("calls"), 405, "INVALID_METHOD"),
        ("POST", own("calls/unknown"), 405, "INVALID_METHOD"),
        ("POST", own("calls/unknown/legs"), 405, "INVALID_METHOD"),
        ("GET", own("calls/unknown/record"), 405, "INVALID_METHOD"),
        ("GET", own("calls/unknown/kick"), 405, "INVALID_METHOD"),
        ("GET", own("ws/client.ping"), 405, "INVALID_METHOD"),
        ("GET", own("groups"), 405, "INVALID_METHOD"),
        ("POST", own("chats"), 405, "INVALID_METHOD"),
        ("POST", "/features.json".to_owned(), 405, "INVALID_METHOD"),
        ("POST", "/api/v3/me".to_owned(), 405, "INVALID_METHOD"),
        ("POST", "/api/v3/time".to_owned(), 405, "INVALID_METHOD"),
        ("POST", "/metrics".to_owned(), 405, "INVALID_METHOD"),
        ("POST", "/messaging/x".to_owned(), 405, "INVALID_METHOD"),
        ("POST", own("ws/client.call.offer"), 422, "INVALID_DATA"),
        ("GET", own("calls") + "&device=a%20b", 422, "INVALID_DATA"),
        ("GET", "/api/v3/teams/%ff/calls".to_owned(), 422, "INVALID_DATA"),
    ] {
        let (got, body) = match method {
            "GET" => server.fetch(&path).await,
            _ => server.post(&path, &json!({})).await,
        };
        assert_eq!((got, &body["error"]), (status, &json!(error)), "{method} {path}: {body}");
        assert_eq!(body["ok"], false, "{body}");
        assert!(body["_time"].as_str().is_some_and(|time| time.ends_with(" ms")), "{body}");
    }
}

// ---- The story's plumbing.

impl Raw {
    /// Sends an example of tests/data/wire with these people, their Lobby and this call in it, and
    /// waits for its confirm.
    async fn say(&mut self, example: &str, people: &[Account; 3], uid: &str) -> &mut Self {
        let path = format!("{}/tests/data/wire/{example}.json", env!("CARGO_MANIFEST_DIR"));
        let mut text = std::fs::read_to_string(path).expect("an example");
        for (example, ours) in [
            ("d-3f0c8a52-7d5e-4b0e-9a44-5d1c2e6f7a01", people[0].jid.as_str()),
            ("d-b7c1e9d4-20a6-4f3b-8c57-91e4d0a2c302", &people[1].jid),
            ("d-58e2f6a1-c4d9-4a7e-b310-6f8b9d0e4c03", &people[2].jid),
            ("g-0e9b4c7d-81f2-4d6a-a5c3-27d4e8f1b004", lobby(&people[0])),
            ("a94d7e10-5c38-4b2f-9e61-d3f0b8c7a206", uid),
        ] {
            text = text.replace(example, ours);
        }
        let event: Value = serde_json::from_str(&text).expect("JSON");
        self.send_message(Message::text(text)).await;
        let is_ours = |it: &Value| it["confirm_id"] == event["confirm_id"];
        self.event_where("server.confirm", is_ours).await;
        self
    }
}

async fn sockets([anna, boris, clara]: &[Account; 3]) -> [Raw; 3] {
    [Raw::connect(anna).await, Raw::connect(boris).await, Raw::connect(clara).await]
}

/// Somebody in the Lobby with one section, who says a tone.
async fn talking(server: &Server, name: &str, hz: f32) -> Client {
    let mut client = guest(server, name).await;
    client.offer(&client.lobby(), Sections::One).await.expect("the call takes him");
    client.say_tone(hz);
    client
}
