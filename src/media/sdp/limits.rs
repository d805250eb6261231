//! What a description may cost, checked over the text in one pass before any parser sees it.
//! Knows lines and their first characters, no meaning.

use super::{Bound, Malformed};

/// Largest description that is read; one over any of these is [`Malformed::TooLarge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole text. A browser's offer with 16 sections has about 20 KiB.
    pub bytes: usize,
    /// Lines of the whole text.
    pub lines: usize,
    /// Bytes of one line, its line end not counted.
    pub line_bytes: usize,
    /// m= lines: the slots a leg may have, and room for sections that will be refused.
    pub sections: usize,
    /// Formats of one m= line.
    pub formats: usize,
    /// a=extmap lines of one section, or of the session level.
    pub extmaps: usize,
    /// a=candidate lines of one section, or of the session level. Per section, because aiortc
    /// repeats its candidates in every bundled section.
    pub candidates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 32 * 1024,
            lines: 1000,
            line_bytes: 2048,
            sections: 16,
            formats: 64,
            extmaps: 32,
            candidates: 64,
        }
    }
}

impl Limits {
    /// Refuses a text that is over a limit or has control characters inside a line.
    pub(super) fn check(&self, text: &str) -> Result<(), Malformed> {
        within(Bound::Bytes, text.len(), self.bytes)?;
        let (mut lines, mut sections, mut extmaps, mut candidates) = (0, 0, 0, 0);
        for line in text.split_terminator('\n') {
            lines += 1;
            within(Bound::Lines, lines, self.lines)?;
            let line = line.strip_suffix('\r').unwrap_or(line);
            within(Bound::LineBytes, line.len(), self.line_bytes)?;
            if line.chars().any(char::is_control) {
                return Err(Malformed::ControlCharacter);
            }
            if let Some(media) = line.strip_prefix("m=") {
                sections += 1;
                (extmaps, candidates) = (0, 0);
                within(Bound::Sections, sections, self.sections)?;
                let formats = media.split_whitespace().skip(FIELDS_BEFORE_FORMATS).count();
                within(Bound::Formats, formats, self.formats)?;
            } else if line.starts_with("a=extmap:") {
                extmaps += 1;
                within(Bound::Extmaps, extmaps, self.extmaps)?;
            } else if line.starts_with("a=candidate:") {
                candidates += 1;
                within(Bound::Candidates, candidates, self.candidates)?;
            }
        }
        Ok(())
    }
}

pub(super) fn within(bound: Bound, count: usize, limit: usize) -> Result<(), Malformed> {
    if count > limit { Err(Malformed::TooLarge { bound, limit }) } else { Ok(()) }
}

/// `m=<media> <port> <proto> <fmt> ...` (RFC 8866 section 5.14).
const FIELDS_BEFORE_FORMATS: usize = 3;
