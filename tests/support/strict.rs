//! The strictest client there is: refuses every server event that a client in the field would
//! throw on (PROTOCOL.md sections 1 and 3).

use std::collections::BTreeMap;

use serde_json::Value;

/// One socket's memory of versions.
#[derive(Default)]
pub struct Strict {
    /// The highest `gentime` seen, by the call's uid.
    gentimes: BTreeMap<String, i64>,
}

impl Strict {
    /// Fails the test with what is wrong.
    pub fn check(&mut self, event: &Value) {
        if let Err(why) = self.try_check(event) {
            panic!("{why}: {event}");
        }
    }

    /// What a client would throw on.
    pub fn try_check(&mut self, event: &Value) -> Result<(), String> {
        let name = event["event"].as_str().ok_or("no name")?;
        let fields = Fields { of: &event["params"], path: "params" };
        fields.of.as_object().ok_or("params are no object")?;
        confirm_id(name, event)?;
        match name {
            "server.call.sdp" => sdp(&fields),
            "server.call.answer" => answer(&fields),
            "server.call.state" => {
                state(&fields)?;
                self.rising(fields.of)
            }
            "server.call.sound" | "server.call.muteall" => {
                fields.texts(&["jid"])?;
                fields.flags(&["muted"])
            }
            "server.call.tracks" => {
                fields.texts(&["jid", "uid"])?;
                fields.each("tracks", |track| track.texts(&["mid", "jid"]))
            }
            "server.call.buzz" => buzz(&fields),
            "server.call.buzzcancel" | "server.call.restart" => {
                fields.texts(&["jid", "team", "uid"])
            }
            "server.call.talking" => talking(&fields),
            "server.call.checkfingerprint" => fields.texts(&["fingerprint"]),
            "server.call.reject" => fields.texts(&["jid", "uid", "reason"]),
            "server.call.leave" => fields.texts(&["jid", "uid"]),
            "server.online" => online(&fields),
            "server.time" => fields.time("time"),
            "server.confirm" => fields.texts(&["confirm_id"]),
            "server.panic" => fields.texts(&["code", "debug"]),
            "server.warning" => {
                fields.texts(&["message", "code"])?;
                fields.of.get("orig").map(drop).ok_or("no orig".to_owned())
            }
            _ => Err(format!("{name} is not an event of the contract")),
        }
    }

    fn rising(&mut self, state: &Value) -> Result<(), String> {
        let uid = state["uid"].as_str().unwrap_or_default().to_owned();
        let gentime = state["gentime"].as_i64().ok_or("gentime is no int64")?;
        let last = self.gentimes.insert(uid, gentime);
        match last.filter(|last| *last >= gentime) {
            Some(last) => Err(format!("gentime {gentime} after {last}")),
            None => Ok(()),
        }
    }
}

/// An object and where it stands.
struct Fields<'v> {
    of: &'v Value,
    path: &'v str,
}

impl Fields<'_> {
    fn all(
        &self,
        names: &[&str],
        is_so: impl Fn(&Value) -> bool,
        what: &str,
    ) -> Result<(), String> {
        let wrong = names.iter().find(|name| !is_so(&self.of[**name]));
        wrong.map_or(Ok(()), |name| Err(format!("{}.{name} is no {what}", self.path)))
    }

    fn texts(&self, names: &[&str]) -> Result<(), String> {
        self.all(names, Value::is_string, "string")
    }

    fn flags(&self, names: &[&str]) -> Result<(), String> {
        self.all(names, Value::is_boolean, "boolean")
    }

    fn numbers(&self, names: &[&str]) -> Result<(), String> {
        self.all(names, Value::is_i64, "int64")
    }

    fn time(&self, name: &str) -> Result<(), String> {
        self.all(&[name], |value| value.as_str().is_some_and(is_time), "time")
    }

    /// Absent, null or a time: a client throws on `""`.
    fn time_if(&self, name: &str) -> Result<(), String> {
        if self.of[name].is_null() { Ok(()) } else { self.time(name) }
    }

    fn inner<'v>(&'v self, name: &'v str) -> Fields<'v> {
        Fields { of: &self.of[name], path: name }
    }

    fn each(
        &self,
        name: &str,
        check: impl Fn(&Fields) -> Result<(), String>,
    ) -> Result<(), String> {
        let items = self.of[name].as_array();
        let items = items.ok_or_else(|| format!("{}.{name} is no list", self.path))?;
        items.iter().try_for_each(|of| check(&Fields { of, path: name }))
    }
}

/// Passing events carry none, all others do (section 1).
fn confirm_id(name: &str, event: &Value) -> Result<(), String> {
    let wants_none = !name.starts_with("server.call.") || name == "server.call.talking";
    let confirm_id = &event["confirm_id"];
    let is_right = if wants_none { confirm_id.is_null() } else { confirm_id.is_string() };
    if is_right { Ok(()) } else { Err(format!("confirm_id is {confirm_id}")) }
}

fn sdp(fields: &Fields) -> Result<(), String> {
    fields.texts(&["jid", "uid"])?;
    let jsep = jsep(fields)?;
    fields.all(&["jids"], Value::is_array, "list")?;
    let jids = fields.of["jids"].as_array().map_or(&[][..], Vec::as_slice);
    if !jids.iter().all(Value::is_string) {
        return Err("jids holds something else than strings".to_owned());
    }
    let slots = sending_sections(jsep);
    if jids.len() == slots {
        Ok(())
    } else {
        Err(format!("{} jids for {slots} sections that send", jids.len()))
    }
}

fn answer(fields: &Fields) -> Result<(), String> {
    fields.texts(&["jid", "uid"])?;
    jsep(fields)?;
    fields.each("onliners", onliner)?;
    if fields.of.get("candidates").is_none() {
        return Ok(());
    }
    fields.each("candidates", |candidate| {
        candidate.texts(&["candidate"])?;
        candidate.numbers(&["sdpMLineIndex"])
    })
}

fn jsep<'v>(fields: &'v Fields) -> Result<&'v str, String> {
    let jsep = fields.inner("jsep");
    jsep.texts(&["type", "sdp"])?;
    jsep.all(&["type"], |kind| kind == "offer" || kind == "answer", "kind of SDP")?;
    Ok(fields.of["jsep"]["sdp"].as_str().unwrap_or_default())
}

/// The m=audio sections of a server's SDP in which it sends.
fn sending_sections(sdp: &str) -> usize {
    let sections = sdp.split("\r\nm=").skip(1);
    let sends = |section: &&str| {
        let mut lines = section.lines();
        let is_audio = section.starts_with("audio ") && !section.starts_with("audio 0 ");
        is_audio && lines.any(|line| line == "a=sendrecv" || line == "a=sendonly")
    };
    sections.filter(sends).count()
}

fn state(fields: &Fields) -> Result<(), String> {
    fields.texts(&["jid", "uid", "created"])?;
    fields.time("created")?;
    fields.time_if("start")?;
    fields.time_if("finish")?;
    fields.flags(&["audiorecord"])?;
    fields.numbers(&["gentime", "timestamp"])?;
    // Milliseconds of this century, not seconds and not nanoseconds.
    let is_millis = |value: &Value| {
        value
            .as_i64()
            .is_some_and(|millis| (1_000_000_000_000..10_000_000_000_000).contains(&millis))
    };
    fields.all(&["timestamp"], is_millis, "unix milliseconds")?;
    fields.each("onliners", onliner)
}

fn onliner(fields: &Fields) -> Result<(), String> {
    fields.texts(&["jid", "display_name", "role", "icon"])?;
    fields.flags(&["muted", "enabled_video", "enabled_screenshare"])?;
    fields.each("devices", |device| {
        device.flags(&["muted"])?;
        device.texts(&["useragent"])
    })
}

fn buzz(fields: &Fields) -> Result<(), String> {
    fields.texts(&["jid", "display_name", "uid", "team", "call_type"])?;
    fields.numbers(&["buzz_timeout"])?;
    fields.all(&["icons"], Value::is_object, "object")?;
    fields.inner("teaminfo").texts(&["uid", "name"])?;
    fields.inner("chat").texts(&["jid", "chat_type", "display_name"])?;
    fields.inner("actor").texts(&["jid", "display_name"])
}

fn talking(fields: &Fields) -> Result<(), String> {
    fields.texts(&["jid", "actor"])?;
    fields.flags(&["talking"])?;
    let level = fields.of.get("_level").ok_or("no _level")?;
    let fits = match fields.of["talking"] == true {
        true => level.as_u64().is_some_and(|level| level <= 127),
        false => level.is_null(),
    };
    if fits { Ok(()) } else { Err(format!("_level is {level}")) }
}

fn online(fields: &Fields) -> Result<(), String> {
    fields.each("contacts", |contact| {
        contact.texts(&["jid"])?;
        contact.flags(&["afk", "mobile"])
    })?;
    fields.each("calls", |call| {
        call.texts(&["jid", "uid", "call_type"])?;
        call.time_if("start")?;
        call.numbers(&["online_count"])
    })
}

/// `2019-09-27T01:01:35.264095Z`
fn is_time(text: &str) -> bool {
    let form = b"0000-00-00T00:00:00.000000Z";
    let fits = |(form, byte): (&u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        other => *other == byte,
    };
    text.len() == form.len() && form.iter().zip(text.bytes()).all(fits)
}
