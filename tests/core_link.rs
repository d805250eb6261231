//! The link to a chat core elsewhere, on the real server: calls go by it, a cut costs nobody
//! anything, and of what happened in calls nothing is lost, twice or out of order.

mod support;

#[path = "core/fake.rs"]
#[allow(dead_code, reason = "tests/core_matrix.rs uses the rest of it")]
mod fake;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fake::{FakeCore, Mode, SECRET};
use serde_json::{Value, json};
use support::raw::{OFFER, offer_of};
use support::server::Server;

/// What comes, comes in milliseconds; this forgives a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(30);

const ANNA: &str = "d-anna";
const BORIS: &str = "d-boris";

fn group(name: &str) -> Value {
    json!({ "type": "group", "jid": format!("g-{name}"), "display_name": name })
}

fn direct(one: &str, other: &str) -> Value {
    let person = |jid: &str| json!({ "jid": jid, "display_name": jid });
    json!({ "type": "direct", "people": [person(one), person(other)] })
}

fn dialling(core: &FakeCore) -> Vec<(&str, &str)> {
    vec![
        ("VOXHALL_CORE_MODE", "dial"),
        ("VOXHALL_CORE_URL", &core.url),
        ("VOXHALL_CORE_SECRET", SECRET),
    ]
}

fn kinds(facts: &[Value]) -> Vec<&str> {
    facts.iter().map(|fact| fact["kind"].as_str().expect("a kind")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_by_the_link_and_its_facts_come_in_order() {
    let core = FakeCore::start().await;
    let server = Server::with(&["--http", "127.0.0.1:0"], &dialling(&core));
    let lobby = group("lobby");
    let offered = core.signal(ANNA, &lobby, "client.call.offer", &offer_of("g-lobby", OFFER));
    assert_eq!(core.result(offered).await["ok"], true);
    let answer = core.wait("an answer", |it| it["event"]["event"] == "server.call.sdp").await;
    assert_eq!(answer["to"], json!({ "devices": [{ "jid": ANNA, "device": "pc" }] }));
    let uid = answer["event"]["params"]["uid"].as_str().expect("a uid").to_owned();
    let listed = core.wait("a call", |it| it["type"] == "call" && it["online_count"] == 1).await;
    assert_eq!((&listed["uid"], &listed["chat"]), (&json!(uid), &json!({ "group": "g-lobby" })));
    let state = core.wait("a state", |it| it["event"]["event"] == "server.call.state").await;
    assert_eq!(state["to"], json!({ "members": "g-lobby", "except": [] }));
    let muted = json!({ "jid": "g-lobby", "muted": true });
    core.signal(ANNA, &lobby, "client.call.sound", &muted);
    core.wait("a mute", |it| it["event"]["event"] == "server.call.sound").await;
    // Not in the call: his own fault, and nobody else's business.
    let refused = core.signal(BORIS, &lobby, "client.call.sound", &muted);
    let refused = core.result(refused).await;
    assert_eq!((&refused["ok"], &refused["code"]), (&json!(false), &json!("not_in_call")));
    core.until("the mute", || core.facts().get(&uid).is_some_and(|it| it.len() == 3)).await;
    let left = core.signal(ANNA, &lobby, "client.call.leave", &json!({ "jid": "g-lobby" }));
    assert_eq!(core.result(left).await["ok"], true);
    core.until("the end", || core.facts().get(&uid).is_some_and(|it| it.len() == 5)).await;
    let facts = core.facts().remove(&uid).expect("facts");
    assert_eq!(kinds(&facts), ["started", "joined", "muted", "left", "finished"]);
    assert_eq!(facts[1]["actor"], json!({ "jid": ANNA, "display_name": ANNA }));
    assert_eq!(facts[0]["chat"], lobby);
    assert_eq!(facts[4]["details"]["people"][0]["jid"], ANNA);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_is_told_of_the_calls_that_he_may_know_of() {
    let core = FakeCore::start().await;
    let server = Server::with(&["--http", "127.0.0.1:0"], &dialling(&core));
    for name in ["tea", "secret"] {
        let jid = format!("g-{name}");
        let offer = offer_of(&jid, OFFER);
        let offered = core.signal(ANNA, &group(name), "client.call.offer", &offer);
        assert_eq!(core.result(offered).await["ok"], true);
    }
    core.say(json!({
        "type": "presence", "jid": BORIS, "device": "phone", "connected": true, "groups": ["g-tea"],
    }));
    let is_boris = |it: &Value| it["to"]["devices"][0]["jid"] == BORIS;
    let told = core.wait("a state", is_boris).await;
    assert_eq!(told["event"]["params"]["jid"], "g-tea");
    // What is said later comes later: nothing of the other one came before.
    let probe = core.signal(BORIS, &group("tea"), "client.call.leave", &json!({ "jid": "g-tea" }));
    core.result(probe).await;
    let of_secret = |it: &Value| is_boris(it) && it["event"]["params"]["jid"] == "g-secret";
    assert!(!core.any(of_secret));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_is_nobody_s_lost_call_and_what_was_said_meanwhile_comes_once() {
    let core = FakeCore::start().await;
    let server = Server::with(&["--http", "127.0.0.1:0"], &dialling(&core));
    let lobby = group("lobby");
    let offered = core.signal(ANNA, &lobby, "client.call.offer", &offer_of("g-lobby", OFFER));
    core.result(offered).await;
    let links = core.links();
    core.turns(Mode::Refuses);
    // Said while there is no link: it waits.
    let muted = json!({ "jid": "g-lobby", "muted": true });
    let said = core.signal(ANNA, &lobby, "client.call.sound", &muted);
    core.turns(Mode::Works);
    assert_eq!(core.result(said).await["ok"], true);
    assert!(core.links() > links);
    let is_state = |it: &Value| {
        it["event"]["event"] == "server.call.state"
            && it["event"]["params"]["onliners"][0]["muted"] == true
    };
    core.wait("the latest state", is_state).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_core_may_dial_and_a_wrong_secret_lets_nobody_in() {
    let mode = [("VOXHALL_CORE_MODE", "accept"), ("VOXHALL_CORE_SECRET", SECRET)];
    let server = Server::with(&["--http", "127.0.0.1:0"], &mode);
    let (status, _) = server.fetch("/readyz").await;
    assert_eq!(status, 200);
    let (status, refused) = server.fetch("/api/v3/core").await;
    assert_eq!((status, &refused["error"]), (401, &json!("INVALID_TOKEN")));
    for (secret, is_let_in) in [("wrong", false), (SECRET, true)] {
        let hello = dial(&server, secret).await;
        assert_eq!(hello.is_some_and(|hello| hello["type"] == "hello"), is_let_in, "{secret}");
    }
    server.stop().await;
}

/// The node's hello, where it lets this secret in.
async fn dial(server: &Server, secret: &str) -> Option<Value> {
    use futures_util::StreamExt;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;

    let authority = server.url.strip_prefix("http://").expect("plain");
    let mut request = format!("ws://{authority}/api/v3/core").into_client_request().expect("a URL");
    let bearer = format!("Bearer {secret}").parse().expect("plain text");
    request.headers_mut().insert("authorization", bearer);
    let stream = tokio::net::TcpStream::connect(authority).await.expect("it listens");
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.ok()?;
    let first = socket.next().await?.ok()?;
    serde_json::from_str(first.to_text().ok()?).ok()
}

/// Calls of every kind that ends, and facts of them: a core that is away in every way, and a node
/// that is killed meanwhile (docs/core.md, HOSTILE.md F8). `VOXHALL_FACTS=10000 VOXHALL_AWAY_S=60`
/// is the long run.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_core_s_absence_and_our_own_death_no_fact_is_lost_twice_or_out_of_order() {
    let number = |name: &str, other: u64| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(other)
    };
    let (wanted, away_s) = (number("VOXHALL_FACTS", 1_200), number("VOXHALL_AWAY_S", 2));
    let away = Duration::from_secs(away_s) / 4;
    let core = FakeCore::start().await;
    let data = tempfolder("away");
    let mut variables = dialling(&core);
    variables.push(("VOXHALL_CALL_BUZZ_TIMEOUT_S", "3"));
    // Few people make all these calls, each with one device.
    variables.push(("VOXHALL_SIGNAL_OFFERS_PER_S", "100000"));
    variables.push(("VOXHALL_SIGNAL_OFFERS_BURST", "100000"));
    // Nobody here has media: their calls go on all the same until the node dies.
    variables.push(("VOXHALL_CALL_MEDIA_LOST_REMOVED_S", "600"));
    let server = Server::on(&data, &variables);
    core.turns(Mode::Forgets);
    let calls = make_calls(&core, wanted).await;
    let refused = |it: &Value| it["type"] == "result" && it["ok"] == false;
    assert!(!core.any(refused), "{:#?}", core.wait("a refusal", refused).await);
    wait_for(&server, "voxhall_facts_total", |facts| facts >= wanted).await;
    for mode in [Mode::Refuses, Mode::BlackHole] {
        core.turns(mode);
        tokio::time::timeout(away, std::future::pending::<()>()).await.unwrap_err();
    }
    server.kill();
    let server = Server::on(&data, &variables);
    for mode in [Mode::Hangs, Mode::Forgets] {
        core.turns(mode);
        tokio::time::timeout(away, std::future::pending::<()>()).await.unwrap_err();
    }
    core.turns(Mode::Works);
    let back = Instant::now();
    let all_over = || {
        let facts = core.facts();
        facts.len() == calls && facts.values().all(|it| it.last().unwrap()["kind"] == "finished")
    };
    core.until("every end", all_over).await;
    wait_for(&server, "voxhall_waiting_facts", |facts| facts == 0).await;
    let took = back.elapsed();
    let (count, repeats) = (core.count_facts(), core.repeats());
    println!("{count} facts of {calls} calls, {repeats} came again; drained in {took:?}");
    check(&core.facts());
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(repeats > 0, "nothing was told twice: the test tests nothing");
    server.stop().await;
    let _ = std::fs::remove_dir_all(data);
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_by_http_are_signed_and_come_once_to_who_fails_and_forgets() {
    let data = tempfolder("webhook");
    std::fs::create_dir_all(&data).expect("a folder");
    let (taker, url) = webhook(&data, SECRET);
    let hook =
        [("VOXHALL_CORE_WEBHOOK_URL", url.as_str()), ("VOXHALL_CORE_WEBHOOK_SECRET", SECRET)];
    let server = Server::on(&data, &hook);
    let mut anna = support::story::guest(&server, "anna").await;
    anna.offer(&anna.lobby(), support::client::Sections::One).await.expect("the call takes her");
    anna.leave().await.expect("she may go");
    wait_for(&server, "voxhall_facts_total", |facts| facts >= 4).await;
    wait_for(&server, "voxhall_waiting_facts", |facts| facts == 0).await;
    server.stop().await;
    let text = std::fs::read_to_string(data.join("facts.jsonl")).expect("it keeps them");
    let facts: Vec<Value> = text.lines().filter_map(|it| serde_json::from_str(it).ok()).collect();
    assert_eq!(kinds(&facts), ["started", "joined", "left", "finished"]);
    assert_eq!(facts[1]["actor"]["display_name"], "anna");
    // Another's secret: it takes nothing, and nothing is lost by that.
    drop(taker);
    let (_taker, url) = webhook(&data, "another-secret-of-thirty-two-characters");
    let hook =
        [("VOXHALL_CORE_WEBHOOK_URL", url.as_str()), ("VOXHALL_CORE_WEBHOOK_SECRET", SECRET)];
    let server = Server::on(&data, &hook);
    let mut boris = support::story::guest(&server, "boris").await;
    boris.offer(&boris.lobby(), support::client::Sections::One).await.expect("the call takes him");
    wait_for(&server, "voxhall_waiting_facts", |facts| facts == 2).await;
    let log = server.stop().await.stderr;
    assert!(log.contains("somebody must look") && !log.contains(SECRET), "{log}");
    assert_eq!(std::fs::read_to_string(data.join("facts.jsonl")).expect("it is there"), text);
    let _ = std::fs::remove_dir_all(data);
}

/// Ends with it.
struct Taker(std::process::Child);

impl Drop for Taker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `tests/core/webhook.py`, which fails twice and once forgets to answer; and its address.
fn webhook(data: &std::path::Path, secret: &str) -> (Taker, String) {
    use std::io::BufRead;

    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = std::process::Command::new("python3");
    command.arg(here.join("tests/core/webhook.py")).args(["--secret", secret, "--facts"]);
    command.arg(data.join("facts.jsonl")).args(["--fail", "2", "--forget", "1"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("python3 is there");
    let mut line = String::new();
    let mut said = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    said.read_line(&mut line).expect("a pipe can be read");
    let url = line.split_whitespace().last().expect("an address").to_owned();
    (Taker(child), url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_takes_no_new_calls_and_moves_those_that_go_on() {
    let (core, data) = (FakeCore::start().await, tempfolder("drain"));
    let mut variables = dialling(&core);
    variables.push(("VOXHALL_CALL_DRAIN_S", "4"));
    let server = Server::on(&data, &variables);
    let lobby = group("lobby");
    let offered = core.signal(ANNA, &lobby, "client.call.offer", &offer_of("g-lobby", OFFER));
    core.result(offered).await;
    server.terminate();
    wait_for_status(&server, 503).await;
    let late = core.signal(BORIS, &group("tea"), "client.call.offer", &offer_of("g-tea", OFFER));
    assert_eq!(core.result(late).await["code"], "draining");
    // The call that goes on takes people until its time is over.
    let joins = core.signal(BORIS, &lobby, "client.call.offer", &offer_of("g-lobby", OFFER));
    assert_eq!(core.result(joins).await["ok"], true);
    let restart = |who: &'static str| {
        move |it: &Value| {
            it["event"]["event"] == "server.call.restart" && it["to"]["devices"][0]["jid"] == who
        }
    };
    core.wait("word to dial again", restart(ANNA)).await;
    core.wait("word to dial again", restart(BORIS)).await;
    let stopped = server.ended().await;
    assert!(stopped.status.success(), "{}", stopped.stderr);
    // What the next one has to tell of it: nothing of it was lost.
    let server = Server::on(&data, &variables);
    let ends = || core.facts().values().any(|it| it.last().unwrap()["kind"] == "finished");
    core.until("the end", ends).await;
    let facts = core.facts().into_values().next().expect("of one call");
    assert_eq!(kinds(&facts), ["started", "joined", "joined", "finished"]);
    assert_eq!(facts[3]["details"]["reason"], "node_restart");
    server.stop().await;
    let _ = std::fs::remove_dir_all(data);
}

async fn wait_for_status(server: &Server, wanted: u16) {
    let until = Instant::now() + PATIENCE;
    while server.fetch("/readyz").await.0 != wanted {
        assert!(Instant::now() < until, "/readyz is never {wanted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_hears_ready_alive_and_stopping() {
    let path = tempfolder("notify");
    let _ = std::fs::remove_file(&path);
    let socket = tokio::net::UnixDatagram::bind(&path).expect("a socket");
    let name = path.to_str().expect("text").to_owned();
    let manager = [("NOTIFY_SOCKET", name.as_str()), ("WATCHDOG_USEC", "100000")];
    let server = Server::with(&["--http", "127.0.0.1:0"], &manager);
    for wanted in ["READY=1", "WATCHDOG=1", "WATCHDOG=1"] {
        assert_eq!(said(&socket).await, wanted);
    }
    server.terminate();
    let mut last = said(&socket).await;
    while last == "WATCHDOG=1" {
        last = said(&socket).await;
    }
    assert_eq!(last, "STOPPING=1");
    assert!(server.ended().await.status.success());
    let _ = std::fs::remove_file(path);
}

async fn said(socket: &tokio::net::UnixDatagram) -> String {
    let mut bytes = [0; 256];
    let received = tokio::time::timeout(PATIENCE, socket.recv(&mut bytes)).await;
    let length = received.expect("it says something").expect("a datagram");
    String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
}

/// One of each kind again and again, until there are so many facts. How many calls.
async fn make_calls(core: &FakeCore, wanted: u64) -> usize {
    let (mut calls, mut facts) = (0, 0);
    let mut last = 0;
    while facts < wanted {
        let (chat, pair) = (format!("g-{calls}"), direct(ANNA, &format!("d-{calls}")));
        let other = format!("d-{calls}");
        let to_other = json!({ "jid": other });
        let offer = |jid: &str| offer_of(jid, OFFER);
        let say = |who: &str, chat: &Value, event: &str, params: &Value| {
            core.signal(who, chat, &format!("client.call.{event}"), params)
        };
        let (made, kind) = match calls % 6 {
            // Over by its end; open when the node dies; refused; cancelled; missed; answered.
            0 => {
                say(ANNA, &group(&chat[2..]), "offer", &offer(&chat));
                (4, say(ANNA, &group(&chat[2..]), "leave", &json!({ "jid": chat })))
            }
            1 => (2, say(ANNA, &group(&chat[2..]), "offer", &offer(&chat))),
            2 => {
                say(ANNA, &pair, "offer", &offer(&other));
                (5, say(&other, &pair, "reject", &json!({ "jid": ANNA, "reason": "busy" })))
            }
            3 => {
                say(ANNA, &pair, "offer", &offer(&other));
                (5, say(ANNA, &pair, "buzzcancel", &to_other))
            }
            4 => (5, say(ANNA, &pair, "offer", &offer(&other))),
            _ => {
                say(ANNA, &pair, "offer", &offer(&other));
                say(&other, &pair, "offer", &offer(ANNA));
                say(ANNA, &pair, "leave", &to_other);
                (8, say(&other, &pair, "leave", &json!({ "jid": ANNA })))
            }
        };
        last = kind;
        (calls, facts) = (calls + 1, facts + made);
        if calls % 50 == 0 {
            core.results(last).await;
        }
    }
    core.results(last).await;
    calls
}

/// In order, none missing: each call's numbers are 1, 2, 3 .. up to its end, its times never go
/// back, and who left had joined.
fn check(facts: &BTreeMap<String, Vec<Value>>) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (uid, facts) in facts {
        let numbers: Vec<u64> = facts.iter().filter_map(|it| it["call_seq"].as_u64()).collect();
        assert_eq!(numbers, (1..=facts.len() as u64).collect::<Vec<_>>(), "{uid}: {facts:#?}");
        assert!(facts.is_sorted_by_key(|fact| fact["at"].as_str()), "{uid}: {facts:#?}");
        let all = kinds(facts);
        assert_eq!(all.iter().filter(|kind| **kind == "finished").count(), 1, "{uid}: {all:?}");
        all.iter().for_each(|kind| *seen.entry((*kind).to_owned()).or_default() += 1);
        let end = &facts.last().expect("an end")["details"]["reason"];
        *seen.entry(format!("end {}", end.as_str().expect("a reason"))).or_default() += 1;
    }
    println!("{seen:?}");
    for kind in ["rejected", "cancelled", "missed", "answered_elsewhere", "end node_restart"] {
        assert!(seen.contains_key(kind), "{kind}: {seen:?}");
    }
}

/// Asks again and again: each answer is an event of its own.
async fn wait_for(server: &Server, name: &str, is: impl Fn(u64) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let value = told(server, name).await;
        if is(value) {
            return;
        }
        assert!(Instant::now() < until, "{name} stays at {value}");
    }
}

async fn told(server: &Server, name: &str) -> u64 {
    let (_, metrics) = server.fetch("/metrics").await;
    let line = metrics.as_str().expect("text").lines().find_map(|line| {
        line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).map(str::to_owned)
    });
    line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
}

fn tempfolder(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("voxhall-core-{}-{name}", std::process::id()))
}
