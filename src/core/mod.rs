//! The chat core's side of a call: what the core tells the node (`Signal`), what the node wants
//! delivered to people (`Deliver`), and the two traits the sides meet in.
//!
//! Knows no media. A core elsewhere speaks over a `link`. People who come to this node themselves
//! are held by `sockets`: whoever they are is known to the built-in core (`builtin`), or told by a
//! token that a core elsewhere signed (`tokens`); `mixed` is a link and sockets beside each other.
//! The node never looks up people or chats: a signal carries all it needs.

pub mod builtin;
pub mod directory;
#[cfg(test)]
pub(crate) mod fake_node;
pub mod link;
pub mod mixed;
pub mod sockets;
#[cfg(test)]
pub(crate) mod test_folder;
pub mod tokens;
mod words;

use std::future::Future;
use std::pin::Pin;

pub use engine::Jid;

pub use crate::wire::http::Team;
use crate::wire::report::LegsView;
use crate::wire::server::CallState;
use crate::wire::{ClientEvent, ServerEvent};

/// A person as the core describes him; strings are `""` where unknown, never absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub jid: Jid,
    pub display_name: String,
    pub role: String,
    pub icon: String,
    /// What he says is never recorded.
    pub no_record: bool,
}

/// One device of a person: at most one socket holds it at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    pub jid: Jid,
    /// The client's `?device=`, else its token (at most 64 characters).
    pub name: String,
}

/// A chat in which a call happens. At most one live call each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chat {
    /// Two people; the smaller jid first. Each reads the other's jid as the chat's name.
    Direct(Box<[Person; 2]>),
    /// Everybody the core counts as its member (`To::Members`).
    Group { jid: Jid, display_name: String },
}

/// What a call is found by: one value for both names of a direct chat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChatKey {
    Direct(Jid, Jid),
    Group(Jid),
}

/// What the core allows the actor of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Mute all others, keep them muted, let them speak again.
    pub mute_all: bool,
    pub record: bool,
    /// Put people out.
    pub kick: bool,
}

/// What somebody may read beside his own direct chats: these groups, as the core counts members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    pub jid: Jid,
    pub groups: Vec<Jid>,
}

/// Which of the twin events a socket wants its answer in (PROTOCOL.md section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerStyle {
    /// `server.call.sdp`
    Sdp,
    /// `server.call.answer`: no server offers either.
    Answer,
}

/// Core to node: one client event with all that is needed to act on it.
#[derive(Clone, Debug)]
pub struct Signal {
    pub team: Team,
    pub chat: Chat,
    pub actor: Person,
    pub device: Device,
    pub useragent: String,
    pub answer_style: AnswerStyle,
    pub rights: Rights,
    /// Whether a socket of the device is open: an event may come by HTTP alone.
    pub has_socket: bool,
    pub event: ClientEvent,
}

/// Node to core: an event for people. In a direct chat it is written for its one reader.
#[derive(Clone, Debug)]
pub struct Deliver {
    pub to: To,
    pub event: ServerEvent,
}

/// Who gets a `Deliver`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// One device.
    Device(Device),
    /// Every device of a person.
    Person(Jid),
    /// Every device of a person but one.
    OtherDevices(Device),
    /// Every device of every member of a group chat.
    Members(Jid),
    /// The same without these people.
    OtherMembers { chat: Jid, except: Vec<Jid> },
    /// These devices, such as all in a call.
    Devices(Vec<Device>),
}

/// A live call as `server.online` lists it; `online_count` 0 with `finished` = it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSummary {
    pub chat: ChatKey,
    pub uid: String,
    /// PROTOCOL.md time format; absent while a direct call still rings.
    pub start: Option<String>,
    pub online_count: usize,
    pub finished: bool,
}

/// What somebody asks of a live call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Its state, with the levels of this moment.
    State,
    /// Its legs: why the reader hears somebody or does not.
    Legs,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    State(Box<CallState>),
    Legs(LegsView),
}

/// What became of a device's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Connected,
    Lost,
}

/// The caller's fault, for `server.warning`: a stable code and a text for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The chat core as the node sees it. Neither call may block: a full queue is the core's loss.
pub trait ChatCore: Send + Sync + 'static {
    fn deliver(&self, deliver: Deliver);
    /// A call began, changed its count, or finished: `server.online` changes.
    fn call_changed(&self, summary: CallSummary);
}

/// The node as the core sees it.
pub trait Node: Send + Sync + 'static {
    /// Acts on one client event. Resolves once its effects are delivered.
    ///
    /// # Errors
    /// The refusal is for the sender of the event; nobody else was touched.
    fn signal(&self, signal: Signal) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;
    /// A device's socket came or went. `Connected` also brings the states of the live calls that
    /// the reader may know of, and a buzz still running, to that device.
    fn presence(&self, device: &Device, presence: Presence, reader: &Reader);
    /// Tells the state of every live call, and its line in the list: whoever had them may have
    /// lost some.
    fn tell_all(&self);
    /// Every live call.
    fn calls(&self) -> Vec<CallSummary>;
    /// How a live call stands, for somebody the core lets know; `None` where there is no such
    /// call.
    fn ask(
        &self,
        uid: &str,
        reader: &Jid,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Option<Reply>> + Send>>;
}

impl Chat {
    pub fn key(&self) -> ChatKey {
        match self {
            Chat::Direct(pair) => ChatKey::Direct(pair[0].jid.clone(), pair[1].jid.clone()),
            Chat::Group { jid, .. } => ChatKey::Group(jid.clone()),
        }
    }

    /// A direct chat of two people, in whichever order they come.
    pub fn direct(one: Person, other: Person) -> Self {
        let pair = if one.jid <= other.jid { [one, other] } else { [other, one] };
        Chat::Direct(Box::new(pair))
    }
}

impl Rights {
    /// Everything.
    pub const ALL: Rights = Rights { mute_all: true, record: true, kick: true };

    /// # Errors
    /// `no_right`: the core did not give the actor what this event needs.
    pub fn check(&self, event: &ClientEvent) -> Result<(), Refusal> {
        let (held, what) = match event {
            ClientEvent::MuteAll { .. } => (self.mute_all, "mute everybody"),
            ClientEvent::Record { .. } => (self.record, "record"),
            ClientEvent::Kick { .. } => (self.kick, "put people out"),
            _ => (true, ""),
        };
        match held {
            true => Ok(()),
            false => Err(Refusal::new("no_right", format!("you may not {what} here"))),
        }
    }
}

impl Reader {
    pub fn reads(&self, chat: &ChatKey) -> bool {
        match chat {
            ChatKey::Direct(one, other) => [one, other].contains(&&self.jid),
            ChatKey::Group(jid) => self.groups.contains(jid),
        }
    }
}

impl ChatKey {
    /// The chat's jid as `reader` reads it: of a direct chat, the other person's.
    pub fn jid_for(&self, reader: &Jid) -> &Jid {
        match self {
            ChatKey::Group(jid) => jid,
            ChatKey::Direct(one, other) if one == reader => other,
            ChatKey::Direct(one, _) => one,
        }
    }

    pub fn is_direct(&self) -> bool {
        matches!(self, ChatKey::Direct(..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_allows_its_event_and_no_other() {
        let jid = || "g-1".to_owned();
        let mute_all = ClientEvent::MuteAll { jid: jid(), muted: true, sticky: false };
        let record = ClientEvent::Record { jid: jid(), uid: "u".to_owned(), audiorecord: true };
        let kick = ClientEvent::Kick { jid: jid(), onliner: "d-1".to_owned() };
        let sound = ClientEvent::Sound { jid: jid(), muted: true };
        let none = Rights { mute_all: false, record: false, kick: false };
        for (rights, allowed) in [
            (none, [false, false, false, true]),
            (Rights { mute_all: true, ..none }, [true, false, false, true]),
            (Rights { record: true, ..none }, [false, true, false, true]),
            (Rights { kick: true, ..none }, [false, false, true, true]),
            (Rights::ALL, [true; 4]),
        ] {
            let checked = [&mute_all, &record, &kick, &sound].map(|event| rights.check(event));
            assert_eq!(checked.clone().map(|check| check.is_ok()), allowed);
            let codes = checked.into_iter().filter_map(Result::err).map(|refusal| refusal.code);
            assert!(codes.into_iter().all(|code| code == "no_right"));
        }
    }
}
