//! What one event costs inside of the program, without kernel and clock: from the observation that a
//! listener is gone, through engine, desired set and difference, to the octets of the UPDATE.
//!
//! The same parts as in the daemon, in one thread, over virtual time: `bench-scale` takes the time of
//! it, `hot-path` counts its instructions.

use crate::{LabError, Result};
use ha2bgp_core::config::EngineConfig;
use ha2bgp_core::engine::{Engine, Input, Output};
use ha2bgp_core::fact::{
    AddressId, AddressState, ListenAddress, Listener, LocalAddress, Observation, Protocol,
    SocketId, Source,
};
use ha2bgp_core::net::{Networks, Prefix};
use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::wire::{Asn, Capability, Family, Open, encode_keepalive};
use ha2bgp_proto::bgp::{self, Connection, PeerConfig, Session};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The most services that an engine keeps.
const MOST: u32 = 131_072;
/// Between two events.
const STEP: Duration = Duration::from_micros(100);
/// Where the VIPs begin: 10.128.0.0.
const FIRST: u32 = 0x0a80_0000;

/// An engine with services that are up, and a session with a peer that was told of them.
#[derive(Debug)]
pub struct Chain {
    engine: Engine,
    routes: RouteSet,
    session: Session,
    connection: Connection,
    vips: u32,
    /// The cookie of the next socket.
    cookie: u64,
    /// The socket of each VIP.
    sockets: Vec<SocketId>,
    now: Instant,
}

impl Chain {
    /// So many services, 1 to 131 072, each with an address, a socket and a route; no delays, no
    /// damping. The peer has all routes.
    pub fn new(vips: u32) -> Result<Self> {
        if !(1..=MOST).contains(&vips) {
            return Err(LabError::Missing(format!("a chain of {vips} VIPs: 1 to {MOST} are")));
        }
        let now = Instant::from_secs(1);
        let mut config = EngineConfig { networks: everything(), ..EngineConfig::default() };
        config.defaults.up_delay = Duration::ZERO;
        config.defaults.down_delay = Duration::ZERO;
        config.defaults.damping = None;
        let (session, connection) = established(now)?;
        let engine = Engine::new(config, now);
        let (routes, sockets) = (RouteSet::new(), Vec::new());
        let mut chain = Self { engine, routes, session, connection, vips, cookie: 0, sockets, now };
        for index in 0..vips {
            chain.observe(Observation::AddressChanged(address(vip(index))));
            let opened = chain.socket(index);
            chain.sockets.push(opened.id);
            chain.observe(Observation::ListenerOpened(opened));
        }
        for source in Source::ALL {
            chain.observe(Observation::Complete(source));
        }
        chain.tell();
        if chain.routes.len() != usize::try_from(vips).unwrap_or(usize::MAX) {
            let has = chain.routes.len();
            return Err(LabError::Missing(format!("{has} of {vips} routes in the desired set")));
        }
        Ok(chain)
    }

    /// The socket of one VIP closes: the engine decides.
    pub fn close(&mut self, index: u32) {
        let socket = self.sockets.get(slot(index)).copied();
        if let Some(socket) = socket {
            self.observe(Observation::ListenerClosed(socket));
        }
    }

    /// Another one listens in its place: the engine decides.
    pub fn open(&mut self, index: u32) {
        let opened = self.socket(index);
        if let Some(slot) = self.sockets.get_mut(slot(index)) {
            *slot = opened.id;
        }
        self.observe(Observation::ListenerOpened(opened));
    }

    /// The number of a VIP far from the last one: they come in no order that a cache would like.
    #[must_use]
    pub fn any(&self, run: u32) -> u32 {
        run.wrapping_mul(0x9e37_79b1) % self.vips
    }

    /// One input for the engine, and what it wants done.
    fn observe(&mut self, observation: Observation) {
        self.now = self.now + STEP;
        self.engine.handle(Input::Observation(observation), self.now);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::SetRoutes(routes) => self.routes = routes,
                Output::SetChecks => {}
                Output::Event(event) => drop(std::hint::black_box(event)),
            }
        }
        std::hint::black_box(self.engine.poll_timeout());
    }

    /// The session is told the whole set, and its octets are taken: how many the peer is sent.
    pub fn tell(&mut self) -> usize {
        self.session.set_routes(&self.routes, self.now);
        let mut total = 0;
        while let Some(bytes) = self.session.poll_write(self.connection, self.now) {
            let count = std::hint::black_box(bytes).len();
            total += count;
            let written = bgp::Input::Written { connection: self.connection, bytes: count };
            self.session.handle(written, self.now);
        }
        while self.session.poll_output().is_some() {}
        total
    }

    fn socket(&mut self, index: u32) -> Listener {
        self.cookie += 1;
        Listener {
            id: SocketId { protocol: Protocol::Tcp, cookie: self.cookie },
            address: ListenAddress::Address(vip(index)),
            port: 80,
        }
    }
}

/// The index of a VIP in the table of sockets.
fn slot(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn vip(index: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(FIRST.saturating_add(index)))
}

fn everything() -> Networks {
    let all = Prefix::truncating(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    Networks::new(all.into_iter().collect())
}

fn address(ip: IpAddr) -> LocalAddress {
    LocalAddress {
        id: AddressId { ip, prefix_length: 32, interface: 1 },
        device: "lo".into(),
        label: None,
        loopback: true,
        state: AddressState::Usable,
    }
}

/// A session that stands, with a peer that never says anything more.
fn established(now: Instant) -> Result<(Session, Connection)> {
    let (remote, local) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
    let mut config = PeerConfig::new(Asn(65000), Ipv4Addr::new(10, 0, 0, 2), remote, Asn(65001));
    config.policy.networks = everything();
    config.hold_time = Duration::ZERO;
    let mut session = Session::new(config, 1, now);
    session.handle(bgp::Input::Start, now);
    let outputs = std::iter::from_fn(|| session.poll_output()).collect::<Vec<_>>();
    let connects = outputs.iter().find_map(|output| match output {
        bgp::Output::Connect { connection } => Some(*connection),
        _ => None,
    });
    let connection =
        connects.ok_or_else(|| LabError::Missing("a session that connects".to_owned()))?;
    session.handle(bgp::Input::TcpConnected { connection, local, remote }, now);
    let open = Open {
        my_as: 65001,
        hold_time: 0,
        id: Ipv4Addr::new(10, 0, 0, 1),
        capabilities: vec![Capability::family(Family::Ipv4), Capability::FourOctetAs(Asn(65001))],
    };
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    encode_keepalive(&mut bytes);
    session.handle(bgp::Input::Received { connection, bytes: &bytes }, now);
    Ok((session, connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_reaches_the_peer() {
        for vips in [1, 100] {
            let mut chain = Chain::new(vips).unwrap();
            for run in 0..10 {
                let index = chain.any(run);
                // RFC 4271 section 4.3: 19 of the header, 2 and 2 of the lengths, 5 of a host route.
                chain.close(index);
                assert_eq!(chain.tell(), 28, "a withdrawal, of {vips}");
                chain.open(index);
                let announced = chain.tell();
                assert!((40..100).contains(&announced), "{announced} octets announce it");
            }
        }
    }

    #[test]
    fn no_chain_is_longer_than_the_engine_allows() {
        assert!(Chain::new(0).is_err());
        assert!(Chain::new(MOST + 1).is_err());
    }
}
