//! Who talks, and who is heard where not all fit: over the real server, by a second WebRTC stack.

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::{Client, Sections};
use support::server::Server;
use support::story::{ANNA_HZ, BORIS_HZ, CLARA_HZ, DEADLINE, guest, hears};
use voxhall::demo::client::{Candidates, Join, JoinMute, Levels};

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_is_told_to_the_call_when_it_begins_and_when_it_ceases() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let clara = guest(&server, "clara").await;
    join(&mut anna).await;
    join(&mut boris).await;
    anna.say_tone(ANNA_HZ);
    for one in [&anna, &boris] {
        let began = talking(one, &anna, true).await;
        assert_eq!((&began["jid"], &began["talking"]), (&json!(one.lobby()), &json!(true)));
        let level = began["_level"].as_u64().expect("a level");
        assert!((10..=17).contains(&level), "a sine of 0.3 is -13.5 dBov: {level}");
    }
    let (mark, silent) = (boris.events().mark(), Instant::now());
    anna.hush();
    let is_ceased = |it: &Value| it["actor"] == anna.account.jid && it["talking"] == false;
    boris.events().wait_after(mark, DEADLINE, "server.call.talking", is_ceased).await.unwrap();
    assert!(silent.elapsed() >= Duration::from_millis(700), "{:?}", silent.elapsed());
    clara.send_confirmed("client.ping", json!({})).await.unwrap();
    assert_eq!(clara.events().all("server.call.talking"), [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_one_does_not_talk_and_a_newcomer_learns_who_does() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    join(&mut anna).await;
    join(&mut boris).await;
    anna.say_tone(ANNA_HZ);
    talking(&boris, &anna, true).await;
    join(&mut clara).await;
    talking(&clara, &anna, true).await;
    let mark = boris.events().mark();
    anna.mute(true).await.unwrap();
    let is_ceased = |it: &Value| it["talking"] == false;
    boris.events().wait_after(mark, DEADLINE, "server.call.talking", is_ceased).await.unwrap();
    let mark = boris.events().mark();
    anna.mute(false).await.unwrap();
    let is_back = |it: &Value| it["talking"] == true;
    boris.events().wait_after(mark, DEADLINE, "server.call.talking", is_back).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_tells_no_levels_is_heard_to_talk_all_the_same() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let how = Join {
        sections: Sections::One,
        mute: JoinMute::Unmuted,
        candidates: Candidates::InOffer,
        levels: Levels::Untold,
    };
    anna.offer_as(&anna.lobby(), how).await.unwrap();
    join(&mut boris).await;
    let answer = anna.events().all("server.call.sdp")[0]["jsep"]["sdp"].clone();
    assert!(!answer.as_str().unwrap().contains("ssrc-audio-level"), "{answer}");
    anna.say_tone(ANNA_HZ);
    let level = talking(&boris, &anna, true).await["_level"].as_u64().expect("a level");
    assert!((10..=17).contains(&level), "a sine of 0.3 is -13.5 dBov: {level}");
    anna.hush();
    talking(&boris, &anna, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_direct_call_the_chat_is_named_after_the_other_one() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let (anna_jid, boris_jid) = (anna.account.jid.clone(), boris.account.jid.clone());
    anna.offer(&boris_jid, Sections::One).await.unwrap();
    boris.offer(&anna_jid, Sections::One).await.unwrap();
    anna.say_tone(ANNA_HZ);
    assert_eq!(talking(&boris, &anna, true).await["jid"], anna_jid);
    assert_eq!(talking(&anna, &anna, true).await["jid"], boris_jid);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_slot_everybody_hears_whoever_talks() {
    let one_slot = [("VOXHALL_CALL_SLOTS_MAX", "1")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &one_slot);
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    for one in [&mut anna, &mut boris, &mut clara] {
        join(one).await;
    }
    for _ in 0..2 {
        anna.say_tone(ANNA_HZ);
        hears(&boris, &[ANNA_HZ]).await;
        hears(&clara, &[ANNA_HZ]).await;
        anna.hush();
        boris.say_tone(BORIS_HZ);
        hears(&anna, &[BORIS_HZ]).await;
        hears(&clara, &[BORIS_HZ]).await;
        boris.hush();
        clara.say_tone(CLARA_HZ);
        hears(&anna, &[CLARA_HZ]).await;
        hears(&boris, &[CLARA_HZ]).await;
        clara.hush();
    }
    let tracks = clara.events().all("server.call.tracks");
    let told = |who: &Client| tracks.iter().any(|it| it["tracks"][0]["jid"] == who.account.jid);
    assert!(told(&anna) && told(&boris), "{tracks:#?}");
    assert!(tracks.iter().all(|it| it["tracks"].as_array().map(Vec::len) == Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_can_i_not_hear_names_the_reason_for_each() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    for one in [&mut anna, &mut boris, &mut clara] {
        one.offer(&one.lobby(), Sections::Ahead(1)).await.unwrap();
    }
    boris.say_tone(BORIS_HZ);
    clara.say_tone(CLARA_HZ);
    talking(&anna, &boris, true).await;
    talking(&anna, &clara, true).await;
    clara.mute(true).await.unwrap();
    let is_muted = |it: &Value| {
        let onliners = it["onliners"].as_array().cloned().unwrap_or_default();
        onliners.iter().any(|it| it["jid"] == clara.account.jid && it["muted"] == true)
    };
    anna.events().wait(DEADLINE, "server.call.state", is_muted).await.unwrap();
    let uid = anna.events().all("server.call.sdp")[0]["uid"].as_str().unwrap().to_owned();
    let path = Server::path(&anna.account, &format!("calls/{uid}/legs"));
    let (status, reply) = server.fetch(&path).await;
    assert_eq!(status, 200, "{reply}");
    let legs = reply["result"]["legs"].as_array().expect("a list").clone();
    let leg = |who: &Client| {
        let own = legs.iter().find(|leg| leg["jid"] == who.account.jid);
        own.unwrap_or_else(|| panic!("{legs:#?}")).clone()
    };
    let own = leg(&anna);
    assert_eq!((&own["verdict"], &own["own"]), (&json!("own"), &json!(true)));
    assert!(own["path"]["remote"].as_str().is_some_and(|remote| remote.contains("127.0.0.1")));
    let slots = own["slots"].as_array().expect("a list");
    let heard: Vec<&Value> = slots.iter().map(|slot| &slot["jid"]).collect();
    assert!(heard.contains(&&json!(boris.account.jid)), "{own:#}");
    let talker = leg(&boris);
    assert_eq!(talker["verdict"], "heard", "{talker:#}");
    assert_eq!(talker["path"]["remote"], "", "where somebody sits is his own business");
    assert!(talker["packets_in"].as_u64().is_some_and(|packets| packets > 0));
    assert!(talker["level"].is_u64() && talker["last_packet_ms"].is_u64(), "{talker:#}");
    let muted = leg(&clara);
    assert_eq!((&muted["verdict"], &muted["muted"]), (&json!("muted"), &json!(true)));
    assert_eq!(muted["muted_by"], clara.account.jid);
    let (_, state) = server.fetch(&Server::path(&anna.account, &format!("calls/{uid}"))).await;
    let onliners = state["result"]["onliners"].as_array().expect("a list").clone();
    let talks = onliners.iter().find(|it| it["jid"] == boris.account.jid).expect("he is there");
    assert!(talks["_talking"] == true && talks["_level"].is_u64(), "{talks:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_media_worker_dies_people_are_heard_again_within_five_seconds() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    join(&mut anna).await;
    join(&mut boris).await;
    anna.say_tone(ANNA_HZ);
    boris.say_tone(BORIS_HZ);
    hears(&anna, &[BORIS_HZ]).await;
    hears(&boris, &[ANNA_HZ]).await;
    let uid =
        |client: &Client| client.events().all("server.call.sdp").last().unwrap()["uid"].clone();
    let before = uid(&anna);
    let died = Instant::now();
    let (status, _) = server.post("/api/v3/debug/media/0/break", &json!({})).await;
    assert_eq!(status, 200);
    for (one, hz) in [(&mut anna, ANNA_HZ), (&mut boris, BORIS_HZ)] {
        let restart = one.events().wait(DEADLINE, "server.call.restart", |_| true).await;
        assert_eq!(restart.expect("told")["uid"], before);
        join(one).await;
        one.say_tone(hz);
    }
    hears(&anna, &[BORIS_HZ]).await;
    hears(&boris, &[ANNA_HZ]).await;
    let gap = died.elapsed();
    assert!(gap < Duration::from_secs(5), "heard again after {gap:?}");
    assert_eq!((uid(&anna), uid(&boris)), (before.clone(), before));
    assert_eq!(anna.events().all("server.call.leave"), [] as [Value; 0]);
    let (status, ready) = server.fetch("/readyz").await;
    assert_eq!(status, 200, "{ready}");
    let (_, metrics) = server.fetch("/metrics").await;
    let restarts = "voxhall_media_worker_restarts_total 1";
    assert!(metrics.as_str().is_some_and(|text| text.contains(restarts)), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_die_again_and_again_are_given_up_and_calls_end_by_their_time() {
    let soon =
        [("VOXHALL_CALL_MEDIA_LOST_SHOWN_S", "2"), ("VOXHALL_CALL_MEDIA_LOST_REMOVED_S", "6")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &soon);
    let mut anna = guest(&server, "anna").await;
    join(&mut anna).await;
    let restarts = async || {
        let (_, metrics) = server.fetch("/metrics").await;
        let name = "voxhall_media_worker_restarts_total ";
        let line = metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.parse::<u32>().ok()).expect("counted")
    };
    // The limit, and one more: then nobody takes its place.
    let given_up = async || server.fetch("/readyz").await.0 == 503 && restarts().await == 100;
    // One that is told before its successor has begun is told once: so nobody knows how often.
    let until = Instant::now() + DEADLINE * 4;
    while !given_up().await {
        assert!(Instant::now() < until, "{} restarts", restarts().await);
        server.post("/api/v3/debug/media/0/break", &json!({})).await;
    }
    let is_out = |it: &Value| it["_reason"] == "media_lost";
    anna.events().wait(DEADLINE, "server.call.leave", is_out).await.expect("he is out");
    let told = anna.events().all("server.call.restart").len();
    assert!(told <= 101, "once for each worker that died: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_for_it_is_told_which_certificate_was_seen() {
    let check = [("VOXHALL_SIGNAL_CHECK_FINGERPRINT", "true")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &check);
    let mut anna = guest(&server, "anna").await;
    join(&mut anna).await;
    let told = anna.events().wait(DEADLINE, "server.call.checkfingerprint", |_| true).await;
    let fingerprint = told.expect("told")["fingerprint"].as_str().unwrap().to_owned();
    let digest = fingerprint.strip_prefix("sha-256 ").expect("as a description has it");
    assert_eq!(digest.split(':').count(), 32, "{fingerprint}");
}

// ---- The story's plumbing.

async fn join(client: &mut Client) {
    client.offer(&client.lobby(), Sections::One).await.expect("the call takes him");
}

/// Waits until `listener` is told that `talker` talks, or ceased.
async fn talking(listener: &Client, talker: &Client, talks: bool) -> Value {
    let is_it = |it: &Value| it["actor"] == talker.account.jid && it["talking"] == talks;
    let told = listener.events().wait(DEADLINE, "server.call.talking", is_it).await;
    told.unwrap_or_else(|| panic!("{:#?}", listener.events().all("server.call.talking")))
}
