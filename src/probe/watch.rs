//! What is believed of the media after each call to oneself: which worker is called next and when,
//! and from when on the node is not ready. Knows no calls; time comes in with each result.

use std::time::{Duration, Instant};

use crate::limits::PROBE_AGAIN;

/// How far a call to oneself did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Our own client found no socket: files or memory of this process are used up.
    Socket,
    /// The call gave no answer to an offer.
    Answer,
    /// No check was answered: the UDP socket, the firewall, the worker's thread.
    Path,
    /// DTLS gave no keys.
    Keys,
    /// What one said was not heard by the other.
    Voice,
    /// The other way round.
    Reply,
}

/// What the results of one node's calls to itself come to.
pub struct Watch {
    workers: usize,
    /// Called next.
    worker: usize,
    state: State,
}

/// One failure is doubted and tried again at once; the second one counts.
enum State {
    /// Heard, or not tried yet.
    Fine,
    Doubted {
        since: Instant,
    },
    Failing {
        since: Instant,
        stage: Stage,
        failures: u64,
    },
}

/// What somebody should read once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Doubted {
        stage: Stage,
    },
    /// Not ready from here on.
    Failing {
        stage: Stage,
    },
    Heard {
        after: Duration,
    },
}

impl Stage {
    pub const ALL: [Stage; 6] =
        [Stage::Socket, Stage::Answer, Stage::Path, Stage::Keys, Stage::Voice, Stage::Reply];

    /// The metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Stage::Socket => "no_socket",
            Stage::Answer => "no_answer",
            Stage::Path => "no_path",
            Stage::Keys => "no_keys",
            Stage::Voice => "no_voice",
            Stage::Reply => "no_reply",
        }
    }

    /// In words, for whoever has to mend it.
    pub const fn words(self) -> &'static str {
        match self {
            Stage::Socket => "no socket for a client of its own",
            Stage::Answer => "no answer to an offer",
            Stage::Path => "no media path, UDP does not come through",
            Stage::Keys => "no keys, DTLS does not end",
            Stage::Voice => "no voice is heard",
            Stage::Reply => "no voice is heard on the way back",
        }
    }
}

impl Watch {
    pub fn new(workers: usize) -> Watch {
        Watch { workers: workers.max(1), worker: 0, state: State::Fine }
    }

    /// The worker that is called next: each in turn, and one that fails until it is heard.
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// How long after a call the next one begins, where each worker is called `every` so long.
    pub fn pause(&self, every: Duration, took: Duration) -> Duration {
        match self.state {
            State::Doubted { .. } => PROBE_AGAIN.min(every),
            State::Fine => {
                (every / u32::try_from(self.workers).unwrap_or(u32::MAX)).saturating_sub(took)
            }
            State::Failing { .. } => every.saturating_sub(took),
        }
    }

    pub fn handle(&mut self, now: Instant, result: Result<(), Stage>) -> Option<Change> {
        let (state, change) = match (&self.state, result) {
            (State::Fine, Ok(())) => (State::Fine, None),
            (State::Doubted { since } | State::Failing { since, .. }, Ok(())) => {
                let after = now.saturating_duration_since(*since);
                (State::Fine, Some(Change::Heard { after }))
            }
            (State::Fine, Err(stage)) => {
                (State::Doubted { since: now }, Some(Change::Doubted { stage }))
            }
            (State::Doubted { since }, Err(stage)) => {
                let state = State::Failing { since: *since, stage, failures: 2 };
                (state, Some(Change::Failing { stage }))
            }
            (State::Failing { since, failures, .. }, Err(stage)) => {
                (State::Failing { since: *since, stage, failures: failures + 1 }, None)
            }
        };
        self.state = state;
        if result.is_ok() {
            self.worker = (self.worker + 1) % self.workers;
        }
        change
    }

    /// Why the node is not ready, and which worker it is.
    pub fn complaint(&self) -> Option<(usize, Stage)> {
        match self.state {
            State::Fine | State::Doubted { .. } => None,
            State::Failing { stage, .. } => Some((self.worker, stage)),
        }
    }

    /// In a row, until now.
    pub fn failures(&self) -> u64 {
        match self.state {
            State::Fine => 0,
            State::Doubted { .. } => 1,
            State::Failing { failures, .. } => failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(10);
    const HEARD: Result<(), Stage> = Ok(());
    const CUT: Result<(), Stage> = Err(Stage::Path);

    /// A watch after these results, ten seconds between them, and its last change.
    fn after(results: &[Result<(), Stage>]) -> (Watch, Option<Change>) {
        let (mut watch, mut now, mut change) = (Watch::new(3), Instant::now(), None);
        for result in results {
            change = watch.handle(now, *result);
            now += EVERY;
        }
        (watch, change)
    }

    #[test]
    fn nothing_is_said_against_a_node_before_its_first_result() {
        assert_eq!(Watch::new(1).complaint(), None);
    }

    #[test]
    fn one_failure_is_tried_again_at_once_and_the_second_counts() {
        let (watch, change) = after(&[CUT]);
        assert_eq!((watch.complaint(), watch.failures()), (None, 1));
        assert_eq!(change, Some(Change::Doubted { stage: Stage::Path }));
        assert_eq!(watch.pause(EVERY, Duration::from_secs(5)), PROBE_AGAIN);
        let (watch, change) = after(&[CUT, CUT]);
        assert_eq!((watch.complaint(), watch.failures()), (Some((0, Stage::Path)), 2));
        assert_eq!(change, Some(Change::Failing { stage: Stage::Path }));
        assert_eq!(watch.pause(EVERY, Duration::from_secs(5)), Duration::from_secs(5));
    }

    #[test]
    fn a_failure_that_goes_on_is_said_once_and_told_as_it_last_was() {
        let (watch, change) = after(&[CUT, CUT, Err(Stage::Keys), Err(Stage::Voice)]);
        assert_eq!((change, watch.failures()), (None, 4));
        assert_eq!(watch.complaint(), Some((0, Stage::Voice)));
    }

    #[test]
    fn a_voice_that_is_heard_makes_ready_and_says_how_long_it_was_not() {
        let (watch, change) = after(&[HEARD, CUT, HEARD]);
        assert_eq!((watch.complaint(), change), (None, Some(Change::Heard { after: EVERY })));
        let (watch, change) = after(&[CUT, CUT, CUT, HEARD]);
        assert_eq!((watch.complaint(), watch.failures()), (None, 0));
        assert_eq!(change, Some(Change::Heard { after: 3 * EVERY }));
        let (_, change) = after(&[HEARD, HEARD]);
        assert_eq!(change, None);
    }

    #[test]
    fn workers_are_called_in_turn_and_one_that_fails_until_it_is_heard() {
        let called = |results: &[_]| after(results).0.worker();
        assert_eq!(
            [called(&[]), called(&[HEARD]), called(&[HEARD; 2]), called(&[HEARD; 3])],
            [0, 1, 2, 0]
        );
        assert_eq!(called(&[HEARD, CUT, CUT, CUT]), 1);
        assert_eq!(called(&[HEARD, CUT, CUT, HEARD]), 2);
    }

    #[test]
    fn a_socket_that_breaks_is_known_within_thirty_seconds() {
        use crate::limits::{PROBE_CALL_MAX, PROBE_END_MAX};
        let (watch, _) = after(&[CUT]);
        let failing = PROBE_CALL_MAX + PROBE_END_MAX;
        let again = watch.pause(EVERY, failing);
        assert!(EVERY + failing + again + failing < Duration::from_secs(30));
    }

    #[test]
    fn labels_are_those_of_their_stages_alone() {
        let labels: std::collections::BTreeSet<_> = Stage::ALL.map(Stage::label).into();
        assert_eq!(labels.len(), Stage::ALL.len());
        assert!(labels.iter().all(|label| label.starts_with("no_")));
    }
}
