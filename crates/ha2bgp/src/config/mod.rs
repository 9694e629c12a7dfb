//! From text to settings that cannot be wrong.
//!
//! [`raw`] holds what was written and where; [`settings`] turns it into runtime types and reports
//! everything that is wrong at once, as [`error`]s.

pub mod duration;
pub mod error;
pub mod raw;
pub mod settings;
