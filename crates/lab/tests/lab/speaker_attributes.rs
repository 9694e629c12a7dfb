//! Every attribute as each router shows it in its own table, next hops of the other family, and
//! peers with different policies. What a router leaves out is said beside it.

use crate::speaker_stage::{Pair, Plan, SESSION, with_each_router};
use crate::stage::{SOON, VIP, VIP2, VIP6};
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, require, service};

/// All that any route can have.
const ALL: &str = r#"
med = 50
communities = ["no-export", "65000:1", "no-export"]
extended-communities = [
    "target:65000:7",
    "link-bandwidth:65000:125000000",
    "link-bandwidth-transitive:65000:125000000",
]
large-communities = ["65000:1:2"]
"#;

/// How the router shows [`ALL`].
fn shown(kind: Kind) -> &'static [&'static str] {
    match kind {
        // 1290693416 is 125000000 as a floating point number.
        Kind::Bird => &[
            "BGP.origin: IGP\n",
            "BGP.next_hop: 10.9.1.1\n",
            "BGP.med: 50\n",
            "BGP.community: (65000,1) (65535,65281)\n",
            "(rt, 65000, 7) (unknown 0x4, 65000, 1290693416) (unknown 0x4004, 65000, 1290693416)\n",
            "BGP.large_community: (65000, 1, 2)\n",
        ],
        Kind::Frr => &[
            "Origin IGP, metric 50,",
            "10.9.1.1 from 10.9.1.1 (10.1.1.1)",
            "Community: 65000:1 no-export\n",
            "RT:65000:7 LB:65000:125000000 (1.000 Gbps) LB:65000:125000000 (1.000 Gbps)\n",
            "Large Community: 65000:1:2\n",
        ],
        Kind::GoBgp => &[
            " 10.9.1.1 ",
            "{Origin: i} {Med: 50}",
            "{Communities: 65000:1, no-export}",
            "{Extcomms: [65000:7], [65000:125000000], [65000:125000000]}",
            "{LargeCommunity: [ 65000:1:2]}",
        ],
        Kind::OpenBgpd => &[
            "Nexthop 10.9.1.1 ",
            "Origin IGP, metric 50,",
            "Communities: 65000:1 NO_EXPORT\n",
            "Ext. Communities: rt 65000:7 [4] 65000:1290693416",
            "Large Communities: 65000:1:2\n",
        ],
        Kind::ExaBgp => &[
            "next-hop 10.9.1.1 origin igp ",
            " med 50 ",
            "community [ 65000:1 no-export ]",
            "extended-community [ target:65000:7 0x0004FDE84CEE6B28 0x4004FDE84CEE6B28 ]",
            "large-community 65000:1:2",
        ],
    }
}

/// The route as the router has it must show all of these.
fn shows(plan: Plan, more: &[&str], not: &[&str]) -> Result<()> {
    let kind = plan.kind;
    let pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    let route = pair.router.route(&pair.plan.route())?;
    for text in shown(kind).iter().chain(more) {
        assert!(route.contains(text), "{text:?} is missing:\n{route}");
    }
    for text in not {
        assert!(!route.contains(text), "{text:?} is there:\n{route}");
    }
    drop(listener);
    pair.wait_route(false)
}

/// Over eBGP: prepended, without LOCAL_PREF; OpenBGPD drops what is not transitive (RFC 4360
/// section 6).
fn to_another_as(kind: Kind) -> Result<()> {
    let (more, not): (&[&str], &[&str]) = match kind {
        Kind::Bird => (&["BGP.as_path: 65000 65000 65000\n"], &[]),
        Kind::Frr => (&["\n  65000 65000 65000\n"], &["localpref"]),
        Kind::GoBgp => (&[" 65000 65000 65000 "], &["LocalPref"]),
        Kind::OpenBgpd => (&["\n    65000 65000 65000\n"], &["0x4004"]),
        Kind::ExaBgp => (&["as-path [ 65000 65000 65000 ]"], &["local-preference"]),
    };
    shows(Plan::new(kind).section(&format!("prepend = 2{ALL}")), more, not)
}
with_each_router!(to_another_as);

/// Over iBGP: LOCAL_PREF, and a path without anybody in it. OpenBGPD shows the link bandwidth that
/// is not transitive without its value.
fn within_the_as(kind: Kind) -> Result<()> {
    let more: &[&str] = match kind {
        Kind::Bird => &["BGP.as_path: \n", "BGP.local_pref: 250\n"],
        Kind::Frr => &["\n  Local\n", "localpref 250, valid, internal"],
        Kind::GoBgp => &["{LocalPref: 250}"],
        Kind::OpenBgpd => &["localpref 250, ", "internal, valid", "0x4004"],
        Kind::ExaBgp => &["local-preference 250 "],
    };
    let plan = Plan { peer_as: 65000, ..Plan::new(kind) };
    let not: &[&str] = if kind == Kind::ExaBgp { &["as-path"] } else { &[] };
    shows(plan.section(&format!("local-pref = 250{ALL}")), more, not)
}
with_each_router!(within_the_as);

/// The route to a VIP of the other family than the session's.
fn of_the_other_family(plan: Plan, vip: &str, service: &str) -> Result<()> {
    let pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, service)?;
    pair.router.wait_route(vip, true, SOON)?;
    let route = pair.router.route(vip)?;
    assert!(route.contains("2001:db8:9::1"), "the next hop is our IPv6 address:\n{route}");
    drop(listener);
    pair.router.wait_route(vip, false, SOON)?;
    pair.wait_established(true)
}

/// RFC 8950. OpenBGPD 7.7 does not know it.
fn ipv4_over_an_ipv6_next_hop(kind: Kind) -> Result<()> {
    let plan = Plan { v6: true, ..Plan::new(kind) };
    of_the_other_family(plan.section(""), &format!("{VIP}/32"), &format!("{VIP}:8080"))
}
with_each_router!(ipv4_over_an_ipv6_next_hop: bird = Bird, frr = Frr, gobgp = GoBgp);

fn ipv6_over_an_ipv4_session(kind: Kind) -> Result<()> {
    let plan = Plan::new(kind).section("next-hop = [\"2001:db8:9::1\"]");
    of_the_other_family(plan, &format!("{VIP6}/128"), &format!("[{VIP6}]:8080"))
}
with_each_router!(ipv6_over_an_ipv4_session);

/// One gets all, the other what its own list allows; each with its own communities.
#[test]
fn each_peer_has_its_own_policy() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Kind::Bird.need(), Kind::Frr.need());
    let plan = Plan::new(Kind::Bird).section(&format!(
        "communities = [\"65000:1\"]\n[[peer]]\naddress = \"10.9.2.2\"\nremote-as = 65001\n\
         networks = [\"{VIP2}/32\"]\ncommunities = [\"65000:2\"]\nmed = 7\nprepend = 1"
    ));
    let third = Netns::new("third")?;
    let pair = Pair::prepared(plan, |us| {
        link::add_address(us, &format!("{VIP2}/32"), "lo")?;
        link::cable(
            End { host: us, device: "up1", address: "10.9.2.1/24" },
            End { host: &third, device: "down1", address: "10.9.2.2/24" },
        )
    })?;
    let other = pair.second_router(&third)?;
    pair.wait_established(true)?;
    other.wait_established(true, SESSION)?;
    let first = service::listen(&pair.us, &format!("{VIP}:8080"))?;
    let second = service::listen(&pair.us, &format!("{VIP2}:8080"))?;
    let (one, two) = (format!("{VIP}/32"), format!("{VIP2}/32"));
    for route in [&one, &two] {
        pair.router.wait_route(route, true, SOON)?;
        let text = pair.router.route(route)?;
        assert!(text.contains("(65000,1)\n") && text.contains("as_path: 65000\n"), "{text}");
        assert!(!text.contains("BGP.med"), "{text}");
    }
    other.wait_route(&two, true, SOON)?;
    let text = other.route(&two)?;
    for part in ["Community: 65000:2\n", "metric 7,", "\n  65000 65000\n"] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    // It was told of both by now, were it told of both.
    assert_eq!(other.count()?, 1, "{}", other.route(&one)?);
    assert_eq!(pair.router.count()?, 2);
    drop(second);
    pair.router.wait_route(&two, false, SOON)?;
    other.wait_route(&two, false, SOON)?;
    assert_eq!(pair.router.count()?, 1);
    drop(first);
    pair.router.wait_route(&one, false, SOON)
}
