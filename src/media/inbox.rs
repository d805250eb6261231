//! Many datagrams a system call on the way in (recvmmsg). Their buffers are made once and never
//! move.

use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use super::socket::{
    CONTROL_BYTES, DATAGRAM_BYTES, NAME_BYTES, Path, UdpSocket, read_address, read_local,
};

/// Datagrams a system call: more paid nothing.
pub const BATCH: usize = 64;

/// Distance of the buffers: not a multiple of 4,096, or the batch would share L1 sets.
pub(super) const STRIDE: usize = 1_600;

/// Buffers for one recvmmsg.
pub struct Inbox {
    buffers: Box<[u8]>,
    names: Box<[libc::sockaddr_in6]>,
    controls: Box<[[u64; CONTROL_BYTES / 8]]>,
    parts: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

// SAFETY: the raw pointers in `parts` and `headers` refer to the boxes beside them only.
unsafe impl Send for Inbox {}

impl Default for Inbox {
    fn default() -> Self {
        // SAFETY: all-zero is a valid value of these C structs.
        let (name, part, header) = unsafe { (zeroed(), zeroed(), zeroed()) };
        Inbox {
            buffers: vec![0; BATCH * STRIDE].into(),
            names: vec![name; BATCH].into(),
            controls: vec![[0; CONTROL_BYTES / 8]; BATCH].into(),
            parts: vec![part; BATCH].into(),
            headers: vec![header; BATCH].into(),
        }
    }
}

impl Inbox {
    /// Takes what is waiting; 0 = nothing is.
    ///
    /// # Errors
    /// The kernel's, but not `WouldBlock`.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        for at in 0..BATCH {
            let buffer = &mut self.buffers[at * STRIDE..at * STRIDE + DATAGRAM_BYTES];
            self.parts[at].iov_base = buffer.as_mut_ptr().cast();
            self.parts[at].iov_len = buffer.len();
            let header = &mut self.headers[at].msg_hdr;
            header.msg_name = (&raw mut self.names[at]).cast();
            header.msg_namelen = NAME_BYTES as libc::socklen_t;
            header.msg_iov = &raw mut self.parts[at];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[at].as_mut_ptr().cast();
            header.msg_controllen = CONTROL_BYTES;
            header.msg_flags = 0;
        }
        // SAFETY: every header was just pointed at buffers of the lengths it names.
        let received = unsafe {
            let flags = libc::MSG_DONTWAIT;
            let headers = self.headers.as_mut_ptr();
            let none = std::ptr::null_mut();
            libc::recvmmsg(socket.as_raw_fd(), headers, BATCH as u32, flags as _, none)
        };
        if received >= 0 {
            return Ok(received as usize);
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            error => Err(error),
        }
    }

    /// One datagram of the last `receive` and the path it came by; `None` for one whose address
    /// is of no family we know.
    pub fn datagram(&mut self, at: usize) -> Option<(&mut [u8], Path)> {
        let remote = read_address(&self.names[at])?;
        let local = read_local(&self.headers[at].msg_hdr).unwrap_or(match remote {
            SocketAddr::V4(_) => IpAddr::from([0, 0, 0, 0]),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        });
        let len = (self.headers[at].msg_len as usize).min(DATAGRAM_BYTES);
        Some((&mut self.buffers[at * STRIDE..at * STRIDE + len], Path { remote, local }))
    }
}
