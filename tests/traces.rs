//! Traces of a real call at a collector of the test's own: the way of each signal and of a leg to
//! its first voice, and nobody's name in them. A collector that is away costs the traces alone.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use support::client::Client;
use support::server::Server;
use support::story::ANNA_HZ;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What comes, comes within a second; this ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takes what is posted to it.
struct Collector {
    address: SocketAddr,
    posted: mpsc::Receiver<String>,
    /// All that came.
    seen: Vec<String>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("a port");
        let (told, posted) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, told.clone()));
            }
        });
        Self { address, posted, seen: Vec::new() }
    }

    /// The spans of the next post.
    async fn spans(&mut self) -> Vec<Value> {
        let body = timeout(PATIENCE, self.posted.recv()).await.expect("a post").expect("a body");
        let document: Value = serde_json::from_str(&body).expect("JSON");
        self.seen.push(body);
        let resource = &document["resourceSpans"][0];
        let name = &resource["resource"]["attributes"][0];
        assert_eq!(name, &json!({ "key": "service.name", "value": { "stringValue": "voxhall" } }));
        resource["scopeSpans"][0]["spans"].as_array().expect("spans").clone()
    }
}

/// Requests of one connection, one after the other.
async fn take(mut stream: TcpStream, told: mpsc::Sender<String>) {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        assert!(head.starts_with("post /v1/traces "), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("a length").parse().expect("a number");
        while read.len() < end + length {
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body = String::from_utf8(read[end..end + length].to_vec()).expect("text");
        read.drain(..end + length);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        if told.send(body).await.is_err() || stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

fn attribute<'v>(span: &'v Value, key: &str) -> Option<&'v str> {
    let mut all = span["attributes"].as_array().expect("a list").iter();
    all.find(|it| it["key"] == key).and_then(|it| it["value"]["stringValue"].as_str())
}

fn nanos(span: &Value, key: &str) -> u64 {
    span[key].as_str().expect("64 bits are text").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_way_of_a_leg_to_its_first_voice_and_of_each_signal() {
    let mut collector = Collector::start().await;
    let url = format!("http://{}/v1/traces", collector.address);
    let server = Server::with(&["--http", "127.0.0.1:0"], &[("VOXHALL_TRACE_OTLP_URL", &url)]);
    let mut anna = Client::login(&server.url, "anna").await.expect("a login");
    anna.connect_socket().await.expect("a socket");
    let lobby = anna.lobby();
    anna.offer_trickling(&lobby).await.expect("in the call");
    anna.say_tone(ANNA_HZ);
    let uid = anna.events().all("server.call.state")[0]["uid"].as_str().expect("a uid").to_owned();
    let mut spans = Vec::new();
    let has = |spans: &[Value], name: &str| spans.iter().any(|span| span["name"] == name);
    while !has(&spans, "first_packet") || !has(&spans, "signal") {
        spans.extend(collector.spans().await);
    }
    for span in &spans {
        assert_eq!(attribute(span, "call"), Some(&*uid), "{span}");
        assert!(nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano"), "{span}");
    }
    let leg = spans.iter().find(|span| span["name"] == "leg").expect("the leg's way");
    assert_eq!((attribute(leg, "leg"), attribute(leg, "event")), (Some("1"), Some("first_voice")));
    let parts = |of: &Value| -> Vec<String> {
        let below = spans.iter().filter(|span| span["parentSpanId"] == of["spanId"]);
        let below = below.inspect(|span| assert_eq!(span["traceId"], of["traceId"]));
        below.map(|span| span["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(parts(leg), ["offer", "ice", "dtls", "first_packet"]);
    let is_offer = |span: &&Value| {
        span["name"] == "signal" && attribute(span, "event") == Some("client.call.offer")
    };
    let offer = spans.iter().find(is_offer).expect("the offer's way");
    assert_eq!(parts(offer), ["queue", "call_task", "effects"]);
    // One who is refused has the reason in his span.
    let elsewhere = json!({ "jid": lobby, "uid": "elsewhere", "audiorecord": true });
    anna.send_confirmed("client.call.record", elsewhere).await.expect("it is read");
    let mut refused = None;
    while refused.is_none() {
        refused = collector.spans().await.into_iter().find(|span| span["status"]["code"] == 2);
    }
    let refused = refused.expect("found");
    assert_eq!(refused["status"]["message"], "no_such_call");
    assert_eq!(attribute(&refused, "event"), Some("client.call.record"));
    let all = collector.seen.concat();
    for private in [&anna.account.jid, &anna.account.token, "v=0", "a=ice", "127.0.0.1", &lobby] {
        assert!(!all.contains(private), "{private} is in a trace");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_one_line_and_the_traces() {
    // Nobody listens on the discard port of this machine.
    let url = "http://127.0.0.1:9/v1/traces";
    let server = Server::with(&["--http", "127.0.0.1:0"], &[("VOXHALL_TRACE_OTLP_URL", url)]);
    let mut anna = Client::login(&server.url, "anna").await.expect("a login");
    anna.connect_socket().await.expect("a socket");
    let lobby = anna.lobby();
    anna.offer_trickling(&lobby).await.expect("in the call");
    let lost = async || {
        let (_, metrics) = server.fetch("/metrics").await;
        let text = metrics.as_str().expect("text").to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("voxhall_traces_lost_total "));
        line.expect("it is counted").parse::<u64>().expect("a number")
    };
    let until = std::time::Instant::now() + PATIENCE;
    while lost().await == 0 {
        assert!(std::time::Instant::now() < until, "nothing is counted as lost");
        tokio::task::yield_now().await;
    }
    anna.mute(true).await.expect("the call goes on");
    let before = lost().await;
    while lost().await == before {
        assert!(std::time::Instant::now() < until, "the mute is not counted as lost");
        tokio::task::yield_now().await;
    }
    anna.leave().await.expect("she leaves");
    let log = server.stop().await.stderr;
    assert_eq!(log.matches("traces are not taken").count(), 1, "{log}");
    assert!(!log.contains("127.0.0.1"), "{log}");
}
