//! From text to settings that cannot be wrong.
//!
//! [`raw`] holds what was written, by flags, environment and files ([`mod@file`]), and [`origin`]
//! where; [`settings`] turns it into runtime types and reports everything that is wrong at once, as
//! [`error`]s; [`speaker`] and [`peer`] do so for the built-in speaker, [`service`] and [`check`] for
//! services and their checks, [`control`] for the control socket, `guard` for the guard. [`carry`]:
//! what stays the same when it is read again. [`in_force`]: all of it as it was written, for people.
//! [`sources`] finds the files, [`lint`] warns of what is legal and wrong all the same, and [`host`] is
//! all that is asked of this host.

pub mod bfd;
pub mod carry;
pub mod check;
pub mod control;
pub mod duration;
pub mod error;
pub mod file;
mod fuzz;
mod guard;
mod history;
pub mod host;
pub mod in_force;
pub mod lint;
pub mod log;
pub mod origin;
pub mod peer;
pub mod raw;
pub mod reader;
pub mod service;
pub mod settings;
mod size;
pub mod sources;
pub mod speaker;
mod status;

#[doc(hidden)]
pub use self::fuzz::fuzz_file;
