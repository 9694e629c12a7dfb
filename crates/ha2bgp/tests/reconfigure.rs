//! The peers of the speaker change while it runs, over real TCP.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod receiver;

use std::future::Future;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ha2bgp::announce::questions::{Ask, Page, Place, Questions};
use ha2bgp::announce::speaker::{Change, Configuration, Doorbells, Effect, Field, Peer};
use ha2bgp::announce::{
    Announcer, Desired, Ended, PeerNews, PeerState, Report, Speaker, What, WhyNot,
};
use ha2bgp::clock::Clock;
use ha2bgp_core::net::{Networks, NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_proto::bgp::wire::Asn;
use ha2bgp_proto::bgp::{PeerConfig, Withheld};
use ha2bgp_sys::tcp;
use receiver::Receiver;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How long anything may take on a busy machine. Nothing waits for it in vain.
const PATIENCE: Duration = Duration::from_secs(30);

async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("takes for ever")
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, number)
}

fn prefix(last: u8) -> Prefix {
    Prefix::host(IpAddr::from([10, 0, 0, last]))
}

fn set(range: std::ops::Range<u8>) -> RouteSet {
    range.map(|last| (prefix(last), Route::new(NextHop::SelfAddress))).collect()
}

fn desire(routes: RouteSet) -> Desired {
    Desired { routes, complete: true, ..Desired::default() }
}

/// A router: reads lines aside, and tells them with the end of the session.
#[derive(Debug)]
struct Router {
    peer: Peer,
    /// A line, or the NOTIFICATION at the end.
    lines: mpsc::Receiver<Result<String, [u8; 2]>>,
}

impl Router {
    fn start(number: u8) -> Self {
        let (mut receiver, at) = Receiver::listen(address(number)).unwrap();
        let id = Ipv4Addr::new(10, 1, 1, 1);
        let mut config = PeerConfig::new(Asn(65000), id, at.ip(), Asn(receiver::ASN.into()));
        // Its own address is no next hop that a peer takes.
        config.local = Some(receiver::SPEAKER.into());
        config.policy.networks = Networks::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let socket = tcp::Options::default();
        let peer =
            Peer { config, port: at.port(), socket, bfd: None, defer_end_of_rib: Duration::ZERO };
        let (send, lines) = mpsc::channel(1000);
        std::thread::spawn(move || {
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            loop {
                match receiver.read(&mut buffer) {
                    Ok(0) => {
                        let end = receiver.notification.take().unwrap();
                        if send.blocking_send(Err(end)).is_err() {
                            return;
                        }
                    }
                    Ok(count) => text.extend_from_slice(&buffer[..count]),
                    Err(_) => return,
                }
                while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    let line = String::from_utf8(line).unwrap().trim_end().to_owned();
                    if send.blocking_send(Ok(line)).is_err() {
                        return;
                    }
                }
            }
        });
        Self { peer, lines }
    }

    async fn next(&mut self) -> Result<String, [u8; 2]> {
        in_time(self.lines.recv()).await.unwrap()
    }

    async fn announces(&mut self, range: std::ops::Range<u8>) {
        for last in range {
            let line = format!("announce route 10.0.0.{last} next-hop self");
            assert_eq!(self.next().await, Ok(line));
        }
    }

    fn hears_nothing(&mut self) {
        assert_eq!(self.lines.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    }
}

struct Bench {
    desired: watch::Sender<Desired>,
    configuration: watch::Sender<Configuration>,
    reports: mpsc::Receiver<Report>,
    questions: Questions,
    task: JoinHandle<Ended>,
}

impl Bench {
    fn start(peers: Vec<Peer>, first: RouteSet) -> Self {
        let (desired, watched) = watch::channel(desire(first));
        let (configuration, changed) = watch::channel(Configuration::default());
        let (questions, inbox) = Questions::channel();
        let doorbells = Doorbells { configuration: changed, ..Doorbells::silent() };
        let speaker = Speaker::new(peers, Vec::new(), Clock::start(), u64::MAX);
        let speaker = Box::new(speaker.with(doorbells).answering(inbox));
        let (sender, reports) = mpsc::channel(1000);
        let task = tokio::spawn(speaker.run(watched, sender));
        Self { desired, configuration, reports, questions, task }
    }

    fn configure(&self, peers: Vec<Peer>) {
        self.configuration.send_replace(Configuration { peers, listen: Vec::new() });
    }

    /// What is told until the state is so.
    async fn until(&mut self, is: impl Fn(&[PeerState]) -> bool) -> (Vec<PeerState>, Vec<String>) {
        let mut news = Vec::new();
        loop {
            match in_time(self.reports.recv()).await.unwrap().what {
                What::Speaker(state) if is(&state.peers) => return (state.peers, news),
                What::PeerConfiguration { peer, news: it } => news.push(match it {
                    PeerNews::Added => format!("{peer} added"),
                    PeerNews::Removed => format!("{peer} removed"),
                    PeerNews::Changed(change) => format!("{peer} {change}"),
                }),
                _ => {}
            }
        }
    }

    /// Waits until a peer has another configuration.
    async fn until_news(&mut self) {
        let is_news = |report: Report| matches!(report.what, What::PeerConfiguration { .. });
        while !is_news(in_time(self.reports.recv()).await.unwrap()) {}
    }

    async fn ask(&self, ask: Ask) -> Page {
        self.questions.routes(ask).await.unwrap()
    }

    async fn end(self) {
        drop(self.desired);
        assert_eq!(in_time(self.task).await.unwrap(), Ended::Finished);
    }
}

fn told(peers: &[PeerState], number: u8) -> Option<usize> {
    let peer = peers.iter().find(|it| it.peer.ip() == IpAddr::V4(address(number)))?;
    Some(peer.session.told)
}

#[tokio::test]
async fn peers_come_and_go_and_the_others_hear_nothing() {
    let [mut one, mut two] = [1, 2].map(Router::start);
    let mut bench = Bench::start(vec![one.peer.clone()], set(1..4));
    one.announces(1..4).await;
    let (before, _) = bench.until(|it| told(it, 1) == Some(3)).await;
    // One more.
    bench.configure(vec![two.peer.clone(), one.peer.clone()]);
    two.announces(1..4).await;
    let (_, news) = bench.until(|it| told(it, 2) == Some(3)).await;
    assert_eq!(news, ["127.0.1.2 added"]);
    // The same once more, and one change of two.
    bench.configure(vec![two.peer.clone(), one.peer.clone()]);
    let mut narrow = two.peer.clone();
    narrow.config.policy.networks = Networks::new(vec![prefix(1), prefix(3)]);
    bench.configure(vec![one.peer.clone(), narrow.clone()]);
    assert_eq!(two.next().await, Ok("withdraw route 10.0.0.2 next-hop self".to_owned()));
    let (_, news) = bench.until(|it| told(it, 2) == Some(2)).await;
    assert_eq!(news, ["127.0.1.2 networks: the session stays"]);
    // It goes: first the routes, then the session.
    bench.configure(vec![one.peer.clone()]);
    for last in [1, 3] {
        assert_eq!(two.next().await, Ok(format!("withdraw route 10.0.0.{last} next-hop self")));
    }
    assert_eq!(two.next().await, Err([6, 3]));
    let (_, news) = bench.until(|it| told(it, 2).is_none()).await;
    assert_eq!(news, ["127.0.1.2 removed"]);
    // It comes, and comes back before it is gone.
    bench.configure(vec![one.peer.clone(), two.peer.clone()]);
    two.announces(1..4).await;
    bench.until(|it| told(it, 2) == Some(3)).await;
    bench.configure(vec![one.peer.clone()]);
    // Most likely it is still there; what is said is the same if not.
    bench.until_news().await;
    bench.configure(vec![one.peer.clone(), two.peer.clone()]);
    for last in 1..4 {
        assert_eq!(two.next().await, Ok(format!("withdraw route 10.0.0.{last} next-hop self")));
    }
    assert_eq!(two.next().await, Err([6, 3]));
    two.announces(1..4).await;
    let (after, _) = bench.until(|it| told(it, 2) == Some(3)).await;
    assert_eq!(before[0].session.counters, after[0].session.counters);
    one.hears_nothing();
    // It is spoken to all the same.
    bench.desired.send_replace(desire(set(1..5)));
    one.announces(4..5).await;
    two.announces(4..5).await;
    // What is said when a session begins was decided before it.
    let times = |it: &PeerState| (it.decided_to_sent.count(), it.sent_to_acknowledged.count());
    bench.until(|it| it.iter().all(|it| times(it).0 == 1 && times(it).1 >= 2)).await;
    bench.end().await;
    for router in [&mut one, &mut two] {
        assert_eq!(router.next().await, Err([6, 2]));
    }
}

/// What needs another session, with what the session does not help with; then all at once.
#[tokio::test]
async fn another_session_begins_at_once() {
    let [mut one, mut two] = [1, 2].map(Router::start);
    let mut bench = Bench::start(vec![one.peer.clone(), two.peer.clone()], set(1..4));
    one.announces(1..4).await;
    two.announces(1..4).await;
    let mut other = two.peer.clone();
    other.config.hold_time = Duration::from_secs(30);
    bench.configure(vec![one.peer.clone(), other.clone()]);
    // Without graceful restart on the other side it is told.
    assert_eq!(two.next().await, Err([6, 6]));
    two.announces(1..4).await;
    let established = |count: u64| {
        move |peers: &[PeerState]| {
            let all = peers.iter().all(|it| it.session.told == 3);
            all && peers[1].session.counters.established == count
        }
    };
    let (_, news) = bench.until(established(2)).await;
    assert_eq!(news, ["127.0.1.2 hold-time: the session restarts"]);
    // Another change before the session is up again.
    other.config.router_id = Ipv4Addr::new(10, 1, 1, 9);
    bench.configure(vec![one.peer.clone(), other.clone()]);
    other.config.policy.networks = Networks::new(vec![prefix(3)]);
    bench.configure(vec![one.peer.clone(), other.clone()]);
    assert_eq!(two.next().await, Err([6, 6]));
    two.announces(3..4).await;
    let change: Change = ha2bgp::announce::speaker::change(&two.peer, &other);
    assert_eq!(change.effect(), Effect::Session);
    assert_eq!(change.fields(), [Field::RouterId, Field::HoldTime, Field::Networks]);
    one.hears_nothing();
    bench.end().await;
}

/// All routes of all peers, in pages of any size.
#[tokio::test]
async fn routes_are_told_page_by_page() {
    let [mut one, mut two] = [1, 2].map(Router::start);
    let gone = Router::start(3);
    let mut third = gone.peer.clone();
    // Nobody is there.
    third.port = 1;
    two.peer.config.policy.networks = Networks::new(vec![prefix(1), prefix(3)]);
    let peers = vec![one.peer.clone(), two.peer.clone(), third];
    let bench = Bench::start(peers, set(1..4));
    one.announces(1..4).await;
    two.announces(1..2).await;
    two.announces(3..4).await;
    for limit in [1, 2, 3, 4, 9, 0] {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = bench.ask(Ask { after, limit, ..Ask::default() }).await;
            assert!(page.routes.len() <= limit.max(1));
            found.extend(page.routes);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let at = |number: u8| IpAddr::V4(address(number));
        let gist =
            found.iter().map(|it| (it.peer.unwrap().ip(), it.prefix, it.is_sent, it.why_not));
        let outside = Some(WhyNot::Withheld(Withheld::OutsideNetworks));
        let down = Some(WhyNot::Withheld(Withheld::NotEstablished));
        assert_eq!(
            gist.collect::<Vec<_>>(),
            [
                (at(1), prefix(1), true, None),
                (at(1), prefix(2), true, None),
                (at(1), prefix(3), true, None),
                (at(2), prefix(1), true, None),
                (at(2), prefix(2), false, outside),
                (at(2), prefix(3), true, None),
                (at(3), prefix(1), false, down),
                (at(3), prefix(2), false, down),
                (at(3), prefix(3), false, down),
            ]
        );
    }
    // One prefix, at all peers, and at one.
    let ask = Ask { prefix: Some(prefix(2)), limit: 2, ..Ask::default() };
    let page = bench.ask(ask.clone()).await;
    assert_eq!(page.routes.len(), 2);
    let page = bench.ask(Ask { after: page.next, ..ask.clone() }).await;
    assert_eq!((page.routes.len(), page.next), (1, None));
    let peer = Some(two.peer.config.peer);
    let page = bench.ask(Ask { peer, ..ask.clone() }).await;
    assert_eq!((page.routes.len(), page.routes[0].peer, page.next), (1, peer, None));
    // A place of nobody.
    let after = Some(Place { peer: None, prefix: prefix(1) });
    assert_eq!(bench.ask(Ask { after, limit: 9, ..Ask::default() }).await, Page::default());
    bench.end().await;
}
