//! Two connections at once (RFC 4271 section 6.8).

use Direction::{Incoming, Outgoing};

use super::raw::{bytes_of, keepalive, peer_open};
use super::*;
use crate::bgp::fsm::State;

/// What became of both connections.
#[derive(Debug, Eq, PartialEq)]
struct Fate {
    /// The NOTIFICATION that closed it, or `None` while it lives.
    outgoing: Option<Option<(u8, u8)>>,
    incoming: Option<Option<(u8, u8)>>,
}

struct Two {
    session: Session,
    outgoing: Option<Connection>,
    incoming: Connection,
    fate: Fate,
}

impl Two {
    fn new(config: PeerConfig) -> Self {
        let mut two = Self {
            session: Session::new(config, 1, at(1)),
            outgoing: None,
            incoming: Connection::incoming(1),
            fate: Fate { outgoing: None, incoming: None },
        };
        two.handle(Input::Start);
        two
    }

    fn handle(&mut self, input: Input<'_>) {
        self.session.handle(input, at(1));
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect { connection } => self.outgoing = Some(connection),
                Output::Close { connection, last, .. } => {
                    // The header of the NOTIFICATION is the last one.
                    let said = last.len().checked_sub(2).map(|at| (last[at], last[at + 1]));
                    let fate = match connection.direction {
                        Outgoing => &mut self.fate.outgoing,
                        Incoming => &mut self.fate.incoming,
                    };
                    *fate = Some(said);
                }
                Output::Event(_) => {}
            }
        }
    }

    fn connection(&self, direction: Direction) -> Connection {
        match direction {
            Outgoing => self.outgoing.unwrap(),
            Incoming => self.incoming,
        }
    }

    fn connect(&mut self, direction: Direction) {
        let connection = self.connection(direction);
        let (local, remote) = (ip(OUR_ADDRESS), ip(PEER_ADDRESS));
        self.handle(Input::TcpConnected { connection, local, remote });
    }

    fn send(&mut self, direction: Direction, bytes: &[u8]) {
        let connection = self.connection(direction);
        self.handle(Input::Received { connection, bytes });
    }
}

fn both() -> PeerConfig {
    let mut config = external();
    config.mode = Mode::Both;
    config
}

#[test]
fn the_higher_identifier_keeps_the_connection_that_it_opened() {
    let collision = Some(Some((6, 7)));
    // Ours is 10.0.0.2 in AS 65000, the peer is in 65001: equal identifiers make it the larger.
    for (peer_id, we_win) in
        [("10.0.0.1", true), ("10.0.0.3", false), ("9.255.255.255", true), ("10.0.0.2", false)]
    {
        let open = bytes_of(&Open { id: peer_id.parse().unwrap(), ..peer_open() });
        let fate = match we_win {
            true => Fate { outgoing: None, incoming: collision },
            false => Fate { outgoing: collision, incoming: None },
        };
        for [first, second] in [[Outgoing, Incoming], [Incoming, Outgoing]] {
            for [opens, closes] in [[Outgoing, Incoming], [Incoming, Outgoing]] {
                let mut two = Two::new(both());
                two.connect(first);
                two.connect(second);
                assert_eq!(two.session.state(), State::OpenSent);
                two.send(opens, &open);
                assert_eq!(two.fate, Fate { outgoing: None, incoming: None });
                two.send(closes, &open);
                assert_eq!(two.fate, fate, "{peer_id} {first:?} {opens:?}");
                assert_eq!(two.session.state(), State::OpenConfirm);
                let winner = if we_win { Outgoing } else { Incoming };
                two.send(winner, &keepalive());
                assert_eq!(two.session.state(), State::Established);
                assert_eq!(two.session.negotiated().unwrap().direction, winner);
            }
        }
    }
}

#[test]
fn a_session_that_stands_is_kept() {
    let open = bytes_of(&peer_open());
    let mut two = Two::new(both());
    two.connect(Outgoing);
    two.send(Outgoing, &open);
    two.send(Outgoing, &keepalive());
    two.connect(Incoming);
    // Tracked until it shows an OPEN.
    assert_eq!(two.fate, Fate { outgoing: None, incoming: None });
    two.send(Incoming, &open);
    assert_eq!(two.fate, Fate { outgoing: None, incoming: Some(Some((6, 7))) });
    assert_eq!(two.session.state(), State::Established);
}

#[test]
fn a_peer_that_restarts_gracefully_replaces_its_session() {
    let mut peer = peer_open();
    peer.capabilities.push(Capability::GracefulRestart {
        restarting: true,
        notification: false,
        restart_time: 60,
        families: [(1, 1, true)].to_vec(),
    });
    let open = bytes_of(&peer);
    let mut two = Two::new(both());
    two.session.set_routes(&hosts(3), at(1));
    two.connect(Outgoing);
    two.send(Outgoing, &open);
    two.send(Outgoing, &keepalive());
    two.connect(Incoming);
    two.send(Incoming, &open);
    // Without a NOTIFICATION (RFC 4724 section 4.2).
    assert_eq!(two.fate, Fate { outgoing: Some(None), incoming: None });
    two.send(Incoming, &keepalive());
    assert_eq!(two.session.state(), State::Established);
    assert_eq!(two.session.snapshot().pending, 3);
}

#[test]
fn an_attempt_is_given_up_when_the_peer_was_faster() {
    let mut two = Two::new(both());
    two.connect(Incoming);
    two.send(Incoming, &bytes_of(&peer_open()));
    assert_eq!(two.fate, Fate { outgoing: None, incoming: None });
    two.send(Incoming, &keepalive());
    assert_eq!(two.fate, Fate { outgoing: Some(None), incoming: None });
    assert_eq!(two.session.state(), State::Established);
    // What the attempt comes to is of no interest any more.
    two.connect(Outgoing);
    assert_eq!(two.session.state(), State::Established);
}

#[test]
fn the_peer_may_try_again_but_not_a_third_time_at_once() {
    let mut two = Two::new(both());
    two.connect(Outgoing);
    two.connect(Incoming);
    two.incoming = Connection::incoming(2);
    two.connect(Incoming);
    // The older one that never said anything makes room.
    assert_eq!(two.fate.incoming, Some(Some((6, 7))));
    two.fate.incoming = None;
    two.send(Incoming, &bytes_of(&peer_open()));
    assert_eq!(two.session.state(), State::OpenConfirm);
    assert_eq!(two.fate, Fate { outgoing: None, incoming: None });
}
