//! Passwords for a TURN server that shares a secret with us: each person gets his own, good for a
//! while (coturn's `use-auth-secret`, draft-uberti-behave-turn-rest-00 section 2.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::config::Turn;
use crate::wire::http::IceServer;

/// The servers with a password for `who`; `now` is the time of day in seconds.
pub fn turn_servers(turn: &Turn, who: &str, now: i64) -> Vec<IceServer> {
    let ttl = i64::try_from(turn.ttl.as_secs()).unwrap_or(i64::MAX);
    let username = format!("{}:{who}", now.saturating_add(ttl));
    let mut mac = Hmac::<Sha1>::new_from_slice(turn.secret.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(username.as_bytes());
    let credential = STANDARD.encode(mac.finalize().into_bytes());
    let server = |urls: &String| IceServer {
        urls: urls.clone(),
        username: Some(username.clone()),
        credential: Some(credential.clone()),
    };
    turn.urls.iter().map(server).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_password_is_the_mac_of_its_end_and_its_holder() {
        let turn = Turn {
            urls: vec!["turn:a".to_owned(), "turn:b".to_owned()],
            secret: "north".to_owned(),
            ttl: Duration::from_secs(600),
        };
        let servers = turn_servers(&turn, "d-anna", 1_400);
        assert_eq!(servers.len(), 2);
        assert_eq!(servers[0].username.as_deref(), Some("2000:d-anna"));
        // printf 2000:d-anna | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(servers[1].credential.as_deref(), Some("NjRXLAkU+Z2Rb9XSkZUZwSuyVI8="));
    }
}
