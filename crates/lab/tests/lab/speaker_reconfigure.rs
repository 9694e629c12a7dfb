//! Peers change while the speaker runs: those that do not are not spoken to, as both sides count;
//! those that do hear what is other, and nothing else.

use crate::speaker_stage::{SESSION, with_each_router};
use crate::stage::SOON;
use ha2bgp::announce::speaker::Peer;
use ha2bgp::announce::{Ended, PeerState};
use ha2bgp_core::net::NextHop;
use ha2bgp_core::net::{Networks, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Kind, Router};
use ha2bgp_lab::source::{self, Source};
use ha2bgp_lab::{LabError, Result, readme, wait};
use ha2bgp_proto::bgp::fsm::State;
use ha2bgp_proto::bgp::{Counters, GracefulRestart};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tempfile::TempDir;

/// UPDATE among the counters of messages.
const UPDATE: usize = 1;
/// NOTIFICATION.
const NOTIFICATION: usize = 2;

/// A speaker with two routers of one kind. The first one is there for good.
struct Stage {
    speaker: Source,
    routers: [Router; 2],
    _hosts: [Netns; 3],
    _dir: TempDir,
}

impl Stage {
    /// Both sessions are up and have three routes, one of them the last choice.
    fn start(kind: Kind) -> Result<Self> {
        let dir = readme::workdir()?;
        let hosts = [Netns::new("us")?, Netns::new("one")?, Netns::new("two")?];
        let [us, one, two] = &hosts;
        let router = |host: &Netns, number: u8| -> Result<Router> {
            let name = format!("router{number}");
            Router::beside(us, number, kind, host, &name, dir.path())
        };
        let routers = [router(one, 1)?, router(two, 2)?];
        let mut speaker = Source::start(Some(us), vec![peer(1), peer(2)], routes())?;
        for router in &routers {
            router.wait_established(true, SESSION)?;
            router.wait_count(3, SESSION)?;
        }
        let up = |peers: &[PeerState]| peers.iter().all(|it| it.session.told == 3);
        until(&mut speaker, "both have three routes", up)?;
        let mut stage = Self { speaker, routers, _hosts: hosts, _dir: dir };
        // FRR tells us our own routes, some time later.
        let mut before = None;
        wait::settled(SESSION, Duration::from_secs(3), "nobody speaks", || {
            let now = stage.quiet().map_err(|error| error.to_string())?;
            let same = before.as_ref() == Some(&now);
            before = Some(now);
            if same { Ok(()) } else { Err(format!("{before:?}")) }
        })?;
        Ok(stage)
    }

    /// What we have said to the first router, and all that it has counted.
    fn quiet(&mut self) -> Result<(Counters, String)> {
        let heard = self.routers[0].heard()?;
        let counters = counters(self.speaker.peers(), 1)?;
        // What it says to us makes no news: the state shows it later.
        let (received, received_bytes, received_announced, as_loops) = ([0; 5], 0, 0, 0);
        let said = Counters { received, received_bytes, received_announced, as_loops, ..counters };
        Ok((said, heard))
    }

    /// Speaks to these peers, and waits until the newest state is so.
    fn configure(
        &mut self,
        peers: Vec<Peer>,
        what: &str,
        is: impl Fn(&[PeerState]) -> bool,
    ) -> Result<()> {
        self.speaker.configure(peers);
        until(&mut self.speaker, what, is)
    }
}

fn until(speaker: &mut Source, what: &str, is: impl Fn(&[PeerState]) -> bool) -> Result<()> {
    wait::until(SESSION, what, || {
        let peers = speaker.peers();
        if !peers.is_empty() && is(peers) { Ok(()) } else { Err(format!("{peers:#?}")) }
    })
}

fn address(number: u8) -> IpAddr {
    IpAddr::from([10, 9, number, 2])
}

/// Without keepalives: whatever is said is about the change.
fn peer(number: u8) -> Peer {
    let mut peer = source::peer(65000, SocketAddr::new(address(number), 179), 65001);
    peer.config.hold_time = Duration::ZERO;
    peer.config.keepalive = None;
    peer
}

fn changed(number: u8, change: impl FnOnce(&mut Peer)) -> Peer {
    let mut peer = peer(number);
    change(&mut peer);
    peer
}

fn prefix(last: u8) -> Prefix {
    Prefix::host(IpAddr::from([100, 64, 0, last]))
}

fn routes() -> RouteSet {
    let route = |last_choice| Route { last_choice, ..Route::new(NextHop::SelfAddress) };
    [(1, false), (2, false), (9, true)]
        .map(|(it, last)| (prefix(it), route(last)))
        .into_iter()
        .collect()
}

fn of(peers: &[PeerState], number: u8) -> Option<&PeerState> {
    peers.iter().find(|it| it.peer.ip() == address(number))
}

fn counters(peers: &[PeerState], number: u8) -> Result<Counters> {
    let peer = of(peers, number).ok_or_else(|| LabError::Missing(format!("peer {number}")))?;
    Ok(peer.session.counters)
}

/// So many routes were announced and withdrawn in one session, and it is quiet.
fn has_said(peers: &[PeerState], number: u8, announced: u64, withdrawn: u64) -> bool {
    of(peers, number).is_some_and(|it| {
        let counters = it.session.counters;
        let settled = it.session.pending == 0 && it.session.unwritten == 0;
        (counters.announced, counters.withdrawn) == (announced, withdrawn) && settled
    })
}

/// One peer changes in every way there is, goes, and comes back; the other one hears nothing of it.
fn those_that_do_not_change_hear_nothing(kind: Kind) -> Result<()> {
    let mut stage = Stage::start(kind)?;
    let before = stage.quiet()?;
    // The same.
    let two = changed(2, |it| it.config.policy.med = Some(77));
    stage.configure(vec![peer(1), peer(2)], "nothing", |_| true)?;
    // Another MED: those routes that have no MED of their own.
    let text = "the new MED is told";
    stage.configure(vec![peer(1), two.clone()], text, |it| has_said(it, 2, 3 + 2, 0))?;
    wait::until(SOON, "the router has it", || {
        let route = stage.routers[1].route("100.64.0.1/32").map_err(|error| error.to_string())?;
        let med = if kind == Kind::Bird { "BGP.med: 77" } else { "metric 77" };
        if route.contains(med) { Ok(()) } else { Err(route) }
    })?;
    // One network less.
    let mut narrow = two.clone();
    let networks = vec![prefix(1), prefix(9)];
    narrow.config.policy.networks = Networks::new(networks);
    let text = "one route is withdrawn";
    stage.configure(vec![narrow, peer(1)], text, |it| has_said(it, 2, 5, 1))?;
    stage.routers[1].wait_count(2, SOON)?;
    let counters = counters(stage.speaker.peers(), 2)?;
    assert_eq!((counters.established, counters.dropped), (1, 0));
    assert_eq!(stage.quiet()?, before);
    // Another session, with what the changes before were.
    let restarted = changed(2, |it| it.config.hold_time = Duration::from_secs(90));
    let up = |it: &PeerState| it.session.state == State::Established;
    stage.configure(vec![peer(1), restarted.clone()], "the session is another one", |peers| {
        of(peers, 2).is_some_and(|it| up(it) && it.session.counters.established == 2)
    })?;
    stage.routers[1].wait_count(3, SESSION)?;
    // No peer any more: first the routes, then the session.
    stage.configure(vec![peer(1)], "one peer", |peers| of(peers, 2).is_none())?;
    stage.routers[1].wait_established(false, SOON)?;
    let neighbor = stage.routers[1].neighbor()?;
    let said = if kind == Kind::Bird { "Peer de-configured" } else { "Cease/Peer De-configured" };
    assert!(neighbor.contains(said), "{neighbor}");
    // And back.
    stage.configure(vec![restarted, peer(1)], "two peers", |peers| {
        of(peers, 2).is_some_and(|it| up(it) && it.session.told == 3)
    })?;
    stage.routers[1].wait_count(3, SESSION)?;
    assert_eq!(stage.quiet()?, before);
    // It is there all the same.
    stage.speaker.set(RouteSet::new());
    stage.routers[0].wait_count(0, SOON)?;
    assert_ne!(stage.routers[0].heard()?, before.1, "what is compared does count");
    let reports = stage.speaker.reports();
    assert_eq!(stage.speaker.stop()?, Ended::Finished, "{reports}");
    Ok(())
}
with_each_router!(those_that_do_not_change_hear_nothing: bird = Bird, frr = Frr);

/// A router that helps with graceful restart keeps the routes while the session is made anew.
fn routes_stay_over_another_session(kind: Kind) -> Result<()> {
    let mut stage = Stage::start(kind)?;
    let helped = |seconds| {
        changed(2, |it| {
            let restart_time = Duration::from_secs(seconds);
            let restart = GracefulRestart { restart_time, ..GracefulRestart::default() };
            it.config.graceful_restart = Some(restart);
        })
    };
    // There was no graceful restart: this one ends with Cease/6.
    let established = |count: u64| {
        move |peers: &[PeerState]| {
            of(peers, 2).is_some_and(|it| {
                let all = it.session.state == State::Established && it.session.told == 3;
                all && it.session.counters.established == count
            })
        }
    };
    stage.configure(vec![peer(1), helped(20)], "the session helps", established(2))?;
    stage.routers[1].wait_count(3, SESSION)?;
    let notifications = counters(stage.speaker.peers(), 2)?.sent[NOTIFICATION];
    assert_eq!(notifications, 1);
    // Nobody sees a table without them.
    stage.speaker.configure(vec![peer(1), helped(30)]);
    wait::until(SESSION, "the session is another one", || {
        match stage.routers[1].count() {
            Ok(3) => {}
            other => panic!("{other:?}: the routes are gone"),
        }
        let peers = stage.speaker.peers();
        if established(3)(peers) { Ok(()) } else { Err(format!("{peers:#?}")) }
    })?;
    wait::holds(Duration::from_secs(1), "the routes stay", || match stage.routers[1].count() {
        Ok(3) => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    let counters = counters(stage.speaker.peers(), 2)?;
    assert_eq!(counters.sent[NOTIFICATION], notifications, "nothing was said");
    assert!(counters.sent[UPDATE] > 0);
    assert_eq!(stage.speaker.stop()?, Ended::Finished);
    Ok(())
}
with_each_router!(routes_stay_over_another_session: bird = Bird, frr = Frr);
