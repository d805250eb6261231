use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::house::{FIFTY, House, offer};
use crate::core::fake_node::state;
use crate::core::test_folder::TestFolder;
use crate::core::{Device, Jid, Presence, To};
use crate::limits::{FLOOD_REFUSED_MAX, MESSAGE_BYTES_MAX};
use crate::signal::{Ended, Options, PATIENCE, Refused};
use crate::wire::ServerEvent;

#[tokio::test]
async fn a_new_socket_is_told_the_time_and_who_is_online() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talk = anna.connect("tab").await;
    assert_eq!(talk.event("server.time").await["params"]["time"].as_str().unwrap().len(), 27);
    let online = talk.event("server.online").await;
    assert_eq!(online["params"]["contacts"][0]["jid"], anna.jid.as_str());
    assert_eq!(online["params"]["calls"], json!([]));
    assert!(online.get("confirm_id").is_none());
}

#[tokio::test]
async fn others_learn_who_came_and_who_went() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let (anna, boris) = (house.guest("anna").await, house.guest("boris").await);
    let mut talk = anna.connect("tab").await;
    let other = boris.connect("tab").await;
    let there = |event: &Value| event["params"]["contacts"].as_array().unwrap().len();
    while there(&talk.event("server.online").await) != 2 {}
    drop(other);
    while there(&talk.event("server.online").await) != 1 {}
}

#[tokio::test]
async fn a_ping_is_confirmed_in_a_text_and_in_a_binary_frame() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let mut talk = house.guest("anna").await.connect("tab").await;
    let ping = json!({ "event": "client.ping", "confirm_id": "8aad294579b8" });
    for message in [Message::text(ping.to_string()), Message::binary(ping.to_string())] {
        talk.send_message(message).await;
        let confirm = talk.event("server.confirm").await;
        assert_eq!(confirm["params"], json!({ "confirm_id": "8aad294579b8" }));
    }
}

#[tokio::test]
async fn an_offer_is_confirmed_before_its_answer_comes() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talk = anna.connect("tab").await;
    talk.send(&offer(&anna.lobby, "c1")).await;
    let events = talk.until_ping().await;
    let at = |name: &str| events.iter().position(|event| event["event"] == name).unwrap();
    assert!(at("server.confirm") < at("server.call.sdp"));
    assert!(at("server.call.sdp") < at("server.call.state"));
    assert_eq!(house.node.signals()[0].device.name, "tab");
}

#[tokio::test]
async fn a_repeat_is_confirmed_and_not_applied_on_whatever_socket() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talk = anna.connect("tab").await;
    for _ in 0..2 {
        talk.send(&offer(&anna.lobby, "c1")).await;
        talk.event("server.confirm").await;
    }
    let mut again = anna.connect("tab").await;
    again.send(&offer(&anna.lobby, "c1")).await;
    again.event("server.confirm").await;
    again.send(&offer(&anna.lobby, "c2")).await;
    again.event("server.confirm").await;
    assert_eq!(house.node.signals_come(2).await.len(), 2);
    assert_eq!(house.counters.repeats.read(), 2);
}

#[tokio::test]
async fn what_is_wrong_is_warned_about_and_the_socket_stays() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talk = anna.connect("tab").await;
    let unknown = json!({ "event": "client.deeeeeaddddbeeeeeef", "confirm_id": "c6280a82ed1c" });
    let leave = json!({ "event": "client.call.leave", "params": { "jid": anna.lobby } });
    let nowhere = json!({ "event": "client.call.muteall", "params": { "jid": "g-nowhere" } });
    let own = json!({ "event": "client.call.muteall", "params": { "jid": anna.jid } });
    let no_params = json!({ "event": "client.call.offer", "params": {} });
    for (text, code, orig) in [
        ("{\"event\": ".to_owned(), "bad_json", &Value::Null),
        ("[".repeat(17), "bad_json", &Value::Null),
        (unknown.to_string(), "unknown_event", &unknown),
        (no_params.to_string(), "bad_params", &no_params),
        (leave.to_string(), "no_such_call", &leave),
        (nowhere.to_string(), "no_such_chat", &nowhere),
        (own.to_string(), "no_such_chat", &own),
    ] {
        talk.send_message(Message::text(text)).await;
        let warning = talk.event("server.warning").await;
        assert_eq!(warning["params"]["code"], code);
        assert_eq!(&warning["params"]["orig"], orig);
        assert!(!warning["params"]["message"].as_str().unwrap().is_empty());
    }
    talk.until_ping().await;
    assert_eq!(house.counters.refused(Refused::BadJson).read(), 2);
    assert_eq!(house.counters.refused(Refused::ByCore).read(), 3);
}

#[tokio::test]
async fn a_warning_reaches_nobody_else() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut here = anna.connect("here").await;
    let mut there = anna.connect("there").await;
    here.send(&json!({ "event": "client.nonsense" })).await;
    here.event("server.warning").await;
    let events = there.until_ping().await;
    assert!(events.iter().all(|event| event["event"] != "server.warning"), "{events:?}");
}

#[tokio::test]
async fn a_message_of_64_kib_is_read_and_one_byte_more_closes_with_1009() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talk = anna.connect("tab").await;
    talk.send_message(Message::text(" ".repeat(MESSAGE_BYTES_MAX))).await;
    assert_eq!(talk.event("server.warning").await["params"]["code"], "bad_json");
    talk.send_message(Message::text(" ".repeat(MESSAGE_BYTES_MAX + 1))).await;
    assert_eq!(talk.close_code().await, 1009);
    assert_eq!(house.counters.ended(Ended::TooBig).read(), 1);
}

#[tokio::test]
async fn the_51st_message_at_once_is_not_applied_and_not_confirmed() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let mut talk = house.guest("anna").await.connect("tab").await;
    for number in 1..=51 {
        talk.send(&json!({ "event": "client.ping", "confirm_id": number.to_string() })).await;
    }
    for number in 1..=50 {
        let confirm = talk.event("server.confirm").await;
        assert_eq!(confirm["params"]["confirm_id"], number.to_string());
    }
    let warning = talk.event("server.warning").await;
    assert_eq!(warning["params"]["code"], "too_fast");
    assert_eq!(warning["params"]["orig"]["confirm_id"], "51");
}

#[tokio::test]
async fn who_does_not_stop_is_closed_with_1008() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let mut talk = house.guest("anna").await.connect("tab").await;
    for _ in 0..FIFTY.burst + FLOOD_REFUSED_MAX {
        talk.send_message(Message::text("{}")).await;
    }
    assert_eq!(talk.close_code().await, 1008);
    assert_eq!(house.counters.ended(Ended::Flood).read(), 1);
    let refused = house.counters.refused(Refused::TooFast).read();
    assert_eq!(refused, u64::from(FLOOD_REFUSED_MAX) - 1);
}

#[tokio::test]
async fn a_confirm_that_the_server_asked_for_is_not_counted_against_the_pace() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talk = anna.connect("tab").await;
    let device = Device { jid: jid(&anna.jid), name: "tab".into() };
    for _ in 0..100 {
        let leave = ServerEvent::Leave { jid: anna.lobby.clone(), uid: "u".into(), reason: None };
        house.node.deliver(To::Device(device.clone()), leave);
        let leave = talk.event("server.call.leave").await;
        let params = json!({ "confirm_id": leave["confirm_id"] });
        talk.send(&json!({ "event": "client.confirm", "params": params })).await;
    }
    assert!(talk.until_ping().await.iter().all(|event| event["event"] != "server.warning"));
}

#[tokio::test]
async fn a_new_socket_of_the_device_closes_the_old_one_with_4001() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut older = anna.connect("tab").await;
    let mut newer = anna.connect("tab").await;
    assert_eq!(older.close_code().await, 4001);
    newer.until_ping().await;
    let told = house.node.presences();
    assert!(told.iter().all(|(_, presence)| *presence == Presence::Connected), "{told:?}");
}

#[tokio::test]
async fn the_sixth_device_of_a_person_is_refused() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talks = Vec::new();
    for device in ["1", "2", "3", "4", "5", "5"] {
        talks.push(anna.connect(device).await);
    }
    let (status, body) = anna.try_connect("6", &[]).await.err().unwrap();
    assert_eq!((status, &body["error"]), (429, &json!("RATE_LIMIT")));
}

#[tokio::test]
async fn unconfirmed_events_come_again_in_order_under_the_same_ids() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talk = anna.connect("tab").await;
    let person = || To::Person(jid(&anna.jid));
    let sound = |muted| ServerEvent::Sound { jid: anna.lobby.clone(), muted };
    let asked = |events: Vec<Value>| -> Vec<Value> {
        events.into_iter().filter(|event| event.get("confirm_id").is_some()).collect()
    };
    let mut first = Vec::new();
    for (muted, gentime) in [(true, 1), (false, 2)] {
        house.node.deliver(person(), sound(muted));
        house.node.deliver(person(), state(&anna.lobby, gentime));
        first.extend(asked(talk.until_ping().await));
    }
    assert_eq!(first.len(), 4);
    let params = json!({ "confirm_id": first[0]["confirm_id"] });
    talk.send(&json!({ "event": "client.confirm", "params": params })).await;
    talk.until_ping().await;
    drop(talk);
    let mut again = anna.connect("tab").await;
    assert_eq!(asked(again.until_ping().await), first[2..]);
}

#[tokio::test]
async fn a_lost_socket_is_told_to_the_node() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talk = anna.connect("tab").await;
    talk.until_ping().await;
    drop(talk);
    timeout(PATIENCE, house.counters.sockets.none_left()).await.unwrap();
    let device = Device { jid: jid(&anna.jid), name: "tab".into() };
    let told = [Presence::Connected, Presence::Lost].map(|presence| (device.clone(), presence));
    assert_eq!(house.node.presences(), told);
}

#[tokio::test]
async fn a_long_state_arrives_whole() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let mut talk = anna.connect("tab").await;
    let uid = "é".repeat(50_000);
    let leave = ServerEvent::Leave { jid: anna.lobby.clone(), uid: uid.clone(), reason: None };
    house.node.deliver(To::Person(jid(&anna.jid)), leave);
    assert_eq!(talk.event("server.call.leave").await["params"]["uid"], uid);
}

#[tokio::test]
async fn a_page_of_another_origin_gets_no_socket() {
    let folder = TestFolder::new();
    let origins = vec!["https://chat.example".to_owned()];
    let house = House::with(&folder, Options { origins, ..Options::default() }).await;
    let anna = house.guest("anna").await;
    let refused = anna.try_connect("tab", &[("origin", "https://evil.example")]).await;
    let (status, body) = refused.err().unwrap();
    assert_eq!((status, &body["error"]), (403, &json!("ACCESS_DENIED")));
    assert!(anna.try_connect("tab", &[("origin", "https://chat.example")]).await.is_ok());
}

#[tokio::test]
async fn a_refused_handshake_is_told_by_a_panic_where_it_asks_for_it() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let mut anna = house.guest("anna").await;
    let mut talks = Vec::new();
    for device in ["1", "2", "3", "4", "5"] {
        talks.push(anna.connect(device).await);
    }
    let (token, team) = (anna.token.clone(), anna.team.clone());
    for (token, team, headers, device, code) in [
        ("", team.as_str(), &[][..], "tab", "EMPTY_TOKEN"),
        ("wrong", &team, &[], "tab", "INVALID_TOKEN"),
        (&token, "another", &[], "tab", "INVALID_TEAM"),
        (&token, &team, &[("origin", "https://evil.example")], "tab", "ACCESS_DENIED"),
        (&token, &team, &[], "a%20b", "INVALID_DATA"),
        (&token, &team, &[], "6", "RATE_LIMIT"),
    ] {
        (anna.token, anna.team) = (token.to_owned(), team.to_owned());
        let mut talk = anna.try_connect(&format!("{device}&panic=1"), headers).await.unwrap();
        let panic = talk.next().await.unwrap();
        assert_eq!(
            (&panic["event"], &panic["params"]["code"]),
            (&json!("server.panic"), &json!(code))
        );
        assert!(!panic["params"]["debug"].as_str().unwrap().is_empty(), "{panic}");
        assert_eq!(talk.next().await, Err(4003), "{code}");
        assert!(anna.try_connect(device, headers).await.is_err(), "{code}");
    }
    assert_eq!(house.node.presences().len(), talks.len());
}

#[tokio::test]
async fn a_stop_closes_every_socket_with_1001() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let mut talk = house.guest("anna").await.connect("tab").await;
    talk.until_ping().await;
    let counters = house.counters.clone();
    let (code, ()) = tokio::join!(talk.close_code(), house.close());
    assert_eq!(code, 1001);
    assert_eq!(counters.sockets.read(), 0);
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}
