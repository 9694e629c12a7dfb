//! Vocabulary and decision engine of ha2bgp.
//!
//! This crate computes; it has no clock, no IO, no log, no randomness (`no_std` proves it).
//!
//! * Vocabulary: [`time`] (monotonic moments as numbers), [`net`] (prefixes, the allow-list, next
//!   hops), [`fact`] (what observers report), [`check`] (what probes say), [`route`] (the desired set), [`reason`] (why),
//!   [`event`] (what happened), [`glob`] (name patterns).
//! * Decision: [`engine`] owns all state; [`config`] tells it what to do, `catalog` finds it for a
//!   VIP; [`rule`] makes one verdict of many checks; `service` is the state machine of one service,
//!   with [`damping`]; `listeners`, `addresses` and `checks` are tables of facts;
//!   `start` is what is special about the start; [`explain`] reads it all.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod addresses;
mod catalog;
pub mod check;
mod checks;
pub mod config;
pub mod damping;
pub mod engine;
pub mod event;
pub mod explain;
pub mod fact;
pub mod glob;
pub mod guard;
mod listeners;
pub mod net;
pub mod overrides;
pub mod reason;
pub mod record;
pub mod route;
pub mod rule;
mod service;
mod sources;
mod start;
pub mod survey;
pub mod time;

pub use listeners::Port;
pub use service::Health;
