//! Descriptions against captures of Chromium 156, Firefox ESR 153 and aiortc 1.16, and against
//! what a hostile client may write. `tests/data/sdp/written-*.sdp` is what ours must look like.

use std::fs;
use std::path::PathBuf;

use super::*;

mod candidates;
mod captures;
mod hostile;
mod limits;
mod refusals;
mod written;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sdp"))
}

fn capture(name: &str) -> String {
    fs::read_to_string(folder().join(name).with_extension("sdp")).unwrap()
}

/// Names and texts of the captures for which this holds.
fn captures(is_wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap().replace(".sdp", ""));
    let mut names: Vec<String> = names.filter(|name| is_wanted(name)).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), capture(&name))).collect()
}

fn is_client(name: &str) -> bool {
    ["aiortc-", "chromium-", "firefox-"].iter().any(|client| name.starts_with(client))
}

fn parsed(text: &str) -> Result<Remote, Malformed> {
    parse(text, &Limits::default())
}

/// The capture with one text in place of another, which must be there.
fn altered(name: &str, from: &str, to: &str) -> String {
    let text = capture(name);
    assert!(text.contains(from), "{name} has no {from}");
    text.replace(from, to)
}
