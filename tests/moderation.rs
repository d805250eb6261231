//! What one may do to others, over the real server: mute all, keep them muted, put one out, set
//! the record flag; by WebSocket and by HTTP, with and without media.

mod support;

use serde_json::{Value, json};
use support::client::Sections;
use support::raw::{OFFER, Raw, holds, offer_of};
use support::server::Server;
use support::story::{
    ANNA_HZ, BORIS_HZ, CLARA_HZ, DEADLINE, guest, hears, join_talking, lobby, only_is_heard, people,
};
use voxhall::demo::call::End;
use voxhall::demo::socket::Account;

// ---- Mute all.

#[tokio::test]
async fn mute_all_is_told_to_all_in_the_call_but_who_did_it() {
    let server = Server::start();
    let [anna, boris, clara] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut c = Raw::connect(&clara).await;
    a.offer(lobby(&anna)).await;
    b.offer(lobby(&boris)).await;
    a.settle().await;
    a.send("client.call.muteall", json!({ "jid": lobby(&anna) })).await;
    let told = b.event("server.call.muteall").await;
    assert_eq!(told, json!({ "jid": lobby(&boris), "muted": true }));
    let state = c.state(|state| is_muted_by(state, &boris, &anna)).await;
    assert!(!is_muted(&state, &anna), "{state}");
    a.settle().await;
    c.settle().await;
    assert_eq!((a.count("server.call.muteall"), c.count("server.call.muteall")), (0, 0));
    // He may speak again by himself.
    b.send("client.call.sound", json!({ "jid": lobby(&boris), "muted": false })).await;
    a.state(|state| !is_muted(state, &boris)).await;
}

#[tokio::test]
async fn a_sticky_mute_all_holds_through_rejoin_until_it_is_lifted() {
    let server = Server::start();
    let [anna, boris, clara] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut c = Raw::connect(&clara).await;
    a.offer(lobby(&anna)).await;
    b.offer(lobby(&boris)).await;
    a.send("client.call.muteall", json!({ "jid": lobby(&anna), "sticky": true })).await;
    let state = b.state(|state| is_muted_by(state, &boris, &anna)).await;
    assert_eq!(state["_sticky"], true);
    let unmute = json!({ "jid": lobby(&boris), "muted": false });
    let refused = async |socket: &mut Raw| {
        let id = socket.send("client.call.sound", unmute.clone()).await;
        let orig = json!({ "event": "client.call.sound", "confirm_id": id, "params": unmute });
        socket.warned("muted_by_moderator", &orig).await;
    };
    refused(&mut b).await;
    // Neither another leg, nor leaving and coming again, nor coming for the first time gets
    // around it, whatever the offer says.
    b.offer(lobby(&boris)).await;
    refused(&mut b).await;
    b.send("client.call.leave", json!({ "jid": lobby(&boris) })).await;
    a.state(|state| holds(state, &[&anna])).await;
    b.offer(lobby(&boris)).await;
    let muted = json!({ "jid": lobby(&boris), "muted": true });
    b.event_where("server.call.sound", |sound| *sound == muted).await;
    refused(&mut b).await;
    c.offer(lobby(&clara)).await;
    a.state(|state| is_muted_by(state, &clara, &anna)).await;
    a.send("client.call.muteall", json!({ "jid": lobby(&anna), "muted": false })).await;
    let state = b.state(|state| state["_sticky"] == false).await;
    assert!(is_muted(&state, &boris), "lifting unmutes nobody: {state}");
    b.send("client.call.sound", unmute).await;
    a.state(|state| !is_muted(state, &boris)).await;
}

#[tokio::test]
async fn in_a_direct_call_each_reads_the_others_name_of_the_mute_all() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    a.offer(&boris.jid).await;
    b.offer(&anna.jid).await;
    a.send("client.call.muteall", json!({ "jid": boris.jid })).await;
    let told = b.event("server.call.muteall").await;
    assert_eq!(told, json!({ "jid": anna.jid, "muted": true }));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_mute_all_nobody_hears_a_client_that_sends_on() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    for (one, hz) in [(&mut anna, ANNA_HZ), (&mut boris, BORIS_HZ), (&mut clara, CLARA_HZ)] {
        join_talking(one, hz, Sections::Ahead(1)).await;
    }
    hears(&anna, &[BORIS_HZ, CLARA_HZ]).await;
    let lobby = anna.lobby();
    let mark = anna.events().mark();
    anna.send_confirmed("client.call.muteall", json!({ "jid": lobby, "sticky": true }))
        .await
        .unwrap();
    let both = |state: &Value| is_muted(state, &boris.account) && is_muted(state, &clara.account);
    anna.events().wait_after(mark, DEADLINE, "server.call.state", both).await.unwrap();
    // Their tones go on: their clients lie. Anna's own voice is the others' proof of time.
    only_is_heard(&boris, ANNA_HZ).await;
    only_is_heard(&clara, ANNA_HZ).await;
    // A reconnect does not help either.
    join_talking(&mut boris, BORIS_HZ, Sections::Ahead(1)).await;
    hears(&boris, &[ANNA_HZ]).await;
    only_is_heard(&clara, ANNA_HZ).await;
    assert!(anna.hears().is_empty(), "{:?}", anna.hears());
}

// ---- Putting people out.

#[tokio::test]
async fn one_who_is_put_out_is_told_why_and_others_by_the_state() {
    let server = Server::start();
    let [anna, boris, clara] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let mut c = Raw::connect(&clara).await;
    let uid = a.offer(lobby(&anna)).await["uid"].clone();
    b.offer(lobby(&boris)).await;
    a.send("client.call.kick", json!({ "jid": lobby(&anna), "onliner": boris.jid })).await;
    let leave = b.event("server.call.leave").await;
    assert_eq!(leave, json!({ "jid": lobby(&boris), "uid": uid, "_reason": "kicked" }));
    c.state(|state| holds(state, &[&anna])).await;
    assert_eq!(c.count("server.call.leave"), 0);
    b.settle().await;
    // He may come again; who is not there cannot be put out, and who is not in cannot do it.
    b.offer(lobby(&boris)).await;
    a.state(|state| holds(state, &[&anna, &boris])).await;
    b.state(|state| holds(state, &[&anna, &boris])).await;
    for (socket, onliner, code) in
        [(&mut a, &clara.jid, "no_such_onliner"), (&mut c, &boris.jid, "not_in_call")]
    {
        let params = json!({ "jid": lobby(&anna), "onliner": onliner });
        let id = socket.send("client.call.kick", params.clone()).await;
        let orig = json!({ "event": "client.call.kick", "confirm_id": id, "params": params });
        socket.warned(code, &orig).await;
    }
    b.settle().await;
    assert_eq!(b.count("server.call.leave"), 1);
}

#[tokio::test]
async fn putting_out_works_by_http_as_well() {
    let server = Server::start();
    let [anna, boris, clara] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let uid = a.offer(lobby(&anna)).await["uid"].as_str().unwrap().to_owned();
    b.offer(lobby(&boris)).await;
    let path = Server::path(&anna, &format!("calls/{uid}/kick"));
    let (status, reply) = server.post(&path, &json!({ "onliner": boris.jid })).await;
    assert_eq!((status, &reply["ok"]), (200, &Value::Bool(true)), "{reply}");
    b.event("server.call.leave").await;
    let (status, reply) = server.post(&path, &json!({ "onliner": clara.jid })).await;
    assert_eq!((status, &reply["error"]), (404, &"NOT_FOUND".into()), "{reply}");
    let (status, reply) = server.post(&path, &json!({})).await;
    assert_eq!((status, &reply["error"]), (422, &"INVALID_DATA".into()), "{reply}");
    let path = Server::path(&clara, &format!("calls/{uid}/kick"));
    let (status, reply) = server.post(&path, &json!({ "onliner": anna.jid })).await;
    assert_eq!((status, &reply["error"]), (403, &"ACCESS_DENIED".into()), "{reply}");
    a.settle().await;
    assert_eq!(a.count("server.call.leave"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_put_out_is_heard_no_more_though_he_sends_on() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    for (one, hz) in [(&mut anna, ANNA_HZ), (&mut boris, BORIS_HZ), (&mut clara, CLARA_HZ)] {
        join_talking(one, hz, Sections::Ahead(1)).await;
    }
    hears(&clara, &[ANNA_HZ, BORIS_HZ]).await;
    let kick = json!({ "jid": anna.lobby(), "onliner": boris.account.jid });
    anna.send_confirmed("client.call.kick", kick).await.unwrap();
    assert_eq!(boris.ended(DEADLINE).await, Some(End::PutOut));
    only_is_heard(&clara, ANNA_HZ).await;
}

// ---- The record flag.

#[tokio::test]
async fn the_record_flag_is_told_to_all_by_the_state() {
    let server = Server::start();
    let [anna, boris, _] = people(&server).await;
    let (mut a, mut b) = (Raw::connect(&anna).await, Raw::connect(&boris).await);
    let uid = a.offer(lobby(&anna)).await["uid"].as_str().unwrap().to_owned();
    let params = json!({ "jid": lobby(&anna), "uid": uid, "audiorecord": true });
    a.send("client.call.record", params).await;
    b.state(|state| state["audiorecord"] == true).await;
    // Absent is off, as in the original.
    a.send("client.call.record", json!({ "jid": lobby(&anna), "uid": uid })).await;
    b.state(|state| state["audiorecord"] == false).await;
    let path = Server::path(&anna, &format!("calls/{uid}/record"));
    let (status, reply) = server.post(&path, &json!({ "audiorecord": true })).await;
    assert_eq!((status, &reply["result"]["audiorecord"]), (200, &Value::Bool(true)), "{reply}");
    b.state(|state| state["audiorecord"] == true).await;
    let other = json!({ "jid": lobby(&anna), "uid": "another", "audiorecord": false });
    let id = a.send("client.call.record", other.clone()).await;
    let orig = json!({ "event": "client.call.record", "confirm_id": id, "params": other });
    a.warned("no_such_call", &orig).await;
}

// ---- How a call stands.

#[tokio::test]
async fn the_calls_get_shows_the_state_to_its_members_only() {
    let server = Server::start();
    let [anna, boris, clara] = people(&server).await;
    let mut a = Raw::connect(&anna).await;
    let uid = a.offer(&boris.jid).await["uid"].as_str().unwrap().to_owned();
    let path = format!("calls/{uid}");
    for (reader, chat) in [(&anna, &boris.jid), (&boris, &anna.jid)] {
        let (status, reply) = server.fetch(&Server::path(reader, &path)).await;
        assert_eq!(status, 200, "{reply}");
        let state = &reply["result"];
        assert_eq!((&state["jid"], &state["uid"]), (&json!(chat), &json!(uid)), "{state}");
        let onliner = &state["onliners"][0];
        assert_eq!((&onliner["jid"], &onliner["_talking"]), (&json!(anna.jid), &json!(false)));
        assert!(onliner.get("_level").is_some_and(Value::is_null), "{onliner}");
    }
    for path in [path.clone(), format!("{path}/legs"), "calls/unknown".to_owned()] {
        let (status, reply) = server.fetch(&Server::path(&clara, &path)).await;
        assert_eq!((status, &reply["error"]), (404, &"NOT_FOUND".into()), "{path}: {reply}");
    }
}

#[tokio::test]
async fn a_device_that_joined_by_http_alone_is_in_the_call() {
    let server = Server::start();
    let [anna, _, clara] = people(&server).await;
    let mut c = Raw::connect(&clara).await;
    let path = Server::path(&anna, "ws/client.call.offer");
    let (status, reply) = server.post(&path, &offer_of(lobby(&anna), OFFER)).await;
    assert_eq!((status, &reply["result"]["jsep"]["type"]), (200, &"answer".into()), "{reply}");
    c.state(|state| holds(state, &[&anna])).await;
}

// ---- The story's plumbing.

fn onliner<'s>(state: &'s Value, who: &Account) -> Option<&'s Value> {
    state["onliners"].as_array()?.iter().find(|one| one["jid"] == who.jid)
}

fn is_muted(state: &Value, who: &Account) -> bool {
    onliner(state, who).is_some_and(|one| one["muted"] == true)
}

fn is_muted_by(state: &Value, who: &Account, by: &Account) -> bool {
    onliner(state, who).is_some_and(|one| one["muted"] == true && one["_muted_by"] == by.jid)
}
