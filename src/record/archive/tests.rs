use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use engine::{Jid, Wall};

use super::*;
use crate::core::test_folder::TestFolder;
use crate::limits::{ARCHIVE_PAGE_MAX, TAGS_MAX};
use crate::record::line::{ChatName, TIMELINE};
use crate::record::report::{FileReport, PersonReport, REPORT};

/// A root of one test, its archive, and anna, who is in the group.
struct House {
    place: TestFolder,
    root: Arc<Root>,
    progress: Arc<Progress>,
    archive: Archive,
    anna: Reader,
}

impl House {
    fn new() -> House {
        let place = TestFolder::new();
        let root = Arc::new(Root::open(place.path()).unwrap());
        let progress = Arc::<Progress>::default();
        let archive = Archive::open(root.clone(), progress.clone()).unwrap();
        House { place, root, progress, archive, anna: reader("d-anna") }
    }

    fn again(self) -> House {
        let House { place, root, progress, archive, anna } = self;
        drop(archive);
        let archive = Archive::open(root.clone(), progress.clone()).unwrap();
        House { place, root, progress, archive, anna }
    }

    /// A finished recording of so many bytes beside its report.
    fn finished(&self, id: &str, chat: &[&str], people: &[&str], bytes: usize) -> Id {
        let (id, report) = (self::id(id), report(id, chat, people));
        let folder = self.root.create(&id).unwrap();
        folder.write("mix.wav", &vec![0; bytes]).unwrap();
        folder.write(REPORT, &serde_json::to_vec(&report).unwrap()).unwrap();
        id
    }

    /// One that is being made.
    fn unfinished(&self, id: &str) -> Id {
        let id = self::id(id);
        let folder = self.root.create(&id).unwrap();
        let line = format!(
            "{{\"at_us\":0,\"kind\":\"recording\",\"version\":1,\"id\":\"{id}\",\"call\":\"c\",\
             \"chat\":{{\"type\":\"group\",\"jids\":[\"g-tea\"],\"display_name\":\"Tea\"}},\
             \"began\":\"{}\",\"by\":\"\"}}\n",
            began(id.as_str())
        );
        let path = folder.path().join(format!("{TIMELINE}.part"));
        std::fs::write(path, line).unwrap();
        id
    }

    fn list(&self, query: &Query) -> Vec<String> {
        let page = self.archive.list(query, &self.anna).unwrap();
        page.entries.iter().map(|entry| entry.id.to_string()).collect()
    }

    fn all(&self) -> Vec<String> {
        self.list(&Query::default())
    }

    fn file(&self, path: &str) -> std::path::PathBuf {
        self.place.path().join(path)
    }
}

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn jid(text: &str) -> Option<Jid> {
    Jid::parse(text)
}

fn reader(who: &str) -> Reader {
    Reader { jid: jid(who).unwrap(), groups: vec![jid("g-tea").unwrap()] }
}

fn tags(texts: &[&str]) -> Option<Tags> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    Some(Tags::try_from(texts).unwrap())
}

/// `20260302-..` began on that day at midnight.
fn began(id: &str) -> String {
    format!("{}-{}-{}T00:00:00.000000Z", &id[..4], &id[4..6], &id[6..8])
}

fn report(id: &str, chat: &[&str], people: &[&str]) -> Report {
    let kind = if chat.len() == 2 { "direct" } else { "group" };
    let person = |name: &&str| PersonReport {
        jid: format!("d-{}", name.to_lowercase()),
        display_name: (*name).to_owned(),
        no_record: false,
        present: Vec::new(),
        muted: Vec::new(),
        told_ms: Vec::new(),
        talked_ms: 1_500,
    };
    Report {
        version: 1,
        id: id.to_owned(),
        call: format!("call-{id}"),
        chat: ChatName {
            kind: kind.to_owned(),
            jids: chat.iter().map(|jid| (*jid).to_owned()).collect(),
            display_name: if kind == "group" { "Tea".to_owned() } else { String::new() },
        },
        began: began(id),
        ended: began(id).replace("T00:00", "T00:01"),
        duration_ms: 60_000,
        by: String::new(),
        why_ended: "record_off".to_owned(),
        people: people.iter().map(person).collect(),
        segments: Vec::new(),
        gaps: Vec::new(),
        stops: Vec::new(),
        dropped_packets: 0,
        tracks: Vec::new(),
        files: vec![FileReport { name: "mix.wav".to_owned(), bytes: 4, sha256: "ab".repeat(32) }],
    }
}

const DIRECT: [&str; 2] = ["d-anna", "d-boris"];
const OTHERS: [&str; 2] = ["d-boris", "d-clara"];
const TEA: [&str; 1] = ["g-tea"];
const OTHER_GROUP: [&str; 1] = ["g-coffee"];

#[test]
fn one_sees_his_groups_and_his_direct_chats_and_no_others() {
    let house = House::new();
    house.finished("20260101-a", &TEA, &["Clara"], 0);
    house.finished("20260102-b", &DIRECT, &["Anna", "Boris"], 0);
    house.finished("20260103-c", &OTHERS, &["Boris", "Clara"], 0);
    house.finished("20260104-d", &OTHER_GROUP, &["Anna"], 0);
    assert_eq!(house.all(), ["20260102-b", "20260101-a"]);
    let chat = |chat| Query { chat: jid(chat), ..Query::default() };
    assert_eq!(house.list(&chat("d-boris")), ["20260102-b"]);
    assert_eq!(house.list(&chat("g-tea")), ["20260101-a"]);
    for nothing in ["d-anna", "d-clara", "g-coffee"] {
        assert!(house.list(&chat(nothing)).is_empty(), "{nothing}");
    }
}

#[test]
fn each_filter_leaves_what_it_says() {
    let house = House::new();
    house.finished("20260101-a", &TEA, &["Жанна", "100% Bob_", "Vera"], 0);
    house.finished("20260202-b", &DIRECT, &["Anna", "Boris"], 0);
    let b = house.archive.entry(&id("20260202-b")).unwrap().unwrap();
    let change = Change { tags: tags(&["Продажи", "x"]), favourite: Some(true) };
    let marked = house.archive.mark(&b.id, change).unwrap().unwrap();
    assert!(marked.bytes > b.bytes, "the file of marks is counted");
    let wall = |days: i64| Some(Wall((20_454 + days) * 86_400_000_000_000));
    let query = Query::default;
    let text = |text: &str| Query { text: Some(text.to_owned()), ..query() };
    let tag = |tag: &str| Query { tag: Some(tag.to_owned()), ..query() };
    let (a, b) = (["20260101-a"].as_slice(), ["20260202-b"].as_slice());
    for (query, found) in [
        (Query { person: jid("d-vera"), ..query() }, a),
        (Query { person: jid("d-boris"), ..query() }, b),
        (Query { person: jid("d-nobody"), ..query() }, &[]),
        // 2026-01-01 is day 20454.
        (Query { from: wall(0), to: wall(1), ..query() }, a),
        (Query { from: wall(1), ..query() }, b),
        (Query { to: wall(0), ..query() }, &[]),
        (text("жАНН"), a),
        (text("tEA"), a),
        (text("0% b"), a),
        (text("%"), a),
        (text("_"), a),
        (text("ORI"), b),
        (text("'"), &[]),
        (tag("продажи"), b),
        (tag("X"), b),
        (tag("прод"), &[]),
        (Query { favourite: Some(true), ..query() }, b),
        (Query { favourite: Some(false), ..query() }, a),
    ] {
        assert_eq!(house.list(&query), found, "{query:?}");
    }
}

#[test]
fn pages_follow_each_other_without_a_gap_and_end() {
    let house = House::new();
    for day in 10..=14 {
        house.finished(&format!("202601{day}-a"), &TEA, &[], 0);
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let limit = Limit::new(2).unwrap();
        let query = Query { limit, before, ..Query::default() };
        let page = house.archive.list(&query, &house.anna).unwrap();
        seen.push(page.entries.len());
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, [2, 2, 1]);
    let limit = Limit::new(5).unwrap();
    let page = house.archive.list(&Query { limit, ..Query::default() }, &house.anna).unwrap();
    assert_eq!((page.entries.len(), page.next), (5, None));
    assert!(Limit::new(ARCHIVE_PAGE_MAX + 1).is_none());
}

#[test]
fn what_is_being_made_is_shown_with_its_state_until_it_is_ready() {
    let house = House::new();
    let id = house.unfinished("20260301-a");
    let state = || house.archive.entry(&id).unwrap().unwrap().state;
    assert_eq!(state(), State::Recording);
    house.progress.set(&id, State::Finishing { percent: 30 });
    assert_eq!(state(), State::Finishing { percent: 30 });
    let folder = house.root.folder(&id).unwrap();
    std::fs::rename(
        folder.path().join("timeline.jsonl.part"),
        folder.path().join("timeline.jsonl"),
    )
    .unwrap();
    house.progress.set(&id, State::Failed);
    assert_eq!(state(), State::Failed);
    house.progress.set(&id, State::Ready);
    assert_eq!(state(), State::Finishing { percent: 0 }, "as an earlier run left it");
    let finished = report("20260301-a", &TEA, &["Anna"]);
    folder.write(REPORT, &serde_json::to_vec(&finished).unwrap()).unwrap();
    house.archive.put(&finished).unwrap();
    let entry = house.archive.entry(&id).unwrap().unwrap();
    assert_eq!((entry.state, entry.people.len()), (State::Ready, 1));
    assert_eq!(house.archive.sha256(&id, "mix.wav").unwrap(), Some("ab".repeat(32)));
    assert_eq!(house.archive.sha256(&id, "call.json").unwrap(), None);
}

#[test]
fn a_folder_without_a_first_line_or_with_nonsense_is_not_listed() {
    let house = House::new();
    house.root.create(&id("20260101-a")).unwrap();
    for (number, nonsense) in ["{", "null", r#"{"version":1}"#].into_iter().enumerate() {
        let folder = house.root.create(&id(&format!("20260102-{number}"))).unwrap();
        folder.write(REPORT, nonsense.as_bytes()).unwrap();
    }
    let folder = house.root.create(&id("20260103-a")).unwrap();
    folder.write(TIMELINE, b"{\"at_us\":0,\"kind\":\"resumed\"}\n").unwrap();
    let folder = house.root.create(&id("20260104-a")).unwrap();
    symlink("/etc/hostname", folder.path().join(REPORT)).unwrap();
    house.finished("20260105-a", &TEA, &[], 0);
    assert_eq!(house.all(), ["20260105-a"]);
    assert_eq!(house.all(), ["20260105-a"]);
}

#[test]
fn the_index_follows_folders_that_come_and_go_by_hand() {
    let house = House::new();
    house.finished("20260101-a", &TEA, &[], 0);
    let folder = house.root.folder(&id("20260101-a")).unwrap();
    assert_eq!(house.all(), ["20260101-a"]);
    std::fs::rename(folder.path(), house.file("20260102-b")).unwrap();
    assert!(house.archive.entry(&id("20260101-a")).unwrap().is_none());
    assert_eq!(house.all(), ["20260102-b"]);
}

#[test]
fn a_lost_or_garbled_index_is_made_anew_with_tags_and_favourites() {
    let house = House::new();
    let one = house.finished("20260101-a", &TEA, &["Anna"], 3);
    house.finished("20260102-b", &DIRECT, &["Anna", "Boris"], 0);
    house.unfinished("20260103-c");
    let change = Change { tags: tags(&["b", "a"]), favourite: Some(true) };
    house.archive.mark(&one, change).unwrap();
    let listed = |house: &House| house.archive.list(&Query::default(), &house.anna).unwrap();
    let before = listed(&house);
    let index = house.file(INDEX);
    assert_eq!(index.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let lose = |house: House, content: Option<&[u8]>| {
        let House { place, root, progress, archive, anna } = house;
        drop(archive);
        match content {
            Some(content) => std::fs::write(place.path().join(INDEX), content).unwrap(),
            None => std::fs::remove_file(place.path().join(INDEX)).unwrap(),
        }
        let archive = Archive::open(root.clone(), progress.clone()).unwrap();
        House { place, root, progress, archive, anna }
    };
    let house = lose(house, None);
    assert_eq!(listed(&house), before);
    let house = lose(house, Some(&b"no database at all".repeat(100)));
    assert_eq!(listed(&house), before);
    let mut torn = std::fs::read(&index).unwrap();
    torn.iter_mut().skip(4_096).for_each(|byte| *byte = 0xa5);
    let house = lose(house, Some(&torn));
    assert_eq!(listed(&house), before);
    let mut steps = Vec::new();
    house.archive.rebuild(&mut |step| steps.push((step.done, step.all))).unwrap();
    assert_eq!((listed(&house), steps), (before, vec![(1, 3), (2, 3), (3, 3)]));
    assert_eq!(index.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_rebuild_beside_a_running_server_is_seen_by_it() {
    let house = House::new();
    let id = house.finished("20260101-a", &TEA, &[], 0);
    assert_eq!(house.all(), ["20260101-a"]);
    let marks = Marks { tags: tags(&["by hand"]).unwrap(), favourite: false };
    marks.write(&house.root.folder(&id).unwrap()).unwrap();
    let other = Archive::open(house.root.clone(), Arc::default()).unwrap();
    other.rebuild(&mut |_| {}).unwrap();
    let tag = Some("by hand".to_owned());
    assert_eq!(house.list(&Query { tag, ..Query::default() }), ["20260101-a"]);
}

#[test]
fn marks_change_one_by_one_and_stay_within_their_bounds() {
    let house = House::new();
    let id = house.finished("20260101-a", &TEA, &[], 0);
    let most: Vec<String> = (0..TAGS_MAX).map(|number| format!("tag {number}")).collect();
    let most = Tags::try_from(most).unwrap();
    let mark = |change| house.archive.mark(&id, change).unwrap().unwrap().marks;
    mark(Change { tags: Some(most.clone()), favourite: None });
    let marks = mark(Change { tags: None, favourite: Some(true) });
    assert_eq!(marks, Marks { tags: most, favourite: true });
    let marks = mark(Change { tags: tags(&[]), favourite: None });
    assert_eq!(marks, Marks { tags: Tags::default(), favourite: true });
    let unknown = Id::parse("unknown").unwrap();
    assert!(house.archive.mark(&unknown, Change::default()).unwrap().is_none());
    assert_eq!(house.archive.entry(&id).unwrap().unwrap().marks, marks);
}

#[test]
fn deleting_leaves_a_tombstone_and_nothing_else() {
    let house = House::new();
    let id = house.finished("20260101-a", &DIRECT, &["Anna"], 9);
    let deleted = house.archive.delete(Wall(0), &id, "d-anna", Why::Asked).unwrap();
    assert_eq!(deleted, Deletion::Gone);
    assert!(house.all().is_empty() && !house.file("20260101-a").exists());
    let again = house.archive.delete(Wall(0), &id, "d-anna", Why::Asked).unwrap();
    assert_eq!(again, Deletion::Unknown);
    let stone = std::fs::read_to_string(house.file("deleted.jsonl")).unwrap();
    assert_eq!(
        stone,
        "{\"id\":\"20260101-a\",\"when\":\"1970-01-01T00:00:00.000000Z\",\"by\":\"d-anna\",\
         \"chat\":[\"d-anna\",\"d-boris\"],\"why\":\"asked\"}\n"
    );
}

#[test]
fn what_is_being_made_or_finished_is_not_deleted_and_what_failed_is() {
    let house = House::new();
    let id = house.unfinished("20260101-a");
    let delete = || house.archive.delete(Wall(0), &id, "", Why::Asked).unwrap();
    assert_eq!(delete(), Deletion::Busy);
    house.progress.set(&id, State::Finishing { percent: 99 });
    assert_eq!(delete(), Deletion::Busy);
    house.progress.set(&id, State::Failed);
    assert_eq!(delete(), Deletion::Gone);
    assert_eq!(house.progress.state(&id), None);
}

#[test]
fn a_deletion_that_was_cut_off_ends_at_the_next_start() {
    let house = House::new();
    let id = house.finished("20260101-a", &TEA, &[], 0);
    // A folder in it, which is none of ours, cannot be taken away.
    let planted = house.file("20260101-a").join("planted");
    std::fs::create_dir(&planted).unwrap();
    assert!(house.archive.delete(Wall(0), &id, "", Why::Asked).is_err());
    assert!(house.all().is_empty(), "its stone is set");
    let house = house.again();
    assert!(house.all().is_empty() && planted.exists());
    std::fs::remove_dir(planted).unwrap();
    let house = house.again();
    assert!(house.all().is_empty() && !house.file("20260101-a").exists());
}

#[test]
fn retention_takes_the_oldest_and_leaves_favourites_and_what_is_not_finished() {
    let house = House::new();
    let oldest = house.finished("20260101-a", &TEA, &[], 10_000);
    house.finished("20260102-b", &TEA, &[], 10_000);
    house.finished("20260103-c", &OTHERS, &[], 10_000);
    house.unfinished("20260103-d");
    house.finished("20260110-e", &TEA, &[], 10_000);
    let favourite = Change { tags: None, favourite: Some(true) };
    house.archive.mark(&oldest, favourite).unwrap();
    let now = Wall((20_454 + 10) * 86_400_000_000_000);
    let expire = |days, bytes| {
        let gone = house.archive.expire(now, &Retention { days, bytes }).unwrap();
        gone.iter().map(Id::to_string).collect::<Vec<_>>()
    };
    assert!(expire(0, 0).is_empty());
    // The second day began nine days ago to the moment: it is not older than that.
    assert!(expire(9, 0).is_empty());
    assert_eq!(expire(8, 0), ["20260102-b"]);
    assert!(expire(0, 40_000).is_empty());
    assert_eq!(expire(0, 25_000), ["20260103-c"]);
    assert_eq!(expire(0, 1), ["20260110-e"]);
    assert!(expire(u32::MAX, 0).is_empty());
    assert_eq!(house.all(), ["20260103-d", "20260101-a"]);
    let stones = std::fs::read_to_string(house.file("deleted.jsonl")).unwrap();
    let why = |word: &str| stones.matches(&format!("\"why\":\"{word}\"")).count();
    assert_eq!((why("age"), why("size")), (1, 2));
}

#[test]
fn retention_waits_for_what_is_finished_anew() {
    let house = House::new();
    let id = house.finished("20260101-a", &TEA, &[], 10_000);
    house.progress.set(&id, State::Finishing { percent: 1 });
    let retention = Retention { days: 1, bytes: 1 };
    assert!(house.archive.expire(Wall(i64::MAX), &retention).unwrap().is_empty());
    house.progress.set(&id, State::Ready);
    assert_eq!(house.archive.expire(Wall(i64::MAX), &retention).unwrap(), [id]);
}

#[test]
fn nothing_that_is_planted_in_the_root_is_followed() {
    let place = TestFolder::new();
    let secret = place.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let root = Arc::new(Root::open(&place.path().join("recordings")).unwrap());
    for name in [INDEX, "deleted.jsonl"] {
        let link = root.path().join(name);
        symlink(&secret, &link).unwrap();
        assert!(Archive::open(root.clone(), Arc::default()).is_err(), "{name}");
        std::fs::remove_file(link).unwrap();
    }
    assert_eq!(std::fs::read_to_string(Path::new(&secret)).unwrap(), "secret");
}
