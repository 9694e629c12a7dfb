//! Every foreign language ha2bgp speaks, as pure parsers, emitters and state machines.
//!
//! Time comes in as an argument; bytes come in as slices and go out as values.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod accept_queue;
pub mod bfd;
pub mod bgp;
pub mod dns;
pub mod exabgp;
pub mod family;
pub mod filter;
pub mod grpc_health;
pub mod haproxy;
pub mod http;
pub mod icmp;
pub mod inet_diag;
pub mod maintenance;
pub mod nagios;
pub mod netlink;
pub mod pattern;
pub mod proc_net;
pub mod proxy_protocol;
mod quote;
pub mod rtnetlink;
pub mod tcp_expect;
pub mod template;
pub mod told;
pub mod x509;
