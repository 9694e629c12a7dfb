//! Two sessions and a network between them that delays, cuts pieces and breaks.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::IpAddr;

use rustbgpd_wire::attribute::PathAttribute;
use rustbgpd_wire::nlri::NlriEntry;

use super::*;
use crate::bgp::fsm::State;
use crate::bgp::wire::{Framer, HEADER};

/// What a listener makes of the bytes of one side, with a codec that is not ours.
#[derive(Default)]
pub(super) struct Tap {
    framer: Framer,
    /// Prefix and next hop.
    pub(super) table: BTreeMap<Prefix, IpAddr>,
}

impl Tap {
    fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((kind, message)) = self.framer.next(&mut bytes).expect("we send good bytes")
        {
            if kind != Kind::Update {
                continue;
            }
            let mut body = &message[HEADER..];
            let length = body.len();
            let update = rustbgpd_wire::UpdateMessage::decode(&mut body, length).unwrap();
            let parsed = update.parse_revised(true, false, false, &[]).unwrap();
            assert!(parsed.malformed.is_empty(), "{:?}", parsed.malformed);
            let v4 = |it: &rustbgpd_wire::nlri::Ipv4NlriEntry| {
                Prefix::truncating(IpAddr::V4(it.prefix.addr), it.prefix.len).unwrap()
            };
            let any = |it: &NlriEntry| match it.prefix {
                rustbgpd_wire::nlri::Prefix::V4(it) => {
                    Prefix::truncating(IpAddr::V4(it.addr), it.len).unwrap()
                }
                rustbgpd_wire::nlri::Prefix::V6(it) => {
                    Prefix::truncating(IpAddr::V6(it.addr), it.len).unwrap()
                }
            };
            let mut next_hop = None;
            let mut reached: Vec<Prefix> = parsed.update.announced.iter().map(v4).collect();
            let mut gone: Vec<Prefix> = parsed.update.withdrawn.iter().map(v4).collect();
            for attribute in &parsed.update.attributes {
                match attribute {
                    PathAttribute::NextHop(it) => next_hop = Some(IpAddr::V4(*it)),
                    PathAttribute::MpReachNlri(it) => {
                        next_hop = Some(it.next_hop);
                        reached.extend(it.announced.iter().map(any));
                    }
                    PathAttribute::MpUnreachNlri(it) => {
                        gone.extend(it.withdrawn.iter().map(any));
                    }
                    _ => {}
                }
            }
            for prefix in gone {
                assert!(self.table.remove(&prefix).is_some(), "{prefix} was never announced");
            }
            for prefix in reached {
                self.table.insert(prefix, next_hop.unwrap());
            }
        }
    }
}

struct Pipe {
    /// The name of the connection at each end, while that end is open.
    ends: [Option<Connection>; 2],
    /// Bytes on their way to each end.
    flight: [VecDeque<u8>; 2],
    /// Nothing comes after them.
    finished: [bool; 2],
    taps: [Tap; 2],
}

pub(super) struct Net {
    pub(super) sessions: [Session; 2],
    pub(super) events: [Vec<Event>; 2],
    pub(super) now: Instant,
    /// Attempts on their way: when, whose, what.
    dials: Vec<(Instant, usize, Connection)>,
    pipes: Vec<Pipe>,
    random: u64,
    incoming: u64,
    addresses: [IpAddr; 2],
    /// A frozen side does nothing, and its kernel keeps connections open.
    pub(super) frozen: [bool; 2],
    pub(super) unreachable: bool,
}

pub(super) const ADDRESSES: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

impl Net {
    pub(super) fn new(configs: [PeerConfig; 2], seed: u64) -> Self {
        let [a, b] = configs;
        let addresses = [b.peer.ip(), a.peer.ip()];
        let sessions = [Session::new(a, seed, at(1)), Session::new(b, seed + 1, at(1))];
        Self {
            sessions,
            events: [Vec::new(), Vec::new()],
            now: at(1),
            dials: Vec::new(),
            pipes: Vec::new(),
            random: seed | 1,
            incoming: 0,
            addresses,
            frozen: [false; 2],
            unreachable: false,
        }
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below.max(1)
    }

    pub(super) fn handle(&mut self, side: usize, input: Input<'_>) {
        self.sessions[side].handle(input, self.now);
        while let Some(output) = self.sessions[side].poll_output() {
            match output {
                Output::Connect { connection } => {
                    let delay = Duration::from_micros(100 + self.roll(5000));
                    self.dials.push((self.now + delay, side, connection));
                }
                Output::Close { connection, last, .. } => {
                    self.dials.retain(|(_, _, it)| *it != connection);
                    for pipe in &mut self.pipes {
                        if pipe.ends[side] == Some(connection) {
                            pipe.ends[side] = None;
                            pipe.taps[side].feed(&last);
                            pipe.flight[1 - side].extend(last.iter());
                            pipe.finished[1 - side] = true;
                        }
                    }
                }
                Output::Event(event) => self.events[side].push(event),
            }
        }
    }

    /// Does one thing that can be done now; false when there is none.
    fn step(&mut self) -> bool {
        if let Some(index) = self.dials.iter().position(|(due, ..)| *due <= self.now) {
            let (_, side, connection) = self.dials.swap_remove(index);
            self.dialled(side, connection);
            return true;
        }
        let first = usize::from(self.roll(2) == 0);
        for side in [first, 1 - first] {
            if self.frozen[side] {
                continue;
            }
            if self.sessions[side].poll_timeout().is_some_and(|due| due <= self.now) {
                self.handle(side, Input::Timeout);
                return true;
            }
            for index in 0..self.pipes.len() {
                if self.write(side, index) || self.read(side, index) {
                    return true;
                }
            }
        }
        self.pipes.retain(|pipe| pipe.ends != [None, None]);
        false
    }

    fn dialled(&mut self, side: usize, connection: Connection) {
        let other = 1 - side;
        let listens = self.sessions[other].config().mode != Mode::Active;
        if self.unreachable || !listens {
            self.handle(side, Input::TcpFailed { connection });
            return;
        }
        self.incoming += 1;
        let accepted = Connection::incoming(self.incoming);
        let mut ends = [None, None];
        ends[side] = Some(connection);
        ends[other] = Some(accepted);
        self.pipes.push(Pipe {
            ends,
            flight: Default::default(),
            finished: [false; 2],
            taps: Default::default(),
        });
        let mut order = [(side, connection), (other, accepted)];
        if self.roll(2) == 0 {
            order.reverse();
        }
        for (side, connection) in order {
            let (local, remote) = (self.addresses[side], self.addresses[1 - side]);
            self.handle(side, Input::TcpConnected { connection, local, remote });
        }
    }

    fn write(&mut self, side: usize, index: usize) -> bool {
        let Some(connection) = self.pipes[index].ends[side] else { return false };
        let most = 1 + self.roll(9000) as usize;
        if self.pipes[index].flight[1 - side].len() > 100_000 {
            return false;
        }
        let Some(bytes) = self.sessions[side].poll_write(connection, self.now) else {
            return false;
        };
        let bytes = bytes[..most.min(bytes.len())].to_vec();
        let pipe = &mut self.pipes[index];
        pipe.taps[side].feed(&bytes);
        pipe.flight[1 - side].extend(bytes.iter());
        self.handle(side, Input::Written { connection, bytes: bytes.len() });
        true
    }

    fn read(&mut self, side: usize, index: usize) -> bool {
        let Some(connection) = self.pipes[index].ends[side] else { return false };
        let most = 1 + self.roll(9000) as usize;
        let pipe = &mut self.pipes[index];
        let count = most.min(pipe.flight[side].len());
        let bytes: Vec<u8> = pipe.flight[side].drain(..count).collect();
        if !bytes.is_empty() {
            self.handle(side, Input::Received { connection, bytes: &bytes });
            return true;
        }
        if pipe.finished[side] {
            pipe.ends[side] = None;
            pipe.finished[1 - side] = true;
            self.handle(side, Input::TcpClosed { connection });
            return true;
        }
        false
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0u32;
        loop {
            while self.step() {
                steps += 1;
                assert!(steps < 2_000_000, "it never comes to rest");
            }
            let timers = (0..2)
                .filter(|side| !self.frozen[*side])
                .filter_map(|side| self.sessions[side].poll_timeout());
            let next = timers.chain(self.dials.iter().map(|(due, ..)| *due)).min();
            match next.filter(|next| *next <= end) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
        }
        self.now = end;
    }

    /// Breaks every connection; bytes on their way are lost.
    pub(super) fn cut(&mut self) {
        let pipes = core::mem::take(&mut self.pipes);
        for pipe in pipes {
            for side in 0..2 {
                if let Some(connection) = pipe.ends[side] {
                    self.handle(side, Input::TcpClosed { connection });
                }
            }
        }
    }

    pub(super) fn up(&self) -> bool {
        self.sessions.iter().all(|session| session.state() == State::Established)
    }

    /// What `side` told the other one on the connection that stands.
    pub(super) fn table(&self, side: usize) -> BTreeMap<Prefix, IpAddr> {
        let open: Vec<&Pipe> =
            self.pipes.iter().filter(|pipe| pipe.ends.iter().all(Option::is_some)).collect();
        assert_eq!(open.len(), 1, "one connection");
        open[0].taps[side].table.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.pipes.len()
    }
}
