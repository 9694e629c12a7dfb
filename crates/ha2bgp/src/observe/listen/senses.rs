//! What tells the listen observer to look: a doorbell where the host permits it, else events of
//! destroyed sockets. Neither is believed; without both, looking from time to time remains.

use std::time::Duration;

use ha2bgp_core::fact::Protocol;
use ha2bgp_proto::inet_diag::DiagSocket;
use ha2bgp_sys::destroy::{DestroyEvent, DestroyEvents, PORTS_MAX};
use ha2bgp_sys::doorbell::{Chime, Doorbell, Rang};
use tokio::sync::watch;
use tokio::time::Instant;

use super::ListenConfig;
use super::mirror::Mirror;

/// How long to do without before asking again.
const RETRY: Duration = Duration::from_secs(10);

/// Something that makes it worth looking.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sense {
    /// TCP sockets of this host started or stopped to listen: [`Senses::rung`] tells what is known
    /// of them.
    Rang(Rang),
    /// The sockets in the caller's list were destroyed.
    Destroyed,
    /// Events were lost: anything may have happened.
    Lost,
}

/// The subscriptions, as far as they are to be had.
#[derive(Debug)]
pub(super) struct Senses {
    bell: Option<Doorbell>,
    /// What it told when it last rang.
    chimes: Vec<Chime>,
    events: Option<DestroyEvents>,
    /// The version of the ports that events are told of; without it they are told of all ports.
    following: Option<u64>,
    /// There are sockets to watch that never ring: UDP has no states.
    silent: bool,
    /// Where events are wanted and missing: when to ask again.
    retry_at: Option<Instant>,
}

/// How the doorbell rang.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rung<'a> {
    pub(super) rang: Rang,
    /// The rings that are of this network namespace as far as is known.
    pub(super) chimes: &'a [Chime],
    /// They are: namespaces can be told apart.
    pub(super) ours: bool,
}

/// What has been said already.
#[derive(Debug)]
pub(super) struct Said {
    /// How listeners are noticed, for the status.
    pub(super) notice: watch::Sender<String>,
    pub(super) events_missing: bool,
}

impl Senses {
    /// What rings when `bell` does, and nothing else yet.
    pub(super) fn new(bell: Option<Doorbell>) -> Self {
        Self {
            bell,
            chimes: Vec::new(),
            events: None,
            following: None,
            silent: false,
            retry_at: None,
        }
    }

    /// Subscribes to what `config` asks for; to no events where netlink is forbidden. From now on
    /// nothing that closes goes unnoticed for long.
    pub(super) fn renew(&mut self, config: &ListenConfig, netlink: bool, said: &mut Said) {
        self.silent = config.protocols.iter().any(|it| *it != Protocol::Tcp);
        self.events = None;
        self.retry_at = None;
        if netlink {
            self.subscribe(config, said);
        }
    }

    /// True when there is a doorbell.
    pub(super) const fn has_bell(&self) -> bool {
        self.bell.is_some()
    }

    /// True when whatever changes rings: nothing needs to be polled.
    pub(super) const fn rings(&self) -> bool {
        self.bell.is_some() && !self.silent
    }

    /// What the last [`Sense::Rang`] is about.
    pub(super) fn rung(&self, rang: Rang) -> Rung<'_> {
        let ours = self.bell.as_ref().is_some_and(Doorbell::tells_namespaces);
        Rung { rang, chimes: &self.chimes, ours }
    }

    /// Has events told of the ports of the mirror only. What listens at another port is not known yet,
    /// and found by a dump.
    pub(super) fn follow(&mut self, mirror: &Mirror) {
        let version = Some(mirror.ports_version());
        let Some(events) = self.events.as_ref().filter(|_| self.following != version) else {
            return;
        };
        self.following = version;
        // One more says that there are too many.
        if let Err(error) = events.follow(&mirror.ports(PORTS_MAX + 1)) {
            tracing::debug!("events are told of more ports than are followed: {error}");
        }
    }

    /// When to call [`Senses::retry`].
    pub(super) const fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Asks again for what was not to be had.
    pub(super) fn retry(&mut self, config: &ListenConfig, said: &mut Said) {
        if self.retry_at.is_some_and(|at| Instant::now() >= at) {
            self.subscribe(config, said);
        }
    }

    /// The next reason to look. Cancelling it loses nothing.
    pub(super) async fn next(&mut self, destroyed: &mut Vec<DiagSocket>, said: &mut Said) -> Sense {
        let Self { bell, chimes, events, .. } = self;
        let lost = tokio::select! {
            biased;
            rang = ring(bell.as_mut(), chimes) => match rang {
                Ok(rang) => return Sense::Rang(rang),
                Err(error) => {
                    tracing::warn!("the doorbell is gone: {error}");
                    self.bell = None;
                    self.retry_at = Some(Instant::now());
                    return Sense::Lost;
                }
            },
            event = receive(events.as_mut(), destroyed) => match event {
                Ok(DestroyEvent::Destroyed) => return Sense::Destroyed,
                Ok(DestroyEvent::Overrun) => return Sense::Lost,
                Err(error) => error,
            },
        };
        self.no_events(&lost, said);
        Sense::Lost
    }

    /// Destroy events for the protocols that do not ring. Without them the rest still works.
    fn subscribe(&mut self, config: &ListenConfig, said: &mut Said) {
        let hangs = self.bell.is_some();
        let protocols = config.protocols.iter().copied();
        let wanted: Vec<_> = protocols.filter(|it| !hangs || *it != Protocol::Tcp).collect();
        self.retry_at = None;
        if !config.destroy_events || wanted.is_empty() {
            return;
        }
        match DestroyEvents::open(&wanted) {
            Ok(events) => {
                said.events_missing = false;
                self.events = Some(events);
                self.following = None;
            }
            Err(error) => self.no_events(&error, said),
        }
    }

    fn no_events(&mut self, error: &ha2bgp_sys::NetlinkError, said: &mut Said) {
        self.events = None;
        self.retry_at = Some(Instant::now() + RETRY);
        if !std::mem::replace(&mut said.events_missing, true) {
            tracing::warn!("no events of closed sockets, noticed a little later: {error}");
        }
    }
}

impl Said {
    /// Says how listeners are noticed, when that is new.
    pub(super) fn tier(&self, how: &str) {
        let new = self.notice.send_if_modified(|said| {
            let new = said != how;
            how.clone_into(said);
            new
        });
        if new {
            tracing::info!("listeners are noticed by {how}");
        }
    }
}

/// The next ring; never without a doorbell.
async fn ring(bell: Option<&mut Doorbell>, chimes: &mut Vec<Chime>) -> std::io::Result<Rang> {
    match bell {
        Some(bell) => bell.ring(chimes).await,
        None => std::future::pending().await,
    }
}

/// The next destroy event; never without a subscription.
async fn receive(
    events: Option<&mut DestroyEvents>,
    destroyed: &mut Vec<DiagSocket>,
) -> Result<DestroyEvent, ha2bgp_sys::NetlinkError> {
    match events {
        Some(events) => events.receive(destroyed).await,
        None => std::future::pending().await,
    }
}
