//! The media thread: drives every leg's datagrams and timers. One plain thread and one epoll for
//! all sockets. Datagrams are stamped as they are read and decrypted afterwards in small portions,
//! so that the generator's own cryptography is not measured as the server's delay.

use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, epoll, eventfd};
use tokio::sync::mpsc;

use crate::leg::Leg;
use crate::network::Network;
use crate::notice::Notice;
use crate::scenario::Scenario;
use crate::seats::Seats;
use crate::speech::Speech;
use crate::tally::Joins;
use crate::voice::BotId;

/// What the media thread is told to do.
pub enum Command {
    /// Take an answered leg and connect it.
    Adopt(Box<Leg>),
    /// Close a bot's leg.
    Release(BotId),
    /// Forget a bot's leg, as if its network were gone.
    Lose(BotId),
    Mute(BotId),
    Unmute(BotId),
    /// Tally the packets sent during this time from now; [`Notice::Measured`] follows.
    Measure(Duration),
    /// End the thread.
    Stop,
}

/// The way to the media thread.
#[derive(Clone)]
pub struct MediaHandle {
    commands: SyncSender<Command>,
    bell: Arc<OwnedFd>,
}

impl MediaHandle {
    /// Hands over a command and wakes the thread.
    ///
    /// # Errors
    /// When the thread is gone, or [`COMMANDS`] wait for it already.
    pub fn tell(&self, command: Command) -> Result<()> {
        if self.commands.try_send(command).is_err() {
            anyhow::bail!("the media thread takes no commands");
        }
        rustix::io::write(&*self.bell, &1_u64.to_ne_bytes())?;
        Ok(())
    }
}

/// Starts the thread; it ends with [`Command::Stop`] and gives the join times.
pub fn start(
    scenario: &Scenario,
    notices: mpsc::Sender<Notice>,
) -> Result<(MediaHandle, JoinHandle<Joins>)> {
    let Scenario { frame_ms, talk_spurts, loss_percent, jitter_ms, seed, .. } = *scenario;
    let speech = Speech::new(frame_ms, talk_spurts, seed);
    let network = Network::new(loss_percent, jitter_ms, seed);
    let (sender, commands) = sync_channel(COMMANDS);
    let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &*bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
    let media = Media {
        epoll,
        bell: Arc::clone(&bell),
        commands,
        seats: Seats::new(speech, network, notices),
        unread: Unread::default(),
        scratch: vec![0; DATAGRAM_BYTES],
    };
    let thread = std::thread::Builder::new().name("media".into()).spawn(|| media.run())?;
    Ok((MediaHandle { commands: sender, bell }, thread))
}

struct Media {
    epoll: OwnedFd,
    bell: Arc<OwnedFd>,
    commands: Receiver<Command>,
    seats: Seats,
    unread: Unread,
    scratch: Vec<u8>,
}

/// Datagrams read and stamped, not yet decrypted.
#[derive(Default)]
struct Unread {
    bytes: Vec<u8>,
    datagrams: Vec<Datagram>,
    /// How many of `datagrams` are done.
    done: usize,
}

struct Datagram {
    bot: BotId,
    at: Instant,
    source: SocketAddr,
    bytes: Range<usize>,
}

enum Turn {
    Again,
    Last,
}

impl Media {
    fn run(mut self) -> Joins {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let wait = if self.unread.is_empty() { self.seats.wait(Instant::now()) } else { IDLE };
            // Nothing but EINTR can fail here, and then there is nothing to read.
            events.clear();
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timespec(wait)));
            if let Turn::Last = self.read(&events) {
                return self.seats.into_joins();
            }
            self.decrypt_some();
            self.seats.handle_time(Instant::now());
            while self.unread.is_full() {
                self.decrypt_some();
                self.seats.handle_time(Instant::now());
            }
        }
    }

    /// Reads one datagram from every socket that has one.
    fn read(&mut self, events: &[epoll::Event]) -> Turn {
        for event in events {
            let key = event.data.u64();
            if key == BELL {
                if let Turn::Last = self.obey() {
                    return Turn::Last;
                }
                continue;
            }
            let bot = key as BotId;
            let Some(socket) = self.seats.socket(bot) else {
                continue;
            };
            if let Ok((len, source)) = socket.recv_from(&mut self.scratch) {
                self.unread.push(bot, source, &self.scratch[..len]);
            }
        }
        Turn::Again
    }

    fn obey(&mut self) -> Turn {
        let mut rings = [0; 8];
        let _ = rustix::io::read(&*self.bell, &mut rings);
        while let Ok(command) = self.commands.try_recv() {
            let now = Instant::now();
            match command {
                Command::Adopt(leg) => self.adopt(now, *leg),
                Command::Release(bot) => self.seats.release(now, bot),
                Command::Lose(bot) => drop(self.seats.vacate(bot)),
                Command::Mute(bot) => self.seats.mute(now, bot),
                Command::Unmute(bot) => self.seats.unmute(now, bot),
                Command::Measure(length) => self.seats.measure(now, length),
                Command::Stop => return Turn::Last,
            }
        }
        Turn::Again
    }

    fn adopt(&mut self, now: Instant, leg: Leg) {
        let key = epoll::EventData::new_u64(u64::from(leg.bot));
        let added = epoll::add(&self.epoll, &leg.socket, key, epoll::EventFlags::IN);
        match added.context("no room in epoll") {
            Ok(()) => self.seats.adopt(now, leg),
            Err(error) => self.seats.refuse(leg.bot, error.to_string()),
        }
    }

    fn decrypt_some(&mut self) {
        let Unread { bytes, datagrams, done } = &mut self.unread;
        for datagram in datagrams.iter().skip(*done).take(PORTION) {
            let body = &bytes[datagram.bytes.clone()];
            self.seats.handle_datagram(datagram.bot, datagram.at, datagram.source, body);
        }
        *done += PORTION;
        if *done >= datagrams.len() {
            bytes.clear();
            datagrams.clear();
            *done = 0;
        }
    }
}

impl Unread {
    fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// The sockets must wait: what they cannot hold is lost, and counted as lost.
    fn is_full(&self) -> bool {
        self.datagrams.len() >= UNREAD
    }

    fn push(&mut self, bot: BotId, source: SocketAddr, body: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        let bytes = start..self.bytes.len();
        self.datagrams.push(Datagram { bot, at: Instant::now(), source, bytes });
    }
}

fn timespec(time: Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: time.as_secs() as i64,
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

/// Commands waiting at most: more than bots can join before the thread looks.
const COMMANDS: usize = 4096;

/// The key of the bell among the sockets' keys, which are bot numbers.
const BELL: u64 = u64::MAX;

/// Sockets asked for a datagram in one round.
const EVENTS: usize = 256;

/// Datagrams decrypted (about 8 us each) before the sockets are asked again.
const PORTION: usize = 32;

/// Datagrams kept before they are decrypted: about half a second's worth for one core.
const UNREAD: usize = 65_536;

/// Larger than any datagram on a path of 1500 bytes.
const DATAGRAM_BYTES: usize = 2048;

/// No waiting while there is work.
const IDLE: Duration = Duration::ZERO;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::far_end::FarEnd;
    use crate::leg::Role;
    use crate::voice::{Frame, nanos};

    const ROLE: Role = Role { is_talker: true, sections: 1, light: None };

    /// The talker of the far end.
    const OTHER: BotId = 7;

    #[test]
    fn a_talker_is_heard_from_his_first_packet_and_hears_the_far_end_once_a_frame() {
        let (sender, mut notices) = mpsc::channel(64);
        let scenario = Scenario { frame_ms: 20, ..Scenario::default() };
        let (media, thread) = start(&scenario, sender).expect("epoll and a thread are to be had");
        let mut far = FarEnd::open();
        let offered = Leg::offer(0, 0, ROLE, far.address()).expect("loopback has sockets");
        let answer = far.answer(&offered.sdp);
        let leg = offered.answer(&answer, far.address().ip(), Instant::now()).expect("Opus");
        media.tell(Command::Adopt(Box::new(leg))).expect("the thread runs");

        let first = far.hear();
        assert_eq!((first.talker, first.seq), (0, 0));
        assert!(matches!(notices.blocking_recv(), Some(Notice::Connected(0))));

        media.tell(Command::Measure(Duration::from_secs(1))).expect("the thread runs");
        // Sent after the window has begun: the talker's next frame is.
        let begun = nanos(Instant::now()) + 50_000_000;
        while far.hear().sent_ns < begun {}
        let frame = |seq| Frame { talker: OTHER, seq, sent_ns: nanos(Instant::now()) };
        for frames in [&[frame(0)][..], &[frame(1), frame(2), frame(3)], &[frame(2)]] {
            far.speak(frames);
        }
        let tally = loop {
            far.hear();
            match notices.try_recv() {
                Ok(Notice::Measured(measured)) => break measured.tally,
                Ok(Notice::FirstVoice { .. } | Notice::Second(_)) | Err(_) => {}
                Ok(other) => panic!("{other:?}"),
            }
        };
        assert_eq!(
            (tally.heard(), tally.packets(), tally.duplicates, tally.corrupted),
            (4, 3, 1, 0)
        );
        assert!(tally.sent > 0 && tally.expected() == 0, "he is alone in his call: {tally:?}");

        media.tell(Command::Stop).expect("the thread runs");
        let joins = thread.join().expect("no panic");
        assert_eq!(joins.heard.spread().count, 1);
    }
}
