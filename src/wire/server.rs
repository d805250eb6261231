//! Server events (PROTOCOL.md section 3).

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

/// `jsep`: a session description and which side of the exchange it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Jsep {
    #[serde(rename = "type")]
    pub kind: JsepKind,
    pub sdp: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsepKind {
    Offer,
    Answer,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallDevice {
    pub muted: bool,
    pub useragent: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallOnliner {
    pub jid: String,
    pub display_name: String,
    pub role: String,
    pub icon: String,
    pub muted: bool,
    pub enabled_video: bool,
    pub enabled_screenshare: bool,
    pub devices: Vec<CallDevice>,
    /// Additive: `connecting`, `connected` or `lost`.
    #[serde(rename = "_link")]
    pub link: &'static str,
    /// Additive: who muted him, himself included; `""` where nobody did.
    #[serde(rename = "_muted_by")]
    pub muted_by: String,
    /// Of this moment, where somebody asked for it (`GET .../calls/{uid}`).
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
}

/// A voice as it is at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Voice {
    #[serde(rename = "_talking")]
    pub talking: bool,
    /// RFC 6464, -dBov; `null` where no packet came lately.
    #[serde(rename = "_level")]
    pub level: Option<u8>,
}

/// The whole of a call as its clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallState {
    pub jid: String,
    pub uid: String,
    pub buzz: bool,
    pub created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    pub audiorecord: bool,
    pub onliners: Vec<CallOnliner>,
    /// Additive: after a mute of all that people may not undo themselves.
    #[serde(rename = "_sticky")]
    pub sticky: bool,
    /// Additive: why what somebody wants recorded is not, such as `disk_full`.
    #[serde(rename = "_record_stopped", skip_serializing_if = "Option::is_none")]
    pub record_stopped: Option<&'static str>,
    /// Version: unix nanoseconds, strictly rising per call.
    pub gentime: i64,
    /// Unix milliseconds.
    pub timestamp: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IceCandidate {
    pub candidate: String,
    #[serde(rename = "sdpMLineIndex")]
    pub sdp_mline_index: u32,
}

/// Who is heard on which section; `jid` is `""` where nobody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Track {
    pub mid: String,
    pub jid: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contact {
    pub jid: String,
    pub afk: bool,
    pub mobile: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnlineCall {
    pub jid: String,
    pub uid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    pub online_count: usize,
    pub call_type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuzzTeam {
    pub uid: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuzzChat {
    pub jid: String,
    pub chat_type: &'static str,
    pub display_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuzzActor {
    pub jid: String,
    pub display_name: String,
    pub icon: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ServerEvent {
    Sdp {
        jid: String,
        jids: Vec<String>,
        uid: String,
        jsep: Jsep,
    },
    Answer {
        jid: String,
        uid: String,
        jsep: Jsep,
        onliners: Vec<CallOnliner>,
        #[serde(skip_serializing_if = "Option::is_none")]
        candidates: Option<Vec<IceCandidate>>,
    },
    State(CallState),
    Sound {
        jid: String,
        muted: bool,
    },
    MuteAll {
        jid: String,
        muted: bool,
    },
    Talking {
        jid: String,
        actor: String,
        talking: bool,
        #[serde(rename = "_level")]
        level: Option<u8>,
    },
    Tracks {
        jid: String,
        uid: String,
        tracks: Vec<Track>,
    },
    Buzz {
        jid: String,
        icons: Value,
        display_name: String,
        /// `uid` and name are filled in by whoever delivers: the node knows no teams.
        teaminfo: BuzzTeam,
        chat: BuzzChat,
        actor: BuzzActor,
        uid: String,
        buzz_timeout: u64,
        team: String,
        call_type: &'static str,
    },
    BuzzCancel {
        jid: String,
        team: String,
        uid: String,
    },
    Reject {
        jid: String,
        uid: String,
        reason: String,
    },
    Leave {
        jid: String,
        uid: String,
        /// Additive, where the device did not go by itself or for another one: `kicked`,
        /// `media_lost`, `socket_lost`.
        #[serde(rename = "_reason", skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    Restart {
        jid: String,
        uid: String,
        team: String,
    },
    CheckFingerprint {
        fingerprint: String,
    },
    Online {
        contacts: Vec<Contact>,
        calls: Vec<OnlineCall>,
    },
    Time {
        time: String,
    },
    Confirm {
        confirm_id: String,
    },
    Warning {
        message: String,
        code: &'static str,
        orig: Value,
    },
    Panic {
        code: String,
        debug: String,
    },
}

/// An event made ready for sockets: its JSON once, however many get it.
#[derive(Clone, Debug)]
pub struct Frame {
    pub event: &'static str,
    /// The `params` object as JSON text.
    pub params: Arc<str>,
}
