//! The configuration read again at SIGHUP: what can change while calls go on changes, the rest is
//! named, and what is wrong changes nothing.

use tokio::signal::unix::Signal;
use tracing::{error, info, warn};

use super::setup::{keys, options};
use crate::config::{Config, ConfigError};
use crate::core::tokens::Tokens;
use crate::signal::{Shell, Tls, TlsFault};
use crate::telemetry::Verbosity;

/// Reads the configuration as the process's start did.
pub type Again = Box<dyn Fn() -> Result<Config, ConfigError> + Send>;

/// What holds at present, and whoever is told when it changes.
pub struct Reload {
    pub config: Config,
    pub again: Again,
    /// Served with the operator's own certificate, where there is one.
    pub tls: Option<Tls>,
    pub tokens: Option<std::sync::Arc<Tokens>>,
    pub people: Option<Shell>,
    pub verbosity: Verbosity,
}

impl Reload {
    pub async fn run(mut self, mut hangups: Signal) {
        while hangups.recv().await.is_some() {
            match (self.again)() {
                Ok(config) => self.take(&config),
                Err(fault) => error!(%fault, "configuration not read again: the former one holds"),
            }
        }
    }

    fn take(&mut self, read: &Config) {
        let mut config = self.config.renewed_by(read);
        if let Err(fault) = self.renew_certificate(&config) {
            error!(%fault, "certificate not renewed: the former one is served");
            config.http.cert.clone_from(&self.config.http.cert);
            config.http.key.clone_from(&self.config.http.key);
        }
        if let Some(tokens) = &self.tokens {
            match keys(&config) {
                Ok(keys) => tokens.renew(keys),
                Err(fault) => {
                    error!(%fault, "keys not renewed: the former ones are believed");
                    config.clients.clone_from(&self.config.clients);
                }
            }
        }
        if let Some(people) = &self.people {
            people.renew(options(&config));
        }
        // Where the file says what it said, the operator's own level holds.
        if config.log.level != self.config.log.level
            && let Err(fault) = self.verbosity.set(config.log.level)
        {
            error!(%fault, "log level not changed");
        }
        let changed = config.differs_from(&self.config).join(" ");
        info!(changed, "configuration read again");
        let waiting = read.differs_from(&config).join(" ");
        if !waiting.is_empty() {
            warn!(keys = waiting, "these changes hold from the next start on");
        }
        self.config = config;
    }

    fn renew_certificate(&self, config: &Config) -> Result<(), TlsFault> {
        let http = &config.http;
        match &self.tls {
            Some(tls) if !http.cert.as_os_str().is_empty() => {
                tls.renew(&http.cert, &http.key, config.core.accepts_by_certificate())
            }
            _ => Ok(()),
        }
    }
}
