use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use alloc::format;

struct Story {
    call: Call,
    now: Now,
    legs: u64,
    facts: Vec<Fact>,
}

fn jid(name: &str) -> Jid {
    Jid::parse(&format!("d-{name}")).unwrap()
}

const RULES: Rules = Rules {
    participants_max: 3,
    slots_max: 8,
    only_one_device: true,
    buzz_timeout: Duration::from_secs(60),
    lost_grace: Duration::from_secs(30),
    connect_timeout: Duration::from_secs(40),
    socketless_max: Duration::from_secs(600),
    record_auto: false,
};

impl Story {
    fn new(place: Place) -> Self {
        let now = Now { time: Time::ZERO, wall: Wall(1_000_000_000) };
        Story { call: Call::new(now, place, RULES), now, legs: 0, facts: Vec::new() }
    }

    fn direct() -> Self {
        Self::new(Place::Direct([jid("anna"), jid("boris")]))
    }

    fn group() -> Self {
        Self::new(Place::Group)
    }

    fn wait(&mut self, span: Duration) {
        self.now.time = self.now.time + span;
        self.now.wall.0 += span.as_nanos() as i64;
        self.call.handle_timeout(self.now);
    }

    fn input(&mut self, input: Input) -> Result<Vec<Effect>, Refusal> {
        let result = self.call.handle(self.now, input);
        let effects = self.effects();
        result.map(|()| effects)
    }

    fn effects(&mut self) -> Vec<Effect> {
        let all: Vec<Effect> = core::iter::from_fn(|| self.call.poll_effect()).collect();
        let mut others = Vec::new();
        for effect in all {
            match effect {
                Effect::Fact(fact) => self.facts.push(fact),
                other => others.push(other),
            }
        }
        others
    }

    /// What was noted since this was last asked: `who kind`.
    fn noted(&mut self) -> Vec<String> {
        // What else is told is no fact.
        let _ = self.effects();
        let word = |fact: Fact| {
            let who = fact.actor.map_or(String::from("-"), |who| String::from(&who.as_str()[2..]));
            format!("{who} {}", word_of(&fact.kind))
        };
        core::mem::take(&mut self.facts).into_iter().map(word).collect()
    }

    fn join(&mut self, name: &str, device: &str, muted: bool) -> Result<Vec<Effect>, Refusal> {
        self.legs += 1;
        self.input(Input::Join(Join {
            who: jid(name),
            device: device.into(),
            useragent: "".into(),
            leg: LegId(self.legs),
            muted,
            no_record: name.starts_with("private"),
            has_socket: true,
            slots: 1,
            growth: Growth::ByOffer,
        }))
    }

    fn leave(&mut self, name: &str, device: &str) -> Result<Vec<Effect>, Refusal> {
        self.input(Input::Leave { who: jid(name), device: device.into() })
    }

    fn reject(&mut self, name: &str) -> Result<Vec<Effect>, Refusal> {
        let (who, device, reason) = (jid(name), "tv".into(), "busy".into());
        self.input(Input::Reject { who, device, reason })
    }

    fn seen(&mut self, leg: u64, seen: Seen) -> Vec<Effect> {
        self.input(Input::Link { leg: LegId(leg), seen }).unwrap()
    }

    fn people(&self) -> Vec<String> {
        self.call.onliners().iter().map(|o| String::from(&o.who.as_str()[2..])).collect()
    }
}

fn permitted(effects: &[Effect]) -> Option<Vec<u64>> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Permit(permits) => Some(permits.audible.iter().map(|leg| leg.0).collect()),
        _ => None,
    })
}

fn word_of(kind: &FactKind) -> String {
    let these = |targets: &Targets| match targets {
        Targets::Everyone => String::from("everyone"),
        Targets::These(these) => {
            these.iter().map(|who| &who.as_str()[2..]).collect::<Vec<_>>().join(",")
        }
    };
    match kind {
        FactKind::Started => "started".into(),
        FactKind::Joined => "joined".into(),
        FactKind::Left { reason } => format!("left {}", reason.label()),
        FactKind::Muted { by: Some(by) } => format!("muted by {}", &by.as_str()[2..]),
        FactKind::Muted { by: None } => "muted by the operator".into(),
        FactKind::Unmuted => "unmuted".into(),
        FactKind::Rung { targets } => format!("rung {}", these(targets)),
        FactKind::AnsweredElsewhere { device } => format!("answered by {device}"),
        FactKind::Rejected { reason } => format!("rejected {reason}"),
        FactKind::Cancelled { targets } => format!("cancelled {}", these(targets)),
        FactKind::Missed { targets } => format!("missed {}", these(targets)),
        FactKind::RecordOn => "record on".into(),
        FactKind::RecordOff => "record off".into(),
        FactKind::Finished { why: Finish::Ended, .. } => "finished by the operator".into(),
        FactKind::Finished { start: Some(_), why: Finish::Left } => "finished".into(),
        FactKind::Finished { start: None, why: Finish::Left } => "finished unanswered".into(),
    }
}

fn rings(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Ring { .. }))
}

fn quiets_all(effects: &[Effect]) -> bool {
    let rest = |e: &Effect| matches!(e, Effect::StopRinging { whom: Ringing::Rest { .. } });
    effects.iter().any(rest)
}

#[test]
fn a_group_call_starts_with_its_first_offer_and_rings_nobody() {
    let mut story = Story::group();
    let effects = story.join("anna", "phone", false).unwrap();
    assert!(!rings(&effects));
    assert_eq!(permitted(&effects), Some([1].into()));
    assert!(matches!(story.call.phase(), Phase::Live { .. }));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::State { .. })));
}

#[test]
fn a_direct_call_rings_and_starts_when_the_other_comes() {
    let mut story = Story::direct();
    assert!(rings(&story.join("anna", "phone", false).unwrap()));
    assert_eq!(story.call.phase(), Phase::Calling);
    assert!(story.call.rings(story.now.time, &jid("boris")).is_some());
    let effects = story.join("boris", "phone", false).unwrap();
    let (who, device) = (jid("boris"), "phone".into());
    let whom = Ringing::OtherDevices { who, device };
    assert!(effects.contains(&Effect::StopRinging { whom }));
    assert!(matches!(story.call.phase(), Phase::Live { .. }));
    assert!(!story.call.is_buzzing());
}

#[test]
fn a_callers_second_device_is_not_the_answer() {
    let mut story = Story::direct();
    story.join("anna", "phone", false).unwrap();
    story.join("anna", "desk", false).unwrap();
    assert_eq!(story.call.phase(), Phase::Calling);
    assert!(story.call.is_buzzing());
}

#[test]
fn a_refused_direct_call_finishes_and_tells_the_caller() {
    let mut story = Story::direct();
    story.join("anna", "phone", false).unwrap();
    let effects = story.reject("boris").unwrap();
    let (caller, by, device, reason) = (jid("anna"), jid("boris"), "tv".into(), "busy".into());
    assert!(effects.contains(&Effect::Rejected { caller, by, device, reason }));
    assert!(effects.contains(&Effect::PutOut {
        who: jid("anna"),
        device: "phone".into(),
        reason: LegEnd::CallFinished,
    }));
    assert!(effects.contains(&Effect::Finished));
    assert!(matches!(story.call.phase(), Phase::Finished { start: None, .. }));
}

#[test]
fn ringing_ends_by_time_by_its_caller_and_with_him() {
    let by_time = |story: &mut Story| {
        story.wait(RULES.buzz_timeout);
        story.effects()
    };
    let by_caller = |s: &mut Story| s.input(Input::BuzzCancel { who: jid("anna") }).unwrap();
    let by_leave = |s: &mut Story| s.leave("anna", "phone").unwrap();
    type End<'a> = &'a dyn Fn(&mut Story) -> Vec<Effect>;
    let ends: [End<'_>; 3] = [&by_time, &by_caller, &by_leave];
    for end in ends {
        let mut story = Story::direct();
        story.join("anna", "phone", false).unwrap();
        let effects = end(&mut story);
        assert!(quiets_all(&effects), "{effects:?}");
        assert!(effects.contains(&Effect::Finished));
    }
}

#[test]
fn only_the_caller_stops_the_ringing() {
    let mut story = Story::direct();
    story.join("anna", "phone", false).unwrap();
    let refused = story.input(Input::BuzzCancel { who: jid("boris") });
    assert_eq!(refused, Err(Refusal::NotTheCaller));
    assert!(story.call.is_buzzing());
}

#[test]
fn a_group_is_rung_on_demand_and_refusals_do_not_end_the_call() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    let targets = Targets::These([jid("boris"), jid("anna"), jid("boris")].into());
    let effects = story.input(Input::Buzz { who: jid("anna"), targets }).unwrap();
    let targets = Targets::These([jid("boris")].into());
    assert!(effects.contains(&Effect::Ring { caller: jid("anna"), targets }));
    story.reject("boris").unwrap();
    assert!(!story.call.is_buzzing());
    assert_eq!(story.people(), ["anna"]);
    assert_eq!(story.reject("boris"), Err(Refusal::NotRung));
}

#[test]
fn a_muted_onliner_is_not_permitted_until_he_unmutes() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", true).unwrap();
    let effects = story.input(Input::Sound { who: jid("anna"), muted: true }).unwrap();
    assert_eq!(permitted(&effects), Some([].into()));
    assert!(effects.contains(&Effect::Sound { who: jid("anna"), muted: true }));
    let effects = story.input(Input::Sound { who: jid("boris"), muted: false }).unwrap();
    assert_eq!(permitted(&effects), Some([2].into()));
}

#[test]
fn a_reconnect_is_the_same_onliner_with_the_same_mute() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.input(Input::Sound { who: jid("anna"), muted: true }).unwrap();
    let effects = story.join("anna", "phone", false).unwrap();
    let reason = LegEnd::Replaced;
    assert!(effects.contains(&Effect::CloseLeg { leg: LegId(1), reason }));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::PutOut { .. })));
    assert_eq!(permitted(&effects), None);
    assert_eq!(story.call.onliners()[0].mute, Mute::BySelf);
    assert_eq!(story.people(), ["anna"]);
}

#[test]
fn a_second_device_puts_the_first_one_out() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    let effects = story.join("anna", "desk", false).unwrap();
    assert!(effects.contains(&Effect::PutOut {
        who: jid("anna"),
        device: "phone".into(),
        reason: LegEnd::OtherDevice,
    }));
    assert_eq!(permitted(&effects), Some([2].into()));
}

#[test]
fn one_too_many_is_refused_and_changes_nothing() {
    let mut story = Story::group();
    for name in ["anna", "boris", "clara"] {
        story.join(name, "phone", false).unwrap();
    }
    assert_eq!(story.join("dora", "phone", false), Err(Refusal::CallFull(3)));
    assert_eq!(story.people(), ["anna", "boris", "clara"]);
    assert!(story.join("clara", "phone", false).is_ok());
}

#[test]
fn the_last_one_out_finishes_the_call() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", false).unwrap();
    assert!(!story.leave("anna", "phone").unwrap().contains(&Effect::Finished));
    let effects = story.leave("boris", "phone").unwrap();
    let finished = effects.iter().position(|effect| *effect == Effect::Finished);
    let state = effects.iter().rposition(|effect| matches!(effect, Effect::State { .. }));
    assert!(finished < state && finished.is_some());
    assert_eq!(story.leave("boris", "phone"), Err(Refusal::NoSuchCall));
}

#[test]
fn lost_media_is_shown_then_removed_and_a_return_in_time_is_kept() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", false).unwrap();
    story.seen(1, Seen::Alive);
    story.seen(2, Seen::Alive);
    story.seen(1, Seen::Silent);
    story.wait(Duration::from_secs(29));
    story.seen(1, Seen::Alive);
    story.wait(Duration::from_secs(60));
    assert_eq!(story.people(), ["anna", "boris"]);
    story.seen(2, Seen::Silent);
    story.wait(Duration::from_secs(30));
    assert_eq!(story.people(), ["anna"]);
}

#[test]
fn a_goodbye_before_a_redial_keeps_the_onliner_and_his_mute() {
    let mut story = Story::direct();
    story.join("anna", "phone", true).unwrap();
    story.seen(1, Seen::Alive);
    let effects = story.seen(1, Seen::Closed);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::PutOut { .. })));
    story.wait(Duration::from_secs(4));
    story.join("anna", "phone", false).unwrap();
    assert_eq!(story.call.onliners()[0].mute, Mute::BySelf);
    assert!(story.call.is_buzzing());
}

#[test]
fn a_goodbye_without_a_redial_removes_the_leg() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.seen(1, Seen::Closed);
    story.wait(crate::limits::CLOSED_GRACE);
    assert!(story.call.is_finished());
}

#[test]
fn a_direct_call_rings_nobody_outside_its_chat() {
    let mut story = Story::direct();
    story.join("anna", "phone", false).unwrap();
    let targets = Targets::These([jid("clara")].into());
    let refused = story.input(Input::Buzz { who: jid("anna"), targets });
    assert_eq!(refused, Err(Refusal::NotOfTheChat));
    assert!(story.call.rings(story.now.time, &jid("boris")).is_some());
}

#[test]
fn a_leg_that_never_connects_is_removed() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.wait(RULES.connect_timeout);
    assert!(story.call.is_finished());
}

#[test]
fn a_lost_socket_keeps_the_leg_while_media_lives() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.seen(1, Seen::Alive);
    let socket = |held| Input::Socket { who: jid("anna"), device: "phone".into(), held };
    story.input(socket(false)).unwrap();
    story.wait(Duration::from_secs(599));
    assert_eq!(story.people(), ["anna"]);
    story.input(socket(true)).unwrap();
    story.wait(Duration::from_secs(1_000));
    assert_eq!(story.people(), ["anna"]);
    story.input(socket(false)).unwrap();
    story.wait(RULES.socketless_max);
    assert!(story.call.is_finished());
}

#[test]
fn sections_are_offered_only_once_connected_and_for_each_other_voice() {
    let mut story = Story::group();
    for name in ["anna", "boris", "clara"] {
        story.join(name, "phone", false).unwrap();
    }
    let effects = story.seen(1, Seen::Alive);
    assert!(effects.contains(&Effect::OfferSlots { leg: LegId(1), slots: 2 }));
    let offers = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::OfferSlots { .. })).count()
    };
    assert_eq!(offers(&effects), 1);
    let answered = Input::Answered { leg: LegId(1), slots: 2 };
    assert_eq!(offers(&story.input(answered).unwrap()), 0);
}

#[test]
fn two_people_are_never_renegotiated() {
    let mut story = Story::direct();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", false).unwrap();
    let mut effects = story.seen(1, Seen::Alive);
    effects.extend(story.seen(2, Seen::Alive));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::OfferSlots { .. })));
}

#[test]
fn states_are_told_together_and_their_version_rises() {
    let mut story = Story::group();
    let mut versions = Vec::new();
    let mut note = |effects: Vec<Effect>| {
        let states = effects.into_iter().filter_map(|effect| match effect {
            Effect::State { gentime } => Some(gentime),
            _ => None,
        });
        versions.extend(states);
    };
    note(story.join("anna", "phone", false).unwrap());
    for muted in [true, false, true, false] {
        note(story.input(Input::Sound { who: jid("anna"), muted }).unwrap());
    }
    let due = story.call.poll_timeout();
    story.wait(Duration::from_millis(100));
    note(story.effects());
    assert_eq!(due, Some(Time::from_micros(100_000)));
    assert_eq!(versions.len(), 2);
    assert!(versions[0] < versions[1]);
}

#[test]
fn in_a_very_large_call_deeds_are_told_sooner_than_who_comes_and_goes() {
    let mut story = Story::group();
    story.call.rules.participants_max = 1_000;
    story.call.rules.only_one_device = false;
    for at in 0..700 {
        story.join(&format!("p{at}"), "phone", false).unwrap();
    }
    let name = |at: u32| jid(&format!("p{at}"));
    let deeds = [
        (Input::Sound { who: name(0), muted: true }, 1_000),
        (Input::Kick { by: name(0), who: name(1) }, 1_000),
        (Input::Operate(Deed::Kick { who: name(2) }), 1_000),
        (Input::Leave { who: name(3), device: "phone".into() }, 1_214), // 697 * 697 * 2.5 us
    ];
    let mut due_after = |act: &mut dyn FnMut(&mut Story)| {
        // The former deed is told; and this one at once, as none was told lately.
        story.wait(Duration::from_secs(2));
        story.wait(Duration::from_secs(2));
        let muted = !story.call.onliners()[9].mute.is_muted();
        let who = story.call.onliners()[9].who.clone();
        story.input(Input::Sound { who, muted }).unwrap();
        act(&mut story);
        story.call.poll_timeout().unwrap().since(story.now.time).as_millis()
    };
    for (deed, millis) in deeds {
        let due = due_after(&mut |story| drop(story.input(deed.clone()).unwrap()));
        assert_eq!(due, millis, "{deed:?}");
    }
    let due = due_after(&mut |story| drop(story.join("p4", "tv", true).unwrap()));
    assert_eq!(due, 1_000, "it mutes him");
}

#[test]
fn a_version_rises_though_the_clock_goes_back() {
    let mut story = Story::group();
    let first = story.call.next_gentime(Wall(5_000_000_000));
    let second = story.call.next_gentime(Wall(1_000));
    assert_eq!(second, first + GENTIME_STEP_NANOS);
}

#[test]
fn a_clients_offer_is_answered_before_ours_comes() {
    let mut story = Story::group();
    for (at, name) in ["anna", "boris"].into_iter().enumerate() {
        story.join(name, "phone", false).unwrap();
        story.seen(at as u64 + 1, Seen::Alive);
    }
    story.join("carl", "phone", false).unwrap();
    let offers = |effects: &[Effect]| {
        let own = |it: &&Effect| matches!(it, Effect::OfferSlots { leg: LegId(1), .. });
        effects.iter().filter(own).count()
    };
    story.wait(crate::limits::GLARE_IMPOLITE);
    story.effects();
    let leg = LegId(1);
    assert_eq!(offers(&story.input(Input::Reoffered { leg, slots: 1 }).unwrap()), 0);
    assert_eq!(offers(&story.input(Input::Answered { leg, slots: 1 }).unwrap()), 1);
    story.input(Input::Answered { leg, slots: 2 }).unwrap();
    story.input(Input::Reoffered { leg, slots: 2 }).unwrap();
    assert_eq!(offers(&story.input(Input::Answered { leg, slots: 1 }).unwrap()), 1);
}

#[test]
fn nothing_but_the_last_state_follows_the_finish() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    let effects = story.leave("anna", "phone").unwrap();
    let [.., Effect::Finished, Effect::State { .. }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
}

#[test]
fn the_legs_of_one_person_are_told_with_the_permits() {
    let mut story = Story::group();
    story.call.rules.only_one_device = false;
    story.join("anna", "phone", false).unwrap();
    let effects = story.join("anna", "desk", false).unwrap();
    let shared = effects.iter().find_map(|effect| match effect {
        Effect::Permit(permits) => Some(permits.shared.clone()),
        _ => None,
    });
    assert_eq!(shared, Some([[LegId(1), LegId(2)].into()].into()));
}

// ---- What one may do to others.

fn mutes(story: &Story) -> Vec<Mute> {
    story.call.onliners().iter().map(|onliner| onliner.mute.clone()).collect()
}

fn mute_all(story: &mut Story, name: &str, sticky: bool) -> Result<Vec<Effect>, Refusal> {
    story.input(Input::MuteAll { who: jid(name), sticky })
}

fn sound(story: &mut Story, name: &str, muted: bool) -> Result<Vec<Effect>, Refusal> {
    story.input(Input::Sound { who: jid(name), muted })
}

#[test]
fn mute_all_spares_who_did_it_and_names_him_to_the_others() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", false).unwrap();
    story.join("clara", "phone", true).unwrap();
    let effects = mute_all(&mut story, "anna", false).unwrap();
    assert!(effects.contains(&Effect::MutedAll { by: Some(jid("anna")) }));
    assert_eq!(permitted(&effects), Some([1].into()));
    let by_anna = Mute::ByModerator(jid("anna"));
    assert_eq!(mutes(&story), [Mute::Off, by_anna, Mute::BySelf]);
    assert_eq!(permitted(&sound(&mut story, "boris", false).unwrap()), Some([1, 2].into()));
    assert_eq!(mute_all(&mut story, "dora", false), Err(Refusal::NotInCall));
}

#[test]
fn a_sticky_mute_binds_who_is_here_and_who_comes_until_it_is_lifted() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", false).unwrap();
    mute_all(&mut story, "anna", true).unwrap();
    assert!(story.call.is_mute_sticky());
    assert_eq!(sound(&mut story, "boris", false), Err(Refusal::MutedByModerator));
    let effects = story.join("clara", "phone", false).unwrap();
    assert!(effects.contains(&Effect::Sound { who: jid("clara"), muted: true }));
    assert_eq!(permitted(&effects), None);
    // Neither another leg nor coming anew gets around it; who did it is free.
    story.join("boris", "phone", false).unwrap();
    story.leave("boris", "phone").unwrap();
    story.join("boris", "phone", false).unwrap();
    assert_eq!(sound(&mut story, "boris", false), Err(Refusal::MutedByModerator));
    sound(&mut story, "anna", true).unwrap();
    sound(&mut story, "anna", false).unwrap();
    let effects = story.input(Input::LiftMute { who: jid("anna") }).unwrap();
    assert_eq!(permitted(&effects), None, "lifting unmutes nobody");
    assert!(sound(&mut story, "boris", false).is_ok());
}

#[test]
fn one_who_is_put_out_is_told_why_and_may_come_again() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", false).unwrap();
    let kick = |who: &str| Input::Kick { by: jid("anna"), who: jid(who) };
    let effects = story.input(kick("boris")).unwrap();
    let (who, device, reason) = (jid("boris"), "phone".into(), LegEnd::Kicked);
    assert!(effects.contains(&Effect::CloseLeg { leg: LegId(2), reason }));
    assert!(effects.contains(&Effect::PutOut { who, device, reason }));
    assert_eq!(permitted(&effects), Some([1].into()));
    assert_eq!(story.people(), ["anna"]);
    assert_eq!(story.input(kick("boris")), Err(Refusal::NoSuchOnliner));
    let by_outsider = Input::Kick { by: jid("boris"), who: jid("anna") };
    assert_eq!(story.input(by_outsider), Err(Refusal::NotInCall));
    assert!(story.join("boris", "phone", false).is_ok());
}

// ---- What the operator does.

fn operate(story: &mut Story, deed: Deed) -> Result<Vec<Effect>, Refusal> {
    story.input(Input::Operate(deed))
}

#[test]
fn the_operator_mutes_one_who_is_told_and_may_unmute_himself() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", true).unwrap();
    let effects = operate(&mut story, Deed::Mute { who: jid("anna") }).unwrap();
    assert!(effects.contains(&Effect::Sound { who: jid("anna"), muted: true }));
    assert_eq!(permitted(&effects), Some([].into()));
    // Whoever is muted already stays so by whom he was.
    assert_eq!(operate(&mut story, Deed::Mute { who: jid("boris") }), Ok(Vec::new()));
    assert_eq!(operate(&mut story, Deed::Mute { who: jid("anna") }), Ok(Vec::new()));
    assert_eq!(mutes(&story), [Mute::ByOperator, Mute::BySelf]);
    story.wait(Duration::from_secs(1));
    assert!(story.noted().iter().any(|noted| noted == "anna muted by the operator"));
    assert!(sound(&mut story, "anna", false).is_ok());
    let nobody = operate(&mut story, Deed::Mute { who: jid("dora") });
    assert_eq!(nobody, Err(Refusal::NoSuchOnliner));
}

#[test]
fn a_sticky_mute_of_the_operators_binds_everybody_until_it_is_lifted() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    let effects = operate(&mut story, Deed::MuteAll { sticky: true }).unwrap();
    assert!(effects.contains(&Effect::MutedAll { by: None }));
    story.join("boris", "phone", false).unwrap();
    assert_eq!(mutes(&story), [Mute::ByOperator, Mute::ByOperator]);
    assert_eq!(sound(&mut story, "anna", false), Err(Refusal::MutedByModerator));
    let effects = operate(&mut story, Deed::LiftMute).unwrap();
    assert_eq!(permitted(&effects), None, "lifting unmutes nobody");
    assert!(sound(&mut story, "anna", false).is_ok());
    // Whoever may lift any such mute may lift this one.
    operate(&mut story, Deed::MuteAll { sticky: true }).unwrap();
    story.input(Input::LiftMute { who: jid("boris") }).unwrap();
    assert!(!story.call.is_mute_sticky());
}

#[test]
fn the_operator_puts_one_out_and_records_in_nobodys_name() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", false).unwrap();
    let _ = story.noted();
    let effects = operate(&mut story, Deed::Kick { who: jid("boris") }).unwrap();
    let (who, device, reason) = (jid("boris"), "phone".into(), LegEnd::Kicked);
    assert!(effects.contains(&Effect::PutOut { who, device, reason }));
    let again = operate(&mut story, Deed::Kick { who: jid("boris") });
    assert_eq!(again, Err(Refusal::NoSuchOnliner));
    let effects = operate(&mut story, Deed::Record { on: true }).unwrap();
    assert!(effects.contains(&Effect::RecordBegan { by: None }));
    assert_eq!(operate(&mut story, Deed::Record { on: true }), Ok(Vec::new()));
    assert_eq!(story.noted(), ["boris left kicked", "- record on"]);
}

#[test]
fn a_call_that_the_operator_ends_puts_all_out_and_says_that_it_was_ended() {
    for mut story in [Story::group(), Story::direct()] {
        story.join("anna", "phone", false).unwrap();
        let _ = story.noted();
        let effects = operate(&mut story, Deed::End).unwrap();
        let (who, device, reason) = (jid("anna"), "phone".into(), LegEnd::CallFinished);
        assert!(effects.contains(&Effect::PutOut { who, device, reason }));
        assert!(matches!(effects.last(), Some(Effect::State { .. })));
        let noted = story.noted();
        let end = ["anna left call_finished", "- finished by the operator"];
        assert_eq!(noted[noted.len() - 2..], end);
        assert_eq!(operate(&mut story, Deed::End), Err(Refusal::NoSuchCall));
    }
}

// ---- Who talks.

fn talking(story: &mut Story, leg: u64, level: Option<u8>) -> Vec<Effect> {
    let level = level.map(crate::Level::from_extension);
    story.input(Input::Talking { leg: LegId(leg), level }).unwrap()
}

fn told_talking(effects: &[Effect]) -> Vec<(String, bool)> {
    let told = |effect: &Effect| match effect {
        Effect::Talking { who, level, to: Audience::Call } => {
            Some((String::from(&who.as_str()[2..]), level.is_some()))
        }
        _ => None,
    };
    effects.iter().filter_map(told).collect()
}

fn told(name: &str, talks: bool) -> (String, bool) {
    (name.into(), talks)
}

#[test]
fn a_voice_that_began_ceases_by_mute_and_by_leaving() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", false).unwrap();
    story.wait(Duration::from_secs(1));
    assert_eq!(told_talking(&talking(&mut story, 1, Some(30))), [told("anna", true)]);
    assert_eq!(told_talking(&talking(&mut story, 1, Some(30))), []);
    story.wait(TALKING);
    assert_eq!(told_talking(&sound(&mut story, "anna", true).unwrap()), [told("anna", false)]);
    story.wait(TALKING * 4);
    let again = sound(&mut story, "anna", false).unwrap();
    assert_eq!(told_talking(&again), [told("anna", true)]);
    let gone = story.leave("anna", "phone").unwrap();
    assert_eq!(told_talking(&gone), [told("anna", false)]);
}

#[test]
fn ten_talking_events_a_second_are_told_and_what_changes_back_is_not() {
    let mut story = Story::group();
    for name in ["anna", "boris", "clara"] {
        story.join(name, "phone", false).unwrap();
    }
    story.wait(Duration::from_secs(1));
    assert_eq!(told_talking(&talking(&mut story, 1, Some(30))), [told("anna", true)]);
    assert_eq!(told_talking(&talking(&mut story, 2, Some(30))), []);
    assert_eq!(told_talking(&talking(&mut story, 3, Some(30))), []);
    assert_eq!(told_talking(&talking(&mut story, 2, None)), []);
    story.wait(TALKING);
    assert_eq!(told_talking(&story.effects()), [told("clara", true)]);
    story.wait(TALKING * 10);
    assert_eq!(told_talking(&story.effects()), []);
}

#[test]
fn whoever_comes_learns_who_talks() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    talking(&mut story, 1, Some(33));
    let effects = story.join("boris", "phone", false).unwrap();
    let to = Audience::Device { who: jid("boris"), device: "phone".into() };
    let level = Some(crate::Level::from_extension(33));
    assert!(effects.contains(&Effect::Talking { who: jid("anna"), level, to }));
}

#[test]
fn who_talks_on_is_told_among_those_who_flutter() {
    let mut story = Story::group();
    story.call = Call::new(story.now, Place::Group, Rules { participants_max: 9, ..RULES });
    for name in ["anna", "boris", "clara", "dora", "emil", "fritz", "gerda", "hans", "ida"] {
        story.join(name, "phone", false).unwrap();
    }
    story.wait(Duration::from_secs(1));
    // More begin and cease than can be told.
    let mut told_of = Vec::new();
    for step in 0..30_u64 {
        for leg in 1..=9 {
            let talks = if leg == 1 { step >= 5 } else { (step + leg) % 9 < 4 };
            let effects = talking(&mut story, leg, talks.then_some(30));
            told_of.extend(told_talking(&effects));
        }
        story.wait(TALKING);
        told_of.extend(told_talking(&story.effects()));
    }
    assert!(told_of.contains(&told("anna", true)), "{told_of:?}");
}

/// What this device alone is told of talking.
fn told_alone(effects: &[Effect], name: &str) -> Vec<(String, bool)> {
    let own = Audience::Device { who: jid(name), device: "phone".into() };
    let told = |effect: &Effect| match effect {
        Effect::Talking { who, level, to } if *to == own => {
            Some((String::from(&who.as_str()[2..]), level.is_some()))
        }
        _ => None,
    };
    effects.iter().filter_map(told).collect()
}

#[test]
fn whoever_comes_in_a_pause_hears_of_the_voice_that_goes_on() {
    let mut story = Story::group();
    for name in ["anna", "boris"] {
        story.join(name, "phone", false).unwrap();
    }
    talking(&mut story, 1, Some(33));
    talking(&mut story, 1, None);
    let effects = story.join("clara", "phone", false).unwrap();
    assert_eq!(told_alone(&effects, "clara"), [told("anna", true)]);
    // It goes on before anybody was told of the pause: to nobody it is news.
    assert_eq!(told_talking(&talking(&mut story, 1, Some(33))), []);
    story.wait(TALKING);
    assert_eq!(told_talking(&story.effects()), []);
}

#[test]
fn a_device_whose_socket_comes_back_is_told_who_talks() {
    let mut story = Story::group();
    for name in ["anna", "boris"] {
        story.join(name, "phone", false).unwrap();
    }
    let (who, device) = (jid("boris"), DeviceName::from("phone"));
    let socket = |held| Input::Socket { who: who.clone(), device: device.clone(), held };
    story.input(socket(false)).unwrap();
    talking(&mut story, 1, Some(33));
    let effects = story.input(socket(true)).unwrap();
    assert_eq!(told_alone(&effects, "boris"), [told("anna", true)]);
}

// ---- The worker dies, and HTTP without a socket.

#[test]
fn everybody_dials_again_when_the_media_is_gone_and_stays_who_he_is() {
    let mut story = Story::group();
    story.join("anna", "phone", false).unwrap();
    story.join("boris", "phone", true).unwrap();
    let effects = story.input(Input::MediaGone).unwrap();
    for name in ["anna", "boris"] {
        let restart = Effect::Restart { who: jid(name), device: "phone".into() };
        assert!(effects.contains(&restart));
    }
    story.join("boris", "phone", false).unwrap();
    assert_eq!(mutes(&story), [Mute::Off, Mute::BySelf]);
    story.wait(RULES.lost_grace);
    assert_eq!(story.people(), ["boris"]);
}

#[test]
fn what_a_dead_worker_still_had_to_tell_is_not_heeded() {
    let mut story = Story::group();
    for name in ["anna", "boris"] {
        story.join(name, "phone", false).unwrap();
    }
    story.input(Input::MediaGone).unwrap();
    assert_eq!(told_talking(&talking(&mut story, 1, Some(30))), []);
    story.seen(1, Seen::Alive);
    story.wait(RULES.lost_grace);
    assert!(story.call.is_finished(), "{:?}", story.people());
}

#[test]
fn a_leg_without_any_socket_lives_as_long_as_one_that_lost_it() {
    let mut story = Story::group();
    story.legs += 1;
    let join = Join {
        who: jid("anna"),
        device: "http".into(),
        useragent: "".into(),
        leg: LegId(1),
        muted: false,
        no_record: false,
        has_socket: false,
        slots: 1,
        growth: Growth::Never,
    };
    story.input(Input::Join(join)).unwrap();
    story.seen(1, Seen::Alive);
    story.wait(RULES.socketless_max - Duration::from_millis(1));
    assert_eq!(story.people(), ["anna"]);
    story.wait(Duration::from_millis(1));
    assert!(story.call.is_finished());
}

/// Between two talking events.
const TALKING: Duration = crate::limits::TALKING_INTERVAL;

#[test]
fn a_recording_takes_whoever_may_speak_and_may_be_recorded() {
    let mut story = Story::group();
    for name in ["anna", "boris", "private"] {
        story.join(name, "pc", false).unwrap();
    }
    let effects = story.input(Input::Record { who: jid("anna"), on: true }).unwrap();
    let recorded = |effects: &[Effect]| {
        effects.iter().rev().find_map(|effect| match effect {
            Effect::Permit(permits) => Some(permits.recorded.clone()),
            _ => None,
        })
    };
    assert!(effects.contains(&Effect::RecordBegan { by: Some(jid("anna")) }));
    assert_eq!(recorded(&effects), Some(alloc::vec![LegId(1), LegId(2)]));
    let effects = story.input(Input::Sound { who: jid("boris"), muted: true }).unwrap();
    assert_eq!(recorded(&effects), Some(alloc::vec![LegId(1)]));
    let effects = story.input(Input::Record { who: jid("anna"), on: false }).unwrap();
    assert_eq!(recorded(&effects), Some(Vec::new()));
}

#[test]
fn a_full_disk_is_told_and_the_call_records_again_once_there_is_room() {
    let mut story = Story::group();
    story.join("anna", "pc", false).unwrap();
    story.input(Input::Record { who: jid("anna"), on: true }).unwrap();
    story.input(Input::Recorder { writes: false }).unwrap();
    assert!(!story.call.is_recording() && story.call.is_record_stopped());
    story.input(Input::Recorder { writes: true }).unwrap();
    assert!(story.call.is_recording());
    story.input(Input::Record { who: jid("anna"), on: false }).unwrap();
    story.input(Input::Recorder { writes: true }).unwrap();
    assert!(!story.call.is_recording());
}

#[test]
fn a_call_recorded_by_rule_begins_with_its_start_and_stays_off_once_ended() {
    let rules = Rules { record_auto: true, ..RULES };
    let mut story = Story::direct();
    story.call = Call::new(story.now, Place::Direct([jid("anna"), jid("boris")]), rules);
    story.join("anna", "pc", false).unwrap();
    assert!(!story.call.is_recording());
    story.join("boris", "pc", false).unwrap();
    assert!(story.call.is_recording());
    story.input(Input::Record { who: jid("boris"), on: false }).unwrap();
    story.join("boris", "tv", false).unwrap();
    assert!(!story.call.is_recording());
    story.input(Input::Record { who: jid("boris"), on: true }).unwrap();
    story.leave("boris", "tv").unwrap();
    let effects = story.leave("anna", "pc").unwrap();
    let ended = effects.iter().position(|it| *it == Effect::RecordEnded { by: None });
    let finished = effects.iter().position(|it| *it == Effect::Finished);
    assert!(ended.is_some() && ended < finished, "{effects:?}");
}

// ---- Facts.

#[test]
fn a_direct_call_notes_ringing_answer_mute_and_end_once_each_and_in_order() {
    let mut story = Story::direct();
    story.join("anna", "pc", false).unwrap();
    assert_eq!(story.noted(), ["anna joined", "anna rung boris"]);
    story.wait(Duration::from_secs(1));
    story.join("boris", "tv", true).unwrap();
    story.wait(Duration::from_secs(1));
    let began = ["boris joined", "boris answered by tv", "boris started", "boris muted by boris"];
    assert_eq!(story.noted(), began);
    story.input(Input::Sound { who: jid("boris"), muted: false }).unwrap();
    story.input(Input::MuteAll { who: jid("anna"), sticky: false }).unwrap();
    story.wait(Duration::from_secs(1));
    assert_eq!(story.noted(), ["boris unmuted", "boris muted by anna"]);
    for muted in [false, true, false, true, false] {
        story.input(Input::Sound { who: jid("boris"), muted }).unwrap();
    }
    story.wait(Duration::from_secs(1));
    // As the states told it: the first one at once, and how it stood after the interval.
    assert_eq!(story.noted(), ["boris unmuted"]);
    story.input(Input::Record { who: jid("anna"), on: true }).unwrap();
    story.leave("anna", "pc").unwrap();
    story.leave("boris", "tv").unwrap();
    let end = ["anna record on", "anna left left", "boris left left", "- record off", "- finished"];
    assert_eq!(story.noted(), end);
}

#[test]
fn what_nobody_answered_is_missed_cancelled_or_rejected() {
    let mut missed = Story::direct();
    missed.join("anna", "pc", false).unwrap();
    missed.seen(1, Seen::Alive);
    missed.wait(Duration::from_secs(60));
    let end = ["anna missed boris", "anna left call_finished", "- finished unanswered"];
    assert_eq!(missed.noted()[2..], end);
    let mut cancelled = Story::direct();
    cancelled.join("anna", "pc", false).unwrap();
    cancelled.leave("anna", "pc").unwrap();
    let end = ["anna left left", "anna cancelled boris", "- finished unanswered"];
    assert_eq!(cancelled.noted()[2..], end);
    let mut rejected = Story::direct();
    rejected.join("anna", "pc", false).unwrap();
    rejected.reject("boris").unwrap();
    let end = ["boris rejected busy", "anna left call_finished", "- finished unanswered"];
    assert_eq!(rejected.noted()[2..], end);
    let mut group = Story::group();
    group.join("anna", "pc", false).unwrap();
    group.input(Input::Buzz { who: jid("anna"), targets: Targets::Everyone }).unwrap();
    group.input(Input::BuzzCancel { who: jid("anna") }).unwrap();
    let all = ["anna started", "anna joined", "anna rung everyone", "anna cancelled everyone"];
    assert_eq!(group.noted(), all);
}

#[test]
fn facts_never_go_back_in_time_whatever_the_clock_does() {
    let mut story = Story::group();
    story.join("anna", "pc", false).unwrap();
    story.now.wall.0 -= 3_600_000_000_000;
    story.join("boris", "tv", false).unwrap();
    story.leave("boris", "tv").unwrap();
    let _ = story.effects();
    assert!(story.facts.is_sorted_by_key(|fact| fact.at), "{:?}", story.facts);
}
