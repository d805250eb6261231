//! `voxhall recordings ..`: the archive in a terminal.

mod export;
mod text;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::Floor;
use super::archive::{self, Archive};
use super::finish::{FinishFault, check_sound, finish, list, read_report};
use super::finisher::unfinished;
use super::line::TIMELINE_PART;
use super::mix::Options;
use super::ogg::Reader;
use super::repair::{Repaired, repair};
use super::report::REPORT;
use super::store::{Folder, Id, Root};
use super::track::track_number;
use super::upload::{Ledger, is_leftover};
use crate::config::{Config, RecordingsAction, RecordingsFlags};

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandFault {
    #[error("{0}: {1}")]
    Folder(String, io::Error),
    #[error("{0}: there is no such recording")]
    NoSuch(String),
    #[error("{0}: a server is recording here, it mends what needs it by itself; stop it first")]
    Busy(String),
    #[error("{0}: {1}")]
    Finish(Id, FinishFault),
    #[error(transparent)]
    Archive(#[from] archive::Fault),
    #[error("{0}")]
    File(#[from] io::Error),
}

/// False where something was found that is not as it should be.
///
/// # Errors
/// What was asked for cannot be done.
pub fn run(flags: &RecordingsFlags, config: &Config) -> Result<bool, CommandFault> {
    let own = match &flags.action {
        RecordingsAction::Repair { folder } => folder.clone(),
        _ => None,
    };
    let place = own.or_else(|| flags.dir.clone());
    let place = place.unwrap_or_else(|| config.record.folder(&config.data));
    let root = open(&place)?;
    let options = Options { layout: config.record.mix, opus: config.record.mix_opus };
    let floor = Floor::of(&config.record);
    match &flags.action {
        RecordingsAction::Ls { json } => return text::list(&root, *json),
        RecordingsAction::Show { id } => text::show(&folder(&root, id)?.1)?,
        RecordingsAction::Mix { id, layout, no_opus } => {
            let (id, folder) = folder(&root, id)?;
            if folder.has(TIMELINE_PART) {
                let _lock = lock(&root)?;
                repair(&folder)?;
            }
            let layout = layout.unwrap_or(options.layout);
            let opus = options.opus && !no_opus;
            make(&id, &folder, Options { layout, opus }, floor)?;
        }
        RecordingsAction::Export { id, to } => {
            let (id, folder) = folder(&root, id)?;
            check_sound(&folder).map_err(|fault| CommandFault::Finish(id.clone(), fault))?;
            let bar = bar(&id);
            export::export(&id, &folder, to, &mut |done| bar.set_position(percent(done)))?;
            bar.finish_and_clear();
            say(&format!("{}\n", to.join(id.as_str()).display()))?;
        }
        RecordingsAction::Repair { .. } => return mend(&root, options, floor),
        RecordingsAction::Reindex => reindex(root)?,
        RecordingsAction::Verify { id: Some(id) } => {
            let (id, folder) = folder(&root, id)?;
            return verify(&id, &folder);
        }
        RecordingsAction::Verify { id: None } => {
            let mut is_whole = true;
            for id in recordings(&root)? {
                is_whole &= or_say(&id, each(&root, &id, verify))?;
            }
            return Ok(is_whole);
        }
    }
    Ok(true)
}

fn open(place: &Path) -> Result<Root, CommandFault> {
    let fault = |fault| CommandFault::Folder(place.display().to_string(), fault);
    // A folder that is not there is a slip of the keyboard, not one to make.
    std::fs::metadata(place).map_err(fault)?;
    Root::open(place).map_err(fault)
}

fn folder(root: &Root, id: &str) -> Result<(Id, Folder), CommandFault> {
    let no_such = || CommandFault::NoSuch(id.to_owned());
    let id = Id::parse(id).ok_or_else(no_such)?;
    let folder = root.folder(&id).map_err(|_| no_such())?;
    Ok((id, folder))
}

/// All but those that are deleted here and wait to be deleted in the store.
fn recordings(root: &Root) -> io::Result<Vec<Id>> {
    let is_there = |id: &Id| root.folder(id).is_ok_and(|folder| !is_leftover(&folder));
    Ok(root.ids()?.into_iter().filter(is_there).collect())
}

fn lock(root: &Root) -> Result<super::store::Lock, CommandFault> {
    let busy = |fault: io::Error| match fault.kind() {
        io::ErrorKind::WouldBlock => CommandFault::Busy(root.path().display().to_string()),
        _ => CommandFault::File(fault),
    };
    root.lock().map_err(busy)
}

fn reindex(root: Root) -> Result<(), CommandFault> {
    let archive = Archive::open(Arc::new(root), Arc::default())?;
    let bar = ProgressBar::new(0);
    let mut all = 0;
    archive.rebuild(&mut |step| {
        all = step.all;
        bar.set_length(step.all as u64);
        bar.set_position(step.done as u64);
    })?;
    bar.finish_and_clear();
    say(&format!("{all} recordings indexed\n"))
}

/// Mends and finishes everything that needs it.
fn mend(root: &Root, options: Options, floor: Floor) -> Result<bool, CommandFault> {
    let _lock = lock(root)?;
    let (mut is_whole, left) = (true, unfinished(root)?);
    if left.is_empty() {
        say("nothing to mend\n")?;
    }
    for id in left {
        let mended = each(root, &id, |id, folder| mend_one(root, id, folder, (options, floor)));
        is_whole &= or_say(&id, mended)?;
    }
    Ok(is_whole)
}

fn mend_one(
    root: &Root,
    id: &Id,
    folder: &Folder,
    (options, floor): (Options, Floor),
) -> Result<bool, CommandFault> {
    match repair(folder)? {
        Repaired::Empty => {
            root.remove(id)?;
            say(&format!("{id}: nothing was recorded, removed\n"))?;
            return Ok(true);
        }
        Repaired::Mended { cut_bytes } => {
            say(&format!("{id}: mended, {cut_bytes} bytes cut off\n"))?;
        }
        Repaired::Whole => {}
    }
    make(id, folder, options, floor).map(|()| true)
}

/// One of many.
fn each(
    root: &Root,
    id: &Id,
    act: impl FnOnce(&Id, &Folder) -> Result<bool, CommandFault>,
) -> Result<bool, CommandFault> {
    act(id, &root.folder(id)?)
}

/// One that cannot be handled is said, and hinders no other. Nor does a reader that went away.
fn or_say(id: &Id, done: Result<bool, CommandFault>) -> Result<bool, CommandFault> {
    match done {
        Err(CommandFault::File(fault)) if fault.kind() == io::ErrorKind::BrokenPipe => {
            Err(CommandFault::File(fault))
        }
        Err(fault @ CommandFault::Finish(..)) => {
            eprintln!("voxhall: {fault}");
            Ok(false)
        }
        Err(fault) => {
            eprintln!("voxhall: {id}: {fault}");
            Ok(false)
        }
        Ok(is_whole) => Ok(is_whole),
    }
}

fn make(id: &Id, folder: &Folder, options: Options, floor: Floor) -> Result<(), CommandFault> {
    let bar = bar(id);
    let done = finish(folder, options, floor, &mut |done| {
        bar.set_position(percent(done));
        true
    });
    bar.finish_and_clear();
    done.map_err(|fault| CommandFault::Finish(id.clone(), fault))?;
    say(&format!("{id}: ready\n"))
}

/// Whether all files are as call.json says, or confirmed to be in the store, and all tracks whole.
fn verify(id: &Id, folder: &Folder) -> Result<bool, CommandFault> {
    let ledger = Ledger::read(folder)?.unwrap_or_default();
    let (mut wrong, mut stored) = (Vec::new(), 0);
    if folder.has(REPORT) {
        let report = read_report(folder)?;
        let found = list(folder)?;
        for file in &report.files {
            match found.iter().find(|it| it.name == file.name) {
                None if ledger.has(&file.name, &file.sha256) => stored += 1,
                None => wrong.push(format!("{}: missing", file.name)),
                Some(it) if it != file => wrong.push(format!("{}: changed", file.name)),
                Some(_) => {}
            }
        }
    } else {
        wrong.push("not finished".to_owned());
    }
    for name in folder.names()?.iter().filter(|name| track_number(name).is_some()) {
        let checked = Reader::open(folder.open(name)?).and_then(|mut reader| {
            while reader.packet()?.is_some() {}
            Ok(())
        });
        if let Err(fault) = checked {
            wrong.push(format!("{name}: {fault}"));
        }
    }
    let verdict = match (wrong.is_empty(), stored) {
        (true, 0) => "whole".to_owned(),
        (true, stored) => format!("whole, {stored} files in the store"),
        (false, _) => wrong.join("; "),
    };
    say(&format!("{id}: {verdict}\n"))?;
    Ok(wrong.is_empty())
}

/// On stderr, and only where that is a terminal.
fn bar(id: &Id) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {eta}");
    let bar = ProgressBar::new(100).with_message(id.to_string());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn percent(done: f32) -> u64 {
    (done * 100.0) as u64
}

fn say(text: &str) -> Result<(), CommandFault> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
