//! Whether the listener and the media sockets can be had, and whether what is sent to an
//! advertised address comes to them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;

use super::{Finding, WITHIN, fail, ok, warn};
use crate::config::{Config, Http, Interface};
use crate::demo::http::Origin;

/// Who has the node's ports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Nobody,
    /// A node that runs and answers.
    Voxhall,
    Stranger,
}

pub async fn check(config: &Config, told: &[IpAddr], interfaces: &[Interface]) -> Vec<Finding> {
    let (holder, listener) = listener(&config.http).await;
    let mut found = vec![listener];
    let bind = config.media.bind.first().copied();
    for worker in 0..config.media.workers.count().get() {
        let port = config.media.worker_port(worker);
        found.push(media(bind, port, told, interfaces, holder).await);
    }
    found.extend(nat(config, told, interfaces));
    found
}

async fn listener(http: &Http) -> (Holder, Finding) {
    const WHAT: &str = "listener";
    let at = http.listen;
    let fault = match TcpListener::bind(at).await {
        Ok(_) => return (Holder::Nobody, ok(WHAT, format!("TCP {at} is free"))),
        Err(fault) if fault.kind() != io::ErrorKind::AddrInUse => {
            let text = format!("TCP {at} cannot be bound: {fault}; see http.listen");
            return (Holder::Nobody, fail(WHAT, text));
        }
        Err(fault) => fault,
    };
    match timeout(WITHIN, asks_health(http)).await {
        Ok(Ok(true)) => {
            (Holder::Voxhall, ok(WHAT, format!("TCP {at} is held by a voxhall, which answers")))
        }
        Ok(Ok(false) | Err(_)) | Err(_) => {
            let text = format!("TCP {at} is held by another program: {fault}; see http.listen");
            (Holder::Stranger, fail(WHAT, text))
        }
    }
}

/// Whether whoever listens there answers `/healthz` as we do.
async fn asks_health(http: &Http) -> io::Result<bool> {
    let is_tls = !http.cert.as_os_str().is_empty() || http.open;
    let scheme = if is_tls { "https" } else { "http" };
    let at = SocketAddr::new(from_here(http.listen.ip()), http.listen.port());
    let origin = Origin::parse(&format!("{scheme}://{at}")).ok_or(io::ErrorKind::InvalidInput)?;
    let mut stream = origin.connect().await?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await?;
    let mut reply = Vec::new();
    // TLS may end without a good-bye.
    let _ = stream.take(REPLY_BYTES).read_to_end(&mut reply).await;
    let reply = String::from_utf8_lossy(&reply);
    Ok(reply.contains(" 200 ") && reply.contains("\"result\":\"alive\""))
}

async fn media(
    bind: Option<IpAddr>,
    port: u16,
    told: &[IpAddr],
    interfaces: &[Interface],
    holder: Holder,
) -> Finding {
    const WHAT: &str = "media";
    let socket = match bound(bind, port).await {
        Ok(socket) => socket,
        Err(fault) if fault.kind() == io::ErrorKind::AddrInUse && holder == Holder::Voxhall => {
            return ok(WHAT, format!("UDP {port} is held, as by the voxhall that runs"));
        }
        Err(fault) => {
            let text =
                format!("UDP {port} cannot be bound: {fault}; see media.port and media.bind");
            return fail(WHAT, text);
        }
    };
    let port = socket.local_addr().map_or(port, |address| address.port());
    let own = |ip: &&IpAddr| interfaces.iter().any(|interface| interface.ip == **ip);
    let (mut heard, mut lost) = (Vec::new(), Vec::new());
    for ip in told.iter().filter(own) {
        let came = timeout(WITHIN / 4, comes_through(&socket, *ip, port)).await;
        let place = if matches!(came, Ok(Ok(()))) { &mut heard } else { &mut lost };
        place.push(ip.to_string());
    }
    match lost.is_empty() {
        true if heard.is_empty() => ok(WHAT, format!("UDP {port} is free")),
        true => ok(WHAT, format!("UDP {port} is free and reached at {}", heard.join(", "))),
        false => fail(
            WHAT,
            format!(
                "UDP {port}: what is sent to {} does not arrive; look at the firewall of this \
                 machine",
                lost.join(", ")
            ),
        ),
    }
}

/// As the workers bind theirs: both families where nothing is said.
async fn bound(bind: Option<IpAddr>, port: u16) -> io::Result<UdpSocket> {
    match bind {
        Some(ip) => UdpSocket::bind((ip, port)).await,
        None => match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Err(fault) if fault.kind() != io::ErrorKind::AddrInUse => {
                UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await
            }
            bound => bound,
        },
    }
}

/// Sends to the advertised address from there, and waits until it has come.
async fn comes_through(socket: &UdpSocket, ip: IpAddr, port: u16) -> io::Result<()> {
    let sender = UdpSocket::bind((ip, 0)).await?;
    let from = sender.local_addr()?;
    sender.send_to(HELLO, (ip, port)).await?;
    let mut datagram = [0; HELLO.len() + 1];
    loop {
        let (bytes, by) = socket.recv_from(&mut datagram).await?;
        let is_ours = by.ip().to_canonical() == from.ip() && by.port() == from.port();
        if is_ours && &datagram[..bytes] == HELLO {
            return Ok(());
        }
    }
}

/// What lies before this machine cannot be tried from inside.
fn nat(config: &Config, told: &[IpAddr], interfaces: &[Interface]) -> Option<Finding> {
    let is_beyond = |ip: &&IpAddr| !interfaces.iter().any(|interface| interface.ip == **ip);
    let beyond: Vec<String> = told.iter().filter(is_beyond).map(ToString::to_string).collect();
    if beyond.is_empty() {
        return None;
    }
    let (first, last) = (config.media.port, config.media.workers.count().get().saturating_sub(1));
    Some(warn(
        "media",
        format!(
            "{} is not on this machine: its NAT must pass UDP {first} to {} here with the ports \
             unchanged; that cannot be proved from inside, call from outside once",
            beyond.join(", "),
            first.saturating_add(last)
        ),
    ))
}

fn from_here(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// No STUN, no DTLS, no RTP: a worker that runs there after all would drop it.
const HELLO: &[u8] = b"voxhall check";

/// Our answer has some 200.
const REPLY_BYTES: u64 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_free_is_reached_and_one_that_is_held_is_named() {
        let lo = IpAddr::from(Ipv4Addr::LOCALHOST);
        let interfaces = [Interface { name: "lo".into(), ip: lo, is_up: true }];
        let free = media(Some(lo), 0, &[lo], &interfaces, Holder::Nobody).await;
        assert!(free.text.ends_with("is free and reached at 127.0.0.1"), "{free:?}");
        let held = UdpSocket::bind((lo, 0)).await.unwrap();
        let port = held.local_addr().unwrap().port();
        let other = media(Some(lo), port, &[lo], &interfaces, Holder::Nobody).await;
        assert!(other.text.starts_with(&format!("UDP {port} cannot be bound")), "{other:?}");
        let own = media(Some(lo), port, &[lo], &interfaces, Holder::Voxhall).await;
        assert_eq!(own.verdict, crate::check::Verdict::Ok);
    }

    #[test]
    fn a_nat_is_told_which_ports_it_must_pass() {
        let mut config = Config::default();
        config.media.workers = crate::config::Workers::Exactly(4.try_into().unwrap());
        let told = ["203.0.113.9".parse().unwrap()];
        let text = nat(&config, &told, &[]).unwrap().text;
        assert!(text.contains("203.0.113.9") && text.contains("UDP 7880 to 7883"), "{text}");
        assert_eq!(nat(&config, &[], &[]), None);
    }
}
