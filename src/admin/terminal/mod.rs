//! `voxhall calls | call UID | drain`: the operator's door in a terminal.

mod client;
mod text;

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

use self::client::{Client, Failure};
use super::place::Note;
use crate::config::{CallFlags, CallsFlags, Config, ConfigError, DrainFlags, NodeFlags};

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandFault {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("no server runs with its data in {folder} (--data, --config or --url say where)")]
    NoNote { folder: String },
    #[error("how the server is reached cannot be read in {folder}: {cause}")]
    Unreadable { folder: String, cause: io::Error },
    #[error("--url needs the server's token in VOXHALL_ADMIN_TOKEN")]
    NoToken,
    #[error(transparent)]
    Node(#[from] Failure),
    #[error("no call begins with {0}")]
    NoSuchCall(String),
    #[error("{0} begins several calls: {1}")]
    Ambiguous(String, String),
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// `voxhall calls`
///
/// # Errors
/// No server answers.
pub async fn calls(flags: &CallsFlags) -> Result<(), CommandFault> {
    let calls = reach(&flags.node)?.read("calls").await?;
    match flags.node.json {
        true => say(&format!("{calls}\n")),
        false => say(&text::calls(&calls)),
    }
}

/// `voxhall call UID`
///
/// # Errors
/// No server answers, or there is no such call.
pub async fn call(flags: &CallFlags) -> Result<(), CommandFault> {
    let client = reach(&flags.node)?;
    let uid = whole_uid(&client, &flags.uid).await?;
    let call = client.read(&format!("calls/{uid}")).await?;
    let jids = call["onliners"].as_array().into_iter().flatten().map(|it| it["jid"].as_str());
    let jids = jids.flatten().filter(|jid| flags.listener.as_deref().is_none_or(|it| it == *jid));
    let mut hearings = Vec::new();
    for jid in jids.take(LISTENERS_MAX) {
        match client.read(&format!("calls/{uid}/hearing?listener={jid}")).await {
            Ok(hearing) => hearings.push(hearing),
            // Gone since.
            Err(Failure::Refused { status: 404, .. }) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    if flags.node.json {
        let mut whole = call;
        whole["hearing"] = Value::Array(hearings);
        return say(&format!("{whole}\n"));
    }
    say(&text::call(&call, &hearings))
}

/// `voxhall drain`
///
/// # Errors
/// No server answers.
pub async fn drain(flags: &DrainFlags) -> Result<(), CommandFault> {
    let client = reach(&flags.node)?;
    let mut node = client.post("drain").await?;
    let mut shown = String::new();
    loop {
        let line = match flags.node.json {
            true => node.to_string(),
            false => text::draining(&node),
        };
        // Of machines' lines the uptime always differs.
        let differs = text::draining(&node);
        if differs != shown {
            say(&format!("{line}\n"))?;
            shown = differs;
        }
        if flags.no_wait {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
        node = match client.read("node").await {
            Ok(node) => node,
            Err(Failure::Gone { .. }) => break,
            Err(failure) => return Err(failure.into()),
        };
    }
    match flags.node.json {
        true => say("{\"ended\":true}\n"),
        false => say("the server has ended\n"),
    }
}

/// By what the flags say, or what the server wrote down in its data folder.
fn reach(flags: &NodeFlags) -> Result<Client, CommandFault> {
    if let Some(url) = &flags.url {
        let token = std::env::var("VOXHALL_ADMIN_TOKEN").map_err(|_| CommandFault::NoToken)?;
        return Ok(Client::new(url, token)?);
    }
    let folder = Config::data_dir(&flags.serve())?;
    let note = Note::read(&folder).map_err(|cause| {
        let folder = folder.display().to_string();
        match cause.kind() {
            io::ErrorKind::NotFound => CommandFault::NoNote { folder },
            _ => CommandFault::Unreadable { folder, cause },
        }
    })?;
    Ok(Client::new(&note.url, note.token)?)
}

async fn whole_uid(client: &Client, prefix: &str) -> Result<String, CommandFault> {
    let calls = client.read("calls").await?;
    let uids = calls["calls"].as_array().into_iter().flatten().map(|call| call["uid"].as_str());
    let fitting: Vec<&str> = uids.flatten().filter(|uid| uid.starts_with(prefix)).collect();
    match fitting.as_slice() {
        [] => Err(CommandFault::NoSuchCall(prefix.to_owned())),
        [uid] => Ok((*uid).to_owned()),
        several => Err(CommandFault::Ambiguous(prefix.to_owned(), several.join(", "))),
    }
}

/// Whoever reads may have gone (`| head`): that is no fault.
fn say(text: &str) -> Result<(), CommandFault> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        said => Ok(said?),
    }
}

/// How often is looked how far a drain is.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Whose hearing is shown without being asked for: more fit no screen.
const LISTENERS_MAX: usize = 32;
