//! A whole session and a peer that does anything.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use ha2bgp_core::net::{Networks, NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;

use crate::bgp::fsm::State;
use crate::bgp::wire::{
    self, Asn, Capability, Context, Families, Family, Framer, HEADER, Kind, Open, Refresh,
};
use crate::bgp::{
    Connection, Event, Input, Mode, Negotiated, Output, PeerConfig, Session, StopReason,
};

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const THEIRS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// One TCP connection as the peer sees it.
struct Ear {
    connection: Connection,
    framer: Framer,
    heard: Vec<Kind>,
    table: BTreeSet<Prefix>,
    agreed: Option<Negotiated>,
}

impl Ear {
    fn new(connection: Connection) -> Self {
        let mut framer = Framer::default();
        framer.allow_extended();
        let table = BTreeSet::new();
        Self { connection, framer, heard: Vec::new(), table, agreed: None }
    }

    /// What the session writes must be right in every respect.
    fn hear(&mut self, mut bytes: &[u8]) {
        loop {
            let (kind, message) = match self.framer.next(&mut bytes) {
                Ok(Some(found)) => found,
                Ok(None) => return,
                Err(error) => panic!("we wrote what cannot be read: {error}"),
            };
            assert!(!self.heard.contains(&Kind::Notification), "nothing follows a NOTIFICATION");
            let first = self.heard.is_empty();
            assert!(!first || matches!(kind, Kind::Open | Kind::Notification), "{kind:?} first");
            assert!(first || kind != Kind::Open, "a second OPEN");
            assert!(message.len() <= wire::MAX_MESSAGE);
            self.heard.push(kind);
            if kind == Kind::Update {
                let Some(agreed) = &self.agreed else { panic!("an UPDATE before its time") };
                let context = Context {
                    local_as: Asn(65001),
                    internal: false,
                    four_octet_as: agreed.four_octet_as,
                    families: agreed.families,
                    extended_next_hop: agreed.extended_next_hop,
                    add_path: agreed.add_path_send,
                };
                let body = message.get(HEADER..).unwrap_or(&[]);
                let table = &mut self.table;
                let result = wire::inspect_update(body, &context, &mut |heard| {
                    if heard.path.is_some() {
                        table.insert(heard.prefix);
                    } else {
                        assert!(table.remove(&heard.prefix), "it was never announced");
                    }
                });
                match result {
                    Ok(received) => assert_eq!(received.malformed, None),
                    Err(error) => panic!("we wrote a bad UPDATE: {error}"),
                }
            }
        }
    }
}

struct Bench {
    session: Session,
    now: Instant,
    dialing: Option<Connection>,
    ears: Vec<Ear>,
    incoming: u64,
    routes: RouteSet,
    stopped: bool,
}

/// Bytes as decisions.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn some(&mut self) -> &'a [u8] {
        let count = usize::from(self.next().unwrap_or(0)).min(self.0.len());
        let (taken, rest) = self.0.split_at_checked(count).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }
}

/// Any bytes as what a peer, the network, time and the engine do: no panic; something wakes the
/// session again; memory stays bounded; what is written is right; and once the peer behaves, it
/// hears what is wanted.
#[doc(hidden)]
pub fn fuzz_session(input: &[u8]) {
    let mut choices = Choices(input);
    let Some(mode) = choices.next() else { return };
    let mut bench = Bench::new(mode);
    bench.handle(Input::Start);
    while let Some(choice) = choices.next() {
        bench.step(choice, &mut choices);
        bench.check();
    }
    bench.converge();
}

impl Bench {
    fn new(mode: u8) -> Self {
        let mut config =
            PeerConfig::new(Asn(65000), Ipv4Addr::new(10, 0, 0, 2), THEIRS, Asn(65001));
        config.mode = match mode & 3 {
            0 => Mode::Active,
            1 => Mode::Passive,
            _ => Mode::Both,
        };
        config.families = Families::BOTH;
        config.max_prefixes = (mode & 4 != 0).then_some(10);
        config.count_announcers = mode & 8 != 0;
        config.add_path_send = (mode & 16 != 0).then_some(7);
        config.hold_end_of_rib = mode & 32 != 0;
        let networks = ["100.64.0.0/10", "2001:db8::/32"];
        config.policy.networks =
            Networks::new(networks.iter().filter_map(|it| it.parse().ok()).collect());
        config.policy.next_hop_v6 = "2001:db8:ffff::2".parse().ok();
        let now = Instant::from_secs(1);
        Self {
            session: Session::new(config, u64::from(mode), now),
            now,
            dialing: None,
            ears: Vec::new(),
            incoming: 0,
            routes: RouteSet::new(),
            stopped: false,
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.session.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.session.poll_output() {
            outputs += 1;
            assert!(outputs < Session::EVENTS_MAX + 16, "too much to do");
            match output {
                Output::Connect { connection } => {
                    assert_eq!(self.dialing, None, "two attempts at once");
                    self.dialing = Some(connection);
                }
                Output::Close { connection, last, .. } => {
                    if self.dialing == Some(connection) {
                        assert!(last.is_empty());
                        self.dialing = None;
                    }
                    let at = self.ears.iter().position(|ear| ear.connection == connection);
                    if let Some(at) = at {
                        self.ears.swap_remove(at).hear(&last);
                    }
                }
                Output::Event(Event::Established { negotiated }) => {
                    let way = negotiated.direction;
                    let ear = self.ears.iter_mut().find(|it| it.connection.direction == way);
                    if let Some(ear) = ear {
                        ear.agreed = Some(negotiated);
                    }
                }
                Output::Event(_) => {}
            }
        }
    }

    fn open(&mut self, connection: Connection) {
        self.ears.push(Ear::new(connection));
        self.handle(Input::TcpConnected { connection, local: OURS, remote: THEIRS });
    }

    /// Hands bytes to one of the connections, in two pieces.
    fn send(&mut self, which: u8, bytes: &[u8]) {
        let cut = usize::from(which >> 1).min(bytes.len());
        let at = usize::from(which & 1).min(self.ears.len().saturating_sub(1));
        let Some(connection) = self.ears.get(at).map(|ear| ear.connection) else { return };
        let (first, second) = bytes.split_at_checked(cut).unwrap_or((bytes, &[]));
        for bytes in [first, second] {
            self.handle(Input::Received { connection, bytes });
        }
    }

    /// Takes up to so many octets of what waits on each connection.
    fn write(&mut self, most: usize) -> bool {
        let mut wrote = false;
        let all: Vec<Connection> = self.ears.iter().map(|ear| ear.connection).collect();
        for connection in all {
            let wants = self.session.wants_write(connection);
            let waiting = self.session.poll_write(connection, self.now);
            assert_eq!(wants, waiting.is_some(), "it wants to write and does not, or does");
            let Some(waiting) = waiting else { continue };
            assert!(waiting.len() <= Session::WRITE_MAX + 2 * wire::MAX_MESSAGE);
            let bytes = waiting.get(..most.min(waiting.len())).unwrap_or(waiting).to_vec();
            self.drain();
            if let Some(ear) = self.ears.iter_mut().find(|ear| ear.connection == connection) {
                ear.hear(&bytes);
                wrote = true;
            }
            self.handle(Input::Written { connection, bytes: bytes.len() });
        }
        wrote
    }

    fn step(&mut self, choice: u8, choices: &mut Choices<'_>) {
        let which = choice >> 5;
        match choice & 15 {
            0 => {
                let bytes = choices.some();
                self.send(which, bytes);
            }
            1 => {
                let kind = choices.next().unwrap_or(0);
                let body = choices.some();
                self.send(which, &message(kind, body));
            }
            2 => self.send(which, &open(which)),
            3 => self.send(which, &message(4, &[])),
            4 => {
                let time = u64::from(choices.next().unwrap_or(0)).pow(2);
                self.pass(Duration::from_millis(time));
            }
            5 => {
                if let Some(connection) = self.dialing.take() {
                    self.open(connection);
                }
            }
            6 => {
                if let Some(connection) = self.dialing.take() {
                    self.handle(Input::TcpFailed { connection });
                }
            }
            7 => {
                if !self.ears.is_empty() {
                    let connection =
                        self.ears.swap_remove(usize::from(which) % self.ears.len()).connection;
                    self.handle(Input::TcpClosed { connection });
                }
            }
            8 => {
                self.incoming += 1;
                self.open(Connection::incoming(self.incoming));
            }
            9 => {
                for number in choices.some() {
                    let last_choice = which & 4 != 0;
                    let draining = last_choice && which & 8 != 0;
                    let route = Route { next_hop: NextHop::SelfAddress, last_choice, draining };
                    if self.routes.remove(prefix(*number)).is_none() {
                        self.routes.insert(prefix(*number), route);
                    }
                }
                self.session.set_routes(&self.routes, self.now);
            }
            10 => {
                let mut policy = self.session.config().policy.clone();
                policy.graceful_shutdown = which & 1 != 0;
                policy.med = (which & 2 != 0).then_some(1);
                if which & 4 == 0 {
                    self.session.set_policy(policy, self.now);
                } else {
                    let keepalive = (which & 8 != 0).then_some(Duration::from_secs(1));
                    let config = self.session.config().clone();
                    let config = PeerConfig { policy, keepalive, ..config };
                    self.session.set_live(&config, self.now);
                }
                let (routes, _) = self.session.routes(None, usize::from(which));
                assert!(routes.iter().all(|it| it.is_there || it.withheld.is_some()));
            }
            11 => {
                self.write(usize::from(which) * 30 + 1);
            }
            12 => self.stop(which),
            13 => {
                self.stopped = false;
                self.handle(Input::Start);
            }
            14 => {
                let mut bytes = Vec::new();
                wire::encode_refresh(&mut bytes, Family::Ipv4, Refresh::Request);
                self.send(which, &bytes);
            }
            _ => {
                let family = if which & 1 == 0 { Family::Ipv4 } else { Family::Ipv6 };
                self.session.release_end_of_rib(family, self.now);
            }
        }
    }

    fn stop(&mut self, which: u8) {
        self.stopped = true;
        let (reason, communication) = match which {
            0 => (StopReason::Shutdown, String::from("maintenance")),
            1 => (StopReason::Reset, String::new()),
            2 => (StopReason::BfdDown, String::new()),
            3 => return self.handle(Input::AddressGone),
            _ => return self.handle(Input::Restart),
        };
        self.handle(Input::Stop { reason, communication });
        assert!(self.ears.is_empty() && self.dialing.is_none(), "stopped is stopped");
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut fired = 0u32;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.handle(Input::Timeout);
            fired += 1;
            assert!(fired < 10_000, "timers that fire for ever");
        }
        self.now = end;
    }

    /// What holds at any time.
    fn check(&self) {
        let snapshot = self.session.snapshot();
        assert!(snapshot.unwritten <= Session::WRITE_MAX + 2 * wire::MAX_MESSAGE);
        assert!(snapshot.told <= self.routes.len() + 256);
        assert!(self.ears.len() <= 2, "two connections at most");
        // Something wakes it again: a timer, an attempt, or a peer that may come.
        let forever = snapshot.negotiated.is_some_and(|it| it.hold_time.is_zero());
        let waits = snapshot.state == State::Active && self.session.config().mode == Mode::Passive;
        let woken = self.session.poll_timeout().is_some() || self.dialing.is_some();
        assert!(woken || self.stopped || forever || waits, "{:?} for ever", snapshot.state);
    }

    /// The peer comes to its senses: it opens a connection, says what it must, and hears all.
    fn converge(&mut self) {
        for ear in core::mem::take(&mut self.ears) {
            self.handle(Input::TcpClosed { connection: ear.connection });
        }
        self.handle(Input::Start);
        for family in Family::ALL {
            self.session.release_end_of_rib(family, self.now);
        }
        for _ in 0..100 {
            if self.session.state() == State::Established {
                break;
            }
            let way = match self.dialing.take() {
                Some(connection) => connection,
                None if self.session.state() == State::Active
                    && self.session.config().mode != Mode::Active =>
                {
                    self.incoming += 1;
                    Connection::incoming(self.incoming)
                }
                None => {
                    self.pass(Duration::from_secs(10));
                    continue;
                }
            };
            self.open(way);
            self.send(0, &open(7));
            self.send(0, &message(4, &[]));
        }
        assert_eq!(self.session.state(), State::Established);
        for _ in 0..1000 {
            if !self.write(usize::MAX) {
                break;
            }
        }
        assert!(self.session.is_settled());
        let [ear] = self.ears.as_slice() else { panic!("one connection") };
        // A peer that refused our capabilities before gets a session without them.
        let families = ear.agreed.as_ref().map(|agreed| agreed.families).unwrap_or_default();
        let mut wanted = BTreeSet::new();
        self.routes.for_each(&mut |prefix, _| {
            if families.contains(Family::of(prefix)) {
                wanted.insert(prefix);
            }
        });
        assert_eq!(ear.table, wanted);
        assert_eq!(self.session.snapshot().told, wanted.len());
    }
}

fn prefix(number: u8) -> Prefix {
    if number & 1 == 0 {
        Prefix::host(IpAddr::V4(Ipv4Addr::new(100, 64, 0, number)))
    } else {
        let segments = [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number)];
        Prefix::host(IpAddr::from(segments))
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::from([0xff; 16]);
    let length = u16::try_from(HEADER + body.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(kind);
    out.extend_from_slice(body);
    out
}

/// An OPEN that is fine: three bits say what is in it, all of them everything.
fn open(flags: u8) -> Vec<u8> {
    let mut capabilities = Vec::from([
        Capability::family(Family::Ipv4),
        Capability::family(Family::Ipv6),
        Capability::FourOctetAs(Asn(65001)),
    ]);
    if flags & 1 != 0 {
        capabilities.extend([Capability::RouteRefresh, Capability::EnhancedRouteRefresh]);
    }
    if flags & 2 != 0 {
        capabilities.push(Capability::AddPath(Vec::from([(1, 1, 3), (2, 1, 3)])));
    }
    if flags & 4 != 0 {
        capabilities.extend([
            Capability::ExtendedMessages,
            Capability::ExtendedNextHop(Vec::from([(1, 1, 2)])),
        ]);
    }
    let id = Ipv4Addr::new(10, 0, 0, 1);
    let mut out = Vec::new();
    Open { my_as: 65001, hold_time: 9, id, capabilities }.encode(&mut out);
    out
}
