//! What may happen to a call, and what is refused.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::{Jid, LegId, Level};

/// A device's name: unique per person.
pub type DeviceName = Arc<str>;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Join(Join),
    /// Own mute.
    Sound {
        who: Jid,
        muted: bool,
    },
    /// Ring people.
    Buzz {
        who: Jid,
        targets: Targets,
    },
    /// The caller stops ringing.
    BuzzCancel {
        who: Jid,
    },
    /// One who is rung refuses.
    Reject {
        who: Jid,
        device: DeviceName,
        reason: Arc<str>,
    },
    Leave {
        who: Jid,
        device: DeviceName,
    },
    /// Mutes all others; `sticky` keeps them from unmuting themselves until it is lifted.
    MuteAll {
        who: Jid,
        sticky: bool,
    },
    /// Lets people unmute themselves again; unmutes nobody.
    LiftMute {
        who: Jid,
    },
    /// Puts an onliner out, with all his devices.
    Kick {
        by: Jid,
        who: Jid,
    },
    /// Record the call, or cease to.
    Record {
        who: Jid,
        on: bool,
    },
    /// By the operator of the server, who is nobody in the call.
    Operate(Deed),
    /// What is recorded arrives on the disk, or does not: it is full.
    Recorder {
        writes: bool,
    },
    /// A device's socket came or went.
    Socket {
        who: Jid,
        device: DeviceName,
        held: bool,
    },
    /// What a media worker saw of a leg.
    Link {
        leg: LegId,
        seen: Seen,
    },
    /// The worker heard a voice begin, go on at another level (`Some`), or cease (`None`).
    Talking {
        leg: LegId,
        level: Option<Level>,
    },
    /// The worker that carried the call is gone, and all its legs with it.
    MediaGone,
    /// The client answered our offer; the leg has this many slots now.
    Answered {
        leg: LegId,
        slots: usize,
    },
    /// The client's own offer (renegotiation or ICE restart) wants to be answered; `Answered`
    /// follows with the slots it left us.
    Reoffered {
        leg: LegId,
        slots: usize,
    },
}

/// What the operator does; of the people nobody is told who it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Puts an onliner out, with all his devices.
    Kick {
        who: Jid,
    },
    /// Mutes one, who may unmute himself.
    Mute {
        who: Jid,
    },
    /// Mutes everybody; `sticky` as in `Input::MuteAll`.
    MuteAll {
        sticky: bool,
    },
    LiftMute,
    Record {
        on: bool,
    },
    /// Puts everybody out: the call is over.
    End,
}

/// A device's offer: it starts the call, joins it, or replaces the device's leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    pub who: Jid,
    pub device: DeviceName,
    pub useragent: Arc<str>,
    pub leg: LegId,
    pub muted: bool,
    /// The core says that this person may not be recorded.
    pub no_record: bool,
    /// Whether the device has a socket: one that joins by HTTP alone may have none.
    pub has_socket: bool,
    /// Sections in which the server may send, one voice each.
    pub slots: usize,
    /// Whether the server may offer further sections.
    pub growth: Growth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// By server offer.
    ByOffer,
    /// Never: the client offered its sections ahead, or cannot take offers.
    Never,
}

/// Who is rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Every member of the chat.
    Everyone,
    These(Vec<Jid>),
}

/// What became of a leg's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Keys are there, and packets or checks come.
    Alive,
    /// Nothing authenticated came for the time after which others are told.
    Silent,
    /// The peer closed it: it goes, unless its device dials again at once.
    Closed,
    /// It cannot come back: the handshake failed.
    Ended,
}

/// The caller's fault; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such call any more")]
    NoSuchCall,
    #[error("the call is full: {0} people are in it")]
    CallFull(usize),
    #[error("you are not in this call")]
    NotInCall,
    #[error("that person is not in this call")]
    NoSuchOnliner,
    #[error("a moderator muted everybody: wait until he lets people speak again")]
    MutedByModerator,
    #[error("nobody is ringing you here")]
    NotRung,
    #[error("only who rings may stop it")]
    NotTheCaller,
    #[error("only the two of a direct chat can be rung in it")]
    NotOfTheChat,
    #[error("our own offer is on its way to you: answer it first")]
    Glare,
}

impl Refusal {
    /// The stable code on the wire (PROTOCOL.md section 1).
    pub const fn code(self) -> &'static str {
        match self {
            Refusal::NoSuchCall => "no_such_call",
            Refusal::CallFull(_) => "call_full",
            Refusal::NotInCall => "not_in_call",
            Refusal::NoSuchOnliner => "no_such_onliner",
            Refusal::MutedByModerator => "muted_by_moderator",
            Refusal::NotRung => "not_rung",
            Refusal::NotTheCaller | Refusal::NotOfTheChat => "no_right",
            Refusal::Glare => "glare",
        }
    }
}
