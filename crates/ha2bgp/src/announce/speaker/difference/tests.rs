use std::net::Ipv4Addr;
use std::time::Duration;

use ha2bgp_core::net::Networks;
use ha2bgp_proto::bgp::wire::{Asn, Families, LinkLocal};
use ha2bgp_proto::bgp::{Backoff, LastChoice, Mode, Role};
use ha2bgp_sys::tcp::{Hops, Key};

use super::*;
use crate::announce::speaker::Binding;
use crate::bfd::target::Target;

fn peer() -> Peer {
    let id = Ipv4Addr::new(10, 1, 1, 1);
    let config = PeerConfig::new(Asn(65000), id, std::net::IpAddr::from([10, 0, 0, 1]), Asn(65001));
    Peer {
        config,
        port: 179,
        socket: Options::default(),
        bfd: None,
        defer_end_of_rib: Duration::ZERO,
    }
}

/// Makes a peer another one.
type Edit = fn(&mut Peer);

/// One of each kind of change: what it is, and what it costs.
#[test]
fn each_field_is_found_and_has_its_price() {
    let seconds = Duration::from_secs;
    let changes: [(Field, Edit); 30] = [
        (Field::LocalAs, |it| it.config.local_as = Asn(65009)),
        (Field::RouterId, |it| it.config.router_id = Ipv4Addr::new(10, 9, 9, 9)),
        (Field::RemoteAs, |it| it.config.peer_as = Asn(65009)),
        (Field::LocalAddress, |it| it.config.local = Some(Ipv4Addr::LOCALHOST.into())),
        (Field::Port, |it| it.port = 1179),
        (Field::BindDevice, |it| it.socket.device = Some("eth0".to_owned())),
        (Field::Hops, |it| it.socket.hops = Hops::Security(1)),
        (Field::Families, |it| it.config.families = Families::BOTH),
        (Field::HoldTime, |it| it.config.hold_time *= 2),
        (Field::GracefulRestart, |it| it.config.graceful_restart = None),
        (Field::AddPath, |it| it.config.add_path_send = Some(1)),
        (Field::CountAnnouncers, |it| it.config.count_announcers = true),
        (Field::Capabilities, |it| it.config.capabilities.role = Some(Role::Customer)),
        (Field::Password, |it| it.socket.key = Key::new(b"secret").ok()),
        (Field::Networks, |it| {
            it.config.policy.networks = Networks::new(vec!["10.0.0.0/8".parse().unwrap()]);
        }),
        (Field::NextHop, |it| it.config.policy.next_hop_v4 = Some(Ipv4Addr::LOCALHOST)),
        (Field::LinkLocalNextHop, |it| it.config.link_local = LinkLocal::Single),
        (Field::Med, |it| it.config.policy.med = Some(1)),
        (Field::LocalPref, |it| it.config.policy.local_pref = Some(1)),
        (Field::Prepend, |it| it.config.policy.prepend = 1),
        (Field::Communities, |it| it.config.policy.communities.push(1)),
        (Field::ExtendedCommunities, |it| it.config.policy.extended_communities.push([1; 8])),
        (Field::LargeCommunities, |it| it.config.policy.large_communities.push([1; 3])),
        (Field::LastChoice, |it| {
            it.config.policy.last_choice = LastChoice { prepend: Some(9), ..LastChoice::default() };
        }),
        (Field::MaxPrefixes, |it| it.config.max_prefixes = Some(9)),
        (Field::Mode, |it| it.config.mode = Mode::Both),
        (Field::KeepaliveTime, |it| it.config.keepalive = None),
        (Field::Pauses, |it| {
            it.config.idle_hold = Backoff { max: Duration::from_secs(9), ..it.config.idle_hold };
        }),
        (Field::SendHoldTime, |it| it.socket.user_timeout = Some(Duration::from_secs(9))),
        (Field::Bfd, |it| {
            let target = Target::neighbor(it.config.peer);
            it.bfd = Some(Binding { target, strict: false });
        }),
    ];
    let mut last = None;
    for (field, change_it) in changes {
        let mut new = peer();
        change_it(&mut new);
        let found = change(&peer(), &new);
        assert_eq!(found.fields(), [field]);
        assert_eq!(change(&new, &peer()), found);
        assert_eq!(found.effect(), field.effect());
        assert!(last < Some(field), "each once, in order");
        last = Some(field);
    }
    // What the start of a process and the speaker itself set is no difference.
    let mut new = peer();
    new.defer_end_of_rib = seconds(15);
    new.config.hold_end_of_rib = true;
    new.config.policy.graceful_shutdown = true;
    if let Some(restart) = &mut new.config.graceful_restart {
        (restart.restarting, restart.forwarding_preserved) = (true, Families::NONE);
    }
    assert_eq!(change(&peer(), &new).effect(), Effect::Untouched);
}

#[test]
fn it_says_what_changes_and_what_that_costs() {
    let text = |change_it: Edit| {
        let mut new = peer();
        change_it(&mut new);
        change(&peer(), &new).to_string()
    };
    assert_eq!(text(|_| {}), "not touched");
    assert_eq!(
        text(|it| it.socket.key = Key::new(b"secret").ok()),
        "password-file: a new key, the session stays"
    );
    assert_eq!(
        text(|it| (it.config.policy.med, it.config.policy.prepend) = (Some(1), 1)),
        "med, prepend: the session stays"
    );
    assert_eq!(text(|it| it.config.peer_as = Asn(65009)), "remote-as: the session restarts");
    assert_eq!(
        text(|it| (it.port, it.config.policy.med) = (1179, Some(1))),
        "port, med: the session restarts for port"
    );
}
