//! People whom a core elsewhere lets come to the node themselves, on the real server: a token says
//! who one is, where one may call, what one may, and until when.

mod support;

#[path = "core/fake.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod fake;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use fake::{FakeCore, SECRET};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use support::client::{Client, Sections};
use support::raw::{OFFER, Raw, offer_of};
use support::server::Server;
use voxhall::demo::http::Origin;
use voxhall::demo::socket::Account;

/// What comes, comes in milliseconds; this forgives a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(30);
const SIGNS: &str = "fedcba9876543210fedcba9876543210";
const TEA: &str = "g-tea";

/// Whoever signs: by a secret, or by a key of his own.
enum Signer {
    Secret(&'static str),
    Key(Box<rcgen::KeyPair>),
}

impl Signer {
    fn sign(&self, claims: &Value) -> String {
        let (algorithm, key) = match self {
            Signer::Secret(secret) => {
                (Algorithm::HS256, EncodingKey::from_secret(secret.as_bytes()))
            }
            Signer::Key(pair) => {
                let pem = pair.serialize_pem();
                (Algorithm::EdDSA, EncodingKey::from_ed_pem(pem.as_bytes()))
            }
        };
        encode(&Header::new(algorithm), claims, &key.expect("a key")).expect("claims are plain")
    }
}

/// Somebody of the tea group whose token is good for so long.
fn claims(name: &str, good_for: Duration) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    json!({
        "aud": "voxhall", "exp": (now + good_for).as_secs(),
        "team": { "uid": "team-1", "name": "Team" },
        "jid": format!("d-{name}"), "name": name,
        "chats": [{ "type": "group", "jid": TEA, "name": "Tea" }],
    })
}

fn account(server: &Server, token: String, name: &str) -> Account {
    Account {
        origin: Origin::parse(&server.url).expect("a URL"),
        token,
        jid: format!("d-{name}"),
        team_uid: "team-1".to_owned(),
        chats: Vec::new(),
    }
}

fn guest(server: &Server, name: &str) -> Account {
    account(server, Signer::Secret(SIGNS).sign(&claims(name, HOUR)), name)
}

const HOUR: Duration = Duration::from_secs(3_600);

fn by_tokens() -> Vec<(&'static str, &'static str)> {
    vec![("VOXHALL_CLIENTS_SECRETS", SIGNS)]
}

#[tokio::test(flavor = "multi_thread")]
async fn people_with_tokens_of_either_kind_hear_each_other_and_others_know_nothing() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let file: PathBuf = std::env::temp_dir().join(format!("{}.pem", uuid::Uuid::new_v4()));
    std::fs::write(&file, pair.public_key_pem()).expect("a file");
    let path = file.to_string_lossy().into_owned();
    let keys = [("VOXHALL_CLIENTS_SECRETS", SIGNS), ("VOXHALL_CLIENTS_PUBLIC_KEYS", &path)];
    let server = Server::with(&["--http", "127.0.0.1:0"], &keys);
    let key = Signer::Key(Box::new(pair));
    let boris = account(&server, key.sign(&claims("boris", HOUR)), "boris");
    let mut people = Vec::new();
    for (account, name) in [(guest(&server, "anna"), "anna"), (boris, "boris")] {
        let mut client = Client::known(account, name);
        client.connect_socket().await.expect("a token opens the socket");
        client.offer(TEA, Sections::One).await.expect("in the call");
        people.push(client);
    }
    people[0].say_tone(440.0);
    people[1].say_tone(660.0);
    people[1].hears_exactly(PATIENCE, &[440.0]).await.expect("anna");
    people[0].hears_exactly(PATIENCE, &[660.0]).await.expect("boris");
    let (_, calls) = server.fetch(&Server::path(&people[0].account, "calls")).await;
    let uid = calls["result"]["calls"][0]["uid"].as_str().expect("a call").to_owned();
    // Clara is of the team, and in other chats.
    let mut other = claims("clara", HOUR);
    other["chats"] = json!([{ "type": "group", "jid": "g-other", "name": "Other" }]);
    let clara = account(&server, Signer::Secret(SIGNS).sign(&other), "clara");
    let (status, _) = server.fetch(&Server::path(&clara, &format!("calls/{uid}"))).await;
    assert_eq!(status, 404);
    let mut socket = Raw::connect(&clara).await;
    assert_eq!(socket.event("server.online").await["calls"], json!([]));
    socket.send("client.call.offer", offer_of(TEA, OFFER)).await;
    assert_eq!(socket.event("server.warning").await["code"], "no_such_chat");
    // Rights are the token's: anna's names none.
    let mut anna = Raw::with(&people[0].account, "device=second").await;
    anna.send("client.call.muteall", json!({ "jid": TEA, "muted": true })).await;
    assert_eq!(anna.event("server.warning").await["code"], "no_right");
    // People are made by the core, and its page is not ours.
    let (status, _) = server.post("/api/v3/demo-login", &json!({ "display_name": "eve" })).await;
    assert_eq!((status, server.fetch("/").await.0), (404, 404));
    let _ = std::fs::remove_file(file);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_its_token_and_a_fresh_one_goes_on_with_the_session() {
    let server = Server::with(&["--http", "127.0.0.1:0"], &by_tokens());
    let short = Signer::Secret(SIGNS).sign(&claims("anna", Duration::from_secs(3)));
    let short = account(&server, short, "anna");
    let mut anna = Client::known(short.clone(), "anna");
    anna.connect_socket().await.expect("a token opens the socket");
    anna.offer(TEA, Sections::One).await.expect("in the call");
    let mut other = Raw::connect(&guest(&server, "boris")).await;
    let mut second = Raw::with(&short, "device=second").await;
    assert_eq!(second.close_code().await, 4002);
    let (status, body) = server.fetch(&Server::path(&short, "calls")).await;
    assert_eq!((status, &body["error"]), (401, &json!("INVALID_TOKEN")));
    assert_eq!(body["reason"], "the token has run out");
    let mut back = Raw::with(&guest(&server, "anna"), "device=test-anna").await;
    // Nobody is told that she left, as she did not: the mute is hers, in the same call.
    back.send("client.call.sound", json!({ "jid": TEA, "muted": true })).await;
    back.event("server.call.sound").await;
    other.state(|state| state["onliners"][0]["muted"] == true).await;
    let left = other.seen.iter().any(|event| event["params"]["onliners"] == json!([]));
    assert!(!left, "{:?}", other.seen);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_himself_and_whoever_comes_by_the_core_are_in_one_call() {
    let core = FakeCore::start().await;
    let variables = [
        ("VOXHALL_CLIENTS_SECRETS", SIGNS),
        ("VOXHALL_CORE_MODE", "dial"),
        ("VOXHALL_CORE_URL", &core.url),
        ("VOXHALL_CORE_SECRET", SECRET),
    ];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    let mut anna = Raw::connect(&guest(&server, "anna")).await;
    anna.send("client.call.offer", offer_of(TEA, OFFER)).await;
    anna.event("server.call.sdp").await;
    let tea = json!({ "type": "group", "jid": TEA, "display_name": "Tea" });
    let offered = core.signal("d-boris", &tea, "client.call.offer", &offer_of(TEA, OFFER));
    assert_eq!(core.result(offered).await["ok"], true);
    let of_both =
        |state: &Value| state["onliners"].as_array().is_some_and(|people| people.len() == 2);
    let uid = anna.state(of_both).await["uid"].as_str().expect("a uid").to_owned();
    core.wait("the same state", |it| of_both(&it["event"]["params"])).await;
    let answered = |jid: &str| {
        core.any(|it| {
            it["event"]["event"] == "server.call.sdp" && it["to"]["devices"][0]["jid"] == jid
        })
    };
    assert!(answered("d-boris") && !answered("d-anna"), "an answer goes where its offer came from");
    core.until("both", || core.facts().get(&uid).is_some_and(|facts| facts.len() >= 3)).await;
    let facts = core.facts().remove(&uid).expect("facts");
    let joined: Vec<&Value> = facts.iter().filter(|it| it["kind"] == "joined").collect();
    assert_eq!(joined[0]["actor"], json!({ "jid": "d-anna", "display_name": "anna" }));
    assert_eq!(joined[1]["actor"]["jid"], "d-boris");
    assert_eq!(facts[0]["team"]["uid"], "team-1");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_for_turn_are_for_whoever_shows_a_token_and_the_chat_s_page_may_ask() {
    let variables = [
        ("VOXHALL_CLIENTS_SECRETS", SIGNS),
        ("VOXHALL_HTTP_ORIGINS", "https://chat.example.org"),
        ("VOXHALL_TURN_URLS", "turn:127.0.0.1:3478,turn:127.0.0.1:3478?transport=tcp"),
        ("VOXHALL_TURN_SECRET", "north"),
    ];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    assert_eq!(server.fetch("/features.json").await.1["ice_servers"], json!([]));
    let anna = guest(&server, "anna");
    let token = format!("token: {}\r\norigin: https://chat.example.org\r\n", anna.token);
    let reply = server.bytes("GET", "/features.json", &token, "").await;
    let allowed = reply.header("access-control-allow-origin").map(str::to_owned);
    assert_eq!(allowed.as_deref(), Some("https://chat.example.org"));
    let features: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let servers = features["ice_servers"].as_array().expect("a list");
    assert_eq!(servers[1]["urls"], "turn:127.0.0.1:3478?transport=tcp");
    let username = servers[0]["username"].as_str().expect("a name");
    assert!(username.ends_with(":d-anna"), "{username}");
    assert!(servers[0]["credential"].is_string());
    let asks = "access-control-request-method: POST\r\n\
        access-control-request-headers: token, content-type\r\n";
    let allowed = |origin: &str| {
        let (headers, server) = (format!("origin: {origin}\r\n{asks}"), &server);
        async move {
            let reply = server.bytes("OPTIONS", "/api/v3/me", &headers, "").await;
            reply.header("access-control-allow-origin").is_some()
        }
    };
    assert!(allowed("https://chat.example.org").await);
    assert!(!allowed("https://evil.example").await);
    let stopped = server.stop().await;
    for secret in [SIGNS, "north", &anna.token] {
        assert!(!stopped.stderr.contains(secret), "{}", stopped.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_replaced_while_people_call_and_a_broken_file_changes_nothing() {
    const NEXT: &str = "the-next-secret-of-thirty-two-ch";
    let file = std::env::temp_dir().join(format!("{}.toml", uuid::Uuid::new_v4()));
    let write = |text: &str| std::fs::write(&file, text).expect("a file");
    write(&format!("[clients]\nsecrets = [\"{SIGNS}\"]\n"));
    let path = file.to_string_lossy().into_owned();
    let server = Server::with(&["--http", "127.0.0.1:0", "--config", &path], &[]);
    let old = guest(&server, "anna");
    let new = account(&server, Signer::Secret(NEXT).sign(&claims("boris", HOUR)), "boris");
    let mut anna = Raw::connect(&old).await;
    anna.offer(TEA).await;
    let (path, refused) = (Server::path(&new, "calls"), Server::path(&old, "calls"));
    assert_eq!(server.fetch(&path).await.0, 401);
    write(&format!("[clients]\nsecrets = [\"{NEXT}\"]\n[call]\nslots_max = 3\n"));
    server.hang_up();
    let until = std::time::Instant::now() + PATIENCE;
    while server.fetch(&path).await.0 != 200 {
        assert!(std::time::Instant::now() < until, "the new key is believed by nobody");
    }
    assert_eq!(server.fetch(&refused).await.0, 401);
    write("[clients]\nsecrets = 7\n");
    server.hang_up();
    assert_eq!(server.fetch(&path).await.0, 200);
    // Who is in stays in, until his own token runs out.
    anna.send("client.call.sound", json!({ "jid": TEA, "muted": true })).await;
    anna.event("server.call.sound").await;
    let log = server.stop().await.stderr;
    let _ = std::fs::remove_file(&file);
    assert!(log.contains("configuration not read again"), "{log}");
    assert!(log.contains("hold from the next start on keys=\"call.slots_max\""), "{log}");
    assert!(!log.contains(NEXT), "{log}");
}
