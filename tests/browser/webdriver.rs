//! Browsers by WebDriver: JSON over HTTP to a driver, which starts a browser a session. Dropping
//! ends them, after a failed test too.

use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::folder::Folder;
use super::make::Make;

/// A running driver. Chromium's serves many browsers, Firefox's one at a time.
pub struct Driver {
    make: Make,
    port: u16,
    child: Child,
    folder: Folder,
    /// What it and its browsers print.
    printed: Receiver<String>,
}

/// A browser with one page.
pub struct Browser {
    driver: Rc<Driver>,
    session: String,
    pid: libc::pid_t,
}

impl Driver {
    pub fn start(make: Make) -> Rc<Self> {
        let folder = Folder::new();
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        let mut command = make.driver(folder.path());
        let program = command.get_program().to_owned();
        command.stdout(writer.try_clone().expect("a pipe has many writers")).stderr(writer);
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = child.unwrap_or_else(|e| panic!("tests/run installs {program:?}: {e}"));
        // Else our own end of the pipe would keep it open.
        drop(command);
        let printed = lines(reader);
        let port = printed.iter().find_map(|line| make.port_in(&line));
        let port = port.unwrap_or_else(|| panic!("{program:?} does not say where it listens"));
        Rc::new(Self { make, port, child, folder, printed })
    }

    /// A browser at `url` whose microphone hears a tone over and over. One whose process dies over
    /// its very first page, as Chromium's rarely do, is started anew; a page that kills browsers
    /// kills them all.
    pub fn browser_at(self: &Rc<Self>, url: &str, name: &str, tone_hz: u32) -> Browser {
        let started = (0..STARTS_MAX).find_map(|_| {
            let browser = self.browser(name, tone_hz);
            let opened = browser.open(url);
            opened.inspect_err(|error| println!("started anew: {error}")).ok().map(|()| browser)
        });
        started.unwrap_or_else(|| panic!("no browser stays alive at {url}"))
    }

    fn browser(self: &Rc<Self>, name: &str, tone_hz: u32) -> Browser {
        let mut wanted = self.make.capabilities(self.folder.path(), name, tone_hz);
        wanted["timeouts"] = json!({"script": SCRIPT_TIMEOUT.as_millis()});
        let wanted = json!({"capabilities": {"alwaysMatch": wanted}});
        let made = self.call("POST", "/session", &wanted);
        let made = made.unwrap_or_else(|error| panic!("tests/run installs the browser: {error}"));
        let session = made["sessionId"].as_str().expect("a session has an id").to_owned();
        let pid = self.make.process(&made["capabilities"]).expect("a session has a process");
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
        if self.make == Make::Chromium {
            // It ends the browsers of all sessions, also of those that were never told to us.
            let _ = self.call("GET", "/shutdown", &Value::Null);
        }
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid fits");
        // SAFETY: a plain system call; the child is not yet waited for, so the group is its own.
        unsafe { libc::kill(-pid, libc::SIGKILL) };
        let _ = self.child.wait();
    }
}

impl Browser {
    /// Opens a page, which from then on has `ears`.
    ///
    /// # Errors
    /// In the driver's words: the browser is gone.
    pub fn open(&self, url: &str) -> Result<(), String> {
        let path = format!("/session/{}/url", self.session);
        self.driver.call("POST", &path, &json!({"url": url}))?;
        self.run(&self.driver.make.ears());
        Ok(())
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

    /// A command of the DevTools protocol, which only Chromium speaks.
    pub fn devtools(&self, command: &str, params: &Value) {
        self.call("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": params}));
    }

    /// What stands in the console as an error since the last time; of Firefox, what the page threw
    /// and nobody caught.
    pub fn console_errors(&self) -> Vec<String> {
        match self.driver.make {
            Make::Chromium => {
                let log = self.call("POST", "/se/log", &json!({"type": "browser"}));
                let entries = log.as_array().expect("a list of entries").iter();
                let errors = entries.filter(|entry| entry["level"] == "SEVERE");
                errors.map(|entry| entry["message"].to_string()).collect()
            }
            Make::Firefox => {
                // An error of our own shows that the ones before it have been printed.
                self.run(&format!("setTimeout(() => {{ throw new Error('{LAST_ERROR}') }})"));
                let printed = || self.driver.printed.recv_timeout(SCRIPT_TIMEOUT);
                let printed = std::iter::from_fn(|| Some(printed().expect("it prints errors")));
                let errors = printed.filter(|line| line.contains("JavaScript error: http"));
                errors.take_while(|line| !line.contains(LAST_ERROR)).collect()
            }
        }
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

/// What is written to a pipe, read as it comes, so that no writer waits.
fn lines(pipe: PipeReader) -> Receiver<String> {
    let (line_read, printed) = sync_channel(PRINTED_LINES);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            // More than anybody reads is let go.
            let _ = line_read.try_send(String::from_utf8_lossy(&line).into_owned());
        }
    });
    printed
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

/// Longer than any wait in a page: a busy machine must show as a failed check, not as this.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(45);
/// A browser prints some dozen; a page in trouble some more.
const PRINTED_LINES: usize = 10_000;
const LAST_ERROR: &str = "the last error";
/// Each start that fails is printed.
const STARTS_MAX: usize = 3;
