//! What the commands print: at most 100 columns, whatever people are called.

use serde_json::Value;

use crate::wire::admin::OPERATOR;

/// A line a call.
pub fn calls(calls: &Value) -> String {
    let rows = list(&calls["calls"]).map(|call| {
        [
            short(word(call, "uid")),
            clip(&chat(call), 40),
            since(call),
            call["people"].to_string(),
            call["legs"].to_string(),
            word(call, "recording").to_owned(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return "no calls\n".to_owned();
    }
    table(["CALL", "CHAT", "SINCE (UTC)", "PEOPLE", "LEGS", "RECORDING"], &rows)
}

/// All of one call.
pub fn call(call: &Value, hearings: &[Value]) -> String {
    let sticky = match call["sticky"].as_bool() {
        Some(true) => "\nmuted      everybody, until a moderator or the operator lifts it",
        _ => "",
    };
    let mut text = format!(
        "call       {}\nchat       {}\nsince      {}\nrecording  {}{sticky}\n",
        word(call, "uid"),
        clip(&chat(call), 89),
        since(call),
        word(call, "recording"),
    );
    let onliners = || list(&call["onliners"]);
    let rows: Vec<_> = onliners().map(|onliner| person_row(call, onliner)).collect();
    text += "\n";
    text += &table(["PERSON", "JID", "VOICE"], &rows);
    let legs = onliners().flat_map(|it| list(&it["legs"]).map(move |leg| leg_row(it, leg)));
    let legs: Vec<_> = legs.collect();
    text += "\n";
    text += &table(["LEG", "PERSON", "LINK", "IN", "LOST", "LAST", "OUT", "LOST"], &legs);
    let ways = onliners().flat_map(|it| list(&it["legs"])).map(way_row);
    text += "\n";
    text += &table(["LEG", "ADDRESS", "CLIENT"], &ways.collect::<Vec<_>>());
    if hearings.is_empty() {
        return text;
    }
    text += "\n";
    for hearing in hearings {
        text += &heard(hearing);
    }
    let left = onliners().count().saturating_sub(hearings.len());
    if left > 0 && hearings.len() > 1 {
        text += &format!("{left} more listen: --listener JID shows what one of them hears\n");
    }
    text
}

/// How far the end is.
pub fn draining(node: &Value) -> String {
    let count = |name: &str, one: &str, more: &str| match node[name].as_u64().unwrap_or_default() {
        1 => format!("1 {one}"),
        several => format!("{several} {more}"),
    };
    let (people, calls) = (count("onliners", "person", "people"), count("calls", "call", "calls"));
    format!("draining: {people} in {calls}")
}

fn person_row(call: &Value, onliner: &Value) -> [String; 3] {
    let voice = match (onliner["muted"].as_bool(), onliner["talking"].as_bool()) {
        (Some(true), _) => match word(onliner, "muted_by") {
            by if by == word(onliner, "jid") => "muted by own choice".to_owned(),
            OPERATOR => "muted by the operator".to_owned(),
            by => format!("muted by {}", clip(&name_of(call, by), 16)),
        },
        (_, Some(true)) => "talks".to_owned(),
        _ => "open".to_owned(),
    };
    let private = if onliner["no_record"] == true { ", unrecorded" } else { "" };
    let (name, jid) = (clip(word(onliner, "display_name"), 20), clip(word(onliner, "jid"), 38));
    [name, jid, voice + private]
}

fn leg_row(onliner: &Value, leg: &Value) -> [String; 8] {
    let last = match leg["last_packet_ms"].as_u64() {
        Some(millis) if millis < 10_000 => format!("{millis} ms"),
        Some(millis) => format!("{} s", millis / 1_000),
        None => "never".to_owned(),
    };
    let out: u64 = list(&leg["slots"]).filter_map(|slot| slot["packets_out"].as_u64()).sum();
    let losses = list(&leg["slots"]).filter_map(|slot| slot["loss_percent"].as_f64());
    let worst = losses.fold(0.0, f64::max);
    let lost_in = leg["loss_in_percent"].as_f64().unwrap_or_default();
    [
        leg["leg"].to_string(),
        clip(word(onliner, "display_name"), 20),
        word(leg, "link").to_owned(),
        leg["packets_in"].to_string(),
        format!("{lost_in:.0} %"),
        last,
        out.to_string(),
        format!("{worst:.0} %"),
    ]
}

fn way_row(leg: &Value) -> [String; 3] {
    let address = leg["path"]["remote"].as_str().unwrap_or("none proved yet");
    [leg["leg"].to_string(), clip(address, 47), clip(word(leg, "useragent"), 40)]
}

/// Whom one hears, in a line; then a sentence for everybody he does not.
fn heard(hearing: &Value) -> String {
    let is_heard = |other: &&Value| other["verdict"] == "heard";
    let heard = list(&hearing["others"]).filter(is_heard);
    let names: Vec<String> = heard.map(|it| clip(word(it, "display_name"), 24)).collect();
    let whom = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    let mut text = wrapped(&format!("{} hears {whom}", word(hearing, "display_name")), "");
    for other in list(&hearing["others"]).filter(|other| !is_heard(other)) {
        text += &wrapped(&format!("{}: {}", word(other, "verdict"), word(other, "why")), "  ");
    }
    text
}

/// A direct chat by its two people.
fn chat(call: &Value) -> String {
    let chat = &call["chat"];
    match chat["people"].as_array() {
        Some(pair) => {
            let names = pair.iter().map(named);
            names.collect::<Vec<_>>().join(" and ")
        }
        None => named(chat),
    }
}

fn named(thing: &Value) -> String {
    let name = word(thing, "display_name");
    if name.is_empty() { word(thing, "jid").to_owned() } else { name.to_owned() }
}

fn name_of(call: &Value, jid: &str) -> String {
    let onliner = list(&call["onliners"]).find(|onliner| onliner["jid"] == jid);
    onliner.map_or_else(|| jid.to_owned(), named)
}

/// `2026-11-28 23:31:04`
fn since(call: &Value) -> String {
    let start = call["start"].as_str().and_then(|start| start.get(..19));
    start.map_or_else(|| "rings".to_owned(), |start| start.replace('T', " "))
}

/// As much of a uid as tells calls apart.
fn short(uid: &str) -> String {
    uid.chars().take(8).collect()
}

fn word<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What a person wrote, for a terminal: of one line, and no longer than that.
fn clip(text: &str, columns: usize) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    let mut chars = text.chars().map(plain);
    let mut clipped: String = chars.by_ref().take(columns).collect();
    if chars.next().is_some() {
        clipped.pop();
        clipped.push('…');
    }
    clipped
}

/// Columns as wide as what is in them, two spaces between.
fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |cells: &[String; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    let head = line(&head.map(str::to_owned));
    rows.iter().fold(head, |text, row| text + &line(row))
}

/// Words in lines of at most 100 columns; those that go on stand further right.
fn wrapped(text: &str, indent: &str) -> String {
    let (mut lines, mut line) = (String::new(), indent.to_owned());
    for word in clip(text, usize::MAX).split(' ') {
        let word = clip(word, COLUMNS - 20);
        if line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines += &format!("{}\n", line.trim_end());
            line = format!("{indent}    ");
        }
        if !line.trim().is_empty() {
            line.push(' ');
        }
        line += &word;
    }
    lines + &line + "\n"
}

const COLUMNS: usize = 100;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn long(letter: &str) -> String {
        letter.repeat(256)
    }

    /// A call whose every word is as long as it may be, and longer than is sane.
    fn monstrous() -> (Value, Value) {
        let person = |jid: &str| json!({ "jid": jid, "display_name": long("w") });
        let leg = json!({
            "leg": 123_456, "useragent": long("u"), "link": "connecting", "packets_in": 123_456_789,
            "loss_in_percent": 100.0, "last_packet_ms": 99_999_999,
            "path": { "remote": "[2001:0db8:1111:2222:3333:4444:5555:6666]:65535" },
            "slots": [{ "packets_out": 123_456_789, "loss_percent": 100.0 }],
        });
        let (one, other) = (format!("d-{}", long("1")), format!("d-{}", long("2")));
        let onliner = |jid: &str, by: &str| {
            json!({
                "jid": jid, "display_name": long("w"), "muted": true, "muted_by": by,
                "no_record": true, "legs": [leg, leg],
            })
        };
        let call = json!({
            "uid": "a94d7e10-5c38-4b2f-9e61-d3f0b8c7a206", "recording": "stopped", "people": 1_000,
            "chat": { "type": "direct", "people": [person("d-1"), person("d-2")] },
            "start": "2026-11-28T23:31:04.120387Z", "legs": 4_000, "sticky": true,
            "onliners": [onliner(&one, &other), onliner(&other, &one)],
        });
        let heard = |verdict: &str| {
            let why = format!("{} has no connection at present.", long("w"));
            json!({ "display_name": long("w"), "verdict": verdict, "why": why })
        };
        let others = [heard("heard"), heard("heard"), heard("heard"), heard("heard")];
        let others = [&others[..], &[heard("listener_without_slots")]].concat();
        (call, json!({ "display_name": long("w"), "others": others }))
    }

    #[test]
    fn nothing_is_wider_than_a_terminal_whatever_people_are_called() {
        let (whole, hearing) = monstrous();
        let list = calls(&json!({ "calls": [whole] }));
        let all = list + &call(&whole, &[hearing.clone(), hearing]);
        for line in all.lines() {
            let columns = line.chars().count();
            assert!(columns <= COLUMNS, "{columns}: {line}");
        }
        assert!(all.contains("[2001:0db8:1111:2222:3333:4444:5555:6666]:65535"), "{all}");
    }

    #[test]
    fn a_name_commands_no_terminal() {
        let chat = json!({ "type": "group", "jid": "g-1", "display_name": "\u{1b}[2J\nTea" });
        let list = calls(&json!({ "calls": [{ "uid": "u", "chat": chat, "recording": "off" }] }));
        assert!(list.contains("?[2J?Tea"), "{list}");
        assert_eq!(list.lines().count(), 2);
    }

    #[test]
    fn one_is_one_person() {
        let node = |onliners: u64, calls: u64| json!({ "onliners": onliners, "calls": calls });
        assert_eq!(draining(&node(1, 1)), "draining: 1 person in 1 call");
        assert_eq!(draining(&node(0, 0)), "draining: 0 people in 0 calls");
    }
}
