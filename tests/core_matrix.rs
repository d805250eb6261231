//! Who may do what in a call: each event of a client by each kind of actor, over the core's link.
//! A refused one is told to its sender alone: nothing of it reaches anybody, then or later.

mod support;

#[path = "core/fake.rs"]
#[allow(dead_code, reason = "tests/core_link.rs uses the rest of it")]
mod fake;

use std::time::Duration;

use fake::{FakeCore, SECRET};
use serde_json::{Value, json};
use support::raw::{OFFER, offer_of};
use support::server::Server;

const PATIENCE: Duration = Duration::from_secs(30);

/// Who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
    Inside,
    /// In the call, and the core lets him do nothing to others.
    WithoutRights,
    /// With every right, and not in the call.
    Outside,
    Former,
    InAnotherCall,
}

const ACTORS: [Actor; 5] =
    [Actor::Inside, Actor::WithoutRights, Actor::Outside, Actor::Former, Actor::InAnotherCall];

/// What each event gives each of them, in the order of [`ACTORS`]; `ok` is taken.
const CELLS: [(&str, [&str; 5]); 13] = {
    const OUT: &str = "not_in_call";
    [
        ("offer", ["ok"; 5]),
        ("trickle", ["ok"; 5]),
        ("sdp", ["not_asked", "not_asked", OUT, OUT, OUT]),
        ("sound", ["ok", "ok", OUT, OUT, OUT]),
        ("muteall", ["ok", "no_right", OUT, OUT, OUT]),
        ("kick", ["ok", "no_right", OUT, OUT, OUT]),
        ("buzz", ["ok", "ok", OUT, OUT, OUT]),
        ("buzzcancel", ["not_rung"; 5]),
        ("reject", ["not_rung"; 5]),
        ("leave", ["ok", "ok", OUT, OUT, OUT]),
        // A right of the core: also of who listens to no one.
        ("record", ["ok", "no_right", "ok", "ok", "ok"]),
        ("video", ["audio_only"; 5]),
        ("screenshare", ["audio_only"; 5]),
    ]
};

/// One cell, with a call of its own.
struct Cell {
    event: &'static str,
    actor: Actor,
    wanted: &'static str,
    chat: String,
    host: String,
    who: String,
    uid: String,
}

impl Cell {
    fn params(&self) -> Value {
        let jid = &self.chat;
        match self.event {
            "offer" => offer_of(jid, OFFER),
            "trickle" => json!({ "jid": jid, "candidate": "" }),
            "sdp" => json!({ "jid": jid, "uid": self.uid,
                "jsep": { "type": "answer", "sdp": OFFER } }),
            "sound" | "muteall" => json!({ "jid": jid, "muted": true }),
            "kick" => json!({ "jid": jid, "onliner": self.host }),
            "buzz" => json!({ "jid": jid, "members": ["d-rung"] }),
            "record" => json!({ "jid": jid, "uid": self.uid, "audiorecord": true }),
            _ => json!({ "jid": jid }),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_by_each_actor_is_taken_or_refused_and_a_refused_one_reaches_nobody() {
    let core = FakeCore::start().await;
    let variables = [
        ("VOXHALL_CORE_MODE", "dial"),
        ("VOXHALL_CORE_URL", core.url.as_str()),
        ("VOXHALL_CORE_SECRET", SECRET),
        ("VOXHALL_RECORD_OPEN_MAX", "64"),
    ];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    let mut cells = Vec::new();
    for (event, wanted) in CELLS {
        for (actor, wanted) in ACTORS.into_iter().zip(wanted) {
            cells.push(prepare(&core, cells.len(), event, actor, wanted).await);
        }
    }
    settle(&core, "before").await;
    let before = core.count();
    let mut wrong = Vec::new();
    for cell in &cells {
        let rights = cell.actor != Actor::WithoutRights;
        let rights = json!({ "mute_all": rights, "record": rights, "kick": rights });
        let event = format!("client.call.{}", cell.event);
        let said = core.signal_with(&cell.who, &group(&cell.chat), &event, &cell.params(), &rights);
        let result = core.result(said).await;
        let told = result["code"].as_str().unwrap_or("ok");
        if told != cell.wanted {
            wrong.push(format!("{} by {:?}: {told}, not {}", cell.event, cell.actor, cell.wanted));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    settle(&core, "after").await;
    let came = core.since(before);
    for cell in &cells {
        let is_its = |it: &&Value| {
            cell.chat == it["event"]["params"]["jid"] || cell.chat == it["chat"]["group"]
        };
        let told = came.iter().find(is_its);
        let is_told = cell.wanted == "ok" && cell.event != "trickle";
        assert_eq!(told.is_some(), is_told, "{} by {:?}: {told:#?}", cell.event, cell.actor);
    }
    server.stop().await;
}

fn group(jid: &str) -> Value {
    json!({ "type": "group", "jid": jid, "display_name": jid })
}

/// A call of its own, with him where he is to be.
async fn prepare(
    core: &FakeCore,
    number: usize,
    event: &'static str,
    actor: Actor,
    wanted: &'static str,
) -> Cell {
    let (chat, host) = (format!("g-{number}"), format!("d-host-{number}"));
    let who = format!("d-who-{number}");
    let join = async |who: &str, chat: &str| {
        let offer = offer_of(chat, OFFER);
        let said = core.signal(who, &group(chat), "client.call.offer", &offer);
        assert_eq!(core.result(said).await["ok"], true);
    };
    join(&host, &chat).await;
    match actor {
        Actor::Inside | Actor::WithoutRights => join(&who, &chat).await,
        Actor::Outside => {}
        Actor::Former => {
            join(&who, &chat).await;
            let params = json!({ "jid": chat });
            let left = core.signal(&who, &group(&chat), "client.call.leave", &params);
            core.result(left).await;
        }
        Actor::InAnotherCall => join(&who, &format!("g-other-{number}")).await,
    }
    let is_its = |it: &Value| {
        it["event"]["event"] == "server.call.state" && it["event"]["params"]["jid"] == chat
    };
    let state = core.wait("a state", is_its).await;
    let uid = state["event"]["params"]["uid"].as_str().expect("a uid").to_owned();
    Cell { event, actor, wanted, chat, host, who, uid }
}

/// Until every state that was due by now has come: a call's second one waits the longest that any
/// does, and this one is due last.
async fn settle(core: &FakeCore, name: &str) {
    let chat = format!("g-probe-{name}");
    let say = async |event: &str, params: &Value| {
        let said = core.signal("d-probe", &group(&chat), event, params);
        assert_eq!(core.result(said).await["ok"], true);
    };
    say("client.call.offer", &offer_of(&chat, OFFER)).await;
    say("client.call.sound", &json!({ "jid": chat, "muted": true })).await;
    let is_muted = |it: &Value| {
        let params = &it["event"]["params"];
        params["jid"] == chat && params["onliners"][0]["muted"] == true
    };
    core.wait("its second state", is_muted).await;
}
