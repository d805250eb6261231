//! The verbs of a story: who is there, who talks, who hears what.

use std::time::Duration;

use voxhall::demo::socket::Account;

use super::client::{Client, Sections};
use super::server::Server;
use super::tone::are_exactly;

/// Ends a test that has failed; what is awaited comes within a second.
pub const DEADLINE: Duration = Duration::from_secs(20);
pub const ANNA_HZ: f32 = 440.0;
pub const BORIS_HZ: f32 = 660.0;
pub const CLARA_HZ: f32 = 990.0;
/// Packets of one voice.
const A_SECOND: u64 = 50;

/// Three people, logged in.
pub async fn people(server: &Server) -> [Account; 3] {
    let login = async |name| Account::login(&server.url, name).await.expect("a login");
    [login("anna").await, login("boris").await, login("clara").await]
}

/// The Lobby's jid.
pub fn lobby(account: &Account) -> &str {
    account.chat("Lobby").expect("the built-in core has a Lobby")
}

/// A logged-in person with a socket, in no call.
pub async fn guest(server: &Server, name: &str) -> Client {
    let mut client = Client::login(&server.url, name).await.expect("a login");
    client.connect_socket().await.expect("a socket");
    client
}

/// In the Lobby's call, saying a tone.
pub async fn join_talking(client: &mut Client, hz: f32, sections: Sections) {
    client.offer(&client.lobby(), sections).await.expect("the call takes him");
    client.say_tone(hz);
}

/// These tones and nothing else, each in a section of its own.
pub async fn hears(client: &Client, tones: &[f32]) {
    if let Err(heard) = client.hears_exactly(DEADLINE, tones).await {
        let told = ["sdp", "tracks", "leave"].map(|name| format!("server.call.{name}"));
        for name in told.iter().map(String::as_str).chain(["server.warning"]) {
            eprintln!("{name}: {:#?}", client.events().all(name));
        }
        panic!("heard instead of {tones:?}: {heard:?}");
    }
}

/// A second of the one tone, and not a packet of anybody else; what was under way before is not
/// counted.
pub async fn only_is_heard(client: &Client, hz: f32) {
    client.listen(DEADLINE, A_SECOND / 4).await.expect("somebody is heard");
    let heard = client.listen(DEADLINE, A_SECOND).await.expect("somebody is heard");
    assert!(are_exactly(&heard, &[hz]), "heard instead of {hz} Hz: {heard:?}");
}
