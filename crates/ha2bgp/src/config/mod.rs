//! From text to settings that cannot be wrong.
//!
//! [`raw`] holds what was written, by flags, environment and files ([`mod@file`]), and [`origin`]
//! where; [`settings`] turns it into runtime types and reports everything that is wrong at once, as
//! [`error`]s; [`speaker`] and [`peer`] do so for the built-in speaker, [`service`] and [`check`] for
//! services and their checks, [`control`] for the control socket, `guard` for the guard. [`carry`]:
//! what stays the same when it is read again. [`in_force`]: all of it as it was written, for people.

pub mod carry;
pub mod check;
pub mod control;
pub mod duration;
pub mod error;
pub mod file;
mod fuzz;
mod guard;
pub mod in_force;
pub mod origin;
pub mod peer;
pub mod raw;
pub mod reader;
pub mod service;
pub mod settings;
pub mod speaker;

#[doc(hidden)]
pub use self::fuzz::fuzz_file;
