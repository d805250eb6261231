//! The gate over real connections, at each limit and one beyond it.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::house::{FIFTY, House, offer};
use crate::core::test_folder::TestFolder;
use crate::limits::{FAILURES_PER_MIN, HEADER_BYTES_MAX, HEADER_FIELDS_MAX, MESSAGE_BYTES_MAX};
use crate::signal::{GateLimits, Options, PATIENCE, Turned};

async fn behind(folder: &TestFolder, limits: GateLimits) -> House {
    House::behind(folder, Options { pace: FIFTY, ..Options::default() }, limits).await
}

#[tokio::test]
async fn the_eleventh_wrong_token_is_429_and_a_good_one_is_let_in_all_the_same() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    for _ in 0..FAILURES_PER_MIN {
        let (status, _) = house.request("GET", "/api/v3/me?token=x", &[], "").await;
        assert_eq!(status, 401);
    }
    let (status, answer) = house.request("GET", "/api/v3/me?token=x", &[], "").await;
    assert_eq!((status, &answer["error"]), (429, &json!("RATE_LIMIT")));
    assert_eq!(house.gate.turned(Turned::Failures), 1);
    // Whoever shows none has shown no wrong one.
    assert_eq!(house.request("GET", "/api/v3/me", &[], "").await.0, 401);
    let (status, _) = house.request("GET", "/api/v3/me", &[("token", &anna.token)], "").await;
    assert_eq!(status, 200);
    assert!(anna.try_connect("tab", &[]).await.is_ok());
}

#[tokio::test]
async fn one_request_more_than_a_person_may_send_is_429_and_others_go_on() {
    let folder = TestFolder::new();
    let limits = GateLimits { requests: FIFTY, ..GateLimits::default() };
    let house = behind(&folder, limits).await;
    let (anna, boris) = (house.guest("anna").await, house.guest("boris").await);
    let ask =
        async |token: &str| house.request("GET", "/api/v3/me", &[("token", token)], "").await.0;
    for _ in 0..FIFTY.burst {
        assert_eq!(ask(&anna.token).await, 200);
    }
    assert_eq!((ask(&anna.token).await, ask(&boris.token).await), (429, 200));
    assert_eq!(house.gate.turned(Turned::Requests), 1);
}

#[tokio::test]
async fn a_head_at_its_limits_is_read_and_one_beyond_them_is_refused() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    // The house adds three of its own.
    let names: Vec<String> = (0..HEADER_FIELDS_MAX).map(|n| format!("x-{n}")).collect();
    let fields = |count: usize| names.iter().take(count).map(|name| (name.as_str(), "v")).collect();
    let ask = async |headers: Vec<(&str, &str)>| {
        house.request("GET", "/api/v3/ping", &headers, "").await.0
    };
    assert_eq!(ask(fields(HEADER_FIELDS_MAX - 3)).await, 200);
    assert_eq!(ask(fields(HEADER_FIELDS_MAX - 2)).await, 422);
    let own: usize = format!("host{}connectionclosecontent-length0", house.address).len();
    let room = HEADER_BYTES_MAX - own - "/api/v3/ping".len() - "x-0".len();
    let (fits, long) = ("v".repeat(room), "v".repeat(room + 1));
    assert_eq!(ask(vec![("x-0", &fits)]).await, 200);
    assert_eq!(ask(vec![("x-0", &long)]).await, 422);
    assert_eq!(house.gate.turned(Turned::Head), 2);
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_refused_unread() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let status = async |length: usize| {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let address = house.address;
        let head = format!(
            "POST /api/v3/demo-login HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        if length <= MESSAGE_BYTES_MAX {
            stream.write_all(&vec![b' '; length]).await.unwrap();
        }
        let mut answer = [0; 12];
        timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        answer
    };
    assert_eq!(status(MESSAGE_BYTES_MAX).await, *b"HTTP/1.1 422", "an empty name");
    assert_eq!(house.gate.turned(Turned::Body), 0);
    assert_eq!(status(MESSAGE_BYTES_MAX + 1).await, *b"HTTP/1.1 422");
    assert_eq!(status(usize::MAX / 2).await, *b"HTTP/1.1 422");
    assert_eq!(house.gate.turned(Turned::Body), 2);
}

#[tokio::test]
async fn one_connection_more_than_there_may_be_is_closed_and_sockets_count() {
    let folder = TestFolder::new();
    let house = behind(&folder, GateLimits { connections_max: 2, ..GateLimits::default() }).await;
    let anna = house.guest("anna").await;
    let (tab, phone) = (anna.connect("tab").await, anna.connect("phone").await);
    assert_eq!(house.gate.connections(), 2);
    let mut third = TcpStream::connect(house.address).await.unwrap();
    let closed = timeout(PATIENCE, third.read(&mut [0; 1])).await.unwrap();
    assert!(!matches!(closed, Ok(1..)), "{closed:?}");
    assert_eq!(house.gate.turned(Turned::Connection), 1);
    drop((tab, phone));
}

#[tokio::test]
async fn strangers_wait_for_each_other_and_whoever_is_known_is_none() {
    let folder = TestFolder::new();
    let wait = std::time::Duration::from_millis(1);
    let limits = GateLimits { strangers_max: 1, wait, ..GateLimits::default() };
    let house = behind(&folder, limits).await;
    let anna = house.guest("anna").await;
    // Known, each of them: so they are none of the one that may be there.
    let mut tab = anna.connect("tab").await;
    let _phone = anna.connect("phone").await;
    tab.until_ping().await;
    let silent = TcpStream::connect(house.address).await.unwrap();
    let mut other = TcpStream::connect(house.address).await.unwrap();
    let closed = timeout(PATIENCE, other.read(&mut [0; 1])).await.unwrap();
    assert!(!matches!(closed, Ok(1..)), "{closed:?}");
    assert_eq!(house.gate.turned(Turned::Stranger), 1);
    drop(silent);
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_a_head_is_closed_after_five_seconds() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let silent = async |said: &[u8]| {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it is closed");
        rest
    };
    let kept = async {
        // One that has asked is closed as well when it goes on to say nothing.
        silent(b"GET /api/v3/ping HTTP/1.1\r\nhost: x\r\n\r\n").await
    };
    let (nothing, half, kept) =
        tokio::join!(silent(b""), silent(b"GET / HTTP/1.1\r\nhost: x\r\n"), kept);
    assert!(nothing.is_empty());
    assert!(!half.starts_with(b"HTTP/1.1 2"));
    assert!(kept.starts_with(b"HTTP/1.1 200"));
    assert_eq!(house.gate.turned(Turned::Silent), 2);
}

#[tokio::test]
async fn an_event_by_http_that_comes_again_under_its_key_is_not_acted_on_again() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let path = format!("/api/v3/teams/{}/ws/client.call.offer", anna.team);
    let body = offer(&anna.lobby, "")["params"].to_string();
    let ask = async |key: &str| {
        let headers = [("token", anna.token.as_str()), ("idempotency-key", key)];
        house.request("POST", &path, &headers, &body).await
    };
    let (status, first) = ask("one").await;
    assert_eq!((status, &first["result"]["jid"]), (200, &json!(anna.lobby)));
    let (status, again) = ask("one").await;
    assert_eq!((status, &again["result"]), (200, &json!({})));
    assert_eq!(house.node.signals().len(), 1);
    assert_eq!(ask("two").await.0, 200);
    assert_eq!(house.node.signals().len(), 2);
    assert_eq!((ask(&"x".repeat(128)).await.0, ask(&"x".repeat(129)).await.0), (200, 422));
}

#[tokio::test]
async fn a_client_that_begins_with_http_2_is_not_understood() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
}
