//! From text to settings that cannot be wrong.
//!
//! [`raw`] holds what was written and where; [`settings`] turns it into runtime types and reports
//! everything that is wrong at once, as [`error`]s; [`speaker`] does so for the built-in speaker.

pub mod duration;
pub mod error;
pub mod raw;
pub mod reader;
pub mod settings;
pub mod speaker;
