//! The file that people and groups are kept in: small JSON, written whole and atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Our machine's fault, at start: the core does not run without what it kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0}: not a file of people; move it away to begin anew")]
    Garbled(PathBuf),
}

/// The file's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub team: StoredTeam,
    pub groups: Vec<StoredGroup>,
    pub people: Vec<StoredPerson>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTeam {
    pub uid: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredGroup {
    pub jid: String,
    pub display_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPerson {
    pub jid: String,
    pub display_name: String,
    /// 64 hexadecimal digits.
    pub token_sha256: String,
    #[serde(default)]
    pub no_record: bool,
}

/// Where the file is.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Stored {
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("structs of text can be written")
    }

    pub fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

impl Store {
    /// In `folder`, which is made where it is missing (for its owner only).
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, StoreFault> {
        let store = Self { folder: folder.to_owned() };
        fs::create_dir_all(folder).map_err(|source| store.fault(source))?;
        Ok(store)
    }

    /// What was kept; `None` where nothing was yet.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn load(&self) -> Result<Option<Stored>, StoreFault> {
        match fs::read_to_string(self.path()) {
            Ok(json) => Stored::from_json(&json).map(Some).ok_or_else(|| self.garbled()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(self.garbled()),
            Err(source) => Err(self.fault(source)),
        }
    }

    /// Replaces the file: whoever reads it, after a crash too, sees the old or the new one whole.
    ///
    /// # Errors
    /// The disk's; the old file stays.
    pub fn save(&self, stored: &Stored) -> Result<(), StoreFault> {
        self.replace(stored.to_json().as_bytes()).map_err(|source| self.fault(source))
    }

    /// The fault of a file whose words make no sense.
    pub fn garbled(&self) -> StoreFault {
        StoreFault::Garbled(self.path())
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.folder.join("people.json.part");
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path())?;
        File::open(&self.folder)?.sync_all()
    }

    fn path(&self) -> PathBuf {
        self.folder.join("people.json")
    }

    fn fault(&self, source: io::Error) -> StoreFault {
        StoreFault::Io { path: self.path(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_folder::TestFolder;

    fn stored(name: &str) -> Stored {
        let team = StoredTeam { uid: "u".into(), name: name.into() };
        Stored { team, groups: vec![], people: vec![] }
    }

    #[test]
    fn the_last_saved_is_loaded() {
        let folder = TestFolder::new();
        let store = Store::open(&folder.path().join("deep/er")).unwrap();
        assert_eq!(store.load().unwrap(), None);
        store.save(&stored("one")).unwrap();
        store.save(&stored("two")).unwrap();
        assert_eq!(store.load().unwrap(), Some(stored("two")));
    }

    #[test]
    fn a_half_written_successor_leaves_the_file_as_it_was() {
        let folder = TestFolder::new();
        let store = Store::open(folder.path()).unwrap();
        store.save(&stored("one")).unwrap();
        fs::write(folder.path().join("people.json.part"), "{\"te").unwrap();
        assert_eq!(store.load().unwrap(), Some(stored("one")));
        store.save(&stored("two")).unwrap();
        assert_eq!(store.load().unwrap(), Some(stored("two")));
    }

    #[test]
    fn a_garbled_file_is_refused_and_left_alone() {
        let folder = TestFolder::new();
        let store = Store::open(folder.path()).unwrap();
        fs::write(folder.path().join("people.json"), b"{\xff").unwrap();
        assert!(matches!(store.load(), Err(StoreFault::Garbled(_))));
        assert!(folder.path().join("people.json").exists());
    }
}
