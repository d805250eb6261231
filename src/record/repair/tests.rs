use super::*;
use crate::core::test_folder::TestFolder;
use crate::record::capture::tests::{Desk, at};
use crate::record::history::{Ending, History};
use crate::record::store::Root;

/// A recording that was cut off: its folder's files, as they lay there.
fn cut_off() -> Vec<(String, Vec<u8>)> {
    let mut desk = Desk::open();
    for second in 0..4 {
        desk.say(second * 50 + 1, second * 50 + 51);
        let now = at(2_000 + second * 1_000).time;
        desk.capture.handle_tick(now, Some(now));
    }
    let folder = Root::open(desk.place.path()).unwrap().folder(&desk.id).unwrap();
    let names = folder.names().unwrap();
    names.into_iter().map(|name| (name.clone(), folder.read(&name, 1 << 20).unwrap())).collect()
}

fn laid(files: &[(String, Vec<u8>)]) -> (TestFolder, Folder) {
    let place = TestFolder::new();
    let root = Root::open(place.path()).unwrap();
    let folder = root.create(&crate::record::store::Id::new(engine::Wall(0))).unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    (place, folder)
}

/// Whatever it found: afterwards all that is there is whole, and once more changes nothing.
fn is_whole(folder: &Folder) {
    let names = folder.names().unwrap();
    assert!(names.iter().all(|name| !name.ends_with(PART)) || !folder.has(TIMELINE), "{names:?}");
    for name in names.iter().filter(|name| track_number(name).is_some()) {
        let mut reader = ogg::Reader::open(folder.open(name).unwrap()).unwrap();
        while reader.packet().unwrap().is_some() {}
        let content = folder.read(name, 1 << 20).unwrap();
        let (mut pages, mut is_last) = (Pages::new(&*content), false);
        while let Some(page) = pages.page().unwrap() {
            is_last = page.is_last;
        }
        assert!(is_last, "{name} has no last page");
    }
    if folder.has(TIMELINE) {
        History::read(folder).unwrap();
    }
}

/// Refused is only what has voices and no beginning, and then nothing is taken away.
fn is_mended_or_refused(folder: &Folder) {
    if let Err(fault) = repair(folder) {
        assert_eq!(fault.kind(), io::ErrorKind::InvalidData, "{fault}");
        let names = folder.names().unwrap();
        assert!(names.iter().any(|name| track_number(name).is_some()), "{names:?}");
    }
    is_whole(folder);
}

#[test]
fn voices_without_a_beginning_are_kept_for_somebody_to_look_at() {
    let mut files = cut_off();
    files[0].1[..20].fill(0);
    let (_place, folder) = laid(&files);
    assert_eq!(repair(&folder).unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(folder.has("track-1.opus") && folder.has("timeline.jsonl.part"));
}

#[test]
fn a_garbled_line_takes_nothing_else_with_it() {
    let mut files = cut_off();
    let text = String::from_utf8(files[0].1.clone()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(2, "{\"at_us\": 12, \"kin");
    files[0].1 = (lines.join("\n") + "\n").into_bytes();
    let (_place, folder) = laid(&files);
    repair(&folder).unwrap();
    let history = History::read(&folder).unwrap();
    assert_eq!(history.tracks.len(), 1);
    assert!(!history.tracks[0].points.is_empty());
}

#[test]
fn a_cut_off_recording_is_mended_once_and_says_so() {
    let mut files = cut_off();
    let torn = files[1].1.len() - 3;
    files[1].1.truncate(torn);
    files[0].1.extend(b"{\"at_us\":99");
    files.push(("mix.wav.part".into(), b"half of it".to_vec()));
    let (_place, folder) = laid(&files);
    let Repaired::Mended { cut_bytes } = repair(&folder).unwrap() else { panic!("mended") };
    assert!(cut_bytes > 11, "{cut_bytes}");
    assert_eq!(folder.names().unwrap(), ["timeline.jsonl", "track-1.opus"]);
    assert_eq!(repair(&folder).unwrap(), Repaired::Whole);
    is_whole(&folder);
    let history = History::read(&folder).unwrap();
    assert_eq!(history.ending, Ending::CutOff);
    assert!((2_900_000..3_000_000).contains(&history.duration_us), "{}", history.duration_us);
}

#[test]
fn a_recording_of_nothing_is_empty() {
    let mut files = cut_off();
    files[0].1.truncate(20);
    files[1].1.truncate(60);
    let (_place, folder) = laid(&files);
    assert_eq!(repair(&folder).unwrap(), Repaired::Empty);
}

#[test]
fn files_cut_at_any_byte_are_mended() {
    let whole = cut_off();
    for at in (0..whole[1].1.len()).step_by(37) {
        let mut files = whole.clone();
        files[1].1.truncate(at);
        files[0].1.truncate(at / 4);
        let (_place, folder) = laid(&files);
        is_mended_or_refused(&folder);
    }
}

/// A fuzzer's rounds: `VOXHALL_FUZZ_ROUNDS=200000 cargo test --release --lib fuzz`.
#[test]
fn fuzz_whatever_lies_there_is_mended_or_refused() {
    let rounds = std::env::var("VOXHALL_FUZZ_ROUNDS").ok().and_then(|it| it.parse().ok());
    let (whole, mut seed) = (cut_off(), 0x9e37_79b9_u64);
    let mut draw = |most: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize % most.max(1)
    };
    for _ in 0..rounds.unwrap_or(300) {
        let mut files = whole.clone();
        for _ in 0..1 + draw(4) {
            let content = &mut files[draw(2)].1;
            if content.is_empty() {
                continue;
            }
            let (at, length) = (draw(content.len()), draw(content.len()));
            match draw(5) {
                0 => content[at] = draw(256) as u8,
                1 => content.truncate(at),
                2 => drop(content.drain(at..(at + length).min(content.len()))),
                3 => {
                    let piece = content[at..(at + length % 400).min(content.len())].to_vec();
                    let to = draw(content.len());
                    content.splice(to..to, piece);
                }
                _ => content[at..].fill(0),
            }
        }
        let (_place, folder) = laid(&files);
        is_mended_or_refused(&folder);
    }
}
