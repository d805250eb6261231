//! https: with the operator's certificate, or for `--open` with one of our own making, as browsers
//! give no microphone over plain http. That one is kept, so that a browser that was told to trust
//! it still does after a restart.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// A certificate with its key, ready to serve.
#[derive(Clone, Debug)]
pub struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

/// Our machine's fault: no https.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("no certificate for {names:?}: {source}")]
    Made { names: Vec<String>, source: rcgen::Error },
    #[error("{path}: not a certificate of ours: {source}")]
    Kept { path: PathBuf, source: rustls::Error },
    #[error("{path}: {source}")]
    Pem { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("{path}: {source}")]
    Unfit { path: PathBuf, source: rustls::Error },
}

/// The operator's own certificate with those that vouch for it, and its key, in PEM files. With
/// `ca`, clients may show one that it has signed.
///
/// # Errors
/// One of them cannot be read, or they do not belong together.
pub fn of_files(cert: &Path, key: &Path, ca: Option<&Path>) -> Result<Tls, TlsFault> {
    Ok(Tls::new(read(cert, key, ca)?))
}

impl Tls {
    fn new(config: ServerConfig) -> Tls {
        Tls(Arc::new(RwLock::new(Arc::new(config))))
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Reads the files again: new connections get what stands there now.
    ///
    /// # Errors
    /// As [`of_files`]; the former one goes on being served.
    pub fn renew(&self, cert: &Path, key: &Path, ca: Option<&Path>) -> Result<(), TlsFault> {
        let config = Arc::new(read(cert, key, ca)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }
}

fn read(cert: &Path, key: &Path, ca: Option<&Path>) -> Result<ServerConfig, TlsFault> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsFault::Pem { path: path.clone(), source }
    };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(cert).map_err(pem(cert))?.collect();
    let own = PrivateKeyDer::from_pem_file(key).map_err(pem(key))?;
    let verifier = ca.map(|ca| verifier(ca, pem(ca))).transpose()?;
    let config = config(chain.map_err(pem(cert))?, own, verifier);
    let mut config = config.map_err(|source| TlsFault::Unfit { path: cert.to_owned(), source })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificate kept in `folder`, made for `names` (host names and addresses) where there is
/// none yet.
///
/// # Errors
/// The disk's, or a name that no certificate can carry.
pub fn self_signed(folder: &Path, names: Vec<String>) -> Result<Tls, TlsFault> {
    let (cert_path, key_path) = (folder.join("https-cert.der"), folder.join("https-key.der"));
    if !(cert_path.exists() && key_path.exists()) {
        let made = rcgen::generate_simple_self_signed(names.clone());
        let made = made.map_err(|source| TlsFault::Made { names, source })?;
        fs::create_dir_all(folder).map_err(fault(folder))?;
        write_private(&key_path, &made.signing_key.serialize_der()).map_err(fault(&key_path))?;
        write_private(&cert_path, made.cert.der()).map_err(fault(&cert_path))?;
    }
    let cert = CertificateDer::from(fs::read(&cert_path).map_err(fault(&cert_path))?);
    let key = PrivatePkcs8KeyDer::from(fs::read(&key_path).map_err(fault(&key_path))?);
    let config = config(vec![cert], key.into(), None);
    let mut config = config.map_err(|source| TlsFault::Kept { path: cert_path, source })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls::new(config))
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier.unwrap_or_else(WebPkiClientVerifier::no_client_auth))
        .with_single_cert(chain, key)
}

/// Of clients that may show a certificate, and need not: people show none.
fn verifier(
    ca: &Path,
    pem: impl Fn(rustls::pki_types::pem::Error) -> TlsFault,
) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
    let unfit = |source| TlsFault::Unfit { path: ca.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(&pem)? {
        roots.add(certificate.map_err(&pem)?).map_err(unfit)?;
    }
    let provider = Arc::new(default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| unfit(rustls::Error::General(error.to_string())))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn fault(path: &Path) -> impl Fn(io::Error) -> TlsFault + use<> {
    let path = path.to_owned();
    move |source| TlsFault::Io { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_folder::TestFolder;

    #[test]
    fn the_certificate_stays_the_same_over_a_restart() {
        let folder = TestFolder::new();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        self_signed(folder.path(), names.clone()).unwrap();
        let first = fs::read(folder.path().join("https-cert.der")).unwrap();
        self_signed(folder.path(), names).unwrap();
        assert_eq!(fs::read(folder.path().join("https-cert.der")).unwrap(), first);
    }

    #[test]
    fn a_name_that_cannot_be_certified_is_refused() {
        let folder = TestFolder::new();
        let refused = self_signed(folder.path(), vec!["no\u{e9}".to_owned()]);
        assert!(matches!(refused, Err(TlsFault::Made { .. })));
    }
}
