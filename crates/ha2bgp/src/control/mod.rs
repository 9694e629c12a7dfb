//! The control interface: a versioned JSON API over HTTP/1.1 on a unix socket.
//!
//! It runs on a thread of its own and sends bounded requests to whoever knows the answer, so that a
//! slow or hostile client costs the engine nothing. It decides nothing.
//!
//! * [`socket`]: the file, and who may open it. * [`server`]: connections and their limits.
//! * [`route`]: the table of what can be asked. * [`api`]: what goes over the wire; no runtime type
//!   does. * [`push`]: results of checks that somebody sends. * [`metrics`]: for Prometheus.
//!   [`why`]: what is known of an address. Both ask the engine ([`questions`]).
//! * [`orders`]: what operators want changed. * [`client`]: the other end.

pub mod api;
pub mod client;
pub mod metrics;
pub mod orders;
pub mod push;
pub mod questions;
pub mod rate;
pub mod route;
pub mod server;
pub mod socket;
pub mod why;

use std::time::Duration;

use tokio::sync::oneshot;

pub use self::push::fuzz_push_body;
use self::server::Api;
use self::socket::{Bound, SocketError};
use crate::config::control::ControlSettings;

/// Where the socket is unless somebody says something else; the client's default.
pub const DEFAULT_PATH: &str = "/run/ha2bgp/ha2bgp.sock";
/// How long the end may take.
const END_WAIT: Duration = Duration::from_secs(1);

/// The control interface, for as long as this is kept.
#[derive(Debug)]
pub struct Control {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

/// Opens the socket and serves it on a thread of its own.
///
/// # Errors
/// When the socket cannot be opened, or no thread be started.
pub fn spawn(settings: &ControlSettings, api: Api) -> Result<Control, SocketError> {
    let bound = Bound::open(settings)?;
    let (stop, stopped) = oneshot::channel();
    let (ending, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(SocketError::Thread)?;
    let work = move || {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, server::run(bound, api, stopped));
        drop(local);
        runtime.shutdown_background();
        let _ = ending.send(());
    };
    let thread = std::thread::Builder::new().name("control".to_owned()).spawn(work);
    thread.map_err(SocketError::Thread)?;
    tracing::info!("control socket: {}", settings.path.display());
    Ok(Control { stop, ended })
}

impl Control {
    /// Ends it and waits until the socket file is gone, a second at most.
    pub async fn end(self) {
        drop(self.stop);
        let _ = tokio::time::timeout(END_WAIT, self.ended).await;
    }
}
