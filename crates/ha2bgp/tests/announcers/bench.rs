//! What the suite is run with: the other side of each announcer, and what drives it.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ha2bgp::announce::questions::{Ask, Questions};
use ha2bgp::announce::{
    Announcer, Desired, Ended, ExaBgp, Plain, Report, RouteState, Speaker, Stdio, speaker,
};
use ha2bgp::clock::Clock;
use ha2bgp_core::net::{Networks, NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_proto::bgp::PeerConfig;
use ha2bgp_proto::bgp::wire::Asn;
use ha2bgp_proto::exabgp::{ApiVersion, Options};
use ha2bgp_sys::tcp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::receiver;

/// What stands behind the next hop of a route that is the last choice.
pub(crate) const LAST: &str = " med 4294967295 local-preference 0 community [ 65535:0 ]";

/// How long anything may take on a busy machine. Nothing waits for it in vain.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the suite is run with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Pipes both ways; every command is answered.
    ExaBgp,
    /// The same over sockets.
    Sockets,
    /// Lines of up to 100 prefixes.
    Grouped,
    /// Nobody answers.
    Plain,
    /// BGP.
    Speaker,
}

pub(crate) const ALL: [Kind; 5] =
    [Kind::ExaBgp, Kind::Sockets, Kind::Grouped, Kind::Plain, Kind::Speaker];
/// Those that are lost without their reader; the speaker waits for its peers.
pub(crate) const PIPES: [Kind; 4] = [Kind::ExaBgp, Kind::Sockets, Kind::Grouped, Kind::Plain];

/// The other side: reads lines in a thread, keeps the table, answers.
pub(crate) struct Peer {
    pub(crate) lines: std::sync::mpsc::Receiver<String>,
    pub(crate) table: BTreeMap<String, String>,
    pub(crate) seen: Vec<String>,
    pub(crate) answers: Option<Box<dyn Write + Send>>,
    /// Lines not passed on before this is dropped.
    pub(crate) hold: Option<std::sync::mpsc::Sender<()>>,
}

impl Peer {
    pub(crate) fn new(
        mut commands: impl Read + Send + 'static,
        answers: Option<Box<dyn Write + Send>>,
        hold: bool,
    ) -> Self {
        let (send, lines) = std::sync::mpsc::channel();
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            // A session begins; nothing is taken from a pipe.
            let _ = commands.read(&mut []);
            let _ = held.recv();
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = commands.read(&mut buffer) {
                text.extend_from_slice(&buffer[..count]);
                while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    let line = String::from_utf8(line).unwrap().trim_end().to_owned();
                    if send.send(line).is_err() {
                        return;
                    }
                }
            }
        });
        Self {
            lines,
            table: BTreeMap::new(),
            seen: Vec::new(),
            answers,
            hold: hold.then_some(let_go),
        }
    }

    /// Obeys until the table is this one.
    pub(crate) fn wait_for(&mut self, want: &RouteSet) {
        let mut table = BTreeMap::new();
        want.for_each(&mut |prefix, route| {
            let last = if route.last_choice { LAST } else { "" };
            table.insert(prefix.address().to_string(), format!("{}{last}", route.next_hop));
        });
        while self.table != table {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.obey(line),
                Err(error) => panic!("{error}: has {:?}, wants {table:?}", self.table),
            }
        }
    }

    /// Obeys to the end of the stream.
    pub(crate) fn wait_for_end(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.obey(line);
        }
    }

    pub(crate) fn obey(&mut self, line: String) {
        let (head, attributes) = line.split_once(" next-hop ").unwrap();
        let words: Vec<&str> = head.split(' ').collect();
        let (attributes, prefixes) = match (words.as_slice(), attributes.split_once(" nlri ")) {
            ([_, "route", prefix], None) => (attributes, vec![*prefix]),
            ([_, "attributes"], Some((attributes, list))) => {
                (attributes, list.split(' ').collect())
            }
            _ => panic!("{line}"),
        };
        for prefix in prefixes {
            match words[0] {
                "announce" => self.table.insert(prefix.to_owned(), attributes.to_owned()),
                "withdraw" => self.table.remove(prefix),
                _ => panic!("{line}"),
            };
        }
        if let Some(answers) = &mut self.answers {
            // Gone when the announcer has ended.
            let _ = answers.write_all(b"done\n");
        }
        self.seen.push(line);
    }
}

pub(crate) struct Bench {
    pub(crate) desired: watch::Sender<Desired>,
    pub(crate) questions: Questions,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) task: JoinHandle<Ended>,
    pub(crate) peer: Peer,
}

impl Bench {
    pub(crate) fn start(kind: Kind, first: &RouteSet) -> Self {
        Self::with(kind, first, false, 100_000)
    }

    pub(crate) fn with(kind: Kind, first: &RouteSet, hold: bool, reports: usize) -> Self {
        let options = Options {
            version: ApiVersion::V4,
            group_from: (kind == Kind::Grouped).then_some(2),
            ..Options::default()
        };
        let clock = Clock::start();
        let (questions, inbox) = Questions::channel();
        let (announcer, peer): (Box<dyn Announcer>, Peer) = match kind {
            Kind::ExaBgp | Kind::Grouped => {
                let ends = pipes();
                let stdio =
                    Stdio { input: Some(ends.answers_out.into()), output: ends.commands_in.into() };
                let peer = Peer::new(ends.commands_out, Some(Box::new(ends.answers_in)), hold);
                (Box::new(ExaBgp::new(options, stdio, clock).answering(inbox)), peer)
            }
            Kind::Sockets => {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let stdio =
                    Stdio { input: Some(ours.try_clone().unwrap().into()), output: ours.into() };
                let answers = theirs.try_clone().unwrap();
                let peer = Peer::new(theirs, Some(Box::new(answers)), hold);
                (Box::new(ExaBgp::new(options, stdio, clock).answering(inbox)), peer)
            }
            Kind::Plain => {
                let (commands_out, commands_in) = std::io::pipe().unwrap();
                let peer = Peer::new(commands_out, None, hold);
                let plain = Plain::new(options, commands_in.into(), clock).answering(inbox);
                (Box::new(plain), peer)
            }
            Kind::Speaker => {
                let (receiver, address) = receiver::Receiver::listen(Ipv4Addr::LOCALHOST).unwrap();
                let speaker = speaker(address, clock).answering(inbox);
                (Box::new(speaker), Peer::new(receiver, None, hold))
            }
        };
        let (desired, watched) = watch::channel(desire(first.clone()));
        let (sender, reports) = mpsc::channel(reports);
        let task = tokio::spawn(announcer.run(watched, sender));
        Self { desired, questions, reports, task, peer }
    }

    /// Works with the peer aside, so that the announcer runs meanwhile.
    pub(crate) async fn peer(&mut self, work: impl FnOnce(&mut Peer) + Send + 'static) {
        let empty = Peer::new(std::io::empty(), None, false);
        let mut peer = std::mem::replace(&mut self.peer, empty);
        self.peer = tokio::task::spawn_blocking(move || {
            work(&mut peer);
            peer
        })
        .await
        .unwrap();
    }

    pub(crate) async fn reaches(&mut self, want: &RouteSet) {
        let want = want.clone();
        self.peer(move |peer| peer.wait_for(&want)).await;
    }

    /// All routes, fetched so many at once.
    pub(crate) async fn routes(&self, limit: usize) -> Vec<RouteState> {
        let (mut routes, mut after) = (Vec::new(), None);
        loop {
            let page = self.questions.routes(Ask { after, limit, ..Ask::default() }).await.unwrap();
            routes.extend(page.routes);
            after = page.next;
            if after.is_none() {
                return routes;
            }
        }
    }

    pub(crate) async fn end(self) -> (Ended, Peer) {
        drop(self.desired);
        let mut peer = self.peer;
        let reading = tokio::task::spawn_blocking(move || {
            peer.wait_for_end();
            peer
        });
        let ended = in_time(self.task).await.unwrap();
        (ended, in_time(reading).await.unwrap())
    }
}

/// A speaker to one external peer.
pub(crate) fn speaker(peer: SocketAddr, clock: Clock) -> Speaker {
    let id = Ipv4Addr::new(10, 1, 1, 1);
    let mut config = PeerConfig::new(Asn(65000), id, peer.ip(), Asn(receiver::ASN.into()));
    // Its own address is no next hop that a peer takes.
    config.local = Some(receiver::SPEAKER.into());
    config.policy.networks = Networks::new(vec!["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(config.validate(), []);
    let socket = tcp::Options::default();
    let peer = speaker::Peer {
        config,
        port: peer.port(),
        socket,
        bfd: None,
        defer_end_of_rib: Duration::ZERO,
    };
    Speaker::new(vec![peer], Vec::new(), clock, 1)
}

pub(crate) struct Ends {
    pub(crate) commands_out: PipeReader,
    pub(crate) commands_in: PipeWriter,
    pub(crate) answers_out: PipeReader,
    pub(crate) answers_in: PipeWriter,
}

pub(crate) fn pipes() -> Ends {
    let (commands_out, commands_in) = std::io::pipe().unwrap();
    let (answers_out, answers_in) = std::io::pipe().unwrap();
    Ends { commands_out, commands_in, answers_out, answers_in }
}

pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("takes for ever")
}

pub(crate) fn desire(routes: RouteSet) -> Desired {
    Desired { routes, complete: true, ..Desired::default() }
}

pub(crate) fn set(range: std::ops::Range<u32>) -> RouteSet {
    range
        .map(|i| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + i));
            let route = Route::new(NextHop::SelfAddress);
            (Prefix::host(address), route)
        })
        .collect()
}
