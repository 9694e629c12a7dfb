//! ExaBGP is asked to stop. It tells its helper, reads nothing more, and waits for it: 4.2 for as
//! long as it takes, 5.0 for two seconds, after which it kills.

use crate::stage::SOON;
use ha2bgp_lab::exabgp::Version;
use ha2bgp_lab::readme::Readme;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, require, service, wait};
use rustix::process::Signal;

fn is_not_held_up(version: Version) -> Result<()> {
    let mut lab = Readme::start(version, "--up-delay 0s", "root")?;
    let listener = service::listen(&lab.r1, "100.64.0.10:80")?;
    wait::until(SOON, "it is announced", || {
        let log = lab.exabgp.log();
        if log.contains("[N] announcing prefix=100.64.0.10/32") { Ok(()) } else { Err(log) }
    })?;
    lab.exabgp.child().signal(Signal::TERM)?;
    lab.exabgp.child().wait(SOON)?;
    let log = lab.exabgp.log();
    // Who waited for an answer that never comes would say so after five seconds, or be killed.
    assert!(log.contains("ExaBGP stops"), "{log}");
    assert!(log.contains("reason=shutdown"), "{log}");
    assert!(!log.contains("[ha2bgp] [E]"), "{log}");
    drop(listener);
    Ok(())
}

#[test]
fn is_not_held_up_debian() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    is_not_held_up(Version::Debian)
}

#[test]
fn is_not_held_up_5_0_15() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::V5_0_15));
    is_not_held_up(Version::V5_0_15)
}
