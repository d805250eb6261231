use serde_json::{Value, json};

use super::house::House;
use crate::core::test_folder::TestFolder;
use crate::limits::MESSAGE_BYTES_MAX;

#[tokio::test]
async fn every_answer_has_the_envelope() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let team = house.guest("anna").await.team;
    let groups = format!("/api/v3/teams/{team}/groups");
    let chats = format!("/api/v3/teams/{team}/chats");
    let messaging = format!("/messaging/{team}");
    let too_long = " ".repeat(MESSAGE_BYTES_MAX + 1);
    for (method, path, body, status, error) in [
        ("GET", "/api/v3/ping", "", 200, None),
        ("POST", "/api/v3/ping", "", 200, None),
        ("GET", "/api/v3/time", "", 200, None),
        ("GET", "/healthz", "", 200, None),
        ("GET", "/readyz", "", 503, Some("INTERNAL_SERVER_ERROR")),
        ("GET", "/nowhere", "", 404, Some("NOT_FOUND")),
        ("POST", "/nowhere", "", 404, Some("NOT_FOUND")),
        ("GET", "/../Cargo.toml", "", 404, Some("NOT_FOUND")),
        ("POST", "/", "", 405, Some("INVALID_METHOD")),
        ("DELETE", "/api/v3/ping", "", 405, Some("INVALID_METHOD")),
        ("GET", "/api/v3/demo-login", "", 405, Some("INVALID_METHOD")),
        ("POST", "/api/v3/demo-login", "{", 422, Some("INVALID_DATA")),
        ("POST", "/api/v3/demo-login", "", 422, Some("INVALID_DATA")),
        ("POST", "/api/v3/demo-login", &too_long, 422, Some("INVALID_DATA")),
        ("GET", "/api/v3/me", "", 401, Some("EMPTY_TOKEN")),
        ("GET", "/api/v3/me?token=x", "", 401, Some("INVALID_TOKEN")),
        ("GET", &chats, "", 401, Some("EMPTY_TOKEN")),
        ("POST", &groups, "", 401, Some("EMPTY_TOKEN")),
        ("GET", &messaging, "", 401, Some("EMPTY_TOKEN")),
    ] {
        let (got, answer) = house.request(method, path, &[], body).await;
        assert_eq!(got, status, "{method} {path}: {answer}");
        assert!(answer["_time"].as_str().unwrap().ends_with(" ms"));
        assert_eq!(answer["ok"], status == 200);
        assert_eq!(answer["error"].as_str(), error, "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn a_ping_is_answered_pong() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let (_, answer) = house.request("GET", "/api/v3/ping", &[], "").await;
    assert_eq!(answer["result"], "pong");
}

#[tokio::test]
async fn a_login_tells_who_one_is_and_its_token_works_in_three_places() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest(" anna ").await;
    let cookie = format!("a=b; token={}", anna.token);
    let query = format!("/api/v3/me?token={}", anna.token);
    for (path, headers) in [
        ("/api/v3/me", vec![("token", anna.token.as_str())]),
        ("/api/v3/me", vec![("cookie", cookie.as_str())]),
        (query.as_str(), vec![]),
    ] {
        let (status, answer) = house.request("GET", path, &headers, "").await;
        assert_eq!(status, 200);
        assert_eq!(answer["result"]["jid"], anna.jid.as_str());
        assert_eq!(answer["result"]["display_name"], "anna");
    }
}

#[tokio::test]
async fn a_bad_name_is_named() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let body = json!({ "display_name": "x".repeat(257) }).to_string();
    let (status, answer) = house.request("POST", "/api/v3/demo-login", &[], &body).await;
    assert_eq!(status, 422);
    assert_eq!(answer["details"]["display_name"], "longer than 256 characters");
}

#[tokio::test]
async fn a_list_of_chats_has_the_groups_first_and_then_the_others() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let (anna, boris) = (house.guest("anna").await, house.guest("boris").await);
    let headers = [("token", anna.token.as_str())];
    let path = format!("/api/v3/teams/{}/groups", anna.team);
    let body = json!({ "display_name": "Tea" }).to_string();
    let (_, group) = house.request("POST", &path, &headers, &body).await;
    assert_eq!(group["result"]["display_name"], "Tea");
    let path = format!("/api/v3/teams/{}/chats", anna.team);
    let (_, answer) = house.request("GET", &path, &headers, "").await;
    let chat =
        |jid: &Value, kind, name| json!({ "jid": jid, "chat_type": kind, "display_name": name });
    let expected = json!([
        chat(&json!(anna.lobby), "group", "Lobby"),
        chat(&group["result"]["jid"], "group", "Tea"),
        chat(&json!(boris.jid), "direct", "boris"),
    ]);
    assert_eq!(answer["result"], expected);
}

#[tokio::test]
async fn a_wrong_team_or_token_gets_no_socket_but_a_body() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let mut anna = house.guest("anna").await;
    let right = std::mem::replace(&mut anna.team, "another".to_owned());
    let (status, body) = anna.try_connect("tab", &[]).await.err().unwrap();
    assert_eq!((status, &body["error"]), (403, &json!("ACCESS_DENIED")));
    anna.team = right;
    anna.token = "wrong".to_owned();
    let (status, body) = anna.try_connect("tab", &[]).await.err().unwrap();
    assert_eq!((status, &body["error"]), (401, &json!("INVALID_TOKEN")));
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_invalid() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let path = format!("/messaging/{}", anna.team);
    let headers = [("token", anna.token.as_str())];
    let (status, answer) = house.request("GET", &path, &headers, "").await;
    assert_eq!(status, 422);
    assert!(answer["details"]["upgrade"].is_string());
}

#[tokio::test]
async fn people_and_groups_come_back_after_a_restart() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    house.close().await;
    let house = House::open(&folder).await;
    let headers = [("token", anna.token.as_str())];
    let (status, answer) = house.request("GET", "/api/v3/me", &headers, "").await;
    assert_eq!(status, 200);
    assert_eq!(answer["result"]["jid"], anna.jid.as_str());
    assert_eq!(answer["result"]["team"]["uid"], anna.team.as_str());
}

#[tokio::test]
async fn an_offer_by_http_is_answered_with_the_answers_params() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let path = format!("/api/v3/teams/{}/ws/client.call.offer", anna.team);
    let params = json!({ "jid": anna.lobby, "sdp": "v=0", "trickle": false, "muted": true });
    let headers = [("token", anna.token.as_str())];
    let (status, answer) = house.request("POST", &path, &headers, &params.to_string()).await;
    assert_eq!(status, 200);
    assert_eq!(answer["result"]["jsep"], json!({ "type": "answer", "sdp": "v=0 answer" }));
    assert_eq!(answer["result"]["jids"], json!([]));
}

#[tokio::test]
async fn an_event_by_http_is_refused_in_https_words() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let jid = json!({ "jid": anna.lobby });
    for (event, params, status, detail) in [
        ("client.nonsense", json!({}), 404, None),
        ("client.call.sound", jid.clone(), 422, Some(("muted", "missing"))),
        ("client.call.leave", jid.clone(), 404, Some(("code", "no_such_call"))),
        ("client.call.leave", json!({ "jid": "g-no" }), 404, Some(("code", "no_such_chat"))),
        ("client.ping", json!(null), 200, None),
    ] {
        let path = format!("/api/v3/teams/{}/ws/{event}", anna.team);
        let headers = [("token", anna.token.as_str())];
        let (got, answer) = house.request("POST", &path, &headers, &params.to_string()).await;
        assert_eq!(got, status, "{event}: {answer}");
        if let Some((field, text)) = detail {
            assert_eq!(answer["details"][field], text);
        }
    }
}

#[tokio::test]
async fn the_51st_event_by_http_at_once_is_too_fast() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let path = format!("/api/v3/teams/{}/ws/client.ping", anna.team);
    let headers = [("token", anna.token.as_str())];
    for _ in 0..50 {
        assert_eq!(house.request("POST", &path, &headers, "").await.0, 200);
    }
    let (status, answer) = house.request("POST", &path, &headers, "").await;
    assert_eq!((status, &answer["error"]), (429, &json!("RATE_LIMIT")));
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let origin = [("origin", "https://evil.example")];
    let body = r#"{"display_name": "mallory"}"#;
    let (status, answer) = house.request("POST", "/api/v3/demo-login", &origin, body).await;
    assert_eq!((status, &answer["error"]), (403, &json!("ACCESS_DENIED")));
}

#[tokio::test]
async fn the_page_comes_with_its_policy_and_types() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
    ] {
        let (status, head, body) = house.raw("GET", path, &[], "").await;
        assert_eq!(status, 200);
        assert!(head.contains(&format!("content-type: {content_type}")), "{head}");
        assert!(head.contains("cache-control: no-cache"), "{head}");
        assert!(head.contains("connect-src 'self' ws: wss:"), "{head}");
        assert!(!body.is_empty());
    }
}

#[tokio::test]
async fn features_stand_without_an_envelope() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let (status, answer) = house.request("GET", "/features.json", &[], "").await;
    assert_eq!(status, 200);
    assert_eq!(answer["calls_version"], 1);
    assert_eq!(answer["calls_video_enabled"], false);
}

#[tokio::test]
async fn metrics_are_text() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let (status, _, body) = house.raw("GET", "/metrics", &[], "").await;
    assert_eq!((status, body.as_str()), (200, "voxhall_sockets 0\n"));
}

#[tokio::test]
async fn a_demo_is_started_by_somebody_in_a_chat_that_exists() {
    let folder = TestFolder::new();
    let house = House::open(&folder).await;
    let anna = house.guest("anna").await;
    let headers = [("token", anna.token.as_str())];
    let (_, answer) = house.request("GET", "/api/v3/demo", &[], "").await;
    assert_eq!(answer["result"], json!({ "available": true, "running": false }));
    for (headers, jid, status) in [
        (&headers[..], json!(anna.lobby), 200),
        (&headers[..], Value::Null, 200),
        (&headers[..], json!("g-nowhere"), 404),
        (&[], json!(anna.lobby), 401),
    ] {
        let body = json!({ "jid": jid }).to_string();
        let (got, answer) = house.request("POST", "/api/v3/demo", headers, &body).await;
        assert_eq!(got, status, "{answer}");
    }
}
