//! Observers: tasks that watch this host and send `Observation`s. They never decide.
//!
//! Those of sockets and addresses keep a mirror of what they have reported and send only
//! differences. Kernel events are doorbells that make them look sooner; what is true is always read
//! back, and read in full from time to time. An observer ends when nobody receives its observations
//! any more.
//!
//! * [`listen`]: listening sockets. * [`address`]: local addresses. * [`check`]: configured checks,
//!   on a thread of their own.

pub mod address;
pub mod check;
mod health;
pub mod listen;
mod seen;

pub use self::seen::Seen;
