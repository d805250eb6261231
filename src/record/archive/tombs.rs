//! `deleted.jsonl` in the root: a line for each recording that was deleted, written and brought to
//! the disk before its folder goes. Where both are there, the deletion was cut off.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

use serde::{Deserialize, Serialize};

use crate::record::store::{Id, Root};

/// The file's name.
pub const DELETED: &str = "deleted.jsonl";

/// Longest line that is read, in bytes; ours have under 1 KiB.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Why a recording was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Somebody asked for it.
    Asked,
    /// It was older than recordings are kept.
    Age,
    /// It was the oldest, and they took more room than they may.
    Size,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    pub id: String,
    /// Wall clock, in the product's time format.
    pub when: String,
    /// Whose wish it was; `""` for the rules of age and size.
    pub by: String,
    /// The group's jid, or the two people's.
    pub chat: Vec<String>,
    pub why: Why,
}

/// Sets a stone. Once it returns, the recording is deleted, whatever becomes of this process.
///
/// # Errors
/// The disk's; then nothing is deleted.
pub fn set(root: &Root, stone: &Tombstone) -> io::Result<()> {
    let mut file = root.own_file(DELETED)?;
    let mut line = serde_json::to_vec(stone)?;
    line.push(b'\n');
    // A line that was cut off must not swallow this one.
    if file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            line.insert(0, b'\n');
        }
    }
    file.write_all(&line)?;
    file.sync_all()
}

/// The ids of all stones that `is_wanted`; lines that make no sense are left out.
///
/// # Errors
/// The file cannot be read.
pub fn read(root: &Root, is_wanted: impl Fn(&Id) -> bool) -> io::Result<Vec<Id>> {
    let mut file = BufReader::new(root.own_file(DELETED)?);
    let (mut ids, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(ids);
        }
        let stone = serde_json::from_slice::<Tombstone>(&line).ok();
        ids.extend(stone.and_then(|stone| Id::parse(&stone.id)).filter(&is_wanted));
    }
}

/// Whether there is a stone of a recording.
///
/// # Errors
/// The file cannot be read.
pub fn is_deleted(root: &Root, id: &Id) -> io::Result<bool> {
    Ok(!read(root, |it| it == id)?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_folder::TestFolder;

    fn stone(id: &str) -> Tombstone {
        let (when, by) = ("2026-03-02T09:30:15.264095Z".to_owned(), "d-1".to_owned());
        Tombstone { id: id.to_owned(), when, by, chat: vec!["g-1".to_owned()], why: Why::Asked }
    }

    #[test]
    fn a_stone_that_was_cut_off_swallows_none_that_is_set_later() {
        let place = TestFolder::new();
        let root = Root::open(place.path()).unwrap();
        set(&root, &stone("a")).unwrap();
        let path = place.path().join(DELETED);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text += "{\"id\":\"b\",\"wh";
        std::fs::write(&path, text).unwrap();
        set(&root, &stone("c")).unwrap();
        let ids = read(&root, |_| true).unwrap();
        assert_eq!(ids.iter().map(Id::as_str).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(read(&root, |id| id.as_str() == "c").unwrap().len(), 1);
    }
}
