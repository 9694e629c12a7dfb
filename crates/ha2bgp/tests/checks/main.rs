//! Checks as the daemon makes them: real probes on loopback, and what is reported of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod accept_queue;
mod file;
mod pidfile;
mod pool;
mod stand;
mod tcp;
#[cfg(feature = "systemd")]
mod unit;
