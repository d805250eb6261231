//! The link's messages as JSON (docs/core.md): those of the core are read, those of the node
//! written.

use serde_json::{Value, json};

use crate::core::words::{jid, rights};
use crate::core::{
    AnswerStyle, CallSummary, Chat, ChatKey, Device, Jid, Person, Reader, Refusal, Signal, Team, To,
};
use crate::limits::{
    CORE_GROUPS_MAX, CORE_JSON_DEPTH_MAX, DEVICE_CHARS_MAX, JID_BYTES_MAX, NAME_CHARS_MAX,
    UID_CHARS_MAX, USERAGENT_CHARS_MAX,
};
use crate::wire::fields::{BadField, Fields, parse_json_within};
use crate::wire::{ClientEvent, ServerEvent};

/// Of the link's contract.
pub const VERSION: u64 = 1;

/// What the core says.
#[derive(Debug)]
pub enum FromCore {
    Hello {
        version: u64,
        core: String,
        seen: Seen,
    },
    /// `Err`: it cannot be acted on, which its sender is to be told.
    Signal {
        seq: u64,
        signal: Result<Box<Signal>, Refusal>,
    },
    Presence {
        seq: u64,
        device: Device,
        connected: bool,
        reader: Reader,
    },
    /// Numbered, and of no use: taken, or it would come for ever.
    Useless {
        seq: u64,
        why: Broken,
    },
    Ack {
        seq: u64,
    },
    FactAck {
        id: i64,
    },
    /// Of a later version.
    Unknown,
}

/// What one side has taken of the other's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whose they are; `""` for nobody's.
    pub id: String,
    pub seq: u64,
}

/// The core broke the contract: the link is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

impl From<BadField> for Broken {
    fn from(bad: BadField) -> Self {
        Broken(bad.to_string())
    }
}

impl FromCore {
    /// # Errors
    /// It is none of the link's messages. A signal whose inside is wrong is one all the same.
    pub fn parse(text: &str) -> Result<FromCore, Broken> {
        let message = parse_json_within(text.as_bytes(), CORE_JSON_DEPTH_MAX);
        let message = message.map_err(|no| Broken(no.to_string()))?;
        let fields = Fields::of(Some(&message), "message", "")?;
        match fields.text("type", UID_CHARS_MAX)? {
            "hello" => Ok(FromCore::Hello {
                version: number(&fields, "version")?,
                core: fields.word("core", UID_CHARS_MAX)?.to_owned(),
                seen: seen(&fields)?,
            }),
            "signal" => {
                let refused = |bad: BadField| Refusal::new("bad_params", bad.to_string());
                let signal = signal(&fields).map_err(|wrong| match wrong {
                    Wrong::Field(bad) => refused(bad),
                    Wrong::Event(refusal) => refusal,
                });
                Ok(FromCore::Signal { seq: number(&fields, "seq")?, signal: signal.map(Box::new) })
            }
            "presence" => {
                let seq = number(&fields, "seq")?;
                let useless = |bad: BadField| FromCore::Useless { seq, why: bad.into() };
                Ok(presence(&fields, seq).unwrap_or_else(useless))
            }
            "ack" => Ok(FromCore::Ack { seq: number(&fields, "seq")? }),
            "fact_ack" => {
                let id = i64::try_from(number(&fields, "id")?);
                Ok(FromCore::FactAck { id: id.map_err(|_| Broken("id: too large".to_owned()))? })
            }
            // Taken, where it has a number: or it would come for ever.
            kind => Ok(number(&fields, "seq").map_or(FromCore::Unknown, |seq| FromCore::Useless {
                seq,
                why: Broken(format!("{kind}: not known here")),
            })),
        }
    }
}

enum Wrong {
    Field(BadField),
    Event(Refusal),
}

impl From<BadField> for Wrong {
    fn from(bad: BadField) -> Self {
        Wrong::Field(bad)
    }
}

fn presence(fields: &Fields<'_>, seq: u64) -> Result<FromCore, BadField> {
    let who = jid(fields, "jid")?;
    let groups = match fields.required("groups") {
        Ok(_) => fields.texts("groups", JID_BYTES_MAX)?,
        Err(_) => Vec::new(),
    };
    let groups = groups.iter().take(CORE_GROUPS_MAX).filter_map(|it| Jid::parse(it));
    Ok(FromCore::Presence {
        seq,
        device: Device { jid: who.clone(), name: device(fields, "device")? },
        connected: fields.flag("connected")?,
        reader: Reader { jid: who, groups: groups.collect() },
    })
}

fn signal(fields: &Fields<'_>) -> Result<Signal, Wrong> {
    let actor = person(&fields.object("actor", "actor.")?)?;
    let chat = chat(&fields.object("chat", "chat.")?)?;
    if let Chat::Direct(pair) = &chat
        && pair.iter().all(|person| person.jid != actor.jid)
    {
        let problem = "the actor is none of the two".to_owned();
        return Err(Wrong::Field(BadField { field: "chat.people".to_owned(), problem }));
    }
    let rights = rights(fields)?;
    let event = fields.object("event", "event.")?;
    let params = event.required("params").ok();
    let event = ClientEvent::parse(event.text("event", UID_CHARS_MAX)?, params);
    let event = event.map_err(|no| Wrong::Event(Refusal::new(no.code, no.message)))?;
    Ok(Signal {
        team: team(fields)?,
        device: Device { jid: actor.jid.clone(), name: device(fields, "device")? },
        useragent: fields.text_if("useragent", USERAGENT_CHARS_MAX)?.unwrap_or("").to_owned(),
        answer_style: match fields.text_if("answer", UID_CHARS_MAX)? {
            Some("answer") => AnswerStyle::Answer,
            _ => AnswerStyle::Sdp,
        },
        has_socket: fields.flag_if("has_socket")?.unwrap_or(true),
        chat,
        actor,
        rights,
        event,
    })
}

fn team(fields: &Fields<'_>) -> Result<Team, BadField> {
    let Ok(team) = fields.object("team", "team.") else { return Ok(Team::default()) };
    Ok(Team {
        uid: team.text("uid", UID_CHARS_MAX)?.to_owned(),
        name: team.text_if("name", NAME_CHARS_MAX)?.unwrap_or("").to_owned(),
    })
}

fn chat(chat: &Fields<'_>) -> Result<Chat, BadField> {
    match chat.text("type", UID_CHARS_MAX)? {
        "direct" => {
            let wrong = |problem: &str| BadField {
                field: "chat.people".to_owned(),
                problem: problem.to_owned(),
            };
            let people = chat.required("people")?.as_array().ok_or_else(|| wrong("not a list"))?;
            let [one, other] = people.as_slice() else { return Err(wrong("not two people")) };
            let read = |who: &Value| person(&Fields::of(Some(who), "chat.people", "chat.people.")?);
            let (one, other) = (read(one)?, read(other)?);
            if one.jid == other.jid {
                return Err(wrong("the same person twice"));
            }
            Ok(Chat::direct(one, other))
        }
        "group" => Ok(Chat::Group {
            jid: jid(chat, "jid")?,
            display_name: chat.text_if("display_name", NAME_CHARS_MAX)?.unwrap_or("").to_owned(),
        }),
        _ => Err(BadField {
            field: "chat.type".to_owned(),
            problem: "neither direct nor group".to_owned(),
        }),
    }
}

fn person(fields: &Fields<'_>) -> Result<Person, BadField> {
    let text =
        |name: &str| fields.text_if(name, NAME_CHARS_MAX).map(|text| text.unwrap_or("").to_owned());
    Ok(Person {
        jid: jid(fields, "jid")?,
        display_name: text("display_name")?,
        role: text("role")?,
        icon: text("icon")?,
        no_record: fields.flag_if("no_record")?.unwrap_or(false),
    })
}

fn device(fields: &Fields<'_>, name: &str) -> Result<String, BadField> {
    fields.word(name, DEVICE_CHARS_MAX).map(str::to_owned)
}

fn seen(fields: &Fields<'_>) -> Result<Seen, BadField> {
    let Ok(seen) = fields.object("seen", "seen.") else { return Ok(Seen::default()) };
    let id = seen.text_if("node", UID_CHARS_MAX)?.unwrap_or("").to_owned();
    Ok(Seen { id, seq: number(&seen, "seq")? })
}

fn number(fields: &Fields<'_>, name: &str) -> Result<u64, BadField> {
    let no = || BadField { field: name.to_owned(), problem: "not a whole number".to_owned() };
    fields.required(name)?.as_u64().ok_or_else(no)
}

// ---- What the node says.

pub fn hello(node: &str, seen: &Seen) -> String {
    let software = concat!("voxhall ", env!("CARGO_PKG_VERSION"));
    let seen = json!({ "core": seen.id, "seq": seen.seq });
    json!({ "type": "hello", "version": VERSION, "node": node, "software": software, "seen": seen })
        .to_string()
}

pub fn ack(seq: u64) -> String {
    json!({ "type": "ack", "seq": seq }).to_string()
}

pub fn result(seq: u64, re: u64, outcome: &Result<(), Refusal>) -> String {
    let mut result = json!({ "type": "result", "seq": seq, "re": re, "ok": outcome.is_ok() });
    if let Err(refusal) = outcome {
        result["code"] = refusal.code.into();
        result["message"] = refusal.message.as_str().into();
    }
    result.to_string()
}

pub fn deliver(seq: u64, to: &To, event: &ServerEvent) -> String {
    let (frame, to) = (event.encode(), recipients(to));
    let (name, params) = (frame.event, frame.params);
    // The event is JSON already, as its readers get it.
    let event = format!("{{\"event\":\"{name}\",\"params\":{params}}}");
    format!("{{\"type\":\"deliver\",\"seq\":{seq},\"to\":{to},\"event\":{event}}}")
}

fn recipients(to: &To) -> Value {
    let device = |device: &Device| json!({ "jid": device.jid.as_str(), "device": device.name });
    match to {
        To::Device(one) => json!({ "devices": [device(one)] }),
        To::Devices(all) => json!({ "devices": all.iter().map(device).collect::<Vec<_>>() }),
        To::Person(who) => json!({ "people": [who.as_str()] }),
        To::OtherDevices(one) => json!({ "others_of": device(one) }),
        To::Members(group) => json!({ "members": group.as_str(), "except": [] }),
        To::OtherMembers { chat, except } => {
            let except: Vec<&str> = except.iter().map(Jid::as_str).collect();
            json!({ "members": chat.as_str(), "except": except })
        }
    }
}

pub fn call(seq: u64, summary: &CallSummary) -> String {
    let chat = match &summary.chat {
        ChatKey::Group(jid) => json!({ "group": jid.as_str() }),
        ChatKey::Direct(one, other) => json!({ "direct": [one.as_str(), other.as_str()] }),
    };
    let mut call = json!({
        "type": "call", "seq": seq, "uid": summary.uid, "chat": chat,
        "online_count": summary.online_count, "finished": summary.finished,
    });
    if let Some(start) = &summary.start {
        call["start"] = start.as_str().into();
    }
    call.to_string()
}

/// From what the outbox keeps.
pub fn fact(body: &str) -> String {
    format!("{{\"type\":\"fact\",{body}}}")
}

/// A chat as facts have it.
pub fn chat_value(chat: &Chat) -> Value {
    match chat {
        Chat::Direct(pair) => {
            let person =
                |it: &Person| json!({ "jid": it.jid.as_str(), "display_name": it.display_name });
            json!({ "type": "direct", "people": pair.iter().map(person).collect::<Vec<_>>() })
        }
        Chat::Group { jid, display_name } => {
            json!({ "type": "group", "jid": jid.as_str(), "display_name": display_name })
        }
    }
}

#[cfg(test)]
mod tests;
