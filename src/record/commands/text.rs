//! What the commands print.

use super::{CommandFault, say};
use crate::record::finish::read_report;
use crate::record::line::{self, Event, TIMELINE, TIMELINE_PART};
use crate::record::report::{REPORT, Report};
use crate::record::store::{Folder, Id, Root};

/// A line a recording.
pub fn list(root: &Root, json: bool) -> Result<bool, CommandFault> {
    let ids = super::recordings(root)?;
    if ids.is_empty() && !json {
        say("no recordings\n")?;
    }
    let mut is_whole = true;
    for id in ids {
        let listed = super::each(root, &id, |id, folder| list_one(id, folder, json));
        is_whole &= super::or_say(&id, listed)?;
    }
    Ok(is_whole)
}

fn list_one(id: &Id, folder: &Folder, json: bool) -> Result<bool, CommandFault> {
    let line = match (folder.has(REPORT), json) {
        (true, true) => {
            let report = read_report(folder)?;
            serde_json::to_string(&report).map_err(std::io::Error::other)?
        }
        (true, false) => line_of(&read_report(folder)?),
        (false, true) => {
            serde_json::json!({ "id": id.as_str(), "state": state(folder) }).to_string()
        }
        (false, false) => format!("{id}  {}", state(folder)),
    };
    say(&format!("{line}\n"))?;
    Ok(true)
}

fn state(folder: &Folder) -> &'static str {
    match folder.has(TIMELINE_PART) {
        true => "being made, or cut off",
        false => "not finished",
    }
}

fn line_of(report: &Report) -> String {
    let bytes: u64 = report.files.iter().map(|file| file.bytes).sum();
    let names: Vec<&str> = report.people.iter().map(|it| it.display_name.as_str()).collect();
    format!(
        "{}  {:>8}  {:>9}  {}  {}",
        report.id,
        duration(report.duration_ms),
        size(bytes),
        chat(report),
        names.join(", ")
    )
}

/// All of one recording.
pub fn show(folder: &Folder) -> Result<(), CommandFault> {
    if !folder.has(REPORT) {
        let content = folder.read(TIMELINE_PART, u64::MAX - 1);
        let content = content.or_else(|_| folder.read(TIMELINE, u64::MAX - 1))?;
        let begun = line::read(&content).0.into_iter().find_map(|line| match line.event {
            Event::Recording { call, began, .. } => Some(format!("call {call}, began {began}")),
            _ => None,
        });
        let begun = begun.unwrap_or_else(|| "no beginning".to_owned());
        return say(&format!("{}: {begun}\n", state(folder)));
    }
    let report = read_report(folder)?;
    let mut text = format!(
        "recording {}\ncall      {}\nchat      {}\nbegan     {}\nended     {} ({})\nlength    {}\n",
        report.id,
        report.call,
        chat(&report),
        report.began,
        report.ended,
        report.why_ended,
        duration(report.duration_ms)
    );
    text.push_str("\npeople\n");
    for person in &report.people {
        let spoke = match person.no_record {
            true => "not recorded, by his own will".to_owned(),
            false => format!("spoke {}", duration(person.talked_ms)),
        };
        let told = person
            .told_ms
            .first()
            .map_or("was not told".to_owned(), |at| format!("told at {}", duration(*at)));
        text.push_str(&format!("  {}  {}  {spoke}, {told}\n", person.jid, person.display_name));
    }
    text.push_str("\ntracks\n");
    for track in &report.tracks {
        text.push_str(&format!(
            "  {}  {}  {} to {}  {} packets, {} ms lost, {} late\n",
            track.file,
            track.jid,
            duration(track.from_ms),
            duration(track.to_ms),
            track.packets,
            track.lost_ms,
            track.late
        ));
    }
    for stop in &report.stops {
        let (from, to) = (duration(stop.from_ms), duration(stop.to_ms));
        text.push_str(&format!("\nnot recorded from {from} to {to}: {}\n", stop.why));
    }
    text.push_str("\nfiles\n");
    for file in &report.files {
        text.push_str(&format!("  {:<16} {:>9}  {}\n", file.name, size(file.bytes), file.sha256));
    }
    say(&text)
}

fn chat(report: &Report) -> String {
    match report.chat.display_name.is_empty() {
        true => report.chat.jids.join(" + "),
        false => report.chat.display_name.clone(),
    }
}

fn duration(ms: u64) -> String {
    let s = ms / 1_000;
    format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
