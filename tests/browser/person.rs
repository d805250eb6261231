//! A person at the real page: comes in, presses its buttons, hears.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::webdriver::{Browser, Driver};

pub struct Person {
    pub browser: Browser,
    pub jid: String,
    name: &'static str,
    tone_hz: u32,
}

/// How long a fact must hold.
#[derive(Clone, Copy)]
pub enum Held {
    Once,
    Briefly,
    /// Longer than a tone rings on in the browser's jitter buffer.
    Long,
}

impl Person {
    /// A browser of his own in which he has come in; `tone_hz` is what his microphone hears.
    pub fn comes(driver: &Rc<Driver>, url: &str, name: &'static str, tone_hz: u32) -> Self {
        let mut person = Self::at_the_door(driver, url, name, tone_hz);
        person.comes_in();
        person
    }

    /// The page is open, and asks for his name.
    pub fn at_the_door(driver: &Rc<Driver>, url: &str, name: &'static str, tone_hz: u32) -> Self {
        let browser = driver.browser_at(url, name, tone_hz);
        // Cleaning takes a lasting tone for noise.
        browser.run("localStorage['voxhall.clean'] = 'off'");
        Self { browser, jid: String::new(), name, tone_hz }
    }

    pub fn comes_in(&mut self) {
        self.browser.write("[data-test=name-input]", self.name);
        self.press("login");
        self.until("voxhall.client?.isOpen && document.querySelector('#places [data-jid]')");
        self.browser.run("ears.follow()");
        let jid = self.browser.run("return voxhall.session().me.jid");
        self.jid = jid.as_str().expect("a person has a jid").to_owned();
    }

    /// Presses call or join at the Lobby, which is the first place, and is connected.
    pub fn joins_lobby(&self) {
        self.browser.click("#places [data-jid] button");
        self.until("voxhall.client.call?.link === 'connected'");
    }

    /// Presses call at `other`'s name.
    pub fn calls(&self, other: &Person) {
        let selector = format!("#people-list [data-jid=\"{}\"] button", other.jid);
        self.until(&format!("document.querySelector('{selector}')"));
        self.browser.click(&selector);
    }

    pub fn presses_when_there(&self, hook: &str) {
        self.until(&format!("document.querySelector('[data-test={hook}]')"));
        self.press(hook);
    }

    /// Presses what carries this `data-test`.
    pub fn press(&self, hook: &str) {
        self.browser.click(&format!("[data-test={hook}]"));
    }

    /// Presses what carries this `data-test` at `other`, among those in the call.
    pub fn presses_at(&self, other: &Person, hook: &str) {
        let at = format!("[data-test=person][data-jid=\"{}\"]", other.jid);
        self.browser.click(&format!("{at} [data-test={hook}]"));
    }

    /// Mean delay of the jitter buffers over a second of sound that begins `after_s` seconds of
    /// sound from now, in milliseconds.
    pub fn jitter_buffer_ms(&self, after_s: f64) -> f64 {
        let found = self.browser.run(&format!("return ears.jitterBufferMs({after_s})"));
        found.as_f64().unwrap_or_else(|| panic!("{}: {found}", self.name))
    }

    /// Waits until an expression of JavaScript is true.
    pub fn until(&self, fact: &str) {
        self.until_held(fact, Held::Once);
    }

    pub fn until_held(&self, fact: &str, held: Held) {
        let held_ms = match held {
            Held::Once => 0,
            Held::Briefly => 250,
            Held::Long => 1250,
        };
        let ms = PATIENCE.as_millis();
        let waiting = format!("return ears.until(async () => ({fact}), {held_ms}, {ms})");
        let found = self.browser.run(&waiting);
        assert!(found.is_null(), "{}: never: {fact}\ninstead: {found:#}", self.name);
    }

    /// Sends his voice whatever his page says: what a changed client would do.
    pub fn lies(&self) {
        self.browser.run("voxhall.client.track.enabled = true");
        self.until("await ears.sendsVoice()");
    }

    /// Every section of his call is silent but one for each of `others`, and there is his tone.
    pub fn hears_exactly(&self, others: &[&Person], held: Held) {
        let tones: Map<String, Value> =
            others.iter().map(|other| (other.jid.clone(), other.tone_hz.into())).collect();
        self.until_held(&format!("ears.hearsExactly({})", Value::from(tones)), held);
    }

    /// Whether his page shows `other` among those in the call, where `state` (CSS) holds of him.
    pub fn sees(&self, other: &Person, state: &str) {
        let selector = format!("[data-test=person][data-jid=\"{}\"]{state}", other.jid);
        self.until(&format!("document.querySelector('{selector}')"));
    }

    /// Whether `other` talks, by the server's word and as the page shows it.
    pub fn sees_talking(&self, other: &Person, talks: bool, held: Held) {
        self.until_held(&format!("ears.seesTalking('{}', {talks})", other.jid), held);
    }

    pub fn sees_no_more(&self, other: &Person) {
        let selector = format!("[data-test=person][data-jid=\"{}\"]", other.jid);
        self.until(&format!("!document.querySelector('{selector}')"));
    }

    /// Reports of `RTCPeerConnection.getStats` of one type.
    pub fn stats(&self, of_type: &str) -> Vec<Value> {
        let found = self.browser.run(&format!("return ears.statsOf('{of_type}')"));
        found.as_array().expect("a list of reports").clone()
    }
}

/// For a step of the story on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(30);
