//! What tells the speaker that something has changed around it.

use std::net::SocketAddr;

use tokio::sync::watch;

use super::Peer;
use crate::bfd::states::States;

/// To whom the speaker speaks, and where it listens. What is equal to what was before is not
/// touched.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Configuration {
    /// The peers: those that are not among them are taken leave of.
    pub peers: Vec<Peer>,
    /// Where passive peers connect to.
    pub listen: Vec<SocketAddr>,
}

/// What tells the speaker that something has changed around it.
#[derive(Debug)]
pub struct Doorbells {
    /// Counts the changes of this host's addresses.
    pub addresses: watch::Receiver<u64>,
    /// Another configuration. The first one is what the speaker was made with; what stands here
    /// before the first change is not looked at.
    pub configuration: watch::Receiver<Configuration>,
    /// What is known of BFD sessions.
    pub bfd: watch::Receiver<States>,
}

/// Which doorbell rang.
pub(super) enum Ring {
    Addresses,
    Configuration(Configuration),
    Bfd(States),
}

impl Doorbells {
    /// Doorbells that never ring.
    pub fn silent() -> Self {
        Self {
            addresses: watch::channel(0).1,
            configuration: watch::channel(Configuration::default()).1,
            bfd: watch::channel(States::default()).1,
        }
    }

    /// Waits for a ring. One whose rope is gone never rings again.
    pub(super) async fn ring(&mut self) -> Ring {
        let Self { addresses, configuration, bfd } = self;
        tokio::select! {
            Ok(()) = bfd.changed() => Ring::Bfd(bfd.borrow_and_update().clone()),
            Ok(()) = configuration.changed() => {
                Ring::Configuration(configuration.borrow_and_update().clone())
            }
            Ok(()) = addresses.changed() => Ring::Addresses,
            else => std::future::pending().await,
        }
    }
}
