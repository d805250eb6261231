//! The demo: three people who talk to each other, so that one person alone hears a call. They are
//! clients like any other, over the real socket and real media; the server knows nothing of them.
//! All but the people themselves is also what the project's tests join calls with.

pub mod call;
pub mod client;
pub mod events;
pub mod hearing;
pub mod http;
pub mod mouth;
mod ogg;
pub mod peer;
mod person;
pub mod socket;
mod stack;
mod tls;
pub mod voice;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use self::client::ClientError;
use self::person::Person;
use self::socket::Account;
use self::voice::{Conversation, NAMES, VoiceError};

/// Where the demo people go.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Of the server: `http://127.0.0.1:8080`.
    pub url: String,
    /// The chat's jid; `None` is the Lobby.
    pub chat: Option<String>,
    /// How many come: 1 to 3; a direct chat (`d-`) has room for one.
    pub people: usize,
}

/// Why nobody came.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Voice(#[from] VoiceError),
    #[error("the server has no chat called {LOBBY}")]
    NoLobby,
}

/// Lets the demo people talk until `stop` is ready, then has them leave. They come back by
/// themselves when the server was away; one who is put out of the call stays away.
///
/// # Errors
/// The server is not there, or gives no login, at the beginning; later that is only waited out.
pub async fn run(options: DemoOptions, stop: impl Future<Output = ()>) -> Result<(), DemoError> {
    let room = if options.chat.as_deref().is_some_and(is_direct) { 1 } else { NAMES.len() };
    let people = options.people.clamp(1, room);
    let talk = Arc::new(Conversation::load(people)?);
    let url: Arc<str> = options.url.into();
    let mut accounts = Vec::new();
    for name in NAMES.into_iter().take(people) {
        accounts.push(Account::login(&url, name).await?);
    }
    if options.chat.is_none() && accounts.iter().any(|account| account.chat(LOBBY).is_none()) {
        return Err(DemoError::NoLobby);
    }
    let chat: Option<Arc<str>> = options.chat.map(Into::into);

    let (stop_is, stopped) = watch::channel(false);
    let began = Instant::now();
    let mut present = JoinSet::new();
    for (speaker, account) in accounts.into_iter().enumerate() {
        let (url, chat, talk) = (Arc::clone(&url), chat.clone(), Arc::clone(&talk));
        let stop = stopped.clone();
        present.spawn(Person { speaker, account, url, chat, talk, began, stop }.live());
    }
    tokio::select! {
        () = stop => {}
        () = all_gone(&mut present) => {}
    }
    stop_is.send_replace(true);
    // Whoever cannot say good-bye in time is gone all the same, once the set is dropped.
    let _ = timeout(LEAVE_WITHIN, all_gone(&mut present)).await;
    Ok(())
}

async fn all_gone(present: &mut JoinSet<()>) {
    while present.join_next().await.is_some() {}
}

fn is_direct(jid: &str) -> bool {
    jid.starts_with("d-")
}

/// The group that the built-in core always has.
const LOBBY: &str = "Lobby";
/// A good-bye is one message.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);
