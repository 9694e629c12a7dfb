//! Observers: tasks that watch this host and send `Observation`s. They never decide.
//!
//! Each keeps a mirror of what it has reported and sends only differences. Kernel events are
//! doorbells that make it look sooner; what is true is always read back, and read in full from
//! time to time. An observer ends when nobody receives its observations any more.
//!
//! * [`listen`]: listening sockets. * [`address`]: local addresses.

pub mod address;
mod health;
pub mod listen;
