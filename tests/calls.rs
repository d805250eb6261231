//! Whole calls over the real server by a second WebRTC stack (the `webrtc` crate): who hears
//! whom, told by the tones that arrive decoded, never by counting packets alone.

mod support;

use std::collections::BTreeSet;
use std::net::UdpSocket;

use serde_json::{Value, json};
use support::client::{Client, Sections};
use support::server::Server;
use support::story::{
    ANNA_HZ, BORIS_HZ, CLARA_HZ, DEADLINE, guest, hears, join_talking, only_is_heard,
};
use support::tone::dominant_hz;
use voxhall::demo::client::{Candidates, Join, JoinMute, Levels};

// ---- Who hears whom.

#[tokio::test(flavor = "multi_thread")]
async fn two_people_hear_each_other_in_the_one_section_they_offered() {
    let server = Server::start();
    let (anna, boris) = two_talking(&server).await;
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ)]).await;
    for one in [&anna, &boris] {
        assert_eq!(kinds(one).await, ["answer"]);
        assert_eq!(one.hears().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_hear_each_other_over_ipv6() {
    let server = Server::with(&["--http", "[::1]:0", "--media-ip", "::1"], &[]);
    let (anna, boris) = two_talking(&server).await;
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ)]).await;
    let answer = sdps(&anna)[0]["jsep"]["sdp"].as_str().unwrap().to_owned();
    let candidates = answer.lines().filter(|line| line.starts_with("a=candidate:"));
    assert!(candidates.clone().count() > 0 && candidates.clone().all(|it| it.contains(" ::1 ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_people_with_one_section_each_are_offered_another_and_hear_the_others() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    join_talking(&mut clara, CLARA_HZ, Sections::One).await;
    let all = [(&anna, ANNA_HZ), (&boris, BORIS_HZ), (&clara, CLARA_HZ)];
    hear_each_other(&all).await;
    for (one, _) in all {
        assert_eq!(kinds(one).await, ["answer", "offer"]);
        is_told_who_is_heard(one, &all).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_people_with_sections_ahead_hear_the_others_and_are_never_offered_any() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    join_talking(&mut anna, ANNA_HZ, Sections::Ahead(3)).await;
    join_talking(&mut boris, BORIS_HZ, Sections::Ahead(3)).await;
    join_talking(&mut clara, CLARA_HZ, Sections::Ahead(1)).await;
    let all = [(&anna, ANNA_HZ), (&boris, BORIS_HZ), (&clara, CLARA_HZ)];
    hear_each_other(&all).await;
    for (one, _) in all {
        assert_eq!(kinds(one).await, ["answer"]);
        is_told_who_is_heard(one, &all).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_that_come_one_by_one_connect_as_well() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    anna.offer_trickling(&anna.lobby()).await.unwrap();
    anna.say_tone(ANNA_HZ);
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ)]).await;
    anna.send_confirmed("client.ping", json!({})).await.unwrap();
    assert_eq!(anna.events().all("server.warning"), [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_of_a_direct_call_hear_each_other() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let (anna_jid, boris_jid) = (anna.account.jid.clone(), boris.account.jid.clone());
    anna.offer(&boris_jid, Sections::One).await.unwrap();
    anna.say_tone(ANNA_HZ);
    boris.events().wait(DEADLINE, "server.call.buzz", |_| true).await.unwrap();
    boris.offer(&anna_jid, Sections::One).await.unwrap();
    boris.say_tone(BORIS_HZ);
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_client_gets_server_call_answer_and_never_server_call_sdp() {
    let server = Server::start();
    let anna = guest(&server, "anna").await;
    // The device is the last word of the socket's address.
    let mut old = anna.second_device("old&answer=answer");
    old.connect_socket().await.unwrap();
    let (mut boris, mut clara) = (guest(&server, "boris").await, guest(&server, "clara").await);
    join_talking(&mut old, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::Ahead(1)).await;
    hear_each_other(&[(&old, ANNA_HZ), (&boris, BORIS_HZ)]).await;
    join_talking(&mut clara, CLARA_HZ, Sections::Ahead(1)).await;
    hears(&clara, &[ANNA_HZ, BORIS_HZ]).await;
    hears(&boris, &[ANNA_HZ, CLARA_HZ]).await;
    old.send_confirmed("client.ping", json!({})).await.unwrap();
    assert_eq!(sdps(&old), [] as [Value; 0]);
    let answers = old.events().all("server.call.answer");
    assert_eq!(answers.len(), 1);
    assert!(answers[0]["candidates"].as_array().is_some_and(|list| !list.is_empty()));
    assert_eq!(old.hears().len(), 1, "{:?}", old.hears());
}

// ---- Mute.

#[tokio::test(flavor = "multi_thread")]
async fn one_who_joined_muted_is_heard_by_nobody_until_he_unmutes() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    let sections = Sections::Ahead(1);
    let muted = Join {
        sections,
        mute: JoinMute::Muted,
        candidates: Candidates::InOffer,
        levels: Levels::Told,
    };
    anna.offer_as(&anna.lobby(), muted).await.unwrap();
    anna.say_tone(ANNA_HZ);
    join_talking(&mut boris, BORIS_HZ, sections).await;
    join_talking(&mut clara, CLARA_HZ, sections).await;
    hears(&anna, &[BORIS_HZ, CLARA_HZ]).await;
    only_is_heard(&boris, CLARA_HZ).await;
    only_is_heard(&clara, BORIS_HZ).await;
    anna.mute(false).await.unwrap();
    hears(&boris, &[ANNA_HZ, CLARA_HZ]).await;
    hears(&clara, &[ANNA_HZ, BORIS_HZ]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_goes_on_sending_while_muted_is_heard_by_nobody() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    for (one, hz) in [(&mut anna, ANNA_HZ), (&mut boris, BORIS_HZ), (&mut clara, CLARA_HZ)] {
        join_talking(one, hz, Sections::One).await;
    }
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ), (&clara, CLARA_HZ)]).await;
    anna.mute(true).await.unwrap();
    boris.events().wait(DEADLINE, "server.call.state", |it| is_muted(it, &anna)).await.unwrap();
    // His tone goes on: `mute` only tells the server.
    only_is_heard(&boris, CLARA_HZ).await;
    only_is_heard(&clara, BORIS_HZ).await;
    anna.mute(false).await.unwrap();
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ), (&clara, CLARA_HZ)]).await;
}

// ---- Coming and going.

#[tokio::test(flavor = "multi_thread")]
async fn one_who_left_joins_again_and_hears_and_is_heard() {
    let server = Server::start();
    let (mut anna, boris) = two_talking(&server).await;
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ)]).await;
    let alone = |state: &Value| state["onliners"].as_array().is_some_and(|list| list.len() == 1);
    let mark = boris.events().mark();
    anna.leave().await.unwrap();
    boris.events().wait_after(mark, DEADLINE, "server.call.state", alone).await.unwrap();
    join_talking(&mut anna, CLARA_HZ, Sections::One).await;
    hear_each_other(&[(&anna, CLARA_HZ), (&boris, BORIS_HZ)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_falls_silent_is_shown_as_lost_and_then_removed() {
    let soon =
        [("VOXHALL_CALL_MEDIA_LOST_SHOWN_S", "2"), ("VOXHALL_CALL_MEDIA_LOST_REMOVED_S", "6")];
    let server = Server::with(&[], &soon);
    let (anna, boris) = two_talking(&server).await;
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ)]).await;
    let (mark, gone) = (boris.events().mark(), anna.account.jid.clone());
    anna.crash();
    let links = |it: &Value| -> Vec<(String, String)> {
        let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
        let list = it["onliners"].as_array().cloned().unwrap_or_default();
        list.iter().map(|one| (text(one, "jid"), text(one, "_link"))).collect()
    };
    let lost = (gone.clone(), "lost".to_owned());
    let is_shown = |it: &Value| links(it).contains(&lost);
    boris.events().wait_after(mark, DEADLINE, "server.call.state", is_shown).await.unwrap();
    let is_removed = |it: &Value| links(it).iter().all(|(jid, _)| *jid != gone);
    boris.events().wait_after(mark, DEADLINE, "server.call.state", is_removed).await.unwrap();
    let here = |it: &Value| links(it).iter().all(|(_, link)| link == "connected");
    assert!(boris.events().all("server.call.state").last().is_some_and(here));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_offer_of_the_same_device_keeps_the_onliner_and_his_mute() {
    let server = Server::start();
    let (mut anna, mut boris) = (guest(&server, "anna").await, guest(&server, "boris").await);
    let mut clara = guest(&server, "clara").await;
    for (one, hz) in [(&mut anna, ANNA_HZ), (&mut boris, BORIS_HZ), (&mut clara, CLARA_HZ)] {
        join_talking(one, hz, Sections::Ahead(1)).await;
    }
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ), (&clara, CLARA_HZ)]).await;
    anna.mute(true).await.unwrap();
    boris.events().wait(DEADLINE, "server.call.state", |it| is_muted(it, &anna)).await.unwrap();
    let mark = boris.events().mark();
    let first = sdps(&anna)[0]["uid"].clone();
    join_talking(&mut anna, ANNA_HZ, Sections::Ahead(1)).await;
    assert_eq!(sdps(&anna).last().unwrap()["uid"], first);
    hears(&anna, &[BORIS_HZ, CLARA_HZ]).await;
    only_is_heard(&boris, CLARA_HZ).await;
    let state = boris.events().wait_after(mark, DEADLINE, "server.call.state", |_| true).await;
    assert!(state.is_some_and(|state| is_muted(&state, &anna)));
    let counts = |it: &Value| it["onliners"].as_array().map_or(0, Vec::len);
    let states = boris.events().all("server.call.state");
    let full = states.iter().position(|state| counts(state) == 3).expect("all three were there");
    assert!(states[full..].iter().all(|state| counts(state) == 3), "{states:#?}");
    assert_eq!(anna.events().all("server.call.leave"), [] as [Value; 0]);
    anna.mute(false).await.unwrap();
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ), (&clara, CLARA_HZ)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_device_takes_the_call_over_and_is_heard_in_its_place() {
    let server = Server::start();
    let (anna, boris) = two_talking(&server).await;
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ)]).await;
    let mut phone = anna.second_device("phone");
    phone.connect_socket().await.unwrap();
    join_talking(&mut phone, CLARA_HZ, Sections::One).await;
    let end = anna.ended(DEADLINE).await;
    assert_eq!(end, Some(voxhall::demo::call::End::PutOut));
    // The first device sends on; nobody hears it any more.
    hear_each_other(&[(&phone, CLARA_HZ), (&boris, BORIS_HZ)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_one_to_leave_finishes_the_call() {
    let server = Server::start();
    let (mut anna, mut boris) = two_talking(&server).await;
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ)]).await;
    anna.leave().await.unwrap();
    boris.leave().await.unwrap();
    let over = |state: &Value| state["finish"].is_string() && state["onliners"] == json!([]);
    for one in [&anna, &boris] {
        one.events().wait(DEADLINE, "server.call.state", over).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_media_port_gets_no_reply_and_the_call_goes_on() {
    let server = Server::start();
    let (anna, boris) = two_talking(&server).await;
    hear_each_other(&[(&anna, ANNA_HZ), (&boris, BORIS_HZ)]).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.connect(("127.0.0.1", server.media_port)).unwrap();
    for datagram in garbage() {
        // What is refused by the machine (nobody there) would be an error here.
        stranger.send(&datagram).unwrap();
    }
    // The port's datagrams are read in order: what is heard now came after them.
    only_is_heard(&anna, BORIS_HZ).await;
    only_is_heard(&boris, ANNA_HZ).await;
    stranger.set_nonblocking(true).unwrap();
    let reply = stranger.recv(&mut [0; 2048]);
    assert_eq!(reply.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// Datagrams of every kind (RFC 7983), none of which means anything.
fn garbage() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = vec![Vec::new(), vec![0; 1], vec![0xff; 1472]];
    for first in 0..=255_u8 {
        let bytes = (0..200_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
        all.push(std::iter::once(first).chain(bytes).collect());
    }
    // A binding request of a stranger (RFC 8489 section 5): with a name of nobody, without
    // integrity; and one that is nothing but a header.
    let header = |length: u8| [&[0, 1, 0, length, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    all.push(header(0));
    all.push([&header(12)[..], &[0, 6, 0, 7], b"abc:def\0"].concat());
    // A ClientHello that breaks off (RFC 6347 section 4.2), and RTP of an unknown SSRC.
    all.push([&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20][..], &[1; 20]].concat());
    all.push([&[0x80, 111, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4][..], &[9; 60]].concat());
    all
}

// ---- Where cores are scarce.

#[tokio::test]
async fn signalling_stands_back_where_media_wants_the_core() {
    let server = Server::start();
    // What is written to the disk meanwhile has threads of its own.
    guest(&server, "anna").await;
    let own = nices("self").into_iter().map(|(_, nice)| nice).min().expect("we run");
    let threads = nices(&server.pid().to_string());
    let of = |prefix: &str| -> BTreeSet<i32> {
        let of_prefix = threads.iter().filter(|(name, _)| name.starts_with(prefix));
        of_prefix.map(|(_, nice)| *nice).collect()
    };
    assert_eq!(of("media-"), BTreeSet::from([own]));
    for back in ["tokio-rt-worker", "dtls-", "meter-"] {
        assert_eq!(of(back), BTreeSet::from([(own + 5).min(19)]), "{back}");
    }
}

/// Name and niceness of each thread (`proc(5)`, stat: field 19 of those that follow the name).
fn nices(process: &str) -> Vec<(String, i32)> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let stats =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    let of = |stat: String| {
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        Some((name.to_owned(), rest.split_whitespace().nth(16)?.parse().ok()?))
    };
    stats.filter_map(of).collect()
}

// ---- The story's plumbing.

/// Anna and boris in the Lobby, with one section each.
async fn two_talking(server: &Server) -> (Client, Client) {
    let (mut anna, mut boris) = (guest(server, "anna").await, guest(server, "boris").await);
    join_talking(&mut anna, ANNA_HZ, Sections::One).await;
    join_talking(&mut boris, BORIS_HZ, Sections::One).await;
    (anna, boris)
}

/// Each of `all` hears the tones of all others, each in a section of its own, and nothing else.
async fn hear_each_other(all: &[(&Client, f32)]) {
    for (one, own) in all {
        let tones = all.iter().map(|(_, hz)| *hz).filter(|hz| hz != own);
        hears(one, &tones.collect::<Vec<f32>>()).await;
    }
}

/// Every server.call.sdp that came.
fn sdps(client: &Client) -> Vec<Value> {
    client.events().all("server.call.sdp")
}

/// Whether they were answers or offers, once everything said so far has come.
async fn kinds(client: &Client) -> Vec<String> {
    client.send_confirmed("client.ping", json!({})).await.expect("a confirm");
    let kind = |sdp: &Value| sdp["jsep"]["type"].as_str().unwrap_or_default().to_owned();
    sdps(client).iter().map(kind).collect()
}

/// The last server.call.tracks tells for each section the person whose tone is in it.
async fn is_told_who_is_heard(client: &Client, all: &[(&Client, f32)]) {
    let heard = client.hears();
    let jid_of = |hz: f32| {
        let near = all.iter().find(|(_, tone)| (tone - hz).abs() <= 10.0);
        near.map(|(who, _)| who.account.jid.as_str())
    };
    let tracks = client.events().all("server.call.tracks");
    let tracks = tracks.last().expect("the first assignment is told as well")["tracks"].clone();
    let tracks = tracks.as_array().expect("a list");
    for (mid, ear) in &heard {
        let told = tracks.iter().find(|track| track["mid"] == **mid);
        let told = told.and_then(|track| track["jid"].as_str());
        assert_eq!(told, dominant_hz(&ear.pcm).and_then(jid_of), "{mid} of {tracks:?}");
    }
    let named = tracks.iter().filter(|track| track["jid"] != "").count();
    assert_eq!(named, heard.len(), "{tracks:?}");
}

fn is_muted(state: &Value, who: &Client) -> bool {
    let onliners = state["onliners"].as_array().map(Vec::as_slice).unwrap_or_default();
    onliners.iter().any(|one| one["jid"] == who.account.jid && one["muted"] == true)
}
