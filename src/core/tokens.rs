//! People whom a core elsewhere lets come to us themselves, by a token that it signed (JWT, RFC
//! 7519; HS256 or EdDSA): who he is, where he may call, what he may, and until when.
//! docs/clients.md has the claims.
//!
//! Nothing is kept: a token is all there is to know of its holder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use super::directory::{Directory, NoPass, Pass, TokenChats, no_such_chat};
use super::{Chat, Jid, Person, Refusal, Team, words};
use crate::clock;
use crate::limits::{
    NAME_CHARS_MAX, TOKEN_AHEAD_MAX, TOKEN_BYTES_MAX, TOKEN_CHATS_MAX, UID_CHARS_MAX,
};
use crate::wire::fields::{BadField, Fields};
use crate::wire::http::ChatInfo;

/// What a token is checked against; replaced whole when the configuration is read again.
pub struct Tokens(RwLock<Arc<Keys>>);

/// Whoever signs with one of these is believed.
pub struct Keys {
    secrets: Vec<DecodingKey>,
    public: Vec<DecodingKey>,
    audience: String,
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    #[error("clients.public_keys: {path}: {why}")]
    File { path: PathBuf, why: String },
    #[error("clients.secrets: {0}")]
    Secret(String),
}

impl Keys {
    /// `secrets` sign HS256; `public` are PEM files of Ed25519 keys.
    ///
    /// # Errors
    /// A file cannot be read, or is no such key.
    pub fn read(secrets: &[String], public: &[PathBuf], audience: &str) -> Result<Keys, KeyFault> {
        let secret = |text: &String| {
            let key = DecodingKey::from_secret(text.as_bytes());
            key.map_err(|why| KeyFault::Secret(why.to_string()))
        };
        Ok(Keys {
            secrets: secrets.iter().map(secret).collect::<Result<_, _>>()?,
            public: public.iter().map(|path| public_key(path)).collect::<Result<_, _>>()?,
            audience: audience.to_owned(),
        })
    }

    /// What a good token says.
    fn claims(&self, token: &str) -> Result<Value, NoPass> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(NoPass::Claim(format!("text is longer than {TOKEN_BYTES_MAX} bytes")));
        }
        let header = decode_header(token).map_err(|_| NoPass::Unknown)?;
        // Which keys are tried is ours to say: a public key is never used as a secret.
        let keys = match header.alg {
            Algorithm::HS256 => &self.secrets,
            Algorithm::EdDSA => &self.public,
            _ => return Err(NoPass::Claim("alg is neither HS256 nor EdDSA".to_owned())),
        };
        let mut rules = Validation::new(header.alg);
        rules.leeway = CLOCKS_APART.as_secs();
        rules.validate_nbf = true;
        rules.set_audience(&[&self.audience]);
        rules.set_required_spec_claims(&["exp", "aud"]);
        let mut refused = NoPass::Unknown;
        for key in keys {
            match decode::<Value>(token, key, &rules) {
                Ok(token) => return Ok(token.claims),
                Err(error) => match error.kind() {
                    ErrorKind::InvalidSignature => {}
                    ErrorKind::ExpiredSignature => refused = NoPass::RunOut,
                    _ => refused = NoPass::Claim(error.to_string()),
                },
            }
        }
        Err(refused)
    }
}

impl Tokens {
    pub fn new(keys: Keys) -> Tokens {
        Tokens(RwLock::new(Arc::new(keys)))
    }

    /// From now on these are believed. Who is in already stays until his token runs out.
    pub fn renew(&self, keys: Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    fn keys(&self) -> Arc<Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Directory for Tokens {
    fn pass(&self, token: &str) -> Result<Arc<Pass>, NoPass> {
        let claims = self.keys().claims(token)?;
        let now = u64::try_from(clock::wall().as_nanos() / 1_000_000_000).unwrap_or(0);
        let pass = pass(&claims, (now, Instant::now())).map_err(|bad| match bad {
            BadField { field, problem } if field == "exp" && problem == RAN_OUT => NoPass::RunOut,
            bad => NoPass::Claim(bad.to_string()),
        })?;
        Ok(Arc::new(pass))
    }

    fn chat(&self, pass: &Pass, jid: &str) -> Result<Chat, Refusal> {
        let jid = Jid::parse(jid).ok_or_else(no_such_chat)?;
        let chats = pass.chats.as_ref().ok_or_else(no_such_chat)?;
        if let Some(group) = group(chats, &jid) {
            return Ok(group.clone());
        }
        let known = chats.people.iter().find(|person| person.jid == jid).cloned();
        let may = chats.anybody && jid.as_str().starts_with("d-") && jid != pass.person.jid;
        let other = known.or_else(|| may.then(|| person_of(jid, "")));
        other.map(|other| Chat::direct(pass.person.clone(), other)).ok_or_else(no_such_chat)
    }

    fn chats(&self, pass: &Pass) -> Vec<ChatInfo> {
        let chats = pass.chats.iter();
        let groups = chats.clone().flat_map(|chats| &chats.groups).filter_map(|chat| match chat {
            Chat::Group { jid, display_name } => Some((jid, display_name, "group")),
            Chat::Direct(_) => None,
        });
        let people = chats.flat_map(|chats| &chats.people);
        let people = people.map(|person| (&person.jid, &person.display_name, "direct"));
        let info = |(jid, name, chat_type): (&Jid, &String, &'static str)| ChatInfo {
            jid: jid.to_string(),
            chat_type,
            display_name: name.clone(),
        };
        groups.chain(people).map(info).collect()
    }

    fn groups(&self, pass: &Pass) -> Vec<Jid> {
        let jid = |chat: &Chat| match chat {
            Chat::Group { jid, .. } => Some(jid.clone()),
            Chat::Direct(_) => None,
        };
        pass.chats.iter().flat_map(|chats| &chats.groups).filter_map(jid).collect()
    }

    fn is_member(&self, pass: &Pass, jid: &Jid) -> bool {
        pass.chats.as_ref().is_some_and(|chats| group(chats, jid).is_some())
    }

    fn name_of(&self, pass: &Pass, jid: &Jid) -> Option<String> {
        let known = self.chats(pass).into_iter().find(|chat| chat.jid == jid.as_str());
        known.map(|chat| chat.display_name)
    }
}

/// What the claims say; `now` is the time of day in seconds, and the moment it was read.
fn pass(claims: &Value, (now, moment): (u64, Instant)) -> Result<Pass, BadField> {
    let fields = Fields::of(Some(claims), "claims", "")?;
    let exp = fields.required("exp")?.as_f64().map(|exp| exp.max(0.0) as u64);
    let exp = exp.ok_or_else(|| bad("exp", "not a number of seconds"))?;
    let left = Duration::from_secs(exp.saturating_sub(now));
    if left.is_zero() {
        return Err(bad("exp", RAN_OUT));
    }
    if left > TOKEN_AHEAD_MAX {
        return Err(bad("exp", "further away than a day: who has left would stay"));
    }
    let jid = words::jid(&fields, "jid")?;
    let name = fields.text_if("name", NAME_CHARS_MAX)?.unwrap_or("");
    let text =
        |name: &str| fields.text_if(name, NAME_CHARS_MAX).map(|text| text.unwrap_or("").to_owned());
    let person = Person {
        role: text("role")?,
        icon: text("icon")?,
        no_record: fields.flag_if("no_record")?.unwrap_or(false),
        ..person_of(jid, name)
    };
    let team = fields.object("team", "team.")?;
    let team = Team {
        uid: team.word("uid", UID_CHARS_MAX)?.to_owned(),
        name: team.text_if("name", NAME_CHARS_MAX)?.unwrap_or("").to_owned(),
    };
    let rights = words::rights(&fields)?;
    let chats = chats(&fields, &person)?;
    let made = fields.number_if("iat")?.map_or(0, u64::from);
    let (chats, until, order) = (Some(chats), Some(moment + left), (made, exp));
    Ok(Pass { person, team, rights, chats, until, order })
}

fn chats(fields: &Fields<'_>, own: &Person) -> Result<TokenChats, BadField> {
    let named = fields.required("chats")?.as_array();
    let named = named.ok_or_else(|| bad("chats", "expected a list"))?;
    if named.len() > TOKEN_CHATS_MAX {
        return Err(bad("chats", &format!("more than {TOKEN_CHATS_MAX}")));
    }
    let anybody = fields.flag_if("direct")?.unwrap_or(false);
    let mut chats = TokenChats { anybody, ..TokenChats::default() };
    for chat in named {
        let chat = Fields::of(Some(chat), "chats", "chats.")?;
        let jid = words::jid(&chat, "jid")?;
        let name = chat.text_if("name", NAME_CHARS_MAX)?.unwrap_or("");
        match chat.text("type", UID_CHARS_MAX)? {
            "group" => {
                chats.groups.push(Chat::Group { jid, display_name: name.to_owned() });
            }
            "direct" if jid == own.jid => {
                return Err(bad("chats.jid", "a direct chat with oneself"));
            }
            "direct" => chats.people.push(person_of(jid, name)),
            _ => return Err(bad("chats.type", "neither direct nor group")),
        }
    }
    Ok(chats)
}

fn group<'a>(chats: &'a TokenChats, wanted: &Jid) -> Option<&'a Chat> {
    let is_it = |chat: &&Chat| matches!(chat, Chat::Group { jid, .. } if jid == wanted);
    chats.groups.iter().find(is_it)
}

fn person_of(jid: Jid, name: &str) -> Person {
    let (display_name, role, icon) = (name.to_owned(), String::new(), String::new());
    Person { jid, display_name, role, icon, no_record: false }
}

fn bad(field: &str, problem: &str) -> BadField {
    BadField { field: field.to_owned(), problem: problem.to_owned() }
}

fn public_key(path: &Path) -> Result<DecodingKey, KeyFault> {
    let fault = |why: String| KeyFault::File { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|why| fault(why.to_string()))?;
    DecodingKey::from_ed_pem(&pem).map_err(|_| fault("not an Ed25519 public key in PEM".to_owned()))
}

/// Of the core's clock and ours, for a token that is good from now on (`nbf`).
const CLOCKS_APART: Duration = Duration::from_secs(5);

const RAN_OUT: &str = "it has run out";

#[cfg(test)]
mod tests;
