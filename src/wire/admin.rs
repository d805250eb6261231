//! What the operator is told by the admin listener (docs/admin.md): calls, their people and legs,
//! and why one does not hear another.

use serde::Serialize;
use serde_json::Value;

use super::report::LegFigures;

/// A live call in the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallLine {
    pub uid: String,
    /// As docs/core.md has a chat.
    pub chat: Value,
    /// `null` while a direct call still rings.
    pub start: Option<String>,
    pub people: usize,
    pub legs: usize,
    pub recording: Recording,
}

/// A live call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallView {
    #[serde(flatten)]
    pub line: CallLine,
    pub created: String,
    /// Somebody is being rung.
    pub ringing: bool,
    /// People may not unmute themselves.
    pub sticky: bool,
    pub onliners: Vec<OnlinerView>,
}

/// Whether what is said is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recording {
    Off,
    On,
    /// Wanted, but the disk takes nothing.
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OnlinerView {
    pub jid: String,
    pub display_name: String,
    pub role: String,
    pub muted: bool,
    /// The jid of whoever muted him, himself included, or [`OPERATOR`]; `""` where nobody did.
    pub muted_by: String,
    pub talking: bool,
    /// Nothing of him is recorded.
    pub no_record: bool,
    pub legs: Vec<LegView>,
}

/// One device's media connection, with nothing left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LegView {
    /// Its number in the log.
    pub leg: u64,
    #[serde(flatten)]
    pub figures: LegFigures,
    /// Whether its device has a socket.
    pub socket: bool,
}

/// "Why can't I hear": how each other one reaches the listener.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HearingView {
    pub uid: String,
    pub listener: String,
    pub display_name: String,
    pub others: Vec<HeardView>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeardView {
    pub jid: String,
    pub display_name: String,
    pub verdict: Hearing,
    /// The same for a person.
    pub why: String,
}

/// Why the listener hears an onliner, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hearing {
    Heard,
    /// He is sent the voice, and loses much of it on his side.
    LostToListener,
    /// Much of the voice is lost before it comes to the server.
    LostFromSpeaker,
    /// Silence is sent.
    Silent,
    /// Other voices hold the listener's slots.
    NoSlot,
    /// Nothing came in the last two seconds.
    NoPackets,
    /// No voice is offered.
    NoMicrophone,
    Muted,
    /// No leg of the speaker's is connected.
    NotConnected,
    /// Nor any of the listener's.
    ListenerNotConnected,
    /// The listener's client offers no section to hear in.
    ListenerWithoutSlots,
}

/// The node itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeView {
    pub version: &'static str,
    pub started: String,
    pub uptime_s: u64,
    pub draining: bool,
    /// Whether it takes calls.
    pub ready: bool,
    /// Why not; `""` while it does.
    pub reason: String,
    /// Media workers.
    pub workers: usize,
    pub calls: usize,
    pub onliners: usize,
}

impl Hearing {
    /// The sentence; `by` is who muted the speaker, where he did not do it himself.
    pub fn sentence(self, speaker: &str, listener: &str, by: Option<&str>) -> String {
        match self {
            Hearing::Heard => format!("{listener} hears {speaker}."),
            Hearing::LostToListener => format!(
                "{speaker} is sent to {listener}, but {listener} loses a fifth of it or more: \
                 look at {listener}'s network."
            ),
            Hearing::LostFromSpeaker => format!(
                "A fifth of {speaker}'s voice or more is lost on its way to the server: look at \
                 {speaker}'s network."
            ),
            Hearing::Silent => format!(
                "{speaker} says nothing, or a microphone that is silent: packets come, and there \
                 is no voice in them."
            ),
            Hearing::NoSlot => format!(
                "More people talk than {listener} is sent at once: {speaker} is heard when one \
                 of them ceases."
            ),
            Hearing::NoPackets => format!(
                "{speaker} is connected, but no voice came in the last two seconds: the \
                 application sleeps, or its network is gone."
            ),
            Hearing::NoMicrophone => {
                format!("{speaker} only listens: the client offers no microphone.")
            }
            Hearing::Muted => match by {
                Some(by) => format!("{speaker} was muted by {by}."),
                None => format!("{speaker} is muted, by own choice."),
            },
            Hearing::NotConnected => {
                format!("{speaker} has no connection at present: nothing gets through from there.")
            }
            Hearing::ListenerNotConnected => {
                format!("{listener} has no connection at present, and hears nobody.")
            }
            Hearing::ListenerWithoutSlots => {
                format!("{listener}'s client offers no section to hear in, and hears nobody.")
            }
        }
    }
}

/// Who muted somebody, where nobody of the chat did: no jid looks like that.
pub const OPERATOR: &str = "operator";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_names_who_is_meant() {
        use Hearing::*;
        let of_speaker = [Heard, LostToListener, LostFromSpeaker, Silent, NoSlot, NoPackets];
        let of_speaker = of_speaker.into_iter().chain([NoMicrophone, Muted, NotConnected]);
        for hearing in of_speaker {
            let sentence = hearing.sentence("Boris", "Anna", None);
            assert!(sentence.contains("Boris") && sentence.ends_with('.'), "{sentence}");
        }
        for hearing in [ListenerNotConnected, ListenerWithoutSlots] {
            assert!(hearing.sentence("Boris", "Anna", None).starts_with("Anna"));
        }
        assert_eq!(Muted.sentence("Boris", "Anna", Some("Clara")), "Boris was muted by Clara.");
    }

    #[test]
    fn the_better_verdict_comes_first() {
        // One leg that is heard is enough: the best of several legs' verdicts is told.
        assert!((Hearing::Heard as usize) < Hearing::LostToListener as usize);
        assert!((Hearing::Silent as usize) < Hearing::Muted as usize);
    }
}
