//! An IPv6 service through the real ExaBGP to BIRD, over a session of its own family.

use ha2bgp_lab::bird::Bird;
use ha2bgp_lab::exabgp::{Config, ExaBgp, Version};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::service::Service;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, link, readme, require};
use std::time::Duration;

const ROUTER: &str = "2001:db8:1::1";
const SPEAKER: &str = "2001:db8:1::2";
const VIP: &str = "2001:db8:100::10";
const LIMIT: Duration = Duration::from_secs(30);

const BIRD: &str = "
router id 1.2.3.4;
log stderr all;
protocol device {}
protocol bgp exabgp {
  local 2001:db8:1::1 as 65000;
  neighbor 2001:db8:1::2 as 65000;
  ipv6 { import all; export none; };
}
";

fn comes_and_goes(version: Version) -> Result<()> {
    let dir = readme::workdir()?;
    let host = Netns::new("v6")?;
    for address in [ROUTER, SPEAKER, VIP] {
        link::add_address(&host, &format!("{address}/128"), "lo")?;
    }
    let bird = Bird::start(&host, "bird", dir.path(), BIRD)?;
    let run = format!(
        "{} --network 2001:db8:100::/64 --up-delay 500ms --down-delay 500ms",
        readme::program_for_all(dir.path())?.display()
    );
    let config = Config { run: &run, neighbor: ROUTER, local: SPEAKER };
    let exabgp = ExaBgp::start(&host, version, dir.path(), &config, "root")?;
    bird.wait_protocol("exabgp", "Established", Duration::from_secs(60))?;
    let route = format!("{VIP}/128");
    for _ in 0..2 {
        let service = Service::start(&host, "service", dir.path(), &format!("[{VIP}]:80"))?;
        bird.wait_route(&route, true, LIMIT)?;
        service.kill()?;
        bird.wait_route(&route, false, LIMIT)?;
    }
    drop(exabgp);
    Ok(())
}

#[test]
fn debian() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    comes_and_goes(Version::Debian)
}

#[test]
fn v5_0_15() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::V5_0_15));
    comes_and_goes(Version::V5_0_15)
}
