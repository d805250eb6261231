//! One bot: a person with a WebSocket, who joins and leaves when told. Signalling only; once his
//! offer is answered, the leg goes to the media thread.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::api::{Api, Login};
use crate::leg::{Leg, Offered, Role};
use crate::media::{Command, MediaHandle};
use crate::notice::Notice;
use crate::voice::BotId;

/// What a bot is told to do.
#[derive(Debug)]
pub enum Order {
    Join(Join),
    /// Leave the call and let the leg go.
    Leave,
    /// Lose the leg without a word and join with another one.
    Reconnect(Join),
    Mute,
    Unmute,
}

/// How a bot joins.
#[derive(Clone, Debug)]
pub struct Join {
    /// The chat's jid, and the call's number among ours.
    pub chat: String,
    pub call: usize,
    /// A talker speaks as soon as he can; others join muted.
    pub role: Role,
    /// Asks for the call to be recorded once he is in it.
    pub is_recorder: bool,
}

/// A person connected to the server.
pub struct Bot {
    id: BotId,
    server: SocketAddr,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    media: MediaHandle,
    notices: mpsc::Sender<Notice>,
    place: Place,
    /// Has still to ask for the recording.
    is_recorder: bool,
    /// So far: the same id twice would be the same offer.
    offers: u32,
}

enum Place {
    Outside,
    Offering { chat: String, offered: Box<Offered>, offered_at: Instant },
    Inside { chat: String },
}

/// A server event, its parameters unread.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    confirm_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Sdp {
    jsep: Jsep,
}

#[derive(Deserialize)]
struct Jsep {
    r#type: String,
    sdp: String,
}

/// Of a call's state, what a recorder needs.
#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow)]
    jid: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Warning {
    message: Option<String>,
    code: Option<String>,
}

impl Bot {
    /// Opens the WebSocket of a person who has logged in.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn connect(
        id: BotId,
        api: &Api,
        login: &Login,
        media: MediaHandle,
        notices: mpsc::Sender<Notice>,
    ) -> Result<Self> {
        let url = api.socket_url(login, &format!("loadtest-{id}"));
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
        let opened = connect_async_with_config(url, Some(config), true).await;
        let (socket, _) = opened.context("the WebSocket was refused")?;
        let (server, place) = (api.address, Place::Outside);
        Ok(Self { id, server, socket, media, notices, place, is_recorder: false, offers: 0 })
    }

    /// Lives until its orders end; tells the conductor when it fails before that.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        if let Err(error) = self.live(&mut orders).await {
            let why = format!("{error:#}");
            // A conductor that is gone needs no notice.
            let _ = self.notices.send(Notice::Failed { bot: self.id, why }).await;
        }
    }

    async fn live(&mut self, orders: &mut mpsc::Receiver<Order>) -> Result<()> {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Join(join)) => self.join(join).await?,
                    Some(Order::Leave) => self.leave().await?,
                    Some(Order::Reconnect(join)) => {
                        self.media.tell(Command::Lose(self.id))?;
                        self.join(join).await?;
                    }
                    Some(Order::Mute) => self.mute().await?,
                    Some(Order::Unmute) => self.unmute().await?,
                    None => return Ok(self.socket.close(None).await?),
                },
                message = self.socket.next() => {
                    let message = message.ok_or_else(|| anyhow!("the WebSocket was closed"))?;
                    self.handle_message(message?).await?;
                }
            }
        }
    }

    async fn join(&mut self, join: Join) -> Result<()> {
        let Join { chat, call, role, is_recorder } = join;
        let offered = Leg::offer(self.id, call, role, self.server)?;
        self.is_recorder = is_recorder;
        self.offers += 1;
        let event = json!({
            "event": "client.call.offer",
            "confirm_id": format!("offer-{}-{}", self.id, self.offers),
            "params": {
                "jid": chat,
                "sdp": offered.sdp,
                "trickle": false,
                "muted": !role.is_talker,
                "call_type": "audio",
            },
        });
        let message = Message::text(event.to_string());
        let offered_at = Instant::now();
        self.place = Place::Offering { chat, offered: Box::new(offered), offered_at };
        Ok(self.socket.send(message).await?)
    }

    async fn leave(&mut self) -> Result<()> {
        let place = std::mem::replace(&mut self.place, Place::Outside);
        let (Place::Inside { chat } | Place::Offering { chat, .. }) = place else {
            return Ok(());
        };
        self.media.tell(Command::Release(self.id))?;
        // What was said to him before is still under way.
        tokio::time::sleep(GOODBYE).await;
        self.send("client.call.leave", json!({ "jid": chat })).await
    }

    /// Falls silent, and says so once what he said is surely at the server.
    async fn mute(&mut self) -> Result<()> {
        self.media.tell(Command::Mute(self.id))?;
        tokio::time::sleep(GOODBYE).await;
        self.tell_sound(true).await
    }

    async fn unmute(&mut self) -> Result<()> {
        self.media.tell(Command::Unmute(self.id))?;
        self.tell_sound(false).await
    }

    async fn tell_sound(&mut self, muted: bool) -> Result<()> {
        let Place::Inside { chat } = &self.place else {
            return Ok(());
        };
        let params = json!({ "jid": chat, "muted": muted });
        self.send("client.call.sound", params).await
    }

    /// The first state of his call tells a recorder what to record.
    async fn handle_state(&mut self, params: &str) -> Result<()> {
        let Place::Inside { chat } = &self.place else {
            return Ok(());
        };
        let State { jid, uid } = serde_json::from_str(params)?;
        if *jid != **chat {
            return Ok(());
        }
        self.is_recorder = false;
        let params = json!({ "jid": jid, "uid": uid, "audiorecord": true });
        self.send("client.call.record", params).await
    }

    async fn handle_message(&mut self, message: Message) -> Result<()> {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Close(why) => return Err(anyhow!("the server closed the WebSocket: {why:?}")),
            _ => return Ok(()),
        };
        let event: Event = serde_json::from_str(text).context("an event that is not JSON")?;
        if let Some(id) = &event.confirm_id
            && event.event != "server.confirm"
        {
            self.send("client.confirm", json!({ "confirm_id": id })).await?;
        }
        let params = event.params.map_or("{}", RawValue::get);
        match &*event.event {
            "server.call.sdp" | "server.call.answer" => self.handle_sdp(params),
            "server.call.state" if self.is_recorder => self.handle_state(params).await,
            "server.warning" => self.handle_warning(params).await,
            "server.panic" => Err(anyhow!("server.panic {params}")),
            _ => Ok(()),
        }
    }

    /// The answer completes the leg; one to an offer that was withdrawn is nothing to the next. A
    /// server's own offer is left unanswered: a client may.
    fn handle_sdp(&mut self, params: &str) -> Result<()> {
        let Jsep { r#type, sdp } = serde_json::from_str::<Sdp>(params)?.jsep;
        if r#type != "answer" {
            return Ok(());
        }
        match std::mem::replace(&mut self.place, Place::Outside) {
            Place::Offering { chat, offered, offered_at } if offered.is_answered_by(&sdp) => {
                self.place = Place::Inside { chat };
                let leg = offered.answer(&sdp, self.server.ip(), offered_at)?;
                self.media.tell(Command::Adopt(Box::new(leg)))
            }
            other => {
                self.place = other;
                Ok(())
            }
        }
    }

    /// A warning about the offer is the end of it; others are told and survived.
    async fn handle_warning(&mut self, params: &str) -> Result<()> {
        let Warning { message, code } = serde_json::from_str(params)?;
        let message = format!("{} ({})", message.unwrap_or_default(), code.unwrap_or_default());
        if let Place::Offering { .. } = self.place {
            return Err(anyhow!("the offer was refused: {message}"));
        }
        let _ = self.notices.send(Notice::Warned { message }).await;
        Ok(())
    }

    async fn send(&mut self, event: &str, params: serde_json::Value) -> Result<()> {
        let text = json!({ "event": event, "params": params }).to_string();
        Ok(self.socket.send(Message::text(text)).await?)
    }
}

/// Between the last packet and the word that there are no more.
const GOODBYE: Duration = Duration::from_millis(50);

/// Room for a message in a thousand bots' sockets: the default of 128 KiB each would be the
/// generator's greatest use of memory.
const READ_BUFFER_BYTES: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;

    use super::*;
    use crate::api::Team;
    use crate::far_end::FarEnd;
    use crate::media;
    use crate::scenario::Scenario;

    const ROLE: Role = Role { is_talker: true, sections: 1, light: None };

    const JOIN: fn() -> Join =
        || Join { chat: "g-1".into(), call: 0, role: ROLE, is_recorder: false };

    /// A bot, and the server's end of his socket.
    struct Line {
        server: WebSocketStream<TcpStream>,
        orders: mpsc::Sender<Order>,
        notices: mpsc::Receiver<Notice>,
        media: MediaHandle,
    }

    impl Line {
        async fn open() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
            let port = listener.local_addr().expect("it is bound").port();
            let api = Api::find(&format!("http://127.0.0.1:{port}")).await.expect("an address");
            let login = Login { token: "secret".into(), team: Team { uid: "t".into() } };
            let (sender, notices) = mpsc::channel(16);
            let scenario = Scenario { frame_ms: 20, ..Scenario::default() };
            let (media, _) =
                media::start(&scenario, sender.clone()).expect("a thread is to be had");
            let (orders, inbox) = mpsc::channel(2);
            let connecting = Bot::connect(0, &api, &login, media.clone(), sender);
            let accepting = async {
                let (stream, _) = listener.accept().await.expect("the bot comes");
                accept_async(stream).await.expect("the bot upgrades")
            };
            let (bot, server) = tokio::join!(connecting, accepting);
            tokio::spawn(bot.expect("the bot is let in").run(inbox));
            Self { server, orders, notices, media }
        }

        async fn read(&mut self) -> Value {
            let message = self.server.next().await.expect("open").expect("whole");
            serde_json::from_str(message.to_text().expect("text")).expect("JSON")
        }

        async fn write(&mut self, event: Value) {
            self.server.send(Message::text(event.to_string())).await.expect("open");
        }
    }

    #[tokio::test]
    async fn an_event_with_an_id_is_confirmed_and_a_confirm_is_not() {
        let mut line = Line::open().await;
        let confirm = json!({ "confirm_id": "own" });
        line.write(json!({ "event": "server.confirm", "confirm_id": "own", "params": confirm }))
            .await;
        line.write(json!({ "event": "server.online", "confirm_id": "c\"1", "params": {} })).await;
        let confirm = line.read().await;
        assert_eq!(
            confirm,
            json!({ "event": "client.confirm", "params": { "confirm_id": "c\"1" } })
        );
    }

    #[tokio::test]
    async fn an_answered_talker_is_connected_and_heard() {
        let mut line = Line::open().await;
        line.orders.send(Order::Join(JOIN())).await.expect("he listens");
        let offer = line.read().await;
        assert_eq!(offer["event"], "client.call.offer");
        assert_eq!(
            (&offer["params"]["jid"], &offer["params"]["muted"], &offer["params"]["trickle"]),
            (&json!("g-1"), &json!(false), &json!(false))
        );

        let mut far = FarEnd::open();
        let sdp = far.answer(offer["params"]["sdp"].as_str().expect("an SDP"));
        let jsep = json!({ "type": "answer", "sdp": sdp });
        line.write(json!({ "event": "server.call.sdp", "params": { "jsep": jsep } })).await;
        let heard = tokio::task::spawn_blocking(move || far.hear()).await.expect("no panic");
        assert_eq!((heard.talker, heard.seq), (0, 0));
        assert!(matches!(line.notices.recv().await, Some(Notice::Connected(0))));
        line.media.tell(Command::Stop).expect("the thread runs");
    }

    #[tokio::test]
    async fn an_answer_to_an_offer_that_was_withdrawn_is_not_that_to_the_next() {
        let mut line = Line::open().await;
        let (mut offers, mut far) = (Vec::new(), FarEnd::open());
        for order in [Order::Join(JOIN()), Order::Leave, Order::Join(JOIN())] {
            line.orders.send(order).await.expect("he listens");
            let event = line.read().await;
            if let Some(sdp) = event["params"]["sdp"].as_str() {
                offers.push(sdp.to_owned());
            }
        }
        let late = FarEnd::open().answer(&offers[0]);
        for sdp in [late, far.answer(&offers[1])] {
            let jsep = json!({ "type": "answer", "sdp": sdp });
            line.write(json!({ "event": "server.call.sdp", "params": { "jsep": jsep } })).await;
        }
        let heard = tokio::task::spawn_blocking(move || far.hear()).await.expect("no panic");
        assert_eq!((heard.talker, heard.seq), (0, 0));
        line.media.tell(Command::Stop).expect("the thread runs");
    }

    #[tokio::test]
    async fn a_recorder_asks_for_his_calls_recording_once() {
        let mut line = Line::open().await;
        let join = Join { is_recorder: true, ..JOIN() };
        line.orders.send(Order::Join(join)).await.expect("he listens");
        let offer = line.read().await;
        let mut far = FarEnd::open();
        let sdp = far.answer(offer["params"]["sdp"].as_str().expect("an SDP"));
        let jsep = json!({ "type": "answer", "sdp": sdp });
        line.write(json!({ "event": "server.call.sdp", "params": { "jsep": jsep } })).await;
        for (jid, uid) in [("g-2", "u-2"), ("g-1", "u-1"), ("g-1", "u-1")] {
            let params = json!({ "jid": jid, "uid": uid, "onliners": [] });
            line.write(json!({ "event": "server.call.state", "params": params })).await;
        }
        let record = line.read().await;
        line.orders.send(Order::Unmute).await.expect("he listens");
        let sound = line.read().await;
        assert_eq!(record["params"], json!({ "jid": "g-1", "uid": "u-1", "audiorecord": true }));
        assert_eq!(sound["params"], json!({ "jid": "g-1", "muted": false }));
    }

    #[tokio::test]
    async fn a_refused_offer_is_a_failure_with_the_servers_words() {
        let mut line = Line::open().await;
        line.orders.send(Order::Join(JOIN())).await.expect("he listens");
        line.read().await;
        let params = json!({ "message": "The call is full", "code": "call_full", "orig": {} });
        line.write(json!({ "event": "server.warning", "params": params })).await;
        let Some(Notice::Failed { bot: 0, why }) = line.notices.recv().await else {
            panic!("the bot went on");
        };
        assert!(why.contains("The call is full (call_full)"), "{why}");
    }
}
