//! Long messages past the WebSocket's buffer: it keeps the size of the largest frame it ever held,
//! and the state of a large call would be copied into every socket's memory and stay there.

use std::io::{self, IoSlice};
use std::sync::Arc;

use arrayvec::ArrayVec;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::limits::FRAGMENT_BYTES;

/// What closes a message that was begun by `wire::Frame::head`.
pub const TAIL: &str = "}";

/// A text message in fragments (RFC 6455 section 5.4), partly written. Within a fragment nothing
/// else may be written.
pub struct LongMessage {
    /// What differs from socket to socket.
    head: String,
    /// Shared by all sockets that the event goes to.
    params: Arc<str>,
    /// Of the message, before the fragment that is being written.
    fragments_bytes: usize,
    /// Header of the fragment that is being written.
    header: ArrayVec<u8, 10>,
    /// Of header and fragment.
    written: usize,
}

impl LongMessage {
    /// The message `head` + `params` + [`TAIL`].
    pub fn new(head: String, params: Arc<str>) -> Self {
        let mut message =
            Self { head, params, fragments_bytes: 0, header: ArrayVec::new(), written: 0 };
        message.begin_fragment();
        message
    }

    pub fn is_written(&self) -> bool {
        self.fragments_bytes == self.len()
    }

    /// Writes as much of the fragment as the connection takes. Dropped in between it has lost
    /// nothing.
    ///
    /// # Errors
    /// The connection's.
    pub async fn write_some(&mut self, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let taken = io.write_vectored(&self.left()).await?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.written += taken;
        if self.written == self.header.len() + self.fragment_len() {
            self.fragments_bytes += self.fragment_len();
            self.begin_fragment();
        }
        Ok(())
    }

    /// Writes the rest of a fragment that was begun.
    ///
    /// # Errors
    /// The connection's.
    pub async fn end_fragment(&mut self, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        while self.written > 0 {
            self.write_some(io).await?;
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.head.len() + self.params.len() + TAIL.len()
    }

    fn fragment_len(&self) -> usize {
        (self.len() - self.fragments_bytes).min(FRAGMENT_BYTES)
    }

    fn begin_fragment(&mut self) {
        let is_final = self.fragments_bytes + self.fragment_len() == self.len();
        let kind = if self.fragments_bytes == 0 { Data::Text } else { Data::Continue };
        let header = FrameHeader { is_final, opcode: OpCode::Data(kind), ..FrameHeader::default() };
        self.header.clear();
        header
            .format(self.fragment_len() as u64, &mut self.header)
            .expect("a header without a mask has ten bytes at most");
        self.written = 0;
    }

    /// What is left of the fragment.
    fn left(&self) -> [IoSlice<'_>; 4] {
        let header = &self.header[self.written.min(self.header.len())..];
        let from = self.fragments_bytes + self.written.saturating_sub(self.header.len());
        let until = self.fragments_bytes + self.fragment_len();
        let mut start = 0;
        let parts = [self.head.as_bytes(), self.params.as_bytes(), TAIL.as_bytes()];
        let [head, params, tail] = parts.map(|part| {
            let within = |at: usize| at.saturating_sub(start).min(part.len());
            let left = &part[within(from)..within(until)];
            start += part.len();
            IoSlice::new(left)
        });
        [IoSlice::new(header), head, params, tail]
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
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

    use super::*;

    fn message(params: &Arc<str>) -> LongMessage {
        LongMessage::new("{\"params\":".to_owned(), params.clone())
    }

    /// Through a pipe of `pipe` bytes, dropped and taken up again whenever the pipe is full.
    async fn read(params: &Arc<str>, pipe: usize) -> String {
        let (mut near, far) = duplex(pipe);
        let mut reader = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        let mut message = message(params);
        let mut context = Context::from_waker(Waker::noop());
        let mut next = reader.next();
        loop {
            while !message.is_written()
                && pin!(message.write_some(&mut near)).poll(&mut context).is_ready()
            {}
            match pin!(&mut next).poll(&mut context) {
                Poll::Ready(read) => {
                    assert!(message.is_written(), "read before it was written");
                    return read.unwrap().unwrap().into_text().unwrap().to_string();
                }
                Poll::Pending => tokio::task::yield_now().await,
            }
        }
    }

    #[tokio::test]
    async fn a_message_of_any_length_arrives_however_often_it_was_interrupted() {
        let whole = FRAGMENT_BYTES - "{\"params\":}".len();
        let short = [(0, 1), (1, 1), (114, 7), (115, 7)];
        let long = [(whole, 4_096), (whole + 1, 4_096), (300_000, 4_096), (300_000, 999_999)];
        for (length, pipe) in short.into_iter().chain(long) {
            let params: Arc<str> = Arc::from("é".repeat(length / 2) + &"e".repeat(length % 2));
            assert_eq!(read(&params, pipe).await, format!("{{\"params\":{params}}}"));
        }
    }

    #[tokio::test]
    async fn a_close_goes_between_two_fragments() {
        let (mut near, far) = duplex(2 * FRAGMENT_BYTES);
        let mut message = message(&Arc::from("x".repeat(300_000)));
        message.write_some(&mut near).await.unwrap();
        message.end_fragment(&mut near).await.unwrap();
        assert!(!message.is_written());
        let mut writer = WebSocketStream::from_raw_socket(near, Role::Server, None).await;
        let mut reader = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        let frame = CloseFrame { code: 4001.into(), reason: "taken over".into() };
        let (_, read) = tokio::join!(writer.close(Some(frame.clone())), reader.next());
        assert_eq!(read.unwrap().unwrap(), Message::Close(Some(frame)));
    }

    #[tokio::test]
    async fn a_connection_that_is_gone_is_an_error() {
        let (mut near, far) = duplex(10);
        drop(far);
        assert!(message(&Arc::from("{}")).write_some(&mut near).await.is_err());
    }
}
