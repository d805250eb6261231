//! The page's recordings in real Chromium: two people's call is recorded by a press, and heard
//! again: all of it, one voice alone, faster. Each is known by his tone.

#![allow(dead_code, reason = "the browsers' modules are shared, and each test uses its part")]

#[path = "recordings/ear.rs"]
mod ear;
#[path = "browser/fits.rs"]
mod fits;
#[path = "browser/folder.rs"]
mod folder;
#[path = "browser/make.rs"]
mod make;
#[path = "browser/person.rs"]
mod person;
#[path = "browser/server.rs"]
mod server;
#[path = "browser/tone.rs"]
mod tone;
#[path = "browser/webdriver.rs"]
mod webdriver;

use std::fs;
use std::path::PathBuf;

use ear::Ear;
use fits::page_fits;
use make::Make;
use person::{Held, Person};
use serde_json::{Value, json};
use server::Server;
use sha2::{Digest, Sha256};
use webdriver::Driver;

const ANNA_HZ: u16 = 440;
const BORIS_HZ: u16 = 700;

/// When who spoke, in milliseconds of the recording, well within.
struct Stretches {
    anna: (u64, u64),
    boris: (u64, u64),
    both: (u64, u64),
}

/// A recording that is ready, as its folder has it.
struct Recorded {
    folder: PathBuf,
    report: Value,
    spoke: Stretches,
}

#[test]
fn a_call_is_recorded_and_heard_again_on_the_page() {
    let (server, driver) = (Server::start(), Driver::start(Make::Chromium));
    let come = |name, hz: u16| Person::comes(&driver, &server.url, name, hz.into());
    let people = [come("Anna", ANNA_HZ), come("Boris", BORIS_HZ)];
    let [anna, boris] = &people;
    nothing_is_recorded_yet(anna);
    record_a_call(&people);
    open_the_recording(anna);
    let recorded = Recorded::of(&server, &people);
    the_mix_has_who_spoke(&recorded);
    the_picture_shows_who_spoke(anna, &people, &recorded);
    anna.browser.click("[data-test=wave]");
    let half = recorded.ms("duration_ms") as f64 / 2_000.0;
    anna.until(&format!("Math.abs(voxhall.shelf.tape.position - {half}) < 0.3"));
    the_mix_is_heard(anna, &recorded);
    one_voice_is_heard_alone(anna, &people, &recorded);
    twice_the_speed_is_twice_as_fast(anna);
    what_is_downloaded_is_what_was_written(anna, &recorded);
    page_fits(anna);
    tags_and_favourites_narrow_the_list(anna, boris);
    a_deleted_one_is_gone(anna);
    assert_eq!(anna.browser.console_errors(), [""; 0]);
}

fn nothing_is_recorded_yet(anna: &Person) {
    open_the_list(anna);
    anna.until(
        "document.querySelector('[data-test=no-recordings]').textContent.includes('Record')",
    );
    page_fits(anna);
    anna.press("back");
    anna.until("location.hash === ''");
}

/// Anna speaks, Boris speaks, both speak; for a few seconds each, as a longer tone is noise.
fn record_a_call(people: &[Person; 2]) {
    let [anna, boris] = people;
    let speaks = |person: &Person, speaks: bool| {
        person.browser.run(&format!("voxhall.client.track.enabled = {speaks}"));
    };
    for person in people {
        person.joins_lobby();
        speaks(person, false);
    }
    people.iter().for_each(|person| person.hears_exactly(&[], Held::Long));
    anna.press("record");
    for person in people {
        person.until("document.querySelector('[data-test=recording]').textContent.trim()");
    }
    for turn in [&[anna][..], &[boris], &[anna, boris]] {
        turn.iter().for_each(|person| speaks(person, true));
        for person in turn {
            let other = if person.jid == anna.jid { boris } else { anna };
            other.hears_exactly(&[person], Held::Long);
            other.sees_talking(person, true, Held::Long);
        }
        turn.iter().for_each(|person| speaks(person, false));
        for person in turn {
            anna.sees_talking(person, false, Held::Briefly);
        }
    }
    anna.press("record");
    anna.until("document.querySelector('[data-test=recording]').hidden");
    people.iter().for_each(|person| person.press("leave"));
}

/// It is there once it is ready, without a reload.
fn open_the_recording(person: &Person) {
    open_the_list(person);
    person.until("document.querySelector('[data-test=recording-row][data-state=ready]')");
    page_fits(person);
    person.press("recording-open");
    person.until("document.querySelector('[data-test=wave] canvas')?.width > 300");
    // Its address alone leads there.
    let address = person.browser.run("return location.href");
    person.browser.open("about:blank").expect("it opens");
    person.browser.open(address.as_str().expect("an address")).expect("it opens");
    person.until("document.querySelector('[data-test=wave] canvas')?.width > 300");
    person.browser.run(include_str!("browser/tape.js"));
}

fn open_the_list(person: &Person) {
    person.until("!document.querySelector('[data-test=recordings-open]').hidden");
    person.press("recordings-open");
    person.until("document.querySelector('[data-test=recordings]')");
}

/// The words of the call are in `mix.wav`, each where it was said, and nothing of the other's.
fn the_mix_has_who_spoke(recorded: &Recorded) {
    let mix = recorded.folder.join("mix.wav");
    let Stretches { anna, boris, both } = recorded.spoke;
    for ((from_ms, to_ms), is_anna, is_boris) in
        [(anna, true, false), (boris, false, true), (both, true, true)]
    {
        let ear = Ear::on(&mix, from_ms * 1_000, to_ms * 1_000);
        for (hz, is_heard) in [(ANNA_HZ, is_anna), (BORIS_HZ, is_boris)] {
            let strength = ear.strength(hz.into());
            let is_so = if is_heard { strength > 0.05 } else { strength < 0.005 };
            assert!(is_so, "{hz} Hz is {strength} strong in {from_ms}..{to_ms} ms");
        }
    }
}

fn the_picture_shows_who_spoke(at: &Person, people: &[Person; 2], recorded: &Recorded) {
    let share = at.browser.run("return tape.waveShare()").as_f64().expect("a number");
    assert!((0.2..0.95).contains(&share), "{share} of the waveform is loud");
    let Stretches { anna, boris, both } = recorded.spoke;
    let drawn = [(anna, [true, false]), (boris, [false, true]), (both, [true, true])];
    for ((from_ms, to_ms), expected) in drawn {
        let middle = (from_ms + to_ms) as f64 / 2.0 / recorded.ms("duration_ms") as f64;
        for (person, is_drawn) in people.iter().zip(expected) {
            at.until(&format!("tape.laneIsDrawn('{}', {middle}) === {is_drawn}", person.jid));
        }
    }
}

fn the_mix_is_heard(person: &Person, recorded: &Recorded) {
    person.press("play");
    person.until("voxhall.shelf.tape.isPlaying");
    let Stretches { anna, boris, both } = recorded.spoke;
    hears(person, anna, &[ANNA_HZ], &[BORIS_HZ]);
    hears(person, boris, &[BORIS_HZ], &[ANNA_HZ]);
    hears(person, both, &[ANNA_HZ, BORIS_HZ], &[]);
}

/// Where both speak: by solo, and with the other turned down; then both again.
fn one_voice_is_heard_alone(at: &Person, people: &[Person; 2], recorded: &Recorded) {
    let [anna, boris] = people;
    let both = recorded.spoke.both;
    let voice = |person: &Person, what: &str| {
        format!("[data-test=voice][data-jid=\"{}\"] [data-test={what}]", person.jid)
    };
    at.browser.click(&voice(anna, "solo"));
    hears(at, both, &[ANNA_HZ], &[BORIS_HZ]);
    at.until("document.querySelector('[data-test=trouble]').textContent === ''");
    at.browser.click(&voice(anna, "solo"));
    hears(at, both, &[ANNA_HZ, BORIS_HZ], &[]);
    let turn = |volume: u8| {
        at.browser.run(&format!(
            "const slider = document.querySelector('{}'); slider.value = {volume}; \
             slider.dispatchEvent(new Event('input'))",
            voice(boris, "voice-volume")
        ));
    };
    turn(0);
    hears(at, both, &[ANNA_HZ], &[BORIS_HZ]);
    turn(100);
    hears(at, both, &[ANNA_HZ, BORIS_HZ], &[]);
}

fn hears(person: &Person, (from_ms, to_ms): (u64, u64), wanted: &[u16], unwanted: &[u16]) {
    let [from, to] = [from_ms, to_ms].map(|ms| ms as f64 / 1_000.0);
    person.browser.run(&format!("tape.keepWithin({from}, {to})"));
    let fact = format!("tape.hears({}, {})", json!(wanted), json!(unwanted));
    person.until_held(&fact, Held::Briefly);
    person.browser.run("tape.keepNoMore()");
}

fn twice_the_speed_is_twice_as_fast(person: &Person) {
    let pace = |speed: &str| {
        person.browser.run(&format!(
            "const speed = document.querySelector('[data-test=speed]'); speed.value = '{speed}'; \
             speed.dispatchEvent(new Event('change')); voxhall.shelf.tape.seek(0)"
        ));
        person.until("voxhall.shelf.tape.position > 0.1");
        person.browser.run("return tape.pace()").as_f64().expect("a number")
    };
    let (once, twice) = (pace("1"), pace("2"));
    assert!((1.6..2.4).contains(&(twice / once)), "{once} and {twice}");
}

fn what_is_downloaded_is_what_was_written(person: &Person, recorded: &Recorded) {
    for name in ["mix.opus", "mix.wav", "track-1.opus"] {
        let bytes = fs::read(recorded.folder.join(name)).expect("a file of the recording");
        let sha256: String =
            Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let files = recorded.report["files"].as_array().expect("files");
        let told = files.iter().find(|file| file["name"] == name).expect("it is told");
        assert_eq!(told["sha256"], sha256, "{name}");
        let downloaded = person.browser.run(&format!("return tape.downloaded('{name}')"));
        assert_eq!(downloaded, sha256, "{name}");
    }
}

/// What one marks the other sees, and finds by it; the wish stands in the address.
fn tags_and_favourites_narrow_the_list(anna: &Person, boris: &Person) {
    anna.press("favourite");
    anna.until("document.querySelector('[data-test=favourite]').ariaPressed === 'true'");
    anna.browser.write("[data-test=tag-input]", "planning\n");
    anna.until("document.querySelector('[data-test=tag]')?.textContent === 'planning'");
    open_the_list(boris);
    boris.until("document.querySelector('[data-test=tag]')?.textContent === 'planning'");
    boris.press("filter-favourite");
    boris.until("location.hash === '#recordings?favourite=true'");
    boris.until("document.querySelector('[data-test=recording-row]')");
    boris.browser.write("[data-test=find]", "nobody of this name");
    boris.until("!document.querySelector('[data-test=recording-row]')");
    boris.until("location.hash.includes('text=nobody')");
    boris.press("clear-filters");
    boris.until("document.querySelector('[data-test=recording-row]')");
    boris.browser.run(&pick_day("to", "2001-02-03"));
    boris.until("location.hash === '#recordings?to=2001-02-03'");
    boris.until("!document.querySelector('[data-test=recording-row]')");
    boris.browser.run(&pick_day("to", ""));
    boris.browser.run(&pick_day("from", "2001-02-03"));
    boris.until("location.hash === '#recordings?from=2001-02-03'");
    boris.until("document.querySelector('[data-test=recording-row]')");
}

/// As if chosen in the browser's calendar, whose keys are those of its language.
fn pick_day(field: &str, day: &str) -> String {
    format!(
        "const field = document.querySelector('[data-test=filter-{field}]');
         field.value = '{day}';
         field.dispatchEvent(new Event('change'))"
    )
}

fn a_deleted_one_is_gone(person: &Person) {
    person.press("delete");
    person.press("delete-cancel");
    person.press("delete");
    person.press("delete-confirm");
    person.until("document.querySelector('[data-test=no-recordings]')?.hidden === false");
    person.until("location.hash === '#recordings'");
}

impl Recorded {
    /// The only one there is.
    fn of(server: &Server, people: &[Person; 2]) -> Self {
        let entries = fs::read_dir(server.data.path().join("recordings")).expect("recordings");
        let mut folders = entries.map(|entry| entry.expect("an entry").path());
        let folder = folders.find(|path| path.is_dir()).expect("a recording");
        let report = fs::read_to_string(folder.join("call.json")).expect("it is ready");
        let report: Value = serde_json::from_str(&report).expect("JSON");
        let [anna, boris] = people.each_ref().map(|person| spans(&report, &person.jid));
        let spoke = match (anna.as_slice(), boris.as_slice()) {
            (&[anna, anna_again], &[boris, boris_again]) => Stretches {
                anna: within(anna, anna),
                boris: within(boris, boris),
                both: within(anna_again, boris_again),
            },
            _ => panic!("each spoke twice, but {}", report["segments"]),
        };
        Self { folder, report, spoke }
    }

    fn ms(&self, field: &str) -> u64 {
        self.report[field].as_u64().expect("milliseconds")
    }
}

/// When somebody spoke.
fn spans(report: &Value, jid: &str) -> Vec<(u64, u64)> {
    let segments = report["segments"].as_array().expect("segments").iter();
    let his = segments.filter(|segment| segment["jid"] == jid);
    let ms = |segment: &Value, field| segment[field].as_u64().expect("milliseconds");
    his.map(|segment| (ms(segment, "from_ms"), ms(segment, "to_ms"))).collect()
}

/// What two have in common, without the edges: a voice ceases a little before it is said to.
fn within((from_a, to_a): (u64, u64), (from_b, to_b): (u64, u64)) -> (u64, u64) {
    let (from, to) = (from_a.max(from_b) + EDGE_MS, to_a.min(to_b).saturating_sub(EDGE_MS));
    assert!(from + 500 < to, "{from}..{to} ms is hardly a word");
    (from, to)
}

/// The detector waits some hundred milliseconds for a pause to be one.
const EDGE_MS: u64 = 500;
