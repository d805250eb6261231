//! The checkers that look on all the time. They know what the call accepted and what the worker
//! sent, and nothing of how it came to that.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use engine::limits::{DEVICES_PER_ONLINER, STATE_INTERVAL};
use engine::routes::Permits;
use engine::{Call, Jid, LegId, Time};

use super::numbers::Numbers;
use super::worker::Sent;

/// What a call promises (DESIGN.md section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    OnlyToOthersInTheCall,
    MutedIsSilent,
    NumberUsedOnce,
    Tenure,
    EveryVoiceIsHeard,
    VersionsRise,
    LastWordHolds,
    DeadlinesAreMet,
    Bounded,
    AlwaysBack,
    AllEnds,
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
    pub forwarded: u64,
}

/// What the call last said of a leg.
struct Truth {
    call: u64,
    who: Jid,
    since: Time,
    silent_since: Option<Time>,
    gone_since: Option<Time>,
}

impl Watch {
    /// The call accepted something.
    pub fn roster(
        &mut self,
        now: Time,
        no: u64,
        call: &Call,
        devices_max: usize,
    ) -> Result<(), Complaint> {
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
                since: now,
                silent_since: None,
                gone_since: None,
            });
            match muted {
                true => drop(truth.silent_since.get_or_insert(now)),
                false => truth.silent_since = None,
            }
        }
        Ok(())
    }

    /// The worker applied permits.
    pub fn permitted(&mut self, call: u64, permits: &Permits) {
        let legs = self.legs.iter().filter(|(_, truth)| truth.call == call);
        for (leg, _) in legs {
            self.numbers.permitted(*leg, permits.audible.contains(leg));
        }
    }

    /// The worker sent a packet to a listener.
    pub fn sent(&mut self, now: Time, sent: &Sent) -> Result<(), Complaint> {
        self.forwarded += 1;
        let outside = Promise::OnlyToOthersInTheCall;
        let pair = (self.legs.get(&sent.source), self.legs.get(&sent.listener));
        let (Some(source), Some(listener)) = pair else {
            return broken(outside, format!("{} to {}: unknown", sent.source, sent.listener));
        };
        let names = format_args!("{} leg {}", source.who, sent.source);
        let is_over = |since: Option<Time>| since.is_some_and(|at| at + OBEYED_WITHIN < now);
        let met = is_over(Some(source.since.max(listener.since)));
        if sent.source == sent.listener || (source.who == listener.who && met) {
            return broken(outside, format!("{names} hears himself on leg {}", sent.listener));
        }
        if source.call != listener.call {
            return broken(outside, format!("{names} is heard in call {}", listener.call));
        }
        if is_over(listener.gone_since) {
            return broken(outside, format!("{} left and hears {names}", listener.who));
        }
        if is_over(source.silent_since) {
            let to = &listener.who;
            return broken(Promise::MutedIsSilent, format!("{names} is heard by {to}"));
        }
        self.numbers.sent(sent)
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
