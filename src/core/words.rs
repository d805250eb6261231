//! Words that a core elsewhere has for people and what they may, in a token as on the link.

use super::{Jid, Rights};
use crate::limits::JID_BYTES_MAX;
use crate::wire::fields::{BadField, Fields};

/// # Errors
/// It is missing, or no jid.
pub fn jid(fields: &Fields<'_>, name: &str) -> Result<Jid, BadField> {
    let text = fields.text(name, JID_BYTES_MAX)?;
    let no = || BadField { field: name.to_owned(), problem: "this is not a jid".to_owned() };
    Jid::parse(text).ok_or_else(no)
}

/// What is missing, somebody may not.
///
/// # Errors
/// One of them is neither true nor false.
pub fn rights(fields: &Fields<'_>) -> Result<Rights, BadField> {
    let rights = fields.object("rights", "rights.").ok();
    let right = |name: &str| {
        rights.as_ref().map_or(Ok(None), |rights| rights.flag_if(name)).map(|it| it == Some(true))
    };
    Ok(Rights { mute_all: right("mute_all")?, record: right("record")?, kick: right("kick")? })
}
