//! Calls in real Chromium and Firefox: people press the page's buttons, and what they hear is what
//! the browser decodes, known by the speaker's tone. `tests/run` installs what this needs.

#[path = "browser/fits.rs"]
mod fits;
#[path = "browser/folder.rs"]
mod folder;
#[path = "browser/lossy.rs"]
mod lossy;
#[path = "browser/make.rs"]
mod make;
#[path = "browser/namespace.rs"]
mod namespace;
#[path = "browser/person.rs"]
mod person;
#[path = "browser/server.rs"]
mod server;
#[path = "browser/tone.rs"]
mod tone;
#[path = "browser/webdriver.rs"]
mod webdriver;

use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fits::page_fits;
use lossy::Lossy;
use make::Make;
use person::{Held, Person};
use serde_json::{Value, json};
use server::Server;
use webdriver::Driver;

#[test]
fn everybody_hears_exactly_the_others_and_nobody_a_muted_one() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let come = |name, tone_hz| Person::comes(&driver, &server.url, name, tone_hz);
    // No tone is a harmonic of another.
    let people = [come("Anna", 440), come("Boris", 700), come("Chidi", 1100)];
    joined_hear_each_other(&people);
    let [anna, boris, chidi] = &people;
    muted_is_heard_by_nobody(anna, boris, chidi);
    all_hear_each_other(&people);
    gone_is_heard_by_nobody(boris, anna, chidi);
    all_hear_each_other(&people);
}

#[test]
fn everybody_hears_exactly_the_others_where_one_has_firefox() {
    let _turn = turn();
    namespace::inside("everybody_hears_exactly_the_others_where_one_has_firefox", || {
        let server = Server::with(&["--media-ip", namespace::MEDIA_IP]);
        let (fox, chrome) = (Driver::start(Make::Firefox), Driver::start(Make::Chromium));
        let come = |driver, name, tone_hz| Person::comes(driver, &server.url, name, tone_hz);
        let people =
            [come(&fox, "Anna", 440), come(&chrome, "Boris", 700), come(&chrome, "Chidi", 1100)];
        joined_hear_each_other(&people);
        let [anna, boris, chidi] = &people;
        for (one, other) in [(anna, boris), (boris, anna)] {
            muted_is_heard_by_nobody(one, other, chidi);
            all_hear_each_other(&people);
            gone_is_heard_by_nobody(one, other, chidi);
            all_hear_each_other(&people);
        }
        assert_eq!(anna.browser.console_errors(), [""; 0]);
    });
}

#[test]
fn everybody_is_told_who_talks_in_either_browser() {
    let _turn = turn();
    namespace::inside("everybody_is_told_who_talks_in_either_browser", || {
        let server = Server::with(&["--media-ip", namespace::MEDIA_IP]);
        let (fox, chrome) = (Driver::start(Make::Firefox), Driver::start(Make::Chromium));
        let anna = Person::comes(&fox, &server.url, "Anna", 440);
        let boris = Person::comes(&chrome, &server.url, "Boris", 700);
        let all = [&anna, &boris];
        let is_seen = |one: &Person, talks, held| {
            all.iter().for_each(|person| person.sees_talking(one, talks, held));
        };
        all.iter().for_each(|person| person.joins_lobby());
        for (one, other) in [(&anna, &boris), (&boris, &anna)] {
            is_seen(one, true, Held::Briefly);
            is_seen(other, true, Held::Briefly);
            one.press("mute");
            is_seen(one, false, Held::Once);
            one.lies();
            is_seen(one, false, Held::Long);
            is_seen(other, true, Held::Briefly);
            one.press("mute");
            is_seen(one, true, Held::Briefly);
        }
    });
}

#[test]
fn all_others_are_muted_by_one_press_in_either_browser() {
    let _turn = turn();
    namespace::inside("all_others_are_muted_by_one_press_in_either_browser", || {
        let server = Server::with(&["--media-ip", namespace::MEDIA_IP]);
        let (fox, chrome) = (Driver::start(Make::Firefox), Driver::start(Make::Chromium));
        let come = |driver, name, tone_hz| Person::comes(driver, &server.url, name, tone_hz);
        let people =
            [come(&fox, "Anna", 440), come(&chrome, "Boris", 700), come(&chrome, "Chidi", 1100)];
        people.iter().for_each(Person::joins_lobby);
        all_hear_each_other(&people);
        let [anna, boris, chidi] = &people;
        mutes_all_others(anna, [boris, chidi]);
        all_hear_each_other(&people);
        mutes_all_others(boris, [anna, chidi]);
        all_hear_each_other(&people);
    });
}

#[test]
fn call_goes_on_after_the_server_was_killed() {
    let _turn = turn();
    let (mut server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let people = two_in_a_call(&driver, &server);
    server.kill();
    for person in &people {
        person.until("document.querySelector('[data-test=banner]').textContent.includes('gone')");
        person.until("(await ears.hears()).length === 0");
    }
    server.start_again();
    all_hear_each_other(&people);
    for person in &people {
        person.until("document.querySelector('[data-test=banner]').hidden");
    }
}

#[test]
fn direct_call_rings_and_the_caller_learns_whether_it_was_refused() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let people = two_people(&driver, &server);
    let [anna, boris] = &people;
    anna.calls(boris);
    boris.presses_when_there("refuse");
    anna.until("document.querySelector('#toasts').textContent.includes('Boris does not want')");
    anna.until("voxhall.client.call === null");
    anna.calls(boris);
    boris.presses_when_there("accept");
    all_hear_each_other(&people);
}

#[test]
fn an_ice_restart_goes_another_way_with_the_same_keys() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let people = two_in_a_call(&driver, &server);
    let anna = &people[0];
    anna.browser.run("window.leg = voxhall.client.pc");
    anna.browser.run(RESTART_ICE);
    let ufrag = "voxhall.client.pc.remoteDescription.sdp.match(/ice-ufrag:(.*)/)[1]";
    anna.until(&format!("{ufrag} !== window.ufrag"));
    all_hear_each_other(&people);
    // Not a new connection, and no new handshake.
    anna.until("voxhall.client.pc === window.leg && voxhall.client.call.link === 'connected'");
    let transports = anna.stats("transport");
    assert!(transports.iter().all(|it| it["dtlsState"] == "connected"), "{transports:#?}");
    assert_eq!(anna.browser.console_errors(), [""; 0]);
}

#[test]
fn media_that_dies_on_the_server_is_dialled_again_by_every_page() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let people = two_in_a_call(&driver, &server);
    let uid = people[0].browser.run("return voxhall.client.call.uid");
    people.iter().for_each(|person| drop(person.browser.run("window.leg = voxhall.client.pc")));
    for worker in 0..4 {
        // As many as the machine has cores: the call's is among them.
        let path = format!("/api/v3/debug/media/{worker}/break");
        people[0].browser.run(&format!("return fetch('{path}', {{method: 'POST'}}).then(() => 0)"));
    }
    // It may be over in less time than a look takes.
    people.iter().for_each(|person| person.until("voxhall.client.pc !== window.leg"));
    all_hear_each_other(&people);
    assert_eq!(people[0].browser.run("return voxhall.client.call.uid"), uid);
}

#[test]
fn one_who_is_put_out_learns_it_and_may_call_again() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let people = two_in_a_call(&driver, &server);
    let [anna, boris] = &people;
    anna.presses_at(boris, "person-menu-open");
    anna.press("kick");
    anna.press("kick-confirm");
    anna.sees_no_more(boris);
    boris.until("voxhall.client.call === null");
    boris.until("document.body.textContent.includes('put you out of the call')");
    boris.presses_when_there("call-again");
    all_hear_each_other(&people);
}

#[test]
fn a_group_is_rung_by_a_press_and_a_callee_accepts_or_refuses() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let people = two_people(&driver, &server);
    let [anna, boris] = &people;
    anna.joins_lobby();
    anna.until("document.querySelector('#people-list [data-jid]')");
    anna.press("ring");
    boris.presses_when_there("refuse");
    // The only one rung has answered: it rings no more.
    anna.until("document.querySelector('[data-test=ring-cancel]').hidden");
    anna.press("ring");
    boris.presses_when_there("accept");
    all_hear_each_other(&people);
}

#[test]
fn a_voice_can_be_turned_down_for_oneself_and_stays_so() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let people = two_in_a_call(&driver, &server);
    let [anna, boris] = &people;
    anna.presses_at(boris, "person-menu-open");
    anna.press("local-mute");
    anna.sees(boris, "[data-hushed=true]");
    anna.browser
        .run("document.querySelector('[data-test=person-menu]:popover-open').hidePopover()");
    anna.press("diagnosis");
    anna.until(&diagnosed(boris, "[data-verdict=heard][data-here=muted_here]"));
    anna.press("diagnosis-close");
    // Another leg, another section: the wish is the person's.
    boris.press("leave");
    anna.sees_no_more(boris);
    boris.joins_lobby();
    anna.sees(boris, "[data-hushed=true]");
    let kept = anna.browser.run("return localStorage['voxhall.voices']");
    assert!(kept.as_str().is_some_and(|kept| kept.contains(&boris.jid)), "{kept}");
}

#[test]
fn why_somebody_is_not_heard_is_told_in_words() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let people = two_in_a_call(&driver, &server);
    let [anna, boris] = &people;
    anna.press("diagnosis");
    anna.until(&diagnosed(boris, "[data-verdict=heard][data-here=ok]"));
    boris.press("mute");
    anna.until(&diagnosed(boris, "[data-verdict=muted]"));
    boris.press("mute");
    anna.until(&diagnosed(boris, "[data-verdict=heard]"));
    boris.press("leave");
    let row = format!("[data-test=diagnosis-view] [data-jid=\"{}\"]", boris.jid);
    anna.until(&format!("!document.querySelector('{row}')"));
    assert_eq!(anna.browser.console_errors(), [""; 0]);
}

#[test]
fn with_one_slot_a_browser_hears_whoever_talks_and_its_delay_comes_back() {
    let _turn = turn();
    let (server, driver) = (Server::with(&ONE_SLOT), Driver::start(Make::Chromium));
    let come = |name, tone_hz| Person::comes(&driver, &server.url, name, tone_hz);
    let [anna, boris, chidi] = [come("Anna", 440), come("Boris", 700), come("Chidi", 1100)];
    [&anna, &boris, &chidi].iter().for_each(|person| person.joins_lobby());
    let speaks = |person: &Person, speaks: bool| {
        person.browser.run(&format!("voxhall.client.track.enabled = {speaks}"));
    };
    speaks(&anna, false);
    speaks(&chidi, false);
    anna.hears_exactly(&[&boris], Held::Briefly);
    let base = anna.jitter_buffer_ms(0.0);
    for _ in 0..2 {
        for (from, to) in [(&boris, &chidi), (&chidi, &boris)] {
            // At once: the beginning comes out of the ring, and ahead of its time.
            speaks(to, true);
            speaks(from, false);
            anna.hears_exactly(&[to], Held::Briefly);
            let after = anna.jitter_buffer_ms(SETTLES_IN_S);
            println!("{after:.0} ms after a switch, {base:.0} ms before");
            assert!(after < base + DELAY_MORE_MS, "{after} ms after a switch, {base} ms before");
        }
    }
}

/// Anna in Firefox and Boris in Chromium listen to Chidi and Dora, who talk at one time: in packets
/// of 40 and of 60 ms, padded to one length, over good lines and bad ones.
#[test]
fn who_listens_in_a_large_call_hears_long_packets_in_either_browser() {
    let _turn = turn();
    namespace::inside("who_listens_in_a_large_call_hears_long_packets_in_either_browser", || {
        for (config, millis) in [(BUNDLES, 40), (BUNDLES_60, 60)] {
            hear_bundles(config, millis);
        }
    });
}

#[test]
fn who_listens_on_a_bad_line_hears_short_packets_in_either_browser() {
    let _turn = turn();
    namespace::inside("who_listens_on_a_bad_line_hears_short_packets_in_either_browser", || {
        let (line, server) = behind_a_line(BUNDLES_BAD_LINE);
        let (fox, chrome) = (Driver::start(Make::Firefox), Driver::start(Make::Chromium));
        let come = |driver, name, tone_hz| Person::comes(driver, &server.url, name, tone_hz);
        let listeners = [come(&fox, "Anna", 440), come(&chrome, "Boris", 700)];
        let talker = come(&chrome, "Chidi", 1100);
        listeners.iter().chain([&talker]).for_each(Person::joins_lobby);
        for listener in &listeners {
            listener.press("mute");
            listener.until("(await ears.ownLeg()).bundle_ms === 40");
        }
        line.lose(200);
        // Once his browser has reported it.
        for listener in &listeners {
            listener.until("(await ears.ownLeg()).bundle_ms === undefined");
        }
        line.lose(0);
        for listener in &listeners {
            listener.hears_exactly(&[&talker], Held::Briefly);
            listener.until("(await ears.ownLeg()).bundle_ms === undefined");
        }
    });
}

/// A server that browsers reach by a line that can be told to lose packets.
fn behind_a_line(config: &str) -> (Lossy, Server) {
    let line = Lossy::start(namespace::LINE_IP, namespace::MEDIA_IP);
    let (ip, port) = (namespace::LINE_IP, line.port.to_string());
    let address = ["--media-ip", ip, "--media-bind", namespace::MEDIA_IP, "--media-port", &port];
    let server = Server::with(&[&["--config", config, "--workers", "1"][..], &address].concat());
    (line, server)
}

fn hear_bundles(config: &str, millis: u64) {
    let (line, server) = behind_a_line(config);
    let (fox, chrome) = (Driver::start(Make::Firefox), Driver::start(Make::Chromium));
    let come = |driver, name, tone_hz| Person::comes(driver, &server.url, name, tone_hz);
    let listeners = [come(&fox, "Anna", 440), come(&chrome, "Boris", 700)];
    let talkers = [come(&chrome, "Chidi", 1100), come(&chrome, "Dora", 1500)];
    listeners.iter().chain(&talkers).for_each(Person::joins_lobby);
    for listener in &listeners {
        listener.press("mute");
        listener.until(&format!("(await ears.ownLeg()).bundle_ms === {millis}"));
    }
    let both = [&talkers[0], &talkers[1]];
    for per_mille in [0, 20, 50] {
        line.lose(per_mille);
        for listener in &listeners {
            // Between two losses.
            let held = if per_mille == 0 { Held::Long } else { Held::Briefly };
            listener.hears_exactly(&both, held);
            let share = made_up_share(listener) * 100.0;
            println!("{millis} ms, {per_mille} of 1000 lost: {share:.1} % made up");
        }
    }
    line.lose(0);
    // Each packet at once from now on, in the midst of a bundle.
    for listener in &listeners {
        listener.press("mute");
        listener.until("(await ears.ownLeg()).bundle_ms === undefined");
    }
    listeners.iter().for_each(sound_is_whole);
    let [anna, boris] = &listeners;
    anna.hears_exactly(&[boris, both[0], both[1]], Held::Briefly);
    boris.hears_exactly(&[anna, both[0], both[1]], Held::Briefly);
    assert_eq!(anna.browser.console_errors(), [""; 0]);
}

#[test]
fn page_fits_phone_and_desktop_without_a_complaint() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let mut anna = Person::at_the_door(&driver, &server.url, "Anna", 440);
    page_fits(&anna);
    anna.comes_in();
    page_fits(&anna);
    anna.joins_lobby();
    page_fits(&anna);
    anna.press("leave");
    anna.until("voxhall.client.call === null");
    assert_eq!(anna.browser.console_errors(), [""; 0]);
    // An error would have been noticed.
    anna.browser.run("console.error('oh')");
    assert_eq!(anna.browser.console_errors().len(), 1);
}

/// Thirty others, of whom the last but one may be heard; and twenty-four.
#[test]
fn in_a_crowd_who_may_be_heard_stands_first_and_people_are_counted() {
    let _turn = turn();
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let person = Person::at_the_door(&driver, &server.url, "Anna", 440);
    let crowd = person.browser.run(&format!("{DESCRIBED} return described(30)"));
    assert_eq!(crowd, json!({"first": ["d-me", "d-28", "d-0"], "count": "31 here"}));
    let few = person.browser.run(&format!("{DESCRIBED} return described(24)"));
    assert_eq!(few, json!({"first": ["d-me", "d-0", "d-1"], "count": ""}));
    // Whoever else stays where he is, and the one with the focus keeps it.
    assert_eq!(person.browser.run(MOVED), json!([[2, "0"], [4, "1"], [2, "99"], [1, "5"]]));
}

const DESCRIBED: &str = "
    const described = async (many) => {
        const {describeCall} = await import('./wording.js');
        const other = (_, at) =>
            ({jid: `d-${at}`, display_name: `${at}`, muted: at !== many - 2, devices: [{}]});
        const calls = new Map([['g-1', {onliners: Array.from({length: many}, other)}]]);
        const call = {link: 'connected', uid: 'u', muted: false};
        const client = {call, calls, track: {}};
        const {people, count} = describeCall({client, pending: null, isOpen: true, jid: 'g-1',
            me: {jid: 'd-me', display_name: 'Me'}, nameOf: (jid) => jid});
        return {first: people.slice(0, 3).map(({jid}) => jid), count};
    };";

/// Of a hundred one goes to the end, two do, the last one comes to the front, another one comes:
/// how many children are taken out or put in, and who has the focus.
const MOVED: &str = "
    const {arrange, h} = await import('./dom.js');
    const [parent, rows] = [h('ul'), new Map()];
    document.body.append(parent);
    const keys = Array.from({length: 100}, (_, at) => `${at}`);
    const make = (key) => ({element: h('li', {}, h('button', {}, key))});
    const moved = (wanted, focused) => {
        arrange(parent, rows, keys, make);
        rows.get(focused).element.firstChild.focus();
        const observer = new MutationObserver(() => {});
        observer.observe(parent, {childList: true});
        arrange(parent, rows, wanted, make);
        const is = [...parent.children].map((child) => child.textContent).join();
        if (is !== wanted.join()) return is;
        return [observer.takeRecords().length, document.activeElement.textContent];
    };
    return [moved([...keys.slice(1), '0'], '0'), moved([...keys.slice(2), '0', '1'], '1'),
        moved(['99', ...keys.slice(0, 99)], '99'), moved(['new', ...keys], '5')];";

fn two_people(driver: &Rc<Driver>, server: &Server) -> [Person; 2] {
    let come = |name, tone_hz| Person::comes(driver, &server.url, name, tone_hz);
    [come("Anna", 440), come("Boris", 700)]
}

/// In the Lobby, and they hear each other.
fn two_in_a_call(driver: &Rc<Driver>, server: &Server) -> [Person; 2] {
    let people = two_people(driver, server);
    people.iter().for_each(Person::joins_lobby);
    all_hear_each_other(&people);
    people
}

fn joined_hear_each_other(people: &[Person; 3]) {
    let [anna, boris, chidi] = people;
    anna.joins_lobby();
    boris.joins_lobby();
    all_hear_each_other(&people[..2]);
    chidi.joins_lobby();
    all_hear_each_other(people);
    for person in people {
        srtp_is_gcm(person);
        sound_is_whole(person);
    }
}

/// Each of the two that stay is the other's proof that silence is not a dead line.
fn gone_is_heard_by_nobody(gone: &Person, listener: &Person, other: &Person) {
    gone.press("leave");
    listener.sees_no_more(gone);
    listener.hears_exactly(&[other], Held::Long);
    other.hears_exactly(&[listener], Held::Briefly);
    gone.joins_lobby();
}

fn all_hear_each_other(people: &[Person]) {
    for person in people {
        let others: Vec<&Person> = people.iter().filter(|other| other.jid != person.jid).collect();
        person.hears_exactly(&others, Held::Briefly);
    }
}

/// `listener` and `other` are each other's proof that silence is not a dead line.
fn muted_is_heard_by_nobody(muted: &Person, listener: &Person, other: &Person) {
    let heard_by_nobody = || {
        listener.hears_exactly(&[other], Held::Long);
        other.hears_exactly(&[listener], Held::Long);
    };
    muted.press("mute");
    listener.sees(muted, "[data-muted=true]");
    heard_by_nobody();
    // Nor where his page lies, and sends his voice all the same.
    muted.lies();
    heard_by_nobody();
    muted.hears_exactly(&[listener, other], Held::Briefly);
    muted.press("mute");
    listener.sees(muted, "[data-muted=false]");
}

/// Then the others speak again, each by his own press.
fn mutes_all_others(by: &Person, others: [&Person; 2]) {
    by.press("mute-all");
    for other in others {
        by.sees(other, "[data-muted=true]");
        other.until("voxhall.client.call.muted");
        other.lies();
    }
    by.hears_exactly(&[], Held::Long);
    // He is heard all the while, and alone.
    others.iter().for_each(|other| other.hears_exactly(&[by], Held::Long));
    for other in others {
        other.press("mute");
        by.sees(other, "[data-muted=false]");
    }
}

/// Whether the open diagnosis has a row of `other` where `state` (CSS) holds.
fn diagnosed(other: &Person, state: &str) -> String {
    let row = format!("[data-test=diagnosis-view] [data-jid=\"{}\"]{state}", other.jid);
    format!("document.querySelector('{row}')")
}

fn srtp_is_gcm(person: &Person) {
    let transports = person.stats("transport");
    assert!(!transports.is_empty());
    for transport in transports {
        assert_eq!(transport["dtlsState"], "connected");
        let cipher = transport["srtpCipher"].as_str().expect("media is encrypted");
        assert!(cipher.contains("AEAD_AES_") && cipher.ends_with("_GCM"), "{cipher}");
    }
}

/// Of what is played for some seconds, nearly all came over the line, and is not made up. A wrong
/// stream would be made up throughout, a machine that is busy building makes some up now and then.
fn sound_is_whole(person: &Person) {
    let mut shares = Vec::new();
    while shares.last().is_none_or(|share| *share >= MADE_UP_MAX) {
        assert!(shares.len() < STRETCHES, "{shares:?} of what {} hears is made up", person.jid);
        shares.push(made_up_share(person));
    }
}

/// Of a stretch that begins now.
fn made_up_share(person: &Person) -> f64 {
    let number = |report: &Value, name: &str| report[name].as_f64().unwrap_or_default();
    let before = person.stats("inbound-rtp");
    let samples: f64 = before.iter().map(|it| number(it, "totalSamplesReceived")).sum();
    let wanted = samples + STRETCH_SAMPLES;
    person.until(&format!(
        "(await ears.statsOf('inbound-rtp')).reduce((sum, report) => \
         sum + (report.totalSamplesReceived ?? 0), 0) >= {wanted}"
    ));
    let (mut samples, mut concealed) = (0.0, 0.0);
    for now in person.stats("inbound-rtp") {
        let grown = |name| {
            let before = before.iter().find(|it| it["ssrc"] == now["ssrc"]);
            number(&now, name) - before.map_or(0.0, |before| number(before, name))
        };
        // Of somebody muted nothing comes, and all is made up.
        if grown("packetsReceived") > 0.0 {
            samples += grown("totalSamplesReceived");
            concealed += grown("concealedSamples");
        }
    }
    concealed / samples
}

/// One test at a time: three browsers are enough for the machine.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const BUNDLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/bundles.toml");
const BUNDLES_BAD_LINE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/bundles-bad-line.toml");
const BUNDLES_60: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/bundles-60.toml");
const ONE_SLOT: [&str; 2] =
    ["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/one-slot.toml")];
/// In this time a receiver has taken a ring's lead back.
const SETTLES_IN_S: f64 = 2.0;
/// Of a jitter buffer's delay after a switch: half a ring, on a machine that is busy.
const DELAY_MORE_MS: f64 = 60.0;
/// As a client does after a change of network (docs/protocol.md).
const RESTART_ICE: &str = "
    const { client } = voxhall;
    window.ufrag = client.pc.remoteDescription.sdp.match(/ice-ufrag:(.*)/)[1];
    client.pc.restartIce();
    return client.pc.setLocalDescription().then(() => {
      const { jid, uid } = client.call;
      const { type, sdp } = client.pc.localDescription;
      client.send('client.call.sdp', { jid, uid, jsep: { type, sdp } });
    });
";
/// Two seconds of two voices at 48 kHz.
const STRETCH_SAMPLES: f64 = 192_000.0;
const STRETCHES: usize = 5;
const MADE_UP_MAX: f64 = 0.15;
