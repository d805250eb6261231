//! What the recorder is told of a call: who is in it, who is muted, who was told that it is
//! recorded. Derived from the roster after each input and compared with what was told before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::call::{Mute, Onliner};
use engine::{Input, Jid, LegId, Level, Time};
use tokio::sync::mpsc::error::TrySendError;
use tracing::{info, warn};

use super::{CallTask, Message};
use crate::core::{Chat, Refusal};
use crate::record::capture::{Begin, Disk};
use crate::record::line::{ChatName, End, Event};
use crate::record::store::Id;

/// A recording of this call that is being made.
#[derive(Default)]
pub(super) struct Taping {
    id: Option<Id>,
    known: BTreeMap<Jid, Known>,
    told: BTreeSet<Jid>,
}

/// What the recorder knows of an onliner.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    mute: Mute,
    no_record: bool,
    legs: Vec<LegId>,
}

impl CallTask {
    /// # Errors
    /// This server does not record, or no more calls at once.
    pub(super) fn check_may_record(&self, on: bool) -> Result<(), Refusal> {
        let recorder = self.shared.recorder.as_ref();
        if !on || self.taping.is_some() {
            return Ok(());
        }
        let recorder = recorder
            .ok_or_else(|| Refusal::new("no_recording", "this server does not record calls"))?;
        let admitted = recorder.admits();
        admitted.map_err(|full| Refusal::new("overloaded", full.to_string()))
    }

    pub(crate) fn begin_taping(&mut self, by: Option<Jid>) {
        let now = self.shared.clock.now();
        let (own, id) = (self.own.clone(), Id::new(now.wall));
        let begin = Begin {
            id: id.clone(),
            call: self.no,
            uid: self.uid.clone(),
            chat: chat_name(&self.chat),
            by: by.as_ref().map(|jid| jid.to_string()).unwrap_or_default(),
            now,
            notices: Arc::new(move |disk| {
                // A task that is gone needs to know nothing.
                let Some(own) = own.upgrade() else { return true };
                !matches!(own.try_send(Message::Recorder(disk)), Err(TrySendError::Full(_)))
            }),
        };
        let begun = match &self.shared.recorder {
            Some(recorder) => recorder.begin(begin).map_err(|full| full.to_string()),
            None => Err("this server does not record".to_owned()),
        };
        match begun {
            Ok(()) => {
                let by = by.as_ref().map_or("itself", Jid::as_str);
                info!(call = %self.uid, recording = %id, %by, "record on");
                self.story.recordings += 1;
                self.taping = Some(Taping { id: Some(id), ..Taping::default() });
                self.tape_roster();
            }
            Err(reason) => {
                warn!(call = %self.uid, reason, "record on, but not recorded");
                // Nobody shall believe that it is.
                let _ = self.input(Input::Recorder { writes: false });
            }
        }
    }

    /// By somebody's wish, or by itself.
    pub(crate) fn end_taping(&mut self, by: Option<&Jid>) {
        let why = if self.call.is_finished() { End::CallFinished } else { End::RecordOff };
        // One that waits for its beginning too.
        if let Some(Taping { id: Some(id), .. }) = self.taping.take() {
            let (by, reason) = (by.map_or("itself", Jid::as_str), why.label());
            info!(call = %self.uid, recording = %id, %by, reason, "record off");
        }
        if let Some(recorder) = &self.shared.recorder {
            recorder.end(self.no, self.shared.clock.now(), why);
        }
    }

    /// Who came, left, muted himself: what differs from what was told.
    pub(crate) fn tape_roster(&mut self) {
        let Some(mut taping) = self.taping.take() else { return };
        let present = self.call.onliners();
        let gone: Vec<Jid> =
            taping.known.keys().filter(|who| !holds(present, who)).cloned().collect();
        for who in gone {
            for leg in taping.known.remove(&who).map(|known| known.legs).unwrap_or_default() {
                self.tape(Event::LegLeft { leg: leg.0 });
            }
            // Whoever comes back is told again.
            taping.told.remove(&who);
            self.tape(Event::Left { jid: who.to_string() });
        }
        for onliner in present {
            let known = Known {
                mute: onliner.mute.clone(),
                no_record: onliner.no_record,
                legs: onliner.legs.iter().map(|leg| leg.id).collect(),
            };
            let former = taping.known.insert(onliner.who.clone(), known.clone());
            if former.as_ref() != Some(&known) {
                self.tape_onliner(onliner, former.as_ref());
            }
        }
        self.taping = Some(taping);
    }

    fn tape_onliner(&self, onliner: &Onliner, former: Option<&Known>) {
        let jid = onliner.who.to_string();
        let is_new = former.is_none_or(|it| it.no_record != onliner.no_record);
        if is_new {
            let person = self.people.get(&onliner.who);
            self.tape(Event::Joined {
                jid: jid.clone(),
                display_name: person.map(|it| it.display_name.clone()).unwrap_or_default(),
                no_record: onliner.no_record,
                muted: onliner.mute.is_muted(),
            });
        }
        for leg in &onliner.legs {
            if former.is_none_or(|it| !it.legs.contains(&leg.id)) {
                self.tape(Event::Leg { leg: leg.id.0, jid: jid.clone() });
            }
        }
        let gone = former.map_or(&[][..], |it| &it.legs);
        for leg in gone.iter().filter(|leg| onliner.legs.iter().all(|it| it.id != **leg)) {
            self.tape(Event::LegLeft { leg: leg.0 });
        }
        let former = former.map(|it| &it.mute);
        match (&onliner.mute, former.is_some_and(Mute::is_muted)) {
            (Mute::BySelf, false) => self.tape(Event::Muted { jid: jid.clone(), by: jid }),
            (Mute::ByModerator(by), _) if former != Some(&onliner.mute) => {
                self.tape(Event::Muted { jid, by: by.to_string() });
            }
            (Mute::ByOperator, _) if former != Some(&onliner.mute) => {
                self.tape(Event::Muted { jid, by: String::new() });
            }
            (Mute::Off, true) => self.tape(Event::Unmuted { jid }),
            (Mute::Off | Mute::BySelf | Mute::ByModerator(_) | Mute::ByOperator, _) => {}
        }
    }

    /// The state that went out says that the call is recorded: whoever reads it knows from now on.
    pub(crate) fn tape_told(&mut self) {
        let Some(mut taping) = self.taping.take() else { return };
        if self.call.is_recording() {
            for onliner in self.call.onliners() {
                if taping.told.insert(onliner.who.clone()) {
                    self.tape(Event::Told { jid: onliner.who.to_string() });
                }
            }
        }
        self.taping = Some(taping);
    }

    pub(super) fn tape_talking(&self, leg: LegId, level: Option<Level>) {
        if self.taping.is_some() {
            self.tape(Event::Talking { leg: leg.0, level_dbov: level.map(Level::dbov) });
        }
    }

    pub(super) fn handle_disk(&mut self, disk: Disk) {
        if self.taping.is_some() && self.disk != disk {
            let call = &self.uid;
            match disk {
                Disk::Refuses(why) => warn!(%call, reason = why.label(), "record stopped"),
                Disk::Takes | Disk::TakesAnew => info!(%call, "record goes on"),
            }
        }
        self.disk = disk;
        let is_wanted = self.call.is_recording() || self.call.is_record_stopped();
        if disk == Disk::TakesAnew && is_wanted {
            if self.taping.is_some() {
                self.end_taping(None);
            }
            self.begin_taping(None);
            if self.taping.is_none() {
                // Refused: it has said so.
                return;
            }
        }
        let _ = self.input(Input::Recorder { writes: !matches!(disk, Disk::Refuses(_)) });
    }

    fn tape(&self, event: Event) {
        let now: Time = self.shared.clock.now().time;
        if let Some(recorder) = &self.shared.recorder {
            recorder.note(self.no, now, event);
        }
    }
}

fn holds(present: &[Onliner], who: &Jid) -> bool {
    present.iter().any(|onliner| onliner.who == *who)
}

fn chat_name(chat: &Chat) -> ChatName {
    match chat {
        Chat::Direct(pair) => ChatName {
            kind: "direct".to_owned(),
            jids: pair.iter().map(|person| person.jid.to_string()).collect(),
            display_name: String::new(),
        },
        Chat::Group { jid, display_name } => ChatName {
            kind: "group".to_owned(),
            jids: vec![jid.to_string()],
            display_name: display_name.clone(),
        },
    }
}
