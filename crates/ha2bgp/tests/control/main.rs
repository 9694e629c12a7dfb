//! The control socket as its clients see it, the hostile ones too.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod conform;
mod engine;
mod happened;
mod hostile;
mod program;
mod push;
mod reconfigure;
mod schema;
mod stage;
mod streams;
mod tcp;
