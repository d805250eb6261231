//! How far recordings are that are not ready: told by whoever records and finishes them, asked by
//! whoever shows them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::store::Id;

/// Where a recording is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being made.
    Recording,
    /// Its call is over; 0 to 100 of what is derived is there.
    Finishing {
        percent: u8,
    },
    /// It could not be finished: somebody must look, the log says why.
    Failed,
    Ready,
}

/// The states of all that are not ready, and of those alone: it grows no larger than they are many.
#[derive(Debug, Default)]
pub struct Progress(Mutex<BTreeMap<Id, State>>);

impl State {
    /// The word on the wire.
    pub const fn label(self) -> &'static str {
        match self {
            State::Recording => "recording",
            State::Finishing { .. } => "finishing",
            State::Failed => "failed",
            State::Ready => "ready",
        }
    }

    /// How much of it is finished, 0 to 100.
    pub const fn percent(self) -> u8 {
        match self {
            State::Recording | State::Failed => 0,
            State::Finishing { percent } => percent,
            State::Ready => 100,
        }
    }

    /// Whether its files may still change by themselves.
    pub const fn is_busy(self) -> bool {
        matches!(self, State::Recording | State::Finishing { .. })
    }
}

impl Progress {
    /// Tells of a change; what is ready is forgotten.
    pub fn set(&self, id: &Id, state: State) {
        match state {
            State::Ready => drop(self.states().remove(id)),
            state => drop(self.states().insert(id.clone(), state)),
        }
    }

    /// `None` where nobody told of it: then it is ready, or an earlier run of the server left it.
    pub fn state(&self, id: &Id) -> Option<State> {
        self.states().get(id).copied()
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<Id, State>> {
        // A poisoned lock guards plain data: whoever panicked left it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ready_is_forgotten() {
        let (progress, id) = (Progress::default(), Id::parse("a").unwrap());
        progress.set(&id, State::Recording);
        progress.set(&id, State::Finishing { percent: 40 });
        assert_eq!(progress.state(&id), Some(State::Finishing { percent: 40 }));
        progress.set(&id, State::Ready);
        assert_eq!(progress.state(&id), None);
    }
}
