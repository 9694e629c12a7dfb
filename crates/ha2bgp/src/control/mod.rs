//! The control interface: a versioned JSON API over HTTP/1.1 on a unix socket.
//!
//! It runs on a thread of its own and sends bounded requests to whoever knows the answer, so that a
//! slow or hostile client costs the engine nothing. It decides nothing.
//!
//! * [`socket`]: the file, and who may open it. * [`server`]: takes connections; [`places`]: how many
//!   of whom. * [`connection`]: one of them and its limits; [`request`]: one request.
//! * [`route`]: the table of what can be asked; [`query`]: parameters; [`calls`]: from the table to
//!   whoever answers, who gets a [`calls::Asked`] with its [`caller`] and gives an
//!   [`answer::Answer`]: JSON, a text, or [`events`]. * [`api`]: what goes over the wire; no runtime
//!   type does.
//! * [`push`]: results of checks that somebody sends. * [`metrics`]: for Prometheus.
//!   [`why`]: what is known of an address. Both ask the engine ([`questions`]).
//! * [`client`]: the other end.

pub mod answer;
pub mod api;
pub mod caller;
pub mod calls;
pub mod client;
pub mod connection;
mod deadline;
pub mod events;
pub mod metrics;
pub mod places;
pub mod push;
pub mod query;
pub mod questions;
pub mod rate;
pub mod request;
pub mod route;
pub mod server;
pub mod socket;
pub mod why;

use std::time::Duration;

use tokio::sync::oneshot;

use self::calls::Api;
pub use self::push::fuzz_push_body;
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
