//! Long messages in pieces: a WebSocket's buffer keeps the size of the largest frame it ever
//! wrote, and the state of a large call would stay in every socket's memory.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::limits::WRITE_PIECE_BYTES;

/// The text that all sockets of an event share, as bytes.
struct Shared(Arc<str>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The message `head` + `params` + `}` as one text frame, or as fragments of it (RFC 6455
/// section 5.4) where it is long.
pub fn pieces(head: String, params: &Arc<str>) -> impl Iterator<Item = Message> {
    let mut parts = Vec::with_capacity(1);
    if head.len() + params.len() < WRITE_PIECE_BYTES {
        parts.push(Bytes::from([head.as_str(), params, "}"].concat()));
    } else {
        parts.push(Bytes::from(head));
        let params = Bytes::from_owner(Shared(params.clone()));
        let starts = (0..params.len()).step_by(WRITE_PIECE_BYTES);
        let end = |start| params.len().min(start + WRITE_PIECE_BYTES);
        parts.extend(starts.map(|start| params.slice(start..end(start))));
        parts.push(Bytes::from_static(b"}"));
    }
    let last = parts.len() - 1;
    parts.into_iter().enumerate().map(move |(index, part)| {
        let kind = if index == 0 { Data::Text } else { Data::Continue };
        Message::Frame(Frame::message(part, OpCode::Data(kind), index == last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(params_length: usize) -> (Vec<usize>, String) {
        let params: Arc<str> = Arc::from("é".repeat(params_length / 2));
        let frames: Vec<Frame> = pieces("{\"params\":".into(), &params)
            .map(|message| match message {
                Message::Frame(frame) => frame,
                other => panic!("no frame: {other:?}"),
            })
            .collect();
        let finals: Vec<bool> = frames.iter().map(|frame| frame.header().is_final).collect();
        assert!(finals.iter().enumerate().all(|(i, last)| *last == (i == finals.len() - 1)));
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.payload().to_vec()).collect();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, format!("{{\"params\":{params}}}"));
        (frames.iter().map(|frame| frame.payload().len()).collect(), text)
    }

    #[test]
    fn a_short_message_is_one_frame() {
        assert_eq!(joined(100).0.len(), 1);
    }

    #[test]
    fn a_long_message_is_cut_into_small_pieces_and_stays_the_same() {
        let (lengths, _) = joined(75_000);
        assert!(lengths.len() > 18);
        assert!(lengths.iter().all(|length| *length <= WRITE_PIECE_BYTES));
    }
}
