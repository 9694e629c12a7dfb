//! The sock_diag language for TCP and UDP sockets: requests out, sockets in.
//!
//! Owns the structures of include/uapi/linux/inet_diag.h, in native byte order. It makes no
//! system call and decides nothing: what a listener is, is said by the caller through states and
//! bytecode.

mod fuzz;
mod request;
mod socket;

pub use fuzz::fuzz_datagram;
pub use request::{ConnectionsRequest, DumpRequest, ExactQuery, MAX_BYTECODE};
pub use socket::DiagSocket;

/// `SOCK_DIAG_BY_FAMILY`: the type of all messages of this family, requests and events alike.
pub const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// Size of `struct inet_diag_sockid`.
const SOCKET_ID_LENGTH: usize = 48;

/// A socket state as the kernel counts them (include/net/tcp_states.h).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct State(pub u8);

impl State {
    /// `TCP_ESTABLISHED`; also a connected UDP socket.
    pub const ESTABLISHED: Self = Self(1);
    /// `TCP_FIN_WAIT1`: this side has closed, and what it said last is not acknowledged.
    pub const FIN_WAIT1: Self = Self(4);
    /// `TCP_CLOSE`; also an unconnected UDP socket, and every socket in a destroy event.
    pub const CLOSE: Self = Self(7);
    /// `TCP_CLOSE_WAIT`: the other side has closed, this one may still speak.
    pub const CLOSE_WAIT: Self = Self(8);
    /// `TCP_LAST_ACK`: both have closed, and what this side said last is not acknowledged.
    pub const LAST_ACK: Self = Self(9);
    /// `TCP_LISTEN`.
    pub const LISTEN: Self = Self(10);
    /// `TCP_CLOSING`: both have closed at once.
    pub const CLOSING: Self = Self(11);

    /// The bit of this state in `idiag_states`.
    pub(crate) const fn bit(self) -> u32 {
        1_u32.wrapping_shl(self.0 as u32)
    }
}
