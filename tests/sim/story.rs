//! A story: two chats on one worker, their people's devices, a network, and virtual time. First
//! everything goes wrong by seed, then everything heals, then everybody leaves.

use std::collections::VecDeque;
use std::time::Duration;

use engine::call::Rules;
use engine::call::Seen;
use engine::{LegId, Now, Time, Wall};

use super::chance::{Agenda, Chance, Net};
use super::control::Chat;
use super::device::{Device, Request, Told};
use super::sabotage::Sabotage;
use super::speech::Ears;
use super::watch::{Complaint, Promise, Watch, broken};
use super::worker::{Notice, Worker};

/// What happens at a moment.
pub enum Event {
    /// Somebody does something.
    Act,
    /// A microphone's frame, and a connectivity check.
    Frame {
        device: usize,
    },
    Check {
        device: usize,
    },
    Uplink {
        leg: LegId,
        packet: Vec<u8>,
    },
    Downlink {
        device: usize,
        leg: LegId,
        packet: Vec<u8>,
    },
    Mail,
    Sweep,
    Handshake {
        device: usize,
        leg: LegId,
    },
    Notice {
        call: u64,
        notice: Notice,
    },
    Timer {
        chat: usize,
        due: Time,
    },
    Request {
        device: usize,
        request: Request,
    },
    Told {
        device: usize,
        told: Told,
    },
    Socket {
        device: usize,
        held: bool,
    },
    Online {
        device: usize,
    },
}

pub struct Story {
    pub sabotage: Sabotage,
    pub chance: Chance,
    pub agenda: Agenda<Event>,
    pub time: Time,
    /// Nanoseconds: the wall clock jumps, and back too.
    pub wall: i64,
    pub net: Net,
    pub rules: Rules,
    pub chats: Vec<Chat>,
    pub devices: Vec<Device>,
    pub worker: Worker,
    pub watch: Watch,
    pub calls: u64,
    pub legs: u64,
    /// Faults are over.
    pub heals: bool,
    /// Whoever is put out comes back at once.
    pub returns: bool,
    mail_is_due: bool,
    noticed_until: Time,
    transcript: VecDeque<String>,
}

/// Lines of the transcript that are kept.
const TRANSCRIPT_LINES: usize = 60;
const FRAME: Duration = Duration::from_millis(20);
const CHECK: Duration = Duration::from_millis(400);
const SWEEP: Duration = Duration::from_millis(100);

impl Story {
    pub fn new(seed: u64, sabotage: Sabotage) -> Story {
        let mut chance = Chance::new(seed);
        let rules = rules(&mut chance);
        let (chats, devices) = super::people::invite(&mut chance);
        let mut story = Story {
            sabotage,
            agenda: Agenda::default(),
            time: Time::from_micros(1),
            wall: 1_700_000_000_000_000_000,
            net: Net::from(&mut chance),
            chance,
            rules,
            chats,
            devices,
            worker: Worker::new(sabotage),
            watch: Watch::default(),
            calls: 0,
            legs: 0,
            heals: false,
            returns: false,
            mail_is_due: false,
            noticed_until: Time::ZERO,
            transcript: VecDeque::new(),
        };
        story.agenda.note(story.time, Event::Act);
        story.agenda.note(story.time, Event::Sweep);
        for device in 0..story.devices.len() {
            let late = story.chance.millis(0..20);
            story.agenda.note(story.time + late, Event::Frame { device });
            story.agenda.note(story.time + late, Event::Check { device });
        }
        story
    }

    pub fn now(&self) -> Now {
        let passed = self.time.as_micros() as i64 * 1_000;
        Now { time: self.time, wall: Wall(self.wall + passed) }
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Duration) -> Result<(), Complaint> {
        let until = self.time + span;
        while let Some((at, event)) = self.agenda.next(until) {
            self.time = at;
            self.handle(event)?;
            for (call, notice) in std::mem::take(&mut self.worker.notices) {
                let late = self.chance.millis(0..30);
                self.noticed_until = self.noticed_until.max(at + late);
                self.agenda.note(self.noticed_until, Event::Notice { call, notice });
            }
        }
        self.time = until;
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), Complaint> {
        match event {
            Event::Act => self.act(),
            Event::Frame { device } => self.speak(device),
            Event::Check { device } => {
                let it = &self.devices[device];
                if let Some(leg) = it.leg.filter(|_| it.is_online) {
                    self.worker.handle_check(self.time, leg);
                }
                self.agenda.note(self.time + CHECK, Event::Check { device });
            }
            Event::Uplink { leg, packet } => return self.forward(leg, &packet),
            Event::Downlink { device, leg, packet } => {
                let it = &mut self.devices[device];
                if it.leg == Some(leg) && it.is_online {
                    it.ears.hear(self.time, &packet);
                }
            }
            Event::Mail => self.take_mail(),
            Event::Sweep => {
                self.worker.sweep(self.time);
                for chat in &self.chats {
                    let due = chat.call.as_ref().and_then(|call| call.poll_timeout());
                    self.watch.deadline(self.time, due)?;
                }
                self.agenda.note(self.time + SWEEP, Event::Sweep);
            }
            Event::Handshake { device, leg } => self.shake_hands(device, leg),
            Event::Notice { call, notice } => return self.handle_notice(call, notice),
            Event::Timer { chat, due } => return self.handle_timer(chat, due),
            Event::Request { device, request } => return self.handle_request(device, request),
            Event::Told { device, told } => self.hear_told(device, told),
            Event::Socket { device, held } => return self.handle_socket(device, held),
            Event::Online { device } => self.devices[device].is_online = true,
        }
        Ok(())
    }

    fn speak(&mut self, device: usize) {
        self.agenda.note(self.time + FRAME, Event::Frame { device });
        let it = &mut self.devices[device];
        let Some(leg) = it.leg.filter(|_| it.has_keys && it.sends) else { return };
        let speaks = it.speaks && (!it.muted || it.stubborn);
        let Some(frame) = it.mouth.frame(self.time, leg, speaks).filter(|_| it.is_online) else {
            return;
        };
        for trip in self.net.trips(&mut self.chance).into_iter().flatten() {
            let packet = frame.packet();
            self.agenda.note(self.time + trip, Event::Uplink { leg, packet });
        }
    }

    fn forward(&mut self, leg: LegId, packet: &[u8]) -> Result<(), Complaint> {
        for sent in self.worker.handle_rtp(self.time, leg, packet) {
            self.watch.sent(self.time, &sent)?;
            let leg = sent.listener;
            let device = self.devices.iter().position(|it| it.leg == Some(leg));
            let trips = self.net.trips(&mut self.chance);
            for (trip, device) in trips.into_iter().flatten().zip(device.iter().cycle()) {
                let (device, packet) = (*device, sent.bytes.clone());
                self.agenda.note(self.time + trip, Event::Downlink { device, leg, packet });
            }
        }
        Ok(())
    }

    /// Whoever has his answer connects as soon as his network lets him.
    fn shake_hands(&mut self, device: usize, leg: LegId) {
        let it = &mut self.devices[device];
        if it.leg != Some(leg) {
            return;
        }
        if it.is_online {
            it.has_keys = true;
            self.worker.handle_outcome(self.time, leg, Seen::Alive);
        } else {
            let again = self.time + self.chance.millis(100..400);
            self.agenda.note(again, Event::Handshake { device, leg });
        }
    }

    fn hear_told(&mut self, device: usize, told: Told) {
        let it = &mut self.devices[device];
        match told {
            Told::Answer { leg, slots } => {
                (it.asks, it.leg, it.slots, it.has_keys) = (false, Some(leg), slots, false);
                (it.rings, it.ears) = (false, Ears::default());
                let late = self.chance.millis(10..300);
                self.agenda.note(self.time + late, Event::Handshake { device, leg });
            }
            Told::Refused { what, is_offer } => {
                it.asks &= !is_offer;
                it.wants_in &= !is_offer;
                let line = format!("{} was refused: {what}", it.label());
                self.tell_story(line);
            }
            Told::Offer { leg, slots } if it.leg == Some(leg) => {
                if let Some(slots) = it.takes(slots) {
                    it.slots = slots;
                    self.ask(device, Request::Answer { leg, slots });
                }
            }
            // Of a leg that its own offer has replaced meanwhile.
            Told::Offer { .. } => {}
            Told::PutOut if !it.asks => {
                (it.leg, it.wants_in, it.has_keys) = (None, false, false);
                if self.returns {
                    self.enter_again(device);
                }
            }
            Told::PutOut => {}
            Told::State { no, gentime, text, muted, is_over } => {
                let is_newer = it.state.as_ref().is_none_or(|it| no > it.0 || gentime > it.1);
                if is_newer {
                    it.state = Some((no, gentime, text));
                    it.muted = muted.unwrap_or(it.muted);
                    it.rings &= !is_over;
                }
            }
            Told::Tracks { leg, slots } => it.tracks = Some((leg, slots)),
            Told::Ring => it.rings = it.hears_ring(self.time),
            Told::Quiet => it.rings = false,
        }
    }

    pub fn take_mail(&mut self) {
        self.mail_is_due = false;
        for (call, permits) in self.worker.take_mail() {
            self.watch.permitted(call, &permits);
        }
    }

    /// The worker looks into its mail soon: what came meanwhile is taken together.
    pub fn wake_worker(&mut self) {
        if !std::mem::replace(&mut self.mail_is_due, true) {
            let late = self.chance.millis(0..50);
            self.agenda.note(self.time + late, Event::Mail);
        }
    }

    pub fn ask(&mut self, device: usize, request: Request) {
        let trip = self.chance.millis(3..60);
        let it = &mut self.devices[device];
        if !it.has_socket {
            it.unasked.push_back(request);
            return;
        }
        it.asked_until = it.asked_until.max(self.time + trip);
        self.agenda.note(it.asked_until, Event::Request { device, request });
    }

    pub fn tell(&mut self, device: usize, told: Told) {
        let trip = self.chance.millis(3..60);
        let it = &mut self.devices[device];
        if !it.has_socket {
            it.untold.push_back(told);
            return;
        }
        it.told_until = it.told_until.max(self.time + trip);
        self.agenda.note(it.told_until, Event::Told { device, told });
    }

    pub fn tell_story(&mut self, line: String) {
        if self.transcript.len() == TRANSCRIPT_LINES {
            self.transcript.pop_front();
        }
        let millis = self.time.as_micros() / 1_000;
        self.transcript.push_back(format!("{millis:>7} ms  {line}"));
    }

    pub fn transcript(&self) -> String {
        self.transcript.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Shorter times than the server's, so that a story sees them end.
fn rules(chance: &mut Chance) -> Rules {
    Rules {
        participants_max: super::people::PEOPLE_MAX,
        slots_max: chance.within(1..7) as usize,
        only_one_device: chance.permille(600),
        buzz_timeout: chance.millis(500..3_000),
        lost_grace: chance.millis(500..3_000),
        connect_timeout: chance.millis(1_500..3_000),
        socketless_max: chance.millis(1_000..5_000),
    }
}

/// A whole story.
pub fn tell(seed: u64, sabotage: Sabotage) -> Result<u64, (Complaint, String)> {
    let mut story = Story::new(seed, sabotage);
    let told = whole(&mut story);
    let transcript = story.transcript();
    told.map(|()| story.watch.forwarded).map_err(|complaint| (complaint, transcript))
}

fn whole(story: &mut Story) -> Result<(), Complaint> {
    let faults = story.chance.millis(5_000..15_000);
    story.run(faults)?;
    story.heal()?;
    // Longer than any grace of the rules, so that nothing is pending.
    story.run(Duration::from_millis(5_500))?;
    story.listen();
    story.run(Duration::from_millis(400))?;
    story.check_all_is_well()?;
    story.part();
    story.run(Duration::from_millis(1_000))?;
    story.check_all_has_ended()?;
    if story.watch.forwarded == 0 {
        return broken(Promise::EveryVoiceIsHeard, "nobody said a word");
    }
    Ok(())
}
