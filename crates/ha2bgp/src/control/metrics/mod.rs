//! `GET /metrics`: what is known of services, checks, peers and the program, as OpenMetrics text.
//!
//! The engine is asked once a second at most, however many scrape: it answers from what it has, for a
//! few hundred services at a time (1 to 4 ms in a debug build), and does its own work in between.
//! What peers have is asked of the announcer in the same way. The text is made on the thread of
//! whoever asks.
//!
//! * [`table`]: every metric, its labels and its meaning. * [`measures`]: what they are made from.
//! * `family`: from a line of the table to the text. * `services`, `peers`, `bfd`, `program`: what is written.
//!
//! There is a limit on everything that has lines of its own; what is left out is counted.

mod bfd;
mod family;
pub mod measures;
mod peers;
mod program;
mod services;
pub mod table;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use ha2bgp_core::net::Prefix;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::measures::{Measures, SERVICES_MAX};
use super::api::{Code, Refusal};
use super::questions::Questions;
use crate::announce;

/// What the text is (OpenMetrics 1.0, section "Overall structure").
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// For so long an answer counts.
const FRESH: Duration = Duration::from_secs(1);

/// The newest metrics.
#[derive(Debug)]
pub struct Metrics {
    engine: Questions,
    announcer: announce::questions::Questions,
    newest: RefCell<Option<(Instant, Vec<u8>)>>,
    /// Whoever has it asks; the others wait, and find the answer.
    asking: Semaphore,
}

impl Metrics {
    /// Nothing is asked yet.
    pub const fn new(engine: Questions, announcer: announce::questions::Questions) -> Self {
        Self { engine, announcer, newest: RefCell::new(None), asking: Semaphore::const_new(1) }
    }

    /// The text, a second old at most.
    ///
    /// # Errors
    /// When the engine or the announcer does not answer: half of it would look like an outage.
    pub async fn text(&self) -> Result<Vec<u8>, Refusal> {
        // Nobody closes it.
        let _alone = self.asking.acquire().await;
        if let Some((at, text)) = &*self.newest.borrow()
            && at.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        let mut measures = self.engine.measures().await?;
        measures.services = self.engine.all(SERVICES_MAX).await?;
        let Some(routes) = peers::routes(&measures, &self.announcer).await else {
            return Err(Refusal::new(Code::Busy, "the announcer does not answer now: ask again"));
        };
        let text = encode(Snapshot { measures, routes }).into_bytes();
        self.newest.replace(Some((Instant::now(), text.clone())));
        Ok(text)
    }
}

/// The text of all metrics.
fn encode(snapshot: Snapshot) -> String {
    let mut registry = Registry::with_prefix("ha2bgp");
    registry.register_collector(Box::new(snapshot));
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = text::encode(&mut out, &registry);
    out
}

/// All that is written.
#[derive(Debug)]
struct Snapshot {
    measures: Box<Measures>,
    /// Of the first peers the routes: prefix, wanted, told.
    routes: Vec<Vec<(Prefix, bool, bool)>>,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        services::write(&self.measures, &mut encoder)?;
        peers::write(&self.measures, &mut encoder)?;
        peers::write_routes(&self.measures, &self.routes, &mut encoder)?;
        bfd::write(&self.measures, &mut encoder)?;
        program::write(&self.measures, &mut encoder)
    }
}
