//! The worker's UDP socket: addresses of both families, and the local address that a datagram
//! came to, so that replies leave from there. With `inbox`, `outbox` and `ahead`, the home of
//! unsafe code. Knows addresses and bytes, nothing of their meaning.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Longest datagram we look at, in bytes; a longer one is cut, and so fails authentication.
pub const DATAGRAM_BYTES: usize = 1_500;

/// Room for one IPV6_PKTINFO message: header 16, address and interface 20, rounded up.
pub(super) const CONTROL_BYTES: usize = 40;

/// Room for an address of either family.
pub(super) const NAME_BYTES: usize = size_of::<libc::sockaddr_in6>();

/// Kernel buffers, in bytes: a tenth of a second of a full worker; the kernel caps it.
const KERNEL_BUFFER_BYTES: libc::c_int = 4 << 20;

/// A remote address and the local address its datagrams come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    pub remote: SocketAddr,
    pub local: IpAddr,
}

/// A bound, non-blocking UDP socket.
pub struct UdpSocket {
    fd: OwnedFd,
    family: Family,
    /// `None`: of every address.
    bound: Option<IpAddr>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    /// Dual stack: IPv4 peers appear as mapped addresses.
    V6,
}

/// A path as the kernel wants it, prepared once.
#[derive(Clone, Copy)]
pub struct Destination {
    pub(super) name: libc::sockaddr_in6,
    pub(super) name_bytes: libc::socklen_t,
    pub(super) control: [u64; CONTROL_BYTES / 8],
    pub(super) control_bytes: usize,
}

impl UdpSocket {
    /// Binds to `ip`, or to both families where `None`; where the machine has no IPv6, to IPv4.
    ///
    /// # Errors
    /// The kernel's: the port is taken, the address is not ours.
    pub fn bind(ip: Option<IpAddr>, port: u16) -> io::Result<UdpSocket> {
        match ip {
            Some(IpAddr::V4(ip)) => open(Family::V4, SocketAddr::from((ip, port))),
            Some(IpAddr::V6(ip)) => open(Family::V6, SocketAddr::from((ip, port))),
            None => match open(Family::V6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
                Err(_) => open(Family::V4, SocketAddr::from(([0, 0, 0, 0], port))),
                bound => bound,
            },
        }
    }

    /// The port the socket is bound to.
    ///
    /// # Errors
    /// The kernel's.
    pub fn port(&self) -> io::Result<u16> {
        // SAFETY: an all-zero address is a valid value, and the call writes at most its size.
        let name = unsafe {
            let mut name: libc::sockaddr_in6 = zeroed();
            let mut bytes = NAME_BYTES as libc::socklen_t;
            let to = (&raw mut name).cast();
            if libc::getsockname(self.fd.as_raw_fd(), to, &raw mut bytes) < 0 {
                return Err(io::Error::last_os_error());
            }
            name
        };
        read_address(&name).map(|address| address.port()).ok_or(io::ErrorKind::Other.into())
    }

    /// Prepares a path for sending on this socket.
    pub fn destination(&self, path: Path) -> Destination {
        let mut control = [0_u64; CONTROL_BYTES / 8];
        let control_bytes = write_source(&mut control, self.family, path.local);
        let (name, name_bytes) = raw_address(self.family, path.remote);
        Destination { name, name_bytes, control, control_bytes }
    }

    /// The same for many datagrams: the local address is not named where the kernel takes it by
    /// itself, as naming it costs a tenth of a send. Holds until the machine's routes change.
    pub fn lasting_destination(&self, path: Path) -> Destination {
        let mut to = self.destination(path);
        if self.source_to(path.remote).is_ok_and(|source| source == path.local) {
            to.control_bytes = 0;
        }
        to
    }

    /// The address from which a datagram leaves where none is named.
    fn source_to(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        if let Some(bound) = self.bound {
            return Ok(bound);
        }
        let any = match remote {
            SocketAddr::V4(_) => IpAddr::from([0, 0, 0, 0]),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        // Nothing is sent: connecting asks for the route.
        let asking = std::net::UdpSocket::bind((any, 0))?;
        asking.connect(remote)?;
        Ok(asking.local_addr()?.ip())
    }

    /// Sends one datagram now; used off the hot path.
    ///
    /// # Errors
    /// The kernel's.
    pub fn send(&self, datagram: &[u8], path: Path) -> io::Result<()> {
        let mut to = self.destination(path);
        let mut part =
            libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
        // SAFETY: an all-zero msghdr is a valid one; its pointers refer to locals that outlive
        // the call, and the kernel only reads the datagram.
        let sent = unsafe {
            let mut header: libc::msghdr = zeroed();
            fill_header(&mut header, &mut to, &mut part);
            libc::sendmsg(self.fd.as_raw_fd(), &header, 0)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

fn open(family: Family, address: SocketAddr) -> io::Result<UdpSocket> {
    let domain = if family == Family::V4 { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: a plain system call; the descriptor it returns is owned by nobody else.
    let fd = unsafe {
        let raw = libc::socket(domain, kind, 0);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(raw)
    };
    set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, KERNEL_BUFFER_BYTES)?;
    set_option(&fd, libc::SOL_SOCKET, libc::SO_SNDBUF, KERNEL_BUFFER_BYTES)?;
    match family {
        Family::V4 => set_option(&fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?,
        Family::V6 => {
            let dual = address.ip().is_unspecified();
            set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, libc::c_int::from(!dual))?;
            set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
        }
    }
    let (name, name_bytes) = raw_address(family, address);
    // SAFETY: `name` holds a socket address of `name_bytes` bytes.
    let bound = unsafe { libc::bind(fd.as_raw_fd(), (&raw const name).cast(), name_bytes) };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    let ip = address.ip();
    Ok(UdpSocket { fd, family, bound: (!ip.is_unspecified()).then_some(ip) })
}

fn set_option(fd: &OwnedFd, level: i32, name: i32, value: libc::c_int) -> io::Result<()> {
    let bytes = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value is one int, which is what is passed.
    let set =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), bytes) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn raw_address(family: Family, address: SocketAddr) -> (libc::sockaddr_in6, libc::socklen_t) {
    // SAFETY: an all-zero address is a valid value.
    let mut storage: libc::sockaddr_in6 = unsafe { zeroed() };
    let place = &raw mut storage;
    match (family, address) {
        (Family::V4, SocketAddr::V4(v4)) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: the larger of the two addresses holds the smaller, at the same alignment.
            unsafe { place.cast::<libc::sockaddr_in>().write(raw) };
            (storage, size_of::<libc::sockaddr_in>() as libc::socklen_t)
        }
        _ => {
            let (ip, scope) = match address {
                SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped(), 0),
                SocketAddr::V6(v6) => (*v6.ip(), v6.scope_id()),
            };
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: ip.octets() },
                sin6_scope_id: scope,
            };
            (raw, NAME_BYTES as libc::socklen_t)
        }
    }
}

/// Writes the control message that makes a datagram leave from `local`; returns its length.
fn write_source(control: &mut [u64], family: Family, local: IpAddr) -> usize {
    if local.is_unspecified() {
        return 0;
    }
    // SAFETY: the control buffer is zeroed, aligned for cmsghdr, and longer than the one message
    // written into it; CMSG_FIRSTHDR and CMSG_DATA stay inside it.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(control);
        let message = libc::CMSG_FIRSTHDR(&header);
        let bytes = match (family, local) {
            (Family::V4, IpAddr::V4(ip)) => {
                (*message).cmsg_level = libc::IPPROTO_IP;
                (*message).cmsg_type = libc::IP_PKTINFO;
                let source = libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
                let mut info: libc::in_pktinfo = zeroed();
                info.ipi_spec_dst = source;
                libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().write_unaligned(info);
                size_of::<libc::in_pktinfo>()
            }
            _ => {
                (*message).cmsg_level = libc::IPPROTO_IPV6;
                (*message).cmsg_type = libc::IPV6_PKTINFO;
                let ip = mapped(local);
                let mut info: libc::in6_pktinfo = zeroed();
                info.ipi6_addr = libc::in6_addr { s6_addr: ip.octets() };
                libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().write_unaligned(info);
                size_of::<libc::in6_pktinfo>()
            }
        };
        (*message).cmsg_len = libc::CMSG_LEN(bytes as u32) as usize;
        libc::CMSG_SPACE(bytes as u32) as usize
    }
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// # Safety
/// The header must not be used after `to` or `part` are gone or moved.
pub(super) unsafe fn fill_header(
    header: &mut libc::msghdr,
    to: &mut Destination,
    part: &mut libc::iovec,
) {
    header.msg_name = (&raw mut to.name).cast();
    header.msg_namelen = to.name_bytes;
    header.msg_iov = part;
    header.msg_iovlen = 1;
    header.msg_control = to.control.as_mut_ptr().cast();
    header.msg_controllen = to.control_bytes;
    if to.control_bytes == 0 {
        header.msg_control = std::ptr::null_mut();
    }
}

pub(super) fn read_address(name: &libc::sockaddr_in6) -> Option<SocketAddr> {
    let place = &raw const *name;
    match i32::from(name.sin6_family) {
        libc::AF_INET => {
            // SAFETY: the kernel wrote an address of the family it named.
            let raw = unsafe { place.cast::<libc::sockaddr_in>().read() };
            let ip = raw.sin_addr.s_addr.to_ne_bytes();
            Some(SocketAddr::from((ip, u16::from_be(raw.sin_port))))
        }
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            Some(match ip.to_ipv4_mapped() {
                Some(v4) => SocketAddr::from((v4, port)),
                None => std::net::SocketAddrV6::new(ip, port, 0, name.sin6_scope_id).into(),
            })
        }
        _ => None,
    }
}

pub(super) fn read_local(header: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the kernel filled the control buffer and its length; the macros walk inside it.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null() {
            return None;
        }
        match ((*message).cmsg_level, (*message).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let info = libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().read_unaligned();
                Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()))
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info = libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().read_unaligned();
                Some(IpAddr::from(info.ipi6_addr.s6_addr).to_canonical())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_address_is_named_only_where_the_kernel_would_take_another() {
        let socket = UdpSocket::bind(None, 0).unwrap();
        let path = |local: [u8; 4]| {
            let remote = SocketAddr::from(([127, 0, 0, 1], 9));
            Path { remote, local: local.into() }
        };
        assert_eq!(socket.lasting_destination(path([127, 0, 0, 1])).control_bytes, 0);
        assert!(socket.lasting_destination(path([127, 0, 0, 2])).control_bytes > 0);
        let bound = UdpSocket::bind(Some([127, 0, 0, 2].into()), 0).unwrap();
        assert_eq!(bound.lasting_destination(path([127, 0, 0, 2])).control_bytes, 0);
    }
}
