//! Certificates: the node and its core know each other by them, and https is served with the
//! operator's, renewed without a restart.

mod support;

#[path = "core/fake.rs"]
#[allow(dead_code, reason = "tests/core_link.rs uses the rest of it")]
mod fake;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fake::{FakeCore, SECRET};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use support::raw::{OFFER, offer_of};
use support::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const PATIENCE: Duration = Duration::from_secs(30);

/// Certificates in a folder that goes with it.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Files {
        let folder =
            std::env::temp_dir().join(format!("voxhall-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Files(folder)
    }

    /// A certificate for this machine, `NAME.pem` and `NAME.key`, in place of a former one.
    fn make(&self, name: &str) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]);
        let made = made.expect("a certificate");
        let key = made.signing_key.serialize_pem();
        std::fs::write(self.path(name, "key"), key).expect("a file");
        std::fs::write(self.path(name, "pem"), made.cert.pem()).expect("a file");
        made.cert.der().clone()
    }

    fn path(&self, name: &str, kind: &str) -> PathBuf {
        self.0.join(format!("{name}.{kind}"))
    }

    fn text(&self, name: &str, kind: &str) -> String {
        self.path(name, kind).to_str().expect("text").to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn trusting(certificate: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    roots
}

/// A core that shows `core` and wants to see `node`.
fn acceptor(files: &Files, node: &CertificateDer<'static>) -> TlsAcceptor {
    let read = |path: &Path| CertificateDer::from_pem_file(path).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(files.path("core", "key")).expect("a key");
    let provider = Arc::new(default_provider());
    let roots = Arc::new(trusting(node));
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.expect("a verifier"))
        .with_single_cert(vec![read(&files.path("core", "pem"))], key);
    TlsAcceptor::from(Arc::new(config.expect("they belong together")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_and_its_core_know_each_other_by_their_certificates() {
    let files = Files::new("core");
    files.make("core");
    files.make("stranger");
    let node = files.make("node");
    let core = FakeCore::start_with(Some(acceptor(&files, &node))).await;
    let (ca, stranger) = (files.text("core", "pem"), files.text("stranger", "pem"));
    let (cert, key) = (files.text("node", "pem"), files.text("node", "key"));
    let link = [
        ("VOXHALL_CORE_MODE", "dial"),
        ("VOXHALL_CORE_URL", &core.url),
        ("VOXHALL_CORE_SECRET", SECRET),
    ];
    let own = [("VOXHALL_CORE_CERT", cert.as_str()), ("VOXHALL_CORE_KEY", key.as_str())];
    // One that shows nothing, and one that trusts another.
    for wrong in [vec![("VOXHALL_CORE_CA", ca.as_str())], {
        let mut wrong = own.to_vec();
        wrong.push(("VOXHALL_CORE_CA", stranger.as_str()));
        wrong
    }] {
        let before = core.strangers();
        let variables = [&link[..], &wrong].concat();
        let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
        core.until("a stranger", || core.strangers() > before).await;
        assert_eq!(core.links(), 0);
        server.stop().await;
    }
    let variables = [&link[..], &own, &[("VOXHALL_CORE_CA", ca.as_str())]].concat();
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    let lobby = json!({ "type": "group", "jid": "g-lobby", "display_name": "Lobby" });
    let offered = core.signal("d-anna", &lobby, "client.call.offer", &offer_of("g-lobby", OFFER));
    assert_eq!(core.result(offered).await["ok"], true);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_dials_must_show_a_certificate_where_it_is_asked_for() {
    let files = Files::new("dials");
    let node = files.make("node");
    files.make("core");
    files.make("stranger");
    let (cert, key) = (files.text("node", "pem"), files.text("node", "key"));
    let ca = files.text("core", "pem");
    let variables = [
        ("VOXHALL_CORE_MODE", "accept"),
        ("VOXHALL_CORE_SECRET", SECRET),
        ("VOXHALL_CORE_CA", ca.as_str()),
        ("VOXHALL_HTTP_CERT", cert.as_str()),
        ("VOXHALL_HTTP_KEY", key.as_str()),
    ];
    let server = Server::with(&["--http", "127.0.0.1:0"], &variables);
    let dials = async |shows: Option<&str>| dial(&server, &node, &files, shows).await;
    assert!(dials(None).await.starts_with("HTTP/1.1 403"));
    assert!(dials(Some("core")).await.starts_with("HTTP/1.1 101"));
    assert_eq!(dials(Some("stranger")).await, "", "no handshake");
    // Whoever is no core is asked for none.
    assert_eq!(shown(&server, &node).await, Some(node));
    server.stop().await;
    let plain = support::server::refuses(&["--http", "127.0.0.1:0"], &variables[..3]);
    assert!(plain.stderr.contains("core.ca"), "{}", plain.stderr);
}

/// The first line of what the node answers to a core with the secret; `""` where TLS fails.
async fn dial(
    server: &Server,
    node: &CertificateDer<'static>,
    files: &Files,
    shows: Option<&str>,
) -> String {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(trusting(node));
    let config = match shows {
        None => config.with_no_client_auth(),
        Some(name) => {
            let read = |kind: &str| files.path(name, kind);
            let own = CertificateDer::from_pem_file(read("pem")).expect("a certificate");
            let key = PrivateKeyDer::from_pem_file(read("key")).expect("a key");
            config.with_client_auth_cert(vec![own], key).expect("they belong together")
        }
    };
    let authority = server.url.strip_prefix("https://").expect("https");
    let stream = tokio::net::TcpStream::connect(authority).await.expect("it listens");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let Ok(mut stream) = TlsConnector::from(Arc::new(config)).connect(name, stream).await else {
        return String::new();
    };
    let request = format!(
        "GET /api/v3/core HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         authorization: Bearer {SECRET}\r\n\r\n"
    );
    let mut answer = [0; 12];
    // In TLS 1.3 a client learns after its own handshake that it is not trusted.
    let asked = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_exact(&mut answer).await
    };
    match asked.await {
        Ok(_) => String::from_utf8_lossy(&answer).into_owned(),
        Err(_) => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_from_the_next_hangup_on() {
    let files = Files::new("https");
    let first = files.make("https");
    let (cert, key) = (files.text("https", "pem"), files.text("https", "key"));
    let own = [("VOXHALL_HTTP_CERT", cert.as_str()), ("VOXHALL_HTTP_KEY", key.as_str())];
    let server = Server::with(&["--http", "127.0.0.1:0"], &own);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    assert_eq!(shown(&server, &first).await, Some(first.clone()));
    let second = files.make("https");
    server.hang_up();
    let until = Instant::now() + PATIENCE;
    while shown(&server, &second).await.as_ref() != Some(&second) {
        assert!(Instant::now() < until, "the former one is served for ever");
    }
    // What is no certificate is not served, and ends nothing.
    std::fs::write(files.path("https", "pem"), "rubbish").expect("a file");
    server.hang_up();
    assert_eq!(shown(&server, &second).await, Some(second));
    let log = server.stop().await.stderr;
    assert!(log.contains("configuration read again"), "{log}");
}

/// What the server shows to somebody who trusts this one alone; `None` where that is another.
async fn shown(
    server: &Server,
    trusted: &CertificateDer<'static>,
) -> Option<CertificateDer<'static>> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(trusting(trusted))
        .with_no_client_auth();
    let authority = server.url.strip_prefix("https://").expect("https");
    let stream = tokio::net::TcpStream::connect(authority).await.expect("it listens");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    let (_, session) = stream.get_ref();
    session.peer_certificates()?.first().cloned().map(CertificateDer::into_owned)
}
