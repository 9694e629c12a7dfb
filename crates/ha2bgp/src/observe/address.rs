//! The address observer: which addresses this host has, and whether their links are up.
//!
//! Owns the rtnetlink sockets. The events of rtnetlink are queued inside the system call that
//! changes something and carry the whole new state, so they are followed; the tables are read
//! at the start, after an overrun, and now and then. It does not know which addresses matter.

mod table;

use std::convert::Infallible;
use std::time::Duration;

use ha2bgp_core::fact::{Observation, Source};
use ha2bgp_sys::NetlinkError;
use ha2bgp_sys::route::{Route, RouteEvent, RouteEvents};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::table::Table;
use super::Seen;
use super::health::{Health, Stop};

/// How the address observer works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressConfig {
    /// How often all links and addresses are read although no event was lost.
    pub reconcile_interval: Duration,
}

impl Default for AddressConfig {
    fn default() -> Self {
        Self { reconcile_interval: Duration::from_secs(30) }
    }
}

/// Observes addresses until the receiver of `tx` is dropped.
///
/// It sees the network namespace of the thread that first polls it, and needs no privilege.
pub async fn run(config: AddressConfig, tx: mpsc::Sender<Seen>) {
    let mut observer = Observer {
        config,
        tx,
        table: Table::default(),
        changes: Vec::new(),
        health: Health::new(Source::Address),
    };
    loop {
        let Err(stop) = observer.watch().await;
        let error = match stop {
            Stop::Closed | Stop::Changed => return,
            Stop::Failed(error) => error,
        };
        tracing::debug!(error, "the address observer starts again");
        if let Err(Stop::Closed) = observer.health.recover(&error, &observer.tx).await {
            return;
        }
    }
}

struct Observer {
    config: AddressConfig,
    tx: mpsc::Sender<Seen>,
    table: Table,
    /// What the table has changed and `tx` has not got yet.
    changes: Vec<Observation>,
    health: Health,
}

impl Observer {
    async fn watch(&mut self) -> Result<Infallible, Stop> {
        // Join, then read: what changes in between is in the queue.
        let mut events = RouteEvents::open().map_err(failed)?;
        let mut route = Route::open().map_err(failed)?;
        let mut messages = Vec::new();
        self.read_all(&mut route).await?;
        if let Some(complete) = self.health.complete() {
            self.tx.send(complete.into()).await?;
        }
        let mut reconcile = Instant::now() + self.config.reconcile_interval;
        loop {
            tokio::select! {
                // Queued events first: following them after a reading that is newer would
                // report old states for a moment.
                biased;
                event = events.receive(&mut messages) => match event.map_err(failed)? {
                    RouteEvent::Changed => {
                        for message in messages.drain(..) {
                            self.table.apply(message, &mut self.changes);
                        }
                        self.report().await?;
                    }
                    RouteEvent::Overrun => {
                        tracing::debug!("rtnetlink events were lost: reading all addresses");
                        events.discard().map_err(failed)?;
                        self.read_all(&mut route).await?;
                    }
                },
                () = tokio::time::sleep_until(reconcile) => {
                    self.read_all(&mut route).await?;
                    reconcile = Instant::now() + self.config.reconcile_interval;
                }
                () = self.tx.closed() => return Err(Stop::Closed),
            }
        }
    }

    async fn read_all(&mut self, route: &mut Route) -> Result<(), Stop> {
        let tables = route.tables().map_err(failed)?;
        self.table.replace(tables, &mut self.changes);
        self.report().await
    }

    async fn report(&mut self) -> Result<(), Stop> {
        for change in self.changes.drain(..) {
            self.tx.send(change.into()).await?;
        }
        Ok(())
    }
}

/// What went wrong, and what to do where that is known.
#[allow(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn failed(error: NetlinkError) -> Stop {
    let hint = match &error {
        NetlinkError::Socket { .. } => super::health::NETLINK_HINT,
        _ => "",
    };
    Stop::Failed(format!("cannot read links and addresses: {error}{hint}"))
}
