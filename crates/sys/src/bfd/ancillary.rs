//! `recvmsg(2)` with what the kernel tells beside a datagram: its TTL, where it was sent to, and
//! where it came in.
#![allow(unsafe_code, reason = "neither rustix nor socket2 reads these control messages")]

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};

/// Control messages take so many octets at most; three of the largest need 100.
const CONTROL_LENGTH: usize = 256;

/// One datagram that came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// Who sent it; a link-local address with the interface.
    pub from: SocketAddr,
    /// The address that it was sent to.
    pub to: IpAddr,
    /// The index of the interface that it came in at; 0: not told.
    pub interface: u32,
    /// Its TTL, or hop limit, as it came in; `None`: not told.
    pub ttl: Option<u8>,
    /// How long it is, which may be more than fits into the buffer.
    pub length: usize,
}

/// Control messages, where the kernel wants them (`cmsg(3)`).
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; CONTROL_LENGTH]);

/// Receives one, without waiting.
pub(super) fn receive(socket: RawFd, buffer: &mut [u8]) -> io::Result<Arrival> {
    let mut from = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut control = Control([MaybeUninit::uninit(); CONTROL_LENGTH]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a msghdr of zeros is a valid one, without any buffer.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_name = from.as_mut_ptr().cast();
    message.msg_namelen =
        libc::socklen_t::try_from(size_of::<libc::sockaddr_storage>()).unwrap_or(0);
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = CONTROL_LENGTH;
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: every pointer of `message` is that of a local, or of `buffer`, that outlives the call,
    // with the length it has; the kernel writes no more than that.
    let received = unsafe { libc::recvmsg(socket, &raw mut message, flags) };
    let length = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: it was zeroed, and any octets are a valid sockaddr_storage.
    let from = sender(unsafe { from.assume_init_ref() })
        .ok_or_else(|| io::Error::other("a datagram of neither family"))?;
    let unknown = match from {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let mut arrival = Arrival { from, to: unknown, interface: 0, ttl: None, length };
    // SAFETY: recvmsg has filled `message` in: its control messages are within `control`, which is
    // aligned for them.
    let mut next = NonNull::new(unsafe { libc::CMSG_FIRSTHDR(&raw const message) });
    while let Some(header) = next {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give headers that are whole and within `control`.
        unsafe { note(header, &mut arrival) };
        // SAFETY: as above.
        next = NonNull::new(unsafe { libc::CMSG_NXTHDR(&raw const message, header.as_ptr()) });
    }
    Ok(arrival)
}

/// Takes from one control message what it tells.
///
/// # Safety
/// The header and what it says follows must be initialised.
unsafe fn note(header: NonNull<libc::cmsghdr>, arrival: &mut Arrival) {
    // SAFETY: the caller promises it.
    let libc::cmsghdr { cmsg_len, cmsg_level, cmsg_type, .. } = unsafe { header.read() };
    // SAFETY: it only computes where the data stand.
    let data = unsafe { libc::CMSG_DATA(header.as_ptr()) };
    // SAFETY: it only computes.
    let overhead = unsafe { libc::CMSG_LEN(0) };
    let length = cmsg_len.saturating_sub(usize::try_from(overhead).unwrap_or(usize::MAX));
    match (cmsg_level, cmsg_type) {
        (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT)
            if length >= size_of::<libc::c_int>() =>
        {
            // SAFETY: so many octets are there, and any of them are an integer.
            let ttl = unsafe { ptr::read_unaligned(data.cast::<libc::c_int>()) };
            arrival.ttl = u8::try_from(ttl).ok();
        }
        (libc::IPPROTO_IP, libc::IP_PKTINFO) if length >= size_of::<libc::in_pktinfo>() => {
            // SAFETY: so many octets are there, and any of them are such a structure.
            let info = unsafe { ptr::read_unaligned(data.cast::<libc::in_pktinfo>()) };
            // The address in the header, as it came; `ipi_spec_dst` is the one to answer from.
            arrival.to = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into();
            arrival.interface = u32::try_from(info.ipi_ifindex).unwrap_or(0);
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if length >= size_of::<libc::in6_pktinfo>() => {
            // SAFETY: so many octets are there, and any of them are such a structure.
            let info = unsafe { ptr::read_unaligned(data.cast::<libc::in6_pktinfo>()) };
            arrival.to = Ipv6Addr::from(info.ipi6_addr.s6_addr).into();
            arrival.interface = info.ipi6_ifindex;
        }
        _ => {}
    }
}

/// Who sent it.
fn sender(from: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(from.ss_family) {
        libc::AF_INET => {
            // SAFETY: a sockaddr_storage is large enough and aligned for every address; the family
            // says that it is this one.
            let v4 = unsafe { &*ptr::from_ref(from).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*ptr::from_ref(from).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}
