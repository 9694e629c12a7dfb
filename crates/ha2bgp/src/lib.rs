//! The ha2bgp program as a library, so that its parts can be tested: observe → decide → announce.
//!
//! The deciding is done by `ha2bgp-core`; this crate connects it to the world.
#![forbid(unsafe_code)]

pub mod announce;
pub mod bfd;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod events;
pub mod histogram;
pub mod history;
pub mod import;
pub mod log;
mod near;
pub mod observe;
pub mod record;
pub mod status;
