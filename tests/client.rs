//! The demo's and the tests' own client, against a scripted server: what it makes of answers,
//! refusals and of words that come late. No Voxhall server takes part.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};
use voxhall::demo::call::End;
use voxhall::demo::client::{Candidates, Client, ClientError, Join, JoinMute, Levels};
use voxhall::demo::http::Origin;
use voxhall::demo::peer::{Peer, Sections};
use voxhall::demo::socket::Account;

const DEADLINE: Duration = Duration::from_secs(10);

/// A client whose server lets everybody into `g-open` and nobody into any other chat.
async fn client() -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("the client comes");
        serve(accept_async(stream).await.expect("a WebSocket")).await
    });
    let account = Account {
        origin: Origin::parse(&url).expect("an origin"),
        token: "token".to_owned(),
        jid: "d-anna".to_owned(),
        team_uid: "team".to_owned(),
        chats: Vec::new(),
    };
    Client::connect(account, "device").await.expect("a socket")
}

/// Answers offers, hangs up on client.activity, and says server.call.leave as late as it can:
/// behind the next offer.
async fn serve(mut socket: WebSocketStream<TcpStream>) {
    let mut peers = Vec::new();
    let mut owed = Vec::new();
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        let event: Value = serde_json::from_str(&text).expect("clients send JSON");
        let params = &event["params"];
        match event["event"].as_str() {
            Some("client.call.leave") => {
                owed.push(json!({"event": "server.call.leave", "params": {"jid": params["jid"]}}));
            }
            Some("client.call.offer") if params["jid"] != "g-open" => {
                let params = json!({"code": "call_full", "message": "full", "orig": event});
                owed.push(json!({"event": "server.warning", "params": params}));
            }
            Some("client.call.offer") => {
                let local = "127.0.0.1".parse().expect("an address");
                let (peer, _) = Peer::new(local, Sections::One).await.expect("a peer");
                let offer = params["sdp"].as_str().expect("an SDP");
                let jsep =
                    json!({"type": "answer", "sdp": peer.answer(offer).await.expect("fits")});
                let params = json!({"jid": params["jid"], "uid": "u", "jids": [""], "jsep": jsep});
                owed.push(json!({"event": "server.call.sdp", "params": params, "confirm_id": "1"}));
                peers.push(peer);
            }
            Some("client.activity") => return,
            _ => continue,
        }
        if event["event"] == "client.call.offer" {
            for event in owed.drain(..) {
                socket.send(Message::text(event.to_string())).await.expect("the client is there");
            }
        }
    }
}

fn how(candidates: Candidates) -> Join {
    Join { sections: Sections::One, mute: JoinMute::Unmuted, candidates, levels: Levels::Told }
}

#[tokio::test]
async fn late_good_bye_does_not_end_the_next_call() {
    let client = client().await;
    let first = client.join("g-open", how(Candidates::InOffer)).await.unwrap();
    first.leave().await.unwrap();
    let second = client.join("g-open", how(Candidates::InOffer)).await.unwrap();
    second.mouth().await.unwrap();
    assert_eq!(client.events().all("server.call.leave").len(), 1);
}

#[tokio::test]
async fn trickled_candidates_are_enough_to_connect() {
    let call = client().await.join("g-open", how(Candidates::Trickle)).await.unwrap();
    call.mouth().await.unwrap();
}

#[tokio::test]
async fn refusal_is_told_by_its_code() {
    let refused = client().await.join("g-full", how(Candidates::InOffer)).await.err();
    let Some(ClientError::NotJoined(End::Refused { code, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(code, "call_full");
}

#[tokio::test]
async fn call_is_over_when_the_socket_is() {
    let client = client().await;
    let call = client.join("g-open", how(Candidates::InOffer)).await.unwrap();
    client.send("client.activity", json!({})).await.unwrap();
    let end = tokio::time::timeout(DEADLINE, call.ended()).await;
    assert_eq!(end, Ok(End::SocketClosed));
}
