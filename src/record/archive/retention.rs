//! How long recordings are kept, and how many: what is too old goes, then the oldest of what is
//! too much. Favourites stay, and so does what is not finished.

use std::sync::Arc;

use engine::Wall;
use tracing::error;

use super::{Archive, Deletion, Fault, Why};
use crate::clock;
use crate::limits::RETENTION_EVERY;
use crate::record::store::Id;
use crate::wire::time;

/// What is kept; 0 = without end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days since a recording began.
    pub days: u32,
    /// Of all finished recordings: favourites count too, though they stay.
    pub bytes: u64,
}

impl Archive {
    /// Deletes what is not kept any more; returns what went, the oldest first.
    ///
    /// # Errors
    /// The disk or the index fails; what is left goes the next time.
    pub fn expire(&self, now: Wall, retention: &Retention) -> Result<Vec<Id>, Fault> {
        self.follow(&mut self.shelf())?;
        let mut gone = Vec::new();
        if retention.days > 0 {
            let age = i64::from(retention.days).saturating_mul(DAY_NANOS);
            let limit = time::format(now.as_nanos().saturating_sub(age));
            let old = self.shelf().index.older(&limit)?;
            for candidate in old {
                if self.delete(now, &candidate.id, "", Why::Age)? == Deletion::Gone {
                    gone.push(candidate.id);
                }
            }
        }
        if retention.bytes > 0 {
            let (mut bytes, all) = {
                let shelf = self.shelf();
                (shelf.index.bytes()?, shelf.index.older(ALL)?)
            };
            for candidate in all {
                if bytes <= retention.bytes {
                    break;
                }
                if self.delete(now, &candidate.id, "", Why::Size)? == Deletion::Gone {
                    bytes = bytes.saturating_sub(candidate.bytes);
                    gone.push(candidate.id);
                }
            }
        }
        Ok(gone)
    }
}

/// Looks each hour, and at once, for what is not kept any more; ends only where all is kept.
pub async fn expire_hourly(archive: Arc<Archive>, retention: Retention) {
    if retention == Retention::default() {
        return;
    }
    let mut hours = tokio::time::interval(RETENTION_EVERY);
    loop {
        hours.tick().await;
        let (archive, now) = (archive.clone(), clock::wall());
        let expired = tokio::task::spawn_blocking(move || archive.expire(now, &retention)).await;
        match expired {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => error!(%fault, "recordings are not deleted in time"),
            Err(fault) => error!(%fault, "recordings are not deleted in time"),
        }
    }
}

const DAY_NANOS: i64 = 24 * 3_600 * 1_000_000_000;

/// Later than any time is written.
const ALL: &str = "~";
