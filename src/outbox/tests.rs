use serde_json::{Value, json};

use super::*;
use crate::core::test_folder::TestFolder;

const SECOND: i64 = 1_000_000_000;

fn fact(call: &str, kind: &'static str, second: i64) -> Fact {
    Fact {
        call: call.into(),
        at: second * SECOND,
        kind,
        team: json!({ "uid": "t", "name": "Team" }),
        chat: json!({ "type": "group", "jid": "g-1", "display_name": "Lobby" }),
        actor: Some(("d-anna".to_owned(), "Anna \"A\"".to_owned())),
        details: json!({ "reason": "left" }),
        opens: true,
        ends: kind == "finished",
    }
}

fn store(place: &TestFolder, facts_max: u64) -> Store {
    Store::open(&place.path().join(FILE), facts_max).unwrap()
}

fn told(store: &Store) -> Vec<(String, i64, String)> {
    let kind = |kept: &Kept| text(kept)["kind"].as_str().unwrap().to_owned();
    let all = store.read(0, 256).unwrap();
    all.iter().map(|kept| (kept.call.clone(), kept.seq, kind(kept))).collect()
}

fn text(kept: &Kept) -> Value {
    serde_json::from_str(&format!("{{{}}}", kept.body)).unwrap()
}

fn line(call: &str, seq: i64, kind: &str) -> (String, i64, String) {
    (call.to_owned(), seq, kind.to_owned())
}

#[test]
fn facts_are_numbered_by_call_and_kept_in_order_until_they_are_taken() {
    let place = TestFolder::new();
    let mut outbox = store(&place, 100);
    let facts = [fact("a", "started", 1), fact("b", "started", 1), fact("a", "joined", 2)];
    outbox.turn(&facts, None).unwrap();
    let all = [line("a", 1, "started"), line("b", 1, "started"), line("a", 2, "joined")];
    assert_eq!(told(&outbox), all);
    let first = outbox.read(0, 1).unwrap().remove(0);
    let body = text(&first);
    assert_eq!((&body["call_uid"], &body["call_seq"]), (&json!("a"), &json!(1)));
    assert_eq!(body["actor"], json!({ "jid": "d-anna", "display_name": "Anna \"A\"" }));
    assert_eq!((&body["chat"]["jid"], &body["team"]["uid"]), (&json!("g-1"), &json!("t")));
    outbox.turn(&[], Some(first.id)).unwrap();
    assert_eq!(told(&outbox), all[1..]);
    let last = outbox.read(0, 9).unwrap().pop().unwrap().id;
    outbox.turn(&[], Some(last)).unwrap();
    drop(outbox);
    // No number comes twice.
    let mut again = store(&place, 100);
    again.turn(&[fact("a", "left", 3)], None).unwrap();
    let kept = again.read(0, 9).unwrap();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].id > last && kept[0].seq == 3, "{kept:?}");
}

#[test]
fn time_never_goes_back_within_a_call() {
    let place = TestFolder::new();
    let mut outbox = store(&place, 100);
    outbox.turn(&[fact("a", "started", 100), fact("a", "joined", 40)], None).unwrap();
    let at: Vec<Value> =
        outbox.read(0, 9).unwrap().iter().map(|it| text(it)["at"].clone()).collect();
    assert_eq!(at[0], at[1]);
}

#[test]
fn a_call_that_our_death_ended_is_told_as_finished_once_with_who_was_in_it() {
    let place = TestFolder::new();
    let mut outbox = store(&place, 100);
    let facts = [
        fact("a", "started", 10),
        fact("a", "joined", 10),
        fact("b", "started", 1),
        fact("b", "finished", 4),
    ];
    outbox.turn(&facts, None).unwrap();
    drop(outbox);
    for _ in 0..2 {
        let mut again = store(&place, 100);
        again.close_open_calls(70 * SECOND).unwrap();
        let kept = again.read(0, 9).unwrap();
        assert_eq!(kept.len(), 5);
        let last = text(&kept[4]);
        assert_eq!((&last["call_uid"], &last["call_seq"]), (&json!("a"), &json!(3)));
        let details = json!({
            "reason": "node_restart", "started": "1970-01-01T00:00:10.000000Z",
            "duration_ms": 60_000, "collapsed": 0,
            "people": [{ "jid": "d-anna", "display_name": "Anna \"A\"" }],
        });
        assert_eq!(last["details"], details);
    }
}

#[test]
fn one_more_than_there_is_room_for_collapses_what_is_over_and_an_end_is_always_told() {
    let place = TestFolder::new();
    let mut outbox = store(&place, 4);
    let over = [fact("a", "started", 1), fact("a", "joined", 1), fact("a", "finished", 2)];
    assert_eq!(outbox.turn(&over, None).unwrap(), Done::default());
    assert_eq!(outbox.turn(&[fact("b", "started", 3)], None).unwrap(), Done::default());
    let done = outbox.turn(&[fact("b", "joined", 3)], None).unwrap();
    assert_eq!(done, Done { collapsed: 2, lost: 0 });
    let left = [line("a", 3, "finished"), line("b", 1, "started"), line("b", 2, "joined")];
    assert_eq!(told(&outbox), left);
    assert_eq!(text(&outbox.read(0, 1).unwrap()[0])["details"]["collapsed"], 2);
    // Full of what goes on: more is lost, and counted.
    outbox.turn(&[fact("b", "muted", 4)], None).unwrap();
    let done = outbox.turn(&[fact("b", "unmuted", 5), fact("b", "finished", 6)], None).unwrap();
    assert_eq!(done.lost, 1);
    assert_eq!(told(&outbox).last(), Some(&line("b", 4, "finished")));
}

#[test]
fn a_recording_that_is_ready_long_after_the_end_has_the_next_number() {
    let place = TestFolder::new();
    let mut outbox = store(&place, 100);
    outbox.turn(&[fact("a", "started", 1), fact("a", "finished", 2)], None).unwrap();
    let recording = Fact { opens: false, actor: None, ..fact("a", "recording_finished", 90) };
    outbox.turn(&[recording], None).unwrap();
    assert_eq!(told(&outbox)[2], line("a", 3, "recording_finished"));
    // A call is not opened by it.
    assert_eq!(outbox.close_open_calls(100 * SECOND).unwrap(), 0);
}

#[tokio::test]
async fn whoever_waits_is_woken_and_what_was_put_is_there_after_a_restart() {
    let place = TestFolder::new();
    let outbox = Outbox::open(place.path(), 100, 0).unwrap();
    let outbox = Arc::new(outbox);
    let waits = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.next(0, 9).await }
    });
    outbox.put(fact("a", "started", 1));
    let first = waits.await.unwrap();
    assert_eq!(first.len(), 1);
    outbox.taken(first[0].id).await;
    outbox.put(fact("a", "joined", 2));
    let second = outbox.next(first[0].id, 9).await;
    assert_eq!((second.len(), outbox.read().waiting), (1, 1));
    let stopping = outbox.clone();
    tokio::task::spawn_blocking(move || stopping.stop()).await.unwrap();
    let again = Outbox::open(place.path(), 100, 5 * SECOND).unwrap();
    let kept = again.next(0, 9).await;
    // And the end of the call that nobody ended.
    assert_eq!(kept.iter().map(|it| it.seq).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn from_four_fifths_on_no_more_calls_should_begin() {
    let place = TestFolder::new();
    let outbox = Outbox::open(place.path(), 10, 0).unwrap();
    for (count, is_full) in [(7, false), (8, true)] {
        while outbox.read().waiting < count {
            outbox.put(fact("a", "muted", 1));
            let seen = outbox.read().kept;
            outbox.next(i64::try_from(seen).unwrap(), 1).await;
        }
        assert_eq!(outbox.is_nearly_full(), is_full, "{count}");
    }
}
