//! A test's person: a second WebRTC stack (the `webrtc` crate) behind a few verbs. Speaks tones
//! and hears them; nothing here sleeps: every wait ends with what it waits for, or its deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use voxhall::demo::call::{Call, End};
use voxhall::demo::client::{self, Candidates, ClientError, Join, JoinMute, Levels};
use voxhall::demo::events::Events;
use voxhall::demo::mouth::Mouth;
pub use voxhall::demo::peer::Sections;
use voxhall::demo::socket::Account;

use super::ears::{Ears, Hears};
use super::tone;

/// A person with at most one call. All that belongs to him runs in a runtime of his own, so that
/// he can be killed as a process is.
pub struct Client {
    pub account: Account,
    device: String,
    inner: Option<Arc<client::Client>>,
    call: Option<InCall>,
    life: Option<Runtime>,
}

struct InCall {
    call: Call,
    ears: Ears,
    mouth: Arc<Mutex<Mouth>>,
    began: Instant,
    tone: Option<JoinHandle<()>>,
}

impl Client {
    /// Logs in at the built-in core; no socket is open yet.
    pub async fn login(base_url: &str, name: &str) -> Result<Self, ClientError> {
        let account = Account::login(base_url, name).await?;
        Ok(Self::of(account, &format!("test-{name}")))
    }

    /// Somebody who has logged in by other means.
    pub fn known(account: Account, name: &str) -> Self {
        Self::of(account, &format!("test-{name}"))
    }

    /// A second device of the same person, without a socket.
    pub fn second_device(&self, device: &str) -> Self {
        Self::of(self.account.clone(), device)
    }

    fn of(account: Account, device: &str) -> Self {
        let life = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let life = Some(life.expect("a thread can be made"));
        Self { account, device: device.to_owned(), inner: None, call: None, life }
    }

    /// Opens the socket of this device; once more is what a reconnecting client does.
    pub async fn connect_socket(&mut self) -> Result<(), ClientError> {
        let (account, device) = (self.account.clone(), self.device.clone());
        let connecting = async move { client::Client::connect(account, &device).await };
        self.inner = Some(Arc::new(self.live(connecting).await?));
        Ok(())
    }

    /// Logs in, opens the socket, joins unmuted, and is connected.
    pub async fn in_call(base_url: &str, name: &str, chat: &str) -> Result<Self, ClientError> {
        let mut client = Self::login(base_url, name).await?;
        client.connect_socket().await?;
        client.offer(chat, Sections::One).await?;
        Ok(client)
    }

    /// The Lobby's jid.
    pub fn lobby(&self) -> String {
        self.account.chat("Lobby").expect("the built-in core has a Lobby").to_owned()
    }

    /// Joins or starts the chat's call unmuted, all candidates in the offer; returns connected.
    pub async fn offer(&mut self, chat: &str, sections: Sections) -> Result<(), ClientError> {
        let (mute, candidates) = (JoinMute::Unmuted, Candidates::InOffer);
        let how = Join { sections, mute, candidates, levels: Levels::Told };
        self.offer_as(chat, how).await
    }

    /// The same, candidates one by one.
    pub async fn offer_trickling(&mut self, chat: &str) -> Result<(), ClientError> {
        let (sections, mute) = (Sections::One, JoinMute::Unmuted);
        self.offer_as(
            chat,
            Join { sections, mute, candidates: Candidates::Trickle, levels: Levels::Told },
        )
        .await
    }

    /// Joins or starts the chat's call as told, and returns once ICE and DTLS are done.
    pub async fn offer_as(&mut self, chat: &str, how: Join) -> Result<(), ClientError> {
        self.hush();
        let (inner, chat) = (Arc::clone(self.inner()), chat.to_owned());
        let mut call = self.live(async move { inner.join(&chat, how).await }).await?;
        let heard = call.heard.take().expect("a new call has its packets");
        let ears = self.live(async { Ears::on(heard) }).await;
        let mouth = Arc::new(Mutex::new(call.mouth().await?));
        self.call = Some(InCall { call, ears, mouth, began: Instant::now(), tone: None });
        Ok(())
    }

    /// Speaks a sine of `hz`, 20 ms a packet, until told another one, `hush` or the call's end.
    pub fn say_tone(&mut self, hz: f32) {
        self.hush();
        let call = self.call();
        let saying = tone::say(Arc::clone(&call.mouth), call.began, hz);
        let tone = self.life().spawn(saying);
        self.call.as_mut().expect("offer comes first").tone = Some(tone);
    }

    /// Sends no packets any more; the server is not told.
    pub fn hush(&mut self) {
        if let Some(tone) = self.call.as_mut().and_then(|call| call.tone.take()) {
            tone.abort();
        }
    }

    /// What is heard now, by section: see `Ears`.
    pub fn hears(&self) -> Hears {
        self.call().ears.hears()
    }

    /// Waits until exactly these tones are heard, each in a section of its own; what is heard at
    /// the deadline otherwise.
    pub async fn hears_exactly(&self, deadline: Duration, tones: &[f32]) -> Result<(), Hears> {
        self.call().ears.until(deadline, |hears| tone::are_exactly(hears, tones)).await
    }

    /// Forgets all that was heard, waits for `frames` new ones in one section, whosever they are,
    /// and returns what was heard meanwhile. To prove that somebody is *not* heard, let somebody
    /// else speak: his frames are the clock.
    pub async fn listen(&self, deadline: Duration, frames: u64) -> Result<Hears, Hears> {
        let ears = &self.call().ears;
        ears.forget();
        let is_enough = |hears: &Hears| hears.values().any(|ear| ear.frames >= frames);
        ears.until(deadline, is_enough).await.map(|()| ears.hears())
    }

    /// Tells the server; packets go on as before, which is what an evil client would do.
    pub async fn mute(&self, muted: bool) -> Result<(), ClientError> {
        let mute = if muted { JoinMute::Muted } else { JoinMute::Unmuted };
        self.call().call.set_mute(mute).await
    }

    /// Leaves the call; the socket stays.
    pub async fn leave(&mut self) -> Result<(), ClientError> {
        self.hush();
        let call = self.call.take().expect("who leaves is in a call");
        call.call.leave().await
    }

    /// Vanishes without a word, like a process that was killed: media stops, and the machine
    /// closes the socket.
    pub fn crash(self) {
        drop(self);
    }

    /// Waits until the call is over for this client.
    pub async fn ended(&self, deadline: Duration) -> Option<End> {
        tokio::time::timeout(deadline, self.call().call.ended()).await.ok()
    }

    /// What the server said on this socket.
    pub fn events(&self) -> &Events {
        self.inner().events()
    }

    /// Sends any event, its `confirm_id` comes back.
    pub async fn send(&self, event: &str, params: Value) -> Result<String, ClientError> {
        self.inner().send(event, params).await
    }

    /// Sends any event and waits for its server.confirm.
    pub async fn send_confirmed(&self, event: &str, params: Value) -> Result<(), ClientError> {
        let id = self.send(event, params).await?;
        let is_ours = |params: &Value| params["confirm_id"] == *id;
        let confirm = self.events().wait(CONFIRM_WITHIN, "server.confirm", is_ours).await;
        confirm.map(drop).ok_or(ClientError::TimedOut("server.confirm"))
    }

    fn inner(&self) -> &Arc<client::Client> {
        self.inner.as_ref().expect("connect_socket comes first")
    }

    fn call(&self) -> &InCall {
        self.call.as_ref().expect("offer comes first")
    }

    fn life(&self) -> &Runtime {
        self.life.as_ref().expect("there until the drop")
    }

    /// Does `deed` in the person's own runtime.
    async fn live<T: Send + 'static>(&self, deed: impl Future<Output = T> + Send + 'static) -> T {
        self.life().spawn(deed).await.expect("nobody ends this life but the drop")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(life) = self.life.take() {
            life.shutdown_background();
        }
    }
}

/// A confirm is sent once the event is read: this only ends a test that has failed.
const CONFIRM_WITHIN: Duration = Duration::from_secs(10);
