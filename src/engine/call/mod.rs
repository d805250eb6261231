//! The control state of one call: who is in it, by which legs, muted or not, whom it rings, and
//! what everybody must be told. Rules: PROTOCOL.md section 4.
//!
//! Knows no sockets, no media and no names of people: an input changes the state and pushes
//! effects, which the shell does in order.

mod buzz;
mod effect;
mod fact;
mod input;
mod moderate;
mod onliner;
mod operate;
mod pace;
mod record;
mod roster;
mod sections;
mod talk;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

pub use effect::{Audience, Effect, LegEnd, Ringing};
pub use fact::{Fact, FactKind, Finish};
pub use input::{Deed, DeviceName, Growth, Input, Join, Refusal, Seen, Targets};
pub use onliner::{Leg, Link, Mute, Onliner, Socket};

use crate::limits::GENTIME_STEP_NANOS;
use crate::routes::Permits;
use crate::{Jid, LegId, Now, Time, Wall};
use buzz::Unanswered;
use moderate::Keeper;
use pace::{Change, Pace};

/// What the configuration says about calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub participants_max: usize,
    pub slots_max: usize,
    /// A second device's offer puts the first one out.
    pub only_one_device: bool,
    pub buzz_timeout: Duration,
    /// From `Seen::Silent` to the leg's removal.
    pub lost_grace: Duration,
    /// From the offer to the leg's removal if it never connects.
    pub connect_timeout: Duration,
    pub socketless_max: Duration,
    /// Every call is recorded from its start on.
    pub record_auto: bool,
}

/// Where the call happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Two people; it rings the other one and starts when he comes.
    Direct([Jid; 2]),
    /// Starts at once.
    Group,
}

/// How far the call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A direct call whose other person has not come yet.
    Calling,
    Live {
        start: Wall,
    },
    Finished {
        start: Option<Wall>,
        finish: Wall,
    },
}

/// One call, from its first offer to its finish.
#[derive(Clone, Debug)]
pub struct Call {
    place: Place,
    rules: Rules,
    created: Wall,
    phase: Phase,
    onliners: Vec<Onliner>,
    buzz: Option<buzz::Buzz>,
    record: record::Record,
    /// The rule has begun a recording: whoever ends it has ended it.
    was_recorded: bool,
    /// Who keeps the others muted.
    sticky: Option<Keeper>,
    permits: Permits,
    gentime: i64,
    /// When the newest fact happened.
    noted: Wall,
    pace: Pace,
    /// Nobody is told of a voice before this time.
    next_talking: Time,
    effects: VecDeque<Effect>,
}

impl Call {
    pub fn new(now: Now, place: Place, rules: Rules) -> Call {
        let phase = match place {
            Place::Direct(_) => Phase::Calling,
            Place::Group => Phase::Live { start: now.wall },
        };
        Call {
            place,
            rules,
            created: now.wall,
            phase,
            onliners: Vec::new(),
            buzz: None,
            record: record::Record::default(),
            was_recorded: false,
            sticky: None,
            permits: Permits::default(),
            gentime: 0,
            noted: now.wall,
            pace: Pace::default(),
            next_talking: now.time,
            effects: VecDeque::new(),
        }
    }

    /// Applies one input.
    ///
    /// # Errors
    /// The refusal is the sender's; nothing changed and there is no effect.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<(), Refusal> {
        if self.is_finished() {
            return Err(Refusal::NoSuchCall);
        }
        match input {
            Input::Join(join) => self.join(now, &join)?,
            Input::Sound { who, muted } => self.sound(now, &who, muted)?,
            Input::Buzz { who, targets } => self.ring(now, &who, targets)?,
            Input::BuzzCancel { who } => self.cancel_ringing(now, &who)?,
            Input::Reject { who, device, reason } => self.reject(now, who, device, reason)?,
            Input::Leave { who, device } => self.leave(now, &who, &device)?,
            Input::MuteAll { who, sticky } => self.mute_all_by(now, &who, sticky)?,
            Input::LiftMute { who } => self.lift_mute_by(now, &who)?,
            Input::Kick { by, who } => self.kick_by(now, &by, &who)?,
            Input::Record { who, on } => self.record(now, Some(who), on),
            Input::Operate(deed) => self.operate(now, deed)?,
            Input::Recorder { writes } => self.recorder(now, writes),
            Input::Socket { who, device, held } => self.socket(now, &who, &device, held),
            Input::Link { leg, seen } => self.link(now, leg, seen),
            Input::Talking { leg, level } => self.talking(leg, level),
            Input::MediaGone => self.media_gone(now),
            Input::Answered { leg, slots } => self.answered(leg, slots),
            // Its answer comes first: what it lacks then is offered after that.
            Input::Reoffered { leg, slots } => return self.reoffered(now, leg, slots),
        }
        self.settle(now);
        Ok(())
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        if !self.is_finished() {
            self.expire_legs(now);
            self.expire_buzz(now);
            self.settle(now);
        }
    }

    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Gives back effects that were polled but not yet done; they come before newer ones.
    pub fn put_back(&mut self, effects: Vec<Effect>) {
        for effect in effects.into_iter().rev() {
            self.effects.push_front(effect);
        }
    }

    /// When `handle_timeout` has something to do next.
    pub fn poll_timeout(&self) -> Option<Time> {
        let legs = self.onliners.iter().flat_map(|onliner| &onliner.legs);
        let buzz = self.buzz.as_ref().map(|buzz| buzz.until);
        let others = self.pace.due().into_iter().chain(buzz).chain(self.talking_due());
        legs.filter_map(Leg::deadline).chain(others).min()
    }

    /// Whether this person's offer would be taken now.
    ///
    /// # Errors
    /// The refusal that the join would get.
    pub fn admits(&self, who: &Jid) -> Result<(), Refusal> {
        if self.is_finished() {
            return Err(Refusal::NoSuchCall);
        }
        let known = self.onliners.iter().any(|onliner| onliner.who == *who);
        if !known && self.onliners.len() >= self.rules.participants_max {
            return Err(Refusal::CallFull(self.onliners.len()));
        }
        Ok(())
    }

    pub fn onliners(&self) -> &[Onliner] {
        &self.onliners
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn created(&self) -> Wall {
        self.created
    }

    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished { .. })
    }

    pub fn is_buzzing(&self) -> bool {
        self.buzz.is_some()
    }

    /// A version above every former one, for a state that is told now.
    pub fn next_gentime(&mut self, wall: Wall) -> i64 {
        self.gentime = wall.as_nanos().max(self.gentime.saturating_add(GENTIME_STEP_NANOS));
        self.gentime
    }

    /// What follows from any change: permits, offers, the state.
    fn settle(&mut self, now: Now) {
        self.derive_permits();
        self.derive_offers(now.time);
        self.tell_talking(now);
        if self.pace.due().is_some_and(|due| due <= now.time || self.is_finished()) {
            let gentime = self.next_gentime(now.wall);
            self.pace.told(now.time);
            self.effects.push_back(Effect::State { gentime });
            self.note_mutes(now);
        }
    }

    /// Marks the state as changed; it goes at once, or when its interval is over.
    fn changed(&mut self, now: Now) {
        self.pace.changed(now.time, Change::Deed, self.onliners.len());
    }

    /// The same where it is only who is there and how connected.
    fn roster_changed(&mut self, now: Now) {
        self.pace.changed(now.time, Change::Roster, self.onliners.len());
    }

    /// Whoever is not muted may be heard, by others, and is recorded while the call is.
    fn derive_permits(&mut self) {
        let unmuted = || self.onliners.iter().filter(|onliner| !onliner.mute.is_muted());
        let ids = |onliner: &Onliner| onliner.legs.iter().map(|leg| leg.id).collect::<Vec<_>>();
        let audible: Vec<LegId> = unmuted().flat_map(ids).collect();
        let taped = unmuted().filter(|onliner| self.record.is_wanted() && !onliner.no_record);
        let recorded: Vec<LegId> = taped.flat_map(ids).collect();
        let several = self.onliners.iter().filter(|onliner| onliner.legs.len() > 1);
        let shared: Vec<Vec<LegId>> =
            several.map(|onliner| onliner.legs.iter().map(|leg| leg.id).collect()).collect();
        let version = self.permits.version;
        let permits = Permits { version, audible, shared, recorded };
        if permits != self.permits {
            self.permits = Permits { version: version + 1, ..permits };
            self.effects.push_back(Effect::Permit(self.permits.clone()));
        }
    }

    /// A slot for each other voice, up to `slots_max`.
    fn derive_offers(&mut self, now: Time) {
        let legs: usize = self.onliners.iter().map(|onliner| onliner.legs.len()).sum();
        for onliner in &mut self.onliners {
            let wanted = (legs - onliner.legs.len()).min(self.rules.slots_max);
            for leg in onliner.legs.iter_mut().filter(|leg| leg.link == Link::Connected) {
                if let Some(slots) = leg.sections.due(now, wanted) {
                    self.effects.push_back(Effect::OfferSlots { leg: leg.id, slots });
                }
            }
        }
    }

    /// Everyone is put out, what rings ceases, the last state goes.
    fn finish(&mut self, now: Now, why: Finish) {
        self.note_end_of_ringing(now, Unanswered::Cancelled);
        self.stop_ringing();
        for onliner in core::mem::take(&mut self.onliners) {
            self.cease(&onliner);
            let reason = LegEnd::CallFinished;
            self.note(now, Some(&onliner.who), FactKind::Left { reason });
            for leg in onliner.legs {
                self.put_out(&onliner.who, leg, LegEnd::CallFinished);
            }
        }
        let start = match self.phase {
            Phase::Live { start } => Some(start),
            Phase::Calling => None,
            Phase::Finished { start, .. } => start,
        };
        self.phase = Phase::Finished { start, finish: now.wall };
        self.record(now, None, false);
        self.note(now, None, FactKind::Finished { start, why });
        self.changed(now);
        self.derive_permits();
        self.effects.push_back(Effect::Listed);
        self.effects.push_back(Effect::Finished);
    }
}
