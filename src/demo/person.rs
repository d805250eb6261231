//! One demo person: joins the call, speaks when it is his turn, leaves when told, and comes back
//! when the server does. Knows the others only by the shared count of frames.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_tungstenite::tungstenite::Error as WsError;
use tracing::{info, warn};

use super::LOBBY;
use super::call::{Call, End};
use super::client::{Candidates, Client, ClientError, Join, JoinMute, Levels};
use super::mouth::{Mouth, random_u32};
use super::peer::Sections;
use super::socket::Account;
use super::voice::{Conversation, NAMES, Speaker};

pub(super) struct Person {
    pub speaker: Speaker,
    pub account: Account,
    pub url: Arc<str>,
    /// `None` is the Lobby, whatever its jid is after the next login.
    pub chat: Option<Arc<str>>,
    pub talk: Arc<Conversation>,
    /// Frame 0 of the conversation, the same for all.
    pub began: Instant,
    /// True once everybody shall leave.
    pub stop: watch::Receiver<bool>,
}

/// How a visit to the call came to its end.
enum Visit {
    Stopped,
    Ended(End),
}

impl Person {
    /// Stays in the call until told to stop, or put out of it.
    pub async fn live(mut self) {
        let name = NAMES[self.speaker];
        let mut pause = RETRY_FIRST;
        loop {
            let since = Instant::now();
            match self.visit().await {
                Ok(Visit::Stopped) => return,
                Ok(Visit::Ended(End::PutOut)) => {
                    info!(person = name, "demo person put out");
                    return;
                }
                Ok(Visit::Ended(reason)) => warn!(person = name, ?reason, "demo call lost"),
                Err(reason) => {
                    warn!(person = name, %reason, "demo person not in the call");
                    self.renew_account(&reason).await;
                }
            }
            if since.elapsed() > RETRY_LAST {
                pause = RETRY_FIRST;
            }
            tokio::select! {
                () = sleep(pause) => pause = RETRY_LAST.min(pause * 2),
                () = stopped(&self.stop) => return,
            }
        }
    }

    async fn visit(&self) -> Result<Visit, ClientError> {
        let (_client, call, mouth) = tokio::select! {
            joined = self.join() => joined?,
            () = stopped(&self.stop) => return Ok(Visit::Stopped),
        };
        info!(person = NAMES[self.speaker], chat = %call.chat, "demo person joined");
        tokio::select! {
            end = call.ended() => return Ok(Visit::Ended(end)),
            result = self.speak(mouth) => result?,
            () = stopped(&self.stop) => {}
        }
        call.leave().await?;
        Ok(Visit::Stopped)
    }

    async fn join(&self) -> Result<(Client, Call, Mouth), ClientError> {
        // A device of its own for every visit: nothing of an older one can reach it.
        let device = format!("demo-{:08x}{:08x}", random_u32(), random_u32());
        let client = Client::connect(self.account.clone(), &device).await?;
        let how = Join {
            sections: Sections::One,
            mute: JoinMute::Unmuted,
            candidates: Candidates::InOffer,
            levels: Levels::Told,
        };
        let chat = self.chat.as_deref().or(self.account.chat(LOBBY));
        let mut call = client.join(chat.ok_or(ClientError::BadReply("chats"))?, how).await?;
        // He does not listen: packets are dropped where they arrive.
        call.heard = None;
        let mouth = call.mouth().await?;
        Ok((client, call, mouth))
    }

    /// Speaks in his turns; ends only by an error.
    async fn speak(&self, mut mouth: Mouth) -> Result<(), ClientError> {
        let since_frame = self.began.elapsed().as_millis() / FRAME.as_millis();
        let mut now = u64::try_from(since_frame).unwrap_or(u64::MAX) + 1;
        let next = self.began + FRAME * u32::try_from(now).unwrap_or(u32::MAX);
        let mut ticks = interval_at(next, FRAME);
        // A late frame is sent late, not left out: the count of frames is the RTP clock.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            ticks.tick().await;
            if let Some(frame) = self.talk.frame(self.speaker, now) {
                mouth.say(frame, now).await?;
            }
            now += 1;
        }
    }

    /// A server that does not know the token any more gets a new login.
    async fn renew_account(&mut self, reason: &ClientError) {
        let is_stranger = match reason {
            ClientError::WebSocket(error) => matches!(**error, WsError::Http(_)),
            // What a server.panic ends with.
            ClientError::NotJoined(End::SocketClosed) => true,
            _ => false,
        };
        if is_stranger && let Ok(account) = Account::login(&self.url, NAMES[self.speaker]).await {
            self.account = account;
        }
    }
}

async fn stopped(stop: &watch::Receiver<bool>) {
    // An error means that nobody is left who could say stop: the same.
    let _ = stop.clone().wait_for(|is_stopped| *is_stopped).await;
}

/// One Opus frame.
const FRAME: Duration = Duration::from_millis(20);
/// After a cut; a restart takes about as long.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// The pauses double up to this one: back within 5 s of the server (DESIGN.md section 8).
const RETRY_LAST: Duration = Duration::from_secs(4);
