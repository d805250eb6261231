//! Client events (PROTOCOL.md section 2).

use serde_json::Value;

use super::fields::{BadField, Fields, NotJson, bad, parse_json};
use super::server::{Jsep, JsepKind};
use crate::limits::{CANDIDATE_CHARS_MAX, CONFIRM_ID_CHARS_MAX, JID_BYTES_MAX, UID_CHARS_MAX};

/// What a client asked for, checked for form and size; jids are still text.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    Offer {
        jid: String,
        sdp: String,
        trickle: bool,
        /// `!enabled_audio` where that is present, else `muted`.
        muted: bool,
    },
    Sdp {
        jid: String,
        uid: String,
        jsep: Jsep,
    },
    Trickle {
        jid: String,
        candidate: String,
        sdp_mid: Option<String>,
        sdp_mline_index: u32,
    },
    Sound {
        jid: String,
        muted: bool,
    },
    MuteAll {
        jid: String,
        /// False lifts a sticky mute and unmutes nobody.
        muted: bool,
        /// Others may not unmute themselves until it is lifted.
        sticky: bool,
    },
    Kick {
        jid: String,
        /// Who is put out.
        onliner: String,
    },
    Buzz {
        jid: String,
        members: Vec<String>,
    },
    BuzzCancel {
        jid: String,
    },
    Reject {
        jid: String,
        reason: String,
    },
    Leave {
        jid: String,
        reason: String,
    },
    Record {
        jid: String,
        uid: String,
        audiorecord: bool,
    },
    Video {
        jid: String,
    },
    Screenshare {
        jid: String,
    },
    Ping,
    Confirm {
        confirm_id: String,
    },
    Activity,
}

/// One message as it came, before it is known to be an event of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    pub confirm_id: Option<String>,
    /// The whole client event, for `server.warning.orig`.
    pub orig: Value,
    pub event: Result<ClientEvent, Unusable>,
}

/// Why an event cannot be acted on: a stable code and a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    pub code: &'static str,
    pub message: String,
}

impl Envelope {
    /// Reads one message, of a text or a binary frame alike.
    ///
    /// # Errors
    /// The bytes are no JSON. Anything else wrong is inside the envelope, as `event`.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotJson> {
        let orig = parse_json(bytes)?;
        let (confirm_id, event) = match read(&orig) {
            Ok((confirm_id, event)) => (confirm_id, event),
            Err(bad_field) => (None, Err(bad_field.into())),
        };
        Ok(Self { confirm_id, orig, event })
    }
}

impl ClientEvent {
    /// The event's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Offer { .. } => "client.call.offer",
            Self::Sdp { .. } => "client.call.sdp",
            Self::Trickle { .. } => "client.call.trickle",
            Self::Sound { .. } => "client.call.sound",
            Self::MuteAll { .. } => "client.call.muteall",
            Self::Kick { .. } => "client.call.kick",
            Self::Buzz { .. } => "client.call.buzz",
            Self::BuzzCancel { .. } => "client.call.buzzcancel",
            Self::Reject { .. } => "client.call.reject",
            Self::Leave { .. } => "client.call.leave",
            Self::Record { .. } => "client.call.record",
            Self::Video { .. } => "client.call.video",
            Self::Screenshare { .. } => "client.call.screenshare",
            Self::Ping => "client.ping",
            Self::Confirm { .. } => "client.confirm",
            Self::Activity => "client.activity",
        }
    }

    /// The chat it is about; `None` for the events that are about none.
    pub fn jid(&self) -> Option<&str> {
        match self {
            Self::Offer { jid, .. }
            | Self::Sdp { jid, .. }
            | Self::Trickle { jid, .. }
            | Self::Sound { jid, .. }
            | Self::MuteAll { jid, .. }
            | Self::Kick { jid, .. }
            | Self::Buzz { jid, .. }
            | Self::BuzzCancel { jid }
            | Self::Reject { jid, .. }
            | Self::Leave { jid, .. }
            | Self::Record { jid, .. }
            | Self::Video { jid }
            | Self::Screenshare { jid } => Some(jid),
            Self::Ping | Self::Confirm { .. } | Self::Activity => None,
        }
    }

    /// Reads the event called `name` out of its `params`.
    ///
    /// # Errors
    /// An unknown name, or params that are missing, of another type or too long.
    pub fn parse(name: &str, params: Option<&Value>) -> Result<Self, Unusable> {
        let params = Fields::of(params, "params", "").map_err(Unusable::from)?;
        match event(name, &params) {
            Ok(Some(event)) => Ok(event),
            Ok(None) => Err(unknown(name)),
            Err(bad_field) => Err(bad_field.into()),
        }
    }
}

impl From<BadField> for Unusable {
    fn from(bad: BadField) -> Self {
        Self { code: "bad_params", message: bad.to_string() }
    }
}

impl From<NotJson> for Unusable {
    fn from(not_json: NotJson) -> Self {
        Self { code: "bad_json", message: not_json.to_string() }
    }
}

/// The text begins as in the product's own documents; every other `client.*` event is the chat
/// core's, and the built-in one has no use for it.
fn unknown(name: &str) -> Unusable {
    let name: String = name.chars().take(UID_CHARS_MAX).collect();
    let why = if name.starts_with("client.") { " (no chat core to pass it to)" } else { "" };
    Unusable { code: "unknown_event", message: format!("unknown event: {name}{why}") }
}

type Read = (Option<String>, Result<ClientEvent, Unusable>);

fn read(orig: &Value) -> Result<Read, BadField> {
    let envelope = Fields::of(Some(orig), "message", "")?;
    let confirm_id = envelope.text_if("confirm_id", CONFIRM_ID_CHARS_MAX)?.map(str::to_owned);
    let event = match envelope.text("event", usize::MAX) {
        Ok(name) => ClientEvent::parse(name, orig.get("params")),
        Err(bad_field) => Err(bad_field.into()),
    };
    Ok((confirm_id, event))
}

fn event(name: &str, params: &Fields<'_>) -> Result<Option<ClientEvent>, BadField> {
    let jid = || params.word("jid", JID_BYTES_MAX).map(str::to_owned);
    let uid = || params.word("uid", UID_CHARS_MAX).map(str::to_owned);
    Ok(Some(match name {
        "client.call.offer" => offer(params)?,
        "client.call.sdp" => ClientEvent::Sdp { jid: jid()?, uid: uid()?, jsep: jsep(params)? },
        "client.call.trickle" => trickle(params)?,
        "client.call.sound" => ClientEvent::Sound { jid: jid()?, muted: params.flag("muted")? },
        "client.call.muteall" => ClientEvent::MuteAll {
            jid: jid()?,
            muted: params.flag_if("muted")?.unwrap_or(true),
            sticky: params.flag_if("sticky")?.unwrap_or(false),
        },
        "client.call.kick" => {
            let onliner = params.word("onliner", JID_BYTES_MAX)?.to_owned();
            ClientEvent::Kick { jid: jid()?, onliner }
        }
        "client.call.buzz" => {
            let members = params.texts("members", JID_BYTES_MAX)?;
            ClientEvent::Buzz { jid: jid()?, members }
        }
        "client.call.buzzcancel" => ClientEvent::BuzzCancel { jid: jid()? },
        "client.call.reject" => {
            ClientEvent::Reject { jid: jid()?, reason: params.remark("reason")? }
        }
        "client.call.leave" => ClientEvent::Leave { jid: jid()?, reason: params.remark("reason")? },
        "client.call.record" => {
            let audiorecord = params.flag_if("audiorecord")?.unwrap_or(false);
            ClientEvent::Record { jid: jid()?, uid: uid()?, audiorecord }
        }
        "client.call.video" => ClientEvent::Video { jid: jid()? },
        "client.call.screenshare" => ClientEvent::Screenshare { jid: jid()? },
        "client.ping" => ClientEvent::Ping,
        "client.confirm" => {
            let confirm_id = params.text("confirm_id", CONFIRM_ID_CHARS_MAX)?.to_owned();
            ClientEvent::Confirm { confirm_id }
        }
        "client.activity" => ClientEvent::Activity,
        _ => return Ok(None),
    }))
}

fn offer(params: &Fields<'_>) -> Result<ClientEvent, BadField> {
    params.flag_if("enabled_video")?;
    params.text_if("call_type", UID_CHARS_MAX)?;
    let muted = match (params.flag_if("enabled_audio")?, params.flag_if("muted")?) {
        (Some(enabled), _) => !enabled,
        (None, Some(muted)) => muted,
        (None, None) => return Err(bad("muted", "missing")),
    };
    Ok(ClientEvent::Offer {
        jid: params.word("jid", JID_BYTES_MAX)?.to_owned(),
        sdp: params.word("sdp", usize::MAX)?.to_owned(),
        trickle: params.flag("trickle")?,
        muted,
    })
}

fn trickle(params: &Fields<'_>) -> Result<ClientEvent, BadField> {
    Ok(ClientEvent::Trickle {
        jid: params.word("jid", JID_BYTES_MAX)?.to_owned(),
        candidate: params.text("candidate", CANDIDATE_CHARS_MAX)?.to_owned(),
        sdp_mid: params.text_if("sdp_mid", UID_CHARS_MAX)?.map(str::to_owned),
        sdp_mline_index: params.number_if("sdp_mline_index")?.unwrap_or(0),
    })
}

fn jsep(params: &Fields<'_>) -> Result<Jsep, BadField> {
    let jsep = params.object("jsep", "jsep.")?;
    let kind = match jsep.text("type", UID_CHARS_MAX)? {
        "offer" => JsepKind::Offer,
        "answer" => JsepKind::Answer,
        _ => return Err(bad("jsep.type", "expected offer or answer")),
    };
    Ok(Jsep { kind, sdp: jsep.word("sdp", usize::MAX)?.to_owned() })
}

#[cfg(test)]
mod tests;
