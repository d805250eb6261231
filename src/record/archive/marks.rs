//! What people add to a recording: tags and a favourite. `marks.json` in its folder is the truth of
//! them, so that they outlive the index.

use std::io;

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::limits::{TAG_CHARS_MAX, TAGS_MAX};
use crate::record::store::Folder;

/// The file's name.
pub const MARKS: &str = "marks.json";

/// Longest one that is read, in bytes: a character has at most four, a quote of ours two.
const MARKS_BYTES_MAX: u64 = (TAGS_MAX * TAG_CHARS_MAX * 4 + 1024) as u64;

/// Tags as people wrote them, trimmed, each once: 0 to `TAGS_MAX` of 1 to `TAG_CHARS_MAX`
/// characters, none of them a control character.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Tags(Vec<String>);

/// Why texts are no tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTags {
    #[error("more than {TAGS_MAX} tags")]
    TooMany,
    #[error("a tag is longer than {TAG_CHARS_MAX} characters")]
    TooLong,
    #[error("a tag is empty")]
    Empty,
    #[error("control characters are not allowed")]
    Control,
}

/// See the module's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    pub tags: Tags,
    /// Kept by retention, whatever its age.
    pub favourite: bool,
}

/// What is to be different; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub tags: Option<Tags>,
    pub favourite: Option<bool>,
}

impl Tags {
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl TryFrom<Vec<String>> for Tags {
    type Error = BadTags;

    fn try_from(texts: Vec<String>) -> Result<Tags, BadTags> {
        let mut tags: Vec<String> = Vec::new();
        for text in texts {
            let tag = text.trim();
            if tag.is_empty() {
                return Err(BadTags::Empty);
            }
            if tag.chars().any(char::is_control) {
                return Err(BadTags::Control);
            }
            if tag.chars().count() > TAG_CHARS_MAX {
                return Err(BadTags::TooLong);
            }
            if !tags.iter().any(|known| known == tag) {
                tags.push(tag.to_owned());
            }
        }
        if tags.len() > TAGS_MAX { Err(BadTags::TooMany) } else { Ok(Tags(tags)) }
    }
}

impl Marks {
    /// Those of a folder; none where there is no such file, or one that makes no sense.
    pub fn read(folder: &Folder) -> Marks {
        let read = folder.read(MARKS, MARKS_BYTES_MAX);
        let parsed = read.and_then(|json| Ok(serde_json::from_slice(&json)?));
        match parsed {
            Ok(marks) => marks,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Marks::default(),
            Err(fault) => {
                warn!(folder = %folder.path().display(), %fault, "tags cannot be read");
                Marks::default()
            }
        }
    }

    /// # Errors
    /// The disk's; the former ones stay.
    pub fn write(&self, folder: &Folder) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        folder.write(MARKS, &json)
    }

    pub fn changed(self, change: Change) -> Marks {
        Marks {
            tags: change.tags.unwrap_or(self.tags),
            favourite: change.favourite.unwrap_or(self.favourite),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_folder::TestFolder;
    use crate::record::store::{Id, Root};

    fn tags(texts: impl IntoIterator<Item = String>) -> Result<Tags, BadTags> {
        Tags::try_from(texts.into_iter().collect::<Vec<_>>())
    }

    #[test]
    fn thirty_two_tags_are_taken_and_one_more_is_not() {
        let numbered = |count: usize| (0..count).map(|number| format!("tag {number}"));
        assert_eq!(tags(numbered(TAGS_MAX)).unwrap().iter().count(), TAGS_MAX);
        assert_eq!(tags(numbered(TAGS_MAX + 1)), Err(BadTags::TooMany));
    }

    #[test]
    fn a_tag_of_64_characters_is_taken_and_one_of_65_is_not() {
        assert!(tags(["é".repeat(TAG_CHARS_MAX)]).is_ok());
        assert_eq!(tags(["é".repeat(TAG_CHARS_MAX + 1)]), Err(BadTags::TooLong));
    }

    #[test]
    fn tags_are_trimmed_and_stand_once_and_say_something() {
        let once = tags([" a ", "b", "a"].map(str::to_owned)).unwrap();
        assert_eq!(once.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tags([" ".to_owned()]), Err(BadTags::Empty));
        assert_eq!(tags(["a\nb".to_owned()]), Err(BadTags::Control));
    }

    #[test]
    fn the_largest_marks_come_back_from_their_file() {
        let place = TestFolder::new();
        let root = Root::open(place.path()).unwrap();
        let folder = root.create(&Id::parse("a").unwrap()).unwrap();
        assert_eq!(Marks::read(&folder), Marks::default());
        let longest = (0..TAGS_MAX)
            .map(|number| format!("{number:02}{}", "\u{10ffff}".repeat(TAG_CHARS_MAX - 2)));
        let marks = Marks { tags: tags(longest).unwrap(), favourite: true };
        Marks::default().write(&folder).unwrap();
        marks.write(&folder).unwrap();
        assert_eq!(Marks::read(&folder), marks);
    }

    #[test]
    fn marks_that_make_no_sense_are_none() {
        let place = TestFolder::new();
        let root = Root::open(place.path()).unwrap();
        let folder = root.create(&Id::parse("a").unwrap()).unwrap();
        for garbled in ["{", "[]", r#"{"tags": [""], "favourite": true}"#] {
            folder.write(MARKS, garbled.as_bytes()).unwrap();
            assert_eq!(Marks::read(&folder), Marks::default(), "{garbled}");
        }
    }
}
