//! The thread of BFD with itself: both ends of each session are sessions of its own, over the loopback
//! interface of a network namespace that only one test has.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(clippy::print_stdout, reason = "a skipped test says why")]

#[path = "../observe/namespace.rs"]
#[allow(dead_code, reason = "the other tests need more of it")]
mod namespace;

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use ha2bgp::bfd::states::{SessionState, States};
use ha2bgp::bfd::target::{SessionConfig, Target};
use ha2bgp::bfd::{Bfd, News, What};
use ha2bgp::clock::Clock;
use ha2bgp_proto::bfd::{Auth, AuthKind, Cause, Interval, Key, State, Timers};
use tokio::sync::{mpsc, watch};

use self::namespace::in_own_network;

/// How long what is expected may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn target(local: &str, peer: &str, multihop: bool) -> Target {
    let local: IpAddr = local.parse().unwrap();
    Target { local: Some(local), multihop, ..Target::neighbor(peer.parse().unwrap()) }
}

fn session(target: Target, millis: u32, auth: Option<Auth>) -> SessionConfig {
    let interval = Interval::from_millis(millis).unwrap();
    let timers = Timers {
        desired_min_tx: interval,
        required_min_rx: interval,
        multiplier: NonZeroU8::new(5).unwrap(),
    };
    let minimum_ttl = if target.multihop { 0 } else { 255 };
    SessionConfig { target, timers, minimum_ttl, auth }
}

/// Both ends of some sessions.
fn both(pairs: &[(&str, &str, bool)], millis: u32, auth: Option<&Auth>) -> Vec<SessionConfig> {
    let ends = pairs.iter().flat_map(|(a, b, far)| [target(a, b, *far), target(b, a, *far)]);
    ends.map(|target| session(target, millis, auth.cloned())).collect()
}

async fn until(
    states: &mut watch::Receiver<States>,
    mut is: impl FnMut(&States) -> bool,
) -> States {
    let waited = states.wait_for(|states| is(states));
    let found = tokio::time::timeout(PATIENCE, waited).await.map(|found| found.unwrap().clone());
    found.unwrap_or_else(|_| panic!("{:#?}", *states.borrow()))
}

fn all(states: &States, is: impl Fn(&SessionState) -> bool) -> bool {
    states.iter().count() > 0 && states.iter().all(|(_, state)| is(state))
}

fn detects_within(state: &SessionState, millis: u64) -> bool {
    state.status.detection_time == Some(Duration::from_millis(millis)) && !state.status.polling
}

async fn next(news: &mut mpsc::Receiver<News>) -> News {
    tokio::time::timeout(PATIENCE, news.recv()).await.unwrap().unwrap()
}

const PAIRS: [(&str, &str, bool); 4] = [
    ("127.0.0.1", "127.0.0.2", false),
    ("127.0.0.3", "127.0.0.4", false),
    ("127.0.0.1", "127.0.0.2", true),
    ("fd00::1", "fd00::2", false),
];

async fn sessions_come_up_change_and_end() {
    for address in ["fd00::1", "fd00::2"] {
        namespace::ip(&format!("addr add {address}/128 dev lo nodad"));
    }
    let (mut bfd, mut news) = Bfd::new(Clock::start(), false);
    let mut states = bfd.states();
    bfd.set_sessions(Vec::new()).unwrap();
    assert_eq!(threads(), 0, "nothing wants BFD");
    bfd.set_sessions(both(&PAIRS, 50, None)).unwrap();
    let up = until(&mut states, |it| all(it, SessionState::is_up)).await;
    assert_eq!((up.iter().count(), threads()), (8, 1));
    for _ in 0..8 {
        assert_eq!(next(&mut news).await.what, What::Up);
    }
    let discriminators = |states: &States| -> Vec<_> {
        states.iter().map(|(_, state)| state.status.local_discriminator).collect()
    };
    // Other timers are agreed on while all of them stay up, and nothing begins anew.
    bfd.set_sessions(both(&PAIRS, 80, None)).unwrap();
    let mut latest = bfd.latest();
    let slower = until(&mut latest, |it| all(it, |it| detects_within(it, 400))).await;
    assert!(all(&slower, |it| it.is_up() && it.status.counters.downs == 0), "{slower:#?}");
    assert_eq!(discriminators(&slower), discriminators(&up));
    // One end goes on purpose: for the other one that is no failure.
    let gone = target(PAIRS[1].0, PAIRS[1].1, false);
    let stays = target(PAIRS[1].1, PAIRS[1].0, false);
    let mut fewer = both(&PAIRS, 80, None);
    fewer.retain(|session| session.target != gone);
    bfd.set_sessions(fewer).unwrap();
    let held = |it: &States| it.find(&stays).is_some_and(SessionState::is_held_down);
    let states_now = until(&mut states, held).await;
    assert!(states_now.find(&gone).is_none());
    let state = states_now.find(&stays).unwrap();
    assert!(!state.has_failed() && !state.is_up(), "{state:#?}");
    let told = next(&mut news).await;
    let ours = |what: &What| matches!(what, What::Down { cause: Cause::AdminDown(_), .. });
    assert!(told.target == gone && ours(&told.what), "{told:?}");
    let told = next(&mut news).await;
    assert_eq!(told.target, stays);
    let What::Down { cause: Cause::NeighborAdminDown(_), lasted } = told.what else {
        panic!("{told:?}");
    };
    assert!(lasted > Duration::ZERO);
    let others = states_now.iter().filter(|(target, _)| **target != stays);
    assert!(others.map(|(_, state)| state).all(SessionState::is_up));
    bfd.end().await;
    let gone = async {
        // What is left of it is the kernel's.
        while threads() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

/// How many threads are called so.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let named = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(named).filter(|name| name.trim() == "bfd").count()
}

#[test]
fn sessions_come_up_change_and_end_in_order() {
    in_own_network("sessions_come_up_change_and_end_in_order", sessions_come_up_change_and_end());
}

async fn a_dead_way_is_noticed() {
    let (mut bfd, mut news) = Bfd::new(Clock::start(), false);
    let mut states = bfd.states();
    let key = |id| Key { id, secret: b"secret".to_vec() };
    let auth = Auth::new(AuthKind::MeticulousKeyedSha1, key(7), Vec::new()).unwrap();
    bfd.set_sessions(both(&PAIRS[..1], 20, Some(&auth))).unwrap();
    let up = until(&mut states, |it| all(it, SessionState::is_up)).await;
    assert!(all(&up, |it| it.status.authenticated));
    // Packets are dropped without a word.
    namespace::ip("link set lo down");
    let down = until(&mut states, |it| all(it, SessionState::has_failed)).await;
    assert!(all(&down, |it| it.status.counters.failures == 1), "{down:#?}");
    let mut told = Vec::new();
    while told.len() < 2 {
        match next(&mut news).await.what {
            What::Down { cause, .. } => told.push(cause),
            What::Up | What::Trouble(_) => {}
        }
    }
    assert!(told.iter().all(|cause| cause.is_failure()), "{told:?}");
    namespace::ip("link set lo up");
    until(&mut states, |it| all(it, SessionState::is_up)).await;
    // Another key is another session, and the other end has the old one: nothing comes up.
    let other = Auth::new(AuthKind::MeticulousKeyedSha1, key(8), Vec::new()).unwrap();
    let mut sessions = both(&PAIRS[..1], 20, Some(&auth));
    sessions[0].auth = Some(other);
    let changed = sessions[0].target.clone();
    bfd.set_sessions(sessions).unwrap();
    let mut latest = bfd.latest();
    let refused = |it: &States| it.find(&changed).is_some_and(|it| it.discarded() > 0);
    let refused = until(&mut latest, refused).await;
    assert_eq!(refused.find(&changed).unwrap().status.state, State::Down);
    bfd.end().await;
}

#[test]
fn a_way_that_fails_is_noticed() {
    in_own_network("a_way_that_fails_is_noticed", a_dead_way_is_noticed());
}

async fn a_port_that_is_taken_is_told() {
    let other = std::net::UdpSocket::bind("127.0.0.9:3784").unwrap();
    let (mut bfd, mut news) = Bfd::new(Clock::start(), false);
    let mut states = bfd.states();
    bfd.set_sessions(both(&PAIRS[..1], 50, None)).unwrap();
    let What::Trouble(why) = next(&mut news).await.what else { panic!() };
    assert!(why.contains("another program of this host speaks BFD"), "{why}");
    assert!(states.borrow_and_update().iter().all(|(_, state)| state.trouble.is_some()));
    // The program has ended.
    drop(other);
    until(&mut states, |it| all(it, |it| it.is_up() && it.trouble.is_none())).await;
    bfd.end().await;
}

#[test]
fn a_port_that_somebody_has_is_told_and_tried_again() {
    let name = "a_port_that_somebody_has_is_told_and_tried_again";
    in_own_network(name, a_port_that_is_taken_is_told());
}

/// What comes from farther away than the session allows is not taken.
async fn what_comes_from_too_far_is_dropped() {
    let (mut bfd, _news) = Bfd::new(Clock::start(), false);
    let near = session(target("127.0.0.1", "127.0.0.2", false), 50, None);
    let far = SessionConfig {
        minimum_ttl: 254,
        ..session(target("127.0.0.1", "127.0.0.2", true), 50, None)
    };
    bfd.set_sessions(vec![near.clone(), far.clone()]).unwrap();
    // Down, its discriminator 1, ours unknown.
    let mut packet = [0; 24];
    packet[..4].copy_from_slice(&[0x20, 0x40, 3, 24]);
    packet[7] = 1;
    packet[12..16].copy_from_slice(&1_000_000_u32.to_be_bytes());
    packet[16..20].copy_from_slice(&1_000_000_u32.to_be_bytes());
    let socket = std::net::UdpSocket::bind("127.0.0.2:50000").unwrap();
    let mut latest = bfd.latest();
    for (ttl, taken) in [(253, false), (254, false), (255, true)] {
        socket.set_ttl(ttl).unwrap();
        let counts = |states: &States| {
            let count = |config: &SessionConfig| {
                let state = states.find(&config.target).unwrap();
                (state.too_far, state.status.counters.received)
            };
            (count(&near), count(&far))
        };
        let before = until(&mut latest, |it| it.iter().count() == 2).await;
        let (near_before, far_before) = counts(&before);
        for port in [3784, 4784] {
            socket.send_to(&packet, ("127.0.0.1", port)).unwrap();
        }
        let far_taken = ttl >= 254;
        let add = |(too_far, received): (u64, u64), taken: bool| match taken {
            true => (too_far, received + 1),
            false => (too_far + 1, received),
        };
        let wanted = (add(near_before, taken), add(far_before, far_taken));
        until(&mut latest, |it| counts(it) == wanted).await;
    }
    bfd.end().await;
}

#[test]
fn a_ttl_that_is_too_low_is_dropped_and_counted() {
    let name = "a_ttl_that_is_too_low_is_dropped_and_counted";
    in_own_network(name, what_comes_from_too_far_is_dropped());
}

/// Many send as fast as they can, so that the socket is never empty: what is wanted is heard all the same, and it ends.
async fn a_flood_is_survived() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let over = Arc::new(AtomicBool::new(false));
    let (mut bfd, _news) = Bfd::new(Clock::start(), false);
    let mut latest = bfd.latest();
    bfd.set_sessions(both(&PAIRS[..1], 50, None)).unwrap();
    until(&mut latest, |it| all(it, SessionState::is_up)).await;
    let flood = |from: &str| {
        let (over, socket) = (Arc::clone(&over), std::net::UdpSocket::bind((from, 0)).unwrap());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                // A socket that is full drops them, which is what a flood does.
                let _ = socket.send_to(b"no packet", "127.0.0.2:3784");
            }
        })
    };
    // The namespace is one of the thread, and theirs.
    let floods: [_; 12] = std::array::from_fn(|number| flood(&format!("127.0.1.{number}")));
    until(&mut latest, |it| it.strangers > 20_000).await;
    bfd.set_sessions(Vec::new()).unwrap();
    until(&mut latest, |it| it.iter().count() == 0).await;
    tokio::time::timeout(PATIENCE, bfd.end()).await.unwrap();
    over.store(true, Ordering::Relaxed);
    floods.into_iter().for_each(|it| it.join().unwrap());
}

#[test]
fn a_flood_hides_nothing() {
    in_own_network("a_flood_hides_nothing", a_flood_is_survived());
}
