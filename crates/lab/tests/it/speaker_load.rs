//! A hundred thousand routes to each router and back.

use crate::speaker_stage::{SESSION, with_each_router};
use ha2bgp::announce::Ended;
use ha2bgp_core::route::RouteSet;
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Config, Kind, Router};
use ha2bgp_lab::{Result, readme, source};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const ROUTES: u32 = 100_000;
/// A router on a machine with other work may take its time.
const LIMIT: Duration = Duration::from_secs(120);
/// The port of the routers.
const ROUTER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 9, 1, 2)), 179);

/// All are in its table, then all but one, then none; over one session.
fn hundred_thousand_routes(kind: Kind) -> Result<()> {
    let dir = readme::workdir()?;
    let (us, them) = (Netns::new("us")?, Netns::new("them")?);
    link::cable(
        End { host: &us, device: "up0", address: "10.9.1.1/24" },
        End { host: &them, device: "down0", address: "10.9.1.2/24" },
    )?;
    let config = Config {
        address: ROUTER.ip().to_string(),
        asn: 65001,
        neighbor: "10.9.1.1".to_owned(),
        neighbor_as: 65000,
        password: None,
        ttl_security: false,
    };
    let router = Router::start(kind, &them, "router", dir.path(), config)?;
    let peer = source::peer(65000, ROUTER, 65001);
    let mut speaker = source::Source::start(Some(&us), vec![peer], RouteSet::new())?;
    router.wait_established(true, SESSION)?;

    let count = usize::try_from(ROUTES).unwrap_or_default();
    let route = |index: u32| router.route(&format!("{}/32", source::host(index)));
    speaker.set(source::hosts(ROUTES));
    router.wait_count(count, LIMIT)?;
    for index in [0, ROUTES / 2, ROUTES - 1] {
        let text = route(index)?;
        assert!(text.contains("10.9.1.1"), "{index}: {text}\n{}", router.tail());
    }
    speaker.set(source::hosts(1));
    router.wait_count(1, LIMIT)?;
    assert!(!route(0)?.is_empty(), "{}", router.tail());
    assert!(route(ROUTES - 1)?.is_empty(), "{}", router.tail());
    speaker.set(RouteSet::new());
    router.wait_count(0, LIMIT)?;
    assert!(router.is_established()?, "{}", router.tail());
    let reports = speaker.reports();
    assert_eq!(reports.matches("Established {").count(), 1, "{reports}");
    assert_eq!(speaker.stop()?, Ended::Finished);
    Ok(())
}
with_each_router!(
    hundred_thousand_routes:
    bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd, exabgp = ExaBgp
);
