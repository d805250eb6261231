//! Listening: HTTP/1.1 only, through the gate; slow or large request heads cut off, from the first
//! byte on; and an orderly end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tower_layer::Layer;
use tracing::{debug, warn};

use super::gate::Guest;
use super::{Gate, Shell, Tls};
use crate::limits::{
    ACCEPT_PAUSE, HEAD_BUFFER_BYTES, HEADER_FIELDS_MAX, HEADER_READ_MAX, STRANGER_AGE_MAX,
    TLS_HANDSHAKE_MAX,
};

/// How long requests under way may take to end after `stop`.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What every connection of a listener needs.
struct Service {
    routes: Router,
    tls: Option<Tls>,
    gate: Arc<Gate>,
    http: Builder,
}

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
    let served = serve(routes, listener, tls, shell.gate.clone(), stop).await;
    let _ = timeout(STOP_GRACE, shell.counters.sockets.none_left()).await;
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
    gate: Arc<Gate>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_MAX)
        .max_headers(HEADER_FIELDS_MAX * 2)
        .max_buf_size(HEAD_BUFFER_BYTES);
    let service = Arc::new(Service { routes, tls, gate, http });
    let (stopping, is_stopping) = watch::channel(false);
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, from)) => {
                let (service, is_stopping) = (service.clone(), is_stopping.clone());
                tokio::spawn(async move { service.attend(stream, from, is_stopping).await });
            }
            Err(error) => {
                // No files, mostly: the connection waits in the kernel.
                warn!(%error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, is_stopping));
    stopping.send_replace(true);
    let _ = timeout(STOP_GRACE, stopping.closed()).await;
    Ok(())
}

impl Service {
    async fn attend(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        is_stopping: watch::Receiver<bool>,
    ) {
        // It would wait for more to send; without, it is slower and works.
        let _ = stream.set_nodelay(true);
        let Some(guest) = self.gate.clone().admit(from.ip().to_canonical()).await else { return };
        let Some(tls) = &self.tls else {
            return self.converse(stream, guest, is_stopping).await;
        };
        match timeout(TLS_HANDSHAKE_MAX, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                if stream.get_ref().1.peer_certificates().is_some() {
                    guest.certified();
                }
                self.converse(stream, guest, is_stopping).await;
            }
            Ok(Err(error)) => debug!(%error, "no TLS"),
            Err(_) => debug!("no TLS in time"),
        }
    }

    async fn converse<S>(&self, stream: S, guest: Guest, mut is_stopping: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stranger = guest.clone();
        let routes = TowerToHyperService::new(Extension(guest).layer(self.routes.clone()));
        let connection = self.http.serve_connection(TokioIo::new(stream), routes).with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            // A socket's connection has ended here long ago: it is its own task.
            () = is_to_end(&stranger, &mut is_stopping) => {
                connection.as_mut().graceful_shutdown();
                timeout(STOP_GRACE, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            debug!(%error, "connection ended");
        }
    }
}

/// Resolves once nothing more is to be asked on a connection.
async fn is_to_end(stranger: &Guest, is_stopping: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = overstays(stranger) => {}
        () = stops(is_stopping) => {}
    }
}

/// Resolves for a connection that has not shown in time who it is.
async fn overstays(stranger: &Guest) {
    sleep(STRANGER_AGE_MAX).await;
    if stranger.is_known() {
        std::future::pending().await
    }
}

async fn stops(is_stopping: &mut watch::Receiver<bool>) {
    // Its sender lives as long as the listener, and then some.
    let _ = is_stopping.wait_for(|stops| *stops).await;
}
