//! The control interface: a versioned JSON API over HTTP/1.1 on a unix socket, and on ports.
//!
//! It runs on a thread of its own and sends bounded requests to whoever knows the answer, so that a
//! slow or hostile client costs the engine nothing. It decides nothing.
//!
//! * `server`: which ways in are open; `listen`: one of them; [`socket`]: the file, and who may open
//!   it; [`tls`]. * [`places`]: how many connections of whom; [`connection`]: one of them and its
//!   limits; [`request`]: one request. * `access`: who may read, who may write; [`tokens`].
//! * [`route`]: the table of what can be asked; [`query`]: parameters; [`calls`]: from the table to
//!   whoever answers, who gets a [`calls::Asked`] with its [`caller`] and gives an
//!   [`answer::Answer`]: JSON, a text, or [`events`]. * [`api`]: what goes over the wire; no runtime
//!   type does; [`openapi`] describes it.
//! * [`push`]: results of checks that somebody sends. * [`metrics`]: for Prometheus.
//!   [`why`]: what is known of an address; [`read`]: everything else that can be looked at. They ask
//!   the engine ([`questions`]), which tells what is true at one moment ([`scene`]).
//! * [`orders`]: what operators want changed. * [`client`]: the other end.

mod access;
pub mod answer;
pub mod api;
pub mod caller;
pub mod calls;
pub mod client;
pub mod connection;
mod deadline;
pub mod events;
mod failures;
mod fuzz;
pub mod happened;
pub mod level;
mod listen;
pub mod metrics;
pub mod openapi;
pub mod orders;
pub mod places;
pub mod push;
pub mod query;
pub mod questions;
pub mod rate;
pub mod read;
pub mod request;
pub mod route;
pub mod scene;
mod server;
pub mod socket;
pub mod tls;
pub mod tokens;
pub mod why;

use std::time::Duration;

use tokio::sync::{oneshot, watch};

use self::calls::Api;
pub use self::fuzz::fuzz_request;
pub use self::push::fuzz_push_body;
use crate::config::control::ControlSettings;

/// Where the socket is unless somebody says something else; the client's default.
pub const DEFAULT_PATH: &str = "/run/ha2bgp/ha2bgp.sock";
/// How long the end may take.
const END_WAIT: Duration = Duration::from_secs(1);

/// One way in, as it is now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WayIn {
    /// The path of the socket, or the address with the port.
    pub name: String,
    /// Why it is not open; it is tried again.
    pub error: Option<String>,
}

/// All ways in that are wanted and were tried.
pub type WaysIn = Vec<WayIn>;

/// The control interface, for as long as this is kept.
#[derive(Debug)]
pub struct Control {
    /// What answers, until there is a thread.
    idle: Option<(Api, watch::Sender<WaysIn>)>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    wanted: watch::Sender<Option<ControlSettings>>,
    ended: oneshot::Receiver<()>,
}

impl Control {
    /// One that nobody can reach yet. Which ways in are open will be told to `ways`.
    pub const fn new(api: Api, ways: watch::Sender<WaysIn>) -> Self {
        Self { idle: Some((api, ways)), running: None }
    }

    /// Has these ways in open, with these rights, from now on: what is the same stays as it is, with
    /// its connections. What cannot be opened is told in the log, and tried again. The thread
    /// is there only when there was something to open.
    pub fn configure(&mut self, settings: Option<&ControlSettings>) {
        if let Some(running) = &self.running {
            running.wanted.send_replace(settings.cloned());
            return;
        }
        let Some(settings) = settings else { return };
        let Some((api, ways)) = self.idle.take() else { return };
        match start(settings.clone(), api, ways) {
            Ok(running) => self.running = Some(running),
            Err(error) => tracing::error!(
                "the control interface is not there until ha2bgp starts again: no thread for it: \
                 {error}: is there memory left, and a descriptor free?"
            ),
        }
    }

    /// Ends it and waits until the socket file is gone, a second at most.
    pub async fn end(&mut self) {
        if let Some(Running { wanted, ended }) = self.running.take() {
            drop(wanted);
            let _ = tokio::time::timeout(END_WAIT, ended).await;
        }
    }
}

/// Starts the thread.
fn start(
    settings: ControlSettings,
    api: Api,
    ways: watch::Sender<WaysIn>,
) -> std::io::Result<Running> {
    let (wanted, wants) = watch::channel(Some(settings));
    let (ending, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, server::run(wants, api, ways));
        drop(local);
        runtime.shutdown_background();
        let _ = ending.send(());
    };
    std::thread::Builder::new().name("control".to_owned()).spawn(work)?;
    Ok(Running { wanted, ended })
}
