//! Sends a recording: file by file, each read back and compared before the next goes, and call.json
//! last of all, so that who finds it finds the rest.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tracing::info;

use super::depot::{Found, Place};
use super::ledger::{Held, Ledger, Stage, UPLOAD};
use super::stats::Outcome;
use super::tending::{Tending, blocking};
use super::{UploadFault, parts};
use crate::clock;
use crate::limits::UPLOAD_PART_BYTES;
use crate::record::archive::MARKS;
use crate::record::finish::{checksum, digits, read_report};
use crate::record::hook::{LOG, TODO};
use crate::record::report::REPORT;
use crate::record::store::{Folder, Id, PART};
use crate::wire::time;

/// Files of a folder that are not of the recording, or change with people's minds.
const STAYING: [&str; 5] = [REPORT, TODO, LOG, MARKS, UPLOAD];

/// One recording on its way.
pub(super) struct Sending<'a> {
    pub(super) tending: &'a Tending,
    id: &'a Id,
    pub(super) folder: Arc<Folder>,
    ledger: Ledger,
}

/// What is to be in the store.
struct Wanted {
    name: String,
    /// As call.json has it; `None` for what was added later, and for itself.
    sha256: Option<String>,
}

impl Tending {
    /// Brings a whole recording into the store, from where it stands.
    pub(super) async fn send(&self, id: &Id, folder: Arc<Folder>) -> Result<(), UploadFault> {
        let url = self.spec.depot.url().to_owned();
        let opened = folder.clone();
        let (ledger, wanted) = blocking(move || {
            let ledger = Ledger::read(&opened)?.unwrap_or_else(|| Ledger::new(&url));
            Ok((ledger, wanted(&opened)?))
        })
        .await?;
        let mut sending = Sending { tending: self, id, folder, ledger };
        sending.check_store()?;
        // From here on it is known that there may be objects.
        sending.save().await?;
        for wanted in wanted {
            sending.file(wanted).await?;
        }
        sending.ledger.confirmed = Some(time::format(clock::wall().as_nanos()));
        sending.save().await?;
        self.stats.ended(Outcome::Confirmed);
        let files = sending.ledger.files.len();
        info!(recording = %id, files, "recording is in the store");
        Ok(())
    }
}

impl Sending<'_> {
    /// What another store has is not sent to this one halfway.
    fn check_store(&mut self) -> Result<(), UploadFault> {
        let url = self.tending.spec.depot.url();
        if self.ledger.store == url {
            return Ok(());
        }
        if !self.ledger.files.is_empty() {
            return Err(UploadFault::Elsewhere(self.ledger.store.clone()));
        }
        self.ledger = Ledger::new(url);
        Ok(())
    }

    async fn file(&mut self, wanted: Wanted) -> Result<(), UploadFault> {
        let Wanted { name, sha256 } = wanted;
        let same = |held: &Held| sha256.as_ref().is_none_or(|sha256| *sha256 == held.sha256);
        match self.ledger.confirmed(&name) {
            Some(held) if same(held) => return Ok(()),
            Some(_) => return Err(UploadFault::Occupied(name)),
            None => {}
        }
        let place = self.tending.spec.depot.place(self.id, &name);
        let (bytes, measured) = self.measure(&name).await?;
        if sha256.is_some_and(|sha256| sha256 != measured) {
            return Err(UploadFault::Damaged(name));
        }
        self.begin(&name, &place, Held { bytes, sha256: measured, stage: Stage::Begun }).await?;
        self.store(&name, &place).await?;
        self.confirm(&name, &place).await
    }

    /// Notes that the file goes now; what was begun of another content is given up.
    async fn begin(&mut self, name: &str, place: &Place, fresh: Held) -> Result<(), UploadFault> {
        match self.ledger.files.get(name) {
            Some(held) if held.sha256 == fresh.sha256 && held.bytes == fresh.bytes => return Ok(()),
            Some(Held { stage: Stage::Parts { upload, .. }, .. }) => {
                self.tending.spec.depot.abort(place, upload).await?;
            }
            Some(_) | None => {}
        }
        self.ledger.files.insert(name.to_owned(), fresh);
        Ok(self.save().await?)
    }

    async fn store(&mut self, name: &str, place: &Place) -> Result<(), UploadFault> {
        let depot = &self.tending.spec.depot;
        let held = self.held(name)?.clone();
        let ours = Found { bytes: held.bytes, sha256: Some(held.sha256.clone()) };
        match depot.head(place).await? {
            // Its answer was lost, or this process was.
            Some(found) if found == ours => {}
            Some(_) => return Err(UploadFault::Occupied(name.to_owned())),
            None if held.bytes <= UPLOAD_PART_BYTES => {
                let content = parts::read(&self.folder, name, 0, held.bytes).await?;
                depot.put(place, content, &held.sha256).await?;
                self.tending.stats.sent(held.bytes);
            }
            None => self.in_parts(name, place, &held).await?,
        }
        self.set(name, Stage::Stored).await
    }

    /// Reads it back: what the store gives out must be what was to go in.
    async fn confirm(&mut self, name: &str, place: &Place) -> Result<(), UploadFault> {
        let held = self.held(name)?;
        let (mut sum, mut bytes) = (Sha256::new(), 0);
        let mut pieces = self.tending.spec.depot.read(place, None).await?;
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            bytes += piece.len() as u64;
            sum.update(&piece);
        }
        if (bytes, digits(sum)) != (held.bytes, held.sha256.clone()) {
            return Err(UploadFault::Differs(name.to_owned()));
        }
        self.set(name, Stage::Confirmed).await
    }

    pub(super) async fn set(&mut self, name: &str, stage: Stage) -> Result<(), UploadFault> {
        if let Some(held) = self.ledger.files.get_mut(name) {
            held.stage = stage;
        }
        Ok(self.save().await?)
    }

    pub(super) fn held(&self, name: &str) -> io::Result<&Held> {
        let held = self.ledger.files.get(name);
        held.ok_or_else(|| io::Error::other("a file that was not begun"))
    }

    async fn measure(&self, name: &str) -> io::Result<(u64, String)> {
        let (folder, name) = (self.folder.clone(), name.to_owned());
        blocking(move || checksum(folder.open(&name)?)).await
    }

    async fn save(&self) -> io::Result<()> {
        let (folder, ledger) = (self.folder.clone(), self.ledger.clone());
        blocking(move || ledger.write(&folder)).await
    }
}

/// What of a folder goes to the store, in the order in which it goes.
fn wanted(folder: &Folder) -> io::Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = read_report(folder)?
        .files
        .into_iter()
        .map(|file| Wanted { name: file.name, sha256: Some(file.sha256) })
        .collect();
    for name in folder.names()? {
        let stays = name.ends_with(PART) || STAYING.contains(&name.as_str());
        if !stays && wanted.iter().all(|it| it.name != name) {
            wanted.push(Wanted { name, sha256: None });
        }
    }
    wanted.push(Wanted { name: REPORT.to_owned(), sha256: None });
    Ok(wanted)
}
