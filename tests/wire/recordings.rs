//! Recordings as the examples show them: one that is being made, and one that is ready.

use voxhall::record::line::ChatName;
use voxhall::record::report::{
    FileReport, GapReport, PersonReport, Report, Segment, Span, StopReport, TrackReport,
};
use voxhall::wire::recordings::{
    RecordedChat, RecordedPerson, RecordingHead, RecordingSummary, RecordingView, Recordings,
};
use voxhall::wire::time;

use crate::server::BEGAN;
use crate::{ANNA, BORIS, CALL, DIRECT, LOBBY};

const SECOND: i64 = 1_000_000_000;
const ID: &str = "20260302-093020-1a2b3c4d";

pub fn list() -> Recordings {
    let people = vec![person(ANNA, "Anna", 4_180), person(BORIS, "Boris", 0)];
    let ready = RecordingSummary { head: head(), people };
    Recordings { recordings: vec![being_made(), ready], next: Some(ID.to_owned()) }
}

pub fn one() -> RecordingView {
    RecordingView::of(head(), report())
}

fn being_made() -> RecordingSummary {
    let chat =
        RecordedChat { jid: BORIS.to_owned(), kind: "direct", display_name: "Boris".to_owned() };
    let head = RecordingHead {
        id: "20260302-094102-7c1f0b9e".to_owned(),
        call: DIRECT.to_owned(),
        chat,
        began: time::format(BEGAN + 647 * SECOND),
        ended: None,
        duration_ms: 0,
        tags: Vec::new(),
        favourite: false,
        bytes: 81_920,
        state: "recording",
        progress: 0,
    };
    RecordingSummary { head, people: Vec::new() }
}

fn head() -> RecordingHead {
    let chat =
        RecordedChat { jid: LOBBY.to_owned(), kind: "group", display_name: "Lobby".to_owned() };
    RecordingHead {
        id: ID.to_owned(),
        call: CALL.to_owned(),
        chat,
        began: time::format(BEGAN + 5 * SECOND),
        ended: Some(time::format(BEGAN + 65 * SECOND)),
        duration_ms: 60_000,
        tags: vec!["planning".to_owned()],
        favourite: true,
        bytes: 6_303_744,
        state: "ready",
        progress: 100,
    }
}

fn person(jid: &str, display_name: &str, talked_ms: u64) -> RecordedPerson {
    RecordedPerson { jid: jid.to_owned(), display_name: display_name.to_owned(), talked_ms }
}

fn report() -> Report {
    let anna = PersonReport {
        jid: ANNA.to_owned(),
        display_name: "Anna".to_owned(),
        no_record: false,
        present: vec![Span { from_ms: 0, to_ms: 60_000 }],
        muted: Vec::new(),
        told_ms: vec![2],
        talked_ms: 4_180,
    };
    let boris = PersonReport {
        jid: BORIS.to_owned(),
        display_name: "Boris".to_owned(),
        no_record: true,
        present: vec![Span { from_ms: 0, to_ms: 48_200 }],
        muted: vec![Span { from_ms: 0, to_ms: 30_100 }],
        told_ms: vec![2],
        talked_ms: 0,
    };
    let (kind, jids) = ("group".to_owned(), vec![LOBBY.to_owned()]);
    let sha256 = "9dd2073c71a6db10457aafe4194e83b8ed22578cc1f62b6095caff34699ed308".to_owned();
    Report {
        version: 1,
        id: ID.to_owned(),
        call: CALL.to_owned(),
        chat: ChatName { kind, jids, display_name: "Lobby".to_owned() },
        began: time::format(BEGAN + 5 * SECOND),
        ended: time::format(BEGAN + 65 * SECOND),
        duration_ms: 60_000,
        by: ANNA.to_owned(),
        why_ended: "record_off".to_owned(),
        people: vec![anna, boris],
        segments: vec![Segment {
            jid: ANNA.to_owned(),
            from_ms: 1_240,
            to_ms: 5_420,
            level_dbov: 31,
        }],
        gaps: vec![GapReport { file: "track-1.opus".to_owned(), from_ms: 9_300, to_ms: 9_620 }],
        stops: vec![StopReport { from_ms: 40_000, to_ms: 42_000, why: "disk_floor".to_owned() }],
        dropped_packets: 0,
        tracks: vec![track()],
        files: vec![FileReport { name: "mix.wav".to_owned(), bytes: 5_760_044, sha256 }],
    }
}

fn track() -> TrackReport {
    TrackReport {
        file: "track-1.opus".to_owned(),
        jid: ANNA.to_owned(),
        from_ms: 120,
        to_ms: 60_000,
        packets: 2_978,
        lost_ms: 320,
        late: 1,
        clock: vec![(0, 120_000), (240_000, 5_120_037)],
    }
}
