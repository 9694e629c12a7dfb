//! The original README's BIRD with the speaker in ExaBGP's place: iBGP 65000 on loopback.

use crate::speaker_stage::SESSION;
use crate::stage::{AT_ONCE, SOON, VIP, host};
use ha2bgp_lab::bird::Bird;
use ha2bgp_lab::service::Service;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, program, readme, require};
use rustix::process::Signal;
use std::time::Duration;

/// In BIRD 2's words; see `ha2bgp_lab::readme` for the difference.
const BIRD: &str = r#"
router id 1.2.3.4;
log stderr all;
protocol device {}
protocol direct { ipv4; interface "-lo", "*"; }
protocol bgp exabgp {
  local 127.0.1.1 as 65000;
  neighbor 127.0.1.2 as 65000;
  ipv4 { import all; export none; };
}
"#;

#[test]
fn bird_as_in_the_readme() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"));
    let host = host("speaker-readme")?;
    let dir = readme::workdir()?;
    let bird = Bird::start(&host, "bird", dir.path(), BIRD)?;
    let mut args = AT_ONCE.to_vec();
    args.extend(["--bgp-backend", "speaker", "--local-as", "65000", "--router-id", "10.1.1.1"]);
    args.extend(["--peer", "127.0.1.1", "--peer-as", "65000", "--local-address", "127.0.1.2"]);
    let mut ha2bgp = host.start("ha2bgp", &mut program::command(&args), dir.path())?;
    bird.wait_protocol("exabgp", "Established", SESSION)?;
    let route = format!("{VIP}/32");
    let service = Service::start(&host, "service", dir.path(), &format!("{VIP}:8080"))?;
    bird.wait_route(&route, true, SOON)?;
    service.kill()?;
    bird.wait_route(&route, false, SOON)?;

    let service = Service::start(&host, "service2", dir.path(), &format!("{VIP}:8080"))?;
    bird.wait_route(&route, true, SOON)?;
    ha2bgp.signal(Signal::TERM)?;
    assert_eq!(ha2bgp.wait(SOON)?.code(), Some(0), "{}", ha2bgp.tail());
    bird.wait_route(&route, false, Duration::from_secs(2))?;
    assert_eq!(ha2bgp.stdout(), "", "stdout is for ExaBGP only");
    service.kill()
}
