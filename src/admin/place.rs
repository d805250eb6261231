//! Where the operator's door is: its listener, and the file that tells commands on this machine
//! how it is reached.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::pass::Pass;
use super::{Parts, router};
use crate::config::Config;
use crate::signal::{self, Gate, GateLimits, Tls};

/// Why it does not open.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the operator's listener (admin.listen) cannot be {address}: {cause}")]
    Listen { address: SocketAddr, cause: io::Error },
    #[error("cannot tell commands how this node is reached, in {}: {cause}", path.display())]
    Note { path: PathBuf, cause: io::Error },
}

/// The listener, before it is served.
pub struct Office {
    listener: TcpListener,
    tls: Option<Tls>,
    token: String,
    note: Note,
}

/// The listener, served.
pub struct Opened {
    stop: Arc<Notify>,
    served: JoinHandle<()>,
    note: Note,
}

/// How a node is reached, in its data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    path: PathBuf,
    pub url: String,
    pub token: String,
}

impl Office {
    /// Beyond loopback it has the certificate of the other listener.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn open(config: &Config, tls: Option<&Tls>) -> Result<Option<Office>, Fault> {
        let admin = &config.admin;
        if !admin.enabled {
            return Ok(None);
        }
        let tls = tls.filter(|_| admin.is_beyond_loopback()).cloned();
        let listen = || {
            let listener = TcpListener::bind(admin.listen)?;
            let bound = listener.local_addr()?;
            Ok((listener, bound))
        };
        let fault = |cause| Fault::Listen { address: admin.listen, cause };
        let (listener, bound) = listen().map_err(fault)?;
        let token = match admin.token.is_empty() {
            true => format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
            false => admin.token.clone(),
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let path = note_path(&config.data.dir);
        let note = Note { path, url: format!("{scheme}://{bound}"), token: token.clone() };
        Ok(Some(Office { listener, tls, token, note }))
    }

    /// From here on the operator is answered, and commands find the way.
    ///
    /// # Errors
    /// The way cannot be written down.
    pub fn serve(self, parts: Parts) -> Result<Opened, Fault> {
        let Office { listener, tls, token, note } = self;
        let routes = router(parts, Pass::new(&token));
        note.write().map_err(|cause| Fault::Note { path: note.path.clone(), cause })?;
        // Where it listens above its port is the note's to say: no address in the log.
        let port = listener.local_addr().map_or(0, |address| address.port());
        info!(port, "the operator is answered");
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let gate = Gate::new(GateLimits::default());
        let served = tokio::spawn(async move {
            let stopped = async move { stopped.notified().await };
            if let Err(fault) = signal::serve(routes, listener, tls, gate, stopped).await {
                error!(%fault, "the operator is answered no more");
            }
        });
        Ok(Opened { stop, served, note })
    }
}

impl Opened {
    /// At the node's end: nobody shall look for it any more.
    pub async fn close(self) {
        self.note.remove();
        self.stop.notify_one();
        // Its last requests have as long as those of people.
        let _ = tokio::time::timeout(CLOSE_MAX, self.served).await;
    }
}

impl Note {
    /// What a node left in its data folder.
    ///
    /// # Errors
    /// There is none, or it is none.
    pub fn read(data: &Path) -> io::Result<Note> {
        let path = note_path(data);
        let note: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let text = |name: &str| note[name].as_str().map(str::to_owned);
        match (text("url"), text("token")) {
            (Some(url), Some(token)) => Ok(Note { path, url, token }),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it has no url and token")),
        }
    }

    /// For its owner alone, whole or not at all.
    fn write(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let part = self.path.with_extension("json.part");
        // One that a killed process left may belong to whoever could read it.
        match fs::remove_file(&part) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            Err(_) | Ok(()) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        let note = json!({ "url": self.url, "token": self.token });
        writeln!(file, "{note}")?;
        fs::rename(&part, &self.path)
    }

    /// Unless another node has taken the folder over.
    fn remove(&self) {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let is_ours = Note::read(folder).is_ok_and(|note| note == *self);
        if is_ours && let Err(fault) = fs::remove_file(&self.path) {
            warn!(%fault, "the way to this node is still written down");
        }
    }
}

fn note_path(data: &Path) -> PathBuf {
    data.join("admin.json")
}

/// Beyond the time that requests under way are given.
const CLOSE_MAX: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn note(folder: &Path, token: &str) -> Note {
        let url = "http://127.0.0.1:7".to_owned();
        Note { path: note_path(folder), url, token: token.to_owned() }
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_goes_with_its_node_alone() {
        let folder = std::env::temp_dir().join(format!("voxhall-test-{}", Uuid::new_v4()));
        let (former, newer) = (note(&folder, "one"), note(&folder, "two"));
        former.write().unwrap();
        assert_eq!(Note::read(&folder).unwrap(), former);
        // What a killed node left half written is not written on: others might read it.
        let part = folder.join("admin.json.part");
        fs::write(&part, "half").unwrap();
        fs::set_permissions(&part, fs::Permissions::from_mode(0o644)).unwrap();
        newer.write().unwrap();
        let mode = fs::metadata(note_path(&folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        former.remove();
        assert_eq!(Note::read(&folder).unwrap(), newer);
        newer.remove();
        assert_eq!(Note::read(&folder).unwrap_err().kind(), io::ErrorKind::NotFound);
        for wrong in ["", "{}", "[]", r#"{"url":1,"token":"x"}"#] {
            fs::write(note_path(&folder), wrong).unwrap();
            assert!(Note::read(&folder).is_err(), "{wrong}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
