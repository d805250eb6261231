//! Whether others can be reached: the core, the webhook, the store, STUN and TURN servers.

use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::turn::{self, Server};
use super::{Finding, WITHIN, fail, ok, warn};
use crate::clock;
use crate::config::{Archive, Config, CoreMode, IceServer};
use crate::core::link::dial;
use crate::record::upload::Depot;
use crate::signal::turn_servers;

pub async fn check(config: &Config) -> Vec<Finding> {
    let (core, webhook, store, ice) = tokio::join!(
        core(config),
        webhook(&config.core.webhook_url),
        store(&config.archive),
        ice_servers(told(config))
    );
    let one = [core, webhook, store].into_iter().flatten();
    one.chain(ice).collect()
}

async fn core(config: &Config) -> Option<Finding> {
    const WHAT: &str = "core";
    if config.core.mode != CoreMode::Dial {
        return None;
    }
    let address = match dial::Address::new(&config.core) {
        Ok(address) => address,
        Err(fault) => return Some(fail(WHAT, fault)),
    };
    let url = &config.core.url;
    let Some((host, port)) = place(url) else {
        return Some(fail(WHAT, "core.url names no host"));
    };
    let linked = match timeout(WITHIN, dial::reach(&address)).await {
        Ok(linked) => linked.map_err(|no| no.to_string()),
        Err(_) => Err("no answer".to_owned()),
    };
    Some(match linked {
        Ok(()) => ok(WHAT, format!("{host}:{port} takes connections, and is whom we trust")),
        // It may be started later: calls go on, and it is dialled again.
        Err(why) => warn(
            WHAT,
            format!("{host}:{port} (core.url): {why}; nobody comes in until it is there"),
        ),
    })
}

async fn webhook(url: &str) -> Option<Finding> {
    const WHAT: &str = "webhook";
    if url.is_empty() {
        return None;
    }
    let Some((host, port)) = place(url) else {
        return Some(fail(WHAT, "core.webhook_url names no host"));
    };
    // Its path may be a secret: the host alone is told.
    Some(match reached(&host, port).await {
        Ok(at) => ok(WHAT, format!("{host}:{port} takes connections ({at})")),
        Err(why) => warn(WHAT, format!("{host}:{port} (core.webhook_url): {why}; facts wait")),
    })
}

async fn store(archive: &Archive) -> Option<Finding> {
    const WHAT: &str = "store";
    let depot = match Depot::open(archive) {
        Ok(depot) => depot?,
        Err(fault) => return Some(fail(WHAT, fault)),
    };
    let url = depot.url().to_owned();
    Some(match timeout(WITHIN * 2, depot.lists()).await {
        Ok(Ok(())) => ok(WHAT, format!("{url} is there, and its key may list it")),
        Ok(Err(fault)) => fail(WHAT, format!("{url} cannot be listed: {fault}; see [archive]")),
        Err(_) => fail(WHAT, format!("{url} does not answer; see [archive]")),
    })
}

/// As a client is told them, with a password of its own.
fn told(config: &Config) -> Vec<IceServer> {
    let mut servers = config.features.ice_servers.clone();
    let now = clock::wall().as_nanos() / 1_000_000_000;
    let given = turn_servers(&config.turn, "voxhall-check", now);
    servers.extend(given.into_iter().map(|server| IceServer {
        urls: server.urls,
        username: server.username,
        credential: server.credential,
    }));
    servers
}

async fn ice_servers(servers: Vec<IceServer>) -> Vec<Finding> {
    let mut asked = JoinSet::new();
    for (number, server) in servers.into_iter().enumerate() {
        asked.spawn(async move { (number, ice_server(&server).await) });
    }
    let mut found = asked.join_all().await;
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, finding)| finding).collect()
}

async fn ice_server(told: &IceServer) -> Finding {
    let url = &told.urls;
    let Some(server) = Server::parse(url) else {
        return fail("turn", format!("{url} is no URL of a STUN or TURN server"));
    };
    let what = if server.relays { "turn" } else { "stun" };
    let credentials = told.username.clone().zip(told.credential.clone());
    if server.relays && credentials.is_none() {
        return fail(what, format!("{url} has no username and credential: browsers refuse it"));
    }
    if server.is_tls {
        return match reached(&server.host, server.port).await {
            Ok(_) => {
                warn(what, format!("{url} takes connections; what it says by TLS is not tried"))
            }
            Err(why) => fail(what, format!("{url}: {why}")),
        };
    }
    match timeout(WITHIN, turn::ask(&server, credentials)).await {
        Ok(Ok(done)) => ok(what, format!("{url} {done}")),
        Ok(Err(fault)) => fail(what, format!("{url}: {fault}")),
        Err(_) => fail(what, format!("{url} does not answer")),
    }
}

/// The address that was reached.
async fn reached(host: &str, port: u16) -> Result<SocketAddr, String> {
    let connecting = async {
        let found: Vec<SocketAddr> =
            lookup_host((host, port)).await.map_err(|no| format!("no such host: {no}"))?.collect();
        let stream = TcpStream::connect(&found[..]).await.map_err(|no| no.to_string())?;
        stream.peer_addr().map_err(|no| no.to_string())
    };
    timeout(WITHIN, connecting).await.unwrap_or_else(|_| Err("no answer".to_owned()))
}

/// Host and port of a URL.
fn place(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    let default = if matches!(scheme, "https" | "wss") { 443 } else { 80 };
    turn::host_and_port(authority, default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_a_port() {
        let at = |url: &str| place(url).map(|(host, port)| format!("{host} {port}"));
        for (url, expect) in [
            ("wss://chat.example.org/voxhall", Some("chat.example.org 443")),
            ("ws://10.0.0.7:9000", Some("10.0.0.7 9000")),
            ("https://me:pw@[2001:db8::1]:8443/x?y", Some("2001:db8::1 8443")),
            ("http://[::1]/", Some("::1 80")),
            ("https://", None),
            ("chat.example.org", None),
        ] {
            assert_eq!(at(url).as_deref(), expect, "{url}");
        }
    }
}
