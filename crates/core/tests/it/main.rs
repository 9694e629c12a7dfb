//! Tests of the engine as a whole: scenarios as text, a seeded simulation, flat cost.

mod notation;
mod scenario;
mod simulation;
