//! The house rules that no compiler keeps: which crate lives where, what the engine must not
//! know, sizes and names. STYLE in short: guards for the architecture first.
//!
//! Each rule comes with a breach that it must notice and a look-alike that it must let through.

#[path = "tidy/homes.rs"]
mod homes;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use std::fs;
use std::path::Path;

use rules::{RULES, Rule};
use source::Source;

#[test]
fn every_rule_is_kept() {
    let sources = project();
    assert!(sources.iter().any(|source| source.path == "tests/tidy.rs"), "the walk finds nothing");
    let complaints: Vec<String> =
        RULES.iter().flat_map(|rule| sources.iter().flat_map(|it| complaints(rule, it))).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_breach_is_noticed() {
    for rule in RULES {
        for (path, text) in rule.breaches {
            let found = complaints(rule, &Source::new(path, text));
            assert!(!found.is_empty(), "{}: not noticed in {path}: {text}", rule.fact);
        }
    }
}

#[test]
fn what_only_looks_like_a_breach_is_let_through() {
    for rule in RULES {
        for (path, text) in rule.fine {
            let found = complaints(rule, &Source::new(path, text));
            assert!(found.is_empty(), "{}: {found:?} in {path}: {text}", rule.fact);
        }
    }
}

#[test]
fn every_crate_with_a_home_is_noticed_elsewhere() {
    for home in homes::HOMES {
        let text = format!("use {}::Thing;\n", home.name);
        let found = homes::strangers(&Source::new("src/nowhere.rs", &text));
        assert_eq!(found.len(), 1, "{}", home.name);
        assert!(!home.reason.is_empty());
    }
}

#[test]
fn oversize_functions_and_files_are_noticed() {
    let size = RULES.iter().find(|rule| rule.fact == rules::SIZES).expect("the rule of sizes");
    let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
    let file = |lines: usize| "use a::b;\n".repeat(lines);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "use a::b;\n".repeat(500));
    let is_noticed = |text: &str| !complaints(size, &Source::new("src/a.rs", text)).is_empty();
    assert!(!is_noticed(&function(70)) && is_noticed(&function(71)));
    assert!(!is_noticed(&file(400)) && is_noticed(&file(401)));
    assert!(!is_noticed(&(file(390) + &tests)) && is_noticed(&(file(401) + &tests)));
}

fn complaints(rule: &Rule, source: &Source) -> Vec<String> {
    let found = (rule.check)(source).into_iter();
    found.map(|(line, what)| format!("{}:{line}: {what} ({})", source.path, rule.fact)).collect()
}

/// Every text file of the project.
fn project() -> Vec<Source> {
    let mut sources = Vec::new();
    walk(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut sources);
    sources
}

fn walk(root: &Path, folder: &str, sources: &mut Vec<Source>) {
    let entries = fs::read_dir(root.join(folder)).expect("a folder of the project");
    for entry in entries {
        let entry = entry.expect("an entry of the folder");
        let name = entry.file_name().into_string().expect("our names are plain");
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        // `.git` is a folder, and in a second worktree a file with a path of the machine.
        if NOT_OURS.contains(&path.as_str()) {
            continue;
        }
        if entry.path().is_dir() {
            if name != "__pycache__" && name != "target" {
                walk(root, &path, sources);
            }
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            sources.push(Source::new(&path, &text));
        }
    }
}

/// Made by tools, or kept by the running server, or captured from strangers.
const NOT_OURS: [&str; 4] = [".git", ".venv", "data", "tests/data"];
