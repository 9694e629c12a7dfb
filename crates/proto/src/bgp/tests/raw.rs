//! A session and a peer made by hand: bytes in, messages out.

use super::*;
use crate::bgp::fsm::State;
use crate::bgp::wire::{self, Framer, HEADER};

pub(super) struct Raw {
    pub(super) session: Session,
    pub(super) connection: Connection,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
    /// Bytes that the session wrote, last words included.
    pub(super) written: Vec<u8>,
    pub(super) closed: Option<bool>,
    pub(super) connects: usize,
}

impl Raw {
    pub(super) fn new(config: PeerConfig) -> Self {
        let mut raw = Self {
            session: Session::new(config, 1, at(1)),
            connection: Connection::incoming(u64::MAX),
            now: at(1),
            events: Vec::new(),
            written: Vec::new(),
            closed: None,
            connects: 0,
        };
        raw.handle(Input::Start);
        raw
    }

    pub(super) fn handle(&mut self, input: Input<'_>) {
        self.session.handle(input, self.now);
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect { connection } => {
                    self.connection = connection;
                    self.connects += 1;
                }
                Output::Close { connection, last, abort } => {
                    if connection == self.connection {
                        self.written.extend(last);
                        self.closed = Some(abort);
                    }
                }
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// Opens the connection that the session asked for.
    pub(super) fn connect(&mut self) {
        let connection = self.connection;
        let (local, remote) = (ip(OUR_ADDRESS), ip(PEER_ADDRESS));
        self.closed = None;
        self.handle(Input::TcpConnected { connection, local, remote });
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        let connection = self.connection;
        self.handle(Input::Received { connection, bytes });
    }

    /// Writes everything and hands out the messages.
    pub(super) fn messages(&mut self) -> Vec<(Kind, Vec<u8>)> {
        let connection = self.connection;
        while let Some(bytes) = self.session.poll_write(connection, self.now) {
            let bytes = bytes.to_vec();
            self.written.extend_from_slice(&bytes);
            self.handle(Input::Written { connection, bytes: bytes.len() });
        }
        self.drain();
        let written = core::mem::take(&mut self.written);
        let mut framer = Framer::default();
        framer.allow_extended();
        let mut input = written.as_slice();
        let mut found = Vec::new();
        while let Some((kind, message)) = framer.next(&mut input).unwrap() {
            found.push((kind, message[HEADER..].to_vec()));
        }
        found
    }

    pub(super) fn kinds(&mut self) -> Vec<Kind> {
        self.messages().into_iter().map(|(kind, _)| kind).collect()
    }

    /// The NOTIFICATION among what was written, if any.
    pub(super) fn notification(&mut self) -> Option<Notification> {
        let messages = self.messages();
        let found: Vec<Notification> = messages
            .iter()
            .filter(|(kind, _)| *kind == Kind::Notification)
            .map(|(_, body)| Notification::decode(body))
            .collect();
        assert!(found.len() <= 1, "{found:?}");
        found.into_iter().next()
    }

    /// Lets time pass, firing timers when they are due.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.handle(Input::Timeout);
        }
        self.now = end;
    }

    pub(super) fn up(config: PeerConfig, peer: &Open) -> Self {
        let mut raw = Self::new(config);
        raw.connect();
        raw.send(&bytes_of(peer));
        raw.send(&keepalive());
        assert_eq!(raw.session.state(), State::Established, "{:?}", raw.events);
        raw
    }

    pub(super) fn in_state(state: State) -> Self {
        let mut raw = Self::new(external());
        if state >= State::OpenSent {
            raw.connect();
        }
        if state >= State::OpenConfirm {
            raw.send(&bytes_of(&peer_open()));
        }
        if state >= State::Established {
            raw.send(&keepalive());
        }
        assert_eq!(raw.session.state(), state);
        raw.messages();
        raw
    }
}

pub(super) fn peer_open() -> Open {
    Open {
        my_as: 65001,
        hold_time: 90,
        id: Ipv4Addr::new(10, 0, 0, 1),
        capabilities: [
            Capability::family(Family::Ipv4),
            Capability::family(Family::Ipv6),
            Capability::RouteRefresh,
            Capability::FourOctetAs(Asn(65001)),
        ]
        .to_vec(),
    }
}

pub(super) fn bytes_of(open: &Open) -> Vec<u8> {
    let mut out = Vec::new();
    open.encode(&mut out);
    out
}

pub(super) fn keepalive() -> Vec<u8> {
    let mut out = Vec::new();
    wire::encode_keepalive(&mut out);
    out
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = [0xff; 16].to_vec();
    out.extend_from_slice(&u16::try_from(body.len() + HEADER).unwrap().to_be_bytes());
    out.push(kind);
    out.extend_from_slice(body);
    out
}
