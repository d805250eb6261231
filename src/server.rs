//! The node put together: configuration, media workers, registry, chat core, sockets; from start
//! to the last line written.

mod assembly;
mod desk;
mod drain;
mod readings;
mod reload;
mod service;
mod setup;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use self::assembly::Assembly;
use self::desk::{Desk, Told, close};
use self::drain::{Stops, drained};
pub use self::reload::Again;
use self::reload::Reload;
use crate::admin::{self, Office};
use crate::config::{self, Config, CoreMode};
use crate::core::Jid;
use crate::core::link::dial;
use crate::core::tokens::KeyFault;
use crate::demo::{self, DemoOptions};
use crate::media::StartFault;
use crate::metrics::Metrics;
use crate::outbox::webhook::WebhookFault;
use crate::outbox::{Outbox, OutboxFault};
use crate::record::{RecordFault, Recordings};
use crate::registry::Registry;
use crate::signal::{self, Demo, Tls};
use crate::telemetry::Verbosity;

/// How many people the demo brings.
const DEMO_PEOPLE: usize = 3;

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
    #[error(transparent)]
    Admin(#[from] admin::Fault),
    #[error(transparent)]
    Key(#[from] KeyFault),
    #[error("there is no chat core, and nobody may come: set core.mode, or clients.secrets")]
    NoCore,
    #[error("the server ended: {0}")]
    Served(#[from] io::Error),
}

/// Runs the node until SIGTERM, SIGINT or the operator's word, then drains it; at SIGHUP the
/// configuration is read `again`.
///
/// # Errors
/// It cannot start, or its listener fails.
pub async fn run(config: Config, again: Again, verbosity: Verbosity) -> Result<(), Fault> {
    let started = SystemTime::now();
    let address = config.http.listen;
    let listener = TcpListener::bind(address);
    let listener = listener.map_err(|cause| Fault::Listen { address, cause })?;
    let bound = listener.local_addr()?;
    let tls = certificate(&config, bound)?;
    let url = format!("{}://{bound}", if tls.is_some() { "https" } else { "http" });
    let office = Office::open(&config, tls.as_ref())?;
    let metrics = Arc::new(Metrics::new(started));
    let assembly = Assembly::new(&config, metrics)?;
    let (routes, people) = assembly.routes(&config, &url);
    let registry = assembly.registry.clone();
    let reload = Reload {
        config: config.clone(),
        again,
        tls: tls.clone(),
        verbosity: verbosity.clone(),
        tokens: assembly.tokens.clone(),
        people: people.clone(),
    };
    tokio::spawn(reload.run(signal(SignalKind::hangup())?));
    let desk = Desk { office, verbosity, started, drain: Arc::default() };
    let stops = Stops::listen(desk.drain.clone())?;
    let stop = drained(registry.clone(), config.call.drain, stops);
    let told = Told { metrics: assembly.rendering(), ready: assembly.readiness() };
    let opened = desk.open(&registry, told)?;
    warn_of(&config);
    announce(&url, &registry)?;
    let served = match people {
        Some(shell) => signal::serve_people(shell, routes, listener, tls, stop).await,
        None => signal::serve(routes, listener, tls, assembly.gate.clone(), stop).await,
    };
    write_all(assembly.recordings, assembly.outbox).await?;
    close(opened).await;
    served?;
    info!("stopped");
    Ok(())
}

/// What an operator may not have meant.
fn warn_of(config: &Config) {
    if config.core.mode == CoreMode::BuiltIn && !config.clients.has_keys() {
        warn!("the built-in chat core has no passwords: whoever reaches it may come in");
    }
    if config.http.open && config.http.cert.as_os_str().is_empty() {
        warn!("the https certificate is self-signed: browsers will ask before they go on");
    }
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

/// The operator's certificate; else a self-signed one for every name this listener may be called
/// by; else none.
fn certificate(config: &Config, bound: SocketAddr) -> Result<Option<Tls>, Fault> {
    let http = &config.http;
    if !http.cert.as_os_str().is_empty() {
        return Ok(Some(signal::of_files(
            &http.cert,
            &http.key,
            config.core.accepts_by_certificate(),
        )?));
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
