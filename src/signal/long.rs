//! Long messages past the WebSocket's buffer: it keeps the size of the largest frame it ever held,
//! and the state of a large call would be copied into every socket's memory and stay there.

use std::io::{self, IoSlice};
use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// What closes a message that was begun by `wire::Frame::head`.
pub const TAIL: &str = "}";

/// A text message as one frame (RFC 6455 section 5.2), partly written: whoever stops in its midst
/// has to write the rest before anything else.
pub struct LongMessage {
    /// Header of the frame, and what differs from socket to socket.
    head: Vec<u8>,
    /// Shared by all sockets that the event goes to.
    params: Arc<str>,
    written: usize,
}

impl LongMessage {
    /// The message `head` + `params` + [`TAIL`].
    pub fn new(head: &str, params: Arc<str>) -> Self {
        let length = head.len() + params.len() + TAIL.len();
        let opcode = OpCode::Data(Data::Text);
        let mut bytes = Vec::with_capacity(head.len() + 10);
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        header.format(length as u64, &mut bytes).expect("a vector takes every byte");
        bytes.extend_from_slice(head.as_bytes());
        Self { head: bytes, params, written: 0 }
    }

    pub fn is_written(&self) -> bool {
        self.left().iter().all(|part| part.is_empty())
    }

    /// Writes as much of what is left as the connection takes. Dropped in between it has lost
    /// nothing.
    ///
    /// # Errors
    /// The connection's.
    pub async fn write_some(&mut self, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let taken = io.write_vectored(&self.left()).await?;
        if taken == 0 && !self.is_written() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.written += taken;
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The connection's.
    pub async fn finish(&mut self, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        while !self.is_written() {
            self.write_some(io).await?;
        }
        Ok(())
    }

    fn left(&self) -> [IoSlice<'_>; 3] {
        let mut skip = self.written;
        [&self.head[..], self.params.as_bytes(), TAIL.as_bytes()].map(|part| {
            let (written, left) = part.split_at(skip.min(part.len()));
            skip -= written.len();
            IoSlice::new(left)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use futures_util::StreamExt;
    use tokio::io::duplex;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    /// Through a pipe of `pipe` bytes, dropped and taken up again whenever the pipe is full.
    async fn read(params: &Arc<str>, pipe: usize) -> String {
        let (mut near, far) = duplex(pipe);
        let mut reader = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        let mut message = LongMessage::new("{\"params\":", params.clone());
        let mut context = Context::from_waker(Waker::noop());
        let mut next = reader.next();
        loop {
            let is_written = pin!(message.finish(&mut near)).poll(&mut context).is_ready();
            match pin!(&mut next).poll(&mut context) {
                Poll::Ready(read) => {
                    assert!(is_written, "read before it was written");
                    return read.unwrap().unwrap().into_text().unwrap().to_string();
                }
                Poll::Pending => tokio::task::yield_now().await,
            }
        }
    }

    #[tokio::test]
    async fn a_message_of_any_length_arrives_however_often_it_was_interrupted() {
        for (length, pipe) in
            [(0, 1), (1, 1), (114, 7), (115, 7), (70_000, 4_096), (70_000, 99_999)]
        {
            let params: Arc<str> = Arc::from("é".repeat(length / 2) + &"e".repeat(length % 2));
            assert_eq!(read(&params, pipe).await, format!("{{\"params\":{params}}}"));
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_gone_is_an_error() {
        let (mut near, far) = duplex(10);
        drop(far);
        let mut message = LongMessage::new("{\"params\":", Arc::from("{}"));
        assert!(message.finish(&mut near).await.is_err());
    }
}
