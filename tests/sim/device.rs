//! A person's device: what it wants, what it asked, what it was told.

use std::collections::{BTreeSet, VecDeque};

use engine::call::{DeviceName, Growth, Targets};
use engine::{Jid, LegId, Time};

use super::chance::Chance;
use super::net::Line;
use super::speech::{Ears, Manner, Mouth, Speech};

/// What a device asks of the call.
#[derive(Clone, Debug)]
pub enum Request {
    Offer {
        muted: bool,
    },
    Sound {
        muted: bool,
    },
    Leave,
    Buzz(Targets),
    BuzzCancel,
    Reject,
    Record {
        on: bool,
    },
    MuteAll {
        sticky: bool,
    },
    LiftMute,
    Kick(Jid),
    Answer {
        leg: LegId,
        slots: usize,
    },
    /// With `restarts` its media takes another path from then on.
    Reoffer {
        leg: LegId,
        slots: usize,
        restarts: bool,
    },
}

/// What a device is told.
#[derive(Clone, Debug)]
pub enum Told {
    Answer { leg: LegId, slots: usize },
    Refused { what: &'static str, is_offer: bool },
    Offer { leg: LegId, slots: usize },
    PutOut,
    State { no: u64, gentime: i64, text: String, muted: Option<bool>, is_over: bool },
    Tracks { leg: LegId, slots: Vec<Option<LegId>> },
    Talking { who: Jid, begins: bool },
    Restart,
    Ring,
    Quiet,
}

/// How a client takes the server's offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    Answers,
    TakesFewer,
    NeverAnswers,
    /// Offers this many sections ahead.
    Ahead(usize),
}

pub struct Device {
    pub chat: usize,
    pub who: Jid,
    pub name: DeviceName,
    pub habit: Habit,
    /// False for one without a microphone.
    pub sends: bool,
    /// Sends though it is muted.
    pub stubborn: bool,
    pub manner: Manner,
    pub wants_in: bool,
    pub muted: bool,
    pub speech: Speech,
    /// An offer of its own is on the way.
    pub asks: bool,
    pub rings: bool,
    pub leg: Option<LegId>,
    pub slots: usize,
    pub mouth: Mouth,
    pub ears: Ears,
    pub line: Line,
    pub is_online: bool,
    pub has_socket: bool,
    /// The handshake is through.
    pub has_keys: bool,
    pub state: Option<(u64, i64, String)>,
    pub tracks: Option<(LegId, Vec<Option<LegId>>)>,
    /// Who talks, as it was told.
    pub talkers: BTreeSet<Jid>,
    /// What waits for a socket.
    pub unasked: VecDeque<Request>,
    pub untold: VecDeque<Told>,
    /// Both ways keep their order.
    pub asked_until: Time,
    pub told_until: Time,
}

impl Device {
    pub fn new(chat: usize, who: Jid, name: &str, chance: &mut Chance) -> Device {
        let manner = Manner::from(chance.draw());
        Device {
            chat,
            who,
            name: name.into(),
            habit: match chance.within(0..10) {
                0 => Habit::TakesFewer,
                1 => Habit::NeverAnswers,
                2 | 3 => Habit::Ahead(chance.within(2..5) as usize),
                _ => Habit::Answers,
            },
            sends: !chance.permille(100),
            stubborn: chance.permille(700),
            manner,
            wants_in: false,
            muted: false,
            speech: Speech::Freely,
            asks: false,
            rings: false,
            leg: None,
            slots: 0,
            mouth: Mouth::new(chance.draw(), manner),
            ears: Ears::default(),
            line: Line::default(),
            is_online: true,
            has_socket: true,
            has_keys: false,
            state: None,
            tracks: None,
            talkers: BTreeSet::new(),
            unasked: VecDeque::new(),
            untold: VecDeque::new(),
            asked_until: Time::ZERO,
            told_until: Time::ZERO,
        }
    }

    /// Sections a new leg offers, and whether the server may offer more.
    pub fn sections(&self) -> (usize, Growth) {
        match self.habit {
            Habit::Ahead(slots) => (slots, Growth::Never),
            Habit::Answers | Habit::TakesFewer | Habit::NeverAnswers => (1, Growth::ByOffer),
        }
    }

    /// Sections it takes of an offer; `None` where it does not answer.
    pub fn takes(&self, offered: usize) -> Option<usize> {
        match self.habit {
            Habit::Answers | Habit::Ahead(_) => Some(offered),
            Habit::TakesFewer => Some(offered.saturating_sub(1).max(1)),
            Habit::NeverAnswers => None,
        }
    }

    pub fn label(&self) -> String {
        format!("{}/{}", self.who, self.name)
    }
}
