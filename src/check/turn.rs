//! What a STUN or TURN server says to its client (RFC 8489, RFC 8656): a binding, or an allocation
//! with the credentials that browsers are given, which is given back at once.

use std::io;
use std::net::SocketAddr;

use rtc_stun::attributes::{
    ATTR_LIFETIME, ATTR_NONCE, ATTR_REALM, ATTR_REQUESTED_TRANSPORT, ATTR_USERNAME,
    ATTR_XOR_RELAYED_ADDRESS, AttrType,
};
use rtc_stun::crypto::default_provider;
use rtc_stun::error_code::ErrorCodeAttribute;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    BINDING_REQUEST, CLASS_ERROR_RESPONSE, CLASS_REQUEST, Getter, METHOD_ALLOCATE, METHOD_REFRESH,
    Message, MessageType, Method, Setter,
};
use rtc_stun::xoraddr::XorMappedAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;

use super::WITHIN;

/// One server, as its URL says (RFC 7064, RFC 7065).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub relays: bool,
    pub is_tcp: bool,
    pub is_tls: bool,
}

/// Why it is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TurnFault {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("what it says is not STUN: {0}")]
    Strange(String),
    #[error("it refuses with {code} {reason}")]
    Refused { code: u16, reason: String },
    #[error("it refuses the credentials (401): see features.ice_servers")]
    Credentials,
    #[error("it gives no address to relay from")]
    NoRelay,
}

impl Server {
    /// `None` for what is no such URL.
    pub fn parse(url: &str) -> Option<Server> {
        let (scheme, rest) = url.split_once(':')?;
        let (relays, is_tls) = match scheme {
            "stun" => (false, false),
            "stuns" => (false, true),
            "turn" => (true, false),
            "turns" => (true, true),
            _ => return None,
        };
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = host_and_port(authority, if is_tls { 5_349 } else { 3_478 })?;
        Some(Server { host, port, relays, is_tcp: is_tls || query == "transport=tcp", is_tls })
    }
}

/// Asks for what the server is there for; what it did, in words.
///
/// # Errors
/// It cannot be reached, or does not do it.
pub async fn ask(
    server: &Server,
    credentials: Option<(String, String)>,
) -> Result<String, TurnFault> {
    let mut found = lookup_host((server.host.as_str(), server.port)).await?;
    let at = found.next().ok_or(io::Error::from(io::ErrorKind::NotFound))?;
    let mut line = Line::open(server, at).await?;
    let Some((username, password)) = credentials.filter(|_| server.relays) else {
        let answer = line.exchange(&blank(BINDING_REQUEST)?).await?;
        refusal(&answer).map_or(Ok(()), Err)?;
        return Ok("answers".to_owned());
    };
    let transport: Attribute = (ATTR_REQUESTED_TRANSPORT, UDP.to_vec());
    let first = request(METHOD_ALLOCATE, std::slice::from_ref(&transport), None)?;
    let challenge = line.exchange(&first).await?;
    let (realm, nonce) = match (text(&challenge, ATTR_REALM), text(&challenge, ATTR_NONCE)) {
        (Some(realm), Some(nonce)) => (realm, nonce),
        _ => return Err(refusal(&challenge).unwrap_or(TurnFault::NoRelay)),
    };
    let key = Credentials { username, password, realm, nonce };
    let second = request(METHOD_ALLOCATE, &[transport], Some(&key))?;
    let answer = line.exchange(&second).await?;
    if let Some(refused) = refusal(&answer) {
        return Err(match refused {
            TurnFault::Refused { code: 401, .. } => TurnFault::Credentials,
            refused => refused,
        });
    }
    let mut relayed = XorMappedAddress::default();
    let read = relayed.get_from_as(&answer, ATTR_XOR_RELAYED_ADDRESS);
    read.map_err(|_| TurnFault::NoRelay)?;
    // Given back: a lifetime of 0 ends it (RFC 8656 section 7.2). Else it would end by itself.
    let back = request(METHOD_REFRESH, &[(ATTR_LIFETIME, vec![0; 4])], Some(&key))?;
    let _ = timeout(WITHIN / 4, line.exchange(&back)).await;
    Ok(format!("relays from {}", relayed.ip))
}

/// How the server is spoken to.
enum Line {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Line {
    async fn open(server: &Server, at: SocketAddr) -> io::Result<Line> {
        if server.is_tcp {
            return Ok(Line::Tcp(TcpStream::connect(at).await?));
        }
        let any: SocketAddr =
            if at.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(at).await?;
        Ok(Line::Udp(socket))
    }

    /// The answer to a request; over UDP it is sent again, as a datagram may be lost.
    async fn exchange(&mut self, request: &Message) -> Result<Message, TurnFault> {
        let mut bytes = vec![0; ANSWER_BYTES];
        let length = match self {
            Line::Udp(socket) => loop {
                socket.send(&request.raw).await?;
                if let Ok(received) = timeout(AGAIN, socket.recv(&mut bytes)).await {
                    break received?;
                }
            },
            Line::Tcp(stream) => {
                stream.write_all(&request.raw).await?;
                stream.read_exact(&mut bytes[..HEADER_BYTES]).await?;
                let body = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                let whole = HEADER_BYTES + body;
                let rest = bytes.get_mut(HEADER_BYTES..whole);
                let rest = rest.ok_or_else(|| TurnFault::Strange("it is too long".to_owned()))?;
                stream.read_exact(rest).await?;
                whole
            }
        };
        let mut answer = Message::new();
        answer.unmarshal_binary(&bytes[..length]).map_err(strange)?;
        if answer.transaction_id != request.transaction_id {
            return Err(TurnFault::Strange("it answers something else".to_owned()));
        }
        Ok(answer)
    }
}

/// What a client of TURN proves itself with (RFC 8489 section 9.2).
struct Credentials {
    username: String,
    password: String,
    realm: String,
    nonce: String,
}

type Attribute = (AttrType, Vec<u8>);

fn request(
    method: Method,
    attributes: &[Attribute],
    credentials: Option<&Credentials>,
) -> Result<Message, TurnFault> {
    let mut message = blank(MessageType::new(method, CLASS_REQUEST))?;
    for (kind, value) in attributes {
        message.add(*kind, value);
    }
    if let Some(Credentials { username, password, realm, nonce }) = credentials {
        message.add(ATTR_USERNAME, username.as_bytes());
        message.add(ATTR_REALM, realm.as_bytes());
        message.add(ATTR_NONCE, nonce.as_bytes());
        let provider = default_provider().map_err(strange)?;
        let integrity = MessageIntegrity::new_long_term_integrity_with_provider(
            username.clone(),
            realm.clone(),
            password.clone(),
            provider.crypto(),
        );
        integrity.and_then(|it| it.add_to(&mut message)).map_err(strange)?;
    }
    Ok(message)
}

fn blank(kind: MessageType) -> Result<Message, TurnFault> {
    let mut message = Message::new();
    message.new_transaction_id().map_err(strange)?;
    message.build(&[Box::new(kind)]).map_err(strange)?;
    Ok(message)
}

fn text(message: &Message, kind: AttrType) -> Option<String> {
    String::from_utf8(message.get(kind).ok()?).ok()
}

fn refusal(answer: &Message) -> Option<TurnFault> {
    if answer.typ.class != CLASS_ERROR_RESPONSE {
        return None;
    }
    let mut code = ErrorCodeAttribute::default();
    Some(match code.get_from(answer) {
        Ok(()) => TurnFault::Refused {
            code: code.code.0,
            reason: String::from_utf8_lossy(&code.reason).into_owned(),
        },
        Err(no) => strange(no),
    })
}

fn strange(no: impl ToString) -> TurnFault {
    TurnFault::Strange(no.to_string())
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
pub fn host_and_port(authority: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => inner.split_once(']').map(|(host, port)| (host, port.strip_prefix(':')))?,
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map_or(Some(default), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// Longest answer that is read.
const ANSWER_BYTES: usize = 2_048;

/// Of a STUN message (RFC 8489 section 5).
const HEADER_BYTES: usize = 20;

/// A request over UDP is sent again after so long: three times within [`WITHIN`].
const AGAIN: std::time::Duration = std::time::Duration::from_millis(500);

/// REQUESTED-TRANSPORT (RFC 8656 section 18.7): protocol 17.
const UDP: [u8; 4] = [17, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_how_its_server_is_spoken_to() {
        let server =
            |url| Server::parse(url).map(|it| (it.host, it.port, it.relays, it.is_tcp, it.is_tls));
        let is =
            |host: &str, port, relays, tcp, tls| Some((host.to_owned(), port, relays, tcp, tls));
        assert_eq!(server("stun:a.example"), is("a.example", 3_478, false, false, false));
        assert_eq!(server("turn:a.example:99"), is("a.example", 99, true, false, false));
        assert_eq!(server("turn:[::1]:99?transport=tcp"), is("::1", 99, true, true, false));
        assert_eq!(server("turns:a.example"), is("a.example", 5_349, true, true, true));
        for wrong in ["a.example", "http://a.example", "turn:", "turn:a:port"] {
            assert_eq!(server(wrong), None, "{wrong}");
        }
    }

    /// A server that relays for "anna" with "tea", on this machine.
    async fn relay() -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut bytes = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                let answer = answer(&bytes[..length]);
                socket.send_to(&answer.raw, from).await.unwrap();
            }
        });
        port
    }

    fn answer(bytes: &[u8]) -> Message {
        use rtc_stun::error_code::CODE_UNAUTHORIZED;
        use rtc_stun::message::CLASS_SUCCESS_RESPONSE;
        let mut asked = Message::new();
        asked.unmarshal_binary(bytes).unwrap();
        let provider = default_provider().unwrap();
        let key = MessageIntegrity::long_term_integrity_key(
            "anna".to_owned(),
            "hall".to_owned(),
            "tea".to_owned(),
            provider.crypto(),
        );
        let proved = MessageIntegrity::check(&mut asked, &key.unwrap(), provider.crypto());
        let is_binding = asked.typ == BINDING_REQUEST;
        let mut answer = Message::new();
        answer.transaction_id = asked.transaction_id;
        let class = if is_binding || proved.is_ok() {
            CLASS_SUCCESS_RESPONSE
        } else {
            CLASS_ERROR_RESPONSE
        };
        answer.build(&[Box::new(MessageType::new(asked.typ.method, class))]).unwrap();
        match class == CLASS_ERROR_RESPONSE {
            true => {
                let reason = b"Unauthorized".to_vec();
                let code = ErrorCodeAttribute { code: CODE_UNAUTHORIZED, reason };
                code.add_to(&mut answer).unwrap();
                answer.add(ATTR_REALM, b"hall");
                answer.add(ATTR_NONCE, b"n1");
            }
            false => {
                let relayed = XorMappedAddress { ip: [192, 0, 2, 1].into(), port: 5 };
                relayed.add_to_as(&mut answer, ATTR_XOR_RELAYED_ADDRESS).unwrap();
            }
        }
        answer
    }

    #[tokio::test]
    async fn a_relay_is_asked_with_the_credentials_and_says_where_from() {
        let url = format!("turn:127.0.0.1:{}", relay().await);
        let server = Server::parse(&url).unwrap();
        let with = |password: &str| Some(("anna".to_owned(), password.to_owned()));
        assert_eq!(ask(&server, with("tea")).await.unwrap(), "relays from 192.0.2.1");
        assert!(matches!(ask(&server, with("milk")).await, Err(TurnFault::Credentials)));
        let stun = Server { relays: false, ..server };
        assert_eq!(ask(&stun, None).await.unwrap(), "answers");
    }

    #[tokio::test]
    async fn a_port_where_nobody_is_says_so_at_once() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let url = format!("stun:{}", socket.local_addr().unwrap());
        drop(socket);
        let server = Server::parse(&url).unwrap();
        assert!(matches!(ask(&server, None).await, Err(TurnFault::Io(_))));
    }
}
