//! Seats: every leg in its place, its voice and its ears. Decides who talks when, what a payload
//! counts as, and which leg is driven. Knows no epoll: the media thread brings datagrams and time.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::mpsc;

use crate::hearing::Gaps;
use crate::leg::{Happening, Leg};
use crate::light::Header;
use crate::network::{Fate, Late, Network, Way};
use crate::notice::Notice;
use crate::seat::{Link, Seat};
use crate::speech::{Due, Speech};
use crate::tally::{Audience, Heard, Joins};
use crate::voice::{self, BotId, Frame, nanos};
use crate::window::{Turn, Window};

/// All legs, by bot number.
pub struct Seats {
    seats: Vec<Option<Box<Seat>>>,
    /// Connected legs of each call that hear it, by call number.
    in_call: HashMap<usize, Audience>,
    speech: Speech,
    network: Network,
    /// Of talkers who have left: how far they had counted.
    next_seqs: HashMap<BotId, u32>,
    /// Bots that nobody has heard yet, and when they offered.
    unheard: HashMap<BotId, Instant>,
    /// No leg is due before this.
    next_wake: Instant,
    window: Window,
    joins: Joins,
    notices: mpsc::Sender<Notice>,
    happenings: Vec<Happening>,
}

impl Seats {
    pub fn new(speech: Speech, network: Network, notices: mpsc::Sender<Notice>) -> Self {
        Self {
            seats: Vec::new(),
            in_call: HashMap::new(),
            speech,
            network,
            next_seqs: HashMap::new(),
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

    /// Takes a leg and lets it begin to connect. It replaces a former one of the same bot.
    pub fn adopt(&mut self, now: Instant, mut leg: Leg) {
        let at = leg.bot as usize;
        self.vacate(leg.bot);
        leg.next_seq = self.next_seqs.remove(&leg.bot).unwrap_or(0);
        if self.seats.len() <= at {
            self.seats.resize_with(at + 1, || None);
        }
        self.joins.answered.note(leg.answered_at - leg.offered_at);
        if leg.is_talker {
            self.unheard.insert(leg.bot, leg.offered_at);
        }
        let bot = leg.bot;
        self.seats[at] = Some(Box::new(Seat::new(leg)));
        self.drive(bot, now, |leg| leg.handle_timeout(now));
    }

    /// Tells that a leg has no seat.
    pub fn refuse(&mut self, bot: BotId, why: String) {
        self.tell(Notice::Failed { bot, why });
    }

    /// Lets a leg hear what is under way to it, and says goodbye a little later.
    pub fn release(&mut self, now: Instant, bot: BotId) {
        self.depart(bot);
        if let Some(Some(seat)) = self.seats.get_mut(bot as usize) {
            seat.link = Link::Leaving { left_ns: nanos(now) };
            seat.leg.wake_at = now + GOODBYE;
            self.next_wake = self.next_wake.min(seat.leg.wake_at);
        }
    }

    pub fn mute(&mut self, now: Instant, bot: BotId) {
        self.speech.mute(bot, now);
    }

    pub fn unmute(&mut self, now: Instant, bot: BotId) {
        self.speech.unmute(bot, now + UNMUTING);
    }

    /// Begins a window of `length`.
    pub fn measure(&mut self, now: Instant, length: Duration) {
        for seat in self.seats.iter_mut().flatten() {
            seat.settle(None);
        }
        self.window = Window::open(now, length);
    }

    /// How long nothing has to be done if nothing arrives.
    pub fn wait(&self, now: Instant) -> Duration {
        let due = [self.speech.due(), self.network.due(), Some(self.next_wake)];
        let next = due.into_iter().flatten().fold(now + TICK, Instant::min);
        next.saturating_duration_since(now)
    }

    /// Speaks and drives the legs that are due.
    pub fn handle_time(&mut self, now: Instant) {
        while let Some(due) = self.speech.poll(now) {
            self.speak(due);
        }
        while let Some(Late { due, bot, way, bytes, .. }) = self.network.poll(now) {
            match way {
                Way::From(source) => self.receive(bot, due, source, &bytes),
                Way::To(server) => {
                    self.socket(bot).map(|socket| socket.send_to(&bytes, server));
                }
            }
        }
        if self.next_wake <= now {
            self.wake(now);
        }
        self.turn_window(now);
    }

    /// Takes a datagram read at `at` for a bot, if the simulated network lets it through.
    pub fn handle_datagram(&mut self, bot: BotId, at: Instant, source: SocketAddr, bytes: &[u8]) {
        match self.network.fate() {
            Fate::Passes => self.receive(bot, at, source, bytes),
            Fate::Late(by) => self.network.keep(at + by, bot, Way::From(source), bytes),
            Fate::Lost => {
                if let (Some(header), Some(tally)) = (Header::read(bytes), self.window.tally()) {
                    tally.note_injected(nanos(at), f64::from(header.frames()));
                }
            }
        }
    }

    fn receive(&mut self, bot: BotId, at: Instant, source: SocketAddr, bytes: &[u8]) {
        let Some(header) = Header::read(bytes) else {
            self.drive(bot, at, |leg| leg.handle_datagram(at, source, bytes));
            return;
        };
        if !self.count(bot, at, header) {
            return;
        }
        let heard = self.drive(bot, at, |leg| leg.handle_datagram(at, source, bytes));
        if heard == Some(0)
            && let Some(tally) = self.window.tally()
        {
            tally.refused += 1;
        }
    }

    /// Counts a packet of a light leg by its header; whether it is to be decrypted.
    fn count(&mut self, bot: BotId, at: Instant, header: Header) -> bool {
        let Some(Some(seat)) = self.seats.get_mut(bot as usize) else {
            return false;
        };
        let Some(light) = seat.light() else {
            return true;
        };
        let is_decrypted = light.is_to_decrypt(header);
        let origin = light.origin(header);
        let sent = |(talker, about)| self.speech.sent(talker, about).unwrap_or(about);
        let sent_ns = origin.map_or(nanos(at), sent);
        match self.window.tally() {
            Some(tally) => {
                let counted = light.note(header, &mut tally.light_gaps);
                tally.note_counted(sent_ns, counted, is_decrypted);
            }
            None => drop(light.note(header, &mut Gaps::default())),
        }
        is_decrypted
    }

    fn speak(&mut self, due: Due) {
        let now = Instant::now();
        let Due { bot, frames, silent, late, missed } = due;
        self.drive(bot, now, |leg| leg.speak(now, frames, silent));
        let Some(Some(seat)) = self.seats.get_mut(bot as usize) else {
            return;
        };
        self.speech.note_sent(bot, nanos(now));
        let lost = std::mem::take(&mut seat.leg.lost_packets);
        let mut others = self.in_call.get(&seat.leg.call).copied().unwrap_or_default();
        others.full = others.full.saturating_sub(1);
        let voices = self.speech.voices(seat.leg.call).max(1);
        others.share = (seat.leg.sections as f64 / voices as f64).min(1.0);
        if let Some(tally) = self.window.tally() {
            tally.note_sent(nanos(now), frames, others);
            tally.missed += u64::from(missed);
            tally.lateness.note(late);
            let listeners = (others.full + others.light) as f64 * others.share;
            tally.note_injected(nanos(now), f64::from(lost * frames) * listeners);
        }
    }

    fn wake(&mut self, now: Instant) {
        self.next_wake = now + TICK;
        for bot in 0..self.seats.len() {
            let Some(seat) = &self.seats[bot] else {
                continue;
            };
            if seat.leg.wake_at > now {
                self.next_wake = self.next_wake.min(seat.leg.wake_at);
            } else if let Link::Leaving { .. } = seat.link {
                self.drive(bot as BotId, now, Leg::close);
                self.vacate(bot as BotId);
            } else {
                self.drive(bot as BotId, now, |leg| leg.handle_timeout(now));
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
        seat.leg.drive(&mut self.network, |happening| happenings.push(happening));
        seat.leg.wake_at = seat.leg.wake_at.max(at + seat.rest());
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
                    if !self.vacate(bot) {
                        self.tell(Notice::Failed { bot, why });
                    }
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
        seat.link = Link::Connected { since_ns: nanos(at) };
        self.joins.connected.note(at - seat.leg.offered_at);
        if seat.leg.is_listener {
            *self.in_call.entry(seat.leg.call).or_default().of(seat.leg.light) += 1;
        }
        if seat.leg.is_talker {
            // Due at once: his first packet leaves as soon as there are keys.
            self.speech.begin(bot, seat.leg.call, at);
        }
        self.tell(Notice::Connected(bot));
    }

    fn hear(&mut self, bot: BotId, at: Instant, payload: &[u8]) {
        let Some(frames) = voice::heard(payload) else {
            return self.note_corrupted();
        };
        let mut first = None;
        for frame in frames {
            match frame {
                Some(frame) => {
                    self.hear_frame(bot, at, frame);
                    first.get_or_insert(frame);
                }
                None => self.note_corrupted(),
            }
        }
        let Some(first) = first else { return };
        let Some(Some(seat)) = self.seats.get_mut(bot as usize) else { return };
        let tally = self.window.tally();
        if let Some(light) = seat.light() {
            light.learn(first);
            tally.into_iter().for_each(|tally| tally.note_latency(first, nanos(at)));
        } else if seat.is_for(first) {
            tally.into_iter().for_each(|tally| tally.note_packet(first.sent_ns));
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
        if seat.is_first_voice() {
            self.joins.heard.note(at.saturating_duration_since(seat.leg.offered_at));
        }
        if !seat.is_for(frame) {
            return self.announce(frame, at);
        }
        let mut forgotten = Gaps::default();
        let mut tally = self.window.tally();
        let gaps = tally.as_mut().map_or(&mut forgotten, |tally| &mut tally.gaps);
        let heard = seat.listen(frame, gaps);
        if let (Some(tally), Some(heard)) = (tally, heard) {
            tally.note_heard(frame, nanos(at), heard);
        }
        if matches!(heard, None | Some(Heard::New)) {
            self.announce(frame, at);
        }
    }

    fn announce(&mut self, frame: Frame, at: Instant) {
        if self.unheard.is_empty() {
            return;
        }
        if let Some(offered_at) = self.unheard.remove(&frame.talker) {
            let after = at.saturating_duration_since(offered_at);
            self.tell(Notice::FirstVoice { bot: frame.talker, after, seq: frame.seq });
        }
    }

    /// A leg is in its call no more.
    fn depart(&mut self, bot: BotId) {
        let Some(Some(seat)) = self.seats.get_mut(bot as usize) else {
            return;
        };
        self.speech.end(bot);
        self.unheard.remove(&bot);
        if seat.leg.next_seq > 0 {
            self.next_seqs.insert(bot, seat.leg.next_seq);
        }
        if let Link::Connected { .. } = seat.link
            && seat.leg.is_listener
            && let Some(legs) = self.in_call.get_mut(&seat.leg.call)
        {
            *legs.of(seat.leg.light) -= 1;
        }
    }

    /// Forgets a leg without a word, as a network does; whether it was leaving anyway.
    pub fn vacate(&mut self, bot: BotId) -> bool {
        self.depart(bot);
        let Some(mut seat) = self.seats.get_mut(bot as usize).and_then(Option::take) else {
            return false;
        };
        seat.settle(self.window.tally());
        matches!(seat.link, Link::Leaving { .. })
    }

    fn turn_window(&mut self, now: Instant) {
        match self.window.turn(now) {
            Turn::Nothing => {}
            Turn::Second(second) => self.tell(Notice::Second(second)),
            Turn::Ends => self.seats.iter_mut().flatten().for_each(|seat| seat.mark()),
            Turn::Over(mut measured) => {
                let tally = &mut measured.tally;
                for seat in self.seats.iter_mut().flatten() {
                    seat.settle_marked(&mut tally.gaps, &mut tally.light_gaps);
                }
                self.tell(Notice::Measured(measured));
            }
        }
    }

    /// Tells the conductor. He reads all the time; were he gone, nobody would need the notice.
    fn tell(&self, notice: Notice) {
        let _ = self.notices.blocking_send(notice);
    }
}

/// How often nothing at all is looked after.
const TICK: Duration = Duration::from_millis(100);

/// What is under way to a leg that leaves has come within this.
const GOODBYE: Duration = Duration::from_millis(100);

/// After this the server has surely heard of an unmute: what is said before counts for nobody.
const UNMUTING: Duration = Duration::from_millis(200);
