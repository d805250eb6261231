//! What a packet costs on its way out, in instructions: repeatable where times drift. Counted by
//! valgrind's callgrind over the same code as in a call (`media::rehearsal`), sealed and not sent.
//! The cipher's own are left out: they depend on the machine's CPU, and are not ours.
//!
//! Where a change is worth more instructions, the bound moves with it, and the commit says why.
//!
//! `cargo test --test instructions -- --nocapture` prints the figures.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use voxhall::media::rehearsal::{Rehearsal, To};
use voxhall::media::srtp::Profile;

/// What is counted, and the most instructions that a packet to one listener may take. The tests'
/// profile is not optimised to the end: these are more than in a release.
const BOUNDS: [(&str, u64); 3] = [("voice", 1_210), ("voices", 1_160), ("bundles", 1_430)];

const LISTENERS: u32 = 20;
const TALKERS: u32 = 3;

/// Rounds of the longer run beyond those of the shorter one: what both have in common is no
/// packet's.
const ROUNDS: u32 = 50;
const WARM_UP: u32 = 5;

#[test]
fn a_packet_takes_no_more_instructions_than_it_did() {
    let mut beyond = Vec::new();
    for (what, most) in BOUNDS {
        let talkers = if what == "voice" { 1 } else { TALKERS };
        let (short, long) = (count(what, WARM_UP), count(what, WARM_UP + ROUNDS));
        let packets = u64::from(talkers * LISTENERS * ROUNDS);
        let ours = (long.ours - short.ours) / packets;
        let cipher = (long.cipher - short.cipher) / packets;
        println!("{what}: {ours} instructions a packet (at most {most}), the cipher's {cipher}");
        if ours > most {
            beyond.push((what, ours, most, long.most_expensive()));
        }
        assert!(cipher > 0, "{what}: nothing was sealed");
    }
    assert!(beyond.is_empty(), "more than before: {beyond:#?}");
}

/// The work that is counted; by itself it shows nothing.
#[test]
#[ignore = "run by the other test, under valgrind"]
fn work() {
    let what = std::env::var("COUNTED").expect("the other test says what");
    let rounds: u32 = std::env::var("ROUNDS").expect("and how often").parse().expect("a number");
    let talkers = if what == "voice" { 1 } else { TALKERS };
    let mut call = Rehearsal::new(talkers, LISTENERS, Profile::AeadAes128Gcm);
    for _ in 0..rounds {
        match what.as_str() {
            "bundles" => call.forward_bundled(To::Nowhere, 2),
            _ => call.forward(To::Nowhere),
        };
    }
}

struct Count {
    ours: u64,
    cipher: u64,
    functions: BTreeMap<String, u64>,
}

impl Count {
    fn most_expensive(&self) -> Vec<(u64, String)> {
        let mut all: Vec<(u64, String)> =
            self.functions.iter().map(|(name, cost)| (*cost, name.clone())).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        all.truncate(12);
        all
    }
}

fn count(what: &str, rounds: u32) -> Count {
    let out = out_file(what, rounds);
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
    // Nothing but the way out: neither keys nor the tests' own.
    valgrind.arg("--toggle-collect=*Rehearsal*forward*");
    valgrind.arg(std::env::current_exe().expect("a test knows itself"));
    valgrind.args(["--exact", "work", "--ignored", "--test-threads=1"]);
    valgrind.env("COUNTED", what).env("ROUNDS", rounds.to_string());
    let ran = valgrind.output().expect("valgrind (Debian's package of that name) is installed");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = std::fs::read_to_string(&out).expect("callgrind wrote it");
    std::fs::remove_file(&out).expect("it is ours");
    read(&text)
}

fn out_file(what: &str, rounds: u32) -> PathBuf {
    let name = format!("callgrind-{what}-{rounds}-{}", std::process::id());
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Callgrind's format: `fn=(number) name` begins a function's lines, of which each has a position
/// and a cost; the line behind `calls=` has what was spent elsewhere.
fn read(text: &str) -> Count {
    let mut names = BTreeMap::new();
    let mut functions: BTreeMap<String, u64> = BTreeMap::new();
    let (mut name, mut is_of_callee) = (String::new(), false);
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            name = named(function, &mut names);
        } else if let Some(function) = line.strip_prefix("cfn=") {
            named(function, &mut names);
        } else if line.starts_with("calls=") {
            is_of_callee = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
            if !std::mem::take(&mut is_of_callee) {
                *functions.entry(name.clone()).or_default() += cost.unwrap_or_default();
            }
        }
    }
    // The cipher is C and assembly, whose names have no path.
    let is_cipher = |name: &str| !name.contains("::");
    let sum = |cipher: bool| {
        functions.iter().filter(|(name, _)| is_cipher(name) == cipher).map(|(_, cost)| cost).sum()
    };
    Count { ours: sum(false), cipher: sum(true), functions }
}

/// `(number) name` where a name comes first, `(number)` from then on.
fn named(text: &str, names: &mut BTreeMap<String, String>) -> String {
    let (number, name) = text.split_once(' ').unwrap_or((text, ""));
    if !name.is_empty() {
        names.insert(number.to_owned(), name.to_owned());
    }
    names.get(number).cloned().unwrap_or_default()
}
