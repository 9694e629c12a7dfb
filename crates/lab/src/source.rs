//! The program's speaker in this process, driven by route sets that a test or a bench makes.
//!
//! Without the engine, so that a hundred thousand routes need no hundred thousand services.

use crate::netns::{self, Netns};
use crate::{LabError, Result};
use ha2bgp::announce::speaker::{Configuration, Doorbells, Peer, Speaker};
use ha2bgp::announce::{Announcer, Desired, Ended, PeerState, Report, What};
use ha2bgp::clock::Clock;
use ha2bgp_core::net::{Networks, NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_proto::bgp::PeerConfig;
use ha2bgp_proto::bgp::wire::Asn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Reports that are kept to explain a failure.
const REPORTS: usize = 200;
/// Where [`hosts`] begin.
const FIRST: u32 = 0x0a80_0000;

/// A running speaker. On drop it withdraws nothing, ends its sessions, and is waited for.
#[derive(Debug)]
pub struct Source {
    routes: Option<watch::Sender<Desired>>,
    configuration: watch::Sender<Configuration>,
    reports: mpsc::Receiver<Report>,
    /// What it last said of its peers.
    peers: Vec<PeerState>,
    thread: Option<JoinHandle<Result<Ended>>>,
}

impl Source {
    /// Starts it in a thread of its own, in the namespace of `host` or in that of the caller.
    pub fn start(host: Option<&Netns>, peers: Vec<Peer>, first: RouteSet) -> Result<Self> {
        let host = host.map(|host| host.name().to_owned());
        let (routes, watched) = watch::channel(desired(first));
        let (sender, reports) = mpsc::channel(REPORTS);
        let (configuration, changed) = watch::channel(Configuration::default());
        let doorbells = Doorbells { configuration: changed, ..Doorbells::silent() };
        let run = move || {
            if let Some(host) = host {
                netns::enter(&host)?;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(LabError::io("tokio runtime"))?;
            Ok(runtime.block_on(async move {
                let speaker = Speaker::new(peers, Vec::new(), Clock::start(), 1);
                Box::new(speaker.with(doorbells)).run(watched, sender).await
            }))
        };
        let thread = std::thread::Builder::new().name("source".to_owned()).spawn(run);
        let thread = Some(thread.map_err(LabError::io("thread"))?);
        Ok(Self { routes: Some(routes), configuration, reports, peers: Vec::new(), thread })
    }

    /// Makes this the desired set.
    pub fn set(&self, routes: RouteSet) {
        if let Some(sender) = &self.routes {
            sender.send_replace(desired(routes));
        }
    }

    /// Speaks to these peers from now on.
    pub fn configure(&self, peers: Vec<Peer>) {
        self.configuration.send_replace(Configuration { peers, listen: Vec::new() });
    }

    /// What it has reported since the last time.
    pub fn reports(&mut self) -> String {
        let mut text = String::new();
        while let Ok(report) = self.reports.try_recv() {
            text.push_str(&format!("{:?}\n", report.what));
            if let What::Speaker(state) = report.what {
                self.peers = state.peers;
            }
        }
        text
    }

    /// What it last said of its peers, a second ago at most when something happened.
    pub fn peers(&mut self) -> &[PeerState] {
        self.reports();
        &self.peers
    }

    /// Ends its sessions and waits for it.
    pub fn stop(mut self) -> Result<Ended> {
        self.finish()
    }

    fn finish(&mut self) -> Result<Ended> {
        self.routes = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(LabError::Missing("the speaker panicked".to_owned())),
            None => Ok(Ended::Finished),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ended = self.finish();
    }
}

/// A peer that takes everything of IPv4; without graceful restart, so that what ends is gone.
#[must_use]
pub fn peer(local_as: u32, peer: SocketAddr, peer_as: u32) -> Peer {
    let id = Ipv4Addr::new(10, 1, 1, 1);
    let mut config = PeerConfig::new(Asn(local_as), id, peer.ip(), Asn(peer_as));
    let all = Prefix::truncating(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    config.policy.networks = Networks::new(all.into_iter().collect());
    config.graceful_restart = None;
    Peer {
        config,
        port: peer.port(),
        socket: ha2bgp_sys::tcp::Options::default(),
        bfd: None,
        defer_end_of_rib: Duration::ZERO,
    }
}

/// Routes as the daemon hands them out when every service was judged.
#[must_use]
pub fn desired(routes: RouteSet) -> Desired {
    Desired { routes, complete: true, ..Desired::default() }
}

/// So many host routes from 10.128.0.0 on, through us.
#[must_use]
pub fn hosts(count: u32) -> RouteSet {
    let route = Route::new(NextHop::SelfAddress);
    (0..count).map(|index| (Prefix::host(host(index)), route)).collect()
}

/// The address of one of [`hosts`].
#[must_use]
pub fn host(index: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(FIRST.saturating_add(index)))
}
