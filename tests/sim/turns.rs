//! The checker of talking events: began and ceased alternate, nobody muted begins, whoever came
//! late knows who talks, at most ten a second, and none is owed for long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::call::Onliner;
use engine::limits::TALKING_INTERVAL;
use engine::{Call, Jid, LegId, Time};

use super::watch::{Complaint, Promise, broken};

type Checked = Result<(), Complaint>;

#[derive(Default)]
pub struct Turns {
    of: BTreeMap<u64, Told>,
}

/// What the people of one call were told.
#[derive(Default)]
struct Told {
    talkers: BTreeSet<Jid>,
    devices: BTreeMap<usize, BTreeSet<Jid>>,
    /// Since when somebody is not, and is told to be, or the other way round.
    differs: BTreeMap<Jid, Time>,
    paced_at: Option<Time>,
}

impl Turns {
    /// A device has come: it knows nobody yet.
    pub fn joined(&mut self, no: u64, device: usize) {
        self.of.entry(no).or_default().devices.remove(&device);
    }

    /// These devices are told that somebody begins or ceases; `everybody` is told at a pace.
    pub fn told(
        &mut self,
        (now, no, call): (Time, u64, &Call),
        (who, begins): (&Jid, bool),
        (devices, everybody): (&[usize], bool),
    ) -> Checked {
        let told = self.of.entry(no).or_default();
        for device in devices {
            let talkers = told.devices.entry(*device).or_default();
            let _ = if begins { talkers.insert(who.clone()) } else { talkers.remove(who) };
        }
        if !everybody {
            return check(told.talkers.contains(who), || format!("{who} begins for one only"));
        }
        let differs = match begins {
            true => told.talkers.insert(who.clone()),
            false => told.talkers.remove(who),
        };
        check(differs, || format!("{who} begins or ceases twice, begins {begins}"))?;
        let Some(onliner) = call.onliners().iter().find(|it| it.who == *who) else {
            return check(!begins, || format!("{who} begins and is not here"));
        };
        let is_muted = onliner.mute.is_muted();
        check(!begins || !is_muted, || format!("{who} begins and is muted"))?;
        let former = told.paced_at.replace(now);
        let too_soon = former.is_some_and(|former| now.since(former) < TALKING_INTERVAL);
        match too_soon {
            true => broken(Promise::Bounded, "more than ten talking events a second"),
            false => Ok(()),
        }
    }

    /// The call has taken something in. `device_of` knows whose a leg is.
    pub fn look(
        &mut self,
        (now, no, call): (Time, u64, &Call),
        device_of: impl Fn(LegId) -> Option<usize>,
    ) -> Checked {
        let told = self.of.entry(no).or_default();
        let here = |who: &Jid| call.onliners().iter().find(|it| it.who == *who);
        if let Some(gone) = told.talkers.iter().find(|who| here(who).is_none()) {
            return broken(Promise::EveryBeganCeases, format!("{gone} talks and is not here"));
        }
        told.differs.retain(|who, _| here(who).is_some_and(|it| told.talkers.differ(it)));
        for onliner in call.onliners() {
            if told.talkers.differ(onliner) {
                told.differs.entry(onliner.who.clone()).or_insert(now);
            }
        }
        let heard = |it: &&Onliner| it.talks().is_some() && told.talkers.contains(&it.who);
        for talker in call.onliners().iter().filter(heard) {
            let legs = call.onliners().iter().flat_map(|it| &it.legs);
            let mut devices = legs.filter_map(|leg| device_of(leg.id));
            let knows = |device: &usize| {
                told.devices.get(device).is_some_and(|known| known.contains(&talker.who))
            };
            if let Some(device) = devices.find(|device| !knows(device)) {
                let what = format!("device {device} does not know that {} talks", talker.who);
                return broken(Promise::LastWordHolds, what);
            }
        }
        Ok(())
    }

    /// Differences are told one an interval, and a voice may begin again after a while only.
    pub fn check_owed(&self, now: Time, no: u64, people: usize) -> Checked {
        let Some(told) = self.of.get(&no) else { return Ok(()) };
        let most = OWED_MAX + OWED_EACH * 2 * people as u32;
        let owed = told.differs.iter().find(|(_, since)| now.since(**since) > most);
        match owed {
            Some((who, _)) => {
                broken(Promise::EveryBeganCeases, format!("{who}: not told for {most:?}"))
            }
            None => Ok(()),
        }
    }

    pub fn is_told(&self, no: u64, who: &Jid) -> bool {
        self.of.get(&no).is_some_and(|told| told.talkers.contains(who))
    }

    /// Everybody is quiet, or has left.
    pub fn check_none_talks(&self) -> Checked {
        let talker = self.of.values().find_map(|told| told.talkers.first());
        match talker {
            Some(who) => broken(Promise::EveryBeganCeases, format!("{who} talks for ever")),
            None => Ok(()),
        }
    }
}

trait Differ {
    fn differ(&self, onliner: &Onliner) -> bool;
}

impl Differ for BTreeSet<Jid> {
    /// What was told of him is not so.
    fn differ(&self, onliner: &Onliner) -> bool {
        onliner.talks().is_some() != self.contains(&onliner.who)
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { broken(Promise::EveryBeganCeases, what()) }
}

/// From a began to the next of the same voice, and what timers take.
const OWED_MAX: Duration = Duration::from_millis(600);

/// An interval, and what a timer takes.
const OWED_EACH: Duration = Duration::from_millis(130);
