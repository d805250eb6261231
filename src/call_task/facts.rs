//! What happened in the call, on its way to the outbox: with the names of people and the chat, as
//! the core gave them.

use engine::Jid;
use engine::call::{Fact, FactKind, Finish, Targets};
use serde_json::{Value, json};

use super::CallTask;
use crate::core::link::chat_value;
use crate::outbox;

impl CallTask {
    pub(crate) fn note(&mut self, fact: Fact) {
        self.tell_fact(&fact);
        let Some(outbox) = &self.shared.outbox else { return };
        let name = |jid: &Jid| {
            self.people.get(jid).map(|person| person.display_name.clone()).unwrap_or_default()
        };
        let (kind, details) = told(&fact.kind);
        outbox.put(outbox::Fact {
            call: self.uid.clone(),
            at: fact.at.as_nanos(),
            kind,
            team: json!({ "uid": self.team.uid, "name": self.team.name }),
            chat: chat_value(&self.chat),
            actor: fact.actor.map(|jid| (jid.to_string(), name(&jid))),
            details,
            opens: true,
            ends: matches!(fact.kind, FactKind::Finished { .. }),
        });
    }
}

fn told(kind: &FactKind) -> (&'static str, Value) {
    let people = |targets: &Targets| match targets {
        Targets::Everyone => json!({ "people": [] }),
        Targets::These(these) => {
            json!({ "people": these.iter().map(Jid::as_str).collect::<Vec<_>>() })
        }
    };
    match kind {
        FactKind::Started => ("started", json!({})),
        FactKind::Joined => ("joined", json!({})),
        FactKind::Left { reason } => ("left", json!({ "reason": reason.label() })),
        FactKind::Muted { by } => {
            let by = by.as_ref().map_or(OPERATOR, Jid::as_str);
            ("muted", json!({ "by": by }))
        }
        FactKind::Unmuted => ("unmuted", json!({})),
        FactKind::Rung { targets } => ("rung", people(targets)),
        FactKind::AnsweredElsewhere { device } => {
            ("answered_elsewhere", json!({ "device": &**device }))
        }
        FactKind::Rejected { reason } => ("rejected", json!({ "reason": &**reason })),
        FactKind::Cancelled { targets } => ("cancelled", people(targets)),
        FactKind::Missed { targets } => ("missed", people(targets)),
        FactKind::RecordOn => ("record_on", json!({})),
        FactKind::RecordOff => ("record_off", json!({})),
        FactKind::Finished { start, why } => {
            let reason = match (why, start) {
                (Finish::Ended, _) => "ended",
                (Finish::Left, Some(_)) => "left",
                (Finish::Left, None) => "unanswered",
            };
            ("finished", json!({ "reason": reason }))
        }
    }
}

/// Who muted somebody, where nobody of the chat did.
const OPERATOR: &str = "";
