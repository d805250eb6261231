//! A pass that has run out: its socket is closed, and who does not come back with a fresh one
//! within the time in which a session is resumed is taken out of his calls.

use std::sync::Arc;
use std::time::Instant;

use tracing::info;

use super::session::Session;
use super::{Sender, Sockets};
use crate::core::AnswerStyle;
use crate::wire::ClientEvent;

impl Sockets {
    /// Takes out of their calls all whose time is over.
    pub(super) fn take_out_overstayers(self: &Arc<Self>, now: Instant) {
        let overstayers: Vec<Arc<Session>> =
            self.sessions().all().filter(|session| session.overstays(now)).cloned().collect();
        for session in overstayers {
            let sockets = self.clone();
            tokio::spawn(async move { sockets.take_out(&session).await });
        }
    }

    async fn take_out(&self, session: &Session) {
        let (pass, device) = (session.pass(), session.device.clone());
        info!(jid = %device.jid, device = %device.name, "token ran out, taken out of calls");
        let answer_style = AnswerStyle::Sdp;
        let chats = self.calls_of(&pass).into_iter().map(|call| call.jid);
        let sender = Sender { pass, device, useragent: String::new(), answer_style };
        for jid in chats {
            let leave = ClientEvent::Leave { jid, reason: String::new() };
            // Of most calls he was none: the node refuses, and nobody is told.
            let _ = self.signal(&sender, leave).await;
        }
    }
}
