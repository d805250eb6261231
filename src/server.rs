//! The node put together: configuration, media workers, registry, chat core, sockets; from start
//! to the last line written.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use engine::Discard;
use engine::call::Rules;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::call_task::Shared;
use crate::clock::Clock;
use crate::config::{self, Answer, Config};
use crate::core::builtin::bucket::Pace;
use crate::core::builtin::{BuiltIn, CoreOptions};
use crate::core::{AnswerStyle, ChatCore, Jid};
use crate::demo::{self, DemoOptions};
use crate::media::{Pool, PoolSpec, StartFault, sdp};
use crate::metrics::{Metrics, Sample, Sink, Source, Tape};
use crate::record::archive::{self, Retention};
use crate::record::{RecordFault, Recorder, Recordings};
use crate::registry::Registry;
use crate::signal::{self, Counters, Demo, Downloads, Ended, Options, Parts, Refused, Shell, Tls};
use crate::wire::http::{Features, IceServer};

/// How many people the demo brings.
const DEMO_PEOPLE: usize = 3;

/// How often a drain looks whether the last call is over.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// How long a drain waits for calls to end before it ends them.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Why the node does not run.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("cannot listen on {address}: {cause}")]
    Listen { address: SocketAddr, cause: io::Error },
    #[error(transparent)]
    Media(#[from] StartFault),
    #[error("cannot keep people and groups: {0}")]
    Core(#[from] crate::core::builtin::StoreFault),
    #[error("cannot serve https: {0}")]
    Tls(#[from] signal::TlsFault),
    #[error("cannot look up this machine's addresses: {0}")]
    Addresses(io::Error),
    #[error(transparent)]
    Record(#[from] RecordFault),
    #[error("the server ended: {0}")]
    Served(#[from] io::Error),
}

/// Runs the node until SIGTERM or SIGINT, then drains it.
///
/// # Errors
/// It cannot start, or its listener fails.
pub async fn run(config: Config) -> Result<(), Fault> {
    let started = SystemTime::now();
    let address = config.http.listen;
    let listener = TcpListener::bind(address);
    let listener = listener.map_err(|cause| Fault::Listen { address, cause })?;
    let bound = listener.local_addr()?;
    let tls = if config.http.open { Some(certificate(&config, bound)?) } else { None };
    let core = BuiltIn::open(&config.data.dir, core_options(&config))?;
    let metrics = Arc::new(Metrics::new(started));
    let clock = Clock::start();
    let recordings = recordings(&config, clock)?;
    let recorder = recordings.as_ref().map(|recordings| recordings.recorder());
    let shared = shared(&config, core.clone(), metrics.clone(), (clock, recorder))?;
    let registry = Registry::new(Arc::new(shared));
    core.join(Arc::new(registry.clone()));
    let archive = recordings.as_ref().map(|recordings| recordings.archive());
    if let Some(archive) = archive.clone() {
        tokio::spawn(archive::expire_hourly(archive, retention(&config)));
    }
    let counters = Arc::new(Counters::default());
    let url = format!("{}://{bound}", if tls.is_some() { "https" } else { "http" });
    let speakers = Arc::new(Speakers { url: url.clone(), running: Arc::default() });
    let (ready, breaking) = (registry.clone(), registry.clone());
    let shell = Shell::new(Parts {
        core,
        options: options(&config),
        counters: counters.clone(),
        metrics: rendering(metrics, registry.clone(), counters, recordings.clone()),
        ready: Arc::new(move || match (ready.is_draining(), ready.shared().pool.is_whole()) {
            (true, _) => Err("draining".to_owned()),
            (false, false) => Err("a media worker has ended".to_owned()),
            (false, true) => Ok(()),
        }),
        demo: Some(speakers),
        archive,
        downloads: Downloads::default(),
        break_worker: Arc::new(move |number| breaking.shared().pool.break_worker(number)),
    });
    let stop = drained(registry.clone(), StopSignals::listen()?);
    announce(&url, &registry, tls.is_some())?;
    let served = signal::serve(shell, listener, tls, stop).await;
    if let Some(recordings) = recordings {
        recordings.stop();
    }
    served?;
    info!("stopped");
    Ok(())
}

/// The one line on stdout.
fn announce(url: &str, registry: &Registry, open: bool) -> io::Result<()> {
    let shared = registry.shared();
    let ports = shared.pool.ports();
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    warn!("the built-in chat core has no passwords: whoever reaches it may come in");
    if open {
        warn!("the https certificate is self-signed: browsers will ask before they go on");
    }
    let mut out = io::stdout().lock();
    writeln!(out, "voxhall listens on {url}/ media on UDP {}", ports.join(","))?;
    out.flush()
}

/// Resolves once a signal came and the calls are over, or their time is.
async fn drained(registry: Registry, mut signals: StopSignals) {
    signals.next().await;
    registry.drain();
    info!(onliners = registry.onliners(), "draining");
    let calls_over = async {
        while registry.onliners() > 0 {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    };
    tokio::select! {
        () = calls_over => {}
        () = tokio::time::sleep(DRAIN_MAX) => {
            warn!(onliners = registry.onliners(), "drain time is over, calls end");
        }
        () = signals.next() => warn!("second signal, calls end"),
    }
}

/// SIGTERM and SIGINT, heard from before the ready line on.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> io::Result<StopSignals> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(StopSignals { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn shared(
    config: &Config,
    core: Arc<dyn ChatCore>,
    metrics: Arc<Metrics>,
    (clock, recorder): (Clock, Option<Arc<Recorder>>),
) -> Result<Shared, Fault> {
    let interfaces = config::interfaces().map_err(Fault::Addresses)?;
    let pool = Pool::start(&PoolSpec {
        advertised: config::advertised(&config.media, &interfaces),
        bind: config.media.bind.first().copied(),
        port: config.media.port,
        workers: config.media.workers.count().get().into(),
        silent_after: config.call.media_lost_shown,
        clock,
        tap: recorder.as_ref().map(|recorder| recorder.tap()),
    })?;
    let call = &config.call;
    let rules = Rules {
        participants_max: call.max_participants.get() as usize,
        slots_max: usize::from(call.slots_max.get()).min(engine::limits::SLOTS_HARD_MAX),
        only_one_device: call.only_one_device,
        buzz_timeout: call.buzz_timeout,
        lost_grace: call.media_lost_removed.saturating_sub(call.media_lost_shown),
        connect_timeout: call.media_lost_removed,
        socketless_max: call.socketless_max,
        record_auto: config.record.enabled && config.record.auto,
    };
    let sdp = sdp::Limits {
        bytes: config.sdp.bytes.get(),
        lines: config.sdp.lines.get(),
        line_bytes: config.sdp.line_bytes.get(),
        sections: rules.slots_max + SECTIONS_BESIDE_SLOTS,
        formats: config.sdp.formats.get(),
        extmaps: config.sdp.extmaps.get(),
        candidates: config.sdp.candidates.get(),
    };
    let (legs, check_fingerprint) = (AtomicU64::new(1), config.signal.check_fingerprint);
    Ok(Shared { core, pool, recorder, clock, rules, sdp, check_fingerprint, metrics, legs })
}

fn recordings(config: &Config, clock: Clock) -> Result<Option<Arc<Recordings>>, Fault> {
    let record = &config.record;
    let started = || {
        let folder = record.folder(&config.data);
        Recordings::start(record, &config.archive, folder, clock)
    };
    Ok(record.enabled.then(started).transpose()?.map(Arc::new))
}

fn retention(config: &Config) -> Retention {
    let bytes = config.record.keep_gib.saturating_mul(1024 * 1024 * 1024);
    Retention { days: config.record.keep_days, bytes }
}

/// Sections that a client may offer beside those for voices: video and data, refused.
const SECTIONS_BESIDE_SLOTS: usize = 8;

fn core_options(config: &Config) -> CoreOptions {
    CoreOptions {
        sockets_per_person_max: config.signal.sockets_per_user.get(),
        ..CoreOptions::default()
    }
}

fn options(config: &Config) -> Options {
    let signal = &config.signal;
    Options {
        origins: config.http.origins.clone(),
        default_answer: match signal.default_answer {
            Answer::Sdp => AnswerStyle::Sdp,
            Answer::Answer => AnswerStyle::Answer,
        },
        message_bytes: signal.message_bytes.get(),
        pace: Pace::new(signal.messages_per_s.get(), signal.messages_burst.get()),
        features: features(config),
    }
}

fn features(config: &Config) -> Features {
    let servers = config.features.ice_servers.iter().map(|server| IceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.clone(),
    });
    let policy = match config.features.ice_transport_policy {
        config::IceTransportPolicy::All => None,
        config::IceTransportPolicy::Relay => Some("relay".to_owned()),
    };
    Features {
        ice_servers: servers.collect(),
        ice_transport_policy: policy,
        calls_record: config.record.enabled,
        mobile_calls: config.features.mobile_calls,
        only_one_device_per_call: config.call.only_one_device,
        max_participants_per_call: config.call.max_participants.get() as usize,
        resend_timeout: config.signal.resend_timeout.as_secs(),
        ..Features::default()
    }
}

/// A self-signed certificate for every name this listener may be called by.
fn certificate(config: &Config, bound: SocketAddr) -> Result<Tls, Fault> {
    let mut names = vec!["localhost".to_owned(), bound.ip().to_string()];
    let interfaces = config::interfaces().map_err(Fault::Addresses)?;
    names.extend(config::advertised(&config.media, &interfaces).iter().map(ToString::to_string));
    names.dedup();
    Ok(signal::self_signed(&config.data.dir, names)?)
}

/// The demo people inside this process: clients of our own listener.
struct Speakers {
    url: String,
    running: Arc<AtomicBool>,
}

impl Demo for Speakers {
    fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    fn start(&self, chat: Option<Jid>) -> Result<usize, String> {
        if self.running.swap(true, Ordering::Relaxed) {
            return Err("the demo people are here already".to_owned());
        }
        let options = DemoOptions {
            url: self.url.clone(),
            chat: chat.map(|jid| jid.to_string()),
            people: DEMO_PEOPLE,
        };
        let running = self.running.clone();
        tokio::spawn(async move {
            if let Err(error) = demo::run(options, tokio::time::sleep(DEMO_TIME)).await {
                warn!(%error, "demo people could not come");
            }
            running.store(false, Ordering::Relaxed);
        });
        Ok(DEMO_PEOPLE)
    }
}

/// The demo people go by themselves, so that a forgotten demo does not talk all night.
const DEMO_TIME: Duration = Duration::from_secs(600);

fn rendering(
    metrics: Arc<Metrics>,
    registry: Registry,
    counters: Arc<Counters>,
    recordings: Option<Arc<Recordings>>,
) -> Arc<dyn Fn() -> String + Send + Sync> {
    Arc::new(move || {
        let tapes = Tapes(recordings.as_deref());
        metrics.render(&[&Node(&registry), &Sockets(&counters), &tapes])
    })
}

struct Node<'a>(&'a Registry);

impl Source for Node<'_> {
    fn collect(&self, sink: &mut dyn Sink) {
        use crate::core::Node as _;
        sink.add(Sample::Calls, self.0.calls().len() as u64);
        sink.add(Sample::Onliners, self.0.onliners() as u64);
        sink.add(Sample::WorkerRestarts, self.0.shared().pool.restarts());
        for reading in self.0.shared().pool.readings() {
            for (link, count) in reading.links {
                sink.add(Sample::Legs(link), count);
            }
            sink.add(Sample::RtpReceived, reading.received);
            sink.add(Sample::RtpForwarded, reading.forwarded);
            sink.add(Sample::DatagramsUnsent, reading.unsent);
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

struct Sockets<'a>(&'a Counters);

impl Source for Sockets<'_> {
    fn collect(&self, sink: &mut dyn Sink) {
        sink.add(Sample::Sockets, self.0.sockets.read());
        sink.add(Sample::SignalsRepeated, self.0.repeats.read());
        sink.add(Sample::EventsResent, self.0.resent.read());
        // What the node refuses it counts itself, by its code.
        for reason in Refused::ALL.into_iter().filter(|reason| *reason != Refused::ByCore) {
            sink.add(Sample::Refusals(reason.as_str()), self.0.refused(reason).read());
        }
        for reason in Ended::ALL {
            sink.add(Sample::SocketsClosed(reason.as_str()), self.0.ended(reason).read());
        }
    }
}
