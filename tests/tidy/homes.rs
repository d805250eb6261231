//! One crate, one home: so that each can be replaced in one place, and each folder reads as what
//! it is about.

use crate::source::{Source, is_word, words};

/// Where the code of this project may name a crate.
pub struct Home {
    /// As code spells it; one that ends in `_` stands for all that begin so.
    pub name: &'static str,
    /// Beginnings of paths.
    pub paths: &'static [&'static str],
    pub reason: &'static str,
}

/// The places where a crate is named that has its home elsewhere.
pub fn strangers(source: &Source) -> Vec<(usize, String)> {
    let named = words(&source.code).filter(|word| {
        let prefix = word.before.strip_suffix("::");
        let is_inner = prefix.is_some_and(|prefix| prefix.ends_with(is_word));
        let prefix = prefix.unwrap_or(word.before).trim_end();
        let is_import = prefix.ends_with("use") || prefix.ends_with("extern crate");
        let is_path = word.after.starts_with("::") && !word.before.ends_with('.');
        (is_path || is_import) && !is_inner
    });
    named
        .filter_map(|word| {
            let home = HOMES.iter().find(|home| home.is_of(word.text))?;
            let is_home = home.paths.iter().any(|path| source.path.starts_with(path));
            (!is_home).then(|| (word.line, format!("`{}`: {}", word.text, home.reason)))
        })
        .collect()
}

impl Home {
    fn is_of(&self, name: &str) -> bool {
        self.name == name || (self.name.ends_with('_') && name.starts_with(self.name))
    }
}

const fn home(name: &'static str, paths: &'static [&'static str], reason: &'static str) -> Home {
    Home { name, paths, reason }
}

pub const HOMES: &[Home] = &[
    home("dashmap", &["src/registry"], "only finding a call's task is shared by threads"),
    home("prometheus", &["src/metrics"], "others count in plain integers and are asked for them"),
    home("axum", &["src/signal", "src/server", "src/admin"], "HTTP ends at the two doors"),
    home(
        "tokio_tungstenite",
        &["src/core/link", "src/demo", "src/signal", "tests/", "loadtest/"],
        "WebSockets, ours and those of clients",
    ),
    home("dimpl", &["src/media/dtls"], "one narrow file decides on DTLS"),
    home(
        "rtc_",
        &["src/media/", "src/check/turn"],
        "codecs of the media plane, and what a relay is asked; everybody else has our types",
    ),
    home("aws_lc_rs", &["src/media/", "src/demo/tls"], "keys stay with the media"),
    home("webrtc", &["src/demo", "tests/"], "a client; the server has its own packet path"),
    home("str0m", &["loadtest/"], "the load comes from a stack that is not the server's"),
    home(
        "opus",
        &["src/demo", "src/media/meter", "src/record", "tests/"],
        "the server forwards; it decodes only to hear who talks, and to mix recordings",
    ),
    home("hound", &["src/record", "tests/"], "WAV is what a recording becomes"),
    home(
        "serde",
        &["src/wire/", "src/config/", "src/core/", "src/demo/", "src/record/", "loadtest/"],
        "words of the wire are translated once, at the wire",
    ),
    home("toml", &["src/config/", "loadtest/"], "a configuration is parsed once into types"),
    home("jsonwebtoken", &["src/core/tokens", "tests/"], "whose word lets people in"),
    home("tower_http", &["src/signal/"], "which pages may read our answers"),
    home("clap", &["src/config/", "src/main.rs", "loadtest/"], "arguments are parsed once"),
    home("tracing_subscriber", &["src/telemetry", "loadtest/"], "one subscriber a process"),
    home("if_addrs", &["src/config/addresses"], "which addresses are told is decided there"),
    home(
        "rcgen",
        &["src/server", "src/signal/", "src/media/dtls", "src/core/tokens/tests", "tests/"],
        "certificates, at the edges",
    ),
    home("rust_embed", &["src/signal/"], "the page is served there"),
    home("indicatif", &["src/record/commands", "loadtest/"], "progress is drawn for a terminal"),
    home(
        "rustix",
        &["src/record/", "src/check/", "src/media/busy", "src/threads", "loadtest/"],
        "recordings lie in folders that nothing leads out of; a check asks for room and limits; \
         a worker asks how busy it is; threads let each other go first",
    ),
    home("object_store", &["src/record/upload/depot"], "what a store is, one file knows"),
    home(
        "rusqlite",
        &["src/record/archive", "src/outbox"],
        "an index of recordings and an outbox of facts, each in its own file",
    ),
    home("sd_notify", &["src/server/service"], "what the service manager is told"),
    home(
        "reqwest",
        &["src/outbox/webhook", "src/admin/terminal", "src/telemetry/traces"],
        "who asks another's HTTP: facts and traces on their way, and a terminal",
    ),
    home("rustls_native_certs", &["src/core/link/dial"], "whom we trust, who dials knows"),
    home(
        "libc",
        &["src/media/", "src/memory", "src/check/machine", "tests/"],
        "system calls are the data plane's, but for one that asks for the clock's keeper",
    ),
    home("x509_parser", &["src/check/secrets"], "when a certificate ends, only a check asks"),
];
