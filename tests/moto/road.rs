//! The road between a server and its store: it can be closed, and it can stop in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::DEADLINE;

/// See the module's words.
pub struct Road {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_closed: AtomicBool,
    /// Bytes that may still go to the store; beyond them nothing moves.
    left: AtomicU64,
    stalled: Notify,
}

impl Road {
    /// To a store on this machine.
    pub async fn to(store: u16) -> Road {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State { left: AtomicU64::new(u64::MAX), ..State::default() });
        let of_all = state.clone();
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                if !of_all.is_closed.load(Ordering::SeqCst) {
                    tokio::spawn(carry(from, store, of_all.clone()));
                }
            }
        });
        Road { port, state }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Nobody gets through from now on, nor do those that are on their way.
    pub fn close(&self) {
        self.state.is_closed.store(true, Ordering::SeqCst);
    }

    pub fn open(&self) {
        self.state.is_closed.store(false, Ordering::SeqCst);
        self.state.left.store(u64::MAX, Ordering::SeqCst);
    }

    /// So many more bytes go to the store.
    pub fn stop_after(&self, bytes: u64) {
        self.state.left.store(bytes, Ordering::SeqCst);
    }

    /// Waits until they have gone and there are more.
    pub async fn stalled(&self) {
        timeout(DEADLINE, self.state.stalled.notified()).await.expect("it comes to that");
    }
}

async fn carry(from: TcpStream, store: u16, state: Arc<State>) {
    let Ok(to) = TcpStream::connect(("127.0.0.1", store)).await else { return };
    let ((asks, mut told), (mut answers, sink)) = (from.into_split(), to.into_split());
    tokio::select! {
        () = forward(asks, sink, &state) => {}
        _ = copy(&mut answers, &mut told) => {}
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut piece).await {
        if read == 0 || state.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let order = Ordering::SeqCst;
        let less = |left: u64| left.checked_sub(read as u64);
        if state.left.fetch_update(order, order, less).is_err() {
            state.stalled.notify_one();
            // Until the other side gives up.
            let _ = from.read(&mut [0; 1]).await;
            std::future::pending::<()>().await;
        }
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
