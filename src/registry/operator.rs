//! The way of the operator to a call: by its uid, as he knows no chats.

use tokio::sync::{mpsc, oneshot};

use super::Registry;
use crate::call_task::Message;
use crate::call_task::operator::Request;
use crate::wire::admin::CallLine;

impl Registry {
    /// Asks the call of this uid; `None` where there is none, or none any more.
    pub async fn ask_call<T>(
        &self,
        uid: &str,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Option<T> {
        let live = self.inner.calls.iter().find(|live| live.summary.uid == uid);
        let mailbox = live.map(|live| live.mailbox.clone())?;
        ask(&mailbox, request).await
    }

    /// Every live call's line, the oldest first.
    pub async fn lines(&self) -> Vec<CallLine> {
        let live = self.inner.calls.iter();
        let mailboxes: Vec<_> = live.map(|live| live.mailbox.clone()).collect();
        let mut lines = Vec::new();
        for mailbox in mailboxes {
            // One whose first offer was refused has nobody, and was told to nobody.
            let line = ask(&mailbox, Request::Line).await;
            lines.extend(line.filter(|line| line.people > 0));
        }
        lines.sort_by(|one, other| (&one.start, &one.uid).cmp(&(&other.start, &other.uid)));
        lines
    }
}

async fn ask<T>(
    mailbox: &mpsc::Sender<Message>,
    request: impl FnOnce(oneshot::Sender<T>) -> Request,
) -> Option<T> {
    let (answer, reply) = oneshot::channel();
    mailbox.send(Message::Operator(request(answer))).await.ok()?;
    reply.await.ok()
}
