//! Seats: every leg in its place, its voice and its ears. Decides who talks when, what a payload
//! counts as, and which leg is driven. Knows no epoll: the media thread brings datagrams and time.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::mpsc;

use crate::cpu;
use crate::leg::{Happening, Leg};
use crate::notice::{Measured, Notice};
use crate::tally::{Heard, Joins, Tally};
use crate::voice::{self, BotId, FRAME, Frame, Hearing, nanos};

/// All legs, by bot number.
pub struct Seats {
    seats: Vec<Option<Box<Seat>>>,
    /// Connected legs of each call, by call number.
    in_call: HashMap<usize, usize>,
    /// Who talks, and when his next frame is due.
    talking: Vec<(BotId, Instant)>,
    /// Bots that nobody has heard yet, and when they offered.
    unheard: HashMap<BotId, Instant>,
    /// No leg is due before this.
    next_wake: Instant,
    window: Window,
    joins: Joins,
    notices: mpsc::Sender<Notice>,
    happenings: Vec<Happening>,
}

struct Seat {
    leg: Leg,
    link: Link,
    ears: Vec<(BotId, Hearing)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Connecting,
    Connected,
}

enum Window {
    Shut,
    Open {
        tally: Tally,
        until: Instant,
        cpu_before: Duration,
    },
    /// Over, but the last packets may still be under way.
    Settling {
        measured: Box<Measured>,
        until: Instant,
    },
}

impl Seats {
    pub fn new(notices: mpsc::Sender<Notice>) -> Self {
        Self {
            seats: Vec::new(),
            in_call: HashMap::new(),
            talking: Vec::new(),
            unheard: HashMap::new(),
            next_wake: Instant::now(),
            window: Window::Shut,
            joins: Joins::default(),
            notices,
            happenings: Vec::new(),
        }
    }

    pub fn into_joins(self) -> Joins {
        self.joins
    }

    pub fn socket(&self, bot: BotId) -> Option<&UdpSocket> {
        self.seats.get(bot as usize)?.as_ref().map(|seat| &seat.leg.socket)
    }

    /// Takes a leg and lets it begin to connect.
    pub fn adopt(&mut self, now: Instant, leg: Leg) {
        let at = leg.bot as usize;
        if self.seats.len() <= at {
            self.seats.resize_with(at + 1, || None);
        }
        self.joins.answered.note(leg.answered_at - leg.offered_at);
        if leg.is_talker {
            self.unheard.insert(leg.bot, leg.offered_at);
        }
        let bot = leg.bot;
        self.seats[at] = Some(Box::new(Seat { leg, link: Link::Connecting, ears: Vec::new() }));
        self.drive(bot, now, |leg| leg.handle_timeout(now));
    }

    /// Tells that a leg has no seat.
    pub fn refuse(&mut self, bot: BotId, why: String) {
        self.tell(Notice::Failed { bot, why });
    }

    /// Says goodbye for a leg and forgets it.
    pub fn release(&mut self, now: Instant, bot: BotId) {
        self.drive(bot, now, Leg::close);
        self.vacate(bot);
    }

    /// Begins a window of `length`.
    pub fn measure(&mut self, now: Instant, length: Duration) {
        self.window = Window::Open {
            tally: Tally::new(nanos(now), length),
            until: now + length,
            cpu_before: cpu::of_this_thread(),
        };
    }

    /// How long nothing has to be done if nothing arrives.
    pub fn wait(&self, now: Instant) -> Duration {
        let frames = self.talking.iter().map(|(_, at)| *at);
        let next = frames.chain([self.next_wake, now + TICK]).min();
        next.map_or(TICK, |at| at.saturating_duration_since(now))
    }

    /// Speaks and drives the legs that are due.
    pub fn handle_time(&mut self, now: Instant) {
        for at in 0..self.talking.len() {
            let Some((bot, next_at)) = self.talking.get_mut(at).filter(|(_, at)| *at <= now) else {
                continue;
            };
            *next_at = (*next_at + FRAME).max(now);
            let bot = *bot;
            self.speak(bot);
        }
        if self.next_wake <= now {
            self.wake(now);
        }
        self.turn_window(now);
    }

    /// Takes a datagram read at `at` for a bot.
    pub fn handle_datagram(&mut self, bot: BotId, at: Instant, source: SocketAddr, bytes: &[u8]) {
        let heard = self.drive(bot, at, |leg| leg.handle_datagram(at, source, bytes));
        if heard == Some(0)
            && is_rtp(bytes)
            && let Some(tally) = self.window.tally()
        {
            tally.refused += 1;
        }
    }

    fn speak(&mut self, bot: BotId) {
        let now = Instant::now();
        self.drive(bot, now, |leg| leg.speak(now));
        let Some(Some(seat)) = self.seats.get(bot as usize) else {
            return;
        };
        let others = self.in_call.get(&seat.leg.call).map_or(0, |legs| legs - 1);
        if let Some(tally) = self.window.tally() {
            tally.note_sent(nanos(now), others);
        }
    }

    fn wake(&mut self, now: Instant) {
        self.next_wake = now + TICK;
        for bot in 0..self.seats.len() {
            let Some(seat) = &self.seats[bot] else {
                continue;
            };
            if seat.leg.wake_at <= now {
                self.drive(bot as BotId, now, |leg| leg.handle_timeout(now));
            } else {
                self.next_wake = self.next_wake.min(seat.leg.wake_at);
            }
        }
    }

    /// Gives a leg its input and takes what comes of it: how many packets were heard, or `None`
    /// where no leg is seated.
    fn drive(
        &mut self,
        bot: BotId,
        at: Instant,
        input: impl FnOnce(&mut Leg) -> Result<()>,
    ) -> Option<usize> {
        let seat = self.seats.get_mut(bot as usize)?.as_deref_mut()?;
        let mut happenings = std::mem::take(&mut self.happenings);
        if let Err(error) = input(&mut seat.leg) {
            happenings.push(Happening::Closed(error.to_string()));
        }
        seat.leg.drive(|happening| happenings.push(happening));
        seat.leg.wake_at = seat.leg.wake_at.max(at + REST);
        self.next_wake = self.next_wake.min(seat.leg.wake_at);
        let mut heard = 0;
        for happening in happenings.drain(..) {
            match happening {
                Happening::Connected => self.connect(bot, at),
                Happening::Heard(payload) => {
                    heard += 1;
                    self.hear(bot, at, &payload);
                }
                Happening::Closed(why) => {
                    self.vacate(bot);
                    self.tell(Notice::Failed { bot, why });
                }
            }
        }
        self.happenings = happenings;
        Some(heard)
    }

    fn connect(&mut self, bot: BotId, at: Instant) {
        let Some(Some(seat)) = self.seats.get_mut(bot as usize) else {
            return;
        };
        seat.link = Link::Connected;
        self.joins.connected.note(at - seat.leg.offered_at);
        *self.in_call.entry(seat.leg.call).or_default() += 1;
        if seat.leg.is_talker {
            // Due at once: his first packet leaves as soon as there are keys.
            self.talking.push((bot, at));
        }
        self.tell(Notice::Connected(bot));
    }

    fn hear(&mut self, bot: BotId, at: Instant, payload: &[u8]) {
        let mut is_counted = false;
        let Some(frames) = voice::heard(payload) else {
            return self.note_corrupted();
        };
        for frame in frames {
            let Some(frame) = frame else {
                self.note_corrupted();
                continue;
            };
            self.hear_frame(bot, at, frame);
            if let Some(tally) = self.window.tally() {
                is_counted |= tally.covers(frame.sent_ns);
            }
        }
        if let Some(tally) = self.window.tally() {
            tally.packets += u64::from(is_counted);
        }
    }

    fn note_corrupted(&mut self) {
        if let Some(tally) = self.window.tally() {
            tally.corrupted += 1;
        }
    }

    fn hear_frame(&mut self, bot: BotId, at: Instant, frame: Frame) {
        let Some(Some(seat)) = self.seats.get_mut(bot as usize) else {
            return;
        };
        if seat.ears.is_empty() {
            self.joins.heard.note(at.saturating_duration_since(seat.leg.offered_at));
        }
        let heard = seat.listen(frame);
        if let Some(tally) = self.window.tally() {
            tally.note_heard(frame, nanos(at), heard);
        }
        if heard == Heard::New && !self.unheard.is_empty() {
            self.announce(frame, at);
        }
    }

    fn announce(&mut self, frame: Frame, at: Instant) {
        if let Some(offered_at) = self.unheard.remove(&frame.talker) {
            let after = at.saturating_duration_since(offered_at);
            self.tell(Notice::FirstVoice { bot: frame.talker, after, seq: frame.seq });
        }
    }

    fn vacate(&mut self, bot: BotId) {
        let Some(seat) = self.seats.get_mut(bot as usize).and_then(Option::take) else {
            return;
        };
        self.talking.retain(|(talker, _)| *talker != bot);
        self.unheard.remove(&bot);
        if seat.link == Link::Connected
            && let Some(legs) = self.in_call.get_mut(&seat.leg.call)
        {
            *legs -= 1;
        }
    }

    fn turn_window(&mut self, now: Instant) {
        match std::mem::replace(&mut self.window, Window::Shut) {
            Window::Open { tally, until, cpu_before } if until <= now => {
                let media_cpu = cpu::of_this_thread() - cpu_before;
                let measured = Box::new(Measured { tally, media_cpu });
                self.window = Window::Settling { measured, until: now + STRAGGLERS };
            }
            Window::Settling { measured, until } if until <= now => {
                self.tell(Notice::Measured(measured));
            }
            other => self.window = other,
        }
    }

    /// Tells the conductor. He reads all the time; were he gone, nobody would need the notice.
    fn tell(&self, notice: Notice) {
        let _ = self.notices.blocking_send(notice);
    }
}

impl Seat {
    fn listen(&mut self, frame: Frame) -> Heard {
        if frame.talker == self.leg.bot {
            return Heard::Own;
        }
        let known = self.ears.iter().position(|(talker, _)| *talker == frame.talker);
        let at = known.unwrap_or_else(|| {
            self.ears.push((frame.talker, Hearing::default()));
            self.ears.len() - 1
        });
        if self.ears[at].1.is_new(frame.seq) { Heard::New } else { Heard::Again }
    }
}

impl Window {
    fn tally(&mut self) -> Option<&mut Tally> {
        match self {
            Self::Shut => None,
            Self::Open { tally, .. } => Some(tally),
            Self::Settling { measured, .. } => Some(&mut measured.tally),
        }
    }
}

/// RTP by its first two bytes (RFC 7983, RFC 5761 section 4).
fn is_rtp(bytes: &[u8]) -> bool {
    matches!(bytes, [128..=191, kind, ..] if !(64..96).contains(&(kind & 0x7f)))
}

/// How often nothing at all is looked after.
const TICK: Duration = Duration::from_millis(100);

/// A leg is not driven by time again before this: str0m may name a time that is already past.
const REST: Duration = Duration::from_micros(200);

/// How long packets of a window may still arrive after it.
const STRAGGLERS: Duration = Duration::from_millis(500);
