//! The lab itself: its hosts are cleaned up, its routers carry a route from end to end.
//!
//! A shell script stands in for ha2bgp here, so that these tests fail only with the lab.

use ha2bgp_lab::exabgp::Version;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::readme::{self, Readme};
use ha2bgp_lab::service::{self, Service};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::stand_in::StandIn;
use ha2bgp_lab::{LabError, Result, require};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[test]
fn a_host_takes_its_processes_with_it() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let dir = readme::workdir()?;
    let host = Netns::new("cleanup")?;
    let name = host.name().to_owned();
    let service = Service::start(&host, "service", dir.path(), "127.0.0.1:80")?;
    // A process that no guard of ours holds.
    let mut child = host.within(|| Command::new("sleep").arg("60").spawn())?;
    let stray = child.as_mut().map_err(|e| LabError::Missing(e.to_string()))?;
    assert!(Path::new("/run/netns").join(&name).exists());
    drop(host);
    assert!(!Path::new("/run/netns").join(&name).exists());
    let status = stray.wait().map_err(LabError::io("wait"))?;
    assert!(!status.success(), "killed with its namespace");
    service.kill()
}

#[test]
fn sockets_are_of_their_namespace() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let (a, b) = (Netns::new("a")?, Netns::new("b")?);
    let first = service::listen(&a, "127.0.0.1:80")?;
    let second = service::listen(&b, "127.0.0.1:80")?;
    assert!(service::listen(&a, "127.0.0.1:80").is_err(), "taken on this host");
    drop(first);
    let again = service::listen(&a, "127.0.0.1:80")?;
    drop((second, again));
    Ok(())
}

fn route_through_both_routers(version: Version) -> Result<()> {
    let dir = readme::workdir()?;
    let stand_in = StandIn::prepare(dir.path())?;
    let lab = Readme::start_with(version, &stand_in.run, "root", dir)?;
    lab.holds(false, Duration::from_millis(200))?;
    stand_in.say("announce route 100.64.0.10 next-hop self")?;
    lab.wait_route(true, Duration::from_secs(10))?;
    stand_in.say("withdraw route 100.64.0.10 next-hop self")?;
    lab.wait_route(false, Duration::from_secs(10))
}

#[test]
fn a_route_reaches_the_second_router_debian() -> Result<()> {
    require!(Need::Root, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    route_through_both_routers(Version::Debian)
}

#[test]
fn a_route_reaches_the_second_router_4_2_25() -> Result<()> {
    require!(Need::Root, Need::Tool("bird"), Need::ExaBgp(Version::V4_2_25));
    route_through_both_routers(Version::V4_2_25)
}

#[test]
fn a_route_reaches_the_second_router_5_0_15() -> Result<()> {
    require!(Need::Root, Need::Tool("bird"), Need::ExaBgp(Version::V5_0_15));
    route_through_both_routers(Version::V5_0_15)
}
