//! Reading fields out of a JSON object, strictly: a wrong type is an error that names the field.
//! Unknown fields are ignored, and `null` is the same as absent.

use serde_json::{Map, Value};

use crate::limits::{JSON_DEPTH_MAX, NAME_CHARS_MAX};

/// A field that cannot be used, and what is wrong with it, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct BadField {
    pub field: String,
    pub problem: String,
}

/// Bytes that are no JSON of ours at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotJson {
    #[error("not JSON")]
    Malformed,
    #[error("JSON nested deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
}

/// Parses JSON of bounded depth.
///
/// # Errors
/// Malformed text, or more than `JSON_DEPTH_MAX` arrays and objects inside each other.
pub fn parse_json(bytes: &[u8]) -> Result<Value, NotJson> {
    parse_json_within(bytes, JSON_DEPTH_MAX)
}

/// The same for another depth.
///
/// # Errors
/// As [`parse_json`].
pub fn parse_json_within(bytes: &[u8], depth_max: usize) -> Result<Value, NotJson> {
    if depth(bytes) > depth_max {
        return Err(NotJson::TooDeep);
    }
    serde_json::from_slice(bytes).map_err(|_| NotJson::Malformed)
}

/// An object whose fields are being read; `path` stands before their names in errors.
pub struct Fields<'a> {
    object: Option<&'a Map<String, Value>>,
    path: &'static str,
}

impl<'a> Fields<'a> {
    /// The fields of `value`; absent or `null` reads as an object without fields.
    ///
    /// # Errors
    /// `value` is there but is no object.
    pub fn of(value: Option<&'a Value>, name: &str, path: &'static str) -> Result<Self, BadField> {
        match value {
            None | Some(Value::Null) => Ok(Self { object: None, path }),
            Some(Value::Object(object)) => Ok(Self { object: Some(object), path }),
            Some(_) => Err(bad(name, "expected an object")),
        }
    }

    fn value(&self, field: &str) -> Option<&'a Value> {
        self.object?.get(field).filter(|value| !value.is_null())
    }

    fn bad(&self, field: &str, problem: &str) -> BadField {
        bad(&format!("{}{field}", self.path), problem)
    }

    /// A value that must be there.
    pub fn required(&self, field: &str) -> Result<&'a Value, BadField> {
        self.value(field).ok_or_else(|| self.bad(field, "missing"))
    }

    /// An object that must be there.
    pub fn object(&self, field: &str, path: &'static str) -> Result<Fields<'a>, BadField> {
        Fields::of(Some(self.required(field)?), field, path)
    }

    /// Text of at most `chars_max` characters that may be absent.
    pub fn text_if(&self, field: &str, chars_max: usize) -> Result<Option<&'a str>, BadField> {
        let Some(value) = self.value(field) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| self.bad(field, "expected a string"))?;
        if text.len() > chars_max && text.chars().count() > chars_max {
            return Err(self.bad(field, &format!("longer than {chars_max} characters")));
        }
        Ok(Some(text))
    }

    /// Text of at most `chars_max` characters that must be there.
    pub fn text(&self, field: &str, chars_max: usize) -> Result<&'a str, BadField> {
        self.required(field)?;
        Ok(self.text_if(field, chars_max)?.unwrap_or_default())
    }

    /// Text that must be there and not be empty.
    pub fn word(&self, field: &str, chars_max: usize) -> Result<&'a str, BadField> {
        let text = self.text(field, chars_max)?;
        if text.is_empty() { Err(self.bad(field, "empty")) } else { Ok(text) }
    }

    /// Text for people, cut after `NAME_CHARS_MAX` characters; absent reads as `""`.
    pub fn remark(&self, field: &str) -> Result<String, BadField> {
        let text = self.text_if(field, usize::MAX)?.unwrap_or_default();
        Ok(text.chars().take(NAME_CHARS_MAX).collect())
    }

    /// A truth value that may be absent.
    pub fn flag_if(&self, field: &str) -> Result<Option<bool>, BadField> {
        let Some(value) = self.value(field) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.bad(field, "expected true or false"))
    }

    /// A truth value that must be there.
    pub fn flag(&self, field: &str) -> Result<bool, BadField> {
        self.flag_if(field)?.ok_or_else(|| self.bad(field, "missing"))
    }

    /// A whole number that fits 32 bits and may be absent.
    pub fn number_if(&self, field: &str) -> Result<Option<u32>, BadField> {
        let Some(value) = self.value(field) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.map(Some).ok_or_else(|| self.bad(field, "expected a whole number of 32 bits"))
    }

    /// A list of texts that may be absent (then it is empty).
    pub fn texts(&self, field: &str, chars_max: usize) -> Result<Vec<String>, BadField> {
        let Some(value) = self.value(field) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| self.bad(field, "expected a list"))?;
        let text = |item: &Value| {
            let text = item.as_str().filter(|text| text.chars().count() <= chars_max);
            let problem = format!("expected strings of at most {chars_max} characters");
            text.map(str::to_owned).ok_or_else(|| self.bad(field, &problem))
        };
        items.iter().map(text).collect()
    }
}

/// A name people gave: trimmed, not empty, no control characters, `NAME_CHARS_MAX` at most.
///
/// # Errors
/// Names the field, and which of these does not hold.
pub fn display_name(fields: &Fields<'_>) -> Result<String, BadField> {
    const FIELD: &str = "display_name";
    let name = fields.text(FIELD, usize::MAX)?.trim();
    if name.is_empty() {
        return Err(bad(FIELD, "empty"));
    }
    if name.chars().any(char::is_control) {
        return Err(bad(FIELD, "control characters are not allowed"));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(bad(FIELD, &format!("longer than {NAME_CHARS_MAX} characters")));
    }
    Ok(name.to_owned())
}

pub(super) fn bad(field: &str, problem: &str) -> BadField {
    BadField { field: field.to_owned(), problem: problem.to_owned() }
}

/// How many arrays and objects stand inside each other at most; strings are skipped.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(json: &str) -> Result<String, BadField> {
        let value = parse_json(json.as_bytes()).unwrap();
        display_name(&Fields::of(Some(&value), "body", "").unwrap())
    }

    #[test]
    fn sixteen_levels_are_read_and_seventeen_are_not() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse_json(nested(16).as_bytes()).is_ok());
        assert_eq!(parse_json(nested(17).as_bytes()), Err(NotJson::TooDeep));
    }

    #[test]
    fn brackets_inside_strings_are_no_levels() {
        let text = format!("\"\\\"{}\"", "[".repeat(100));
        assert!(parse_json(text.as_bytes()).is_ok());
    }

    #[test]
    fn bytes_that_are_no_utf8_are_malformed() {
        assert_eq!(parse_json(b"\"\xff\""), Err(NotJson::Malformed));
    }

    #[test]
    fn a_name_of_256_characters_is_taken_and_one_of_257_is_not() {
        let name = |chars: usize| format!("{{\"display_name\": \" {} \"}}", "é".repeat(chars));
        assert_eq!(named(&name(256)).unwrap().chars().count(), 256);
        assert_eq!(named(&name(257)).unwrap_err().problem, "longer than 256 characters");
    }

    #[test]
    fn a_name_is_not_empty_and_has_no_control_characters() {
        assert_eq!(named(r#"{"display_name": "  "}"#).unwrap_err().problem, "empty");
        assert!(named(r#"{"display_name": "a\u0007b"}"#).is_err());
        assert_eq!(named("{}").unwrap_err().to_string(), "display_name: missing");
        assert!(named(r#"{"display_name": 7}"#).is_err());
    }
}
