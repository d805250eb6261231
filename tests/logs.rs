//! The log of a whole run on the real server: one story per call, and nothing in it that is
//! anybody's secret. Whatever is secret in the run is known to the test, which looks for it in
//! every line, at every level, in both forms.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use support::client::{Client, Sections};
use support::raw::{OFFER, Raw, offer_of};
use support::server::Server;
use support::story::{ANNA_HZ, BORIS_HZ, DEADLINE, only_is_heard};
use support::tone;
use tokio::sync::Mutex;
use voxhall::demo::http::Origin;
use voxhall::demo::mouth::Mouth;
use voxhall::demo::peer::{Outlets, Peer};
use voxhall::demo::socket::Account;

const WEBHOOK_SECRET: &str = "webhook-fedcba9876543210fedcba9876543210";
const TURN_SECRET: &str = "north-north-west";
const CREDENTIAL: &str = "given-to-everybody";
const SIGNS: &str = "signs-fedcba9876543210fedcba9876543210";
/// What a stranger says to the media port, and in a token.
const STRANGER: &str = "StrangersWords";
/// An offer with a password in it that nobody can use.
const BROKEN: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.77\r\ns=-\r\nt=0 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:brkn\r\na=ice-pwd:brokenbrokenbrokenbroken\r\n";
const TEA: &str = "g-tea";

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Text,
    Json,
}

/// What a run left behind, and what of it must be in no log.
struct Run {
    format: Format,
    log: String,
    metrics: String,
    uid: String,
    /// What it is, and how it reads.
    secrets: BTreeMap<String, &'static str>,
    /// No secrets, but not for `/metrics` either.
    jids: Vec<String>,
}

/// One line, whatever its form.
struct Line<'l> {
    level: &'l str,
    message: String,
    fields: BTreeMap<String, String>,
    whole: &'l str,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_at_info_holds_a_secret_or_an_address_and_the_story_is_whole_in_both_forms() {
    let (text, json) = tokio::join!(people("info", Format::Text), people("info", Format::Json));
    for run in [&text, &json] {
        run.holds_no_secret();
        run.tells_the_story();
    }
    let fields = |run: &Run| -> BTreeSet<(String, Vec<String>)> {
        let of = |line: &Line| (line.message.clone(), line.fields.keys().cloned().collect());
        // Who leaves closes his media at once: that may be seen before his word is, or not.
        let is_always_told = |line: &&Line| line.message != "leg lost";
        run.story().iter().filter(is_always_told).map(of).collect()
    };
    assert_eq!(fields(&text), fields(&json));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_at_debug_or_trace_holds_a_secret() {
    let (debug, trace) = tokio::join!(people("debug", Format::Json), people("trace", Format::Text));
    for run in [&debug, &trace] {
        run.holds_no_secret();
        run.tells_the_story();
        assert!(run.log.contains("client.call.sound"), "it is not at debug:\n{}", run.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_people_with_tokens_holds_no_secret() {
    let (text, json) =
        tokio::join!(with_tokens("trace", Format::Text), with_tokens("info", Format::Json));
    for run in [&text, &json] {
        run.holds_no_secret();
        assert!(run.story().iter().any(|line| line.message == "call finished"), "{}", run.log);
    }
}

impl Run {
    fn lines(&self) -> Vec<Line<'_>> {
        let lines = self.log.lines().filter(|line| !line.is_empty());
        let parse = match self.format {
            Format::Text => Line::of_text,
            Format::Json => Line::of_json,
        };
        lines.map(parse).collect()
    }

    /// What an operator finds who looks for the call, at info and above.
    fn story(&self) -> Vec<Line<'_>> {
        let lines = self.lines().into_iter();
        lines.filter(|line| line.is_told() && line.fields.get("call") == Some(&self.uid)).collect()
    }

    fn holds_no_secret(&self) {
        // Or the test looks for nothing.
        assert!(self.secrets.len() > 12, "{:?}", self.secrets);
        for (secret, what) in &self.secrets {
            let found = self.log.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(found, None, "{what} {secret:?} stands in the log");
            assert!(!self.metrics.contains(secret.as_str()), "{what} {secret:?} is in the metrics");
        }
        for line in self.lines() {
            let sdp = SDP.iter().find(|part| line.whole.contains(**part));
            assert_eq!(sdp, None, "a description stands in the log: {}", line.whole);
            if line.is_told() {
                assert_eq!(line.address(), None, "at {}: {}", line.level, line.whole);
                let is_of_leg = line.fields.contains_key("leg");
                assert!(!is_of_leg || line.fields.contains_key("call"), "{}", line.whole);
            }
        }
        for own in self.jids.iter().chain([&self.uid]) {
            assert!(!self.metrics.contains(own.as_str()), "{own} is in the metrics");
        }
        assert!(!self.metrics.contains("127.0.0.1") && !self.metrics.contains("::1"));
    }

    /// The whole evening, in order.
    fn tells_the_story(&self) {
        let story = self.story();
        let shown: Vec<&str> = story.iter().map(|line| line.whole).collect();
        let shown = shown.join("\n");
        let mut rest = story.iter();
        for (message, field, value) in STORY {
            let is_it = |line: &&Line| {
                let told = line.fields.get(*field).map(String::as_str);
                line.message == *message
                    && (told == Some(*value) || *value == "*" && told.is_some())
            };
            assert!(rest.any(|line| is_it(&line)), "no {message:?} {field}={value} in:\n{shown}");
        }
        let last = story.iter().rfind(|line| line.message == "call finished").expect("its end");
        for (field, value) in [("onliners", "2"), ("onliners_max", "2"), ("legs", "2")] {
            assert_eq!(last.fields.get(field).map(String::as_str), Some(value), "{}", last.whole);
        }
        assert_eq!(last.fields.get("recordings").map(String::as_str), Some("1"), "{}", last.whole);
    }
}

impl<'l> Line<'l> {
    fn of_json(whole: &'l str) -> Self {
        let value: BTreeMap<String, Value> = serde_json::from_str(whole).expect("one object");
        let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let is_own = |key: &str| !["timestamp", "level", "target", "message"].contains(&key);
        let fields = value.iter().filter(|(key, _)| is_own(key));
        let level = LEVELS.iter().find(|level| value["level"] == **level).expect("a level");
        let fields = fields.map(|(key, value)| (key.clone(), text(value))).collect();
        Self { level, message: text(&value["message"]), fields, whole }
    }

    /// `TIME LEVEL target: message key=value key="a value"`
    fn of_text(whole: &'l str) -> Self {
        let mut words = whole.split_whitespace();
        let level = words.by_ref().find(|word| LEVELS.contains(word)).expect("a level");
        let (_, said) = whole.split_once(": ").expect("a target");
        let mut fields = BTreeMap::new();
        let mut message = String::new();
        let mut rest = said;
        while !rest.is_empty() {
            let word = rest.split(' ').next().unwrap_or_default();
            let mut taken = word.len();
            match word.split_once('=') {
                Some((key, value)) if value.starts_with('"') => {
                    let begin = key.len() + 2;
                    let inside = rest[begin..].find('"').expect("it is closed");
                    fields.insert(key.to_owned(), rest[begin..begin + inside].to_owned());
                    taken = begin + inside + 1;
                }
                Some((key, value)) => drop(fields.insert(key.to_owned(), value.to_owned())),
                None => message = format!("{message} {word}"),
            }
            rest = rest[taken..].trim_start();
        }
        Self { level, message: message.trim().to_owned(), fields, whole }
    }

    /// At info and above.
    fn is_told(&self) -> bool {
        ["ERROR", "WARN", "INFO"].contains(&self.level)
    }

    fn address(&self) -> Option<&str> {
        let all = self.fields.values().chain([&self.message]);
        let words = all.flat_map(|text| text.split(|c: char| " \",()/=@".contains(c)));
        let mut words = words.map(|word| word.trim_end_matches([':', '.']));
        words.find(|word| {
            let inner = word.trim_start_matches('[').split(']').next().unwrap_or_default();
            word.parse::<SocketAddr>().is_ok() || inner.parse::<IpAddr>().is_ok()
        })
    }
}

const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// What begins lines of a description and nothing else.
const SDP: [&str; 9] = [
    "v=0",
    "m=audio",
    "a=ice",
    "a=fingerprint",
    "a=candidate",
    "a=rtpmap",
    "a=setup",
    "c=IN",
    "candidate:",
];

/// Message, and one field of it; between them may be others.
const STORY: &[(&str, &str, &str)] = &[
    ("call began", "chat", "*"),
    ("leg opened", "onliner", "*"),
    ("call is live", "onliner", "*"),
    ("onliner joined", "onliner", "*"),
    ("leg connected", "elapsed_ms", "*"),
    ("first voice", "elapsed_ms", "*"),
    ("offer refused", "reason", "no_opus"),
    ("leg opened", "slots", "*"),
    ("onliner joined", "onliner", "*"),
    ("leg connected", "leg", "2"),
    ("first voice", "leg", "2"),
    ("onliner muted", "by", "*"),
    ("onliner unmuted", "onliner", "*"),
    ("record on", "recording", "*"),
    ("others muted", "by", "*"),
    ("onliner muted", "by", "*"),
    ("record off", "reason", "record_off"),
    ("onliner put out", "by", "*"),
    ("onliner left", "reason", "kicked"),
    ("leg closed", "reason", "kicked"),
    ("onliner left", "reason", "left"),
    ("leg closed", "elapsed_ms", "*"),
    ("call finished", "elapsed_ms", "*"),
];

// ---- The runs.

/// An evening with the built-in core: all that people do, and what strangers try.
async fn people(level: &str, format: Format) -> Run {
    // Nobody is there: the log says so without saying where.
    let webhook = format!("http://127.0.0.1:9/hook?key={STRANGER}Key");
    let servers = format!(
        "[{{ urls = \"turn:turn.example.org\", username = \"u\", credential = \"{CREDENTIAL}\" }}]"
    );
    let server = serve(
        level,
        format,
        &[
            ("VOXHALL_CORE_WEBHOOK_URL", &webhook),
            ("VOXHALL_CORE_WEBHOOK_SECRET", WEBHOOK_SECRET),
            ("VOXHALL_FEATURES_ICE_SERVERS", &servers),
            ("VOXHALL_SIGNAL_CHECK_FINGERPRINT", "true"),
        ],
    );
    let mut secrets = Secrets::default();
    secrets.keep("the key of the webhook's address", &format!("{STRANGER}Key"));
    let mut anna = Client::login(&server.url, "anna").await.expect("a login");
    anna.connect_socket().await.expect("a socket");
    let lobby = anna.lobby();
    anna.offer_trickling(&lobby).await.expect("the call takes her");
    anna.say_tone(ANNA_HZ);
    // Her first packet is in the log before she is told to talk: the story has one order.
    let talks = anna.events().wait(DEADLINE, "server.call.talking", |_| true).await;
    assert!(talks.is_some());
    let boris = Account::login(&server.url, "boris").await.expect("a login");
    let mut b = Raw::connect(&boris).await;
    b.send("client.call.offer", offer_of(&lobby, BROKEN)).await;
    assert_eq!(b.event("server.warning").await["code"], "no_opus");
    let (peer, mouth, uid) = join(&mut b, &lobby, &mut secrets).await;
    let saying = tokio::spawn(tone::say(mouth, Instant::now(), BORIS_HZ));
    only_is_heard(&anna, BORIS_HZ).await;
    for muted in [true, false] {
        b.send("client.call.sound", json!({ "jid": lobby, "muted": muted })).await;
        b.state(|state| is_muted(state, &boris.jid) == muted).await;
    }
    record(&mut b, &anna, &uid, true).await;
    only_is_heard(&anna, BORIS_HZ).await;
    anna.send_confirmed("client.call.muteall", json!({ "jid": lobby })).await.expect("she may");
    b.state(|state| is_muted(state, &boris.jid)).await;
    record(&mut b, &anna, &uid, false).await;
    try_strange_things(&server).await;
    let kick = json!({ "jid": lobby, "onliner": boris.jid });
    anna.send_confirmed("client.call.kick", kick).await.expect("she may");
    assert_eq!(b.event("server.call.leave").await["_reason"], "kicked");
    saying.abort();
    peer.peer.close().await.expect("it closes");
    for event in anna.events().all("server.call.sdp").iter().chain(&b.seen) {
        secrets.of_event(event);
    }
    anna.leave().await.expect("she leaves");
    b.state(|state| state["finish"].is_string()).await;
    let metrics = recorded(&server).await;
    for (what, secret) in [
        ("the webhook's secret", WEBHOOK_SECRET),
        ("a TURN password", CREDENTIAL),
        ("a token", &anna.account.token),
        ("a token", &boris.token),
    ] {
        secrets.keep(what, secret);
    }
    let jids = vec![anna.account.jid.clone(), boris.jid.clone()];
    let log = server.stop().await.stderr;
    Run { format, log, metrics, uid, secrets: secrets.0, jids }
}

/// The same with tokens that another core signed.
async fn with_tokens(level: &str, format: Format) -> Run {
    let server = serve(
        level,
        format,
        &[
            ("VOXHALL_CLIENTS_SECRETS", SIGNS),
            ("VOXHALL_TURN_URLS", "turn:127.0.0.1:3478"),
            ("VOXHALL_TURN_SECRET", TURN_SECRET),
        ],
    );
    let mut secrets = Secrets::default();
    let (anna, boris) = (known(&server, "anna"), known(&server, "boris"));
    let header = format!("token: {}\r\n", anna.token);
    let features = server.bytes("GET", "/features.json", &header, "").await;
    let features: Value = serde_json::from_slice(&features.body).expect("JSON");
    let password = features["ice_servers"][0]["credential"].as_str().expect("a password");
    secrets.keep("a TURN password", password);
    let mut a = Raw::connect(&anna).await;
    let (peer, _, uid) = join(&mut a, TEA, &mut secrets).await;
    let mut b = Raw::connect(&boris).await;
    b.offer(TEA).await;
    try_strange_things(&server).await;
    for one in [&mut a, &mut b] {
        one.send("client.call.leave", json!({ "jid": TEA })).await;
        one.event("server.call.leave").await;
    }
    b.state(|state| state["finish"].is_string()).await;
    peer.peer.close().await.expect("it closes");
    for event in a.seen.iter().chain(&b.seen) {
        secrets.of_event(event);
    }
    secrets.of_description(OFFER);
    for (what, secret) in [
        ("what signs tokens", SIGNS),
        ("what signs TURN passwords", TURN_SECRET),
        ("a token", &anna.token),
        ("a token", &boris.token),
        // A token is known by its signature as well.
        ("a signature", anna.token.rsplit('.').next().expect("a part")),
    ] {
        secrets.keep(what, secret);
    }
    let (_, metrics) = server.fetch("/metrics").await;
    let metrics = metrics.as_str().expect("text").to_owned();
    let jids = vec![anna.jid, boris.jid];
    let log = server.stop().await.stderr;
    Run { format, log, metrics, uid, secrets: secrets.0, jids }
}

fn serve(level: &str, format: Format, variables: &[(&str, &str)]) -> Server {
    let format = match format {
        Format::Text => "text",
        Format::Json => "json",
    };
    let logs = [("VOXHALL_LOG_LEVEL", level), ("VOXHALL_LOG_FORMAT", format)];
    Server::with(&["--http", "127.0.0.1:0"], &[&logs[..], variables].concat())
}

/// A person of a core elsewhere.
fn known(server: &Server, name: &str) -> Account {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let claims = json!({
        "aud": "voxhall", "exp": (now + Duration::from_secs(3_600)).as_secs(),
        "team": { "uid": "team-1", "name": "Team" },
        "jid": format!("d-{name}"), "name": name,
        "chats": [{ "type": "group", "jid": TEA, "name": "Tea" }],
    });
    let key = EncodingKey::from_secret(SIGNS.as_bytes()).expect("a key");
    Account {
        origin: Origin::parse(&server.url).expect("a URL"),
        token: encode(&Header::new(Algorithm::HS256), &claims, &key).expect("plain claims"),
        jid: format!("d-{name}"),
        team_uid: "team-1".to_owned(),
        chats: Vec::new(),
    }
}

/// A client's stack, and its channels, which stay open as long as it.
struct Party {
    peer: Peer,
    _outlets: Outlets,
}

/// Joins over real media, with descriptions that the test reads; returns the call's uid too.
async fn join(
    socket: &mut Raw,
    chat: &str,
    secrets: &mut Secrets,
) -> (Party, Arc<Mutex<Mouth>>, String) {
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let (peer, outlets) = Peer::new(loopback, Sections::One).await.expect("a peer");
    let offer = peer.offer().await.expect("an offer");
    secrets.of_description(&offer);
    socket.send("client.call.offer", offer_of(chat, &offer)).await;
    let answer = socket.event("server.call.sdp").await;
    let description = answer["jsep"]["sdp"].as_str().expect("a description");
    secrets.of_description(description);
    peer.accept(description).await.expect("an answer");
    let mouth = peer.connected().await.expect("a way");
    let party = Party { peer, _outlets: outlets };
    (party, Arc::new(Mutex::new(mouth)), answer["uid"].as_str().expect("a uid").to_owned())
}

/// Switches recording, and waits until both know.
async fn record(by: &mut Raw, other: &Client, uid: &str, on: bool) {
    let mark = other.events().mark();
    let params = json!({ "jid": other.lobby(), "uid": uid, "audiorecord": on });
    by.send("client.call.record", params).await;
    let is_so = |state: &Value| state["audiorecord"] == on;
    by.state(is_so).await;
    let told = other.events().wait_after(mark, DEADLINE, "server.call.state", is_so).await;
    assert!(told.is_some());
}

/// Wrong tokens, wrong words, and datagrams of every kind from nobody.
async fn try_strange_things(server: &Server) {
    let wrong = format!("/api/v3/teams/team/calls?token={STRANGER}Token");
    assert_eq!(server.fetch(&wrong).await.0, 401);
    let header = format!("token: {STRANGER}Token\r\n");
    assert_eq!(server.bytes("GET", "/messaging/team", &header, "").await.status, 401);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for first in [0_u8, 22, 128, 200] {
        let datagram = [&[first, 1, 0, 8][..], STRANGER.as_bytes(), &[0; 40]].concat();
        socket.send_to(&datagram, ("127.0.0.1", server.media_port)).expect("it is sent");
    }
}

/// `/metrics`, once the recording is ready.
async fn recorded(server: &Server) -> String {
    let until = Instant::now() + DEADLINE;
    loop {
        let (_, metrics) = server.fetch("/metrics").await;
        let metrics = metrics.as_str().expect("text");
        if metrics.contains("voxhall_recordings_finished_total{outcome=\"ready\"} 1") {
            return metrics.to_owned();
        }
        assert!(Instant::now() < until, "the recording is not ready:\n{metrics}");
        tokio::task::yield_now().await;
    }
}

fn is_muted(state: &Value, jid: &str) -> bool {
    let onliners = state["onliners"].as_array().map(Vec::as_slice).unwrap_or_default();
    onliners.iter().any(|onliner| onliner["jid"] == jid && onliner["muted"] == true)
}

/// Whatever must not be read by anybody, and what it is.
struct Secrets(BTreeMap<String, &'static str>);

impl Default for Secrets {
    fn default() -> Self {
        let mut secrets = Self(BTreeMap::new());
        secrets.keep("a stranger's words", STRANGER);
        secrets.of_description(BROKEN);
        secrets
    }
}

impl Secrets {
    fn keep(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 4, "{what}: too short to look for");
        self.0.insert(secret.to_owned(), what);
    }

    /// Both sides' credentials and certificates.
    fn of_description(&mut self, text: &str) {
        for line in text.lines().map(str::trim) {
            for (prefix, what) in [
                ("a=ice-ufrag:", "a ufrag"),
                ("a=ice-pwd:", "an ICE password"),
                ("a=fingerprint:sha-256 ", "a fingerprint"),
                ("a=candidate:", "a candidate"),
                ("o=", "an origin of a description"),
            ] {
                // Four letters of a browser's ufrag stand in any text by chance.
                if let Some(value) = line.strip_prefix(prefix).filter(|value| value.len() > 4) {
                    self.keep(what, value);
                }
            }
        }
    }

    fn of_event(&mut self, event: &Value) {
        let params = if event["params"].is_object() { &event["params"] } else { event };
        for description in
            [&params["jsep"]["sdp"], &params["sdp"], &params["orig"]["params"]["sdp"]]
        {
            self.of_description(description.as_str().unwrap_or_default());
        }
        if let Some(seen) = params["fingerprint"].as_str() {
            self.keep("a fingerprint", seen.trim_start_matches("sha-256 "));
        }
    }
}
