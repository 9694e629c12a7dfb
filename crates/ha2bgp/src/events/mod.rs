//! What happened, told once: the log, the history on disk and the stream of events are made from
//! one kind of [`Record`].
//!
//! ```text
//! engine task ──Teller──┐                    ┌─► log lines, at a limited rate
//! announcer's reports ──┼─► keeper (a task) ─┼─► thread of the history
//! others ───────────────┘     owns the ring  └─► watch(newest id) ─► Subscription (any thread)
//! ```
//! Whoever tells never waits: a batch that finds no place is counted, and its numbers are skipped, so
//! that readers see the gap. Readers pull ([`Ring`] says why nothing is lost or doubled between what
//! was and what comes): a slow one costs nothing, and is told what it has lost.
//!
//! [`from_engine`] and [`from_announcer`] say what is worth a record, and in which words.

pub mod from_announcer;
pub mod from_bfd;
pub mod from_engine;
mod id;
mod keeper;
pub mod kind;
mod limit;
mod log;
mod record;
mod ring;
#[cfg(test)]
mod tests;

pub use self::id::Id;
pub use self::keeper::{Keeper, Teller, start};
pub use self::kind::Kind;
pub use self::log::{EventLog, Subscription};
pub(crate) use self::record::Logged;
pub use self::record::{Draft, Level, Record, stamp};
pub use self::ring::{Gap, Item, RECORDS_MAX, Ring, Stored};
