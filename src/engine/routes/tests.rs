use super::*;

fn permits(version: u64, audible: &[u64]) -> Permits {
    let audible = audible.iter().map(|id| LegId(*id)).collect();
    Permits { version, audible, ..Permits::default() }
}

fn call(legs: &[u64], slots: usize) -> Routes {
    let mut routes = Routes::default();
    for leg in legs {
        routes.join(LegId(*leg), *leg as u32, slots, true);
    }
    routes.permit(permits(1, legs));
    routes
}

fn listeners(routes: &Routes, leg: u64) -> Vec<u32> {
    let routes = routes.of(LegId(leg)).map(|(_, routes)| routes.to_vec());
    routes.unwrap_or_default().iter().map(|route| route.seat).collect()
}

#[test]
fn everyone_hears_everyone_but_himself() {
    let routes = call(&[1, 2, 3], 2);
    assert_eq!(listeners(&routes, 1), [2, 3]);
    assert_eq!(listeners(&routes, 2), [1, 3]);
    assert_eq!(listeners(&routes, 3), [1, 2]);
}

#[test]
fn a_leg_without_a_permit_is_heard_by_nobody() {
    let mut routes = call(&[1, 2], 1);
    routes.permit(permits(2, &[2]));
    assert!(routes.of(LegId(1)).is_none());
    assert_eq!(listeners(&routes, 2), [1]);
}

#[test]
fn an_older_permit_does_not_undo_a_mute() {
    let mut routes = call(&[1, 2], 1);
    routes.permit(permits(5, &[2]));
    routes.permit(permits(4, &[1, 2]));
    assert!(routes.of(LegId(1)).is_none());
}

#[test]
fn a_voice_keeps_its_slot_when_others_come_and_go() {
    let mut routes = call(&[1, 2, 3], 3);
    let before = routes.slots(LegId(1));
    routes.join(LegId(4), 4, 3, true);
    assert_eq!(routes.slots(LegId(1))[..2], before[..2]);
    routes.leave(LegId(2));
    let three = before.iter().position(|held| *held == Some(LegId(3)));
    let still = routes.slots(LegId(1)).iter().position(|held| *held == Some(LegId(3)));
    assert_eq!(three, still);
}

#[test]
fn a_silent_one_gives_way_where_there_is_no_room() {
    let mut routes = call(&[1, 2, 3, 4, 5], 1);
    routes.permit(permits(2, &[5]));
    assert_eq!(listeners(&routes, 5), [1, 2, 3, 4]);
}

#[test]
fn an_unmute_is_a_new_epoch_and_a_mute_of_another_is_not() {
    let mut routes = call(&[1, 2], 1);
    let epoch = |routes: &Routes| routes.of(LegId(1)).map(|(voice, _)| voice.epoch);
    let first = epoch(&routes);
    routes.permit(permits(2, &[1]));
    assert_eq!(epoch(&routes), first);
    routes.permit(permits(3, &[]));
    routes.permit(permits(4, &[1]));
    assert_ne!(epoch(&routes), first);
}

#[test]
fn the_next_on_a_seat_is_another_voice() {
    let mut routes = call(&[1, 2], 1);
    let former = routes.of(LegId(2)).map(|(voice, _)| voice);
    routes.leave(LegId(2));
    routes.join(LegId(3), 2, 1, true);
    routes.permit(permits(2, &[1, 3]));
    let next = routes.of(LegId(3)).map(|(voice, _)| voice);
    assert_ne!(former, next);
}

#[test]
fn nobody_hears_himself_on_another_device() {
    let mut routes = call(&[1, 2, 3], 1);
    let shared = alloc::vec![alloc::vec![LegId(1), LegId(2)]];
    routes.permit(Permits { shared, ..permits(2, &[1, 2, 3]) });
    assert_eq!(listeners(&routes, 1), [3]);
    assert_eq!(listeners(&routes, 3), [1, 2]);
}

#[test]
fn a_second_leg_of_one_person_gets_the_others_on_its_slots_at_once() {
    let mut routes = call(&[1, 2], 1);
    routes.join_beside(LegId(3), 3, 1, true, &[LegId(1)]);
    assert_eq!(routes.slots(LegId(3)), [Some(LegId(2))]);
}

#[test]
fn tracks_are_told_once_for_each_change() {
    let mut routes = call(&[1, 2], 1);
    let told = routes.take_tracks();
    assert_eq!(told[0], Tracks { leg: LegId(1), slots: alloc::vec![Some(LegId(2))] });
    assert_eq!(told[1], Tracks { leg: LegId(2), slots: alloc::vec![Some(LegId(1))] });
    assert_eq!(routes.take_tracks(), []);
}

#[test]
fn three_talkers_reach_three_hundred_listeners() {
    let mut routes = Routes::default();
    for leg in 0..300 {
        routes.join(LegId(leg), leg as u32, 3, true);
    }
    routes.permit(permits(1, &[0, 100, 299]));
    for talker in [0, 100, 299] {
        assert_eq!(listeners(&routes, talker).len(), 299);
    }
}

/// Time of a story in which voices speak.
struct Talk {
    routes: Routes,
    millis: u64,
}

impl Talk {
    fn among(legs: u64, slots: usize) -> Talk {
        let legs: Vec<u64> = (1..=legs).collect();
        Talk { routes: call(&legs, slots), millis: 0 }
    }

    /// Lets these voices speak, each as loud as that, for some frames; all others send silence.
    fn speak(&mut self, frames: u64, voices: &[(u64, u8)]) {
        for _ in 0..frames {
            self.millis += 20;
            let members: Vec<LegId> = self.routes.seats().map(|(leg, _)| leg).collect();
            for leg in members {
                let voice = voices.iter().find(|(voice, _)| *voice == leg.0);
                let level = Level::from_extension(voice.map_or(127, |(_, level)| *level));
                let at = Time::from_micros(self.millis * 1_000);
                let (is_silence, is_voiceless) = (voice.is_none(), voice.is_none());
                let said = Said { at, level, samples: 960, is_silence, is_voiceless };
                self.routes.hear(leg, said);
            }
        }
    }

    fn hears(&self, listener: u64) -> Vec<u64> {
        let slots = self.routes.slots(LegId(listener));
        slots.into_iter().flatten().map(|leg| leg.0).collect()
    }
}

#[test]
fn one_slot_carries_whoever_talks() {
    let mut talk = Talk::among(4, 1);
    for turn in [2, 3, 4, 3] {
        talk.speak(20, &[(turn, 30)]);
        assert_eq!(talk.hears(1), [turn], "turn of {turn}");
    }
    // Nobody hears himself: who talked last keeps the one he heard before.
    assert_ne!(talk.hears(3), [3]);
}

#[test]
fn the_next_one_is_heard_as_soon_as_he_is_known_to_talk() {
    let mut talk = Talk::among(4, 1);
    talk.speak(20, &[(2, 30)]);
    talk.speak(6, &[]);
    talk.speak(3, &[(3, 30)]);
    assert_eq!(talk.hears(1), [3]);
}

#[test]
fn nobody_is_cut_off_by_one_who_is_no_louder() {
    let mut talk = Talk::among(4, 1);
    talk.speak(20, &[(2, 30)]);
    talk.speak(100, &[(2, 30), (3, 27)]);
    assert_eq!(talk.hears(1), [2]);
}

#[test]
fn one_who_is_much_louder_is_heard_after_a_second() {
    let mut talk = Talk::among(4, 1);
    talk.speak(20, &[(2, 30)]);
    talk.speak(20, &[(2, 30), (3, 20)]);
    assert_eq!(talk.hears(1), [2]);
    talk.speak(20, &[(2, 30), (3, 20)]);
    assert_eq!(talk.hears(1), [3]);
}

#[test]
fn two_that_pause_do_not_take_a_slot_from_each_other() {
    let mut talk = Talk::among(4, 1);
    talk.speak(20, &[(2, 30), (3, 30)]);
    // Longer than a voice that pauses keeps a claim, shorter than a turn's end.
    let slot = |talk: &Talk| talk.routes.members[&LegId(1)].slots[0].turn;
    talk.speak(7, &[]);
    let before = slot(&talk);
    talk.speak(30, &[]);
    assert_eq!(slot(&talk), before);
}

#[test]
fn one_who_holds_all_his_sections_is_heard_by_everybody() {
    let mut talk = Talk::among(4, 3);
    talk.routes.reshape(LegId(3), 1, true);
    talk.routes.reshape(LegId(4), 0, true);
    talk.speak(20, &[(1, 30)]);
    assert_eq!(talk.hears(3), [1]);
    talk.speak(20, &[(4, 30)]);
    assert_eq!(talk.hears(3), [4]);
}

#[test]
fn twenty_talkers_take_no_more_than_the_slots() {
    let mut talk = Talk::among(60, 8);
    let talkers: Vec<(u64, u8)> = (1..=20).map(|leg| (leg, 20 + leg as u8)).collect();
    talk.speak(100, &talkers);
    let routes: usize = (1..=60).map(|leg| listeners(&talk.routes, leg).len()).sum();
    assert!(routes <= 60 * 8, "{routes}");
    for listener in 21..=60 {
        let heard = talk.hears(listener);
        assert_eq!(heard.len(), 8);
        assert!(heard.iter().all(|leg| *leg <= 20), "{listener} hears {heard:?}");
    }
}

#[test]
fn a_voice_keeps_its_slot_while_there_is_one_for_each() {
    let mut talk = Talk::among(4, 3);
    let before = talk.hears(1);
    for turn in [2, 3, 4, 2] {
        talk.speak(50, &[(turn, 30)]);
        assert_eq!(talk.hears(1), before);
    }
    assert!(!talk.routes.is_scarce());
}

#[test]
fn a_slot_that_changes_hands_and_back_has_another_turn() {
    let mut talk = Talk::among(4, 1);
    let turn = |talk: &Talk, voice: u64| {
        let (_, routes) = talk.routes.of(LegId(voice)).unwrap();
        routes.iter().find(|route| route.seat == 1).map(|route| route.turn)
    };
    talk.speak(20, &[(2, 30)]);
    let first = turn(&talk, 2).unwrap();
    talk.speak(20, &[(3, 30)]);
    assert_eq!(turn(&talk, 2), None);
    talk.speak(20, &[(2, 30)]);
    assert!(turn(&talk, 2).unwrap() > first);
}

#[test]
fn turns_are_told_and_end_with_the_permit() {
    let mut talk = Talk::among(3, 2);
    talk.speak(10, &[(2, 30)]);
    let began = Turn { leg: LegId(2), level: Some(Level::from_extension(30)) };
    assert_eq!(talk.routes.take_turns(), [began]);
    talk.routes.permit(permits(2, &[1, 3]));
    assert_eq!(talk.routes.take_turns(), [Turn { leg: LegId(2), level: None }]);
    talk.speak(10, &[(2, 30)]);
    assert_eq!(talk.routes.take_turns(), []);
}

#[test]
fn a_voice_whose_packets_stop_ceases_by_time() {
    let mut talk = Talk::among(2, 1);
    talk.speak(10, &[(2, 30)]);
    talk.routes.take_turns();
    let later = |millis: u64| Time::from_micros((200 + millis) * 1_000);
    talk.routes.handle_timeout(later(799));
    assert_eq!(talk.routes.take_turns(), []);
    talk.routes.handle_timeout(later(800));
    assert_eq!(talk.routes.take_turns(), [Turn { leg: LegId(2), level: None }]);
}
