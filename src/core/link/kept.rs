//! What was said to the core and is not acknowledged: numbered, bounded, and weeded before it is
//! said again.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::limits::{CORE_KEPT_BYTES_MAX, CORE_KEPT_MAX, CORE_SDP_MAX_AGE};

/// What becomes of a message while the core is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Lasting,
    /// A later one under the same name supersedes it.
    State(String),
    /// Of use for [`CORE_SDP_MAX_AGE`].
    Description,
    /// Of use for the core that asked.
    Result,
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Kept {
    last: u64,
    messages: VecDeque<Message>,
    bytes: usize,
    /// What came since it was weeded, in bytes, a short message as its share of the whole: weeding
    /// looks at everything, so not each message pays for it.
    unweeded: usize,
}

#[derive(Debug)]
struct Message {
    seq: u64,
    at: Instant,
    kind: Kind,
    text: Arc<str>,
}

impl Kept {
    /// Keeps another message; how many had to go for it.
    pub fn push(&mut self, now: Instant, kind: Kind, message: impl FnOnce(u64) -> String) -> u64 {
        self.last += 1;
        let text: Arc<str> = message(self.last).into();
        self.bytes += text.len();
        self.unweeded += text.len().max(CORE_KEPT_BYTES_MAX / CORE_KEPT_MAX);
        self.messages.push_back(Message { seq: self.last, at: now, kind, text });
        if self.is_overfull() && self.unweeded > CORE_KEPT_BYTES_MAX / 16 {
            self.weed(now);
        }
        let mut dropped = 0;
        while self.is_overfull() {
            let Some(oldest) = self.messages.pop_front() else { break };
            self.bytes -= oldest.text.len();
            dropped += 1;
        }
        dropped
    }

    fn is_overfull(&self) -> bool {
        self.messages.len() > CORE_KEPT_MAX || self.bytes > CORE_KEPT_BYTES_MAX
    }

    /// The core has everything up to this one.
    pub fn taken(&mut self, seq: u64) {
        while let Some(first) = self.messages.front().filter(|first| first.seq <= seq) {
            self.bytes -= first.text.len();
            self.messages.pop_front();
        }
    }

    /// Before it is said again: what is superseded or too old goes.
    pub fn weed(&mut self, now: Instant) {
        self.unweeded = 0;
        let mut known = HashSet::new();
        let mut stays = Vec::with_capacity(self.messages.len());
        for message in self.messages.iter().rev() {
            stays.push(match &message.kind {
                Kind::Lasting | Kind::Result => true,
                Kind::State(name) => known.insert(name.clone()),
                Kind::Description => now.duration_since(message.at) <= CORE_SDP_MAX_AGE,
            });
        }
        let mut stays = stays.into_iter().rev();
        self.messages.retain(|_| stays.next().unwrap_or(true));
        self.count_bytes();
    }

    /// Another core is there than asked for them.
    pub fn forget_results(&mut self) {
        self.messages.retain(|message| message.kind != Kind::Result);
        self.count_bytes();
    }

    fn count_bytes(&mut self) {
        self.bytes = self.messages.iter().map(|message| message.text.len()).sum();
    }

    /// The first one behind `seq`, and its number.
    pub fn after(&self, seq: u64) -> Option<(u64, Arc<str>)> {
        let at = self.messages.partition_point(|message| message.seq <= seq);
        self.messages.get(at).map(|message| (message.seq, message.text.clone()))
    }

    pub fn len(&self) -> usize {
        self.messages.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn texts(kept: &Kept) -> Vec<String> {
        let mut at = 0;
        let next = || {
            let (seq, text) = kept.after(at)?;
            at = seq;
            Some(text.to_string())
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn what_is_acknowledged_goes_and_the_rest_is_said_again_in_order() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        for _ in 0..4 {
            kept.push(now, Kind::Lasting, |seq| format!("m{seq}"));
        }
        kept.taken(2);
        kept.taken(1);
        kept.push(now, Kind::Result, |_| "result".to_owned());
        kept.weed(now);
        assert_eq!(texts(&kept), ["m3", "m4", "result"]);
        kept.forget_results();
        assert_eq!((texts(&kept), kept.bytes), (vec!["m3".to_owned(), "m4".to_owned()], 4));
    }

    #[test]
    fn of_a_state_only_the_latest_is_said_again_and_no_old_description() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let mut push = |after: u64, kind: Kind| {
            kept.push(now + Duration::from_secs(after), kind, |seq| format!("m{seq}"));
        };
        push(0, Kind::State("a".to_owned()));
        push(0, Kind::Description);
        push(0, Kind::State("b".to_owned()));
        push(5, Kind::Description);
        push(5, Kind::State("a".to_owned()));
        push(5, Kind::Lasting);
        kept.weed(now + CORE_SDP_MAX_AGE + Duration::from_secs(1));
        assert_eq!(texts(&kept), ["m3", "m4", "m5", "m6"]);
        assert_eq!(kept.bytes, 8);
    }

    #[test]
    fn the_states_of_a_large_call_drop_nothing_else() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let state = || Kind::State("a".to_owned());
        kept.push(now, Kind::Lasting, |_| "first".to_owned());
        let dropped = (0..100).map(|_| kept.push(now, state(), |_| "x".repeat(1 << 20)));
        assert_eq!(dropped.sum::<u64>(), 0);
        assert_eq!(kept.after(0).unwrap().1.as_ref(), "first");
        assert!(kept.bytes <= CORE_KEPT_BYTES_MAX);
    }

    #[test]
    fn one_more_than_may_be_kept_drops_the_oldest_and_counts_it() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let push =
            |kept: &mut Kept, bytes: usize| kept.push(now, Kind::Lasting, |_| "x".repeat(bytes));
        assert!((0..CORE_KEPT_MAX).all(|_| push(&mut kept, 10) == 0));
        assert_eq!(push(&mut kept, 10), 1);
        assert_eq!(kept.after(0).unwrap().0, 2);
        let more = CORE_KEPT_BYTES_MAX - kept.bytes;
        assert_eq!(push(&mut kept, more + 10), 1, "for its number");
        assert!(push(&mut kept, 10) > 0, "for its bytes");
    }
}
