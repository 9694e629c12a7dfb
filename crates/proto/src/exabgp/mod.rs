//! The ExaBGP API: commands, answers, and the session that keeps both in step.
//!
//! ExaBGP starts us as a helper process: what we print are commands, what it prints are answers.
//! [`Session`] is that conversation without IO: it takes the whole desired [`RouteSet`], hands out
//! lines to write, takes the answers' bytes, and says what happened as [`Event`]s.
//!
//! * [`ApiVersion`], [`Dialect`], [`detect`]: which grammar ExaBGP understands.
//! * [`Command`]: one line and its meaning. [`LastChoice`]: attributes of some of them. * `answer`: bytes to answers.
//! * `rib`: what was sent and what still must be. * `flight`: commands that wait for an answer.
//! * `liveness`: are there answers at all, and do they still come?
//!
//! [`RouteSet`]: ha2bgp_core::route::RouteSet

mod answer;
mod command;
mod dialect;
mod event;
mod flight;
mod fuzz;
mod last_choice;
mod liveness;
mod rib;
mod session;
#[cfg(test)]
mod tests;

pub use command::{Command, Purpose, Verb};
pub use dialect::{ApiVersion, ApiVersionError, Detection, Dialect, detect};
pub use event::{Acks, Event, Snapshot};
pub use fuzz::fuzz_answers;
pub use last_choice::{Drain, LastChoice};
pub use session::{Options, PipeRoute, Session};

/// No single write is longer: POSIX promises that a pipe which polls writable takes `PIPE_BUF`
/// bytes without blocking (pipe(7)).
pub const MAX_WRITE: usize = 4096;
