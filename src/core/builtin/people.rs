//! Who is there: people, their tokens, groups, and what a `jid` in an event means to somebody.
//!
//! Everybody is in the one team and in every group. Tokens are known by their SHA-256 only: a
//! lookup compares no secret byte by byte, and the file gives none away.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::store::{Stored, StoredGroup, StoredPerson, StoredTeam};
use crate::core::directory::no_such_chat;
use crate::core::{Chat, Jid, Person, Refusal};
use crate::hex;
use crate::limits::{GROUPS_MAX, PEOPLE_MAX};
use crate::wire::http::ChatInfo;

/// No room for another person or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("this server knows {PEOPLE_MAX} people already")]
    People,
    #[error("this server has {GROUPS_MAX} groups already")]
    Groups,
}

/// A group chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub jid: Jid,
    pub display_name: String,
}

type TokenHash = [u8; 32];

/// See the module's words.
#[derive(Debug)]
pub struct People {
    pub team_uid: String,
    pub team_name: String,
    people: Vec<(Person, TokenHash)>,
    by_jid: HashMap<Jid, usize>,
    by_token: HashMap<TokenHash, usize>,
    groups: Vec<Group>,
}

impl People {
    /// A new team with its group "Lobby".
    pub fn founded() -> Self {
        let mut people = Self::empty(Uuid::new_v4().to_string(), "Voxhall".to_owned());
        people.add_group("Lobby".to_owned()).expect("the first of many groups");
        people
    }

    /// As kept in the file; `None` where the file's words cannot be understood.
    pub fn restored(stored: &Stored) -> Option<Self> {
        let mut people = Self::empty(stored.team.uid.clone(), stored.team.name.clone());
        for group in &stored.groups {
            let jid = Jid::parse(&group.jid)?;
            people.groups.push(Group { jid, display_name: group.display_name.clone() });
        }
        for person in &stored.people {
            let jid = Jid::parse(&person.jid)?;
            let token = from_hex(&person.token_sha256)?;
            people.insert(named(jid, person.display_name.clone(), person.no_record), token);
        }
        Some(people)
    }

    /// All that is to be kept.
    pub fn stored(&self) -> Stored {
        let person = |(person, token): &(Person, TokenHash)| StoredPerson {
            jid: person.jid.to_string(),
            display_name: person.display_name.clone(),
            token_sha256: hex::text(token),
            no_record: person.no_record,
        };
        let group = |group: &Group| StoredGroup {
            jid: group.jid.to_string(),
            display_name: group.display_name.clone(),
        };
        Stored {
            team: StoredTeam { uid: self.team_uid.clone(), name: self.team_name.clone() },
            people: self.people.iter().map(person).collect(),
            groups: self.groups.iter().map(group).collect(),
        }
    }

    /// A new person, and the token that is told once.
    ///
    /// # Errors
    /// There are `PEOPLE_MAX` already.
    pub fn add_person(
        &mut self,
        display_name: String,
        no_record: bool,
    ) -> Result<(String, Person), Full> {
        if self.people.len() >= PEOPLE_MAX {
            return Err(Full::People);
        }
        let jid = jid("d-");
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let person = named(jid, display_name, no_record);
        self.insert(person.clone(), token_hash(&token));
        Ok((token, person))
    }

    /// A new group.
    ///
    /// # Errors
    /// There are `GROUPS_MAX` already.
    pub fn add_group(&mut self, display_name: String) -> Result<Group, Full> {
        if self.groups.len() >= GROUPS_MAX {
            return Err(Full::Groups);
        }
        let group = Group { jid: jid("g-"), display_name };
        self.groups.push(group.clone());
        Ok(group)
    }

    /// Whose token it is.
    pub fn by_token(&self, token: &str) -> Option<&Person> {
        let index = self.by_token.get(&token_hash(token))?;
        self.people.get(*index).map(|(person, _)| person)
    }

    pub fn group(&self, jid: &Jid) -> Option<&Group> {
        self.groups.iter().find(|group| group.jid == *jid)
    }

    pub fn group_jids(&self) -> Vec<Jid> {
        self.groups.iter().map(|group| group.jid.clone()).collect()
    }

    /// How a person or a group is called.
    pub fn name_of(&self, jid: &Jid) -> Option<&str> {
        let person = self.by_jid.get(jid).and_then(|index| self.people.get(*index));
        let person = person.map(|(person, _)| person.display_name.as_str());
        person.or_else(|| Some(self.group(jid)?.display_name.as_str()))
    }

    /// The chat that `jid` names when `actor` says it.
    ///
    /// # Errors
    /// `no_such_chat`: neither a group nor another person.
    pub fn chat(&self, actor: &Person, jid: &str) -> Result<Chat, Refusal> {
        let jid = Jid::parse(jid).ok_or_else(no_such_chat)?;
        if let Some(group) = self.group(&jid) {
            return Ok(Chat::Group { jid, display_name: group.display_name.clone() });
        }
        let other = self.by_jid.get(&jid).and_then(|index| self.people.get(*index));
        match other {
            Some((other, _)) if other.jid != actor.jid => {
                Ok(Chat::direct(actor.clone(), other.clone()))
            }
            _ => Err(no_such_chat()),
        }
    }

    /// The chats in somebody's list: Lobby and the other groups, then the other people.
    pub fn chats(&self, reader: &Jid) -> Vec<ChatInfo> {
        let groups = self.groups.iter().map(|group| ChatInfo {
            jid: group.jid.to_string(),
            chat_type: "group",
            display_name: group.display_name.clone(),
        });
        let others = self.people.iter().filter(|(person, _)| person.jid != *reader);
        let direct = others.map(|(person, _)| ChatInfo {
            jid: person.jid.to_string(),
            chat_type: "direct",
            display_name: person.display_name.clone(),
        });
        groups.chain(direct).collect()
    }

    fn empty(team_uid: String, team_name: String) -> Self {
        let (by_jid, by_token) = (HashMap::new(), HashMap::new());
        Self { team_uid, team_name, people: Vec::new(), by_jid, by_token, groups: Vec::new() }
    }

    fn insert(&mut self, person: Person, token: TokenHash) {
        let index = self.people.len();
        self.by_jid.insert(person.jid.clone(), index);
        self.by_token.insert(token, index);
        self.people.push((person, token));
    }
}

/// A name for the device of a client that gave none: stands for the token without telling it.
pub fn device_of(token: &str) -> String {
    hex::text(&token_hash(token)).chars().take(16).collect()
}

fn named(jid: Jid, display_name: String, no_record: bool) -> Person {
    Person { jid, display_name, role: String::new(), icon: String::new(), no_record }
}

fn jid(prefix: &str) -> Jid {
    let text = format!("{prefix}{}", Uuid::new_v4());
    Jid::parse(&text).expect("a prefix and a UUID are 38 letters, digits and hyphens")
}

fn token_hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

fn from_hex(text: &str) -> Option<TokenHash> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_team_has_a_lobby() {
        let people = People::founded();
        let (_, anna) = People::founded().add_person("anna".into(), false).unwrap();
        let chats = people.chats(&anna.jid);
        assert_eq!(chats.len(), 1);
        assert_eq!((chats[0].display_name.as_str(), chats[0].chat_type), ("Lobby", "group"));
    }

    #[test]
    fn a_direct_chat_is_the_same_for_both_and_own_and_unknown_jids_are_none() {
        let mut people = People::founded();
        let (_, anna) = people.add_person("anna".into(), false).unwrap();
        let (_, boris) = people.add_person("anna".into(), false).unwrap();
        let one = people.chat(&anna, boris.jid.as_str()).unwrap();
        assert_eq!(one, people.chat(&boris, anna.jid.as_str()).unwrap());
        for jid in [anna.jid.as_str(), "d-unknown", "g-unknown", "", "../x"] {
            assert_eq!(people.chat(&anna, jid).unwrap_err().code, "no_such_chat", "{jid}");
        }
    }

    #[test]
    fn people_come_back_from_the_file_and_the_file_has_no_token() {
        let mut people = People::founded();
        let (token, anna) = people.add_person("anna".into(), false).unwrap();
        let group = people.add_group("Tea".into()).unwrap();
        let stored = people.stored();
        assert!(!stored.to_json().contains(&token));
        let back = People::restored(&Stored::from_json(&stored.to_json()).unwrap()).unwrap();
        assert_eq!(back.by_token(&token), Some(&anna));
        assert_eq!(back.group(&group.jid), Some(&group));
        assert_eq!(back.by_token("another"), None);
        assert_eq!(back.team_uid, people.team_uid);
    }

    #[test]
    fn the_10001st_person_and_the_1001st_group_are_refused() {
        let mut people = People::founded();
        for _ in 0..PEOPLE_MAX {
            people.add_person("anna".into(), false).unwrap();
        }
        assert_eq!(people.add_person("anna".into(), false).unwrap_err(), Full::People);
        for _ in 1..GROUPS_MAX {
            people.add_group("Tea".into()).unwrap();
        }
        assert_eq!(people.add_group("Tea".into()).unwrap_err(), Full::Groups);
    }

    #[test]
    fn a_device_named_after_its_token_does_not_tell_it() {
        assert_eq!(device_of("secret").len(), 16);
        assert!(!"secret".contains(&device_of("secret")));
        assert_eq!(device_of("secret"), device_of("secret"));
    }
}
