//! `docs/protocol.md`: its JSON is the examples' own text, and its tables name every event, code
//! and verdict that the code knows.

use std::collections::BTreeSet;
use std::path::Path;

use voxhall::wire::http::ErrorCode;

use crate::{client, files, http, kinds, server, text};

kinds!(ErrorCode: EmptyToken, InvalidToken, AccessDenied, NotFound, InvalidMethod, InvalidData,
    RateLimit, Internal);

/// A block of JSON and the line before it.
struct Block<'p> {
    line: usize,
    before: &'p str,
    json: String,
}

#[test]
fn each_json_block_of_the_page_is_an_example_byte_for_byte() {
    let page = page();
    let blocks = blocks(&page);
    for block in &blocks {
        let name = block.before.strip_prefix("<!-- tests/data/wire/");
        let name = name.and_then(|rest| rest.strip_suffix(".json -->"));
        let name = name.unwrap_or_else(|| panic!("line {}: which example is it?", block.line));
        assert_eq!(block.json, text(name), "line {}: {name}", block.line);
    }
    let shown: BTreeSet<String> = blocks
        .iter()
        .filter_map(|it| it.before.strip_prefix("<!-- tests/data/wire/")?.split_once(".json"))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(shown, files(), "the page shows every example");
}

#[test]
fn each_link_within_the_page_leads_to_a_heading() {
    let page = page();
    let slug = |heading: &str| -> String {
        let plain = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = plain.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let slugs: BTreeSet<String> = headings.map(slug).collect();
    let links = page.split("](#").skip(1).filter_map(|rest| rest.split_once(')'));
    for (link, _) in links {
        assert!(slugs.contains(link), "#{link} leads nowhere");
    }
}

#[test]
fn the_page_names_every_event_once_in_its_tables() {
    let page = page();
    let named = first_cells(&page);
    let events = client::names().chain(server::names()).map(example_event);
    for event in events.collect::<BTreeSet<_>>() {
        let rows = named.iter().filter(|cell| **cell == format!("`{event}`")).count();
        assert_eq!(rows, 1, "{event} has {rows} rows");
    }
}

#[test]
fn the_page_explains_every_code_of_a_warning_and_no_other() {
    let page = page();
    assert_eq!(section_cells(&page, "## Warnings"), codes());
}

#[test]
fn the_page_explains_every_verdict_and_no_other() {
    let page = page();
    assert_eq!(section_cells(&page, "### Why can't I hear?"), http::verdicts());
}

#[test]
fn the_page_explains_every_error_of_http_and_no_other() {
    use ErrorCode::{
        AccessDenied, EmptyToken, Internal, InvalidData, InvalidMethod, InvalidToken, NotFound,
        RateLimit,
    };
    let all = [
        EmptyToken,
        InvalidToken,
        AccessDenied,
        NotFound,
        InvalidMethod,
        InvalidData,
        RateLimit,
        Internal,
    ];
    assert_eq!(all.map(|code| kind(&code)), KINDS);
    let page = page();
    let words = all.iter().map(|code| code.as_str().to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(section_cells(&page, "### Errors"), words);
}

fn page() -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn example_event(name: &str) -> String {
    crate::example(name)["event"].as_str().expect("a name").to_owned()
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let lines: Vec<&str> = page.lines().collect();
    let begins = lines.iter().enumerate().filter(|(_, line)| line.starts_with("```json"));
    let block = |(at, _): (usize, &&str)| {
        let json = lines[at + 1..].iter().take_while(|line| **line != "```");
        let json = json.fold(String::new(), |text, line| text + line + "\n");
        Block { line: at + 1, before: lines[at - 1], json }
    };
    begins.map(block).collect()
}

/// What stands in the first column of the page's tables.
fn first_cells(page: &str) -> Vec<&str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| row.split_once(" |")).map(|(cell, _)| cell).collect()
}

/// The words in code type in the first column of one section's table.
fn section_cells(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = page.split_once(&format!("\n{heading}\n")).expect("the section");
    let section = section.split("\n#").next().unwrap_or_default();
    let words = first_cells(section).into_iter();
    words.filter_map(|it| it.strip_prefix('`')?.strip_suffix('`')).map(str::to_owned).collect()
}

/// Every code that the source gives a warning.
fn codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |source: &str| {
        for opening in ["Refusal::new(", "{ code: ", ".warn("] {
            let calls = source.match_indices(opening).map(|(at, it)| &source[at + it.len()..]);
            codes.extend(calls.filter_map(|rest| quoted(rest.trim_start())));
        }
        // The functions that name an error's code.
        let functions = source.split("fn code(").skip(1);
        for body in functions.filter_map(|rest| rest.split("\n    }").next()) {
            codes.extend(body.match_indices("=> \"").filter_map(|(at, _)| quoted(&body[at + 3..])));
        }
    });
    codes
}

/// The word in quotes that `text` begins with.
fn quoted(text: &str) -> Option<String> {
    let (word, _) = text.strip_prefix('"')?.split_once('"')?;
    let is_code = word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    is_code.then(|| word.to_owned())
}

fn walk(folder: &Path, look: &mut impl FnMut(&str)) {
    for entry in std::fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, look);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            look(&read(&path));
        }
    }
}
