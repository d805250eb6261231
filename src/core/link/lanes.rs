//! Signals on their way to the node: of one chat in the order they came, of different chats side
//! by side, so that a slow one holds up nobody else's.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;

use super::kept::Kind;
use super::{LinkCore, message};
use crate::core::{Node, Refusal, Signal};
use crate::limits::{CORE_LANE_SIGNALS, CORE_LANES};

/// See the module's words.
pub struct Lanes(Vec<mpsc::Sender<(u64, Box<Signal>)>>);

impl Lanes {
    /// They end with the link core.
    pub fn start(node: &Arc<dyn Node>, core: &Arc<LinkCore>) -> Lanes {
        let lane = |_| {
            let (sender, waiting) = mpsc::channel(CORE_LANE_SIGNALS);
            tokio::spawn(run(waiting, node.clone(), Arc::downgrade(core)));
            sender
        };
        Lanes((0..CORE_LANES).map(lane).collect())
    }

    /// # Errors
    /// The lane is full.
    pub fn put(&self, seq: u64, signal: Box<Signal>) -> Result<(), Refusal> {
        let mut hasher = DefaultHasher::new();
        signal.chat.key().hash(&mut hasher);
        let lane = hasher.finish() % CORE_LANES as u64;
        let lane = self.0.get(usize::try_from(lane).unwrap_or(0));
        let put = lane.map(|lane| lane.try_send((seq, signal)).is_ok());
        let full = || Refusal::new("overloaded", "too many events wait: try again later");
        put.filter(|put| *put).map(drop).ok_or_else(full)
    }
}

async fn run(
    mut waiting: mpsc::Receiver<(u64, Box<Signal>)>,
    node: Arc<dyn Node>,
    core: Weak<LinkCore>,
) {
    while let Some((re, signal)) = waiting.recv().await {
        let outcome = node.signal(*signal).await;
        let Some(core) = core.upgrade() else { return };
        core.say(Kind::Result, |seq| message::result(seq, re, &outcome));
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::core::fake_node::FakeNode;
    use crate::core::link::message::FromCore;
    use crate::metrics::Metrics;

    #[tokio::test]
    async fn one_signal_more_than_a_lane_holds_is_refused_and_other_chats_are_not() {
        let core = LinkCore::new(None, Arc::new(Metrics::new(SystemTime::now())));
        let node: Arc<dyn Node> = FakeNode::new(core.clone());
        let lanes = Lanes::start(&node, &core);
        let text = include_str!("../../../tests/data/core/signal.json");
        let Ok(FromCore::Signal { signal: Ok(signal), .. }) = FromCore::parse(text) else {
            panic!("the example is a signal")
        };
        // Nobody works them off: this test waits for nothing.
        for seq in 0..CORE_LANE_SIGNALS as u64 {
            lanes.put(seq, signal.clone()).unwrap();
        }
        let refused = lanes.put(0, signal.clone()).unwrap_err();
        assert_eq!(refused.code, "overloaded");
        // Of many chats one at least has another lane.
        let elsewhere = |number: u32| {
            let other = text.replace("g-0e9b4c7d", &format!("g-{number:08}"));
            match FromCore::parse(&other) {
                Ok(FromCore::Signal { signal: Ok(signal), .. }) => lanes.put(0, signal).is_ok(),
                other => panic!("{other:?}"),
            }
        };
        assert!((0..100).any(elsewhere));
    }
}
