//! Two sessions that talk to each other.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec;

use proptest::prelude::*;

use super::net::{ADDRESSES, Net};
use super::*;
use crate::bgp::fsm::State;

fn configs(modes: [Mode; 2]) -> [PeerConfig; 2] {
    [0, 1].map(|side| {
        let ases = [Asn(65001), Asn(65000)];
        let id: IpAddr = ip(ADDRESSES[side]);
        let IpAddr::V4(id) = id else { panic!("IPv4") };
        let mut config = PeerConfig::new(ases[side], id, ip(ADDRESSES[1 - side]), ases[1 - side]);
        config.mode = modes[side];
        config.families = Families::BOTH;
        config.policy.networks = networks();
        config.policy.next_hop_v6 = Some("2001:db8:ffff::1".parse().unwrap());
        assert_eq!(config.validate(), []);
        config
    })
}

fn start(net: &mut Net) {
    for side in 0..2 {
        net.handle(side, Input::Start);
    }
}

fn wanted(routes: &RouteSet, side: usize) -> BTreeMap<Prefix, IpAddr> {
    let mut table = BTreeMap::new();
    routes.for_each(&mut |prefix, _| {
        let own = if prefix.is_ipv4() { ip(ADDRESSES[side]) } else { ip("2001:db8:ffff::1") };
        table.insert(prefix, own);
    });
    table
}

#[test]
fn each_way_of_opening_leads_to_one_session() {
    for modes in [
        [Mode::Active, Mode::Passive],
        [Mode::Passive, Mode::Active],
        [Mode::Both, Mode::Both],
        [Mode::Both, Mode::Passive],
        [Mode::Active, Mode::Both],
    ] {
        for seed in 1..50 {
            let mut net = Net::new(configs(modes), seed);
            let routes = routes(&["100.64.0.1/32", "2001:db8::1/128"]);
            net.sessions[0].set_routes(&routes, at(1));
            start(&mut net);
            net.run(Duration::from_secs(30));
            assert!(net.up(), "{modes:?} {seed}: {:?}", net.events);
            assert_eq!(net.connections(), 1);
            assert_eq!(net.table(0), wanted(&routes, 0));
            for family in Family::ALL {
                assert!(net.events[1].contains(&Event::EndOfRibReceived { family }));
            }
        }
    }
}

/// Both families go over a session without any global address; an explicit next hop still counts,
/// and a link-local one that is not our end of the session is never sent.
#[test]
fn link_local_ends_are_next_hops() {
    use crate::bgp::wire::LinkLocal;
    for (link_local, seen) in [
        // The codec that looks on takes the first half.
        (LinkLocal::Native, "::"),
        (LinkLocal::Single, "fe80::1"),
        (LinkLocal::Double, "fe80::1"),
    ] {
        let ends = ["fe80::1%eth0", "fe80::2%up"];
        let configs = [0, 1].map(|side| {
            let mut config = configs([Mode::Both, Mode::Passive])[side].clone();
            config.peer = ends[1 - side].parse().unwrap();
            config.policy.next_hop_v6 = None;
            config.link_local = link_local;
            config.max_prefixes = Some(10);
            assert_eq!(config.validate(), []);
            config
        });
        let mut net = Net::new(configs, 11);
        start(&mut net);
        net.run(Duration::from_secs(30));
        let mut routes = routes(&["100.64.0.1/32", "2001:db8::1/128"]);
        net.sessions[0].set_routes(&routes, net.now);
        net.run(Duration::from_secs(1));
        let want = [("100.64.0.1/32", seen), ("2001:db8::1/128", seen)];
        let want = want.map(|(prefix, hop)| (prefix.parse().unwrap(), ip(hop)));
        assert_eq!(net.table(0), BTreeMap::from(want), "{link_local:?}");
        let heard = net.sessions[1].snapshot().counters;
        assert_eq!((heard.received_announced, heard.treat_as_withdraw), (2, 0), "{link_local:?}");

        let foreign = Route::new(NextHop::Address(ip("fe80::7")));
        routes = ["100.64.0.2/32"].map(|it| (it.parse().unwrap(), foreign)).into_iter().collect();
        net.sessions[0].set_routes(&routes, net.now);
        net.run(Duration::from_secs(1));
        assert!(net.table(0).is_empty());
        let family = Family::Ipv4;
        let reason = Unsendable::MartianNextHop;
        assert!(net.events[0].contains(&Event::Unsendable { family, reason }));
    }
}

#[test]
fn a_hundred_thousand_routes_and_back() {
    let mut net = Net::new(configs([Mode::Active, Mode::Passive]), 3);
    start(&mut net);
    net.run(Duration::from_secs(1));
    let many = hosts(100_000);
    net.sessions[0].set_routes(&many, net.now);
    net.run(Duration::from_secs(1));
    assert_eq!(net.table(0).len(), 100_000);
    let snapshot = net.sessions[0].snapshot();
    assert_eq!((snapshot.wanted, snapshot.told, snapshot.pending), (100_000, 100_000, 0));
    assert!(snapshot.counters.sent[1] < 130, "{:?}", snapshot.counters);
    net.sessions[0].set_routes(&RouteSet::new(), net.now);
    net.run(Duration::from_secs(1));
    assert!(net.table(0).is_empty());
    assert_eq!(net.sessions[1].snapshot().counters.received_withdrawn, 100_000);
}

#[test]
fn a_frozen_peer_is_noticed_within_the_hold_time() {
    let mut net = Net::new(configs([Mode::Both, Mode::Both]), 5);
    start(&mut net);
    net.run(Duration::from_secs(60));
    net.frozen[0] = true;
    net.run(Duration::from_millis(9001));
    assert_ne!(net.sessions[1].state(), State::Established);
    let sent = |event: &Event| matches!(event, Event::Down { cause: DownCause::Sent(it), .. } if (it.code, it.subcode) == (4, 0));
    assert!(net.events[1].iter().any(sent));
    net.frozen[0] = false;
    net.run(Duration::from_secs(30));
    assert!(net.up());
}

#[test]
fn a_quiet_session_stands_for_ever() {
    let mut net = Net::new(configs([Mode::Active, Mode::Passive]), 9);
    start(&mut net);
    net.run(Duration::from_secs(100_000));
    assert!(net.up());
    let counters = net.sessions[0].snapshot().counters;
    assert_eq!((counters.established, counters.attempts), (1, 1));
    // Three to four a hold time.
    assert!((33_000..45_000).contains(&counters.sent[3]), "{counters:?}");
}

#[test]
fn a_stop_is_heard_with_its_words_and_lasts() {
    let mut net = Net::new(configs([Mode::Both, Mode::Both]), 9);
    start(&mut net);
    net.run(Duration::from_secs(60));
    let reason = StopReason::Shutdown;
    net.handle(0, Input::Stop { reason, communication: "maintenance".to_string() });
    net.run(Duration::from_secs(600));
    assert_eq!(net.sessions[0].state(), State::Idle);
    let heard = |event: &Event| {
        matches!(event, Event::Down { cause: DownCause::Received(it), .. }
        if it.communication().as_deref() == Some("maintenance"))
    };
    assert!(net.events[1].iter().any(heard));
    net.handle(0, Input::Start);
    net.run(Duration::from_secs(100));
    assert!(net.up());
}

/// What happens to a pair of sessions.
#[derive(Clone, Debug)]
enum Step {
    Set(usize, Vec<u8>),
    Run(u64),
    Cut,
    Freeze(usize),
    Thaw,
    Unreachable(bool),
    Refuse(usize),
    Stop(usize),
    Restart(usize),
    Start(usize),
    Drain(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..2, prop::collection::vec(0u8..40, 0..30)).prop_map(|(s, p)| Step::Set(s, p)),
        6 => (0u64..20_000).prop_map(Step::Run),
        2 => Just(Step::Cut),
        1 => (0usize..2).prop_map(Step::Freeze),
        1 => Just(Step::Thaw),
        1 => any::<bool>().prop_map(Step::Unreachable),
        1 => (0usize..2).prop_map(Step::Refuse),
        1 => (0usize..2).prop_map(Step::Stop),
        1 => (0usize..2).prop_map(Step::Restart),
        1 => (0usize..2).prop_map(Step::Start),
        1 => (0usize..2, any::<bool>()).prop_map(|(side, on)| Step::Drain(side, on)),
    ]
}

fn some(picked: &[u8]) -> RouteSet {
    let prefix = |n: &u8| match n % 3 {
        0 => Prefix::host(IpAddr::V4(Ipv4Addr::new(100, 64, 0, *n))),
        1 => Prefix::truncating(IpAddr::V4(Ipv4Addr::new(100, 65, *n, 0)), 24).unwrap(),
        _ => alloc::format!("2001:db8::{n:x}/128").parse().unwrap(),
    };
    picked.iter().map(|n| (prefix(n), route())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens on the way, in the end there is one session, and each side has told the
    /// other exactly what is wanted.
    #[test]
    fn the_tables_are_right_in_the_end(
        steps in prop::collection::vec(step(), 1..25),
        seed in 1u64..1_000_000,
        mode in 0usize..3,
    ) {
        let modes = [[Mode::Both, Mode::Both], [Mode::Active, Mode::Passive], [Mode::Both, Mode::Passive]];
        let mut net = Net::new(configs(modes[mode]), seed);
        let mut want = [RouteSet::new(), RouteSet::new()];
        start(&mut net);
        for step in steps {
            match step {
                Step::Set(side, picked) => {
                    want[side] = some(&picked);
                    let now = net.now;
                    net.sessions[side].set_routes(&want[side], now);
                }
                Step::Run(millis) => net.run(Duration::from_millis(millis)),
                Step::Cut => net.cut(),
                Step::Freeze(side) => net.frozen[side] = true,
                Step::Thaw => net.frozen = [false; 2],
                Step::Unreachable(it) => net.unreachable = it,
                Step::Refuse(side) => net.handle(side, Input::Stop {
                    reason: StopReason::Reset, communication: "x".to_string() }),
                Step::Stop(side) => net.handle(side, Input::Stop {
                    reason: StopReason::ConfigChange, communication: alloc::string::String::new() }),
                Step::Restart(side) => net.handle(side, Input::Restart),
                Step::Start(side) => net.handle(side, Input::Start),
                Step::Drain(side, on) => {
                    let mut policy = net.sessions[side].config().policy.clone();
                    policy.graceful_shutdown = on;
                    let now = net.now;
                    net.sessions[side].set_policy(policy, now);
                }
            }
        }
        net.frozen = [false; 2];
        net.unreachable = false;
        start(&mut net);
        net.run(Duration::from_secs(400));
        prop_assert!(net.up(), "{:?}", net.events);
        for (side, want) in want.iter().enumerate() {
            prop_assert_eq!(net.table(side), wanted(want, side));
            prop_assert!(net.sessions[side].is_settled());
            let snapshot = net.sessions[side].snapshot();
            prop_assert_eq!(snapshot.told, want.len());
        }
    }
}
