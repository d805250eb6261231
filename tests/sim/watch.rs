//! The checkers that look on all the time. They know what the call accepted and what the worker
//! sent, and nothing of how it came to that.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use engine::call::{Link, Onliner};
use engine::limits::{DEVICES_PER_ONLINER, RING_BURST, STATE_INTERVAL};
use engine::routes::Permits;
use engine::rtp::View;
use engine::{Call, Jid, LegId, Time};

use super::numbers::Numbers;
use super::solo::Solos;
use super::speech::Frame;
use super::tape::Tape;
use super::turns::Turns;
use super::voices::Voices;
use super::worker::{LEVEL_ID, Sent};

/// What a call promises (DESIGN.md section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    OnlyToOthersInTheCall,
    MutedIsSilent,
    NumberUsedOnce,
    HeardOnce,
    Tenure,
    EveryVoiceIsHeard,
    EveryBeganCeases,
    RefusedChangesNothing,
    VersionsRise,
    LastWordHolds,
    DeadlinesAreMet,
    Bounded,
    AlwaysBack,
    AllEnds,
    RecordedAsTold,
}

#[derive(Clone, Debug)]
pub struct Complaint {
    pub promise: Promise,
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.what)
    }
}

pub fn broken<T>(promise: Promise, what: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint { promise, what: what.into() })
}

/// From the call's word to the last packet against it.
const OBEYED_WITHIN: Duration = Duration::from_millis(100);

#[derive(Default)]
pub struct Watch {
    legs: BTreeMap<LegId, Truth>,
    /// Last version and state of each call.
    told: BTreeMap<u64, (i64, Option<Time>)>,
    numbers: Numbers,
    voices: Voices,
    pub solos: Solos,
    pub turns: Turns,
    pub tape: Tape,
    pub forwarded: u64,
}

/// What the call last said of a leg.
struct Truth {
    call: u64,
    who: Jid,
    silent_since: Option<Time>,
    gone_since: Option<Time>,
    /// Since when it is called connected, and no worker holds it.
    unheld_since: Option<Time>,
}

impl Watch {
    /// The call accepted something. `keeper` is who keeps the others muted.
    pub fn roster(
        &mut self,
        (now, no, call): (Time, u64, &Call),
        devices_max: usize,
        keeper: Option<&Jid>,
    ) -> Result<(), Complaint> {
        self.tape.roster(now, no, call);
        let mut here = BTreeMap::new();
        for onliner in call.onliners() {
            let legs = onliner.legs.len();
            if legs == 0 || legs > devices_max.min(DEVICES_PER_ONLINER) {
                return broken(Promise::Bounded, format!("{} has {legs} legs", onliner.who));
            }
            for leg in &onliner.legs {
                here.insert(leg.id, (onliner.who.clone(), onliner.mute.is_muted()));
            }
        }
        for (leg, truth) in self.legs.iter_mut().filter(|(_, truth)| truth.call == no) {
            if !here.contains_key(leg) {
                truth.gone_since.get_or_insert(now);
                truth.silent_since.get_or_insert(now);
            }
        }
        for (leg, (who, muted)) in here {
            let truth = self.legs.entry(leg).or_insert(Truth {
                call: no,
                who,
                silent_since: None,
                gone_since: None,
                unheld_since: None,
            });
            match muted {
                true => drop(truth.silent_since.get_or_insert(now)),
                false => truth.silent_since = None,
            }
        }
        if call.is_mute_sticky() != keeper.is_some() && !call.is_finished() {
            let what = format!("{keeper:?} keeps all muted, and the call does not know it");
            return broken(Promise::MutedIsSilent, what);
        }
        let is_free = |it: &&Onliner| !it.mute.is_muted() && Some(&it.who) != keeper;
        match call.onliners().iter().find(is_free) {
            Some(free) if keeper.is_some() => {
                let what = format!("{} may speak though {keeper:?} keeps all muted", free.who);
                broken(Promise::MutedIsSilent, what)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Every leg that is called connected is on a worker, soon.
    pub fn held(
        &mut self,
        now: Time,
        call: &Call,
        is_held: impl Fn(LegId) -> bool,
    ) -> Result<(), Complaint> {
        for leg in call.onliners().iter().flat_map(|onliner| &onliner.legs) {
            let Some(truth) = self.legs.get_mut(&leg.id) else { continue };
            if leg.link != Link::Connected || is_held(leg.id) {
                truth.unheld_since = None;
            } else if is_over(now, Some(*truth.unheld_since.get_or_insert(now))) {
                let what = format!("leg {} is called connected, no worker holds it", leg.id);
                return broken(Promise::LastWordHolds, what);
            }
        }
        Ok(())
    }

    /// The worker applied permits.
    pub fn permitted(&mut self, call: u64, permits: &Permits) {
        for (leg, _) in self.legs.iter().filter(|(_, truth)| truth.call == call) {
            self.voices.permitted(*leg, permits.audible.contains(leg));
        }
    }

    /// Packets that came in while their voice was muted.
    pub fn came_muted(&self) -> u64 {
        self.voices.came_muted
    }

    /// The worker got a packet of a leg that has its keys.
    pub fn came(&mut self, now: Time, frame: &Frame) {
        let Some(truth) = self.legs.get(&frame.leg) else { return };
        if self.voices.came(now, frame) {
            self.solos.came(now, truth.call, frame, self.voices.permit(frame.leg));
        }
    }

    /// The worker sent what it had for one packet; `listeners` have keys and slots.
    pub fn sent(
        &mut self,
        now: Time,
        source: LegId,
        sent: &[Sent],
        listeners: impl FnOnce(u64) -> Vec<LegId>,
    ) -> Result<(), Complaint> {
        let mut each: BTreeMap<LegId, (usize, usize)> = BTreeMap::new();
        for packet in sent {
            self.packet(now, packet)?;
            let (count, slot) = each.entry(packet.listener).or_insert((0, packet.slot));
            *count += 1;
            if *slot != packet.slot || *count > RING_BURST {
                let what = format!("{count} packets at once to leg {}", packet.listener);
                return broken(Promise::Bounded, what);
            }
        }
        let Some(truth) = self.legs.get(&source) else { return Ok(()) };
        if self.solos.voice(truth.call) != Some(source) {
            return Ok(());
        }
        let is_other = |leg: &LegId| self.legs.get(leg).is_some_and(|it| it.who != truth.who);
        let others: Vec<LegId> = listeners(truth.call).into_iter().filter(is_other).collect();
        self.solos.check(now, truth.call, &others)
    }

    fn packet(&mut self, now: Time, sent: &Sent) -> Result<(), Complaint> {
        self.forwarded += 1;
        let outside = Promise::OnlyToOthersInTheCall;
        let pair = (self.legs.get(&sent.source), self.legs.get(&sent.listener));
        let (Some(source), Some(listener)) = pair else {
            return broken(outside, format!("{} to {}: unknown", sent.source, sent.listener));
        };
        let names = format_args!("{} leg {}", source.who, sent.source);
        if source.who == listener.who {
            return broken(outside, format!("{names} hears himself on leg {}", sent.listener));
        }
        if source.call != listener.call {
            return broken(outside, format!("{names} is heard in call {}", listener.call));
        }
        if is_over(now, listener.gone_since) {
            return broken(outside, format!("{} left and hears {names}", listener.who));
        }
        if is_over(now, source.silent_since) {
            let to = &listener.who;
            return broken(Promise::MutedIsSilent, format!("{names} is heard by {to}"));
        }
        self.solos.sent(now, source.call, sent.source, sent.listener);
        let Ok(view) = View::parse(&sent.bytes, Some(LEVEL_ID)) else {
            return broken(Promise::Tenure, "a packet that is none");
        };
        let Some(frame) = Frame::read(&sent.bytes[view.payload.clone()]) else {
            return broken(Promise::Tenure, "a payload that nobody said");
        };
        let came = self.voices.sent(now, &frame)?;
        self.numbers.sent(sent, (&view, &frame, came))
    }

    /// A state went out.
    pub fn state(
        &mut self,
        now: Time,
        no: u64,
        gentime: i64,
        is_last: bool,
    ) -> Result<(), Complaint> {
        self.version(no, gentime)?;
        let told = self.told.entry(no).or_default();
        let former = told.1.replace(now);
        if former.is_some_and(|former| !is_last && former + STATE_INTERVAL > now) {
            return broken(Promise::Bounded, "more than ten states a second");
        }
        Ok(())
    }

    /// A version was given, to everybody or to one.
    pub fn version(&mut self, no: u64, gentime: i64) -> Result<(), Complaint> {
        let told = self.told.entry(no).or_default();
        if gentime <= told.0 {
            return broken(Promise::VersionsRise, format!("{gentime} after {}", told.0));
        }
        told.0 = gentime;
        Ok(())
    }

    /// The call has something to do by `deadline`.
    pub fn deadline(&self, now: Time, deadline: Option<Time>) -> Result<(), Complaint> {
        match deadline {
            Some(at) if at + OBEYED_WITHIN < now => {
                let late = now.since(at).as_millis();
                broken(Promise::DeadlinesAreMet, format!("due {late} ms ago, still not done"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn is_over(now: Time, since: Option<Time>) -> bool {
    since.is_some_and(|at| at + OBEYED_WITHIN < now)
}
