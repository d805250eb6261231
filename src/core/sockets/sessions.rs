//! Everybody's sessions: which devices there are, and which socket holds which.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use tracing::{debug, info};

use super::Sockets;
use super::mail::Letter;
use super::session::{Closing, Session, SocketId};
use crate::clock;
use crate::core::directory::Pass;
use crate::core::{Device, Jid, Presence, To};
use crate::limits::DEVICES_PER_PERSON_MAX;
use crate::wire::{ServerEvent, time};

/// The person has as many sockets as one may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sockets of one person")]
pub struct TooManySockets;

/// The sessions of every person, in the order of their jids.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    of: BTreeMap<Jid, Vec<Arc<Session>>>,
}

/// A socket's hold on its session; ends when dropped.
pub struct Attached {
    sockets: Arc<Sockets>,
    pub session: Arc<Session>,
    pub socket: SocketId,
    /// How many events the socket gets again.
    pub resent: usize,
}

impl Sessions {
    pub fn all(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.of.values().flatten()
    }

    /// The people of a team with a socket.
    pub fn present(&self, team: &str) -> Vec<Jid> {
        let is_there = |one: &Arc<Session>| one.is_connected() && one.pass().team.uid == team;
        let present = self.of.iter().filter(|(_, own)| own.iter().any(is_there));
        present.map(|(jid, _)| jid.clone()).collect()
    }

    pub fn find(&self, device: &Device) -> Option<&Arc<Session>> {
        let own = self.of.get(&device.jid).map(Vec::as_slice).unwrap_or_default();
        own.iter().find(|session| session.device == *device)
    }

    /// The sessions that an event goes to.
    pub fn readers(&self, to: &To, is_member: impl Fn(&Pass, &Jid) -> bool) -> Vec<Arc<Session>> {
        let of = |jid: &Jid| self.of.get(jid).map(Vec::as_slice).unwrap_or_default().iter();
        match to {
            To::Device(device) => {
                of(&device.jid).filter(|s| s.device == *device).cloned().collect()
            }
            To::Person(jid) => of(jid).cloned().collect(),
            To::OtherDevices(device) => {
                of(&device.jid).filter(|s| s.device != *device).cloned().collect()
            }
            To::Devices(devices) => {
                let session = |device: &Device| of(&device.jid).find(|s| s.device == *device);
                devices.iter().filter_map(session).cloned().collect()
            }
            To::Members(chat) => {
                self.all().filter(|s| is_member(&s.pass(), chat)).cloned().collect()
            }
            To::OtherMembers { chat, except } => {
                let others = self.all().filter(|s| !except.contains(&s.device.jid));
                others.filter(|s| is_member(&s.pass(), chat)).cloned().collect()
            }
        }
    }

    /// The device's session, made where there is none.
    fn entry(&mut self, device: &Device, make: impl FnOnce() -> Session) -> Arc<Session> {
        let own = self.of.entry(device.jid.clone()).or_default();
        if let Some(session) = own.iter().find(|session| session.device == *device) {
            return session.clone();
        }
        if own.len() >= DEVICES_PER_PERSON_MAX {
            let away = own.iter().enumerate();
            // One that is in a call is to be taken out of it when its token ends.
            let away = away.filter(|(_, session)| !session.has_joined());
            let away = away.filter_map(|(index, session)| Some((session.until()?, index)));
            away.min().inspect(|(_, index)| drop(own.remove(*index)));
        }
        let session = Arc::new(make());
        own.push(session.clone());
        session
    }

    /// Forgets mail whose time is over, and devices of which nothing is left.
    pub fn sweep(&mut self, now: Instant) {
        self.of.retain(|_, own| {
            own.retain(|session| !session.sweep(now));
            !own.is_empty()
        });
    }

    fn sweep_person(&mut self, now: Instant, jid: &Jid) {
        if let Some(own) = self.of.get_mut(jid) {
            own.retain(|session| !session.sweep(now));
        }
    }
}

impl Sockets {
    /// A new socket of `device`: it takes the session over, resumes it, and is told the time, who
    /// is online, and by the node what goes on.
    ///
    /// # Errors
    /// The person has too many sockets already.
    pub fn attach(
        self: &Arc<Self>,
        device: &Device,
        pass: &Arc<Pass>,
    ) -> Result<Attached, TooManySockets> {
        let (now, socket) = (Instant::now(), SocketId::next());
        let mut sessions = self.sessions();
        sessions.sweep_person(now, &device.jid);
        let own = sessions.of.get(&device.jid).map(Vec::as_slice).unwrap_or_default();
        let others = own.iter().filter(|one| one.device != *device && one.is_connected());
        if others.count() >= self.options.sockets_per_person_max {
            return Err(TooManySockets);
        }
        let make = || Session::new(now, device.clone(), pass.clone(), self.options.http_pace);
        let session = sessions.entry(device, make);
        session.hold(pass);
        let resent = session.take(now, socket);
        drop(sessions);
        self.take_out_strays(&session);
        let attached = Attached { sockets: self.clone(), session, socket, resent };
        let time = ServerEvent::Time { time: time::format(clock::wall().as_nanos()) };
        let online = self.online_for(pass);
        for event in [time, online] {
            attached.session.push(now, &event, &Letter::new(&event), &self.ids);
        }
        info!(jid = %device.jid, device = %device.name, resent, "socket opened");
        self.tell_presence(&attached.session);
        self.online_changed.notify_one();
        Ok(attached)
    }

    /// The session an HTTP event belongs to.
    pub(super) fn session_of(&self, device: &Device, pass: &Arc<Pass>) -> Arc<Session> {
        let now = Instant::now();
        let mut sessions = self.sessions();
        sessions.sweep_person(now, &device.jid);
        let pace = self.options.http_pace;
        let session =
            sessions.entry(device, || Session::new(now, device.clone(), pass.clone(), pace));
        drop(sessions);
        session.show(pass);
        self.take_out_strays(&session);
        session
    }

    /// The server stops: every socket is closed with 1001.
    pub fn close_sockets(&self) {
        for session in self.sessions().all() {
            session.close(Closing::GoingAway);
        }
    }

    /// Answers a socket's own event: nobody else reads it.
    pub fn answer(&self, session: &Session, event: &ServerEvent) {
        session.push(Instant::now(), event, &Letter::new(event), &self.ids);
    }

    pub(super) fn sweep(self: &Arc<Self>, now: Instant) {
        self.take_out_overstayers(now);
        self.sessions().sweep(now);
    }

    pub(super) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_presence(&self, session: &Session) {
        let Some(node) = self.node.get() else { return };
        let _last_told_is_true = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        let presence = if session.is_connected() { Presence::Connected } else { Presence::Lost };
        node.presence(&session.device, presence, &self.directory.reader(&session.pass()));
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let device = &self.session.device;
        if self.session.release(Instant::now(), self.socket) {
            debug!(jid = %device.jid, device = %device.name, "socket lost");
            self.sockets.tell_presence(&self.session);
            self.sockets.online_changed.notify_one();
        } else {
            debug!(jid = %device.jid, device = %device.name, "taken over socket closed");
        }
    }
}
