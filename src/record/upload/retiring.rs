//! Lets the sound of a recording go from this disk, once the store has had it for long enough.

use std::sync::Arc;

use tracing::info;

use super::UploadFault;
use super::depot::Found;
use super::ledger::Ledger;
use super::tending::{Tending, blocking, is_sound};
use crate::record::finish::read_report;
use crate::record::store::{Folder, Id};

impl Tending {
    /// Takes away what is in the store as it is in call.json. Each file is asked for once more
    /// before; where one is not as it was, nothing goes.
    pub(super) async fn retire(
        &self,
        id: &Id,
        folder: Arc<Folder>,
        ledger: &Ledger,
    ) -> Result<(), UploadFault> {
        if ledger.store != self.spec.depot.url() {
            return Err(UploadFault::Elsewhere(ledger.store.clone()));
        }
        let opened = folder.clone();
        let report = blocking(move || read_report(&opened)).await?;
        let is_going = |name: &str| is_sound(name) && folder.has(name);
        let mut going = Vec::new();
        for file in report.files.into_iter().filter(|file| is_going(&file.name)) {
            if !ledger.has(&file.name, &file.sha256) {
                return Err(UploadFault::Differs(file.name));
            }
            let place = self.spec.depot.place(id, &file.name);
            let ours = Found { bytes: file.bytes, sha256: Some(file.sha256) };
            if self.spec.depot.head(&place).await? != Some(ours) {
                return Err(UploadFault::Differs(file.name));
            }
            going.push(file.name);
        }
        let files = going.len();
        if files == 0 {
            return Ok(());
        }
        let (spec, gone) = (self.spec.clone(), id.clone());
        blocking(move || {
            going.iter().try_for_each(|name| folder.discard(name))?;
            (spec.went)(&gone);
            Ok(())
        })
        .await?;
        info!(recording = %id, files, "sound is in the store alone now");
        Ok(())
    }
}
