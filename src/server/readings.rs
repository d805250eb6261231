//! What `/metrics` is made of: each part of the node is asked at a scrape.

use std::sync::Arc;

use engine::Discard;

use crate::core::link::LinkCore;
use crate::metrics::{Door, Metrics, Post, Sample, Sink, Source, Tape, Together};
use crate::outbox::Outbox;
use crate::probe::Probe;
use crate::record::Recordings;
use crate::registry::Registry;
use crate::signal::{Counters, Ended, Gate, Refused, Turned};
use crate::telemetry;

/// Whoever is asked.
pub struct Asked {
    pub metrics: Arc<Metrics>,
    pub registry: Registry,
    /// Of people's sockets, where there are any.
    pub counters: Option<Arc<Counters>>,
    pub recordings: Option<Arc<Recordings>>,
    pub link: Option<Arc<LinkCore>>,
    pub outbox: Option<Arc<Outbox>>,
    pub probe: Arc<Probe>,
    pub gate: Arc<Gate>,
}

pub fn rendering(asked: Asked) -> Arc<dyn Fn() -> String + Send + Sync> {
    Arc::new(move || {
        let tapes = Tapes(asked.recordings.as_deref());
        let sockets = Sockets(asked.counters.as_deref());
        let doors = Doors(&asked.gate);
        let link = Link(asked.link.as_deref(), asked.outbox.as_deref());
        asked.metrics.render(&[
            &Node(&asked.registry),
            &sockets,
            &tapes,
            &link,
            &*asked.probe,
            &doors,
        ])
    })
}

struct Node<'a>(&'a Registry);

impl Source for Node<'_> {
    fn collect(&self, sink: &mut dyn Sink) {
        use crate::core::Node as _;
        sink.add(Sample::Calls, self.0.calls().len() as u64);
        sink.add(Sample::Onliners, self.0.onliners() as u64);
        sink.add(Sample::TracesLost, telemetry::traces::lost());
        sink.add(Sample::LogLinesLeftOut, telemetry::PACE.left_out());
        sink.add(Sample::WorkerRestarts, self.0.shared().pool.restarts());
        for reading in self.0.shared().pool.readings() {
            for (link, count) in reading.links {
                sink.add(Sample::Legs(link), count);
            }
            sink.add(Sample::RtpReceived, reading.received);
            sink.add(Sample::RtpForwarded, reading.forwarded);
            sink.add(Sample::DatagramsUnsent, reading.unsent);
            sink.add(Sample::Together(Together::Messages), reading.messages);
            sink.add(Sample::Together(Together::Bundles), reading.bundled);
            for (millis, count) in reading.bundled_legs {
                sink.add(Sample::Together(Together::Legs(millis)), count);
            }
            sink.add(Sample::VoiceUnmetered, reading.unmetered);
            sink.add(Sample::DtlsHandshakes("connected"), reading.connected);
            for (reason, count) in reading.discarded {
                sink.add(discarded(reason), count);
            }
            for (reason, count) in reading.handshakes_failed {
                sink.add(Sample::DtlsHandshakes(reason), count);
            }
            for (profile, count) in reading.profiles {
                sink.add(Sample::SrtpProfile(profile), count);
            }
        }
    }
}

/// Checks are counted apart from voices.
fn discarded(reason: &'static str) -> Sample {
    let checks = [Discard::UnauthenticatedCheck, Discard::TooManyChecks];
    if checks.iter().any(|check| check.label() == reason) {
        Sample::StunDiscarded(reason)
    } else {
        Sample::RtpDiscarded(reason)
    }
}

struct Tapes<'a>(Option<&'a Recordings>);

impl Source for Tapes<'_> {
    fn collect(&self, sink: &mut dyn Sink) {
        let reading = self.0.map(Recordings::read_stats).unwrap_or_default();
        let mut add = |tape, value| sink.add(Sample::Tape(tape), value);
        add(Tape::Open, reading.open);
        add(Tape::Dropped, reading.dropped);
        add(Tape::NotesLost, reading.notes_lost);
        add(Tape::NotSynced, reading.not_synced);
        add(Tape::Finished("ready"), reading.finished);
        add(Tape::Finished("failed"), reading.failed);
        for (reason, count) in reading.stopped {
            add(Tape::Stops(reason), count);
        }
        let uploads = self.0.map(Recordings::read_uploads).unwrap_or_default();
        add(Tape::Waiting, uploads.waiting);
        add(Tape::UploadedBytes, uploads.bytes);
        for (outcome, count) in uploads.ended {
            add(Tape::Uploads(outcome), count);
        }
    }
}

struct Sockets<'a>(Option<&'a Counters>);

impl Source for Sockets<'_> {
    fn collect(&self, sink: &mut dyn Sink) {
        let Some(counters) = self.0 else { return };
        sink.add(Sample::Sockets, counters.sockets.read());
        sink.add(Sample::SignalsRepeated, counters.repeats.read());
        sink.add(Sample::EventsResent, counters.resent.read());
        // What the node refuses it counts itself, by its code.
        for reason in Refused::ALL.into_iter().filter(|reason| *reason != Refused::ByCore) {
            sink.add(Sample::Refusals(reason.as_str()), counters.refused(reason).read());
        }
        for reason in Ended::ALL {
            sink.add(Sample::SocketsClosed(reason.as_str()), counters.ended(reason).read());
        }
    }
}

struct Doors<'a>(&'a Gate);

impl Source for Doors<'_> {
    fn collect(&self, sink: &mut dyn Sink) {
        sink.add(Sample::Door(Door::Connections), self.0.connections());
        for why in Turned::ALL {
            sink.add(Sample::Door(Door::Turned(why.as_str())), self.0.turned(why));
        }
    }
}

/// The core elsewhere, and the facts for it.
struct Link<'a>(Option<&'a LinkCore>, Option<&'a Outbox>);

impl Source for Link<'_> {
    fn collect(&self, sink: &mut dyn Sink) {
        let mut add = |post, value| sink.add(Sample::Post(post), value);
        if let Some(link) = self.0.map(LinkCore::read) {
            add(Post::Linked, u64::from(link.is_linked));
            add(Post::Links, link.links);
            add(Post::Waiting, link.waiting);
            add(Post::Dropped, link.dropped);
        }
        if let Some(facts) = self.1.map(Outbox::read) {
            add(Post::FactsWaiting, facts.waiting);
            add(Post::FactsKept, facts.kept);
            add(Post::FactsCollapsed, facts.collapsed);
            add(Post::FactsLost, facts.lost);
        }
    }
}
