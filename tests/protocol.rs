//! The wire contract, over the real server and bare sockets: calls begin, ring and end in the
//! words of PROTOCOL.md, to whom they concern and nobody else. No media takes part.

mod support;

use serde_json::{Value, json};
use support::client::{Client, Sections};
use support::raw::{OFFER, Raw, holds, offer_of};
use support::server::{Server, Stopped, refuses};
use support::story::{lobby, people};
use support::strict::Strict;
use tokio_tungstenite::tungstenite::Message;
use voxhall::demo::socket::Account;

// ---- A call begins and ends.

#[tokio::test]
async fn an_offer_is_confirmed_then_answered_then_told_to_all() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    a.settle().await;
    a.send("client.call.offer", offer_of(lobby(&anna), OFFER)).await;
    let state = a.state(|state| holds(state, &[&anna])).await;
    let order = ["server.confirm", "server.call.sdp", "server.call.state"];
    let at = order.map(|name| a.seen.iter().rposition(|event| event["event"] == name));
    assert!(at[0].is_some() && at[0] < at[1] && at[1] < at[2], "{:#?}", a.seen);
    assert!(is_text(&state["start"]) && state["finish"].is_null() && state["buzz"] == false);
    let told = b.state(|state| holds(state, &[&anna])).await;
    assert_eq!(told, state);
    assert_eq!((b.count("server.call.sdp"), b.count("server.call.buzz")), (0, 0));
}

#[tokio::test]
async fn a_second_one_joins_and_the_last_one_to_leave_ends_the_call() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let first = a.offer(lobby(&anna)).await;
    let second = b.offer(lobby(&boris)).await;
    assert_eq!(first["uid"], second["uid"]);
    a.state(|state| holds(state, &[&anna, &boris])).await;
    b.event_where("server.online", |online| online["calls"][0]["online_count"] == 2).await;
    a.send("client.call.leave", json!({ "jid": lobby(&anna) })).await;
    assert_eq!(a.event("server.call.leave").await["uid"], first["uid"]);
    let alone = b.state(|state| holds(state, &[&boris])).await;
    assert!(alone["finish"].is_null());
    b.send("client.call.leave", json!({ "jid": lobby(&boris) })).await;
    for one in [&mut a, &mut b] {
        let over = one.state(|state| holds(state, &[])).await;
        assert!(is_text(&over["start"]) && is_text(&over["finish"]), "{over}");
        one.event_where("server.online", |online| online["calls"] == json!([])).await;
    }
    let next = a.offer(lobby(&anna)).await;
    assert_ne!(next["uid"], first["uid"]);
}

#[tokio::test]
async fn own_mute_is_told_to_the_own_devices_and_by_the_state() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut phone = Raw::with(&anna, "device=phone").await;
    a.offer(lobby(&anna)).await;
    a.send("client.call.sound", json!({ "jid": lobby(&anna), "muted": true })).await;
    for own in [&mut a, &mut phone] {
        let sound = own.event("server.call.sound").await;
        assert_eq!(sound, json!({ "jid": lobby(&anna), "muted": true }));
    }
    let state = b.state(|state| state["onliners"][0]["muted"] == true).await;
    assert_eq!(state["onliners"][0]["devices"][0]["muted"], true);
    assert_eq!(b.count("server.call.sound"), 0);
}

#[tokio::test]
async fn enabled_audio_decides_on_the_mute_where_both_are_said() {
    let server = Server::start();
    let [anna, _, _] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    for (muted, enabled_audio) in [(false, false), (true, true)] {
        let mut offer = offer_of(lobby(&anna), OFFER);
        offer["muted"] = muted.into();
        offer["enabled_audio"] = enabled_audio.into();
        a.send("client.call.offer", offer).await;
        let state = a.state(|state| holds(state, &[&anna])).await;
        assert_eq!(state["onliners"][0]["muted"], !enabled_audio);
        a.send("client.call.leave", json!({ "jid": lobby(&anna) })).await;
        a.state(|state| is_text(&state["finish"])).await;
    }
}

#[tokio::test]
async fn a_second_device_puts_the_first_one_out() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut phone = Raw::with(&anna, "device=phone").await;
    let first = a.offer(lobby(&anna)).await;
    let second = phone.offer(lobby(&anna)).await;
    assert_eq!(first["uid"], second["uid"]);
    let leave = a.event("server.call.leave").await;
    assert_eq!(leave, json!({ "jid": lobby(&anna), "uid": first["uid"] }));
    phone.settle().await;
    assert_eq!(phone.count("server.call.leave"), 0);
    // The first one's state and, after it, one of the second's: never two devices.
    b.offer(lobby(&boris)).await;
    let state = b.state(|state| holds(state, &[&anna, &boris])).await;
    assert_eq!(state["onliners"][0]["devices"].as_array().map(Vec::len), Some(1), "{state}");
}

#[tokio::test]
async fn a_socket_that_asks_for_it_gets_server_call_answer_instead() {
    let server = Server::start();
    let [anna, _, _] = people(&server).await;
    let mut old = Raw::with(&anna, "device=old&answer=answer").await;
    for trickle in [false, true] {
        let mut offer = offer_of(lobby(&anna), OFFER);
        offer["trickle"] = trickle.into();
        old.send("client.call.offer", offer).await;
        let answer = old.event("server.call.answer").await;
        assert_eq!(answer["onliners"][0]["jid"], anna.jid);
        let candidates = answer["candidates"].as_array().map(Vec::len);
        assert_eq!(candidates.is_none_or(|count| count == 0), trickle, "{answer}");
        let in_sdp = answer["jsep"]["sdp"].as_str().unwrap().matches("\r\na=candidate:").count();
        assert!(in_sdp > 0);
        assert!(trickle || candidates == Some(in_sdp), "{answer}");
    }
    old.settle().await;
    assert_eq!(old.count("server.call.sdp"), 0);
}

#[tokio::test]
async fn who_comes_later_is_told_of_the_call_that_goes_on() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    let uid = a.offer(lobby(&anna)).await["uid"].clone();
    let mut b = Raw::connect(&boris).await;
    let state = b.state(|state| holds(state, &[&anna])).await;
    assert_eq!((&state["uid"], &state["jid"]), (&uid, &json!(lobby(&anna))));
    let online = b.event_where("server.online", |online| online["calls"] != json!([])).await;
    assert_eq!(online["calls"][0]["uid"], uid);
}

// ---- Ringing.

#[tokio::test]
async fn a_direct_call_rings_at_once_and_each_reads_the_others_name() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let answer = a.offer(&boris.jid).await;
    assert_eq!(answer["jid"], boris.jid);
    let buzz = b.event("server.call.buzz").await;
    assert_eq!((&buzz["jid"], &buzz["uid"]), (&json!(anna.jid), &answer["uid"]));
    assert_eq!((&buzz["buzz_timeout"], &buzz["call_type"]), (&json!(60), &json!("audio")));
    assert_eq!((&buzz["team"], &buzz["teaminfo"]["uid"]), (&json!(anna.team_uid), &buzz["team"]));
    assert_eq!(buzz["actor"]["jid"], anna.jid);
    assert_eq!(buzz["actor"]["display_name"], "anna");
    assert_eq!((&buzz["chat"]["jid"], &buzz["display_name"]), (&buzz["jid"], &json!("anna")));
    let (ours, theirs) = (a.state(ringing).await, b.state(ringing).await);
    assert_eq!((&ours["jid"], &theirs["jid"]), (&json!(boris.jid), &json!(anna.jid)));
    assert_eq!((&ours["uid"], &ours["gentime"]), (&theirs["uid"], &theirs["gentime"]));
    assert!(ours["start"].is_null() && holds(&ours, &[&anna]), "{ours}");
    a.settle().await;
    assert_eq!(a.count("server.call.buzz"), 0);
}

#[tokio::test]
async fn a_third_one_hears_nothing_of_a_direct_call() {
    let server = Server::start();
    let [anna, boris, clara] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut c = Raw::connect(&clara).await;
    a.offer(&boris.jid).await;
    b.offer(&anna.jid).await;
    a.state(|state| holds(state, &[&anna, &boris])).await;
    c.heard_nothing_of_calls().await;
    let listed = |event: &Value| event["params"]["calls"] != json!([]);
    assert!(!c.seen.iter().filter(|event| event["event"] == "server.online").any(listed));
}

#[tokio::test]
async fn the_callees_own_offer_is_his_acceptance() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut phone = Raw::with(&boris, "device=phone").await;
    let uid = a.offer(&boris.jid).await["uid"].clone();
    phone.event("server.call.buzz").await;
    let accepted = b.offer(&anna.jid).await;
    assert_eq!((&accepted["uid"], &accepted["jid"]), (&uid, &json!(anna.jid)));
    let cancel = phone.event("server.call.buzzcancel").await;
    assert_eq!(cancel, json!({ "jid": anna.jid, "team": anna.team_uid, "uid": uid }));
    for one in [&mut a, &mut b, &mut phone] {
        let state = one.state(|state| holds(state, &[&anna, &boris])).await;
        assert!(is_text(&state["start"]) && state["buzz"] == false, "{state}");
    }
    b.settle().await;
    assert_eq!(b.count("server.call.buzzcancel"), 0);
}

#[tokio::test]
async fn a_refusal_is_told_to_the_caller_and_the_refusers_other_devices_and_ends_the_call() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut phone = Raw::with(&boris, "device=phone").await;
    let uid = a.offer(&boris.jid).await["uid"].clone();
    b.event("server.call.buzz").await;
    b.send("client.call.reject", json!({ "jid": anna.jid, "reason": "busy" })).await;
    let told = a.event("server.call.reject").await;
    assert_eq!(told, json!({ "jid": boris.jid, "uid": uid, "reason": "busy" }));
    let told = phone.event("server.call.reject").await;
    assert_eq!(told, json!({ "jid": anna.jid, "uid": uid, "reason": "busy" }));
    for one in [&mut a, &mut b, &mut phone] {
        let over = one.state(|state| is_text(&state["finish"])).await;
        assert!(over["start"].is_null() && holds(&over, &[]) && over["buzz"] == false, "{over}");
    }
    for (one, leaves, cancels, rejects) in [(a, 1, 0, 1), (b, 0, 0, 0), (phone, 0, 1, 1)] {
        let counts = ["leave", "buzzcancel", "reject"];
        let counts = counts.map(|name| one.count(&format!("server.call.{name}")));
        assert_eq!(counts, [leaves, cancels, rejects], "{:#?}", one.seen);
    }
}

#[tokio::test]
async fn the_caller_and_nobody_else_may_stop_the_ringing() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut phone = Raw::with(&boris, "device=phone").await;
    let uid = a.offer(&boris.jid).await["uid"].clone();
    b.event("server.call.buzz").await;
    b.send("client.call.buzzcancel", json!({ "jid": anna.jid })).await;
    assert_eq!(b.event("server.warning").await["code"], "no_right");
    a.send("client.call.buzzcancel", json!({ "jid": boris.jid })).await;
    for rung in [&mut b, &mut phone] {
        let cancel = rung.event("server.call.buzzcancel").await;
        assert_eq!(cancel, json!({ "jid": anna.jid, "team": anna.team_uid, "uid": uid }));
    }
    let over = a.state(|state| is_text(&state["finish"])).await;
    assert!(over["start"].is_null() && holds(&over, &[]), "{over}");
}

#[tokio::test]
async fn a_call_nobody_answers_ends_when_its_ringing_does() {
    let variables = [("VOXHALL_CALL_BUZZ_TIMEOUT_S", "1")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let uid = a.offer(&boris.jid).await["uid"].clone();
    assert_eq!(b.event("server.call.buzz").await["buzz_timeout"], 1);
    assert_eq!(b.event("server.call.buzzcancel").await["uid"], uid);
    for one in [&mut a, &mut b] {
        let over = one.state(|state| is_text(&state["finish"])).await;
        assert!(over["start"].is_null() && holds(&over, &[]), "{over}");
    }
    assert_eq!(a.count("server.call.leave"), 1);
}

#[tokio::test]
async fn a_callee_who_comes_later_is_rung_for_the_rest_of_the_time() {
    let variables = [("VOXHALL_CALL_BUZZ_TIMEOUT_S", "3600")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    let [anna, boris, _] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    let uid = a.offer(&boris.jid).await["uid"].clone();
    let mut b = Raw::connect(&boris).await;
    let state = b.state(ringing).await;
    assert_eq!((&state["jid"], &state["uid"]), (&json!(anna.jid), &uid));
    let buzz = b.event("server.call.buzz").await;
    assert_eq!((&buzz["jid"], &buzz["uid"]), (&json!(anna.jid), &uid));
    // Whole seconds: what has passed by now takes at least one of them.
    let rest = buzz["buzz_timeout"].as_i64().unwrap();
    assert!((3000..3600).contains(&rest), "{rest}");
    assert_eq!(a.count("server.call.buzz"), 0);
}

#[tokio::test]
async fn a_group_is_rung_only_by_client_call_buzz_and_only_whom_it_names() {
    let server = Server::start();
    let [anna, boris, clara] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut c = Raw::connect(&clara).await;
    a.offer(lobby(&anna)).await;
    b.state(|state| holds(state, &[&anna])).await;
    b.settle().await;
    assert_eq!(b.count("server.call.buzz"), 0);
    let members = json!({ "jid": lobby(&anna), "members": [clara.jid] });
    a.send("client.call.buzz", members).await;
    let buzz = c.event("server.call.buzz").await;
    assert_eq!((&buzz["jid"], &buzz["display_name"]), (&json!(lobby(&anna)), &json!("Lobby")));
    b.settle().await;
    assert_eq!(b.count("server.call.buzz"), 0);
    a.send("client.call.buzz", json!({ "jid": lobby(&anna) })).await;
    b.event("server.call.buzz").await;
    a.send("client.call.buzzcancel", json!({ "jid": lobby(&anna) })).await;
    for rung in [&mut b, &mut c] {
        rung.event("server.call.buzzcancel").await;
        let after = rung.state(|state| state["buzz"] == false && holds(state, &[&anna])).await;
        assert!(after["finish"].is_null() && is_text(&after["start"]));
    }
    assert_eq!(a.count("server.call.buzz"), 0);
}

// ---- What is wrong.

#[tokio::test]
async fn what_is_wrong_is_warned_about_to_its_sender_alone() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut phone = Raw::with(&anna, "device=phone").await;
    let chat = lobby(&anna).to_owned();
    b.offer(&chat).await;
    b.state(|state| holds(state, &[&boris])).await;
    phone.state(|state| holds(state, &[&boris])).await;
    b.settle().await;
    phone.settle().await;
    for (event, code) in wrong_events(&chat) {
        a.send_message(Message::text(event.to_string())).await;
        a.warned(code, &event).await;
    }
    for broken in ["{\"event\": ", "", "\u{0}", &"[".repeat(40)] {
        a.send_message(Message::text(broken.to_owned())).await;
        a.warned("bad_json", &Value::Null).await;
    }
    a.send_message(Message::binary(vec![0xff, 0xfe])).await;
    a.warned("bad_json", &Value::Null).await;
    b.heard_nothing_of_calls().await;
    phone.heard_nothing_of_calls().await;
    a.offer(&chat).await;
    b.state(|state| holds(state, &[&boris, &anna])).await;
}

/// Events with something wrong in them, and what each is called.
fn wrong_events(chat: &str) -> Vec<(Value, &'static str)> {
    let event = |name: &str, params: Value| json!({ "event": name, "params": params });
    let offer = |sdp: String| event("client.call.offer", offer_of(chat, &sdp));
    let without = |word: &str| {
        OFFER
            .lines()
            .filter(|line| !line.contains(word))
            .fold(String::new(), |sdp, line| sdp + line + "\r\n")
    };
    let nowhere = "g-00000000-0000-4000-8000-000000000000";
    let jsep = json!({ "type": "answer", "sdp": OFFER });
    vec![
        (offer(without("opus")), "no_opus"),
        (offer(without("a=fingerprint")), "bad_sdp"),
        (offer(without("a=ice-pwd")), "bad_sdp"),
        (offer("v=0\r\n".to_owned()), "bad_sdp"),
        (offer("hello".to_owned()), "bad_sdp"),
        (offer(OFFER.to_owned() + &"a=x:y\r\n".repeat(1000)), "bad_sdp"),
        (offer(OFFER.to_owned() + "a=x:" + &"y".repeat(32 * 1024) + "\r\n"), "bad_sdp"),
        (event("client.call.offer", offer_of(nowhere, OFFER)), "no_such_chat"),
        (event("client.call.offer", offer_of("nobody", OFFER)), "no_such_chat"),
        (event("client.call.offer", json!({ "jid": chat })), "bad_params"),
        (event("client.call.offer", json!([])), "bad_params"),
        (event("client.call.sound", json!({ "jid": chat, "muted": true })), "not_in_call"),
        (event("client.call.sound", json!({ "jid": chat, "muted": "yes" })), "bad_params"),
        (event("client.call.leave", json!({ "jid": chat })), "not_in_call"),
        (event("client.call.buzz", json!({ "jid": chat })), "not_in_call"),
        (event("client.call.reject", json!({ "jid": chat })), "not_rung"),
        (event("client.call.sdp", json!({ "jid": chat, "uid": "u", "jsep": jsep })), "not_in_call"),
        (event("client.call.trickle", json!({ "jid": chat, "candidate": "x" })), "bad_params"),
        (event("client.call.video", json!({ "jid": chat })), "audio_only"),
        (event("client.deeeeeaddddbeeeeeef", json!({})), "unknown_event"),
        (event("server.call.state", json!({})), "unknown_event"),
        (json!({ "params": {} }), "bad_params"),
        (json!([1, 2]), "bad_params"),
        (json!(null), "bad_params"),
    ]
}

#[tokio::test]
async fn an_offer_that_is_refused_leaves_no_call_behind() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    a.send("client.call.offer", offer_of(lobby(&anna), "hello")).await;
    assert_eq!(a.event("server.warning").await["code"], "bad_sdp");
    a.send("client.call.sound", json!({ "jid": lobby(&anna), "muted": true })).await;
    assert_eq!(a.event("server.warning").await["code"], "no_such_call");
    Raw::connect(&boris).await.heard_nothing_of_calls().await;
    let calls = format!("/api/v3/teams/{}/calls?token={}", anna.team_uid, anna.token);
    assert_eq!(server.fetch(&calls).await.1["result"]["calls"], json!([]));
}

#[tokio::test]
async fn an_oversize_message_closes_its_own_socket_with_1009() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    b.offer(lobby(&boris)).await;
    b.state(|state| holds(state, &[&boris])).await;
    b.settle().await;
    let sdp = OFFER.to_owned() + &"a=x:y\r\n".repeat(10_000);
    a.send("client.call.offer", offer_of(lobby(&anna), &sdp)).await;
    assert_eq!(a.close_code().await, 1009);
    b.heard_nothing_of_calls().await;
    Raw::connect(&anna).await.offer(lobby(&anna)).await;
}

// ---- The process.

#[tokio::test]
async fn sigterm_closes_the_sockets_and_ends_with_0_and_one_line_on_stdout() {
    let server = Server::start();
    let [anna, _, _] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    a.settle().await;
    let (code, stopped) = tokio::join!(a.close_code(), server.stop());
    assert_eq!(code, 1001);
    assert!(stopped.status.success(), "{stopped:?}");
    assert_eq!(stopped.stdout.lines().count(), 1, "{}", stopped.stdout);
}

#[tokio::test]
async fn a_draining_server_takes_no_new_call_and_ends_with_its_last_one() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let (status, body) = server.fetch("/readyz").await;
    assert_eq!((status, &body["ok"]), (200, &json!(true)));
    a.offer(lobby(&anna)).await;
    server.terminate();
    while server.fetch("/readyz").await.0 == 200 {}
    let (status, body) = server.fetch("/readyz").await;
    assert_eq!((status, &body["ok"]), (503, &json!(false)), "{body}");
    b.send("client.call.offer", offer_of(&anna.jid, OFFER)).await;
    assert_eq!(b.event("server.warning").await["code"], "draining");
    // The call that goes on can still be joined.
    b.offer(lobby(&boris)).await;
    for one in [&mut a, &mut b] {
        one.send("client.call.leave", json!({ "jid": lobby(&anna) })).await;
    }
    let Stopped { status, stderr, .. } = server.ended().await;
    assert!(status.success());
    assert!(!stderr.contains("drain time is over"), "{stderr}");
}

#[test]
fn without_open_it_refuses_to_listen_beyond_loopback() {
    let stopped = refuses(&["--http", "0.0.0.0:0"], &[]);
    assert_eq!(stopped.status.code(), Some(2), "{stopped:?}");
    assert!(stopped.stderr.contains("--open"), "{}", stopped.stderr);
    assert_eq!(stopped.stdout, "");
}

#[tokio::test]
async fn open_serves_https() {
    let server = Server::with(&["--http", "127.0.0.1:0", "--open"], &[]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let account = Account::login(&server.url, "anna").await.unwrap();
    let mut socket = Raw::connect(&account).await;
    socket.offer(lobby(&account)).await;
    assert_eq!(server.fetch("/readyz").await.0, 200);
    let plain = server.url.replace("https://", "http://");
    assert!(Account::login(&plain, "boris").await.is_err());
}

#[tokio::test]
async fn the_log_tells_no_token_no_description_and_no_ice_password() {
    let variables = [("VOXHALL_LOG_LEVEL", "trace")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    let mut anna = Client::login(&server.url, "anna").await.unwrap();
    anna.connect_socket().await.unwrap();
    anna.offer(&anna.lobby(), Sections::One).await.unwrap();
    let [boris, clara, _] = people(&server).await;
    let mut b = Raw::connect(&boris).await;
    let by_query = format!("device=raw&token={}", clara.token);
    let mut c = Raw::with(&clara, &by_query).await;
    b.offer(lobby(&boris)).await;
    c.offer(&boris.jid).await;
    let broken = OFFER.replace("a=setup:actpass", "a=setup:never");
    c.send("client.call.offer", offer_of(lobby(&clara), &broken)).await;
    c.event("server.warning").await;
    c.send_message(Message::text(format!("{{\"event\": \"{}", clara.token))).await;
    c.event("server.warning").await;
    let mut secrets = ["a=ice-", "a=candidate", "v=0"].map(str::to_owned).to_vec();
    secrets.extend([&anna.account, &boris, &clara].map(|account| account.token.clone()));
    let answers = anna.events().all("server.call.sdp").into_iter();
    let seen = b.seen.iter().chain(&c.seen).map(|event| event["params"].clone());
    let descriptions = answers.chain(seen).filter_map(|it| text(&it["jsep"]["sdp"]));
    for description in descriptions.chain([OFFER.to_owned()]) {
        let passwords = description.lines().filter_map(|it| it.strip_prefix("a=ice-pwd:"));
        secrets.extend(passwords.map(str::to_owned));
    }
    // Two kinds, of three legs: or the test looks for nothing.
    assert!(secrets.len() >= 3 + 3 + 4, "{secrets:?}");
    anna.leave().await.unwrap();
    for (one, chat) in [(&mut b, lobby(&boris)), (&mut c, boris.jid.as_str())] {
        one.send("client.call.leave", json!({ "jid": chat })).await;
        one.event("server.call.leave").await;
    }
    let Stopped { stderr, .. } = server.stop().await;
    assert!(stderr.contains("leg opened") && stderr.lines().count() > 10, "{stderr}");
    for secret in secrets {
        assert!(!stderr.contains(&secret), "{secret:?} stands in the log:\n{stderr}");
    }
}

// ---- The checks themselves.

#[test]
fn the_strict_client_throws_where_clients_throw() {
    let sdp = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendrecv\r\n";
    let params = json!({ "jid": "g-1", "uid": "u", "jids": [""],
        "jsep": { "type": "answer", "sdp": sdp } });
    let good = json!({ "event": "server.call.sdp", "confirm_id": "1", "params": params });
    assert_eq!(Strict::default().try_check(&good), Ok(()));
    for (pointer, value) in [
        ("/params/jids", Value::Null),
        ("/params/jids", json!([])),
        ("/params/jids", json!([null])),
        ("/params/uid", Value::Null),
        ("/params/jsep/type", json!("pranswer")),
        ("/confirm_id", Value::Null),
        ("/event", json!("server.call.what")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(Strict::default().try_check(&bad).is_err(), "{bad}");
    }
}

#[test]
fn the_strict_client_reads_states_of_rising_version_only() {
    let time = "2019-09-27T01:01:35.264095Z";
    let onliner = json!({ "jid": "d-1", "display_name": "anna", "role": "", "icon": "",
        "muted": true, "enabled_video": false, "enabled_screenshare": false,
        "devices": [{ "muted": true, "useragent": "" }] });
    let state = |gentime: i64| {
        let params = json!({ "jid": "g-1", "uid": "u", "buzz": false, "created": time,
            "start": time, "audiorecord": false, "onliners": [onliner], "gentime": gentime,
            "timestamp": 1_569_546_095_264_i64 });
        json!({ "event": "server.call.state", "confirm_id": "1", "params": params })
    };
    let mut strict = Strict::default();
    assert_eq!(strict.try_check(&state(5)), Ok(()));
    assert!(strict.try_check(&state(5)).is_err());
    assert_eq!(strict.try_check(&state(6)), Ok(()));
    for (pointer, value) in [
        ("/params/start", json!("")),
        ("/params/created", json!("2019-09-27")),
        ("/params/timestamp", json!(1_569_546_095)),
        ("/params/onliners/0/icon", Value::Null),
        ("/params/onliners/0/devices", Value::Null),
        ("/params/onliners/0/devices/0/useragent", Value::Null),
        ("/params/gentime", json!("7")),
    ] {
        let mut bad = state(7);
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(Strict::default().try_check(&bad).is_err(), "{bad}");
    }
}

fn ringing(state: &Value) -> bool {
    state["buzz"] == true
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
