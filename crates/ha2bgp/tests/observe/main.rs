//! The observers against the real kernel, without privilege.
//!
//! Sockets are known by their cookies and addresses live in network namespaces of the tests' own,
//! so nothing else on the host disturbs them, nor they it.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(clippy::print_stdout, reason = "a skipped test says why")]

mod address;
mod listen;
mod namespace;
mod support;
