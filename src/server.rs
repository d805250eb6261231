//! The node put together: configuration, media workers, registry, chat core, sockets; from start
//! to the last line written.

mod readings;
mod service;
mod setup;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use self::readings::{Asked, rendering};
use self::setup::{Others, core_options, options, recordings, retention, shared};
use crate::clock::Clock;
use crate::config::{self, Config, CoreMode};
use crate::core::Jid;
use crate::core::builtin::BuiltIn;
use crate::core::link::{LinkCore, dial};
use crate::demo::{self, DemoOptions};
use crate::media::StartFault;
use crate::metrics::Metrics;
use crate::outbox::webhook::{Webhook, WebhookFault};
use crate::outbox::{Outbox, OutboxFault};
use crate::record::archive::{self, Archive};
use crate::record::{RecordFault, Recordings};
use crate::registry::Registry;
use crate::signal::{self, Counters, Demo, Downloads, LinkParts, Parts, Shell, Tls};

/// How many people the demo brings.
const DEMO_PEOPLE: usize = 3;

/// How often a drain looks whether the last call is over.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// How long those who were told to dial again have to hear it.
const MOVED_GRACE: Duration = Duration::from_millis(500);

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
    #[error("cannot keep facts for the core: {0}")]
    Outbox(#[from] OutboxFault),
    #[error(transparent)]
    Address(#[from] dial::AddressFault),
    #[error(transparent)]
    Webhook(#[from] WebhookFault),
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
    let tls = certificate(&config, bound)?;
    let url = format!("{}://{bound}", if tls.is_some() { "https" } else { "http" });
    let metrics = Arc::new(Metrics::new(started));
    let door = Door { listener, tls, url };
    match config.core.mode {
        CoreMode::BuiltIn => run_alone(&config, metrics, door).await?,
        CoreMode::Dial | CoreMode::Accept => run_linked(&config, metrics, door).await?,
    }
    info!("stopped");
    Ok(())
}

/// Where the node listens.
struct Door {
    listener: TcpListener,
    tls: Option<Tls>,
    url: String,
}

/// With the built-in core, and people at the door.
async fn run_alone(config: &Config, metrics: Arc<Metrics>, door: Door) -> Result<(), Fault> {
    let core = BuiltIn::open(&config.data.dir, core_options(config))?;
    let clock = Clock::start();
    let outbox = match config.core.webhook_url.is_empty() {
        true => None,
        false => Some(outbox(config)?),
    };
    let recordings = recordings(config, clock, outbox.clone())?;
    let recorder = recordings.as_ref().map(|recordings| recordings.recorder());
    let (kept, asked) = (outbox.clone(), metrics.clone());
    let others = Others { core: core.clone(), outbox: kept, metrics, clock, recorder };
    let registry = Registry::new(Arc::new(shared(config, others)?));
    core.join(Arc::new(registry.clone()));
    let archive = keep_archive(config, recordings.as_deref());
    let counters = Arc::new(Counters::default());
    let speakers = Arc::new(Speakers { url: door.url.clone(), running: Arc::default() });
    let breaking = registry.clone();
    let shell = Shell::new(Parts {
        core,
        options: options(config),
        counters: counters.clone(),
        metrics: rendering(Asked {
            metrics: asked,
            registry: registry.clone(),
            counters: Some(counters),
            recordings: recordings.clone(),
            link: None,
            outbox: outbox.clone(),
        }),
        ready: readiness(registry.clone(), outbox.clone()),
        demo: Some(speakers),
        archive,
        downloads: Downloads::default(),
        break_worker: Arc::new(move |number| breaking.shared().pool.break_worker(number)),
    });
    let stop = drained(registry.clone(), config.call.drain, StopSignals::listen()?);
    warn!("the built-in chat core has no passwords: whoever reaches it may come in");
    if config.http.open && config.http.cert.as_os_str().is_empty() {
        warn!("the https certificate is self-signed: browsers will ask before they go on");
    }
    announce(&door.url, &registry)?;
    let served = signal::serve_people(shell, door.listener, door.tls, stop).await;
    write_all(recordings, outbox).await?;
    Ok(served?)
}

/// Beside a core elsewhere, which has the people.
async fn run_linked(config: &Config, metrics: Arc<Metrics>, door: Door) -> Result<(), Fault> {
    let outbox = outbox(config)?;
    let goes_by_link = config.core.webhook_url.is_empty();
    let core = LinkCore::new(goes_by_link.then(|| outbox.clone()), metrics.clone());
    let clock = Clock::start();
    let recordings = recordings(config, clock, Some(outbox.clone()))?;
    let recorder = recordings.as_ref().map(|recordings| recordings.recorder());
    let (kept, asked) = (Some(outbox.clone()), metrics.clone());
    let others = Others { core: core.clone(), outbox: kept, metrics, clock, recorder };
    let registry = Registry::new(Arc::new(shared(config, others)?));
    core.join(Arc::new(registry.clone()));
    keep_archive(config, recordings.as_deref());
    let link = &config.core;
    let secret = (link.mode == CoreMode::Accept).then(|| link.secret.clone());
    if link.mode == CoreMode::Dial {
        let address = dial::Address::new(link)?;
        tokio::spawn(dial::run(core.clone(), address));
    }
    let routes = signal::link_router(LinkParts {
        core: core.clone(),
        secret,
        metrics: rendering(Asked {
            metrics: asked,
            registry: registry.clone(),
            counters: None,
            recordings: recordings.clone(),
            link: Some(core),
            outbox: Some(outbox.clone()),
        }),
        ready: readiness(registry.clone(), Some(outbox.clone())),
    });
    let stop = drained(registry.clone(), config.call.drain, StopSignals::listen()?);
    announce(&door.url, &registry)?;
    let served = signal::serve(routes, door.listener, door.tls, stop).await;
    write_all(recordings, Some(outbox)).await?;
    Ok(served?)
}

/// Facts on their way to the core, or to whoever takes them by HTTP.
fn outbox(config: &Config) -> Result<Arc<Outbox>, Fault> {
    let (core, now) = (&config.core, crate::clock::wall().as_nanos());
    let outbox = Arc::new(Outbox::open(&config.data.dir, u64::from(core.facts_max), now)?);
    if !core.webhook_url.is_empty() {
        let webhook = Webhook::new(&core.webhook_url, core.webhook_secret.clone())?;
        tokio::spawn(webhook.run(outbox.clone()));
    }
    Ok(outbox)
}

/// At the end: recordings first, as one that ends is a fact too.
async fn write_all(
    recordings: Option<Arc<Recordings>>,
    outbox: Option<Arc<Outbox>>,
) -> Result<(), Fault> {
    if let Some(recordings) = recordings {
        recordings.stop();
    }
    if let Some(outbox) = outbox {
        let stopped = tokio::task::spawn_blocking(move || outbox.stop()).await;
        stopped.map_err(|fault| Fault::Served(io::Error::other(fault)))?;
    }
    Ok(())
}

/// What is recorded is listed, and what is too old goes.
fn keep_archive(config: &Config, recordings: Option<&Recordings>) -> Option<Arc<Archive>> {
    let archive = recordings?.archive();
    tokio::spawn(archive::expire_hourly(archive.clone(), retention(config)));
    Some(archive)
}

/// Whether more calls may come.
fn readiness(
    registry: Registry,
    outbox: Option<Arc<Outbox>>,
) -> Arc<dyn Fn() -> Result<(), String> + Send + Sync> {
    Arc::new(move || {
        if registry.is_draining() {
            return Err("draining".to_owned());
        }
        if !registry.shared().pool.is_whole() {
            return Err("a media worker has ended".to_owned());
        }
        if outbox.as_ref().is_some_and(|outbox| outbox.is_nearly_full()) {
            return Err("facts wait for the core: the outbox is nearly full".to_owned());
        }
        Ok(())
    })
}

/// The one line on stdout.
fn announce(url: &str, registry: &Registry) -> io::Result<()> {
    let shared = registry.shared();
    let ports = shared.pool.ports();
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let mut out = io::stdout().lock();
    writeln!(out, "voxhall listens on {url}/ media on UDP {}", ports.join(","))?;
    out.flush()?;
    service::tell_ready();
    tokio::spawn(service::calm_watchdog(registry.clone()));
    Ok(())
}

/// Resolves once a signal came and the calls are over, or their time is.
async fn drained(registry: Registry, limit: Duration, mut signals: StopSignals) {
    signals.next().await;
    registry.drain();
    service::tell_stopping();
    info!(onliners = registry.onliners(), "draining");
    let calls_over = async {
        while registry.onliners() > 0 {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    };
    tokio::select! {
        () = calls_over => return,
        () = tokio::time::sleep(limit) => {
            warn!(onliners = registry.onliners(), "drain time is over, people dial again");
        }
        () = signals.next() => warn!("second signal, people dial again"),
    }
    registry.move_people();
    tokio::time::sleep(MOVED_GRACE).await;
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

/// The operator's certificate, read again at each SIGHUP; else a self-signed one for every name
/// this listener may be called by; else none.
fn certificate(config: &Config, bound: SocketAddr) -> Result<Option<Tls>, Fault> {
    let http = &config.http;
    if !http.cert.as_os_str().is_empty() {
        let tls = signal::of_files(&http.cert, &http.key)?;
        tokio::spawn(renew(tls.clone(), http.clone(), signal(SignalKind::hangup())?));
        return Ok(Some(tls));
    }
    if !http.open {
        return Ok(None);
    }
    let mut names = vec!["localhost".to_owned(), bound.ip().to_string()];
    let interfaces = config::interfaces().map_err(Fault::Addresses)?;
    names.extend(config::advertised(&config.media, &interfaces).iter().map(ToString::to_string));
    names.dedup();
    Ok(Some(signal::self_signed(&config.data.dir, names)?))
}

/// A certificate that was renewed is served from the next SIGHUP on; one that cannot be used never.
async fn renew(tls: Tls, http: config::Http, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        match tls.renew(&http.cert, &http.key) {
            Ok(()) => info!("certificate read again"),
            Err(fault) => error!(%fault, "certificate not renewed: the former one is served"),
        }
    }
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
