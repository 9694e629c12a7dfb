//! The contract of `Announcer`, over real pipes: every implementation passes the same suite.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bench;
#[path = "../receiver/mod.rs"]
mod receiver;
mod routes;
mod stall;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use bench::{ALL, Bench, Kind, LAST, PIPES, Peer, desire, in_time, pipes, set};
use ha2bgp::announce::questions::Questions;
use ha2bgp::announce::{Announcer, Desired, Ended, ExaBgp, Manner, Stdio, What};
use ha2bgp::clock::Clock;
use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_proto::exabgp::{ApiVersion, Event, Options, Purpose};
use tokio::sync::{mpsc, watch};

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
                let route = Route { last_choice: last(i), ..Route::new(NextHop::SelfAddress) };
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
    let questions = Questions::channel().0;
    let mut bench = Bench { desired, questions, reports, task, peer };
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
            What::Snapshot(_) | What::Settled(_) => {}
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
