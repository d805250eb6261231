//! Dials the core, again and again: after a loss at once, then ever more seldom, and never in step
//! with other nodes.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tracing::{info, warn};

use super::{LinkCore, peer};
use crate::config;
use crate::limits::{CORE_DEAD, CORE_MESSAGE_BYTES_MAX, CORE_OPEN_MAX, CORE_RETRY};

/// Where the core is, and what shows that we are who we say.
pub struct Address {
    request: Request<()>,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressFault {
    #[error("core.url: {0}")]
    Url(String),
    #[error("{key}: {path}: {why}")]
    File { key: &'static str, path: String, why: String },
    #[error("core.secret has a character that no header may have")]
    Secret,
}

impl Address {
    /// # Errors
    /// What it says cannot be used.
    pub fn new(core: &config::Core) -> Result<Address, AddressFault> {
        let wrong = |why: &str| AddressFault::Url(why.to_owned());
        let request = core.url.as_str().into_client_request();
        let mut request = request.map_err(|no| wrong(&no.to_string()))?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", core.secret));
        let mut bearer = bearer.map_err(|_| AddressFault::Secret)?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let is_tls = match request.uri().scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(wrong("neither ws:// nor wss://")),
        };
        let host = request.uri().host().ok_or_else(|| wrong("no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = request.uri().port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tls = if is_tls { Some(connector(core)?) } else { None };
        Ok(Address { request, host, port, tls })
    }
}

/// Keeps a link to the core for as long as it runs.
pub async fn run(core: Arc<LinkCore>, address: Address) {
    let mut failures = 0_u32;
    loop {
        let began = Instant::now();
        match timeout(CORE_OPEN_MAX, connect(&address)).await {
            Ok(Ok(socket)) => {
                let ended = talk(&core, socket, &address).await;
                warn!(%ended, "core link lost");
            }
            Ok(Err(fault)) => warn!(%fault, "core cannot be reached"),
            Err(_) => warn!("core does not answer"),
        }
        // One that held for a while is dialled again soon.
        failures = if began.elapsed() > CORE_DEAD { 1 } else { failures.saturating_add(1) };
        let [chance, ..] = RandomState::new().hash_one(0).to_le_bytes();
        sleep(CORE_RETRY.wait(failures, chance)).await;
        info!("dialling the core");
    }
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// Whether somebody is there whom we trust: TCP and TLS, and not a word.
///
/// # Errors
/// He is not there, or is not who he says.
pub async fn reach(address: &Address) -> io::Result<()> {
    connect(address).await.map(drop)
}

async fn connect(address: &Address) -> io::Result<Box<dyn Socket>> {
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = &address.tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
    Ok(Box::new(tls.connect(name, stream).await?))
}

async fn talk(core: &Arc<LinkCore>, socket: Box<dyn Socket>, address: &Address) -> peer::Ended {
    let request = address.request.clone();
    let opened = client_async_with_config(request, socket, Some(socket_config()));
    match timeout(CORE_OPEN_MAX, opened).await {
        Ok(Ok((socket, _))) => peer::run(core, socket).await,
        Ok(Err(error)) => error.into(),
        Err(_) => peer::Ended::NoHello,
    }
}

/// Of either side's socket.
pub fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(CORE_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(CORE_MESSAGE_BYTES_MAX))
}

fn connector(core: &config::Core) -> Result<TlsConnector, AddressFault> {
    let mut roots = RootCertStore::empty();
    if core.ca.as_os_str().is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    } else {
        for certificate in certificates("core.ca", &core.ca)? {
            roots.add(certificate).map_err(fault("core.ca", &core.ca))?;
        }
    }
    if roots.is_empty() {
        return Err(fault("core.ca", &core.ca)("nobody to trust is there"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(fault("core.ca", &core.ca))?
        .with_root_certificates(roots);
    let config = match core.cert.as_os_str().is_empty() {
        true => config.with_no_client_auth(),
        false => {
            let own = certificates("core.cert", &core.cert)?;
            let key =
                PrivateKeyDer::from_pem_file(&core.key).map_err(fault("core.key", &core.key))?;
            config.with_client_auth_cert(own, key).map_err(fault("core.cert", &core.cert))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, AddressFault> {
    let all = CertificateDer::pem_file_iter(path).map_err(fault(key, path))?;
    all.map(|certificate| certificate.map_err(fault(key, path))).collect()
}

fn fault<E: std::fmt::Display>(key: &'static str, path: &Path) -> impl Fn(E) -> AddressFault {
    let path = path.display().to_string();
    move |why| AddressFault::File { key, path: path.clone(), why: why.to_string() }
}
