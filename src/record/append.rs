//! A file that only grows, by whole pages or lines: what could not be written leaves no torn end.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

/// See the module's words.
pub struct Append {
    file: Arc<File>,
    /// Whole pages or lines, not yet written.
    pub buffer: Vec<u8>,
    /// Bytes of the file that are good.
    good: u64,
    is_dirty: bool,
}

impl Append {
    pub fn new(file: File) -> Append {
        Append { file: Arc::new(file), buffer: Vec::new(), good: 0, is_dirty: false }
    }

    /// Writes what waits. Where that fails the file ends where it did before, and it still waits.
    ///
    /// # Errors
    /// The disk fails or is full.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = (&*self.file).write_all(&self.buffer);
        if let Err(error) = written {
            self.file.set_len(self.good)?;
            // The next write goes where the good bytes end.
            io::Seek::seek(&mut &*self.file, io::SeekFrom::Start(self.good))?;
            return Err(error);
        }
        self.good += self.buffer.len() as u64;
        self.buffer.clear();
        self.is_dirty = true;
        Ok(())
    }

    /// The file, where something was written since this was last asked.
    pub fn take_dirty(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.is_dirty).then(|| self.file.clone())
    }

    pub fn file(&self) -> &File {
        &self.file
    }
}
