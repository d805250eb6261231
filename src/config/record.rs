//! The section of recordings.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Data;
use super::sections::seconds;

/// Recordings of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Record {
    /// Whether calls can be recorded here.
    pub enabled: bool,
    /// Every call is recorded from its start on.
    pub auto: bool,
    /// Where recordings lie; empty = `recordings` in the data folder.
    pub dir: PathBuf,
    /// Recordings that are made at once.
    pub open_max: NonZeroU32,
    /// Free space below which nothing is recorded.
    pub free_floor_mib: u64,
    /// The same as a share of the disk, 0..=50.
    #[serde(with = "percent")]
    pub free_floor_percent: u8,
    /// How voices lie in `mix.wav`.
    pub mix: Mix,
    /// A small mix as well, `mix.opus`.
    pub mix_opus: bool,
    /// Days a recording is kept; 0 = for ever.
    pub keep_days: u32,
    /// How much of them is kept; 0 = as much as the disk takes.
    pub keep_gib: u64,
    /// A program that is run on each finished recording, with its arguments; empty = none.
    pub hook: Vec<String>,
    /// How long it may take.
    #[serde(rename = "hook_timeout_s", with = "seconds")]
    pub hook_timeout: Duration,
}

/// How the voices of a recording lie in its mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// All in one channel.
    Mono,
    /// Each at a place of his own between left and right.
    Stereo,
    /// A channel a person, in the order they came.
    People,
}

impl Record {
    /// Where recordings lie.
    pub fn folder(&self, data: &Data) -> PathBuf {
        match self.dir.as_os_str().is_empty() {
            true => data.dir.join("recordings"),
            false => self.dir.clone(),
        }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            enabled: true,
            auto: false,
            dir: PathBuf::new(),
            open_max: const { NonZeroU32::new(64).expect("64 is not 0") },
            free_floor_mib: 1_024,
            free_floor_percent: 5,
            mix: Mix::Mono,
            mix_opus: true,
            keep_days: 0,
            keep_gib: 0,
            hook: Vec::new(),
            hook_timeout: Duration::from_secs(3_600),
        }
    }
}

/// A share that leaves the larger part, 0 to 50.
mod percent {
    use serde::de::{Error, Unexpected};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        match u8::deserialize(deserializer)? {
            value @ 0..=50 => Ok(value),
            value => {
                Err(D::Error::invalid_value(Unexpected::Unsigned(value.into()), &"0 to 50 percent"))
            }
        }
    }
}
