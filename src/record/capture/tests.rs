use std::sync::Mutex;

use engine::slots::Arrival;
use engine::timeline::Taken;
use engine::{LegId, Wall};

use super::*;
use crate::core::test_folder::TestFolder;
use crate::record::line::{self, TIMELINE};
use crate::record::ogg::Reader;

const CALL: CallNo = CallNo(7);
const LEG: u64 = 3;

pub(in crate::record) struct Desk {
    pub place: TestFolder,
    pub capture: Capture,
    pub id: Id,
    told: Arc<Mutex<Vec<Disk>>>,
}

pub(in crate::record) fn at(millis: u64) -> Now {
    Now { time: Time::from_micros(millis * 1_000), wall: Wall(millis as i64 * 1_000_000) }
}

fn taken(index: u64, millis: u64) -> (CallNo, Taken) {
    let (timestamp, time) = (index as u32 * 960, at(millis).time);
    let arrival = Arrival { at: time, index, timestamp, marker: false };
    let payload = vec![0x78, index as u8, 1, 2, 3, 4].into();
    (CALL, Taken { leg: LegId(LEG), epoch: 1, arrival, samples: 960, payload })
}

impl Desk {
    /// A recording with one person in it, from 1,000 ms on.
    pub fn open() -> Desk {
        Desk::on_disk(Floor { bytes: 0, percent: 0 })
    }

    fn on_disk(floor: Floor) -> Desk {
        let place = TestFolder::new();
        let root = Arc::new(Root::open(place.path()).unwrap());
        let mut capture = Capture::new(root, floor, 1, Arc::default());
        let (id, told) = (Id::new(Wall(0)), Arc::new(Mutex::new(Vec::new())));
        let heard = told.clone();
        capture.handle_order(Order::Begin(Box::new(Begin {
            id: id.clone(),
            call: CALL,
            uid: "u-1".into(),
            chat: ChatName {
                kind: "group".into(),
                jids: vec!["g-1".into()],
                display_name: "Lobby".into(),
            },
            by: "d-anna".into(),
            now: at(1_000),
            notices: Arc::new(move |disk| {
                heard.lock().unwrap().push(disk);
                true
            }),
        })));
        let mut desk = Desk { place, capture, id, told };
        desk.note(Event::Leg { leg: LEG, jid: "d-anna".into() });
        desk
    }

    fn note(&mut self, event: Event) {
        self.capture.handle_order(Order::Note { call: CALL, at: at(1_000).time, event });
    }

    /// Packets `from..to`, 20 ms each, as if the call had begun at 1,000 ms.
    pub fn say(&mut self, from: u64, to: u64) {
        for index in from..to {
            let now = 1_000 + index * 20;
            let packets = [taken(index, now)].into_iter().collect();
            self.capture.handle_batch(at(now).time, Batch { packets, ..Batch::default() });
        }
    }

    fn end(&mut self, millis: u64) -> Vec<Id> {
        let end = Order::End { call: CALL, now: at(millis), why: End::RecordOff };
        self.capture.handle_order(end);
        self.capture.handle_tick(at(millis + 800).time, Some(at(millis + 800).time)).ended
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.place.path().join(self.id.as_str()).join(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        self.capture.root.folder(&self.id).unwrap().names().unwrap()
    }

    fn events(&self, name: &str) -> Vec<Event> {
        line::read(&self.file(name)).0.into_iter().map(|line| line.event).collect()
    }
}

fn packets(file: &[u8]) -> Vec<u8> {
    let mut reader = Reader::open(file).unwrap();
    std::iter::from_fn(|| reader.packet().unwrap()).map(|packet| packet.payload[1]).collect()
}

#[test]
fn what_was_said_until_the_end_is_on_the_track_and_no_more() {
    let mut desk = Desk::open();
    desk.say(1, 51);
    assert_eq!(desk.names(), ["timeline.jsonl.part", "track-1.opus.part"]);
    let ended = desk.end(1_800);
    assert_eq!(ended, [desk.id.clone()]);
    assert_eq!(desk.names(), ["timeline.jsonl", "track-1.opus"]);
    desk.say(60, 70);
    let first_after = desk.events(TIMELINE);
    assert!(matches!(first_after.first(), Some(Event::Recording { .. })));
    assert!(matches!(first_after.last(), Some(Event::Ended { why: End::RecordOff, .. })));
    assert_eq!(packets(&desk.file("track-1.opus")).len(), 50);
}

#[test]
fn packets_on_their_way_at_the_end_are_waited_for_and_later_ones_left_out() {
    let mut desk = Desk::open();
    desk.say(1, 11);
    let end = Order::End { call: CALL, now: at(1_300), why: End::CallFinished };
    desk.capture.handle_order(end);
    desk.say(11, 30);
    assert!(desk.capture.handle_tick(at(2_099).time, Some(at(2_099).time)).ended.is_empty());
    assert_eq!(desk.capture.handle_tick(at(2_100).time, Some(at(2_100).time)).ended.len(), 1);
    assert_eq!(packets(&desk.file("track-1.opus")), (1..=15).collect::<Vec<u8>>());
}

#[test]
fn a_recording_does_not_end_before_what_was_said_in_it_was_heard() {
    let mut desk = Desk::open();
    let end = Order::End { call: CALL, now: at(1_300), why: End::CallFinished };
    desk.capture.handle_order(end);
    // The disk was slow: it is late, and batches still wait.
    assert!(desk.capture.handle_tick(at(9_000).time, None).ended.is_empty());
    desk.say(1, 11);
    assert_eq!(desk.capture.handle_tick(at(9_250).time, Some(at(9_250).time)).ended.len(), 1);
    assert_eq!(packets(&desk.file("track-1.opus")).len(), 10);
}

#[test]
fn with_each_tick_all_but_the_newest_packet_is_in_the_file() {
    let mut desk = Desk::open();
    desk.say(1, 26);
    desk.capture.handle_tick(at(1_500).time, Some(at(1_500).time));
    let written = desk.file("track-1.opus.part");
    assert_eq!(Reader::open(&*written).unwrap().into_packets().count(), 24);
    assert!(desk.events("timeline.jsonl.part").len() >= 4);
}

#[test]
fn a_disk_below_its_floor_ends_the_tracks_tells_the_call_and_goes_on_once_there_is_room() {
    let mut desk = Desk::open();
    desk.say(1, 11);
    desk.capture.floor = Floor { bytes: u64::MAX, percent: 0 };
    desk.capture.handle_tick(at(2_000).time, Some(at(2_000).time));
    assert_eq!(*desk.told.lock().unwrap(), [Disk::Refuses(Stop::DiskFloor)]);
    desk.say(60, 70);
    desk.capture.floor = Floor { bytes: 0, percent: 0 };
    desk.capture.handle_tick(at(3_000).time, Some(at(3_000).time));
    assert_eq!(desk.told.lock().unwrap().last(), Some(&Disk::Takes));
    desk.say(110, 120);
    desk.end(4_000);
    assert_eq!(packets(&desk.file("track-1.opus")), (1..=10).collect::<Vec<u8>>());
    assert_eq!(packets(&desk.file("track-2.opus")), (110..=119).collect::<Vec<u8>>());
    let events = desk.events(TIMELINE);
    assert!(events.contains(&Event::Stopped { why: Stop::DiskFloor }));
    assert!(events.contains(&Event::Resumed));
    assert_eq!(desk.capture.stats.read().dropped, 10);
}

#[test]
fn a_leg_that_nobody_told_of_is_not_recorded() {
    let mut desk = Desk::open();
    let (call, stranger) = taken(1, 1_020);
    let packets = [(call, Taken { leg: LegId(99), ..stranger }), (CallNo(8), taken(1, 1_020).1)];
    let packets = packets.into_iter().collect();
    desk.capture.handle_batch(at(1_020).time, Batch { packets, ..Batch::default() });
    desk.end(2_000);
    assert_eq!(desk.names(), ["timeline.jsonl"]);
}

#[test]
fn stopping_ends_everything_and_says_why() {
    let mut desk = Desk::open();
    desk.say(1, 11);
    assert_eq!(desk.capture.stop(at(1_300)), [desk.id.clone()]);
    assert!(matches!(desk.events(TIMELINE).last(), Some(Event::Ended { why: End::Shutdown, .. })));
}

/// What is brought to the disk, and nothing else, survives a power cut. A worker's batch, which
/// lies up to 100 ms before the recorder, comes on top.
#[test]
fn a_power_cut_at_any_moment_costs_less_than_two_seconds() {
    use std::collections::BTreeMap;
    use std::os::unix::fs::MetadataExt;

    let mut desk = Desk::open();
    let mut synced: BTreeMap<u64, u64> = BTreeMap::new();
    let mut most = 0;
    for tick in 1..=80_u64 {
        let now = 1_000 + tick * 250;
        let due = desk.capture.handle_tick(at(now).time, Some(at(now).time));
        // The cut comes before these are on the disk.
        let said_ms = now - 1_000;
        most = most.max(said_ms - survived_ms(&desk, &synced).min(said_ms));
        synced.extend(due.dirty.iter().map(|file| {
            let file = file.metadata().unwrap();
            (file.ino(), file.len())
        }));
        if tick % 2 == 0 {
            // A batch of half a second, too late for this tick.
            desk.say((tick / 2 - 1) * 25 + 1, tick / 2 * 25 + 1);
        }
    }
    assert!((500..1_900).contains(&most), "{most} ms");
}

/// How much of the voice a start after the cut finds.
fn survived_ms(desk: &Desk, synced: &std::collections::BTreeMap<u64, u64>) -> u64 {
    use std::os::unix::fs::MetadataExt;

    let after = TestFolder::new();
    let root = Root::open(after.path()).unwrap();
    let folder = root.create(&desk.id).unwrap();
    let before = desk.capture.root.folder(&desk.id).unwrap();
    for name in before.names().unwrap() {
        let inode = before.open(&name).unwrap().metadata().unwrap().ino();
        let length = synced.get(&inode).copied().unwrap_or(0) as usize;
        let content = before.read(&name, u64::MAX - 1).unwrap();
        std::fs::write(folder.path().join(&name), &content[..length]).unwrap();
    }
    crate::record::repair::repair(&folder).unwrap();
    let Ok(track) = folder.open("track-1.opus") else { return 0 };
    let last = Reader::open(track).unwrap().into_packets().last();
    last.map_or(0, |packet| (packet.sample + packet.samples) / 48)
}

#[test]
fn a_recording_that_could_not_begin_is_begun_anew_once_the_disk_takes_it() {
    let mut desk = Desk::open();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let notices: Notices = Arc::new(move |disk| {
        heard.lock().unwrap().push(disk);
        true
    });
    // Its folder is there already: so it cannot be made.
    let chat = ChatName { kind: "group".into(), jids: vec![], display_name: String::new() };
    desk.capture.handle_order(Order::Begin(Box::new(Begin {
        id: desk.id.clone(),
        call: CallNo(9),
        uid: "u-9".into(),
        chat,
        by: String::new(),
        now: at(1_500),
        notices,
    })));
    assert_eq!(*told.lock().unwrap(), [Disk::Refuses(Stop::DiskFailed)]);
    desk.capture.handle_tick(at(3_000).time, Some(at(3_000).time));
    desk.capture.handle_tick(at(4_100).time, Some(at(4_100).time));
    assert_eq!(told.lock().unwrap().last(), Some(&Disk::TakesAnew));
    assert_eq!(told.lock().unwrap().len(), 2);
}

#[test]
fn off_and_on_again_at_once_makes_two_recordings_and_loses_nothing() {
    let mut desk = Desk::open();
    desk.say(1, 11);
    let end = Order::End { call: CALL, now: at(1_210), why: End::RecordOff };
    desk.capture.handle_order(end);
    let next = Id::new(Wall(1_000_000_000));
    desk.capture.handle_order(Order::Begin(Box::new(Begin {
        id: next.clone(),
        call: CALL,
        uid: "u-1".into(),
        chat: ChatName { kind: "group".into(), jids: vec![], display_name: String::new() },
        by: String::new(),
        now: at(1_250),
        notices: Arc::new(|_| true),
    })));
    desk.note(Event::Leg { leg: LEG, jid: "d-anna".into() });
    // Of these the first ones were said before the end, and came late.
    desk.say(9, 9);
    desk.say(11, 31);
    let ended = desk.capture.handle_tick(at(2_050).time, Some(at(2_050).time)).ended;
    assert_eq!(ended, [desk.id.clone()]);
    assert_eq!(packets(&desk.file("track-1.opus")), (1..=10).collect::<Vec<u8>>());
    let former = std::mem::replace(&mut desk.id, next.clone());
    assert_eq!(desk.end(1_700), [next]);
    assert_eq!(packets(&desk.file("track-1.opus")), (13..=30).collect::<Vec<u8>>());
    assert_ne!(former, desk.id);
}

#[test]
fn a_recording_of_a_week_goes_on_in_another() {
    let mut desk = Desk::open();
    let week = crate::limits::RECORD_MAX.as_millis() as u64;
    desk.capture.handle_tick(at(999 + week).time, None);
    assert_eq!(*desk.told.lock().unwrap(), []);
    desk.capture.handle_tick(at(1_000 + week).time, None);
    assert_eq!(*desk.told.lock().unwrap(), [Disk::TakesAnew]);
}

#[test]
fn the_track_of_a_leg_that_is_gone_ends_once_all_it_said_was_heard() {
    let mut desk = Desk::open();
    desk.say(1, 11);
    desk.capture.handle_order(Order::Note {
        call: CALL,
        at: at(1_300).time,
        event: Event::LegLeft { leg: LEG },
    });
    desk.say(11, 14);
    desk.capture.handle_tick(at(1_500).time, Some(at(1_500).time));
    assert_eq!(desk.names(), ["timeline.jsonl.part", "track-1.opus.part"]);
    desk.capture.handle_tick(at(2_150).time, None);
    desk.capture.handle_tick(at(2_200).time, Some(at(2_100).time));
    assert_eq!(desk.names(), ["timeline.jsonl.part", "track-1.opus"]);
    assert_eq!(packets(&desk.file("track-1.opus")).len(), 13);
}

#[test]
fn packets_that_the_recorder_takes_late_are_not_late_to_each_other() {
    let mut desk = Desk::open();
    desk.say(1, 4);
    let packets_in = [5, 4, 6].map(|index| taken(index, 1_000 + index * 20)).to_vec();
    // A slow disk: all of it a second later.
    desk.capture.handle_batch(
        at(2_200).time,
        Batch { packets: packets_in.into_iter().collect(), ..Batch::default() },
    );
    desk.end(2_300);
    assert_eq!(packets(&desk.file("track-1.opus")), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_recording_whose_folder_is_gone_breaks_off_alone() {
    let mut desk = Desk::open();
    desk.say(1, 4);
    std::fs::remove_dir_all(desk.place.path().join(desk.id.as_str())).unwrap();
    desk.note(Event::Leg { leg: 9, jid: "d-boris".into() });
    let boris = Taken { leg: LegId(9), ..taken(5, 1_100).1 };
    let batch = Batch { packets: [(CALL, boris)].into_iter().collect(), ..Batch::default() };
    desk.capture.handle_batch(at(1_100).time, batch);
    assert_eq!(*desk.told.lock().unwrap(), [Disk::Refuses(Stop::DiskFailed)]);
    assert_eq!(desk.capture.disk, Disk::Takes);
}

#[test]
fn a_call_that_found_no_place_begins_once_another_recording_has_ended() {
    let mut desk = Desk::open();
    let stats = desk.capture.stats.clone();
    stats.begin(1).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let notices: Notices = Arc::new(move |disk| {
        heard.lock().unwrap().push(disk);
        true
    });
    desk.capture.handle_order(Order::Wait { call: CallNo(9), notices });
    desk.capture.handle_tick(at(3_000).time, None);
    assert_eq!(*told.lock().unwrap(), []);
    desk.end(4_100);
    desk.capture.handle_tick(at(5_600).time, None);
    assert_eq!(*told.lock().unwrap(), [Disk::TakesAnew]);
}

#[test]
fn one_track_more_than_a_recording_may_have_is_lost_and_counted() {
    let mut desk = Desk::open();
    desk.capture.newest(CALL).unwrap().skip_tracks(crate::limits::RECORD_TRACKS_MAX - 1);
    desk.note(Event::Leg { leg: 9, jid: "d-boris".into() });
    let boris = (CALL, Taken { leg: LegId(9), ..taken(2, 1_040).1 });
    let packets = [taken(1, 1_020), boris.clone(), boris].into_iter().collect();
    desk.capture.handle_batch(at(1_040).time, Batch { packets, ..Batch::default() });
    desk.end(1_100);
    assert_eq!(desk.names(), ["timeline.jsonl", "track-10000.opus"]);
    assert_eq!(desk.capture.stats.read().dropped, 2);
    assert!(desk.events(TIMELINE).contains(&Event::Dropped { packets: 2 }));
}

#[test]
fn lines_that_wait_for_a_full_disk_are_bounded_and_counted() {
    let mut desk = Desk::open();
    let note = Event::Left { jid: "x".repeat(1_000) };
    let more = crate::limits::RECORD_LINES_BYTES_MAX / 1_000;
    (0..more).for_each(|_| desk.note(note.clone()));
    desk.capture.handle_tick(at(1_500).time, None);
    let lost = desk.capture.stats.read().notes_lost;
    assert!((1..100).contains(&lost), "{lost}");
    // Written: there is room again.
    desk.note(note);
    desk.end(1_600);
    assert_eq!(desk.capture.stats.read().notes_lost, lost);
}
