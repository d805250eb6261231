//! One device's session: its mail, its repeats, and the socket that holds it at the moment.
//!
//! A newer socket of the same device takes the session over. Without any its mail waits for
//! `RESUME_GRACE`, and its repeats are known for their own two minutes. The socket itself is the
//! shell's: it asks `step` what to do and waits for `changed`.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::bucket::{Bucket, Pace};
use super::mail::{Letter, Link, Mail, Outgoing};
use super::repeats::{Repeats, Seen};
use crate::core::directory::Pass;
use crate::core::{Chat, ChatKey, Device};
use crate::limits::{JOINED_MAX, RESUME_GRACE};
use crate::wire::ServerEvent;
use crate::wire::server::JsepKind;

/// One socket among all of this process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketId(u64);

/// Why we close a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// A newer socket of the same device came.
    TakenOver,
    /// More waits for it than its queue holds.
    TooSlow,
    /// The server stops.
    GoingAway,
    /// What its device showed is good no longer.
    PassRanOut,
}

/// What the socket is to do next.
#[derive(Debug)]
pub enum Step {
    Write(Outgoing),
    Close(Closing),
    Wait,
}

/// What an HTTP event waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The answer to an offer, in either of its two events.
    Answer,
    /// An event of this name.
    Named(&'static str),
}

/// Makes confirm ids: unique over devices and, by their prefix, over restarts.
#[derive(Debug)]
pub struct ConfirmIds {
    prefix: String,
    last: AtomicU64,
}

/// See the module's words.
#[derive(Debug)]
pub struct Session {
    pub device: Device,
    /// One HTTP event at a time: its result is told by what comes next.
    pub acting: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug)]
struct State {
    mail: Mail,
    repeats: Repeats,
    holder: Holder,
    http_bucket: Bucket,
    asked: Option<(Asked, Option<Arc<str>>)>,
    pass: Arc<Pass>,
    /// Where it asked into a call and did not leave: it is taken out when its pass ends.
    joined: Vec<Chat>,
}

#[derive(Debug)]
enum Holder {
    Socket(SocketId),
    Closing(SocketId, Closing),
    Nobody { until: Instant },
}

impl SocketId {
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

impl Closing {
    /// The WebSocket close code (RFC 6455 section 7.4, IANA's registry; 4001 is the contract's).
    pub fn code(self) -> u16 {
        match self {
            Self::TakenOver => 4001,
            Self::TooSlow => 1013,
            Self::GoingAway => 1001,
            Self::PassRanOut => 4002,
        }
    }
}

impl ConfirmIds {
    /// `prefix` tells this process's life from the others.
    pub fn new(prefix: String) -> Self {
        Self { prefix, last: AtomicU64::new(0) }
    }

    fn next(&self) -> Arc<str> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        Arc::from(format!("{}-{number}", self.prefix))
    }
}

impl Asked {
    fn is_met_by(self, event: &ServerEvent) -> bool {
        match (self, event) {
            (Self::Answer, ServerEvent::Sdp { jsep, .. }) => jsep.kind == JsepKind::Answer,
            (Self::Answer, other) => matches!(other, ServerEvent::Answer { .. }),
            (Self::Named(name), other) => other.name() == name,
        }
    }
}

impl State {
    /// Why `socket` is to be closed; `None` while it holds the session.
    fn closing(&self, socket: SocketId) -> Option<Closing> {
        match self.holder {
            Holder::Socket(id) if id == socket => None,
            Holder::Closing(id, closing) if id == socket => Some(closing),
            _ => Some(Closing::TakenOver),
        }
    }
}

impl Session {
    /// A session that nobody holds yet.
    pub fn new(now: Instant, device: Device, pass: Arc<Pass>, http_pace: Pace) -> Self {
        let state = State {
            mail: Mail::default(),
            repeats: Repeats::default(),
            holder: Holder::Nobody { until: now + RESUME_GRACE },
            http_bucket: Bucket::new(now, http_pace),
            asked: None,
            pass,
            joined: Vec::new(),
        };
        let acting = tokio::sync::Mutex::new(());
        Self { device, acting, state: Mutex::new(state), wake: Notify::new() }
    }

    /// A new socket holds the session; an older one is closed. Returns how many events it gets
    /// again.
    pub fn take(&self, now: Instant, socket: SocketId) -> usize {
        let mut state = self.state();
        state.holder = Holder::Socket(socket);
        let resent = state.mail.resume(now);
        drop(state);
        self.wake.notify_waiters();
        resent
    }

    /// The socket is gone. `false`: another one holds the session already.
    pub fn release(&self, now: Instant, socket: SocketId) -> bool {
        let mut state = self.state();
        let held = match state.holder {
            Holder::Socket(id) | Holder::Closing(id, _) => id == socket,
            Holder::Nobody { .. } => false,
        };
        if held {
            state.holder = Holder::Nobody { until: now + RESUME_GRACE };
            state.mail.disconnect();
        }
        held
    }

    /// An event for this device.
    pub fn push(&self, now: Instant, event: &ServerEvent, letter: &Letter, ids: &ConfirmIds) {
        let mut state = self.state();
        if let Some((asked, answer)) = &mut state.asked
            && answer.is_none()
            && asked.is_met_by(event)
        {
            *answer = Some(letter.frame.params.clone());
        }
        let link = match state.holder {
            Holder::Socket(_) => Link::Connected,
            // Nobody waits for it any more.
            Holder::Nobody { until } if now > until => return,
            Holder::Closing(..) | Holder::Nobody { .. } => Link::Away,
        };
        let pushed = state.mail.push(now, letter, || ids.next(), link);
        if let (Err(_), Holder::Socket(id)) = (pushed, &state.holder) {
            state.holder = Holder::Closing(*id, Closing::TooSlow);
        }
        drop(state);
        self.wake.notify_waiters();
    }

    /// What the socket is to do next.
    pub fn step(&self, socket: SocketId) -> Step {
        let mut state = self.state();
        match state.closing(socket) {
            Some(closing) => Step::Close(closing),
            None => state.mail.pop().map_or(Step::Wait, Step::Write),
        }
    }

    /// Resolves when `step` may have something new; listens from this call on.
    pub fn changed(&self) -> Pin<Box<tokio::sync::futures::Notified<'_>>> {
        let mut notified = Box::pin(self.wake.notified());
        notified.as_mut().enable();
        notified
    }

    /// Resolves when the socket is to be closed, and says why.
    pub async fn closed(&self, socket: SocketId) -> Closing {
        loop {
            let changed = self.changed();
            if let Some(closing) = self.state().closing(socket) {
                return closing;
            }
            changed.await;
        }
    }

    /// The server stops: the socket is closed.
    pub fn close(&self, closing: Closing) {
        let mut state = self.state();
        if let Holder::Socket(id) = state.holder {
            state.holder = Holder::Closing(id, closing);
        }
        drop(state);
        self.wake.notify_waiters();
    }

    /// The client has an event. `false`: none of that id was waiting for it.
    pub fn confirm(&self, confirm_id: &str) -> bool {
        self.state().mail.confirm(confirm_id)
    }

    /// Notes a client's event by its confirm id.
    pub fn note(&self, now: Instant, confirm_id: &str) -> Seen {
        self.state().repeats.note(now, confirm_id)
    }

    pub fn is_connected(&self) -> bool {
        !matches!(self.state().holder, Holder::Nobody { .. })
    }

    /// Forgets what nobody waits for any more. `true`: that is all there was.
    pub fn sweep(&self, now: Instant) -> bool {
        let mut state = self.state();
        let is_over = matches!(state.holder, Holder::Nobody { until } if now > until);
        if is_over {
            state.mail = Mail::default();
        }
        // Remembered until it is taken out: media can outlive its socket.
        let is_to_go = !state.joined.is_empty() && state.pass.until.is_some();
        is_over && !is_to_go && state.repeats.is_empty(now)
    }

    /// What counts of what the device has shown.
    pub fn pass(&self) -> Arc<Pass> {
        self.state().pass.clone()
    }

    /// A new socket came with this one: it counts, whatever was shown before.
    pub fn hold(&self, pass: &Arc<Pass>) {
        self.state().pass = pass.clone();
        self.wake.notify_waiters();
    }

    /// The device shows this one beside its socket: the later made counts.
    pub fn show(&self, pass: &Arc<Pass>) {
        let mut state = self.state();
        if pass.order >= state.pass.order {
            state.pass = pass.clone();
        }
        drop(state);
        self.wake.notify_waiters();
    }

    /// The device asks into this chat's call. Of more than one can follow the oldest is forgotten.
    pub fn join(&self, chat: &Chat) {
        let joined = &mut self.state().joined;
        joined.retain(|one| one.key() != chat.key());
        if joined.len() >= JOINED_MAX {
            joined.remove(0);
        }
        joined.push(chat.clone());
    }

    pub fn leave(&self, chat: &ChatKey) {
        self.state().joined.retain(|one| one.key() != *chat);
    }

    pub fn has_joined(&self) -> bool {
        !self.state().joined.is_empty()
    }

    /// The calls that its pass lets it be in no longer: told once.
    pub fn strays(&self, may: impl Fn(&Pass, &Chat) -> bool) -> Vec<Chat> {
        let mut state = self.state();
        let pass = state.pass.clone();
        let (stays, strays) = state.joined.drain(..).partition(|chat| may(&pass, chat));
        state.joined = stays;
        strays
    }

    /// All its calls, where its pass is over for good: told once.
    pub fn overstays(&self, now: Instant) -> Vec<Chat> {
        let mut state = self.state();
        let is_over = state.pass.until.is_some_and(|until| now > until + RESUME_GRACE);
        if is_over { std::mem::take(&mut state.joined) } else { Vec::new() }
    }

    /// Whether a socket holds it, or may again.
    pub fn is_awaited(&self, now: Instant) -> bool {
        self.until().is_none_or(|until| now <= until)
    }

    /// Until when mail waits for the device; `None` while a socket holds the session.
    pub fn until(&self) -> Option<Instant> {
        match self.state().holder {
            Holder::Nobody { until } => Some(until),
            Holder::Socket(_) | Holder::Closing(..) => None,
        }
    }

    /// An HTTP event of this device: within its pace it keeps the session, and asks.
    pub fn ask(&self, now: Instant, asked: Asked) -> bool {
        let mut state = self.state();
        if let Holder::Nobody { until } = &mut state.holder {
            *until = now + RESUME_GRACE;
        }
        state.asked = Some((asked, None));
        state.http_bucket.take(now)
    }

    /// What was asked for, where it has come.
    pub fn answer(&self) -> Option<Arc<str>> {
        self.state().asked.as_ref().and_then(|(_, answer)| answer.clone())
    }

    /// Nobody asks any more.
    pub fn unask(&self) {
        self.state().asked = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::REPEAT_WINDOW;

    fn session(now: Instant) -> Session {
        let pass = Arc::new(crate::core::fake_node::pass("d-1"));
        let device = Device { jid: pass.person.jid.clone(), name: "tab".into() };
        Session::new(now, device, pass, Pace::new(20, 50))
    }

    fn push(session: &Session, now: Instant, event: &ServerEvent) {
        session.push(now, event, &Letter::new(event), &ConfirmIds::new("x".into()));
    }

    fn leave() -> ServerEvent {
        ServerEvent::Leave { jid: "g-1".into(), uid: "u".into(), reason: None }
    }

    #[test]
    fn a_newer_socket_takes_the_device_over() {
        let now = Instant::now();
        let (session, older, newer) = (session(now), SocketId::next(), SocketId::next());
        session.take(now, older);
        session.take(now, newer);
        assert!(matches!(session.step(older), Step::Close(Closing::TakenOver)));
        assert!(matches!(session.step(newer), Step::Wait));
        assert!(!session.release(now, older));
        assert!(session.is_connected());
    }

    #[test]
    fn a_lost_socket_leaves_the_session_for_thirty_seconds() {
        let now = Instant::now();
        let (session, socket) = (session(now), SocketId::next());
        session.take(now, socket);
        assert_eq!(session.until(), None);
        assert!(session.release(now, socket));
        assert_eq!(session.until(), Some(now + RESUME_GRACE));
    }

    #[test]
    fn mail_waits_thirty_seconds_and_repeats_are_known_two_minutes() {
        let now = Instant::now();
        let (session, socket) = (session(now), SocketId::next());
        session.take(now, socket);
        assert_eq!(session.note(now, "c1"), Seen::First);
        session.release(now, socket);
        push(&session, now, &leave());
        assert!(!session.sweep(now + RESUME_GRACE));
        let late = now + RESUME_GRACE + std::time::Duration::from_millis(1);
        assert!(!session.sweep(late));
        push(&session, late, &leave());
        let socket = SocketId::next();
        assert_eq!(session.take(late, socket), 0);
        assert_eq!(session.note(now + REPEAT_WINDOW, "c1"), Seen::Repeat);
        session.release(late, socket);
        assert!(!session.sweep(now + REPEAT_WINDOW));
        assert!(session.sweep(now + REPEAT_WINDOW + std::time::Duration::from_millis(1)));
    }

    #[test]
    fn a_socket_that_does_not_read_is_closed_and_its_events_are_kept() {
        let now = Instant::now();
        let (session, socket) = (session(now), SocketId::next());
        session.take(now, socket);
        for _ in 0..=crate::limits::QUEUE_MESSAGES_MAX {
            push(&session, now, &leave());
        }
        assert!(matches!(session.step(socket), Step::Close(Closing::TooSlow)));
        assert_eq!(session.take(now, SocketId::next()), crate::limits::UNCONFIRMED_MAX);
    }

    #[test]
    fn of_one_call_more_than_are_followed_the_oldest_is_forgotten() {
        let session = session(Instant::now());
        let group = |number: usize| Chat::Group {
            jid: engine::Jid::parse(&format!("g-{number}")).unwrap(),
            display_name: String::new(),
        };
        (0..=JOINED_MAX).for_each(|number| session.join(&group(number)));
        // Once more into one of them is no other one.
        session.join(&group(JOINED_MAX));
        let followed: Vec<Chat> = session.strays(|_, _| false);
        assert_eq!(followed, (1..=JOINED_MAX).map(group).collect::<Vec<_>>());
        assert!(!session.has_joined());
    }

    #[test]
    fn what_was_asked_for_is_told_from_the_rest() {
        let now = Instant::now();
        let session = session(now);
        assert!(session.ask(now, Asked::Named("server.call.leave")));
        push(&session, now, &ServerEvent::Sound { jid: "g-1".into(), muted: true });
        assert_eq!(session.answer(), None);
        push(&session, now, &leave());
        assert_eq!(session.answer().as_deref(), Some(r#"{"jid":"g-1","uid":"u"}"#));
    }
}
