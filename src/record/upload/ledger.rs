//! `upload.json` in a recording's folder: what of it the store has. It is there before the first
//! byte goes, so that whatever lies in the store is known here, and it outlives the recording
//! until its objects are deleted too.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use crate::record::store::Folder;

/// The file's name.
pub const UPLOAD: &str = "upload.json";

/// Longest one that is read, in bytes: parts of 16 MiB, 12 hours of a crowd in many channels.
const UPLOAD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// See the module's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Which store: `s3://bucket/prefix`.
    pub store: String,
    /// When all of it was read back and found right, in the product's time format.
    pub confirmed: Option<String>,
    /// By name.
    pub files: BTreeMap<String, Held>,
}

/// One file, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub bytes: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
    #[serde(flatten)]
    pub stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// It may lie in the store already, or not.
    Begun,
    /// It goes in parts; those the store has, as the store calls them, in order.
    Parts { upload: String, parts: Vec<String> },
    /// The store said that it has it.
    Stored,
    /// It was read back, and is the same.
    Confirmed,
}

impl Ledger {
    pub fn new(store: &str) -> Ledger {
        Ledger { store: store.to_owned(), ..Ledger::default() }
    }

    /// `None` where nothing was ever sent of the recording.
    ///
    /// # Errors
    /// It cannot be read, or makes no sense.
    pub fn read(folder: &Folder) -> io::Result<Option<Ledger>> {
        match folder.read(UPLOAD, UPLOAD_BYTES_MAX) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// # Errors
    /// The disk's; the former one stays.
    pub fn write(&self, folder: &Folder) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(self)?;
        folder.write(UPLOAD, &json)
    }

    /// A file that the store is known to have.
    pub fn confirmed(&self, name: &str) -> Option<&Held> {
        self.files.get(name).filter(|held| held.stage == Stage::Confirmed)
    }

    /// Whether the store is known to have a file of this content.
    pub fn has(&self, name: &str, sha256: &str) -> bool {
        self.confirmed(name).is_some_and(|held| held.sha256 == sha256)
    }

    /// Files of which only the store has the content.
    pub fn away(&self, folder: &Folder) -> Vec<&str> {
        let names = self.files.keys().map(String::as_str);
        names.filter(|name| self.confirmed(name).is_some() && !folder.has(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use engine::Wall;

    use super::*;
    use crate::core::test_folder::TestFolder;
    use crate::record::store::{Id, Root};

    fn held(stage: Stage) -> Held {
        Held { bytes: 3, sha256: "ab".repeat(32), stage }
    }

    #[test]
    fn each_stage_comes_back_from_the_file_and_only_what_is_confirmed_may_be_away() {
        let place = TestFolder::new();
        let folder = Root::open(place.path()).unwrap().create(&Id::new(Wall(0))).unwrap();
        assert_eq!(Ledger::read(&folder).unwrap(), None);
        let parts = Stage::Parts { upload: "u".to_owned(), parts: vec!["1".to_owned()] };
        let stages = [Stage::Begun, parts, Stage::Stored, Stage::Confirmed];
        let mut ledger = Ledger::new("s3://calls");
        ledger.files = (0..).zip(stages).map(|(at, it)| (format!("f-{at}"), held(it))).collect();
        ledger.write(&folder).unwrap();
        assert_eq!(Ledger::read(&folder).unwrap(), Some(ledger.clone()));
        assert_eq!(ledger.away(&folder), ["f-3"]);
        assert!(ledger.has("f-3", &"ab".repeat(32)) && !ledger.has("f-3", "other"));
        assert!(!ledger.has("f-2", &"ab".repeat(32)));
        folder.write("f-3", b"abc").unwrap();
        assert!(ledger.away(&folder).is_empty());
    }

    #[test]
    fn a_file_that_makes_no_sense_is_a_fault_and_not_nothing() {
        let place = TestFolder::new();
        let folder = Root::open(place.path()).unwrap().create(&Id::new(Wall(0))).unwrap();
        folder.write(UPLOAD, b"{").unwrap();
        assert!(Ledger::read(&folder).is_err());
    }
}
