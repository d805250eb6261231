//! What the shell must do, in order.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::fact::Fact;
use super::input::{DeviceName, Targets};
use crate::routes::Permits;
use crate::{Jid, LegId, Level};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Give the worker these permits in place of the former.
    Permit(Permits),
    /// End a leg's media.
    CloseLeg { leg: LegId, reason: LegEnd },
    /// `server.call.leave` to one device: it left, or was put out.
    PutOut { who: Jid, device: DeviceName, reason: LegEnd },
    /// `server.call.state` with this version to all members of the chat.
    State { gentime: i64 },
    /// `server.call.sound` to the onliner's devices.
    Sound { who: Jid, muted: bool },
    /// `server.call.muteall` to everybody in the call but `by`, where one of them did it.
    MutedAll { by: Option<Jid> },
    /// `server.call.talking`: somebody began, or ceased (`None`).
    Talking { who: Jid, level: Option<Level>, to: Audience },
    /// `server.call.restart` to one device: its media is lost on our side.
    Restart { who: Jid, device: DeviceName },
    /// `server.call.buzz`. Who is in the call already is not rung.
    Ring { caller: Jid, targets: Targets },
    /// `server.call.buzzcancel` to devices that still ring.
    StopRinging { whom: Ringing },
    /// `server.call.reject` to the caller and to the refuser's other devices.
    Rejected { caller: Jid, by: Jid, device: DeviceName, reason: Arc<str> },
    /// Offer the leg sections until it has this many slots.
    OfferSlots { leg: LegId, slots: usize },
    /// Begin a recording; by whom, where somebody asked for it.
    RecordBegan { by: Option<Jid> },
    /// End it.
    RecordEnded { by: Option<Jid> },
    /// It happened: for the core's records.
    Fact(Fact),
    /// The call's line in `server.online` changed.
    Listed,
    /// The call is over; nothing follows but a `State`.
    Finished,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every device in the call.
    Call,
    /// One that has just come.
    Device { who: Jid, device: DeviceName },
}

/// Whose devices cease to ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ringing {
    /// One person's, except the device that answered or refused.
    OtherDevices { who: Jid, device: DeviceName },
    /// All who were rung and neither came nor refused.
    Rest { targets: Targets, except: Vec<Jid> },
}

/// Why a leg's media ends; the metric's and the log's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnd {
    Left,
    Kicked,
    Replaced,
    OtherDevice,
    MediaLost,
    SocketLost,
    MediaEnded,
    CallFinished,
}

impl LegEnd {
    pub const fn label(self) -> &'static str {
        match self {
            LegEnd::Left => "left",
            LegEnd::Kicked => "kicked",
            LegEnd::Replaced => "replaced",
            LegEnd::OtherDevice => "other_device",
            LegEnd::MediaLost => "media_lost",
            LegEnd::SocketLost => "socket_lost",
            LegEnd::MediaEnded => "media_ended",
            LegEnd::CallFinished => "call_finished",
        }
    }
}
