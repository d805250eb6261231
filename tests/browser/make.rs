//! The two makes of browsers, and all that differs between them: the driver and how to start it,
//! what a session is asked for, how its page listens, where its complaints stand.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::tone;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// Debian's chromium and chromium-driver.
    Chromium,
    /// Debian's firefox-esr with geckodriver. It offers no candidate on the loopback, so a call of
    /// its stands in a `namespace`.
    Firefox,
}

impl Make {
    /// The WebDriver server, on a port that it chooses; its browsers keep what they write in
    /// `folder`.
    pub fn driver(self, folder: &Path) -> Command {
        match self {
            Self::Chromium => {
                let mut command = Command::new("chromedriver");
                command.arg("--port=0");
                command
            }
            Self::Firefox => {
                let mut command = Command::new(geckodriver());
                command.args(["--port", "0", "--profile-root"]).arg(folder).env("HOME", folder);
                command
            }
        }
    }

    /// From "ChromeDriver was started successfully on port 9515." or, after a time and a level,
    /// "Listening on 127.0.0.1:4444".
    pub fn port_in(self, line: &str) -> Option<u16> {
        let before = match self {
            Self::Chromium => "successfully on port ",
            Self::Firefox => "Listening on 127.0.0.1:",
        };
        line.split_once(before)?.1.trim_end().trim_end_matches('.').parse().ok()
    }

    /// A headless browser in which `name`'s microphone is allowed, and hears a lasting tone.
    pub fn capabilities(self, folder: &Path, name: &str, tone_hz: u32) -> Value {
        match self {
            Self::Chromium => {
                let voice = folder.join(format!("{name}.wav"));
                tone::write(&voice, tone_hz);
                let profile = folder.join(format!("{name}.profile"));
                let mut flags: Vec<String> = CHROMIUM_FLAGS.map(str::to_owned).to_vec();
                flags.push(format!("--user-data-dir={}", profile.display()));
                flags.push(format!("--use-file-for-fake-audio-capture={}", voice.display()));
                json!({
                    "goog:chromeOptions": {"args": flags},
                    "goog:loggingPrefs": {"browser": "ALL"},
                })
            }
            Self::Firefox => {
                let preferences = json!({
                    "media.navigator.streams.fake": true,
                    "media.navigator.audio.fake_frequency": tone_hz,
                    "media.navigator.permission.disabled": true,
                    "media.autoplay.default": 0,
                });
                json!({"moz:firefoxOptions": {"args": ["-headless"], "prefs": preferences}})
            }
        }
    }

    /// The process of a session, by what its driver told of it.
    pub fn process(self, capabilities: &Value) -> Option<libc::pid_t> {
        let key = match self {
            Self::Chromium => "goog:processID",
            Self::Firefox => "moz:processID",
        };
        capabilities[key].as_i64()?.try_into().ok()
    }

    /// What a page hears with: to be run in it.
    pub fn ears(self) -> String {
        let listening = match self {
            Self::Chromium => include_str!("listen_live.js"),
            Self::Firefox => include_str!("listen_recorded.js"),
        };
        format!("{}\n{listening}", include_str!("ears.js"))
    }
}

/// The one that `tests/run` has built, or whichever there is.
fn geckodriver() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin/geckodriver");
    if built.is_file() { built } else { "geckodriver".into() }
}

/// Headless, without the browser's own business on the network, and with a microphone that is a
/// file and is allowed. `--no-sandbox`: the tests may run as root. Names are not looked up: in a
/// network that leads nowhere the first page would wait ten seconds for that. And a container's
/// /dev/shm may be too small for a page.
const CHROMIUM_FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
];
