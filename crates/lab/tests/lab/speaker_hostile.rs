//! Hostile peers, live: each of them sends one class of bad input to a process that also speaks
//! with BIRD, all at the same time, while a stranger knocks without end.
//!
//! Each is answered as the RFC says; BIRD's session and route never notice.

use crate::speaker_stage::{Pair, Plan, wait_status};
use crate::stage::SOON;
use ha2bgp_lab::bgp::{
    Conversation, KEEPALIVE, NOTIFICATION, OPEN, REFRESH, UPDATE, message, open, update,
};
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::{self, Netns};
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, procfs, require, service, wait};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

/// Where the speaker listens.
const SPEAKER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 9, 2, 1), 179);
/// Not one of its peers.
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 9, 2, 200);
/// The first hostile peer; the others follow.
const FIRST: u8 = 11;
/// Nothing takes longer, on a machine with other work.
const LIMIT: Duration = Duration::from_secs(30);

/// How far the session is when the bad input comes (RFC 4271 section 8.2.2).
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    OpenSent,
    OpenConfirm,
    Established,
}

/// What becomes of the session.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// This NOTIFICATION, then the end.
    Answered(u8, u8),
    /// The end, without a word.
    Closed,
    /// It stands.
    Stays,
}

struct Case {
    name: &'static str,
    state: State,
    bytes: Vec<u8>,
    fate: Fate,
}

fn cases() -> Vec<Case> {
    use Fate::{Answered, Closed, Stays};
    use State::{Established, OpenConfirm, OpenSent};
    let case = |name, state, bytes, fate| Case { name, state, bytes, fate };
    // ORIGIN 9, AS_PATH 65001, NEXT_HOP 10.9.2.11.
    let odd = [0x40, 1, 1, 9, 0x40, 2, 4, 2, 1, 0xfd, 0xe9, 0x40, 3, 4, 10, 9, 2, 11];
    let escape = [b"\x06\x02\x12".as_slice(), b"\x1b[2J\x1b]0;owned\x07 bye\n"].concat();
    vec![
        case(
            "marker",
            OpenSent,
            [[0; 16].as_slice(), &[0, 19, KEEPALIVE]].concat(),
            Answered(1, 1),
        ),
        case("garbage", OpenSent, vec![0x5a; 100_000], Answered(1, 1)),
        case("length", OpenSent, [[0xff; 16].as_slice(), &[0, 18, 1]].concat(), Answered(1, 2)),
        case("version", OpenSent, open(3, 65001, 90), Answered(2, 1)),
        case("wrong AS", OpenSent, open(4, 65002, 90), Answered(2, 2)),
        case("hold time", OpenSent, open(4, 65001, 1), Answered(2, 6)),
        case("early KEEPALIVE", OpenSent, message(KEEPALIVE, &[]), Answered(5, 1)),
        case("early UPDATE", OpenConfirm, update(&[], &[], &[]), Answered(5, 2)),
        case("second OPEN", Established, open(4, 65001, 90), Answered(5, 3)),
        case("type", Established, message(6, &[]), Answered(1, 3)),
        case("long KEEPALIVE", Established, message(KEEPALIVE, &[0]), Answered(1, 2)),
        case(
            "withdrawn overrun",
            Established,
            message(UPDATE, &[0xff, 0xff, 0, 0]),
            Answered(3, 1),
        ),
        case(
            "prefix length",
            Established,
            update(&[33, 10, 0, 0, 0, 0], &[], &[]),
            Answered(3, 10),
        ),
        case("odd ORIGIN", Established, update(&[], &odd, &[24, 192, 0, 2]), Stays),
        case("refresh flood", Established, message(REFRESH, &[0, 1, 0, 1]).repeat(2000), Stays),
        case("escape codes", Established, message(NOTIFICATION, &escape), Closed),
        case("half a message", Established, vec![0xff; 10], Answered(4, 0)),
    ]
}

/// Connects and comes to a state. The speaker, which tries to connect as well, may be between two
/// attempts and take nobody: then again.
fn in_state(from: Ipv4Addr, state: State) -> Result<Conversation> {
    wait::until(LIMIT, &format!("{from} comes to {state:?}"), || {
        let mut peer = connect(from).map_err(|error| error.to_string())?;
        come_to(&mut peer, state).map_err(|error| error.to_string())?;
        Ok(peer)
    })
}

fn connect(from: Ipv4Addr) -> std::io::Result<Conversation> {
    Conversation::connect(SocketAddr::from((from, 0)), SocketAddr::from(SPEAKER))
}

fn come_to(peer: &mut Conversation, state: State) -> std::io::Result<()> {
    peer.expect(OPEN)?;
    if state != State::OpenSent {
        peer.send(&open(4, 65001, 3))?;
        peer.expect(KEEPALIVE)?;
    }
    if state == State::Established {
        peer.send(&message(KEEPALIVE, &[]))?;
        // The route: what follows a session that stands.
        peer.expect(UPDATE)?;
    }
    Ok(())
}

/// Sends the bad input and reads what comes of it.
fn attack(mut peer: Conversation, case: &Case) -> std::io::Result<()> {
    let sent = Instant::now();
    // The other side may have closed before all was written.
    let _closed = peer.send(&case.bytes);
    let mut keepalives = 0;
    let end = loop {
        match peer.next()? {
            Some((NOTIFICATION, body)) => break Some((body[0], body[1])),
            Some((KEEPALIVE, _)) if matches!(case.fate, Fate::Stays) => {
                peer.send(&message(KEEPALIVE, &[]))?;
                keepalives += 1;
                if keepalives == 4 {
                    return Ok(());
                }
            }
            Some(_) => assert!(sent.elapsed() < LIMIT, "{}", case.name),
            None => break None,
        }
    };
    match (case.fate, end) {
        (Fate::Answered(code, subcode), Some(sent)) => {
            assert_eq!(sent, (code, subcode), "{}", case.name);
            assert_eq!(peer.next()?, None, "{}: the NOTIFICATION is the last", case.name);
        }
        (Fate::Closed, None) => {}
        (want, got) => panic!("{}: {got:?} instead of {want:?}", case.name),
    }
    Ok(())
}

/// Connects again and again; each connection ends without a byte.
fn knock(times: usize) -> std::io::Result<()> {
    for _ in 0..times {
        let mut peer = connect(STRANGER)?;
        assert_eq!(peer.next()?, None, "a stranger hears nothing");
    }
    Ok(())
}

fn run<T>(host: &Netns, body: impl FnOnce() -> std::io::Result<T>) -> Result<T> {
    netns::enter(host.name())?;
    body().map_err(LabError::io("hostile peer"))
}

#[test]
fn bird_never_notices_hostile_peers() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Kind::Bird.need());
    let cases = cases();
    let address = |index: usize| Ipv4Addr::new(10, 9, 2, FIRST + u8::try_from(index).unwrap_or(0));
    let mut flags = "--listen 10.9.2.1 --hold-time 3s".to_owned();
    for index in 0..cases.len() {
        flags.push_str(&format!(" --peer {}", address(index)));
    }
    let hostile = Netns::new("hostile")?;
    let plan = Plan::new(Kind::Bird).flags(&flags);
    let mut pair = Pair::prepared(plan, |us| {
        let inside = End { host: us, device: "up1", address: "10.9.2.1/24" };
        link::cable(inside, End { host: &hostile, device: "down1", address: "10.9.2.200/24" })?;
        for index in 0..cases.len() {
            link::add_address(&hostile, &format!("{}/24", address(index)), "down1")?;
        }
        Ok(())
    })?;
    pair.wait_established(true)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;

    let route = pair.plan.route();
    std::thread::scope(|scope| -> Result<()> {
        let mut attacks = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            let hostile = &hostile;
            attacks.push(scope.spawn(move || {
                netns::enter(hostile.name())?;
                let peer = in_state(address(index), case.state)?;
                attack(peer, case).map_err(LabError::io(case.name))
            }));
        }
        attacks.push(scope.spawn(|| run(&hostile, || knock(300))));
        while !attacks.iter().all(|attack| attack.is_finished()) {
            assert!(!pair.router.route(&route)?.is_empty(), "{}", pair.ha2bgp.tail());
            wait::pause(Duration::from_millis(20));
        }
        for attack in attacks {
            attack.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })?;

    // Those that stayed have ended with their connections.
    let stood = cases.iter().filter(|case| case.state == State::Established).count();
    wait::until(SOON, "all of them are lost", || {
        let log = pair.ha2bgp.stderr();
        if log.matches("BGP session lost: ").count() >= stood { Ok(()) } else { Err(log) }
    })?;
    let log = pair.ha2bgp.stderr();
    let of_bird = |line: &str| line.contains("session lost") && line.ends_with("peer=10.9.1.2");
    assert!(!log.lines().any(of_bird), "{log}");
    assert!(!log.contains('\x1b') && log.contains("owned"), "texts of peers are sanitised: {log}");
    assert!(log.contains("malformed UPDATE: the session stays"), "{log}");
    let plain = log.lines().filter(|line| !line.contains(" [D] ")).count();
    assert!(plain < 20 * cases.len(), "{plain} lines: {log}");
    assert!(!log.contains(&STRANGER.to_string()), "{log}");
    let memory = procfs::memory(pair.ha2bgp.pid(), "VmHWM").unwrap_or_default();
    assert!(memory < 40 << 20, "{memory} bytes");
    assert!(pair.router.is_established()?, "{}", pair.router.tail());
    let knocks =
        format!("300 connections from others than peers were closed, the last from {STRANGER}");
    wait_status(&mut pair.ha2bgp, &[&knocks])?;
    drop(listener);
    pair.router.wait_route(&route, false, SOON)
}
