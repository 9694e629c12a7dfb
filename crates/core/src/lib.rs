//! Vocabulary and decision engine of ha2bgp.
//!
//! This crate computes; it has no clock, no IO, no log, no randomness (`no_std` proves it).
//!
//! * [`time`]: monotonic moments as numbers. * [`net`]: prefixes, the allow-list, next hops.
//! * [`fact`]: what observers report. * [`route`]: the desired set of routes.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod fact;
pub mod net;
pub mod route;
pub mod time;
