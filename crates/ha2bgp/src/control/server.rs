//! The thread's work: the ways in that are wanted, opened and closed as settings change.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::access::{Rights, Who};
use super::calls::Api;
use super::failures::Failures;
use super::listen::{Kept, Spot};
use super::request::Way;
use super::{WayIn, WaysIn};
use crate::config::control::{ControlSettings, UnixSettings};

/// What all connections share.
pub(super) struct Shared {
    pub(super) api: Api,
    pub(super) rights: RefCell<Rights>,
    pub(super) tls: RefCell<Option<TlsAcceptor>>,
    pub(super) failures: Failures,
    /// Ports have limits of their own: whoever comes over TCP takes nothing from the socket.
    unix: Way,
    tcp: Way,
    ways: watch::Sender<WaysIn>,
}

impl Shared {
    /// Nobody may do anything yet over TCP.
    pub(super) fn new(api: Api, ways: watch::Sender<WaysIn>) -> Self {
        Self {
            api,
            rights: RefCell::new(Rights::new(None)),
            tls: RefCell::default(),
            failures: Failures::default(),
            unix: Way::new(),
            tcp: Way::new(),
            ways,
        }
    }

    /// The way in of whoever that is.
    pub(super) const fn way(&self, who: &Who) -> &Way {
        match who {
            Who::User(..) => &self.unix,
            Who::Host(_) => &self.tcp,
        }
    }

    /// Tells whether a way in is open.
    pub(super) fn tell(&self, spot: &Spot, open: Result<(), String>) {
        let way = WayIn { name: spot.to_string(), error: open.err() };
        self.ways.send_if_modified(|ways| {
            match ways.iter_mut().find(|known| known.name == way.name) {
                Some(known) if *known == way => return false,
                Some(known) => *known = way,
                None => ways.push(way),
            }
            true
        });
    }
}

/// Serves what is wanted until `wanted` has no sender. Runs in a `LocalSet`.
pub(super) async fn run(
    mut wanted: watch::Receiver<Option<ControlSettings>>,
    api: Api,
    ways: watch::Sender<WaysIn>,
) {
    let shared = Rc::new(Shared::new(api, ways));
    let mut kept = Vec::new();
    let mut tasks = JoinSet::new();
    loop {
        let settings = wanted.borrow_and_update().clone();
        kept = change(kept, settings.as_ref(), &shared, &mut tasks).await;
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            Some(_) = tasks.join_next() => {}
        }
    }
    change(kept, None, &shared, &mut tasks).await;
    while tasks.join_next().await.is_some() {}
}

/// Closes what is not wanted any more, and opens what is new. What stays is not touched.
async fn change(
    kept: Vec<Kept>,
    settings: Option<&ControlSettings>,
    shared: &Rc<Shared>,
    tasks: &mut JoinSet<()>,
) -> Vec<Kept> {
    let wanted = spots(settings);
    let rights = Rights::new(settings);
    let lost = rights.differ_over_tcp(&shared.rights.borrow());
    shared.rights.replace(rights);
    let tls = settings.and_then(|settings| settings.http.as_ref()?.tls.as_ref());
    shared.tls.replace(tls.map(|tls| TlsAcceptor::from(tls.config())));
    let (mut stays, goes): (Vec<Kept>, Vec<Kept>) =
        kept.into_iter().partition(|kept| wanted.contains(&kept.spot));
    for kept in goes {
        let name = kept.spot.to_string();
        kept.close().await;
        tracing::info!("control socket closed: {name}");
        shared.ways.send_modify(|ways| ways.retain(|way| way.name != name));
    }
    // Streams would go on with rights that are gone.
    for kept in stays.iter().filter(|kept| lost && matches!(kept.spot, Spot::Tcp(_))) {
        kept.end_connections();
    }
    for spot in wanted {
        if !stays.iter().any(|kept| kept.spot == spot) {
            stays.push(Kept::open(spot, Rc::clone(shared), tasks));
        }
    }
    stays
}

/// The ways in that are wanted.
fn spots(settings: Option<&ControlSettings>) -> Vec<Spot> {
    let Some(settings) = settings else { return Vec::new() };
    // Who may write is judged at each request.
    let unix =
        settings.unix.iter().map(|unix| UnixSettings { writers: Vec::new(), ..unix.clone() });
    let http = settings.http.iter().flat_map(|http| &http.addresses);
    unix.map(Spot::Unix).chain(http.copied().map(Spot::Tcp)).collect()
}
