//! Datagram sockets of checks: that errors of the network reach the program.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd as _};

/// Has every ICMP error that concerns what a connected datagram socket has sent returned by the
/// next call on it (`IP_RECVERR` in ip(7), `IPV6_RECVERR` in ipv6(7)). Without it the kernel keeps
/// those to itself that may be over soon, such as "host unreachable" (`icmp_err_convert` in
/// `net/ipv4/icmp.c`), and those of its own neighbour discovery.
///
/// # Errors
/// When the kernel refuses: the socket is none, or not of the family of `peer`.
#[allow(unsafe_code, reason = "neither rustix nor socket2 has these options")]
pub fn report_errors(socket: &impl AsFd, peer: IpAddr) -> io::Result<()> {
    let (level, option) = match peer {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).unwrap_or(0);
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the pointer and the length describe `on`, an integer that lives across the call. The
    // kernel only reads from it. A descriptor that is not a socket would be an errno.
    let result =
        unsafe { libc::setsockopt(socket, level, option, std::ptr::from_ref(&on).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families() {
        for address in ["127.0.0.1", "::1"] {
            let address: IpAddr = address.parse().unwrap();
            let Ok(socket) = std::net::UdpSocket::bind((address, 0)) else {
                continue; // A host without IPv6.
            };
            report_errors(&socket, address).unwrap();
        }
    }
}
