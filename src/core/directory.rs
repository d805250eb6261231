//! Who comes to our sockets, what he may, and what his chats are: asked of whoever knows people.

use std::sync::Arc;
use std::time::Instant;

use super::{Chat, ChatKey, Jid, Person, Reader, Refusal, Rights, Team};
use crate::wire::http::ChatInfo;

/// What a token says of whoever shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    pub person: Person,
    pub team: Team,
    pub rights: Rights,
    /// Where he may call; `None` where the directory says it.
    pub chats: Option<TokenChats>,
    /// From when on it is good for nothing; `None` = it stays good.
    pub until: Option<Instant>,
    /// When it was made, and when it ends, in seconds: of two the later one counts.
    pub order: (u64, u64),
}

/// The chats that a token names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenChats {
    pub groups: Vec<Chat>,
    /// With whom he has a direct chat.
    pub people: Vec<Person>,
    /// He may call whoever is not among them too.
    pub anybody: bool,
}

/// Why a token is good for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPass {
    #[error("nobody has this token")]
    Unknown,
    #[error("the token has run out")]
    RunOut,
    /// It was signed, and says what we cannot use: its maker's fault, and told to him.
    #[error("the token's {0}")]
    Claim(String),
}

/// Whoever knows people.
pub trait Directory: Send + Sync + 'static {
    /// # Errors
    /// The token is not, or no longer, good.
    fn pass(&self, token: &str) -> Result<Arc<Pass>, NoPass>;
    /// The chat that `jid` names when the pass's holder says it.
    ///
    /// # Errors
    /// `no_such_chat`.
    fn chat(&self, pass: &Pass, jid: &str) -> Result<Chat, Refusal>;
    /// The chats in his list.
    fn chats(&self, pass: &Pass) -> Vec<ChatInfo>;
    /// The groups he is in.
    fn groups(&self, pass: &Pass) -> Vec<Jid>;
    fn is_member(&self, pass: &Pass, group: &Jid) -> bool;
    /// How somebody is called.
    fn name_of(&self, pass: &Pass, jid: &Jid) -> Option<String>;

    /// Whether he may call there.
    fn may_call(&self, pass: &Pass, chat: &Chat) -> bool {
        let jid = chat.key().jid_for(&pass.person.jid).to_string();
        self.chat(pass, &jid).is_ok()
    }

    fn reader(&self, pass: &Pass) -> Reader {
        Reader { jid: pass.person.jid.clone(), groups: self.groups(pass) }
    }

    /// Whether he may know of what happens there.
    fn reads(&self, pass: &Pass, chat: &ChatKey) -> bool {
        match chat {
            ChatKey::Direct(one, other) => [one, other].contains(&&pass.person.jid),
            ChatKey::Group(group) => self.is_member(pass, group),
        }
    }
}

pub fn no_such_chat() -> Refusal {
    Refusal::new("no_such_chat", "there is no such chat")
}
