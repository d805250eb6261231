//! Chromium by WebDriver: JSON over HTTP to Debian's chromedriver, which starts one Chromium a
//! session. Dropping ends them, after a failed test too.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::folder::Folder;

/// A running chromedriver.
pub struct Driver {
    port: u16,
    child: Child,
    folder: Folder,
}

/// A Chromium with one page.
pub struct Browser {
    driver: Rc<Driver>,
    session: String,
    pid: libc::pid_t,
}

impl Driver {
    pub fn start() -> Rc<Self> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.process_group(0).spawn();
        let mut child = child.expect("tests/run installs chromium-driver");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let port = stdout.lines().map_while(Result::ok).find_map(|line| port_in(&line));
        let port = port.expect("chromedriver says where it listens");
        Rc::new(Self { port, child, folder: Folder::new() })
    }

    /// For what belongs to the browsers; gone with the driver.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A Chromium whose microphone plays `voice` over and over.
    pub fn browser(self: &Rc<Self>, voice: &Path) -> Browser {
        let profile = voice.with_extension("profile");
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.display()));
        flags.push(format!("--use-file-for-fake-audio-capture={}", voice.display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": SCRIPT_TIMEOUT.as_millis()},
        }}});
        let made = self.call("POST", "/session", &wanted).expect("tests/run installs chromium");
        let session = made["sessionId"].as_str().expect("a session has an id").to_owned();
        let pid = made["capabilities"]["goog:processID"].as_i64();
        let pid = pid.and_then(|pid| pid.try_into().ok()).expect("a session has a process");
        Browser { driver: Rc::clone(self), session, pid }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let reply = request(self.port, method, path, body).map_err(|error| error.to_string())?;
        let value = reply["value"].clone();
        match value["error"].as_str() {
            Some(error) => Err(format!("{method} {path}: {error}: {}", value["message"])),
            None => Ok(value),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It ends the browsers of all sessions, also of those that were never told to us.
        let _ = self.call("GET", "/shutdown", &Value::Null);
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid fits");
        // SAFETY: a plain system call; the child is not yet waited for, so the group is its own.
        unsafe { libc::kill(-pid, libc::SIGKILL) };
        let _ = self.child.wait();
    }
}

impl Browser {
    pub fn open(&self, url: &str) {
        self.call("POST", "/url", &json!({"url": url}));
    }

    /// Runs a function's body; it may return a promise.
    pub fn run(&self, body: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({"script": body, "args": []}))
    }

    /// Clicks where a person would, which fails where something lies above.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/click"), &json!({}));
    }

    pub fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// A command of the DevTools protocol.
    pub fn devtools(&self, command: &str, params: &Value) {
        self.call("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": params}));
    }

    /// What stands in the console as an error since the last time.
    pub fn console_errors(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().expect("a list of entries").iter();
        let errors = entries.filter(|entry| entry["level"] == "SEVERE");
        errors.map(|entry| entry["message"].to_string()).collect()
    }

    fn element(&self, selector: &str) -> String {
        let what = json!({"using": "css selector", "value": selector});
        let found = self.call("POST", "/element", &what);
        let id = found.as_object().and_then(|found| found.values().next()?.as_str());
        id.expect("an element has an id").to_owned()
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.driver.call(method, &path, body).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let path = format!("/session/{}", self.session);
        if self.driver.call("DELETE", &path, &Value::Null).is_err() {
            // SAFETY: a plain system call, to the process that the lost session named.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
        }
    }
}

/// From "ChromeDriver was started successfully on port 9515."
fn port_in(line: &str) -> Option<u16> {
    line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
}

/// One request, one connection.
fn request(port: u16, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(SCRIPT_TIMEOUT * 2))?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut reply = vec![0; length];
    reader.read_exact(&mut reply)?;
    Ok(serde_json::from_slice(&reply)?)
}

/// Headless, without the browser's own business on the network, and with a microphone that is a
/// file and is allowed. `--no-sandbox`: the tests may run as root.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
];

/// Longer than any wait in a page: a busy machine must show as a failed check, not as this.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(45);
