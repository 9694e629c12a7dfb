//! System calls of ha2bgp: netlink sockets and look-ups. No policy.
//!
//! The one crate that may hold `unsafe`; each place that does says so with its own `allow`.
//! Sockets belong to the network namespace of the thread that opens them, and stay there.
//!
//! * [`bfd`]: UDP sockets for BFD, and a thread that goes first.
//! * [`child`]: processes that leave nothing behind.
//! * [`diag`]: which sockets exist (sock_diag). * [`destroy`]: which sockets were destroyed.
//! * [`doorbell`]: that a socket started or stopped to listen (eBPF).
//! * [`route`]: links and addresses (rtnetlink). * [`lookup`]: names of the kernel to numbers.
//! * [`privileges`]: giving back what is not needed any more.
//! * [`signals`]: signals before anybody listens for them.
//! * [`peer`]: who is at the other end of a unix socket.
//! * [`tcp`]: sockets for BGP sessions. * [`datagram`]: an option for those of checks.
#![deny(unsafe_code)]

pub mod bfd;
pub mod child;
pub mod datagram;
pub mod destroy;
pub mod diag;
pub mod doorbell;
pub mod lookup;
mod netlink;
pub mod peer;
pub mod privileges;
pub mod route;
pub mod signals;
pub mod tcp;

pub use netlink::NetlinkError;
