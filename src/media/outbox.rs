//! Many datagrams a system call on the way out (sendmmsg), and several for one listener in one
//! message (UDP_SEGMENT, "GSO": the kernel goes its way once and cuts at the end). Its buffers are
//! made once and never move.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::AsRawFd;

use super::inbox::{BATCH, STRIDE};
use super::socket::{CONTROL_BYTES, Destination, UdpSocket};

/// Datagrams of one message: a voice each, as many as a listener has slots.
pub const SEGMENTS_MAX: usize = 16;

/// Longest datagram that shares a message, in bytes: below any path's MTU, or the kernel refuses.
pub const SEGMENT_BYTES_MAX: usize = 1_200;

/// Datagrams kept before they are sent.
const SEGMENTS: usize = 3 * BATCH;

/// A path's control message, and the one that says where to cut: header 16, two bytes, rounded up.
const CONTROLS_BYTES: usize = CONTROL_BYTES + CUT_BYTES;
const CUT_BYTES: usize = 24;

/// Buffers for one sendmmsg.
pub struct Outbox {
    buffers: Box<[u8]>,
    destinations: Box<[Destination]>,
    controls: Box<[[u64; CONTROLS_BYTES / 8]]>,
    parts: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    /// Messages that are whole, and datagrams, those of the message that is being written among
    /// them.
    messages: usize,
    segments: usize,
    /// The first datagram of the message that is being written.
    begun: usize,
    cuts: Cuts,
    /// Datagrams the kernel did not take.
    pub unsent: u64,
    /// Messages handed to the kernel so far.
    pub sent: u64,
}

/// Whether the kernel cuts messages on this socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cuts {
    Yes,
    /// It refused to: a device without checksums, an old kernel.
    Refused,
}

// SAFETY: the raw pointers in `parts` and `headers` refer to the boxes beside them only.
unsafe impl Send for Outbox {}

impl Default for Outbox {
    fn default() -> Self {
        // SAFETY: all-zero is a valid value of these C structs.
        let (name, part, header) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let control = [0; CONTROL_BYTES / 8];
        let nowhere = Destination { name, name_bytes: 0, control, control_bytes: 0 };
        Outbox {
            buffers: vec![0; SEGMENTS * STRIDE].into(),
            destinations: vec![nowhere; BATCH].into(),
            controls: vec![[0; CONTROLS_BYTES / 8]; BATCH].into(),
            parts: vec![part; SEGMENTS].into(),
            headers: vec![header; BATCH].into(),
            messages: 0,
            segments: 0,
            begun: 0,
            cuts: Cuts::Yes,
            unsent: 0,
            sent: 0,
        }
    }
}

impl Outbox {
    /// The next datagram's buffer, [`super::socket::DATAGRAM_BYTES`] and room for a tag; what is
    /// written counts only once it is a [`segment`](Self::segment).
    pub fn buffer(&mut self) -> &mut [u8] {
        &mut self.buffers[self.segments * STRIDE..(self.segments + 1) * STRIDE]
    }

    /// The first `len` bytes of the buffer are the message's next datagram. All of a message but
    /// the last are of one length, and the last is no longer; [`SEGMENTS_MAX`] at most.
    pub fn segment(&mut self, len: usize) {
        let at = self.segments;
        self.parts[at].iov_base = self.buffers[at * STRIDE..].as_mut_ptr().cast();
        self.parts[at].iov_len = len;
        self.segments += 1;
    }

    /// The datagrams since the last message are one for `to`. A full batch goes out at once.
    pub fn close(&mut self, socket: &UdpSocket, to: &Destination) {
        let parts = self.begun..self.segments;
        if self.cuts == Cuts::Yes || parts.len() == 1 {
            self.message(parts, to);
        } else {
            for at in parts {
                if self.messages == BATCH {
                    self.flush_messages(socket);
                }
                self.message(at..at + 1, to);
            }
        }
        self.begun = self.segments;
        if self.messages == BATCH || self.segments + SEGMENTS_MAX > SEGMENTS {
            self.flush(socket);
        }
    }

    /// Queues the first `len` bytes of the buffer as a message of their own.
    pub fn push(&mut self, socket: &UdpSocket, len: usize, to: &Destination) {
        self.segment(len);
        self.close(socket, to);
    }

    /// Sends what is queued. A datagram that the kernel refuses is counted and skipped: audio
    /// that waits is audio too late.
    pub fn flush(&mut self, socket: &UdpSocket) {
        self.flush_messages(socket);
        (self.segments, self.begun) = (0, 0);
    }

    fn message(&mut self, parts: std::ops::Range<usize>, to: &Destination) {
        if parts.is_empty() {
            return;
        }
        let at = self.messages;
        self.destinations[at] = *to;
        let control = &mut self.controls[at];
        control[..CONTROL_BYTES / 8].copy_from_slice(&to.control);
        let mut control_bytes = to.control_bytes;
        if parts.len() > 1 {
            write_cut(&mut control[control_bytes / 8..], self.parts[parts.start].iov_len as u16);
            control_bytes += CUT_BYTES;
        }
        let header = &mut self.headers[at].msg_hdr;
        header.msg_name = (&raw mut self.destinations[at].name).cast();
        header.msg_namelen = to.name_bytes;
        header.msg_iov = &raw mut self.parts[parts.start];
        header.msg_iovlen = parts.len();
        header.msg_control = match control_bytes {
            0 => std::ptr::null_mut(),
            _ => control.as_mut_ptr().cast(),
        };
        header.msg_controllen = control_bytes;
        self.messages += 1;
    }

    fn flush_messages(&mut self, socket: &UdpSocket) {
        let mut from = 0;
        while from < self.messages {
            // SAFETY: headers `from..messages` were filled by `message` and point into our boxes.
            let sent = unsafe {
                let first = self.headers.as_mut_ptr().add(from);
                libc::sendmmsg(socket.as_raw_fd(), first, (self.messages - from) as u32, 0)
            };
            if sent > 0 {
                from += sent as usize;
                self.sent += sent as u64;
                continue;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                self.send_apart(socket, from, &error);
                from += 1;
            }
        }
        self.messages = 0;
    }

    /// A message that the kernel did not take: one of several datagrams is sent without being
    /// cut, and if it goes so, no further one is cut.
    fn send_apart(&mut self, socket: &UdpSocket, at: usize, error: &io::Error) {
        let header = &self.headers[at].msg_hdr;
        let parts = header.msg_iovlen;
        if parts <= 1 {
            self.unsent += 1;
            return;
        }
        let mut taken = 0;
        for part in 0..parts {
            // SAFETY: the header was filled by `message`; the copy names one of its parts, and
            // leaves out the control message that says where to cut, which is its last.
            let sent = unsafe {
                let mut alone = *header;
                alone.msg_iov = header.msg_iov.add(part);
                alone.msg_iovlen = 1;
                alone.msg_controllen -= CUT_BYTES;
                if alone.msg_controllen == 0 {
                    alone.msg_control = std::ptr::null_mut();
                }
                libc::sendmsg(socket.as_raw_fd(), &raw const alone, 0)
            };
            taken += usize::from(sent >= 0);
        }
        self.sent += taken as u64;
        self.unsent += (parts - taken) as u64;
        if taken > 0 && self.cuts == Cuts::Yes && is_refusal(error) {
            self.cuts = Cuts::Refused;
            tracing::warn!(%error, "the kernel cuts no messages here: each datagram costs a send");
        }
    }
}

/// What kernels and devices answer that cannot cut.
fn is_refusal(error: &io::Error) -> bool {
    let codes = [libc::EIO, libc::EINVAL, libc::ENOPROTOOPT, libc::EOPNOTSUPP];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// The control message UDP_SEGMENT: cut at each `bytes` (Linux 4.18).
fn write_cut(control: &mut [u64], bytes: u16) {
    let header = size_of::<libc::cmsghdr>();
    // SAFETY: `control` is aligned for cmsghdr and has CUT_BYTES of room, which is a header and
    // two bytes, rounded up.
    unsafe {
        assert!(size_of_val(control) >= CUT_BYTES);
        let message: *mut libc::cmsghdr = control.as_mut_ptr().cast();
        (*message).cmsg_level = libc::SOL_UDP;
        (*message).cmsg_type = libc::UDP_SEGMENT;
        (*message).cmsg_len = (header + size_of::<u16>()) as _;
        message.cast::<u8>().add(header).cast::<u16>().write_unaligned(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::*;
    use crate::media::inbox::Inbox;
    use crate::media::socket::Path;

    fn loopback() -> (UdpSocket, SocketAddr) {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let socket = UdpSocket::bind(Some(ip), 0).unwrap();
        let port = socket.port().unwrap();
        (socket, (ip, port).into())
    }

    fn arrived(at: &UdpSocket) -> Vec<Vec<u8>> {
        let mut inbox = Inbox::default();
        let count = inbox.receive(at).unwrap();
        (0..count).map(|at| inbox.datagram(at).unwrap().0.to_vec()).collect()
    }

    fn write(outbox: &mut Outbox, datagram: &[u8]) {
        outbox.buffer()[..datagram.len()].copy_from_slice(datagram);
        outbox.segment(datagram.len());
    }

    #[test]
    fn datagrams_of_one_message_arrive_one_by_one() {
        let ((ours, from), (theirs, remote)) = (loopback(), loopback());
        let to = ours.destination(Path { remote, local: from.ip() });
        let mut outbox = Outbox::default();
        for datagram in [&b"anna"[..], b"bori", b"vi"] {
            write(&mut outbox, datagram);
        }
        outbox.close(&ours, &to);
        write(&mut outbox, b"another");
        outbox.close(&ours, &to);
        outbox.flush(&ours);
        assert_eq!(arrived(&theirs), [&b"anna"[..], b"bori", b"vi", b"another"]);
        assert_eq!((outbox.sent, outbox.unsent), (2, 0));
    }

    #[test]
    fn where_the_kernel_cuts_nothing_each_datagram_is_sent_by_itself() {
        let ((ours, from), (theirs, remote)) = (loopback(), loopback());
        let to = ours.destination(Path { remote, local: from.ip() });
        let mut outbox = Outbox::default();
        leave_out_checksums(&ours);
        for message in 1..=3 {
            for _ in 0..SEGMENTS_MAX {
                write(&mut outbox, b"a voice");
            }
            outbox.close(&ours, &to);
            outbox.flush(&ours);
            assert_eq!(arrived(&theirs), vec![b"a voice"; SEGMENTS_MAX]);
            assert_eq!((outbox.sent, outbox.unsent), (message * SEGMENTS_MAX as u64, 0));
        }
        assert!(outbox.cuts == Cuts::Refused);
    }

    /// The kernel cuts nothing on such a socket, as on a device that cannot write them.
    fn leave_out_checksums(socket: &UdpSocket) {
        let (on, bytes) = (1_i32, size_of::<i32>() as libc::socklen_t);
        let value = (&raw const on).cast();
        let (level, name) = (libc::SOL_SOCKET, libc::SO_NO_CHECK);
        // SAFETY: the option's value is one int, which is what is passed.
        let set = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value, bytes) };
        assert_eq!(set, 0);
    }

    #[test]
    fn a_batch_is_full_in_time_whatever_it_is_made_of() {
        let ((ours, from), (theirs, remote)) = (loopback(), loopback());
        let to = ours.destination(Path { remote, local: from.ip() });
        let mut outbox = Outbox::default();
        let mut heard = 0;
        for message in 0..3 * BATCH {
            for _ in 0..1 + message % SEGMENTS_MAX {
                write(&mut outbox, b"a voice");
            }
            outbox.close(&ours, &to);
            heard += arrived(&theirs).len();
        }
        outbox.flush(&ours);
        let sent: usize = (0..3 * BATCH).map(|message| 1 + message % SEGMENTS_MAX).sum();
        while heard < sent {
            let now = arrived(&theirs).len();
            assert!(now > 0, "{heard} of {sent} arrived");
            heard += now;
        }
    }
}
