//! Checks as the daemon makes them: real probes on loopback, and what is reported of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod accept_queue;
mod dns;
mod file;
mod grpc;
mod http;
mod http_tls;
mod icmp;
mod pidfile;
mod plugin;
mod pool;
mod push;
mod server;
mod stand;
mod tcp;
mod tls_server;
#[cfg(feature = "systemd")]
mod unit;
