//! Configuration: what the operator may choose, parsed once into types that nobody downstream
//! checks again.
//!
//! A key comes from the command line, else from its environment variable, else from the file,
//! else from the default; `config/default.toml` holds every key with its reason. Knows nothing of
//! what the values are used for.

pub mod addresses;
mod archive;
pub mod cli;
mod clients;
mod core;
mod layers;
mod probe;
mod record;
mod renewal;
mod sections;
mod trace;

pub use self::core::{Core, CoreMode};
pub use addresses::{Interface, advertised, interfaces};
pub use archive::{Archive, StoreUrl};
pub use cli::{CheckFlags, Cli, Command, DemoFlags, RecordingsAction, RecordingsFlags, ServeFlags};
pub use clients::{Clients, Turn};
pub use layers::{ConfigError, Origin};
pub use probe::Probe;
pub use record::{Mix, Record};
pub use sections::{
    Answer, Call, Config, Data, Features, Http, IceServer, IceTransportPolicy, Log, LogFormat,
    LogLevel, Media, Sdp, Signal, Workers,
};
pub use trace::Trace;

use std::fs;

impl Config {
    /// The configuration of this process: flags over environment over file over default.
    ///
    /// # Errors
    /// Names the flag, variable or file, and the key, that cannot be used.
    pub fn load(flags: &ServeFlags) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            None => None,
            Some(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|fault| ConfigError::Unreadable { path: path.clone(), fault })?;
                Some((path.as_path(), text))
            }
        };
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()));
        let file = file.as_ref().map(|(path, text)| (*path, text.as_str()));
        Self::from_layers(file, environment, flags)
    }
}

#[cfg(test)]
mod tests;
