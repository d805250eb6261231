//! Server events made into the text that goes out: encoded once, however many read them.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::server::{Frame, ServerEvent};

impl ServerEvent {
    /// The event's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sdp { .. } => "server.call.sdp",
            Self::Answer { .. } => "server.call.answer",
            Self::State(_) => "server.call.state",
            Self::Sound { .. } => "server.call.sound",
            Self::MuteAll { .. } => "server.call.muteall",
            Self::Talking { .. } => "server.call.talking",
            Self::Tracks { .. } => "server.call.tracks",
            Self::Buzz { .. } => "server.call.buzz",
            Self::BuzzCancel { .. } => "server.call.buzzcancel",
            Self::Reject { .. } => "server.call.reject",
            Self::Leave { .. } => "server.call.leave",
            Self::Restart { .. } => "server.call.restart",
            Self::CheckFingerprint { .. } => "server.call.checkfingerprint",
            Self::Online { .. } => "server.online",
            Self::Time { .. } => "server.time",
            Self::Confirm { .. } => "server.confirm",
            Self::Warning { .. } => "server.warning",
            Self::Panic { .. } => "server.panic",
        }
    }

    /// Whether the client is asked to confirm it, and gets it again when it did not.
    ///
    /// Talking, online and time are true for a moment only (PROTOCOL.md section 1); a confirm and
    /// a warning answer what the client sends again by itself; after a panic nobody is there.
    pub fn wants_confirm(&self) -> bool {
        !matches!(
            self,
            Self::Talking { .. }
                | Self::Online { .. }
                | Self::Time { .. }
                | Self::Confirm { .. }
                | Self::Warning { .. }
                | Self::Panic { .. }
        )
    }

    /// The event as JSON, ready for any number of sockets.
    pub fn encode(&self) -> Frame {
        let params = serde_json::to_string(self)
            .expect("events are structs of text, numbers and JSON values: all can be written");
        Frame { event: self.name(), params: Arc::from(params) }
    }

    /// A warning about a client's event. `orig` is the whole of it, `null` where it was no JSON.
    pub fn warning(code: &'static str, message: impl Into<String>, orig: Value) -> Self {
        Self::Warning { message: message.into(), code, orig }
    }
}

impl Frame {
    /// All that stands before the params: `{"event":...,"confirm_id":...,"params":`.
    pub fn head(&self, confirm_id: Option<&str>) -> String {
        match confirm_id {
            None => format!("{{\"event\":\"{}\",\"params\":", self.event),
            Some(id) => {
                let (event, id) = (self.event, quoted(id));
                format!("{{\"event\":\"{event}\",\"confirm_id\":{id},\"params\":")
            }
        }
    }

    /// The whole message.
    pub fn to_text(&self, confirm_id: Option<&str>) -> String {
        let mut text = self.head(confirm_id);
        text.reserve_exact(self.params.len() + 1);
        text.push_str(&self.params);
        text.push('}');
        text
    }
}

fn quoted(text: &str) -> Cow<'_, str> {
    Cow::Owned(Value::from(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::server::{CallDevice, CallOnliner, CallState, Jsep, JsepKind, Track};

    fn json(event: &ServerEvent, confirm_id: Option<&str>) -> Value {
        serde_json::from_str(&event.encode().to_text(confirm_id)).unwrap()
    }

    fn state() -> CallState {
        CallState {
            jid: "g-1".into(),
            uid: "u-1".into(),
            buzz: false,
            created: "2019-09-27T01:01:35.264095Z".into(),
            start: None,
            finish: None,
            audiorecord: false,
            onliners: vec![CallOnliner {
                jid: "d-1".into(),
                display_name: "anna".into(),
                role: String::new(),
                icon: String::new(),
                muted: true,
                enabled_video: false,
                enabled_screenshare: false,
                devices: vec![CallDevice { muted: true, useragent: String::new() }],
                link: "connected",
                muted_by: "d-1".into(),
                voice: None,
            }],
            sticky: false,
            record_stopped: None,
            gentime: 1_569_546_095_264_095_000,
            timestamp: 1_569_546_095_264,
        }
    }

    #[test]
    fn a_message_has_event_confirm_id_and_params() {
        let event = ServerEvent::Leave { jid: "g-1".into(), uid: "u".into(), reason: None };
        let text = event.encode().to_text(Some("a\"b"));
        let expected =
            r#"{"event":"server.call.leave","confirm_id":"a\"b","params":{"jid":"g-1","uid":"u"}}"#;
        assert_eq!(text, expected);
        assert!(json(&event, None).get("confirm_id").is_none());
    }

    #[test]
    fn a_state_without_start_leaves_it_out() {
        let params = &json(&ServerEvent::State(state()), Some("1"))["params"];
        assert!(params.get("start").is_none() && params.get("finish").is_none());
        for field in ["jid", "uid", "created", "audiorecord", "gentime", "timestamp"] {
            assert!(!params[field].is_null(), "{field}");
        }
        for field in ["jid", "display_name", "role", "icon", "muted", "enabled_video", "devices"] {
            assert!(!params["onliners"][0][field].is_null(), "{field}");
        }
        assert_eq!(params["gentime"], 1_569_546_095_264_095_000_i64);
    }

    #[test]
    fn a_description_carries_its_type_in_lower_case_and_always_a_list_of_jids() {
        let event = ServerEvent::Sdp {
            jid: "g-1".into(),
            jids: vec![],
            uid: "u".into(),
            jsep: Jsep { kind: JsepKind::Offer, sdp: "v=0".into() },
        };
        let params = &json(&event, None)["params"];
        assert_eq!(params["jsep"]["type"], "offer");
        assert_eq!(params["jids"], Value::Array(vec![]));
    }

    #[test]
    fn a_ceased_voice_has_level_null() {
        let event = ServerEvent::Talking {
            jid: "d-1".into(),
            actor: "d-1".into(),
            talking: false,
            level: None,
        };
        assert_eq!(json(&event, None)["params"]["_level"], Value::Null);
    }

    #[test]
    fn only_passing_events_want_no_confirm() {
        assert!(ServerEvent::State(state()).wants_confirm());
        let (jid, uid) = (String::new(), String::new());
        assert!(ServerEvent::Tracks { jid, uid, tracks: Vec::<Track>::new() }.wants_confirm());
        assert!(!ServerEvent::Time { time: String::new() }.wants_confirm());
        assert!(!ServerEvent::Confirm { confirm_id: String::new() }.wants_confirm());
        assert!(!ServerEvent::warning("too_fast", "slower", Value::Null).wants_confirm());
    }
}
