//! Another configuration for a session that is there.

use super::paths::path;
use super::raw::{Raw, bytes_of, keepalive, peer_open};
use super::*;
use crate::bgp::fsm::State;

/// What a peer of [`external`] with two routes, one of them the last choice, has heard of it.
fn settled(config: PeerConfig, open: &Open) -> Raw {
    let mut raw = Raw::up(config, open);
    let mut desired = routes(&["100.64.0.1/32", "100.65.0.1/32"]);
    let last = Route { last_choice: true, ..route() };
    desired.insert("100.64.0.9/32".parse().unwrap(), last);
    let now = raw.now;
    raw.session.set_routes(&desired, now);
    raw.messages();
    assert!(raw.session.is_settled());
    raw
}

/// The prefixes that are announced and withdrawn after a change, by their third and last octets.
fn told(raw: &mut Raw, change: impl FnOnce(&mut PeerConfig)) -> (Vec<u8>, Vec<u8>) {
    let mut config = raw.session.config().clone();
    change(&mut config);
    let now = raw.now;
    raw.session.set_live(&config, now);
    let (mut announced, mut withdrawn) = (Vec::new(), Vec::new());
    for (kind, body) in raw.messages() {
        assert_eq!(kind, Kind::Update);
        let (gone, rest) = body[2..].split_at(usize::from(body[1]));
        let routes = &rest[2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]))..];
        withdrawn.extend(gone.chunks(5).map(|it| it[4]));
        announced.extend(routes.chunks(5).map(|it| it[2] + it[4]));
    }
    announced.sort_unstable();
    (announced, withdrawn)
}

/// What is said of 100.64.0.1, 100.64.0.9 and 100.65.0.1.
const FIRST: u8 = 64 + 1;
const LAST: u8 = 64 + 9;
const OTHER: u8 = 65 + 1;

#[test]
fn only_what_goes_out_otherwise_is_sent_again() {
    let mut raw = settled(external(), &peer_open());
    let nothing = (Vec::new(), Vec::new());
    let counters = raw.session.snapshot().counters;
    // The same, and what is not about routes.
    assert_eq!(told(&mut raw, |_| {}), nothing);
    assert_eq!(
        told(&mut raw, |it| {
            it.keepalive = Some(Duration::from_secs(1));
            it.idle_hold.first = Duration::from_secs(9);
            it.send_hold = Duration::from_secs(900);
            it.max_prefixes = Some(100);
            it.link_local = wire::LinkLocal::Single;
            it.policy.next_hop_v6 = Some("2001:db8::9".parse().unwrap());
            // In iBGP only.
            it.policy.local_pref = Some(7);
        }),
        nothing
    );
    assert_eq!(raw.session.snapshot().counters, counters);
    // A network more or less.
    let narrow = ["100.64.0.0/16", "2001:db8::/32"].map(|it| it.parse().unwrap()).to_vec();
    let found = told(&mut raw, |it| it.policy.networks = Networks::new(narrow));
    assert_eq!(found, (Vec::new(), [1].to_vec()));
    let found = told(&mut raw, |it| it.policy.networks = networks());
    assert_eq!(found, ([OTHER].to_vec(), Vec::new()));
    // How routes go out that are the last choice.
    let found = told(&mut raw, |it| it.policy.last_choice.prepend = Some(9));
    assert_eq!(found, ([LAST].to_vec(), Vec::new()));
    // Its own MED stays.
    let found = told(&mut raw, |it| it.policy.med = Some(7));
    assert_eq!(found, ([FIRST, OTHER].to_vec(), Vec::new()));
    let found = told(&mut raw, |it| it.policy.next_hop_v4 = Some(Ipv4Addr::new(10, 0, 0, 7)));
    assert_eq!(found, ([FIRST, OTHER, LAST].to_vec(), Vec::new()));
    let found = told(&mut raw, |it| it.policy.communities.push(1));
    assert_eq!(found, ([FIRST, OTHER, LAST].to_vec(), Vec::new()));
    assert_eq!(raw.session.snapshot().told, 3);
    assert!(!raw.events.iter().any(|it| matches!(it, Event::Down { .. })), "{:?}", raw.events);
}

#[test]
fn the_new_keepalive_time_counts() {
    let mut raw = settled(external(), &peer_open());
    told(&mut raw, |it| it.keepalive = Some(Duration::from_secs(1)));
    // The one that waits goes out at its time.
    raw.pass(Duration::from_secs(3));
    assert!(raw.kinds().contains(&Kind::Keepalive));
    for _ in 0..3 {
        raw.send(&keepalive());
        raw.pass(Duration::from_millis(1001));
        assert_eq!(raw.kinds(), [Kind::Keepalive]);
    }
}

#[test]
fn a_lower_limit_of_prefixes_ends_the_session_that_has_more() {
    let config = PeerConfig { max_prefixes: Some(5), ..external() };
    let mut raw = settled(config, &peer_open());
    let announced = |last| path(&alloc::format!("192.0.2.{last}/32"), None, "10.0.0.1", &[]);
    (1..4).for_each(|last| raw.send(&announced(last)));
    told(&mut raw, |it| it.max_prefixes = Some(3));
    assert_eq!(raw.session.state(), State::Established);
    // Without a limit nothing is remembered; a new one counts from there.
    told(&mut raw, |it| it.max_prefixes = None);
    told(&mut raw, |it| it.max_prefixes = Some(2));
    (1..3).for_each(|last| raw.send(&announced(last)));
    assert_eq!(raw.session.state(), State::Established);
    let config = PeerConfig { max_prefixes: Some(1), ..raw.session.config().clone() };
    let now = raw.now;
    raw.session.set_live(&config, now);
    raw.drain();
    assert_eq!(raw.session.state(), State::Idle);
    assert_eq!(raw.notification(), Some(Notification::new(6, 1)));
}

#[test]
fn who_waited_for_the_peer_connects() {
    let mut raw = Raw::new(PeerConfig { mode: Mode::Passive, ..external() });
    raw.pass(Duration::from_secs(600));
    assert_eq!(raw.connects, 0);
    let config = PeerConfig { mode: Mode::Both, ..external() };
    let now = raw.now;
    raw.session.set_live(&config, now);
    raw.drain();
    assert_eq!(raw.connects, 1);
    raw.session.set_live(&config, now);
    raw.drain();
    assert_eq!(raw.connects, 1);
}

/// How sessions end that begin again, by what the peer and we can do.
#[test]
fn a_peer_that_helps_keeps_the_routes_over_a_change() {
    let restart = |notification, families: &[(u16, u8, bool)]| Capability::GracefulRestart {
        restarting: false,
        notification,
        restart_time: 60,
        families: families.to_vec(),
    };
    let v4: &[(u16, u8, bool)] = &[(1, 1, true)];
    for (theirs, ours, parting) in [
        (None, Some(false), Parting::Told),
        (Some(restart(false, v4)), None, Parting::Told),
        (Some(restart(false, &[])), Some(false), Parting::Silent),
        (Some(restart(false, v4)), Some(false), Parting::Silent),
        (Some(restart(true, v4)), Some(false), Parting::Silent),
        // Both keep routes over a NOTIFICATION.
        (Some(restart(true, v4)), Some(true), Parting::Told),
    ] {
        let mut config = external();
        config.graceful_restart = ours.map(|notification| GracefulRestart {
            notification,
            restarting: true,
            forwarding_preserved: Families::NONE,
            ..GracefulRestart::default()
        });
        let mut open = peer_open();
        open.capabilities.extend(theirs);
        let mut raw = settled(config.clone(), &open);
        config.hold_time = Duration::from_secs(30);
        let now = raw.now;
        assert_eq!(raw.session.reconfigure(config, now), parting, "{open:?}");
        raw.drain();
        let said = (parting == Parting::Told).then(|| Notification::new(6, 6));
        assert_eq!((raw.closed, raw.notification()), (Some(false), said));
        // Nothing is tried before it is told to.
        raw.pass(Duration::from_secs(600));
        assert_eq!(raw.connects, 1);
        raw.handle(Input::Start);
        raw.connect();
        let (_, sent) = raw.messages().remove(0);
        let (sent, _) = Open::decode(&sent).unwrap();
        assert_eq!(sent.hold_time, 30);
        let flags = sent.capabilities.iter().find_map(|it| match it {
            Capability::GracefulRestart { restarting, families, .. } => {
                Some((*restarting, families.clone()))
            }
            _ => None,
        });
        assert_eq!(flags, ours.map(|_| (false, v4.to_vec())));
        raw.send(&bytes_of(&open));
        raw.send(&keepalive());
        assert_eq!(raw.session.snapshot().counters.established, 2);
        raw.messages();
        assert_eq!(raw.session.snapshot().told, 3);
    }
}
