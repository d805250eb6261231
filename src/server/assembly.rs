//! The parts of the node, made and joined: which of them there are follows from the chat core it
//! stands beside, and from who may come to it.

use std::sync::Arc;

use axum::Router;

use super::readings::{Asked, rendering};
use super::setup::{
    Others, gate_limits, offer_limits, options, recordings, retention, shared, socket_options,
    tokens,
};
use super::{Fault, Speakers};
use crate::clock::{self, Clock};
use crate::config::{Config, CoreMode};
use crate::core::ChatCore;
use crate::core::builtin::BuiltIn;
use crate::core::directory::Directory;
use crate::core::link::{LinkCore, dial};
use crate::core::mixed::Mixed;
use crate::core::sockets::Sockets;
use crate::core::tokens::Tokens;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::outbox::webhook::Webhook;
use crate::probe::{self, Probe};
use crate::record::Recordings;
use crate::record::archive::{self, Archive};
use crate::registry::Registry;
use crate::signal::{self, Counters, Downloads, Gate, LinkParts, Parts, Shell};

/// See the module's words.
pub struct Assembly {
    pub registry: Registry,
    pub recordings: Option<Arc<Recordings>>,
    pub outbox: Option<Arc<Outbox>>,
    pub tokens: Option<Arc<Tokens>>,
    /// Whoever holds people's sockets, where there may be any.
    sockets: Option<Arc<Sockets>>,
    people: Option<Arc<BuiltIn>>,
    link: Option<Arc<LinkCore>>,
    archive: Option<Arc<Archive>>,
    pub gate: Arc<Gate>,
    /// Calls this node itself.
    probe: Arc<Probe>,
    counters: Arc<Counters>,
    metrics: Arc<Metrics>,
}

impl Assembly {
    /// # Errors
    /// A file, a key, a port or an address cannot be used.
    pub fn new(config: &Config, metrics: Arc<Metrics>) -> Result<Assembly, Fault> {
        let is_alone = config.core.mode == CoreMode::BuiltIn;
        let goes_by_webhook = !config.core.webhook_url.is_empty();
        let outbox = match is_alone && !goes_by_webhook {
            true => None,
            false => Some(outbox(config)?),
        };
        let by_link = outbox.clone().filter(|_| !goes_by_webhook);
        let link = (!is_alone).then(|| LinkCore::new(by_link, metrics.clone()));
        let tokens = tokens(config)?;
        let people = match is_alone && tokens.is_none() {
            true => Some(BuiltIn::open(&config.data.dir)?),
            false => None,
        };
        let known: Option<Arc<dyn Directory>> = match (&tokens, &people) {
            (Some(tokens), _) => Some(tokens.clone()),
            (None, Some(people)) => Some(people.clone()),
            (None, None) => None,
        };
        let sockets = known.map(|known| Sockets::open(known, socket_options(config)));
        let core: Arc<dyn ChatCore> = match (&link, &sockets) {
            (Some(link), Some(sockets)) => {
                Arc::new(Mixed { link: link.clone(), sockets: sockets.clone() })
            }
            (Some(link), None) => link.clone(),
            (None, Some(sockets)) => sockets.clone(),
            (None, None) => return Err(Fault::NoCore),
        };
        let clock = Clock::start();
        let recordings = recordings(config, clock, outbox.clone())?;
        let recorder = recordings.as_ref().map(|recordings| recordings.recorder());
        let (kept, counting) = (outbox.clone(), metrics.clone());
        let others = Others { core, outbox: kept, metrics: counting, clock, recorder };
        let registry = Registry::new(Arc::new(shared(config, others)?), offer_limits(config));
        if let Some(link) = &link {
            link.join(Arc::new(registry.clone()));
        }
        if let Some(sockets) = &sockets {
            sockets.join(Arc::new(registry.clone()));
        }
        if let (Some(link), CoreMode::Dial) = (&link, config.core.mode) {
            tokio::spawn(dial::run(link.clone(), dial::Address::new(&config.core)?));
        }
        let archive = recordings.as_ref().map(|recordings| recordings.archive());
        if let Some(archive) = &archive {
            tokio::spawn(archive::expire_hourly(archive.clone(), retention(config)));
        }
        let bound = config.media.bind.first().copied();
        let probe = probe::start(config.probe.every, bound, registry.shared());
        let counters = Arc::default();
        Ok(Assembly {
            registry,
            recordings,
            outbox,
            tokens,
            sockets,
            people,
            link,
            archive,
            gate: Gate::new(gate_limits(config)),
            probe,
            counters,
            metrics,
        })
    }

    /// What is served: to people, where they may come, and to a core that dials us.
    pub fn routes(&self, config: &Config, url: &str) -> (Router, Option<Shell>) {
        let secret = (config.core.mode == CoreMode::Accept).then(|| config.core.secret.clone());
        let link = self.link.clone().map(|core| LinkParts {
            core,
            secret,
            is_mutual: config.core.accepts_by_certificate().is_some(),
        });
        let Some(sockets) = self.sockets.clone() else {
            return (signal::link_router(link, self.rendering(), self.readiness()), None);
        };
        let breaking = self.registry.clone();
        let demo = Speakers { url: url.to_owned(), running: Arc::default() };
        let is_alone = self.people.is_some();
        let parts = Parts {
            sockets,
            people: self.people.clone(),
            counters: self.counters.clone(),
            gate: self.gate.clone(),
            shows_metrics: config.http.metrics,
            metrics: self.rendering(),
            ready: self.readiness(),
            demo: is_alone.then(|| Arc::new(demo) as Arc<dyn signal::Demo>),
            archive: self.archive.clone(),
            downloads: Downloads::default(),
            break_worker: Arc::new(move |number| breaking.shared().pool.break_worker(number)),
        };
        let shell = Shell::new(parts, options(config));
        let routes = signal::router(shell.clone()).merge(signal::link_route(link));
        (routes, Some(shell))
    }

    /// The text of `/metrics`.
    pub fn rendering(&self) -> Arc<dyn Fn() -> String + Send + Sync> {
        rendering(Asked {
            metrics: self.metrics.clone(),
            registry: self.registry.clone(),
            counters: self.sockets.as_ref().map(|_| self.counters.clone()),
            recordings: self.recordings.clone(),
            link: self.link.clone(),
            outbox: self.outbox.clone(),
            probe: self.probe.clone(),
            gate: self.gate.clone(),
        })
    }

    /// Whether more calls may come.
    pub fn readiness(&self) -> Arc<dyn Fn() -> Result<(), String> + Send + Sync> {
        let (registry, outbox) = (self.registry.clone(), self.outbox.clone());
        let probe = self.probe.clone();
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
            probe.complaint().map_or(Ok(()), Err)
        })
    }
}

/// Facts on their way to the core, or to whoever takes them by HTTP.
fn outbox(config: &Config) -> Result<Arc<Outbox>, Fault> {
    let (core, now) = (&config.core, clock::wall().as_nanos());
    let outbox = Arc::new(Outbox::open(&config.data.dir, u64::from(core.facts_max), now)?);
    if !core.webhook_url.is_empty() {
        let webhook = Webhook::new(&core.webhook_url, core.webhook_secret.clone())?;
        tokio::spawn(webhook.run(outbox.clone()));
    }
    Ok(outbox)
}
