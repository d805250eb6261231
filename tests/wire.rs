//! The examples of `tests/data/wire`, one message a file: what they say is what the code reads and
//! writes, every event and answer has one, and `docs/protocol.md` shows them all.

#[path = "wire/client.rs"]
mod client;
#[path = "wire/http.rs"]
mod http;
#[path = "wire/page.rs"]
mod page;
#[path = "wire/recordings.rs"]
mod recordings;
#[path = "wire/server.rs"]
mod server;
#[path = "support/strict.rs"]
#[allow(dead_code, reason = "the calls' tests use all of it")]
mod strict;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

pub const ANNA: &str = "d-3f0c8a52-7d5e-4b0e-9a44-5d1c2e6f7a01";
pub const BORIS: &str = "d-b7c1e9d4-20a6-4f3b-8c57-91e4d0a2c302";
pub const CLARA: &str = "d-58e2f6a1-c4d9-4a7e-b310-6f8b9d0e4c03";
pub const LOBBY: &str = "g-0e9b4c7d-81f2-4d6a-a5c3-27d4e8f1b004";
pub const TEAM: &str = "2c6d1f80-93ab-4e5d-b7f1-40c8a9e2d305";
/// The call in the Lobby.
pub const CALL: &str = "a94d7e10-5c38-4b2f-9e61-d3f0b8c7a206";
/// The call of anna and boris.
pub const DIRECT: &str = "f10b6c83-2e47-4d95-8a0c-7b9e5d4f1307";

/// An example under a name and the typed value it stands for.
pub type Example<T> = (&'static str, T);

/// Names every variant of an enum once: one that is not listed does not compile.
macro_rules! kinds {
    ($of:path: $($variant:ident),* $(,)?) => {
        fn kind(value: &$of) -> &'static str {
            use $of as Of;
            match value {
                $(Of::$variant { .. } => stringify!($variant),)*
            }
        }
        const KINDS: &[&str] = &[$(stringify!($variant)),*];
    };
}
pub(crate) use kinds;

#[test]
fn no_example_is_left_over() {
    let used = client::names().chain(server::names()).chain(http::names());
    let used: BTreeSet<String> = used.map(str::to_owned).collect();
    assert_eq!(used, files());
}

/// The text of an example.
pub fn text(name: &str) -> String {
    let path = folder().join(format!("{name}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn example(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A session description that an example carries.
pub fn sdp_of(name: &str) -> String {
    example(name)["params"]["jsep"]["sdp"].as_str().expect("a description").to_owned()
}

/// The names of all that is there.
pub fn files() -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder()).expect("a folder of the project");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.expect("an entry").file_name().into_string().expect("plain names");
        name.strip_suffix(".json").unwrap_or_else(|| panic!("{name} is no example")).to_owned()
    };
    entries.map(name).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire")
}
