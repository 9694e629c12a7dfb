//! The original README's set-up with the speaker in ExaBGP's place: iBGP 65000 on loopback, OSPF
//! behind it, a second router.

use crate::stage::SOON;
use ha2bgp_lab::child::Child;
use ha2bgp_lab::readme::{self, ROUTE, Routers, VIP};
use ha2bgp_lab::service::Service;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, program, require};
use rustix::process::Signal;
use std::time::Duration;

/// The README's network, and what stands in its `exabgp.conf`; without delays.
const ARGS: &str = "-network 100.64.0.0/24 --up-delay 0s --down-delay 0s --damping off \
                    --bgp-backend speaker --local-as 65000 --router-id 10.1.1.1 \
                    --peer 127.0.1.1 --peer-as 65000 --local-address 127.0.1.2";

fn start(routers: &Routers) -> Result<Child> {
    let args: Vec<&str> = ARGS.split_whitespace().collect();
    let ha2bgp = routers.r1.start("ha2bgp", &mut program::command(&args), routers.dir.path())?;
    routers.ready(&|| ha2bgp.tail())?;
    Ok(ha2bgp)
}

fn serve(routers: &Routers, name: &str) -> Result<Service> {
    Service::start(&routers.r1, name, routers.dir.path(), &format!("{VIP}:80"))
}

#[test]
fn bird_with_ospf_as_in_the_readme() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"));
    let routers = Routers::start(readme::workdir()?)?;
    let mut ha2bgp = start(&routers)?;
    for name in ["service", "service2"] {
        let service = serve(&routers, name)?;
        routers.wait_route(true, SOON)?;
        service.kill()?;
        routers.wait_route(false, SOON)?;
    }

    let service = serve(&routers, "service3")?;
    routers.wait_route(true, SOON)?;
    ha2bgp.signal(Signal::TERM)?;
    assert_eq!(ha2bgp.wait(SOON)?.code(), Some(0), "{}", ha2bgp.tail());
    routers.bird1.wait_route(ROUTE, false, Duration::from_secs(2))?;
    routers.wait_route(false, SOON)?;
    assert_eq!(ha2bgp.stdout(), "", "stdout is for ExaBGP only");
    service.kill()
}
