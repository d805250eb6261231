//! What a server has told one socket, in order, so that one can wait for an event that may have
//! come already. Bounded: the oldest events go first.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

/// A place in the log: everything after it has a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark(u64);

/// Where the log ends for now.
#[derive(Debug, Clone, Copy)]
struct End {
    mark: Mark,
    is_final: bool,
}

/// The log of one socket. Its writer is the socket; anybody may read.
#[derive(Debug)]
pub struct Events {
    kept: Mutex<VecDeque<(Mark, Value)>>,
    end: watch::Sender<End>,
}

impl Events {
    pub(super) fn new() -> Self {
        let end = End { mark: Mark::default(), is_final: false };
        Self { kept: Mutex::new(VecDeque::new()), end: watch::Sender::new(end) }
    }

    pub(super) fn push(&self, event: Value) {
        let mut kept = self.kept();
        let mark = Mark(self.end.borrow().mark.0 + 1);
        if kept.len() == MAX_KEPT {
            kept.pop_front();
        }
        kept.push_back((mark, event));
        drop(kept);
        self.end.send_modify(|end| end.mark = mark);
    }

    /// Nothing comes any more: whoever waits is told so.
    pub(super) fn close(&self) {
        self.end.send_modify(|end| end.is_final = true);
    }

    /// Now: wait from here to overlook what came before.
    pub fn mark(&self) -> Mark {
        self.end.borrow().mark
    }

    /// The first event after `from` that `wanted` accepts, and its mark. Waits for it if it has
    /// not come yet; `None` once the socket is closed without it.
    pub async fn next(&self, from: Mark, wanted: impl Fn(&Value) -> bool) -> Option<(Mark, Value)> {
        let mut end = self.end.subscribe();
        let mut from = from;
        loop {
            let seen = *end.borrow_and_update();
            if let Some(found) = self.find(from, &wanted) {
                return Some(found);
            }
            from = from.max(seen.mark);
            if seen.is_final {
                return None;
            }
            end.changed().await.ok()?;
        }
    }

    /// The first event named `event` that `wanted` accepts, from the beginning of the socket's
    /// life on. `None` if it does not come before `deadline`.
    pub async fn wait(
        &self,
        deadline: Duration,
        event: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        self.wait_after(Mark::default(), deadline, event, wanted).await
    }

    /// Like `wait`, but blind to what came up to `from`.
    pub async fn wait_after(
        &self,
        from: Mark,
        deadline: Duration,
        event: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let is_wanted = |message: &Value| message["event"] == event && wanted(&message["params"]);
        let (_, mut message) = timeout(deadline, self.next(from, is_wanted)).await.ok()??;
        Some(message["params"].take())
    }

    /// The parameters of every kept event named `event`, oldest first.
    pub fn all(&self, event: &str) -> Vec<Value> {
        let kept = self.kept();
        let of_name = kept.iter().filter(|(_, message)| message["event"] == event);
        of_name.map(|(_, message)| message["params"].clone()).collect()
    }

    fn find(&self, from: Mark, wanted: impl Fn(&Value) -> bool) -> Option<(Mark, Value)> {
        let kept = self.kept();
        kept.iter().find(|(mark, event)| *mark > from && wanted(event)).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(Mark, Value)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A test sees hundreds of events; a demo that talks for days keeps no more than this.
const MAX_KEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(name: &str, n: u64) -> Value {
        json!({"event": name, "params": {"n": n}})
    }

    #[tokio::test]
    async fn event_that_came_before_the_wait_is_found() {
        let events = Events::new();
        events.push(event("a", 1));
        events.push(event("b", 2));
        let found = events.wait(Duration::from_secs(5), "b", |params| params["n"] == 2).await;
        assert_eq!(found, Some(json!({"n": 2})));
    }

    #[tokio::test]
    async fn wait_after_a_mark_takes_only_what_comes_later() {
        let events = std::sync::Arc::new(Events::new());
        events.push(event("a", 1));
        let mark = events.mark();
        let waiting = std::sync::Arc::clone(&events);
        let wait = tokio::spawn(async move {
            waiting.wait_after(mark, Duration::from_secs(5), "a", |_| true).await
        });
        events.push(event("a", 2));
        assert_eq!(wait.await.unwrap(), Some(json!({"n": 2})));
    }

    #[tokio::test]
    async fn waiting_ends_with_the_socket() {
        let events = Events::new();
        events.push(event("a", 1));
        events.close();
        assert_eq!(events.wait(Duration::from_secs(5), "b", |_| true).await, None);
    }

    #[test]
    fn log_forgets_the_oldest_first() {
        let events = Events::new();
        (0..MAX_KEPT as u64 + 2).for_each(|n| events.push(event("a", n)));
        let all = events.all("a");
        assert_eq!((all.len(), &all[0]), (MAX_KEPT, &json!({"n": 2})));
    }
}
