//! The product's name for a person or a chat: `d-` contact, `g-` group, `t-` task, `m-` meeting,
//! `th-` thread, then a UUID.

use alloc::sync::Arc;
use core::fmt;

use crate::limits::JID_BYTES;

/// A checked jid; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jid(Arc<str>);

/// What a jid names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JidKind {
    Contact,
    Group,
    Task,
    Meeting,
    Thread,
}

impl Jid {
    /// `None` unless the text is a known prefix and 1 or more of `[A-Za-z0-9-]`, within
    /// [`JID_BYTES`].
    pub fn parse(text: &str) -> Option<Jid> {
        let rest = kind_and_rest(text)?.1;
        let plain = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (plain && !rest.is_empty() && text.len() <= JID_BYTES).then(|| Jid(Arc::from(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn kind(&self) -> JidKind {
        kind_and_rest(&self.0).map_or(JidKind::Contact, |(kind, _)| kind)
    }
}

fn kind_and_rest(text: &str) -> Option<(JidKind, &str)> {
    const PREFIXES: [(&str, JidKind); 5] = [
        ("th-", JidKind::Thread),
        ("d-", JidKind::Contact),
        ("g-", JidKind::Group),
        ("t-", JidKind::Task),
        ("m-", JidKind::Meeting),
    ];
    PREFIXES.iter().find_map(|(prefix, kind)| Some((*kind, text.strip_prefix(prefix)?)))
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jid_is_a_known_prefix_and_a_plain_name() {
        for (text, kind) in [
            ("d-0bdfbbf5-abfa-4ed2-9f98-991d5bb80127", Some(JidKind::Contact)),
            ("g-1", Some(JidKind::Group)),
            ("t-1", Some(JidKind::Task)),
            ("th-1", Some(JidKind::Thread)),
            ("m-1", Some(JidKind::Meeting)),
            ("d-", None),
            ("x-1", None),
            ("", None),
            ("d-../../etc", None),
            ("d-1\n", None),
        ] {
            assert_eq!(Jid::parse(text).map(|jid| jid.kind()), kind, "{text:?}");
        }
        let long = alloc::format!("d-{}", "a".repeat(JID_BYTES - 2));
        assert!(Jid::parse(&long).is_some());
        assert!(Jid::parse(&alloc::format!("{long}a")).is_none());
    }
}
