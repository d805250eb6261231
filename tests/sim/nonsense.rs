//! Bad input of every kind that a call can be given: refused, or nobody's news. Nothing changes
//! by it and nothing is done.

use engine::call::{Place, Seen, Targets};
use engine::{Call, Input, Jid, LegId, Level};

use super::control::Done;
use super::sabotage::Sabotage;
use super::story::Story;
use super::watch::{Promise, broken};

/// What the call must make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Refused,
    Ignored,
}

impl Story {
    /// Notes that it comes now; the call sees it before anything else.
    pub fn send_nonsense(&mut self, device: usize) {
        self.agenda.note(self.time, super::story::Event::Nonsense { device });
    }

    pub fn handle_nonsense(&mut self, device: usize) -> Done {
        let chat = self.devices[device].chat;
        let now = self.now();
        let Some(call) = &mut self.chats[chat].call else { return Ok(()) };
        // What is due by now is not the nonsense's doing.
        call.handle_timeout(now);
        self.finish_effects(chat)?;
        let nonsense = self.nonsense(chat);
        if nonsense.is_empty() {
            return Ok(());
        }
        let drawn = self.chance.within(0..nonsense.len() as u64) as usize;
        let Some((input, fate)) = nonsense.into_iter().nth(drawn) else { return Ok(()) };
        let before = self.chats[chat].call.clone();
        let name = format!("{input:?}");
        let input = match (self.sabotage, input) {
            (Sabotage::StrangersHeeded, Input::Sound { muted, .. }) => {
                Input::Sound { who: self.devices[device].who.clone(), muted }
            }
            (_, input) => input,
        };
        let done = self.input(chat, input)?;
        if done.is_err() != (fate == Fate::Refused) && before.is_some() {
            return broken(Promise::RefusedChangesNothing, format!("{name}: {done:?}"));
        }
        self.check_unchanged(chat, before.as_ref(), &name)
    }

    fn nonsense(&mut self, chat: usize) -> Vec<(Input, Fate)> {
        let Some(call) = &self.chats[chat].call else { return Vec::new() };
        let Some(insider) = call.onliners().first().map(|it| it.who.clone()) else {
            return Vec::new();
        };
        let Some(stranger) = Jid::parse("d-stranger") else { return Vec::new() };
        let (who, name) = (stranger.clone(), self.devices[0].name.clone());
        // One that left, or never was.
        let gone: Vec<LegId> =
            (1..self.legs + 9).map(LegId).filter(|leg| !holds(call, *leg)).collect();
        let leg = gone[self.chance.within(0..gone.len() as u64) as usize];
        let level = self.chance.permille(500).then_some(Level::from_extension(9));
        let seen = self.chance.pick(&[Seen::Alive, Seen::Silent, Seen::Closed, Seen::Ended]);
        let targets = Targets::These(vec![stranger.clone()]);
        let (ring, reason) = (Targets::Everyone, "busy".into());
        let mut all = vec![
            (Input::Sound { who: who.clone(), muted: level.is_some() }, Fate::Refused),
            (Input::MuteAll { who: who.clone(), sticky: level.is_some() }, Fate::Refused),
            (Input::LiftMute { who: who.clone() }, Fate::Refused),
            (Input::Kick { by: who.clone(), who: insider.clone() }, Fate::Refused),
            (Input::Kick { by: insider.clone(), who: who.clone() }, Fate::Refused),
            (Input::Buzz { who: who.clone(), targets: ring }, Fate::Refused),
            (Input::BuzzCancel { who: who.clone() }, Fate::Refused),
            (Input::Reject { who: insider.clone(), device: name.clone(), reason }, Fate::Refused),
            (Input::Leave { who: who.clone(), device: name.clone() }, Fate::Refused),
            (Input::Leave { who: insider.clone(), device: "no such device".into() }, Fate::Refused),
            (Input::Reoffered { leg, slots: 3 }, Fate::Refused),
            (Input::Answered { leg, slots: 3 }, Fate::Ignored),
            (Input::Talking { leg, level }, Fate::Ignored),
            (Input::Link { leg, seen }, Fate::Ignored),
            (Input::Socket { who, device: name, held: level.is_some() }, Fate::Ignored),
        ];
        if matches!(self.chats[chat].place, Place::Direct(_)) {
            all.push((Input::Buzz { who: insider, targets }, Fate::Refused));
        }
        all
    }

    /// The call is as it was, and wants nothing done.
    pub fn check_unchanged(&self, chat: usize, before: Option<&Call>, by: &str) -> Done {
        let after = self.chats[chat].call.as_ref();
        if format!("{before:?}") == format!("{after:?}") {
            return Ok(());
        }
        broken(Promise::RefusedChangesNothing, format!("{by}: {before:?} became {after:?}"))
    }
}

fn holds(call: &Call, leg: LegId) -> bool {
    call.onliners().iter().flat_map(|onliner| &onliner.legs).any(|it| it.id == leg)
}
