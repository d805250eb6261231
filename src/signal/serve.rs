//! Listening: HTTP/1.1 only, slow or large request heads cut off, and an orderly end.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsAcceptor;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;

use super::{Shell, Tls};
use crate::limits::{HEADER_BYTES_MAX, HEADER_READ_MAX};

/// How long requests under way may take to end after `stop`.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Serves people until `stop` resolves; then their sockets are closed with 1001.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve_people(
    shell: Shell,
    routes: Router,
    listener: TcpListener,
    tls: Option<Tls>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let sockets = shell.sockets.clone();
    let stop = async move {
        stop.await;
        sockets.close_sockets();
    };
    let served = serve(routes, listener, tls, stop).await;
    let _ = tokio::time::timeout(STOP_GRACE, shell.counters.sockets.none_left()).await;
    served
}

/// Serves routes until `stop` resolves.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve(
    routes: Router,
    listener: TcpListener,
    tls: Option<Tls>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let handle = Handle::new();
    let stopping = tokio::spawn({
        let handle = handle.clone();
        async move {
            stop.await;
            handle.graceful_shutdown(Some(STOP_GRACE));
        }
    });
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    *server.http_builder() = http;
    let service = routes.into_make_service();
    let served = match tls {
        None => server.acceptor(NoDelayAcceptor::new()).serve(service).await,
        Some(Tls(config)) => {
            let acceptor = RustlsAcceptor::new(config).acceptor(NoDelayAcceptor::new());
            server.acceptor(acceptor).serve(service).await
        }
    };
    stopping.abort();
    served
}
