//! What is looked for in the archive.

use engine::Wall;

use super::entry::Entry;
use crate::core::Jid;
use crate::limits::ARCHIVE_PAGE_MAX;
use crate::record::store::Id;

/// All of it must hold; `None` holds always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// As the reader names it: of a direct chat, the other person.
    pub chat: Option<Jid>,
    /// Was in the call, or is one of the two of its chat.
    pub person: Option<Jid>,
    /// Began then or later.
    pub from: Option<Wall>,
    /// Began earlier.
    pub to: Option<Wall>,
    /// Part of the chat's name or of somebody's in the call, in whichever case.
    pub text: Option<String>,
    /// In whichever case.
    pub tag: Option<String>,
    pub favourite: Option<bool>,
    /// Only older ones than this one: where the former page ended.
    pub before: Option<Id>,
    /// Longest page.
    pub limit: Limit,
}

/// Recordings of one page, 1 to `ARCHIVE_PAGE_MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(usize);

/// The newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// What `Query::before` must be for the next page; `None` on the last one.
    pub next: Option<Id>,
}

impl Limit {
    /// `None` for what no page may have.
    pub fn new(entries: usize) -> Option<Limit> {
        (1..=ARCHIVE_PAGE_MAX).contains(&entries).then_some(Limit(entries))
    }

    pub const fn entries(self) -> usize {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Limit(ARCHIVE_PAGE_MAX / 2)
    }
}

/// Letters as they are compared: whichever case they had. Each for itself, so that a part of a text
/// folds to a part of the folded text (a sigma is one thing at the end of a word, another in it).
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_100_is_taken_and_one_of_101_or_0_is_not() {
        assert_eq!(Limit::new(ARCHIVE_PAGE_MAX).map(Limit::entries), Some(100));
        assert_eq!((Limit::new(ARCHIVE_PAGE_MAX + 1), Limit::new(0)), (None, None));
    }

    #[test]
    fn letters_of_any_script_are_one_whatever_their_case() {
        for (one, other) in [("Żółć", "żÓŁĆ"), ("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος")]
        {
            assert_eq!(fold(one), fold(other), "{one}");
        }
        assert!(fold("Борис").contains(&fold("РИ")));
    }
}
