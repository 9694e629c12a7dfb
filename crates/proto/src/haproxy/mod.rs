//! HAProxy: what its stats socket says, what its configuration files say, and what follows.
//!
//! * [`session`]: the conversation with a stats socket or the master socket, without IO.
//! * [`stat`]: `show stat`, a CSV, becomes a [`stat::Table`]. * [`info`]: `show info`.
//! * [`config`]: configuration files become frontends with their addresses and backends.
//! * [`judge`]: a table and a requirement become a probe result.
//!
//! This module owns the languages and the verdict of one look. It must not open sockets or files,
//! keep time, or remember an earlier look: `rise`, `fall` and the grace during reloads are the
//! caller's.
//!
//! References: HAProxy's `doc/management.txt` sections 9.1 (CSV format), 9.3 (Unix Socket
//! commands), 9.4 (Master CLI); `doc/configuration.txt` sections 2 (format, quoting, variables,
//! conditional blocks), 4 (proxies) and 11 (address formats). Each module says what it leaves out.

pub mod config;
mod fuzz;
pub mod info;
pub mod judge;
mod scan;
pub mod session;
pub mod stat;

#[doc(hidden)]
pub use fuzz::{fuzz_config, fuzz_csv, fuzz_session};
