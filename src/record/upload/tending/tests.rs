use engine::Wall;

use super::*;
use crate::config::{self, StoreUrl};
use crate::core::test_folder::TestFolder;
use crate::record::archive::{Archive, Deletion, Why};
use crate::record::line::ChatName;
use crate::record::progress::Progress;
use crate::record::report::Report;
use crate::record::store::Root;
use crate::record::upload::depot::Depot;
use crate::record::upload::ledger::{Held, Stage, UPLOAD};
use crate::record::upload::take_away;

const LONG_AGO: &str = "2016-02-02T11:00:00.000000Z";

/// A finished recording, and what is asked about it; nobody talks to its store.
struct Case {
    _place: TestFolder,
    spec: Spec,
    id: Id,
}

impl Case {
    fn new(keep_local_days: u32) -> Case {
        let place = TestFolder::new();
        let root = Arc::new(Root::open(place.path()).unwrap());
        let bucket = "calls".to_owned();
        let section = config::Archive {
            url: StoreUrl::S3 { bucket, prefix: String::new() },
            access_key_id: "id".to_owned(),
            secret_access_key: "secret".to_owned(),
            ..config::Archive::default()
        };
        let depot = Arc::new(Depot::open(&section).unwrap().unwrap());
        let id = Id::new(Wall(0));
        let folder = root.create(&id).unwrap();
        folder.write("mix.wav", b"sound").unwrap();
        folder.write(REPORT, &serde_json::to_vec(&report(&id)).unwrap()).unwrap();
        let went = Box::new(|_: &Id| {});
        Case { _place: place, spec: Spec { root, depot, keep_local_days, went }, id }
    }

    fn folder(&self) -> Folder {
        self.spec.root.folder(&self.id).unwrap()
    }

    fn task(&self) -> Task {
        task(&self.spec, &self.id, &self.folder()).unwrap()
    }

    fn note(&self, confirmed: Option<&str>) -> Ledger {
        let stage = Stage::Confirmed;
        let mut ledger = Ledger::new("s3://calls");
        ledger.confirmed = confirmed.map(str::to_owned);
        let held = Held { bytes: 5, sha256: "ab".repeat(32), stage };
        ledger.files.insert("mix.wav".to_owned(), held);
        ledger.write(&self.folder()).unwrap();
        ledger
    }

    fn delete(&self) {
        let archive = self.archive();
        let done = archive.delete(Wall(0), &self.id, "d-anna", Why::Asked).unwrap();
        assert_eq!(done, Deletion::Gone);
    }

    fn archive(&self) -> Archive {
        Archive::open(self.spec.root.clone(), Arc::<Progress>::default()).unwrap()
    }
}

fn report(id: &Id) -> Report {
    let chat = ChatName {
        kind: "group".to_owned(),
        jids: vec!["g-tea".to_owned()],
        display_name: String::new(),
    };
    Report {
        version: 1,
        id: id.to_string(),
        call: "call".to_owned(),
        chat,
        began: "1970-01-01T00:00:00.000000Z".to_owned(),
        ended: "1970-01-01T00:01:00.000000Z".to_owned(),
        duration_ms: 60_000,
        by: String::new(),
        why_ended: "record_off".to_owned(),
        people: Vec::new(),
        segments: Vec::new(),
        gaps: Vec::new(),
        stops: Vec::new(),
        dropped_packets: 0,
        tracks: Vec::new(),
        files: Vec::new(),
    }
}

#[test]
fn what_is_ready_is_sent_until_all_of_it_is_confirmed() {
    let case = Case::new(0);
    assert_eq!(case.task(), Task::Send);
    case.folder().write(TODO, b"").unwrap();
    assert_eq!(case.task(), Task::Nothing, "its hook has not run");
    case.folder().discard(TODO).unwrap();
    case.note(None);
    assert_eq!(case.task(), Task::Send);
    case.note(Some(LONG_AGO));
    assert_eq!(case.task(), Task::Nothing, "sound stays for ever");
}

#[test]
fn sound_may_go_once_its_days_are_over() {
    let case = Case::new(1);
    case.note(Some(&time::format(clock::wall().as_nanos())));
    assert_eq!(case.task(), Task::Nothing);
    let ledger = case.note(Some(LONG_AGO));
    assert_eq!(case.task(), Task::Retire(ledger));
    case.folder().discard("mix.wav").unwrap();
    assert_eq!(case.task(), Task::Nothing);
    let never = Case::new(u32::MAX);
    never.note(Some(LONG_AGO));
    assert_eq!(never.task(), Task::Nothing);
}

#[test]
fn what_is_deleted_here_is_undone_there_and_only_what_is_deleted() {
    let case = Case::new(0);
    let ledger = case.note(Some(LONG_AGO));
    case.folder().discard(REPORT).unwrap();
    assert_eq!(case.task(), Task::Nothing, "somebody has it finished anew");
    case.folder().write(REPORT, &serde_json::to_vec(&report(&case.id)).unwrap()).unwrap();
    case.delete();
    assert_eq!(case.folder().names().unwrap(), [UPLOAD]);
    assert_eq!(case.task(), Task::Undo(ledger.clone()));
    let again = case.archive();
    assert!(again.entry(&case.id).unwrap().is_none(), "it is listed no more");
    assert_eq!(case.task(), Task::Undo(ledger), "the next start leaves its ledger");
}

#[test]
fn a_folder_without_a_ledger_goes_at_once() {
    let case = Case::new(0);
    take_away(&case.spec.root, &case.id).unwrap();
    assert!(case.spec.root.ids().unwrap().is_empty());
}

#[test]
fn the_sound_of_a_recording_is_its_mixes_and_tracks() {
    for name in ["mix.wav", "mix-2.wav", "mix.opus", "track-1.opus"] {
        assert!(is_sound(name), "{name}");
    }
    for name in ["call.json", "peaks.json", "timeline.jsonl", "speakers.vtt", "mixed.txt"] {
        assert!(!is_sound(name), "{name}");
    }
}
