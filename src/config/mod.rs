//! Configuration: what the operator may choose, parsed once into types that nobody downstream
//! checks again.
//!
//! A key comes from the command line, else from its environment variable, else from the file,
//! else from the default; `config/default.toml` holds every key with its reason. Knows nothing of
//! what the values are used for.

pub mod addresses;
mod admin;
mod archive;
pub mod cli;
mod clients;
mod core;
mod http;
mod layers;
mod operate;
mod probe;
mod record;
mod renewal;
mod sections;
mod trace;

pub use self::core::{Core, CoreMode};
pub use addresses::{Interface, advertised, interfaces};
pub use admin::Admin;
pub use archive::{Archive, StoreUrl};
pub use cli::{CheckFlags, Cli, Command, DemoFlags, RecordingsAction, RecordingsFlags, ServeFlags};
pub use clients::{Clients, Turn};
pub use http::Http;
pub use layers::{ConfigError, Origin};
pub use operate::{CallFlags, CallsFlags, DrainFlags, NodeFlags};
pub use probe::Probe;
pub use record::{Mix, Record};
pub use sections::{
    Answer, Call, Config, Data, Features, IceServer, IceTransportPolicy, Log, LogFormat, LogLevel,
    Media, Sdp, Signal, Workers,
};
pub use trace::Trace;

use std::fs;
use std::path::PathBuf;

impl Config {
    /// The configuration of this process: flags over environment over file over default.
    ///
    /// # Errors
    /// Names the flag, variable or file, and the key, that cannot be used.
    pub fn load(flags: &ServeFlags) -> Result<Self, ConfigError> {
        let (config, origins) = Self::read(flags)?;
        config.check(&origins)?;
        Ok(config)
    }

    /// Where the server's data lies. Whoever asks only that may lack what it has besides, such as
    /// secrets in variables of its own.
    ///
    /// # Errors
    /// As [`Config::load`], for what is wrong by itself.
    pub fn data_dir(flags: &ServeFlags) -> Result<PathBuf, ConfigError> {
        Ok(Self::read(flags)?.0.data.dir)
    }

    fn read(flags: &ServeFlags) -> Result<(Self, layers::Origins), ConfigError> {
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
        Self::lay(file, environment, flags)
    }
}

#[cfg(test)]
mod tests;
