//! `timeline.jsonl`: what happened while a call was recorded, a line each, written as it happens.
//! All that is derived later (mix, call.json, who spoke when) is made of these and the tracks.
//! docs/recordings.md is this file in words.

use serde::{Deserialize, Serialize};

/// Of the whole layout of a recording.
pub const VERSION: u32 = 1;

/// The file's name.
pub const TIMELINE: &str = "timeline.jsonl";

/// What it is called while the recording is being made, or was cut off.
pub const TIMELINE_PART: &str = "timeline.jsonl.part";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Microseconds since the recording began, by the server's clock that never jumps.
    pub at_us: u64,
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The first line.
    Recording {
        version: u32,
        id: String,
        /// The call's uid.
        call: String,
        chat: ChatName,
        /// Wall clock, in the product's time format.
        began: String,
        /// Who asked for it, `""` for the rule that records every call.
        by: String,
    },
    /// Somebody is in the call: by then, or from then on.
    Joined {
        jid: String,
        display_name: String,
        no_record: bool,
        muted: bool,
    },
    /// A device's media connection, by its number.
    Leg {
        leg: u64,
        jid: String,
    },
    /// That connection is over.
    LegLeft {
        leg: u64,
    },
    Left {
        jid: String,
    },
    Muted {
        jid: String,
        /// Himself, or who muted all.
        by: String,
    },
    Unmuted {
        jid: String,
    },
    /// His devices were sent the state that says that the call is recorded.
    Told {
        jid: String,
    },
    /// The server heard a voice begin, as loud as that, or cease (`null`).
    Talking {
        leg: u64,
        level_dbov: Option<u8>,
    },
    /// `track-<n>.opus` begins.
    Track {
        track: u32,
        leg: u64,
        jid: String,
    },
    /// That sample of the track was said at this line's time.
    Clock {
        track: u32,
        sample: u64,
        /// Another clock than before: a new SSRC, or timestamps that were set anew.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
    },
    /// Packets are missing for longer than can be concealed.
    Gap {
        track: u32,
        sample: u64,
        samples: u64,
    },
    TrackEnded {
        track: u32,
        samples: u64,
    },
    /// What was counted of a track until then.
    TrackCounts {
        track: u32,
        packets: u64,
        /// Samples that stand for packets that were lost on the way.
        lost_samples: u64,
        /// Packets that came too late.
        late: u64,
    },
    /// Packets that the recorder had no time for.
    Dropped {
        packets: u64,
    },
    /// The disk takes nothing more; the call goes on unrecorded.
    Stopped {
        why: Stop,
    },
    Resumed,
    /// The last line.
    Ended {
        why: End,
        /// Wall clock.
        ended: String,
    },
    /// The last line of a recording that was cut off.
    Repaired {
        /// Bytes behind the last whole page or line, taken away.
        cut_bytes: u64,
    },
    /// A line of a later version.
    #[serde(other)]
    Unknown,
}

/// The chat whose call it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatName {
    /// `direct` or `group`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The group's, or the two people's.
    pub jids: Vec<String>,
    pub display_name: String,
}

/// Why a recording takes nothing for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Less is free than the floor that the operator set.
    DiskFloor,
    DiskFull,
    DiskFailed,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Somebody switched it off.
    RecordOff,
    CallFinished,
    /// The server was stopped.
    Shutdown,
}

impl End {
    pub const fn label(self) -> &'static str {
        match self {
            End::RecordOff => "record_off",
            End::CallFinished => "call_finished",
            End::Shutdown => "shutdown",
        }
    }
}

impl Stop {
    pub const fn label(self) -> &'static str {
        match self {
            Stop::DiskFloor => "disk_floor",
            Stop::DiskFull => "disk_full",
            Stop::DiskFailed => "disk_failed",
        }
    }
}

impl Line {
    /// As it stands in the file, its end included.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string(self).expect("a line has text keys and plain values");
        text.push('\n');
        text
    }
}

/// All lines of a timeline; what is no line is left out and counted.
pub fn read(text: &[u8]) -> (Vec<Line>, usize) {
    let parsed = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (mut lines, mut garbled) = (Vec::new(), 0);
    for line in parsed {
        match serde_json::from_slice(line) {
            Ok(line) => lines.push(line),
            Err(_) => garbled += 1,
        }
    }
    (lines, garbled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_it_was_written() {
        let event = Event::Clock { track: 3, sample: 96_000, anew: false };
        let line = Line { at_us: 2_000_450, event };
        let text = line.to_text();
        assert_eq!(text, "{\"at_us\":2000450,\"kind\":\"clock\",\"track\":3,\"sample\":96000}\n");
        assert_eq!(read(text.as_bytes()), (vec![line], 0));
    }

    #[test]
    fn lines_of_later_versions_and_torn_ones_harm_nobody() {
        let later = "{\"at_us\":1,\"kind\":\"weather\",\"sunny\":true}\n";
        let text = format!("{later}{{\"at_us\":2,\"kind\":\"resumed\"}}\n{{\"at_us");
        let (lines, garbled) = read(text.as_bytes());
        assert_eq!((lines.len(), garbled), (2, 1));
        assert_eq!(lines[0].event, Event::Unknown);
    }
}
