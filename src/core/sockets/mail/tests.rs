use std::time::Duration;

use super::*;
use crate::wire::server::CallState;

struct Desk {
    mail: Mail,
    now: Instant,
    ids: u64,
}

impl Desk {
    fn new() -> Self {
        Self { mail: Mail::default(), now: Instant::now(), ids: 0 }
    }

    fn push(&mut self, event: &ServerEvent, link: Link) -> Result<(), Overflow> {
        self.ids += 1;
        let id = Arc::from(self.ids.to_string());
        self.mail.push(self.now, &Letter::new(event), || id, link)
    }

    fn sent(&mut self) -> Vec<(String, Option<Arc<str>>)> {
        std::iter::from_fn(|| self.mail.pop())
            .map(|outgoing| (outgoing.frame.params.to_string(), outgoing.confirm_id))
            .collect()
    }

    fn ids_sent(&mut self) -> Vec<String> {
        self.sent().into_iter().filter_map(|(_, id)| id).map(|id| id.to_string()).collect()
    }
}

fn leave(uid: &str) -> ServerEvent {
    ServerEvent::Leave { jid: "g-1".into(), uid: uid.into(), reason: None }
}

fn state(uid: &str, gentime: i64) -> ServerEvent {
    ServerEvent::State(CallState {
        jid: "g-1".into(),
        uid: uid.into(),
        buzz: false,
        created: String::new(),
        start: None,
        finish: None,
        audiorecord: false,
        onliners: vec![],
        sticky: false,
        record_stopped: None,
        gentime,
        timestamp: 0,
    })
}

#[test]
fn unconfirmed_events_come_again_in_order_under_the_same_ids() {
    let mut desk = Desk::new();
    for uid in ["a", "b", "c"] {
        desk.push(&leave(uid), Link::Connected).unwrap();
    }
    let first = desk.sent();
    assert!(desk.mail.confirm("2"));
    assert_eq!(desk.mail.resume(desk.now), 2);
    assert_eq!(desk.sent(), [first[0].clone(), first[2].clone()]);
}

#[test]
fn an_event_for_an_absent_device_waits_for_its_resume() {
    let mut desk = Desk::new();
    desk.push(&leave("a"), Link::Away).unwrap();
    desk.push(&ServerEvent::Time { time: String::new() }, Link::Away).unwrap();
    assert!(desk.sent().is_empty());
    assert_eq!(desk.mail.resume(desk.now), 1);
    assert_eq!(desk.ids_sent(), ["1"]);
}

#[test]
fn a_superseded_state_is_left_out_of_a_resume() {
    let mut desk = Desk::new();
    desk.push(&state("a", 1), Link::Connected).unwrap();
    assert_eq!(desk.ids_sent(), ["1"]);
    desk.push(&state("b", 1), Link::Connected).unwrap();
    desk.push(&state("a", 2), Link::Connected).unwrap();
    assert_eq!(desk.ids_sent(), ["2", "3"]);
    desk.mail.resume(desk.now);
    assert_eq!(desk.ids_sent(), ["2", "3"]);
}

#[test]
fn a_state_that_waits_to_be_sent_again_makes_way_for_a_newer_one() {
    let mut desk = Desk::new();
    desk.push(&state("a", 1), Link::Connected).unwrap();
    desk.push(&leave("a"), Link::Connected).unwrap();
    desk.mail.resume(desk.now);
    desk.push(&state("a", 2), Link::Connected).unwrap();
    assert_eq!(desk.ids_sent(), ["2", "3"]);
}

#[test]
fn tracks_supersede_tracks_and_no_state() {
    let mut desk = Desk::new();
    let tracks = || ServerEvent::Tracks { jid: "g-1".into(), uid: "a".into(), tracks: vec![] };
    desk.push(&state("a", 1), Link::Connected).unwrap();
    desk.push(&tracks(), Link::Connected).unwrap();
    desk.push(&tracks(), Link::Connected).unwrap();
    assert_eq!(desk.ids_sent(), ["1", "3"]);
    desk.mail.resume(desk.now);
    assert_eq!(desk.ids_sent(), ["1", "3"]);
}

#[test]
fn a_confirm_is_good_once() {
    let mut desk = Desk::new();
    desk.push(&leave("a"), Link::Connected).unwrap();
    assert!(desk.mail.confirm("1"));
    assert!(!desk.mail.confirm("1"));
    assert!(!desk.mail.confirm("7"));
}

#[test]
fn the_257th_waiting_message_overflows() {
    let mut desk = Desk::new();
    for _ in 0..QUEUE_MESSAGES_MAX {
        desk.push(&leave("a"), Link::Connected).unwrap();
    }
    assert_eq!(desk.push(&leave("a"), Link::Connected), Err(Overflow));
}

#[test]
fn of_a_call_only_its_newest_state_waits() {
    let mut desk = Desk::new();
    desk.push(&leave("a"), Link::Connected).unwrap();
    for gentime in 0..1000 {
        desk.push(&state("a", gentime), Link::Connected).unwrap();
        desk.push(&state("b", gentime), Link::Connected).unwrap();
    }
    let sent = desk.sent();
    assert_eq!(sent.len(), 3);
    assert!(sent[1..].iter().all(|(text, _)| text.contains("\"gentime\":999")));
    assert_eq!(desk.mail.queue_bytes, 0);
    assert!(!desk.mail.confirm("none"), "what never left cannot be confirmed");
}

#[test]
fn a_state_larger_than_every_bound_takes_no_other_events_room() {
    let mut desk = Desk::new();
    let large = state(&"x".repeat(QUEUE_BYTES_MAX + UNCONFIRMED_BYTES_MAX), 1);
    desk.push(&leave("a"), Link::Connected).unwrap();
    desk.push(&large, Link::Connected).unwrap();
    desk.push(&leave("b"), Link::Connected).unwrap();
    assert_eq!(desk.ids_sent(), ["1", "2", "3"]);
    desk.mail.resume(desk.now);
    assert_eq!(desk.ids_sent(), ["1", "2", "3"]);
}

#[test]
fn more_than_a_mebibyte_waiting_overflows() {
    let mut desk = Desk::new();
    let long = leave(&"x".repeat(QUEUE_BYTES_MAX / 2));
    desk.push(&long, Link::Connected).unwrap();
    assert_eq!(desk.push(&long, Link::Connected), Err(Overflow));
}

#[test]
fn only_the_last_online_waits() {
    let mut desk = Desk::new();
    for _ in 0..1000 {
        let online = ServerEvent::Online { contacts: vec![], calls: vec![] };
        desk.push(&online, Link::Connected).unwrap();
    }
    assert_eq!(desk.sent().len(), 1);
}

#[test]
fn a_state_that_a_newer_one_took_the_place_of_may_still_be_confirmed() {
    let mut desk = Desk::new();
    for gentime in 1..=3 {
        desk.push(&state("a", gentime), Link::Connected).unwrap();
        assert_eq!(desk.ids_sent(), [gentime.to_string()]);
    }
    assert!(["1", "2", "3"].iter().all(|id| desk.mail.confirm(id)));
    assert!(!desk.mail.confirm("1"), "as many as were overtaken, and not one more");
    desk.push(&state("a", 4), Link::Connected).unwrap();
    desk.push(&state("a", 5), Link::Connected).unwrap();
    desk.mail.disconnect();
    assert!(!desk.mail.confirm("4"), "of another socket");
    for gentime in 0..=i64::from(OVERTAKEN_MAX) + 1 {
        desk.push(&state("b", gentime), Link::Connected).unwrap();
        desk.sent();
    }
    let free = (0..2 * OVERTAKEN_MAX).filter(|_| desk.mail.confirm("none")).count();
    assert_eq!(free, OVERTAKEN_MAX as usize, "and no more than its bound");
}

#[test]
fn of_257_unconfirmed_events_the_oldest_goes() {
    let mut desk = Desk::new();
    for _ in 0..=UNCONFIRMED_MAX {
        desk.push(&leave("a"), Link::Away).unwrap();
    }
    assert_eq!(desk.mail.resume(desk.now), UNCONFIRMED_MAX);
    assert_eq!(desk.ids_sent()[0], "2");
}

#[test]
fn a_full_resume_leaves_the_queue_free() {
    let mut desk = Desk::new();
    for _ in 0..UNCONFIRMED_MAX {
        desk.push(&leave("a"), Link::Away).unwrap();
    }
    desk.mail.resume(desk.now);
    desk.push(&leave("b"), Link::Connected).unwrap();
    assert_eq!(desk.sent().len(), UNCONFIRMED_MAX + 1);
}

#[test]
fn an_event_unconfirmed_for_more_than_a_minute_is_not_sent_again() {
    let mut desk = Desk::new();
    desk.push(&leave("a"), Link::Connected).unwrap();
    desk.now += UNCONFIRMED_AGE_MAX;
    assert_eq!(desk.mail.resume(desk.now), 1);
    desk.now += Duration::from_millis(1);
    assert_eq!(desk.mail.resume(desk.now), 0);
}
