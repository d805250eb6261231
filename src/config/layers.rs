//! Laying flags over environment over file over default, and saying which of them is at fault.
//!
//! Every source is brought into the file's form, a TOML value under section and key, so that one
//! set of types judges all of them. A variable's name and the kind of its value follow from the
//! defaults: a new key has its variable without a line here.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use super::{Config, CoreMode, ServeFlags};

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    #[default]
    Default,
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

/// Why there is no configuration; the operator's fault, and told to him.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("configuration file {}: {fault}", path.display())]
    Unreadable { path: PathBuf, fault: io::Error },
    #[error("configuration file {}, line {line}: {reason}", path.display())]
    File { path: PathBuf, line: usize, reason: String },
    #[error("{origin}, for key {key}: {reason}")]
    Value { origin: Origin, key: String, reason: String },
    #[error("environment variable {name}: there is no such key (see config/default.toml)")]
    UnknownVariable { name: String },
    #[error("{key} = {value} ({origin}): {reason}")]
    Conflict { key: &'static str, value: String, origin: Origin, reason: &'static str },
}

/// One value from outside the file.
struct Entry {
    section: String,
    key: String,
    value: Value,
    origin: Origin,
}

/// Where each key's value came from, for what is wrong only in company.
#[derive(Default)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Config {
    /// [`Config::load`] with file and environment passed in.
    ///
    /// # Errors
    /// Names the flag, variable or file, and the key, that cannot be used.
    pub fn from_layers(
        file: Option<(&Path, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &ServeFlags,
    ) -> Result<Self, ConfigError> {
        let (config, origins) = Self::lay(file, environment, flags)?;
        config.check(&origins)?;
        Ok(config)
    }

    /// What each key says, whether or not they go together.
    pub(super) fn lay(
        file: Option<(&Path, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &ServeFlags,
    ) -> Result<(Self, Origins), ConfigError> {
        let defaults = Table::try_from(Self::default()).expect("the defaults are plain values");
        let mut origins = Origins::default();
        let mut merged = defaults.clone();
        if let Some((path, text)) = file {
            let table = file_table(path, text)?;
            origins.note_file(path, &table);
            lay_over(&mut merged, table);
        }
        let mut entries = environment_entries(&defaults, environment)?;
        entries.extend(flags.entries());
        for entry in entries {
            entry.check()?;
            origins.0.insert(entry.name(), entry.origin.clone());
            lay_over(&mut merged, entry.into_table());
        }
        let config = Self::deserialize(merged).expect("every layer was read by itself before");
        Ok((config, origins))
    }

    /// What no key can know by itself.
    pub(super) fn check(&self, origins: &Origins) -> Result<(), ConfigError> {
        let conflict = |key: &'static str, value: &dyn fmt::Display, reason| {
            let origin = origins.0.get(key).cloned().unwrap_or_default();
            Err(ConfigError::Conflict { key, value: value.to_string(), origin, reason })
        };
        let Self { http, media, call, admin, .. } = self;
        // Who only carries media for a core lets nobody in by himself.
        let is_alone = self.core.mode == CoreMode::BuiltIn && !self.clients.has_keys();
        if !http.listen.ip().is_loopback() && !http.open && is_alone {
            let reason = "there are no passwords: beyond loopback only with --open (http.open)";
            return conflict("http.listen", &http.listen, reason);
        }
        if let Some(ca) = self.core.accepts_by_certificate().filter(|_| !http.has_certificate()) {
            let reason = "a core shows its certificate over https only: set http.cert";
            return conflict("core.ca", &ca.display(), reason);
        }
        if let Some(origin) = http.origins.iter().find(|origin| !is_origin(origin)) {
            return conflict("http.origins", origin, "an origin is scheme://host or .. host:port");
        }
        if let Some(ip) = media.ip.iter().find(|ip| ip.is_unspecified() || ip.is_multicast()) {
            return conflict("media.ip", ip, "clients cannot send to this address");
        }
        if let Some(second) = media.bind.get(1) {
            let reason = "a worker has one socket: one address, or none for both families";
            return conflict("media.bind", second, reason);
        }
        let last = u32::from(media.port) + u32::from(media.workers.count().get()) - 1;
        if media.port != 0 && last > u32::from(u16::MAX) {
            return conflict("media.port", &media.port, "the last worker's port is above 65535");
        }
        for (key, percent) in [
            ("media.bundle_60ms_busy_percent", media.bundle_60ms_busy_percent),
            ("media.bundle_loss_percent", media.bundle_loss_percent),
        ] {
            if percent > 100 {
                return conflict(key, &percent, "a share is 0 to 100 percent");
            }
        }
        if call.slots_max.get() > SLOTS_MOST {
            return conflict("call.slots_max", &call.slots_max, "at most 64 slots a leg");
        }
        if call.media_lost_removed <= call.media_lost_shown {
            let seconds = call.media_lost_removed.as_secs();
            let reason = "must be longer than call.media_lost_shown_s";
            return conflict("call.media_lost_removed_s", &seconds, reason);
        }
        if let Some(reason) = admin.lacks(http) {
            return conflict("admin.listen", &admin.listen, reason);
        }
        let checked = self.core.check().and_then(|()| self.clients.check());
        let checked = checked.and_then(|()| self.turn.check());
        let checked = checked.and_then(|()| self.archive.check());
        let checked = checked.and_then(|()| admin.check());
        let checked = checked.and_then(|()| self.trace.check());
        checked.or_else(|(key, value, reason)| conflict(key, &value, reason))
    }
}

impl ServeFlags {
    /// The flags that were given.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut push = |flag: &'static str, section: &str, key: &str, value: Option<Value>| {
            entries.extend(value.map(|value| Entry {
                section: section.into(),
                key: key.into(),
                value,
                origin: Origin::Flag(flag),
            }));
        };
        let list = |ips: &[std::net::IpAddr]| {
            let texts = ips.iter().map(|ip| Value::String(ip.to_string())).collect();
            (!ips.is_empty()).then_some(Value::Array(texts))
        };
        let number = |number: u16| Value::Integer(number.into());
        push("--http", "http", "listen", self.http.map(|addr| Value::String(addr.to_string())));
        push("--open", "http", "open", self.open.then_some(Value::Boolean(true)));
        push("--media-ip", "media", "ip", list(&self.media_ip));
        push("--media-bind", "media", "bind", list(&self.media_bind));
        push("--media-port", "media", "port", self.media_port.map(number));
        push("--workers", "media", "workers", self.workers.map(number));
        push("--data", "data", "dir", self.data.clone().map(Value::String));
        entries
    }
}

impl Entry {
    /// As errors name it: `section.key`.
    fn name(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    fn into_table(self) -> Table {
        let section = Table::from_iter([(self.key, self.value)]);
        Table::from_iter([(self.section, Value::Table(section))])
    }

    /// The value is one that its key can take.
    fn check(&self) -> Result<(), ConfigError> {
        let alone = Self {
            section: self.section.clone(),
            key: self.key.clone(),
            value: self.value.clone(),
            origin: Origin::Default,
        };
        match Config::deserialize(alone.into_table()) {
            Ok(_) => Ok(()),
            Err(error) => {
                let reason = error.message().to_owned();
                Err(ConfigError::Value { origin: self.origin.clone(), key: self.name(), reason })
            }
        }
    }
}

impl Origins {
    fn note_file(&mut self, path: &Path, table: &Table) {
        for (section, keys) in table {
            for key in keys.as_table().into_iter().flat_map(Table::keys) {
                self.0.insert(format!("{section}.{key}"), Origin::File(path.to_owned()));
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "configuration file {}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Reads the file against the types first, for errors that name the line. What stands in it may be
/// a secret: no value is repeated.
fn file_table(path: &Path, text: &str) -> Result<Table, ConfigError> {
    let read = toml::from_str::<Config>(text).and_then(|_| text.parse::<Table>());
    read.map_err(|fault| {
        let before = fault.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let key = text.lines().nth(line - 1).and_then(|line| line.split_once('='));
        let key = key.map(|(key, _)| format!("{}: ", key.trim())).unwrap_or_default();
        let reason = key + &without_values(fault.message());
        ConfigError::File { path: path.to_owned(), line, reason }
    })
}

/// The library's words, `invalid type: string "..", expected ..`, without what it quotes.
fn without_values(message: &str) -> String {
    let (mut told, mut is_quoted) = (String::new(), false);
    for letter in message.chars() {
        match letter {
            '"' => {
                is_quoted = !is_quoted;
                told.push_str(if is_quoted { "[redacted" } else { "]" });
            }
            _ if is_quoted => {}
            letter => told.push(letter),
        }
    }
    told
}

/// The variables that name a key: `VOXHALL_<SECTION>_<KEY>`. One in the name of a section but of
/// no key is a slip and refused; others that begin with `VOXHALL_` are not ours to judge
/// (Kubernetes sets `VOXHALL_PORT` and the like beside a service of that name).
fn environment_entries(
    defaults: &Table,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Entry>, ConfigError> {
    let mut entries = Vec::new();
    for (name, text) in environment {
        let is_of_section = |section: &str| name.starts_with(&variable(section, ""));
        let Some((section, keys)) = defaults.iter().find(|(section, _)| is_of_section(section))
        else {
            continue;
        };
        let keys = keys.as_table().expect("a section is a table");
        let Some((key, default)) = keys.iter().find(|(key, _)| variable(section, key) == name)
        else {
            return Err(ConfigError::UnknownVariable { name });
        };
        let origin = Origin::Environment(name);
        let value = value_like(default, &text).map_err(|reason| ConfigError::Value {
            origin: origin.clone(),
            key: format!("{section}.{key}"),
            reason,
        })?;
        entries.push(Entry { section: section.clone(), key: key.clone(), value, origin });
    }
    Ok(entries)
}

fn variable(section: &str, key: &str) -> String {
    format!("VOXHALL_{section}_{key}").to_uppercase()
}

/// Reads a variable's text as the kind of value its key's default is. Lists are comma separated,
/// or a TOML array (for lists of tables).
fn value_like(default: &Value, text: &str) -> Result<Value, String> {
    let text = text.trim();
    match default {
        Value::Integer(_) => match text.parse() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => Err(format!("`{text}` is not a whole number")),
        },
        Value::Boolean(_) => match text.parse() {
            Ok(choice) => Ok(Value::Boolean(choice)),
            Err(_) => Err(format!("`{text}` is neither true nor false")),
        },
        Value::Array(_) if text.starts_with('[') => {
            let table: Result<Table, _> = format!("list = {text}").parse();
            let list = table.ok().and_then(|mut table| table.remove("list"));
            list.ok_or_else(|| "this is not a TOML array".to_owned())
        }
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn lay_over(merged: &mut Table, layer: Table) {
    for (section, keys) in layer {
        match (merged.get_mut(&section), keys) {
            (Some(Value::Table(below)), Value::Table(keys)) => below.extend(keys),
            (_, keys) => {
                merged.insert(section, keys);
            }
        }
    }
}

/// `scheme://host[:port]`, as browsers write the Origin header (RFC 6454 section 6.2).
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_part))
}

/// More voices than anybody tells apart, and a bound for the sections of a description.
const SLOTS_MOST: u8 = 64;
