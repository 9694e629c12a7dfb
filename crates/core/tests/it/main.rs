//! Tests of the engine as a whole: scenarios as text, a seeded simulation, flat cost.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod notation;
mod scenario;
mod simulation;
