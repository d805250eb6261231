//! A story: two chats on one worker, their people's devices, a network, and virtual time. First
//! everything goes wrong by seed, then everything heals, then everybody leaves.

use std::collections::VecDeque;
use std::time::Duration;

use engine::call::Rules;
use engine::rtp::View;
use engine::{LegId, Now, Time, Wall};

use super::chance::{Agenda, Chance};
use super::control::Chat;
use super::device::{Device, Request, Told};
use super::net::Net;
use super::sabotage::Sabotage;
use super::speech::{Frame, Speech};
use super::watch::{Complaint, Promise, Watch, broken};
use super::worker::{LEVEL_ID, Notice, Worker};

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
    /// The call gets input that makes no sense.
    Nonsense {
        device: usize,
    },
    /// Tries to come in once more.
    Dial {
        device: usize,
    },
    /// The call learns that its worker is gone.
    MediaGone {
        chat: usize,
    },
}

pub struct Story {
    pub size: Size,
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
    /// What people ask and are told waits until then.
    pub core_slow_until: Time,
    /// It comes late by so much, or, where that is nothing, all at once in the end.
    pub core_lag: Duration,
    /// The worker dies at the next handshake: what it told of that comes after its end.
    pub worker_ails: bool,
    /// Devices that were told to dial again.
    pub restarts: usize,
    mail_is_due: bool,
    noticed_until: Time,
    transcript: VecDeque<String>,
}

/// Lines of the transcript that are kept.
const TRANSCRIPT_LINES: usize = 120;
const FRAME: Duration = Duration::from_millis(20);
const CHECK: Duration = Duration::from_millis(400);
const SWEEP: Duration = Duration::from_millis(100);

impl Story {
    pub fn new(seed: u64, size: Size, sabotage: Sabotage) -> Story {
        let mut chance = Chance::new(seed);
        let rules = rules(&mut chance, size);
        let (chats, devices) = super::people::invite(&mut chance, size, &rules);
        let extra_most = chance.pick(&[0, 3, 2_000, 2_000]);
        let mut story = Story {
            size,
            sabotage,
            agenda: Agenda::default(),
            time: Time::from_micros(1),
            wall: 1_700_000_000_000_000_000,
            net: Net::from(&mut chance),
            chance,
            rules,
            chats,
            devices,
            worker: Worker::new(sabotage, extra_most),
            watch: Watch::default(),
            calls: 0,
            legs: 0,
            heals: false,
            returns: false,
            core_slow_until: Time::ZERO,
            core_lag: Duration::ZERO,
            worker_ails: false,
            restarts: 0,
            mail_is_due: false,
            noticed_until: Time::ZERO,
            transcript: VecDeque::new(),
        };
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
            self.post_notices();
        }
        self.time = until;
        Ok(())
    }

    /// What the worker has to tell is on its way.
    pub fn post_notices(&mut self) {
        for (call, notice) in std::mem::take(&mut self.worker.notices) {
            let late = self.chance.millis(0..30);
            self.noticed_until = self.noticed_until.max(self.time + late);
            self.agenda.note(self.noticed_until, Event::Notice { call, notice });
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Complaint> {
        match event {
            Event::Act => self.act(),
            Event::Frame { device } => self.speak(device),
            Event::Check { device } => {
                let it = &self.devices[device];
                let arrives = it.is_online && it.line.stopped_until <= self.time;
                if let Some(leg) = it.leg.filter(|_| arrives) {
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
                (0..self.chats.len()).try_for_each(|chat| self.look_again(chat))?;
                self.agenda.note(self.time + SWEEP, Event::Sweep);
            }
            Event::Handshake { device, leg } => self.shake_hands(device, leg),
            Event::Notice { call, notice } => return self.handle_notice(call, notice),
            Event::Timer { chat, due } => return self.handle_timer(chat, due),
            Event::Request { device, request } => return self.handle_request(device, request),
            Event::Told { device, told } => self.hear_told(device, told),
            Event::Socket { device, held } => return self.handle_socket(device, held),
            Event::Online { device } => self.devices[device].is_online = true,
            Event::Nonsense { device } => return self.handle_nonsense(device),
            Event::Dial { device } => self.dial_again(device),
            Event::MediaGone { chat } => return self.handle_media_gone(chat),
        }
        Ok(())
    }

    fn speak(&mut self, device: usize) {
        self.agenda.note(self.time + FRAME, Event::Frame { device });
        let it = &mut self.devices[device];
        let Some(leg) = it.leg.filter(|_| it.has_keys && it.sends) else { return };
        let speech = if it.muted && !it.stubborn { Speech::Silent } else { it.speech };
        let frame = it.mouth.frame(self.time, leg, speech);
        let Some(frame) = frame.filter(|_| it.is_online) else { return };
        let line = it.line;
        for trip in self.net.trips(self.time, line, &mut self.chance).into_iter().flatten() {
            let packet = frame.packet();
            self.agenda.note(self.time + trip, Event::Uplink { leg, packet });
        }
    }

    fn forward(&mut self, leg: LegId, packet: &[u8]) -> Result<(), Complaint> {
        let view = View::parse(packet, Some(LEVEL_ID)).ok();
        let frame = view.and_then(|view| Frame::read(&packet[view.payload]));
        if let Some(frame) = frame.filter(|_| self.worker.is_connected(leg)) {
            self.watch.came(self.time, &frame);
        }
        let sent = self.worker.handle_rtp(self.time, leg, packet);
        if let Some(taken) = self.worker.taped.take() {
            self.watch.tape.packet(self.time, leg, taken)?;
        }
        let listeners = |call| self.worker.listeners(call).collect();
        self.watch.sent(self.time, leg, &sent, listeners)?;
        for sent in sent {
            let leg = sent.listener;
            let Some(device) = self.devices.iter().position(|it| it.leg == Some(leg)) else {
                continue;
            };
            let line = self.devices[device].line;
            let trips = self.net.trips(self.time, line, &mut self.chance);
            for trip in trips.into_iter().flatten() {
                let packet = sent.bytes.clone();
                self.agenda.note(self.time + trip, Event::Downlink { device, leg, packet });
            }
        }
        Ok(())
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

/// How many people meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// There is a slot for everybody, mostly.
    Small,
    /// Many people, few slots.
    Crowded,
    /// Three people of one call, as short as can be.
    Trial,
}

/// Shorter times than the server's, so that a story sees them end.
fn rules(chance: &mut Chance, size: Size) -> Rules {
    let slots_max = match size {
        Size::Small => chance.within(1..7),
        Size::Crowded | Size::Trial => chance.within(1..4),
    };
    Rules {
        participants_max: if chance.permille(100) { 3 } else { super::people::PEOPLE_MAX },
        slots_max: slots_max as usize,
        only_one_device: chance.permille(600),
        buzz_timeout: chance.millis(500..3_000),
        lost_grace: chance.millis(500..3_000),
        connect_timeout: chance.millis(1_500..3_000),
        socketless_max: chance.millis(1_000..5_000),
        record_auto: chance.permille(200),
    }
}

/// A whole story.
pub fn tell(seed: u64, sabotage: Sabotage) -> Result<u64, (Complaint, String)> {
    let size = if Chance::new(!seed).permille(200) { Size::Crowded } else { Size::Small };
    let mut story = Story::new(seed, size, sabotage);
    let told = whole(&mut story);
    let transcript = story.transcript();
    told.map(|()| story.watch.forwarded).map_err(|complaint| (complaint, transcript))
}

fn whole(story: &mut Story) -> Result<(), Complaint> {
    let is_small = story.devices.len() <= 10;
    let faults = if is_small { 4_000..14_000 } else { 3_000..7_000 };
    let faults = story.chance.millis(faults);
    story.agenda.note(story.time, Event::Act);
    story.run(faults)?;
    story.heal()?;
    story.run(BACK_WITHIN)?;
    story.check_all_are_in()?;
    story.unmute()?;
    story.take_turns()?;
    story.check_all_is_well()?;
    story.part();
    story.run(Duration::from_millis(1_000))?;
    story.check_all_has_ended()?;
    if story.watch.forwarded == 0 {
        return broken(Promise::EveryVoiceIsHeard, "nobody said a word");
    }
    Ok(())
}

/// A correct client is back in that time (DESIGN.md section 8, invariant 7).
const BACK_WITHIN: Duration = Duration::from_millis(5_000);
