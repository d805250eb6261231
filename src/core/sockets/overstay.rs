//! Calls that a device's pass lets it be in no longer. When a pass runs out its socket is closed,
//! and who does not come back with a fresh one within the time in which a session is resumed is
//! taken out of his calls; when a pass names a chat no longer, out of that chat's.

use std::sync::Arc;
use std::time::Instant;

use tracing::info;

use super::session::Session;
use super::{Sender, Sockets};
use crate::core::{AnswerStyle, Chat};
use crate::wire::ClientEvent;

impl Sockets {
    /// Takes out of their calls all whose time is over.
    pub(super) fn take_out_overstayers(&self, now: Instant) {
        let sessions: Vec<Arc<Session>> = self.sessions().all().cloned().collect();
        for session in sessions {
            for chat in session.overstays(now) {
                self.take_out(&session, chat);
            }
        }
    }

    /// Takes a device out of calls that its pass does not name.
    pub(super) fn take_out_strays(&self, session: &Session) {
        for chat in session.strays(|pass, chat| self.directory.may_call(pass, chat)) {
            self.take_out(session, chat);
        }
    }

    fn take_out(&self, session: &Session, chat: Chat) {
        let (pass, device) = (session.pass(), session.device.clone());
        info!(jid = %device.jid, device = %device.name, "taken out of a call: the token ended");
        let jid = chat.key().jid_for(&device.jid).to_string();
        let leave = ClientEvent::Leave { jid, reason: String::new() };
        let answer_style = AnswerStyle::Sdp;
        let sender = Sender { pass: pass.clone(), device, useragent: String::new(), answer_style };
        // It may have left by itself: then the node refuses, and nobody is told.
        tokio::spawn(self.tell_node(&sender, session.is_connected(), &pass, chat, leave));
    }
}
