//! BGP-4 without IO: one [`Session`] per peer.
//!
//! The driver's loop, for each session: feed what happened ([`Session::handle`],
//! [`Session::set_routes`]); drain [`Session::poll_output`]; for each open connection write what
//! [`Session::poll_write`] hands out and report it with [`Input::Written`]; sleep until
//! [`Session::poll_timeout`] or input. What was received goes in before [`Input::Timeout`]: a
//! process that slept must see the KEEPALIVEs that wait for it before its hold timer fires. See
//! [`Session`] for the contract in full.
//!
//! * [`PeerConfig`], [`Policy`], [`PeerAddress`]: what is said to a peer; [`PeerConfig::validate`] refuses what
//!   peers reset sessions for. [`Community`]: communities as texts.
//! * [`Input`], [`Output`], [`Event`], [`Snapshot`]: the session's language.
//! * [`wire`]: messages as bytes. [`fsm`]: RFC 4271 section 8. `rib`: the Adj-RIB-Out.

mod address;
mod community;
mod config;
mod config_error;
mod event;
mod export;
pub mod fsm;
mod fuzz;
mod io;
mod rib;
mod session;
#[cfg(test)]
mod tests;
pub mod wire;

pub use address::{AddressError, PeerAddress, Zone};
pub use community::{Community, CommunityError};
pub use config::{
    Backoff, Capabilities, Drain, Fqdn, GracefulRestart, LastChoice, Mode, PeerConfig, Policy, Role,
};
pub use config_error::ConfigError;
pub use event::{
    Count, Counters, DownCause, Event, Negotiated, Others, PeerGracefulRestart, Snapshot,
    Unsendable,
};
pub use fuzz::{
    fuzz_community, fuzz_framing, fuzz_notification, fuzz_open, fuzz_refresh, fuzz_session,
    fuzz_update,
};
pub use io::{Connection, Direction, Input, Output, Parting, StopReason};
pub use session::{Announced, PeerRoute, Session, Withheld};
