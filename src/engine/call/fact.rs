//! What happened in a call, for the chat core's own records: its history, its notifications. Each
//! is told once, in order; the shell numbers them and keeps them until the core has them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Call, DeviceName, Effect, LegEnd, Mute, Targets};
use crate::{Jid, Now, Wall};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Never earlier than the call's former one, whatever the clock does.
    pub at: Wall,
    /// Whose doing it is.
    pub actor: Option<Jid>,
    pub kind: FactKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactKind {
    /// By whoever began it, or, of a direct call, accepted.
    Started,
    Joined,
    Left {
        reason: LegEnd,
    },
    /// Told with the state, so no faster than that.
    Muted {
        /// `None`: the operator.
        by: Option<Jid>,
    },
    Unmuted,
    Rung {
        targets: Targets,
    },
    /// His other devices cease to ring.
    AnsweredElsewhere {
        device: DeviceName,
    },
    Rejected {
        reason: Arc<str>,
    },
    /// The caller stopped ringing, or left.
    Cancelled {
        targets: Targets,
    },
    /// Nobody of these answered in time.
    Missed {
        targets: Targets,
    },
    RecordOn,
    RecordOff,
    /// The last one.
    Finished {
        start: Option<Wall>,
        why: Finish,
    },
}

/// What a call's end comes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The last one went.
    Left,
    /// The operator ended it.
    Ended,
}

impl Call {
    pub(super) fn note(&mut self, now: Now, actor: Option<&Jid>, kind: FactKind) {
        self.noted = self.noted.max(now.wall);
        let fact = Fact { at: self.noted, actor: actor.cloned(), kind };
        self.effects.push_back(Effect::Fact(fact));
    }

    /// Mutes as the state tells them.
    pub(super) fn note_mutes(&mut self, now: Now) {
        let changed = self.onliners.iter_mut().filter(|onliner| onliner.mute != onliner.noted);
        let changed: Vec<(Jid, Mute)> = changed
            .map(|onliner| {
                onliner.noted = onliner.mute.clone();
                (onliner.who.clone(), onliner.mute.clone())
            })
            .collect();
        for (who, mute) in changed {
            let kind = match mute {
                Mute::Off => FactKind::Unmuted,
                Mute::BySelf => FactKind::Muted { by: Some(who.clone()) },
                Mute::ByModerator(by) => FactKind::Muted { by: Some(by) },
                Mute::ByOperator => FactKind::Muted { by: None },
            };
            self.note(now, Some(&who), kind);
        }
    }
}
