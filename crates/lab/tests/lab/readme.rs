//! The README's configuration, end to end: ExaBGP starts ha2bgp, BIRD learns the route and
//! redistributes it into OSPF, a second router sees it come and go.

use ha2bgp_lab::exabgp::Version;
use ha2bgp_lab::readme::{ROUTE, Readme, VIP};
use ha2bgp_lab::service::Service;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, link, require};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);

fn serve(lab: &Readme) -> Result<Service> {
    Service::start(&lab.r1, "service", lab.dir.path(), &format!("{VIP}:80"))
}

/// With nothing but the README's flags: up after 6 s, down after 3 s.
fn defaults(version: Version, user: &str) -> Result<()> {
    let lab = Readme::start(version, "", user)?;
    lab.holds(false, Duration::from_millis(500))?;
    let service = serve(&lab)?;
    let up = Instant::now();
    lab.holds(false, Duration::from_secs(5))?;
    lab.wait_route(true, LIMIT)?;
    assert!(up.elapsed() >= Duration::from_millis(5_500), "announced after {:?}", up.elapsed());

    service.kill()?;
    let down = Instant::now();
    lab.holds(true, Duration::from_secs(2))?;
    lab.bird1.wait_route(ROUTE, false, LIMIT)?;
    assert!(down.elapsed() >= Duration::from_millis(2_800), "withdrawn after {:?}", down.elapsed());
    lab.wait_route(false, LIMIT)
}

/// ExaBGP becomes `nobody`, as it does by default, and so does ha2bgp.
#[test]
fn defaults_debian() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    defaults(Version::Debian, "nobody")
}

/// As root: `nobody` need not be able to read a virtual environment below the target directory.
#[test]
fn defaults_5_0_15() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::V5_0_15));
    defaults(Version::V5_0_15, "root")
}

/// Short delays; comes, goes, comes back.
fn comes_and_goes(version: Version) -> Result<()> {
    let lab = Readme::start(version, "--up-delay 500ms --down-delay 500ms", "root")?;
    for _ in 0..2 {
        let service = serve(&lab)?;
        lab.wait_route(true, LIMIT)?;
        service.kill()?;
        lab.wait_route(false, LIMIT)?;
    }
    Ok(())
}

#[test]
fn comes_and_goes_4_2_25() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::V4_2_25));
    comes_and_goes(Version::V4_2_25)
}

#[test]
fn comes_and_goes_3_4_28() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::V3_4_28));
    comes_and_goes(Version::V3_4_28)
}

/// A restart inside of the default down-delay of 3 s is never seen by a router.
fn restart(version: Version) -> Result<()> {
    let lab = Readme::start(version, "--up-delay 500ms", "root")?;
    let service = serve(&lab)?;
    lab.wait_route(true, LIMIT)?;
    service.kill()?;
    lab.holds(true, Duration::from_secs(1))?;
    let service = serve(&lab)?;
    lab.holds(true, Duration::from_secs(7))?;
    assert_eq!(lab.exabgp.removals(), 0, "ExaBGP was told to withdraw:\n{}", lab.exabgp.log());
    service.kill()
}

#[test]
fn restart_inside_of_the_down_delay_debian() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    restart(Version::Debian)
}

#[test]
fn restart_inside_of_the_down_delay_5_0_15() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::V5_0_15));
    restart(Version::V5_0_15)
}

/// What flaps is withdrawn and held, though it is up; calm brings it back.
#[test]
fn flapping_is_withdrawn_and_held() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    let flags = "--up-delay 200ms --down-delay 200ms --damping-half-life 3s";
    let lab = Readme::start(Version::Debian, flags, "root")?;
    let mut service = serve(&lab)?;
    lab.wait_route(true, LIMIT)?;
    for _ in 0..8 {
        service.kill()?;
        ha2bgp_lab::wait::pause(Duration::from_millis(300));
        service = serve(&lab)?;
        ha2bgp_lab::wait::pause(Duration::from_millis(300));
    }
    lab.bird1.wait_route(ROUTE, false, LIMIT)?;
    lab.holds_at_r1(false, Duration::from_secs(3))?;
    lab.wait_route(true, Duration::from_secs(60))?;
    service.kill()
}

/// With `ip_nonlocal_bind=1` a listener outlives its address.
#[test]
fn address_removed_while_the_listener_stays() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    let lab = Readme::start(Version::Debian, "--up-delay 500ms --down-delay 500ms", "root")?;
    lab.r1.sysctl("net/ipv4/ip_nonlocal_bind", "1")?;
    let service = serve(&lab)?;
    lab.wait_route(true, LIMIT)?;
    link::remove_address(&lab.r1, ROUTE, "lo")?;
    lab.wait_route(false, LIMIT)?;
    link::add_address(&lab.r1, ROUTE, "lo")?;
    lab.wait_route(true, LIMIT)?;
    service.kill()
}
