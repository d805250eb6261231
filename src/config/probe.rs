//! The section of the probe.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The call that the node places to itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Probe {
    /// How often; `None`, in the file 0, is never.
    #[serde(rename = "every_s", with = "seconds_or_never")]
    pub every: Option<Duration>,
}

impl Default for Probe {
    fn default() -> Self {
        Self { every: Some(Duration::from_secs(10)) }
    }
}

/// Whole seconds up to an hour, beyond which nobody would call it watching; 0 is never.
mod seconds_or_never {
    use std::time::Duration;

    use serde::de::{Error, Unexpected};
    use serde::{Deserialize, Deserializer, Serializer};

    const HOUR_S: u64 = 60 * 60;

    pub fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.map_or(0, |every| every.as_secs()))
    }

    pub fn deserialize<'de, D>(deserializer: D) -> Result<Option<Duration>, D::Error>
    where
        D: Deserializer<'de>,
    {
        match u64::deserialize(deserializer)? {
            0 => Ok(None),
            value @ 1..=HOUR_S => Ok(Some(Duration::from_secs(value))),
            value => {
                Err(D::Error::invalid_value(Unexpected::Unsigned(value), &"0 to 3600 seconds"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seconds_are_never_and_a_day_is_refused() {
        let read = |text: &str| toml::from_str::<Probe>(text);
        assert_eq!(read("every_s = 0").unwrap().every, None);
        assert_eq!(read("every_s = 30").unwrap().every, Some(Duration::from_secs(30)));
        assert_eq!(read("").unwrap(), Probe::default());
        assert!(read("every_s = 86400").unwrap_err().to_string().contains("0 to 3600"));
        let never = toml::to_string(&Probe { every: None }).unwrap();
        assert_eq!(never.trim(), "every_s = 0");
    }
}
