use ha2bgp_proto::bfd::{Diagnostic, Event, Session};
use ha2bgp_proto::bgp::fsm::State;
use ha2bgp_proto::bgp::wire::Asn;
use ha2bgp_proto::bgp::{Backoff, PeerConfig};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;
use crate::announce::speaker::Peer;
use crate::announce::{Reports, What};
use crate::bfd::states::tests::{end, of, speak};

const LONGEST: Duration = Duration::from_secs(5);

/// A peer, the two ends of its BFD session, and what is told.
struct Stage {
    peer: Running,
    us: Session,
    them: Session,
    changed: Option<(Instant, ha2bgp_proto::bfd::Cause)>,
    told: tokio::sync::mpsc::Receiver<crate::announce::Report>,
    reports: Reports,
    now: Instant,
}

impl Stage {
    fn new(strict: bool) -> Self {
        let address = IpAddr::from([192, 0, 2, 1]);
        let id = Ipv4Addr::new(10, 1, 1, 1);
        let mut config = PeerConfig::new(Asn(65000), id, address, Asn(65001));
        config.idle_hold = Backoff { first: Duration::from_secs(1), max: LONGEST };
        let target = Target::neighbor(config.peer);
        let peer = Peer {
            config,
            port: 179,
            socket: ha2bgp_sys::tcp::Options::default(),
            bfd: Some(Binding { target, strict }),
            defer_end_of_rib: Duration::ZERO,
        };
        let (channel, told) = tokio::sync::mpsc::channel(64);
        Self {
            peer: Running::start(peer, 1, Instant::START),
            us: end(1),
            them: end(2),
            changed: None,
            told,
            reports: Reports { channel, lost: 0 },
            now: Instant::START,
        }
    }

    /// Both ends speak, or only they who are named are heard; the peer looks at what comes of it.
    fn look(&mut self) {
        while let Some(event) = self.us.poll_event() {
            if let Event::StateChanged { from, to, cause } = event
                && (from == ha2bgp_proto::bfd::State::Up || to == ha2bgp_proto::bfd::State::Up)
            {
                self.changed = Some((self.now, cause));
            }
        }
        let state = SessionState { changed: self.changed, ..of(&self.us) };
        let target = self.peer.peer.bfd.as_ref().unwrap().target.clone();
        let states = States::new([(target, state)].into(), 0);
        let mut news = false;
        let mut tell = Tell { reports: &mut self.reports, news: &mut news };
        self.peer.look_at_way(&states, self.now, &mut tell);
    }

    fn comes_up(&mut self) {
        speak(&mut self.us, &mut self.them, self.now);
        for _ in 0..6 {
            if self.us.state() != ha2bgp_proto::bfd::State::Up {
                self.now = self.now + Duration::from_secs(1);
                self.them.handle_timeout(self.now);
                speak(&mut self.us, &mut self.them, self.now);
            }
        }
        self.look();
        assert!(self.us.status().state == ha2bgp_proto::bfd::State::Up);
    }

    /// So long nothing is heard.
    fn silence(&mut self, time: Duration) {
        self.now = self.now + time;
        self.us.handle_timeout(self.now);
        while self.us.poll_transmit(self.now).is_some() {}
        self.look();
    }

    /// Whether BGP tries to have a session.
    fn tries(&self) -> bool {
        self.peer.session.snapshot().state != State::Idle
    }

    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Ok(report) = self.told.try_recv() {
            if let What::PeerUnreachable { error, .. } = report.what {
                said.push(error);
            }
        }
        said
    }
}

#[test]
fn without_strict_bgp_waits_for_nothing_until_the_way_fails() {
    let mut stage = Stage::new(false);
    stage.look();
    assert!(stage.tries(), "the peer may have no BFD");
    stage.silence(Duration::from_secs(30));
    assert!(stage.tries(), "it was never up");
    stage.comes_up();
    stage.silence(Duration::from_millis(901));
    assert!(!stage.tries());
    let said = stage.said();
    assert_eq!(
        said,
        ["BFD is down: nothing was heard for the detection time; BGP waits until it is up"]
    );
    // It is not called again before its longest pause is over,
    stage.peer.go_on_waiting(stage.now + (LONGEST - Duration::from_millis(1)));
    assert!(!stage.tries());
    // or BFD is up.
    stage.comes_up();
    assert!(stage.tries());
    stage.silence(Duration::from_millis(901));
    assert_eq!(stage.peer.way.wake(), Some(stage.now + LONGEST));
    stage.peer.go_on_waiting(stage.now + LONGEST);
    assert!(stage.tries() && stage.peer.way.wake().is_none());
}

#[test]
fn strict_waits_for_the_way() {
    let mut stage = Stage::new(true);
    stage.look();
    assert!(!stage.tries());
    assert_eq!(stage.said(), ["waits until BFD is up (strict)"]);
    stage.silence(2 * LONGEST);
    stage.peer.go_on_waiting(stage.now);
    assert!(!stage.tries(), "for as long as it takes");
    stage.comes_up();
    assert!(stage.tries());
    stage.silence(Duration::from_millis(901));
    assert!(!stage.tries());
    stage.peer.go_on_waiting(stage.now + 2 * LONGEST);
    assert!(!stage.tries());
    // What is no longer strict need not wait.
    stage.peer.peer.bfd.as_mut().unwrap().strict = false;
    stage.look();
    assert!(stage.tries());
}

#[test]
fn what_the_peer_does_on_purpose_ends_nothing() {
    for strict in [false, true] {
        let mut stage = Stage::new(strict);
        stage.comes_up();
        stage.them.admin_down(Diagnostic::AdministrativelyDown, stage.now);
        speak(&mut stage.us, &mut stage.them, stage.now);
        stage.look();
        // Strict: there is no BGP yet, and none begins.
        assert_eq!(stage.tries(), !strict);
        stage.silence(Duration::from_secs(30));
        assert_eq!(stage.tries(), !strict);
        stage.peer.up = true;
        let before = stage.said().len();
        stage.silence(Duration::from_secs(30));
        assert_eq!(stage.said().len(), 0, "{before}");
    }
}

/// A session that is restarted, or was up and down again between two looks.
#[test]
fn failures_are_counted_and_not_guessed() {
    let mut stage = Stage::new(false);
    stage.comes_up();
    stage.now = stage.now + Duration::from_secs(1);
    stage.us.handle_timeout(stage.now);
    speak(&mut stage.us, &mut stage.them, stage.now);
    speak(&mut stage.us, &mut stage.them, stage.now);
    stage.now = stage.now + Duration::from_secs(1);
    speak(&mut stage.us, &mut stage.them, stage.now);
    stage.look();
    assert_eq!(stage.said().len(), 1, "it has failed, although it is up again");
    assert!(stage.tries(), "and BGP begins anew");
    // Another session: what its own one counts is no failure of this one.
    let (mut us, mut them) = (end(3), end(4));
    speak(&mut us, &mut them, stage.now);
    (stage.us, stage.them) = (us, them);
    stage.look();
    assert!(stage.said().is_empty() && stage.tries());
}
