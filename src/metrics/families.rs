//! Every number that is counted or measured: its name, its help and its label. Names follow
//! `voxhall_<things>[_unit]`; counters end in `_total`.

use super::doors::Door;
use super::posts::Post;
use super::probes::Probe;
use super::tapes::Tape;
use super::together::Together;

/// One number, with its label's value where the family has one. A label comes from a closed enum
/// of ours, never from a client: so the number of series is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sample {
    Calls,
    Onliners,
    /// By link: connecting, connected, lost.
    Legs(&'static str),
    Sockets,
    RtpReceived,
    RtpForwarded,
    /// By the reason's label.
    RtpDiscarded(&'static str),
    /// By the reason's label.
    StunDiscarded(&'static str),
    DatagramsUnsent,
    /// What leaves together.
    Together(Together),
    /// Packets of voices whose clients tell no level.
    VoiceUnmetered,
    WorkerRestarts,
    /// Of recordings.
    Tape(Tape),
    /// Of the chat core elsewhere.
    Post(Post),
    /// At the listener.
    Door(Door),
    /// Of the node's calls to itself.
    Probe(Probe),
    /// By how it ended.
    DtlsHandshakes(&'static str),
    /// By profile.
    SrtpProfile(&'static str),
    /// By the client event's name; names that we do not know count as `unknown`.
    Signals(&'static str),
    SignalsRepeated,
    /// By the warning's stable code.
    Refusals(&'static str),
    EventsResent,
    /// By WebSocket close code.
    SocketsClosed(&'static str),
    LogLinesLeftOut,
    TracesLost,
}

/// What stands in the text above the samples of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
}

/// How a number moves: up and down, or only up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Counter,
}

impl Sample {
    /// One sample of each family.
    pub const EACH: [Self; 44] = [
        Self::Calls,
        Self::Onliners,
        Self::Legs(""),
        Self::Sockets,
        Self::RtpReceived,
        Self::RtpForwarded,
        Self::RtpDiscarded(""),
        Self::StunDiscarded(""),
        Self::DatagramsUnsent,
        Self::Together(Together::Messages),
        Self::Together(Together::Bundles),
        Self::Together(Together::Legs("")),
        Self::VoiceUnmetered,
        Self::WorkerRestarts,
        Self::Tape(Tape::Open),
        Self::Tape(Tape::Dropped),
        Self::Tape(Tape::NotesLost),
        Self::Tape(Tape::NotSynced),
        Self::Tape(Tape::Stops("")),
        Self::Tape(Tape::Finished("")),
        Self::Tape(Tape::Waiting),
        Self::Tape(Tape::UploadedBytes),
        Self::Tape(Tape::Uploads("")),
        Self::Post(Post::Linked),
        Self::Post(Post::Links),
        Self::Post(Post::Waiting),
        Self::Post(Post::Dropped),
        Self::Post(Post::FactsWaiting),
        Self::Post(Post::FactsKept),
        Self::Post(Post::FactsCollapsed),
        Self::Post(Post::FactsLost),
        Self::Door(Door::Connections),
        Self::Door(Door::Turned("")),
        Self::Probe(Probe::Calls("")),
        Self::Probe(Probe::Failures),
        Self::DtlsHandshakes(""),
        Self::SrtpProfile(""),
        Self::Signals(""),
        Self::SignalsRepeated,
        Self::Refusals(""),
        Self::EventsResent,
        Self::SocketsClosed(""),
        Self::LogLinesLeftOut,
        Self::TracesLost,
    ];

    /// Name, help and kind.
    pub fn family(self) -> Family {
        use Kind::{Counter, Gauge};
        let (kind, name, help) = match self {
            Self::Calls => (Gauge, "voxhall_calls", "Live calls."),
            Self::Onliners => (Gauge, "voxhall_onliners", "People in a call."),
            Self::Legs(_) => (Gauge, "voxhall_legs", "Media connections of devices, by link."),
            Self::Sockets => (Gauge, "voxhall_sockets", "Open signalling sockets."),
            Self::RtpReceived => {
                (Counter, "voxhall_rtp_received_total", "Voice packets that came in from legs.")
            }
            Self::RtpForwarded => {
                (Counter, "voxhall_rtp_forwarded_total", "Voice packets sent, one a listener.")
            }
            Self::RtpDiscarded(_) => (
                Counter,
                "voxhall_rtp_discarded_total",
                "Voice packets that ended here instead of going to a listener, by reason.",
            ),
            Self::StunDiscarded(_) => (
                Counter,
                "voxhall_stun_discarded_total",
                "Connectivity checks dropped without an answer, by reason.",
            ),
            Self::DatagramsUnsent => return UNSENT,
            Self::Together(together) => return together.family(),
            Self::LogLinesLeftOut => return LEFT_OUT,
            Self::TracesLost => return TRACES_LOST,
            Self::VoiceUnmetered => (
                Counter,
                "voxhall_voice_unmetered_total",
                "Packets without a level that nobody had time to decode: talking unseen.",
            ),
            Self::WorkerRestarts => (
                Counter,
                "voxhall_media_worker_restarts_total",
                "Media workers replaced because their thread ended; their calls dialled again.",
            ),
            Self::Tape(tape) => return tape.family(),
            Self::Post(post) => return post.family(),
            Self::Door(door) => return door.family(),
            Self::Probe(probe) => return probe.family(),
            Self::DtlsHandshakes(_) => {
                (Counter, "voxhall_dtls_handshakes_total", "DTLS handshakes ended, by outcome.")
            }
            Self::SrtpProfile(_) => {
                (Counter, "voxhall_srtp_profile_total", "Legs keyed, by SRTP profile agreed on.")
            }
            Self::Signals(_) => (Counter, "voxhall_signals_total", "Client events read, by event."),
            Self::SignalsRepeated => (
                Counter,
                "voxhall_signals_repeated_total",
                "Client events that came again: confirmed again, not applied again.",
            ),
            Self::Refusals(_) => {
                (Counter, "voxhall_refusals_total", "Client events refused, by warning code.")
            }
            Self::EventsResent => (
                Counter,
                "voxhall_events_resent_total",
                "Server events sent again to a device that came back.",
            ),
            Self::SocketsClosed(_) => (
                Counter,
                "voxhall_sockets_closed_total",
                "Signalling sockets closed by us, by close code.",
            ),
        };
        Family { name, help, kind }
    }

    /// The label's name and value.
    pub fn label(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Legs(link) => Some(("link", link)),
            Self::RtpDiscarded(reason) | Self::StunDiscarded(reason) => Some(("reason", reason)),
            Self::DtlsHandshakes(outcome) => Some(("outcome", outcome)),
            Self::Together(together) => together.label(),
            Self::Tape(tape) => tape.label(),
            Self::Post(_) => None,
            Self::Door(door) => door.label(),
            Self::Probe(probe) => probe.label(),
            Self::SrtpProfile(profile) => Some(("profile", profile)),
            Self::Signals(event) => Some(("event", event)),
            Self::Refusals(code) | Self::SocketsClosed(code) => Some(("code", code)),
            Self::Calls
            | Self::Onliners
            | Self::Sockets
            | Self::RtpReceived
            | Self::RtpForwarded
            | Self::DatagramsUnsent
            | Self::VoiceUnmetered
            | Self::WorkerRestarts
            | Self::SignalsRepeated
            | Self::EventsResent
            | Self::LogLinesLeftOut
            | Self::TracesLost => None,
        }
    }
}

const UNSENT: Family = Family {
    name: "voxhall_datagrams_unsent_total",
    help: "Datagrams that the operating system did not take.",
    kind: Kind::Counter,
};
const LEFT_OUT: Family = Family {
    name: "voxhall_log_lines_left_out_total",
    help: "Log lines not written, as one cause had written enough in that second.",
    kind: Kind::Counter,
};
const TRACES_LOST: Family = Family {
    name: "voxhall_traces_lost_total",
    help: "Traces that the collector did not take, or for which there was no room.",
    kind: Kind::Counter,
};
