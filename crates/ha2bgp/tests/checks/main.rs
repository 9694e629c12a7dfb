//! Checks as the daemon makes them: real probes on loopback, and what is reported of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod pool;
mod push;
mod stand;
mod tcp;
