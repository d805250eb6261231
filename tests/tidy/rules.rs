//! The rules about one file each.

use crate::homes;
use crate::source::{Function, Source, Word, functions, words};

/// Line and text of what is wrong.
pub type Complaint = (usize, String);

type Sample = (&'static str, &'static str);

/// A rule, with samples of (path, text) that prove that it can fail and does not cry wolf.
pub struct Rule {
    pub fact: &'static str,
    pub check: fn(&Source) -> Vec<Complaint>,
    pub breaches: &'static [Sample],
    pub fine: &'static [Sample],
}

pub const SIZES: &str = "a file has at most 400 lines without tests, a function 70";

pub const RULES: &[Rule] = &[
    Rule {
        fact: "one crate, one home",
        check: homes::strangers,
        breaches: &[
            ("src/signal/ws.rs", "use prometheus::Registry;"),
            ("src/media/leg.rs", "fn f(d: dimpl::Dtls) {}"),
            ("src/media.rs", "use rtc_sdp::Parser;"),
            ("src/engine/call.rs", "#[derive(serde::Serialize)]"),
            ("src/a.rs", "use ::dashmap as map;"),
        ],
        fine: &[
            ("src/metrics.rs", "use prometheus::Registry;"),
            ("src/a.rs", "// use prometheus::Registry\nlet s = \"dimpl::Dtls\";"),
            ("src/a.rs", "crate::record::opus::open();"),
        ],
    },
    Rule {
        fact: "the engine has no std, clock, socket, thread, log, random or unordered map",
        check: engine_strangers,
        breaches: &[
            ("src/engine/lib.rs", "extern crate alloc;"),
            ("src/engine/a.rs", "use std::vec::Vec;"),
            ("src/engine/a.rs", "let now = Instant::now();"),
            ("src/engine/a.rs", "let map: HashMap<u8, u8>;"),
            ("src/engine/a.rs", "async fn f() {}"),
            ("src/engine/a.rs", "tracing::info!(\"x\");"),
        ],
        fine: &[
            ("src/engine/lib.rs", "#![no_std]\nextern crate alloc;"),
            ("src/engine/a.rs", "// std::vec\nuse core::fmt;\nuse alloc::vec::Vec;"),
            ("src/engine/a.rs", "#[cfg(test)]\nmod tests { use std::vec::Vec; }"),
            ("src/engine/tests.rs", "extern crate std;\nuse std::vec::Vec;"),
            ("src/media/worker.rs", "use std::time::Instant;"),
        ],
    },
    // Its breaches are too long for here: `oversize_functions_and_files_are_noticed`.
    Rule { fact: SIZES, check: sizes, breaches: &[], fine: &[] },
    Rule {
        fact: "a line has at most 100 columns",
        check: long_lines,
        breaches: &[(
            "src/a.rs",
            concat!(
                "// 45678901234567890123456789012345678901234567890",
                "12345678901234567890123456789012345678901234567890x"
            ),
        )],
        fine: &[(
            "src/a.rs",
            concat!(
                "// 45678901234567890123456789012345678901234567890",
                "1234567890123456789012345678901234567890123456789é"
            ),
        )],
    },
    Rule {
        fact: "every queue has a bound",
        check: unbounded_queues,
        breaches: &[
            ("src/a.rs", "let (tx, rx) = mpsc::unbounded_channel();"),
            ("src/a.rs", "let (tx, rx) = std::sync::mpsc::channel();"),
        ],
        fine: &[
            ("src/a.rs", "let (tx, rx) = mpsc::channel(64);"),
            ("src/a.rs", "let (tx, rx) = std::sync::mpsc::sync_channel(64);"),
        ],
    },
    Rule {
        fact: "a name says what a thing is: no get_, do_, process_, Manager, Helper, util",
        check: empty_names,
        breaches: &[
            ("src/a.rs", "pub fn get_leg() {}"),
            ("src/a.rs", "fn do_join() {}"),
            ("src/a.rs", "async fn process_offer() {}"),
            ("src/a.rs", "struct CallManager;"),
            ("src/a.rs", "trait SdpHelper {}"),
            ("src/a.rs", "pub mod util;"),
            ("src/utils.rs", ""),
        ],
        fine: &[
            ("src/a.rs", "let leg = map.get_mut(&id); file.get_ref();"),
            ("src/a.rs", "fn domain() {} fn processed() {}"),
        ],
    },
    Rule {
        fact: "every exception to a lint gives its reason",
        check: unexplained_exceptions,
        breaches: &[
            ("src/a.rs", "#[expect(dead_code)]\nfn f() {}"),
            ("src/a.rs", "#![allow(clippy::all)]"),
        ],
        fine: &[
            ("src/a.rs", "#[expect(dead_code, reason = \"used on BSD\")]\nfn f() {}"),
            ("src/a.rs", "result.expect(\"why it holds\");"),
        ],
    },
    Rule {
        fact: "a test passes time, it does not sleep",
        check: sleeping_tests,
        breaches: &[
            ("tests/calls.rs", "std::thread::sleep(second);"),
            ("src/a.rs", "#[cfg(test)]\nmod tests { async fn f() { time::sleep(second).await; } }"),
        ],
        fine: &[
            ("src/a.rs", "async fn f() { tokio::time::sleep(second).await; }"),
            ("tests/calls.rs", "// sleep(a)\ntimeout(second, heard).await;"),
        ],
    },
    Rule {
        fact: "no unwrap outside tests",
        check: unwraps,
        breaches: &[("src/a.rs", "let leg = legs.first().unwrap();")],
        fine: &[
            ("src/a.rs", "let leg = legs.first().unwrap_or(&none);"),
            ("src/a.rs", "#[cfg(test)]\nmod tests { fn f() { a.unwrap(); } }"),
            ("tests/calls.rs", "a.unwrap();"),
        ],
    },
    Rule {
        fact: "a test's name is a fact",
        check: nameless_tests,
        breaches: &[
            ("tests/calls.rs", "#[test]\nfn test_mute_2() {}"),
            ("src/a.rs", "#[cfg(test)]\nmod tests {\n #[test]\n fn test_join() {} }"),
        ],
        fine: &[("tests/calls.rs", "#[test]\nfn muted_onliner_is_heard_by_nobody() {}")],
    },
    Rule {
        fact: "a log line about a call or a leg names the call",
        check: callless_lines,
        breaches: &[
            ("src/call_task/a.rs", "info!(leg = %leg, \"leg opened\");"),
            ("src/effects.rs", "tracing::warn!(\n    %leg,\n    \"leg not closed\"\n);"),
            ("src/media/a.rs", "tracing::info!(leg = %leg.id, \"handshake failed\");"),
        ],
        fine: &[
            ("src/call_task/a.rs", "info!(%call, onliner = f(leg), \"leg opened\");"),
            ("src/effects.rs", "warn!(\n    call = %self.uid,\n    \"x\"\n);"),
            ("src/media/a.rs", "tracing::error!(%error, \"media worker cannot poll\");"),
            ("src/call_task/a.rs", "#[cfg(test)]\nmod tests { fn f() { info!(\"x\"); } }"),
        ],
    },
    Rule {
        fact: "no path of somebody's machine",
        check: machine_paths,
        breaches: &[
            ("README.md", concat!("see /wo", "rk/main")),
            ("tests/a.py", concat!("open('/tm", "p/h-web/x')")),
            ("tests/run", concat!("cd /ho", "me/anna/voxhall")),
        ],
        fine: &[("README.md", "see docs/work.md and /tmp/voxhall"), ("a.rs", "// ~/.cargo/bin")],
    },
];

fn engine_strangers(source: &Source) -> Vec<Complaint> {
    if !source.path.starts_with("src/engine/") {
        return Vec::new();
    }
    let is_root = matches!(source.path.as_str(), "src/engine/lib.rs" | "src/engine/src/lib.rs");
    let is_std = |word: &Word| match word.text {
        "std" | "tracing" | "log" | "rand" => word.after.starts_with("::"),
        text => ENGINE_STRANGERS.contains(&text),
    };
    let found = words(source.shipped()).filter(is_std);
    let mut complaints: Vec<_> = found.map(|word| (word.line, word.text.to_owned())).collect();
    if is_root && !source.code.contains("no_std") {
        complaints.push((1, "no #![no_std]".to_owned()));
    }
    complaints
}

fn sizes(source: &Source) -> Vec<Complaint> {
    if !source.path.ends_with(".rs") {
        return Vec::new();
    }
    let lines = source.lines_without_tests();
    let long = functions(&source.code).into_iter().filter(|function| function.lines > 70);
    let told = |it: Function| (it.line, format!("`{}` has {} lines", it.name, it.lines));
    let mut complaints: Vec<_> = long.map(told).collect();
    if lines > 400 {
        complaints.push((1, format!("the file has {lines} lines")));
    }
    complaints
}

fn long_lines(source: &Source) -> Vec<Complaint> {
    let is_checked = [".rs", ".js", ".py", ".sh"].iter();
    if !is_checked.clone().any(|ending| source.path.ends_with(ending)) {
        return Vec::new();
    }
    let long = |(index, line): (usize, &str)| {
        let columns = line.chars().count();
        (columns > 100).then(|| (index + 1, format!("{columns} columns")))
    };
    source.text.lines().enumerate().filter_map(long).collect()
}

fn unbounded_queues(source: &Source) -> Vec<Complaint> {
    let is_unbounded = |word: &Word| match word.text {
        "unbounded_channel" | "unbounded" => true,
        "channel" => word.after.starts_with("()") && word.before.ends_with("mpsc::"),
        _ => false,
    };
    told(words(&source.code).filter(is_unbounded))
}

fn empty_names(source: &Source) -> Vec<Complaint> {
    let is_empty = |word: &Word| {
        let is_verb = ["get_", "do_", "process_"].iter().any(|verb| word.text.starts_with(verb));
        let is_noun = ["Manager", "Helper"].iter().any(|noun| word.text.ends_with(noun));
        (word.before.ends_with("fn") && is_verb)
            || is_noun
            || (word.before.ends_with("mod") && is_catch_all(word.text))
    };
    let mut complaints = told(words(&source.code).filter(is_empty));
    let file = source.path.rsplit('/').next().unwrap_or_default();
    if file.strip_suffix(".rs").is_some_and(is_catch_all) {
        complaints.push((1, file.to_owned()));
    }
    complaints
}

fn is_catch_all(name: &str) -> bool {
    matches!(name, "util" | "utils" | "helper" | "helpers" | "misc" | "common")
}

fn unexplained_exceptions(source: &Source) -> Vec<Complaint> {
    let is_exception = |word: &Word| {
        let is_attribute = word.before.ends_with("#[") || word.before.ends_with("#![");
        matches!(word.text, "expect" | "allow") && is_attribute
    };
    let lines: Vec<&str> = source.code.lines().collect();
    let is_unexplained = |word: &Word| {
        let rest = &lines[word.line - 1..];
        let end = rest.iter().position(|line| line.contains(")]")).map_or(rest.len(), |at| at + 1);
        !rest[..end].iter().any(|line| line.contains("reason ="))
    };
    told(words(&source.code).filter(is_exception).filter(is_unexplained))
}

fn sleeping_tests(source: &Source) -> Vec<Complaint> {
    let is_sleep = |word: &Word| word.text == "sleep" && word.after.starts_with('(');
    told(words_of_tests(source).filter(is_sleep))
}

fn unwraps(source: &Source) -> Vec<Complaint> {
    let is_unwrap = |word: &Word| word.text == "unwrap" && word.before.ends_with('.');
    told(words(source.shipped()).filter(is_unwrap))
}

fn nameless_tests(source: &Source) -> Vec<Complaint> {
    let is_nameless = |word: &Word| word.before.ends_with("fn") && word.text.starts_with("test_");
    told(words_of_tests(source).filter(is_nameless))
}

fn callless_lines(source: &Source) -> Vec<Complaint> {
    let is_of_calls = ["src/call_task", "src/effects"].iter().any(|it| source.path.starts_with(it));
    let lines: Vec<&str> = source.shipped().lines().collect();
    let is_callless = |word: &Word| {
        let is_macro = LOG_MACROS.contains(&word.text) && word.after.starts_with("!(");
        let rest = lines[word.line - 1..].join("\n");
        let call = rest.find(&format!("{}!(", word.text)).map_or("", |at| &rest[at..]);
        let call = &call[..call.find(");").or(call.find("),")).unwrap_or(call.len())];
        let names = |field: &str| {
            [format!("%{field}"), format!("{field} =")].iter().any(|it| call.contains(it.as_str()))
        };
        is_macro && (is_of_calls || names("leg")) && !names("call")
    };
    told(words(source.shipped()).filter(is_callless))
}

const LOG_MACROS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

fn machine_paths(source: &Source) -> Vec<Complaint> {
    let paths = [concat!("/wo", "rk/"), concat!("/tm", "p/h-"), concat!("/ho", "me/")];
    let found = |(index, line): (usize, &str)| {
        let path = paths.iter().find(|path| begins_a_path(line, path))?;
        Some((index + 1, (*path).to_owned()))
    };
    source.text.lines().enumerate().filter_map(found).collect()
}

/// `path` stands in `line`, and not as a part of a longer path.
fn begins_a_path(line: &str, path: &str) -> bool {
    let is_outer = |c: char| c.is_alphanumeric() || "._-~}".contains(c);
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(is_outer))
}

/// The identifiers of test code: of the whole file, or of what stands under `#[cfg(test)]`.
fn words_of_tests(source: &Source) -> impl Iterator<Item = Word<'_>> {
    let shipped: Vec<&str> = source.shipped().lines().collect();
    words(&source.code)
        .filter(move |word| shipped.get(word.line - 1).is_none_or(|line| !line.contains(word.text)))
}

fn told<'c>(words: impl Iterator<Item = Word<'c>>) -> Vec<Complaint> {
    words.map(|word| (word.line, format!("`{}`", word.text))).collect()
}

/// Words of a world outside the engine: time comes in with every input, order must repeat.
const ENGINE_STRANGERS: [&str; 12] = [
    "HashMap",
    "HashSet",
    "Instant",
    "SystemTime",
    "async",
    "await",
    "thread",
    "Mutex",
    "RwLock",
    "println",
    "unsafe",
    "UdpSocket",
];
