//! Where recordings lie: a folder each, under one root. No name here comes from a client; no file
//! is followed out of its folder, none is overwritten.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use engine::Wall;
use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags};

/// What a file is called while it is written.
pub const PART: &str = ".part";

/// Longest id, and longest file name.
const NAME_BYTES_MAX: usize = 64;

/// A recording's id, made by the server: when it began, and chance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// `20261124-181512-1a2b3c4d`: so the newest is the last in a listing.
    pub fn new(wall: Wall) -> Id {
        let time = crate::wire::time::format(wall.as_nanos());
        let digits: String = time.chars().filter(char::is_ascii_digit).take(14).collect();
        let (day, hour) = digits.split_at(8);
        let chance = uuid::Uuid::new_v4().simple().to_string();
        Id(format!("{day}-{hour}-{}", &chance[..8]))
    }

    /// `None` for what is no id: 1 to 64 of `a-z`, `0-9` and `-`.
    pub fn parse(text: &str) -> Option<Id> {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let fine = (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits);
        fine.then(|| Id(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder of all recordings.
pub struct Root {
    dir: OwnedFd,
    path: PathBuf,
}

/// Held as long as it lives.
pub struct Lock {
    _file: OwnedFd,
}

/// One recording's folder.
pub struct Folder {
    dir: OwnedFd,
    path: PathBuf,
}

/// Space on the disk of the root, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    pub all: u64,
}

impl Root {
    /// # Errors
    /// The folder cannot be made or opened.
    pub fn open(path: &Path) -> io::Result<Root> {
        std::fs::create_dir_all(path)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let dir = fs::open(path, flags, Mode::empty())?;
        Ok(Root { dir, path: path.to_owned() })
    }

    /// Whoever records or mends here does so alone, as long as it holds the lock.
    ///
    /// # Errors
    /// `WouldBlock`: somebody else does.
    pub fn lock(&self) -> io::Result<Lock> {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat2(&self.dir, "lock", flags, Mode::RUSR | Mode::WUSR, INSIDE)?;
        fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Lock { _file: file })
    }

    /// # Errors
    /// It cannot be made, or is there already.
    pub fn create(&self, id: &Id) -> io::Result<Folder> {
        fs::mkdirat(&self.dir, id.as_str(), Mode::RWXU)?;
        fs::fsync(&self.dir)?;
        self.folder(id)
    }

    /// # Errors
    /// There is none, or it is not a folder of ours.
    pub fn folder(&self, id: &Id) -> io::Result<Folder> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::RDONLY;
        let dir = fs::openat2(&self.dir, id.as_str(), flags, Mode::empty(), INSIDE)?;
        Ok(Folder { dir, path: self.path.join(id.as_str()) })
    }

    /// Ids of all recordings, the oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn ids(&self) -> io::Result<Vec<Id>> {
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let is_folder = entry.file_type()?.is_dir();
            let name = entry.file_name();
            ids.extend(name.to_str().filter(|_| is_folder).and_then(Id::parse));
        }
        ids.sort();
        Ok(ids)
    }

    /// # Errors
    /// The disk does not say.
    pub fn space(&self) -> io::Result<Space> {
        space(&self.dir)
    }

    /// Takes a recording's folder away, with all that lies in it.
    ///
    /// # Errors
    /// Some of it stays.
    pub fn remove(&self, id: &Id) -> io::Result<()> {
        let folder = self.folder(id)?;
        for name in folder.names()? {
            fs::unlinkat(&folder.dir, &name, AtFlags::empty())?;
        }
        fs::unlinkat(&self.dir, id.as_str(), AtFlags::REMOVEDIR)?;
        Ok(fs::fsync(&self.dir)?)
    }

    /// A file of the root's own, beside the recordings: made where it is missing, for its owner
    /// only, read from its beginning and written at its end.
    ///
    /// # Errors
    /// It cannot be opened, or leads out of this folder.
    pub fn own_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::CREATE | OFlags::APPEND | OFlags::RDWR;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat2(&self.dir, name, flags, Mode::RUSR | Mode::WUSR, INSIDE)?;
        fs::fsync(&self.dir)?;
        Ok(File::from(file))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Folder {
    /// Whoever mends or mixes does so alone, as long as it holds the lock.
    ///
    /// # Errors
    /// `WouldBlock`: somebody else does.
    pub fn lock(&self) -> io::Result<Lock> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        // An opening of its own: the lock goes with it.
        let dir = fs::openat(&self.dir, ".", flags, Mode::empty())?;
        fs::flock(&dir, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Lock { _file: dir })
    }

    /// A new file, called `name.part` until it is finished.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        let file = self.open_as(&format!("{name}{PART}"), flags)?;
        // A file that no folder names is lost with the power.
        fs::fsync(&self.dir)?;
        Ok(file)
    }

    /// # Errors
    /// There is none, or it is no plain file of this folder.
    pub fn open(&self, name: &str) -> io::Result<File> {
        self.open_as(name, OFlags::RDONLY)
    }

    /// To mend it.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn open_to_change(&self, name: &str) -> io::Result<File> {
        self.open_as(name, OFlags::RDWR)
    }

    fn open_as(&self, name: &str, flags: OFlags) -> io::Result<File> {
        if !is_file_name(name) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no name of ours"));
        }
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode =
            if flags.contains(OFlags::CREATE) { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
        let file = File::from(fs::openat2(&self.dir, name, flags, mode, INSIDE)?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("not a plain file")),
        }
    }

    /// Gives a file that was written its name. What it holds is on the disk before.
    ///
    /// # Errors
    /// The disk fails, or there is a file of that name already.
    pub fn finish(&self, name: &str, file: &File) -> io::Result<()> {
        file.sync_all()?;
        let flags = RenameFlags::NOREPLACE;
        fs::renameat_with(&self.dir, format!("{name}{PART}"), &self.dir, name, flags)?;
        Ok(fs::fsync(&self.dir)?)
    }

    /// The same for what is derived: a former one is replaced.
    ///
    /// # Errors
    /// The disk fails.
    pub fn replace(&self, name: &str, file: &File) -> io::Result<()> {
        file.sync_all()?;
        fs::renameat(&self.dir, format!("{name}{PART}"), &self.dir, name)?;
        Ok(fs::fsync(&self.dir)?)
    }

    /// A new file for what is derived: one that was begun and not finished is discarded.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create_anew(&self, name: &str) -> io::Result<File> {
        self.discard(&format!("{name}{PART}"))?;
        self.create(name)
    }

    /// What is derived, at once; a former one is replaced.
    ///
    /// # Errors
    /// The disk fails.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut file = self.create_anew(name)?;
        file.write_all(content)?;
        self.replace(name, &file)
    }

    /// # Errors
    /// It cannot be read, or is longer than `most` bytes.
    pub fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let (file, mut content) = (self.open(name)?, Vec::new());
        file.take(most + 1).read_to_end(&mut content)?;
        match content.len() as u64 > most {
            true => Err(io::Error::other(format!("{name} is longer than {most} bytes"))),
            false => Ok(content),
        }
    }

    /// Takes a file away; one that is not there is no fault.
    ///
    /// # Errors
    /// It stays.
    pub fn discard(&self, name: &str) -> io::Result<()> {
        match fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Err(rustix::io::Errno::NOENT) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// # Errors
    /// The disk does not say.
    pub fn space(&self) -> io::Result<Space> {
        space(&self.dir)
    }

    /// Names of all files, in order.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// How much lies in it, in bytes.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn bytes(&self) -> io::Result<u64> {
        let size = |name: &String| match fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => u64::try_from(stat.st_size).unwrap_or(0),
            // It was finished, and so renamed, or taken away meanwhile.
            Err(_) => 0,
        };
        Ok(self.names()?.iter().map(size).sum())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn space(dir: &OwnedFd) -> io::Result<Space> {
    let disk = fs::fstatvfs(dir)?;
    Ok(Space { free: disk.f_bavail * disk.f_frsize, all: disk.f_blocks * disk.f_frsize })
}

/// What files of a recording are called: letters, digits, points and hyphens, none in front but a
/// letter.
pub fn is_file_name(name: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(fits)
}

/// No way out of the folder, by whatever is planted there.
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_folder::TestFolder;

    #[test]
    fn an_id_is_what_the_server_makes_and_nothing_else() {
        let id = Id::new(Wall(1_795_000_000_000_000_000));
        assert_eq!((id.as_str().len(), &id.as_str()[..16]), (24, "20261118-110640-"));
        assert_eq!(Id::parse(id.as_str()), Some(id));
        let long = "a".repeat(65);
        for wrong in ["", "..", "a/b", "A", "a.b", "%2e", "\0", "ü", " ", &long] {
            assert_eq!(Id::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_has_its_name_once_it_is_finished_and_is_never_overwritten() {
        let place = TestFolder::new();
        let root = Root::open(place.path()).unwrap();
        let id = Id::new(Wall(0));
        let folder = root.create(&id).unwrap();
        let file = folder.create("track-1.opus").unwrap();
        assert_eq!(folder.names().unwrap(), ["track-1.opus.part"]);
        folder.finish("track-1.opus", &file).unwrap();
        assert_eq!(folder.names().unwrap(), ["track-1.opus"]);
        let again = folder.create("track-1.opus").unwrap();
        assert!(folder.finish("track-1.opus", &again).is_err());
        assert!(root.create(&id).is_err());
        root.remove(&id).unwrap();
        assert_eq!(root.ids().unwrap(), []);
    }

    #[test]
    fn one_alone_holds_the_lock_of_a_folder() {
        let place = TestFolder::new();
        let root = Root::open(place.path()).unwrap();
        let id = Id::new(Wall(0));
        root.create(&id).unwrap();
        let (one, other) = (root.folder(&id).unwrap(), root.folder(&id).unwrap());
        let held = one.lock().unwrap();
        assert_eq!(other.lock().err().unwrap().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        other.lock().unwrap();
    }

    #[test]
    fn what_is_planted_in_a_folder_leads_nowhere() {
        let place = TestFolder::new();
        let root = Root::open(&place.path().join("recordings")).unwrap();
        let id = Id::new(Wall(0));
        let folder = root.create(&id).unwrap();
        let secret = place.path().join("secret");
        std::fs::write(&secret, "secret").unwrap();
        std::os::unix::fs::symlink(&secret, folder.path().join("call.json")).unwrap();
        std::os::unix::fs::symlink(&secret, folder.path().join("mix.wav.part")).unwrap();
        std::os::unix::fs::symlink("/", root.path().join("20000101-000000-00000000")).unwrap();
        assert!(folder.open("call.json").is_err());
        assert!(folder.create("mix.wav").is_err());
        for path in ["../secret", "../../secret", "/etc/passwd", "a\0b", ""] {
            assert!(folder.open(path).is_err() && folder.create(path).is_err(), "{path}");
        }
        assert_eq!(root.ids().unwrap(), [id]);
        assert!(root.folder(&Id::parse("20000101-000000-00000000").unwrap()).is_err());
        assert_eq!(std::fs::read_to_string(secret).unwrap(), "secret");
    }
}
