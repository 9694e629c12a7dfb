//! A hundred thousand routes to each router and back; a full table from one.

use crate::speaker_stage::{SESSION, with_each_router};
use crate::stage::{AT_ONCE, VIP, host};
use ha2bgp::announce::Ended;
use ha2bgp_core::route::RouteSet;
use ha2bgp_lab::bgp::{Conversation, NOTIFICATION, UPDATE, counted, update};
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Config, Kind, Router};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, procfs, program, readme, require, service, source};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

/// A router on a machine with other work may take its time.
const LIMIT: Duration = Duration::from_secs(120);
/// The port of the routers.
const ROUTER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 9, 1, 2)), 179);

/// All are in its table, then all but one, then none; over one session.
fn there_and_back(kind: Kind, routes: u32) -> Result<()> {
    let dir = readme::workdir()?;
    let (us, them) = (Netns::new("us")?, Netns::new("them")?);
    link::cable(
        End { host: &us, device: "up0", address: "10.9.1.1/24" },
        End { host: &them, device: "down0", address: "10.9.1.2/24" },
    )?;
    let config = Config::plain(ROUTER.ip().to_string(), 65001, "10.9.1.1");
    let router = Router::start(kind, &them, "router", dir.path(), config)?;
    let peer = source::peer(65000, ROUTER, 65001);
    let mut speaker = source::Source::start(Some(&us), vec![peer], RouteSet::new())?;
    router.wait_established(true, SESSION)?;

    let count = usize::try_from(routes).unwrap_or_default();
    let route = |index: u32| router.route(&format!("{}/32", source::host(index)));
    speaker.set(source::hosts(routes));
    router.wait_count(count, LIMIT)?;
    for index in [0, routes / 2, routes - 1] {
        let text = route(index)?;
        assert!(text.contains("10.9.1.1"), "{index}: {text}\n{}", router.tail());
    }
    speaker.set(source::hosts(1));
    router.wait_count(1, LIMIT)?;
    assert!(!route(0)?.is_empty(), "{}", router.tail());
    assert!(route(routes - 1)?.is_empty(), "{}", router.tail());
    speaker.set(RouteSet::new());
    router.wait_count(0, LIMIT)?;
    assert!(router.is_established()?, "{}", router.tail());
    let reports = speaker.reports();
    assert_eq!(reports.matches("Established {").count(), 1, "{reports}");
    assert_eq!(speaker.stop()?, Ended::Finished);
    Ok(())
}

fn hundred_thousand_routes(kind: Kind) -> Result<()> {
    there_and_back(kind, 100_000)
}
with_each_router!(
    hundred_thousand_routes: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd
);

/// ExaBGP takes a second of a core for 10 000.
fn ten_thousand_routes(kind: Kind) -> Result<()> {
    there_and_back(kind, 10_000)
}
with_each_router!(ten_thousand_routes: exabgp = ExaBgp);

/// A million routes come in and are not kept, and the session goes on in both directions.
#[test]
fn a_full_table_leaves_nothing() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("full-table")?;
    let dir = readme::workdir()?;
    let address = "127.0.1.1:179";
    let listener = host.within(|| TcpListener::bind(address))?.map_err(LabError::io(address))?;
    let mut args = AT_ONCE.to_vec();
    args.extend(["--bgp-backend", "speaker", "--local-as", "65000", "--router-id", "10.1.1.1"]);
    args.extend(["--peer", "127.0.1.1", "--peer-as", "65001", "--local-address", "127.0.1.2"]);
    let ha2bgp = host.start("ha2bgp", &mut program::command(&args), dir.path())?;
    let io = || LabError::io("the session");
    let mut router = Conversation::accept(&listener, 65001, 90).map_err(io())?;
    // The first ones make buffers grow to what they need.
    feed(&mut router, 20).map_err(io())?;
    let memory = || procfs::memory(ha2bgp.pid(), "VmHWM").unwrap_or_default();
    let answers = |router: &mut Conversation| -> Result<()> {
        let service = service::listen(&host, &format!("{VIP}:8080"))?;
        next_update(router, |(_, announced)| announced == 1).map_err(io())?;
        drop(service);
        next_update(router, |(withdrawn, _)| withdrawn == 1).map_err(io())
    };
    answers(&mut router)?;
    let before = memory();
    feed(&mut router, 1250).map_err(io())?;
    answers(&mut router)?;
    let grown = memory().saturating_sub(before);
    assert!(grown <= 1 << 20, "{grown} bytes more than the {before} before\n{}", ha2bgp.tail());
    Ok(())
}

/// Sends so many UPDATEs with 800 routes each, all different.
fn feed(router: &mut Conversation, updates: u32) -> std::io::Result<()> {
    // ORIGIN IGP, AS_PATH 65001, NEXT_HOP 127.0.1.1.
    let attributes = [0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xfd, 0xe9, 0x40, 3, 4, 127, 0, 1, 1];
    for block in 0..updates {
        let first = 0x1400_0000 + block * 800;
        let prefixes = (first..first + 800).flat_map(|bits| {
            let [a, b, c, d] = bits.to_be_bytes();
            [32, a, b, c, d]
        });
        router.send(&update(&[], &attributes, &prefixes.collect::<Vec<u8>>()))?;
    }
    Ok(())
}

/// Reads to the UPDATE of which this is true: how many it withdraws and announces.
fn next_update(
    router: &mut Conversation,
    wanted: fn((usize, usize)) -> bool,
) -> std::io::Result<()> {
    loop {
        match router.next()? {
            Some((UPDATE, body)) if wanted(counted(&body)) => return Ok(()),
            Some((NOTIFICATION, body)) => return Err(std::io::Error::other(format!("{body:?}"))),
            Some(_) => {}
            None => return Err(std::io::Error::other("the session has ended")),
        }
    }
}
