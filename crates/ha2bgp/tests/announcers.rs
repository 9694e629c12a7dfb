//! The contract of `Announcer`, over real pipes: every implementation passes the same suite.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod receiver;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ha2bgp::announce::{
    Announcer, Desired, Ended, ExaBgp, Manner, Plain, Report, Speaker, Stdio, What, speaker,
};
use ha2bgp::clock::Clock;
use ha2bgp_core::net::{Networks, NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_proto::bgp::PeerConfig;
use ha2bgp_proto::bgp::wire::Asn;
use ha2bgp_proto::exabgp::{ApiVersion, Event, Options, Purpose};
use ha2bgp_sys::tcp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What stands behind the next hop of a route that is the last choice.
const LAST: &str = " med 4294967295 local-preference 0 community [ 65535:0 ]";

/// How long anything may take on a busy machine. Nothing waits for it in vain.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the suite is run with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
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

const ALL: [Kind; 5] = [Kind::ExaBgp, Kind::Sockets, Kind::Grouped, Kind::Plain, Kind::Speaker];
/// Those that are lost without their reader; the speaker waits for its peers.
const PIPES: [Kind; 4] = [Kind::ExaBgp, Kind::Sockets, Kind::Grouped, Kind::Plain];

/// The other side: reads lines in a thread, keeps the table, answers.
struct Peer {
    lines: std::sync::mpsc::Receiver<String>,
    table: BTreeMap<String, String>,
    seen: Vec<String>,
    answers: Option<Box<dyn Write + Send>>,
    /// Lines not passed on before this is dropped.
    hold: Option<std::sync::mpsc::Sender<()>>,
}

impl Peer {
    fn new(
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
    fn wait_for(&mut self, want: &RouteSet) {
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
    fn wait_for_end(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.obey(line);
        }
    }

    fn obey(&mut self, line: String) {
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

struct Bench {
    desired: watch::Sender<Desired>,
    reports: mpsc::Receiver<Report>,
    task: JoinHandle<Ended>,
    peer: Peer,
}

impl Bench {
    fn start(kind: Kind, first: &RouteSet) -> Self {
        Self::with(kind, first, false, 100_000)
    }

    fn with(kind: Kind, first: &RouteSet, hold: bool, reports: usize) -> Self {
        let options = Options {
            version: ApiVersion::V4,
            group_from: (kind == Kind::Grouped).then_some(2),
            ..Options::default()
        };
        let clock = Clock::start();
        let (announcer, peer): (Box<dyn Announcer>, Peer) = match kind {
            Kind::ExaBgp | Kind::Grouped => {
                let ends = pipes();
                let stdio =
                    Stdio { input: Some(ends.answers_out.into()), output: ends.commands_in.into() };
                let peer = Peer::new(ends.commands_out, Some(Box::new(ends.answers_in)), hold);
                (Box::new(ExaBgp::new(options, stdio, clock)), peer)
            }
            Kind::Sockets => {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let stdio =
                    Stdio { input: Some(ours.try_clone().unwrap().into()), output: ours.into() };
                let answers = theirs.try_clone().unwrap();
                let peer = Peer::new(theirs, Some(Box::new(answers)), hold);
                (Box::new(ExaBgp::new(options, stdio, clock)), peer)
            }
            Kind::Plain => {
                let (commands_out, commands_in) = std::io::pipe().unwrap();
                let peer = Peer::new(commands_out, None, hold);
                (Box::new(Plain::new(options, commands_in.into(), clock)), peer)
            }
            Kind::Speaker => {
                let (receiver, address) = receiver::Receiver::listen().unwrap();
                (Box::new(speaker(address, clock)), Peer::new(receiver, None, hold))
            }
        };
        let (desired, watched) = watch::channel(desire(first.clone()));
        let (sender, reports) = mpsc::channel(reports);
        let task = tokio::spawn(announcer.run(watched, sender));
        Self { desired, reports, task, peer }
    }

    /// Works with the peer aside, so that the announcer runs meanwhile.
    async fn peer(&mut self, work: impl FnOnce(&mut Peer) + Send + 'static) {
        let empty = Peer::new(std::io::empty(), None, false);
        let mut peer = std::mem::replace(&mut self.peer, empty);
        self.peer = tokio::task::spawn_blocking(move || {
            work(&mut peer);
            peer
        })
        .await
        .unwrap();
    }

    async fn reaches(&mut self, want: &RouteSet) {
        let want = want.clone();
        self.peer(move |peer| peer.wait_for(&want)).await;
    }

    async fn end(self) -> (Ended, Peer) {
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
fn speaker(peer: SocketAddr, clock: Clock) -> Speaker {
    let id = Ipv4Addr::new(10, 1, 1, 1);
    let mut config = PeerConfig::new(Asn(65000), id, peer.ip(), Asn(receiver::ASN.into()));
    // Its own address is no next hop that a peer takes.
    config.local = Some(receiver::SPEAKER.into());
    config.policy.networks = Networks::new(vec!["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(config.validate(), []);
    let socket = tcp::Options::default();
    let peer =
        speaker::Peer { config, port: peer.port(), socket, defer_end_of_rib: Duration::ZERO };
    Speaker::new(vec![peer], Vec::new(), clock, 1)
}

struct Ends {
    commands_out: PipeReader,
    commands_in: PipeWriter,
    answers_out: PipeReader,
    answers_in: PipeWriter,
}

fn pipes() -> Ends {
    let (commands_out, commands_in) = std::io::pipe().unwrap();
    let (answers_out, answers_in) = std::io::pipe().unwrap();
    Ends { commands_out, commands_in, answers_out, answers_in }
}

async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("takes for ever")
}

fn desire(routes: RouteSet) -> Desired {
    Desired { routes, complete: true, ..Desired::default() }
}

fn set(range: std::ops::Range<u32>) -> RouteSet {
    range
        .map(|i| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + i));
            let route = Route::new(NextHop::SelfAddress);
            (Prefix::host(address), route)
        })
        .collect()
}

#[tokio::test]
async fn the_final_set_is_the_last_desired_one() {
    for kind in ALL {
        let mut bench = Bench::start(kind, &set(0..10));
        bench.reaches(&set(0..10)).await;
        for round in 0..50 {
            bench.desired.send_replace(desire(set(round..round * 20)));
            tokio::task::yield_now().await;
        }
        bench.desired.send_replace(desire(set(100..400)));
        bench.reaches(&set(100..400)).await;
        let (ended, peer) = bench.end().await;
        assert_eq!(ended, Ended::Finished, "{kind:?}");
        assert_eq!(peer.table.len(), 300, "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_not_read_is_coalesced_and_blocks_nobody() {
    for kind in ALL {
        let mut bench = Bench::with(kind, &set(0..5_000), true, 10);
        // The reader sleeps; more text than pipe and socket hold is waiting, and changes go on.
        let (all, mut routes) = (set(0..5_000), set(0..5_000));
        for round in 0..20_000u32 {
            let prefix = Prefix::host(Ipv4Addr::from_bits(0x0a00_0000 + round % 4_999).into());
            match all.get(prefix).filter(|_| routes.get(prefix).is_none()) {
                Some(route) => routes.insert(prefix, *route),
                None => routes.remove(prefix),
            };
            bench.desired.send_replace(desire(routes.clone()));
            if round % 100 == 0 {
                in_time(tokio::task::yield_now()).await;
            }
        }
        bench.desired.send_replace(desire(set(3..40)));
        // The announcer had its chance to write more than the latest state.
        in_time(bench.reports.recv()).await.unwrap();
        bench.peer.hold = None;
        bench.reaches(&set(3..40)).await;
        let (ended, peer) = bench.end().await;
        assert_eq!(ended, Ended::Finished, "{kind:?}");
        // Each prefix: at most what was in the pipe before, and its end.
        assert!(peer.seen.len() <= 2 * 5_000, "{kind:?}: {}", peer.seen.len());
    }
}

#[tokio::test]
async fn the_last_set_is_sent_after_the_channel_closed() {
    for kind in ALL {
        let mut bench = Bench::start(kind, &set(0..300));
        bench.reaches(&set(0..300)).await;
        bench.desired.send_replace(desire(RouteSet::new()));
        let (ended, peer) = bench.end().await;
        assert_eq!(ended, Ended::Finished, "{kind:?}");
        assert_eq!(peer.table, BTreeMap::new(), "{kind:?}");
    }
}

/// A route that becomes the last choice, or no longer is, is said again as what it is; others are
/// not said again, and it is never withdrawn for that.
#[tokio::test]
async fn the_last_choice_is_told_as_such() {
    let with = |last: fn(u32) -> bool| -> RouteSet {
        (0..300)
            .map(|i| {
                let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + i));
                let route = Route { next_hop: NextHop::SelfAddress, last_choice: last(i) };
                (Prefix::host(address), route)
            })
            .collect()
    };
    for kind in ALL {
        let mut bench = Bench::start(kind, &with(|i| i % 2 == 0));
        bench.reaches(&with(|i| i % 2 == 0)).await;
        for last in [|i| i % 3 == 0, |_| false, |_| true, |i| i < 10] {
            bench.desired.send_replace(desire(with(last)));
            bench.reaches(&with(last)).await;
        }
        // Nobody warns for longer than it takes to say so: what is said is right in the end.
        for round in 0..50 {
            let last = if round % 2 == 0 { |i| i % 7 == 0 } else { |i| i == 299 };
            bench.desired.send_replace(desire(with(last)));
            tokio::task::yield_now().await;
        }
        bench.reaches(&with(|i| i == 299)).await;
        bench.desired.send_replace(desire(with(|i| i % 2 == 1)));
        let (ended, peer) = bench.end().await;
        assert_eq!(ended, Ended::Finished, "{kind:?}");
        assert_eq!(peer.table.values().filter(|it| it.ends_with(LAST)).count(), 150, "{kind:?}");
        assert!(!peer.seen.iter().any(|line| line.starts_with("withdraw")), "{kind:?}");
    }
}

#[tokio::test]
async fn before_a_restart_the_routes_stay() {
    for kind in ALL {
        let mut bench = Bench::start(kind, &set(0..300));
        bench.reaches(&set(0..300)).await;
        bench.desired.send_modify(|desired| desired.manner = Manner::Restarting);
        let (ended, peer) = bench.end().await;
        assert_eq!(ended, Ended::Finished, "{kind:?}");
        assert_eq!(peer.table.len(), 300, "{kind:?}: nothing is withdrawn");
    }
}

#[tokio::test]
async fn what_a_process_before_left_goes_when_the_first_look_is_complete() {
    let ends = pipes();
    let stdio = Stdio { input: Some(ends.answers_out.into()), output: ends.commands_in.into() };
    let options = Options { version: ApiVersion::V4, ..Options::default() };
    let announcer = Box::new(ExaBgp::new(options, stdio, Clock::start()).after(set(0..3)));
    let peer = Peer::new(ends.commands_out, Some(Box::new(ends.answers_in)), false);
    let (desired, watched) = watch::channel(Desired::default());
    let (sender, reports) = mpsc::channel(100);
    let task = tokio::spawn(announcer.run(watched, sender));
    let mut bench = Bench { desired, reports, task, peer };
    bench.desired.send_replace(Desired { routes: set(0..1), ..Desired::default() });
    bench.reaches(&set(0..1)).await;
    bench.desired.send_replace(desire(set(0..2)));
    bench.reaches(&set(0..2)).await;
    let (ended, peer) = bench.end().await;
    assert_eq!(ended, Ended::Finished);
    assert!(peer.seen.contains(&"withdraw route 10.0.0.2 next-hop self".to_owned()));
    assert_eq!(peer.seen.len(), 3, "{:?}", peer.seen);
}

#[tokio::test]
async fn a_reader_that_goes_ends_it() {
    for kind in PIPES {
        let mut bench = Bench::start(kind, &set(0..3));
        bench.reaches(&set(0..3)).await;
        // Nothing is being written: it is noticed all the same.
        if kind == Kind::Sockets {
            bench.peer.answers = None;
        }
        let answers = bench.peer.answers.take();
        drop(std::mem::replace(&mut bench.peer, Peer::new(std::io::empty(), None, false)));
        // The thread that reads ends with the next line.
        bench.desired.send_replace(desire(set(0..4)));
        let mut next = 5;
        while !bench.task.is_finished() {
            bench.desired.send_replace(desire(set(0..next)));
            next += 1;
            tokio::task::yield_now().await;
        }
        let ended = in_time(bench.task).await.unwrap();
        assert!(matches!(ended, Ended::PeerGone { .. }), "{kind:?}: {ended:?}");
        drop(answers);
    }
}

#[tokio::test]
async fn time_is_up_when_nothing_is_read() {
    let mut benches = ALL.map(|kind| (kind, Bench::with(kind, &set(0..9_000), true, 10)));
    for (_, bench) in &mut benches {
        // It has begun.
        in_time(bench.reports.recv()).await.unwrap();
    }
    for (kind, bench) in benches {
        drop(bench.desired);
        let ended = in_time(bench.task).await.unwrap();
        assert!(matches!(ended, Ended::Unsent { prefixes: 1.. }), "{kind:?}: {ended:?}");
    }
}

#[tokio::test]
async fn the_end_of_standard_input_ends_it() {
    let ends = pipes();
    let stdio = Stdio { input: Some(ends.answers_out.into()), output: ends.commands_in.into() };
    let announcer = Box::new(ExaBgp::new(Options::default(), stdio, Clock::start()));
    let (_desired, watched) = watch::channel(desire(set(0..3)));
    let (sender, _reports) = mpsc::channel(1);
    let task = tokio::spawn(announcer.run(watched, sender));
    drop(ends.answers_in);
    let why = "standard input is closed".to_owned();
    assert_eq!(in_time(task).await.unwrap(), Ended::PeerGone { why });
}

/// A stopping ExaBGP reads nothing more and waits for us; it must not have to wait for long.
#[tokio::test]
async fn a_stopping_exabgp_is_not_held_up() {
    for (routes, finished) in [(3, true), (20_000, false)] {
        let mut ends = pipes();
        let stdio = Stdio { input: Some(ends.answers_out.into()), output: ends.commands_in.into() };
        let options = Options { version: ApiVersion::V4, ..Options::default() };
        let announcer = Box::new(ExaBgp::new(options, stdio, Clock::start()));
        let (desired, watched) = watch::channel(desire(set(0..routes)));
        let (sender, mut reports) = mpsc::channel(10);
        let task = tokio::spawn(announcer.run(watched, sender));
        in_time(reports.recv()).await.unwrap();
        ends.answers_in.write_all(b"done\nshutdown 12 1\n").unwrap();
        if finished {
            desired.send_replace(desire(RouteSet::new()));
        }
        let stopped = std::time::Instant::now();
        drop(desired);
        let ended = in_time(task).await.unwrap();
        assert!(stopped.elapsed() < Duration::from_secs(1), "{:?}", stopped.elapsed());
        match ended {
            Ended::Finished => assert!(finished),
            Ended::PeerGone { .. } => assert!(!finished),
            Ended::Unsent { .. } => panic!("{ended:?}"),
        }
    }
}

#[tokio::test]
async fn an_idle_pipe_without_reader_ends_it() {
    let ends = pipes();
    let stdio = Stdio { input: Some(ends.answers_out.into()), output: ends.commands_in.into() };
    let announcer = Box::new(ExaBgp::new(Options::default(), stdio, Clock::start()));
    let (_desired, watched) = watch::channel(desire(RouteSet::new()));
    let (sender, _reports) = mpsc::channel(1);
    let task = tokio::spawn(announcer.run(watched, sender));
    tokio::task::yield_now().await;
    drop(ends.commands_out);
    let why = "nobody reads standard output any more".to_owned();
    assert_eq!(in_time(task).await.unwrap(), Ended::PeerGone { why });
}

#[tokio::test]
async fn files_and_null_devices_are_written_and_never_read() {
    let mut file = tempfile::tempfile().unwrap();
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let output = OwnedFd::from(file.try_clone().unwrap());
    for (input, output) in [
        (Some(null()), output),
        (None, std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap().into()),
    ] {
        let stdio = Stdio { input, output };
        let announcer = Box::new(ExaBgp::new(Options::default(), stdio, Clock::start()));
        let (desired, watched) = watch::channel(desire(set(0..5_000)));
        let (sender, _reports) = mpsc::channel(1);
        let task = tokio::spawn(announcer.run(watched, sender));
        desired.send_replace(desire(set(0..2)));
        drop(desired);
        assert_eq!(in_time(task).await.unwrap(), Ended::Finished);
    }
    let mut text = String::new();
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("announce route 10.0.0.1 next-hop self\n"), "{text}");
}

#[tokio::test]
async fn reports_tell_what_happened_and_are_dropped_when_nobody_listens() {
    let mut bench = Bench::start(Kind::ExaBgp, &set(0..2));
    bench.reaches(&set(0..2)).await;
    let mut names = Vec::new();
    while names.len() < 4 {
        match in_time(bench.reports.recv()).await.unwrap().what {
            What::ExaBgp(Event::Sent { command }) => {
                names.push(if command.purpose == Purpose::Change { "sent" } else { "again" });
            }
            What::ExaBgp(Event::Acknowledged { .. }) => names.push("acknowledged"),
            What::Snapshot(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(names, ["sent", "sent", "acknowledged", "acknowledged"]);

    let mut bench = Bench::with(Kind::ExaBgp, &set(0..500), false, 2);
    bench.reaches(&set(0..500)).await;
    bench.desired.send_replace(desire(set(0..600)));
    bench.reaches(&set(0..600)).await;
    let mut lost = 0;
    bench.desired.send_replace(desire(set(0..601)));
    while lost == 0 {
        let report = tokio::time::timeout(Duration::from_millis(200), bench.reports.recv()).await;
        match report.map(|report| report.unwrap().what) {
            Ok(What::Lost { count }) => lost = count,
            Ok(_) => {}
            // Nothing happens by itself.
            Err(_) => {
                bench.desired.send_modify(|it| it.routes = set(0..routes_len(&it.routes) + 1));
            }
        }
    }
    assert!(lost > 500, "{lost}");
}

fn routes_len(routes: &RouteSet) -> u32 {
    u32::try_from(routes.len()).unwrap()
}

#[tokio::test]
async fn neither_end_is_made_nonblocking() {
    let ends = pipes();
    let (input, output) = (OwnedFd::from(ends.answers_out), OwnedFd::from(ends.commands_in));
    let stdio =
        Stdio { input: Some(input.try_clone().unwrap()), output: output.try_clone().unwrap() };
    let announcer = Box::new(ExaBgp::new(Options::default(), stdio, Clock::start()));
    let (desired, watched) = watch::channel(desire(set(0..1)));
    let (sender, mut reports) = mpsc::channel(10);
    let task = tokio::spawn(announcer.run(watched, sender));
    in_time(reports.recv()).await.unwrap();
    for fd in [&input, &output] {
        let flags = rustix::fs::fcntl_getfl(fd).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
    }
    drop(ends.commands_out);
    drop(output);
    drop(desired);
    assert!(matches!(in_time(task).await.unwrap(), Ended::PeerGone { .. }));
}
