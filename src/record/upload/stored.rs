//! A file of which only the store has the content, for whoever downloads it.

use std::ops::Range;
use std::sync::Arc;

use super::depot::{Depot, Pieces, Place, StoreFault};
use super::ledger::Held;

/// See the module's words.
pub struct Stored {
    depot: Arc<Depot>,
    place: Place,
    /// Its length.
    pub bytes: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
}

impl Stored {
    pub(super) fn new(depot: Arc<Depot>, place: Place, held: &Held) -> Stored {
        Stored { depot, place, bytes: held.bytes, sha256: held.sha256.clone() }
    }

    /// A range of it, in pieces as they come; nothing for an empty one.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn read(&self, range: Range<u64>) -> Result<Pieces, StoreFault> {
        if range.is_empty() {
            return Ok(Box::pin(futures_util::stream::empty()));
        }
        self.depot.read(&self.place, Some(range)).await
    }
}
