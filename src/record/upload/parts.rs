//! A large file in parts: each is noted once the store has it, so that none goes twice.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use super::UploadFault;
use super::depot::Place;
use super::ledger::{Held, Stage};
use super::sending::Sending;
use super::tending::blocking;
use crate::limits::UPLOAD_PART_BYTES;
use crate::record::store::Folder;

impl Sending<'_> {
    /// Sends what the store has not, and makes an object of all.
    pub(super) async fn in_parts(
        &mut self,
        name: &str,
        place: &Place,
        held: &Held,
    ) -> Result<(), UploadFault> {
        let depot = self.tending.spec.depot.clone();
        let (upload, mut parts) = match &held.stage {
            Stage::Parts { upload, parts } => (upload.clone(), parts.clone()),
            Stage::Begun | Stage::Stored | Stage::Confirmed => {
                let upload = depot.begin(place, &held.sha256).await?;
                let begun = Stage::Parts { upload: upload.clone(), parts: Vec::new() };
                self.set(name, begun).await?;
                (upload, Vec::new())
            }
        };
        loop {
            let from = UPLOAD_PART_BYTES * parts.len() as u64;
            if from >= held.bytes {
                break;
            }
            let bytes = UPLOAD_PART_BYTES.min(held.bytes - from);
            let content = read(&self.folder, name, from, bytes).await?;
            let Some(part) = depot.put_part(place, &upload, parts.len(), content).await? else {
                return self.forget(name).await;
            };
            parts.push(part);
            self.tending.stats.sent(bytes);
            let so_far = Stage::Parts { upload: upload.clone(), parts: parts.clone() };
            self.set(name, so_far).await?;
        }
        match depot.complete(place, &upload, &parts).await? {
            Some(()) => Ok(()),
            None => self.forget(name).await,
        }
    }

    /// The store gave the upload up, as many do after a week: it begins anew.
    async fn forget(&mut self, name: &str) -> Result<(), UploadFault> {
        self.set(name, Stage::Begun).await?;
        Err(UploadFault::Forgotten(name.to_owned()))
    }
}

/// A stretch of a file, at most a part, in memory.
pub(super) async fn read(
    folder: &Arc<Folder>,
    name: &str,
    from: u64,
    bytes: u64,
) -> io::Result<Bytes> {
    let (folder, name) = (folder.clone(), name.to_owned());
    blocking(move || {
        let mut content = vec![0; bytes.min(UPLOAD_PART_BYTES) as usize];
        folder.open(&name)?.read_exact_at(&mut content, from)?;
        Ok(Bytes::from(content))
    })
    .await
}
