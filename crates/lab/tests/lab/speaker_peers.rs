//! The speaker with several peers, and with itself.

use crate::speaker_stage::{Pair, Plan, SESSION};
use crate::stage::{AT_ONCE, SOON, VIP, host};
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, program, readme, require, service, wait};
use rustix::process::Signal;

/// A router that stands still holds up nobody: the other one hears of everything meanwhile.
#[test]
fn a_frozen_peer_does_not_hold_up_the_other() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Kind::Bird.need(), Kind::Frr.need());
    let plan = Plan::new(Kind::Bird).flags("--peer 10.9.2.2 --hold-time 30s");
    let mut pair = Pair::start(plan)?;
    let third = Netns::new("third")?;
    link::cable(
        End { host: &pair.us, device: "up1", address: "10.9.2.1/24" },
        End { host: &third, device: "down1", address: "10.9.2.2/24" },
    )?;
    let other = pair.second_router(&third)?;
    pair.wait_established(true)?;
    other.wait_established(true, SESSION)?;
    pair.router.freeze(true)?;
    let route = pair.plan.route();
    for _ in 0..3 {
        let listener = service::listen(&pair.us, &pair.plan.service())?;
        other.wait_route(&route, true, SOON)?;
        drop(listener);
        other.wait_route(&route, false, SOON)?;
    }
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.router.freeze(false)?;
    pair.wait_route(true)?;
    other.wait_route(&route, true, SOON)?;
    drop(listener);
    Ok(())
}

/// Two of them on one host: one lets the other in, and hears why it leaves.
#[test]
fn with_itself() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("speaker-itself")?;
    let dir = readme::workdir()?;
    let start = |name: &str, own: &str, asn: &str, peer: &str, peer_as: &str, more: &[&str]| {
        let mut args = AT_ONCE.to_vec();
        args.extend(["--bgp-backend", "speaker", "--local-as", asn, "--router-id", own]);
        args.extend(["--local-address", own, "--peer", peer, "--peer-as", peer_as]);
        args.extend(more);
        host.start(name, &mut program::command(&args), dir.path())
    };
    let both = ["--listen", "127.0.2.1"];
    let one = start("one", "127.0.2.1", "65000", "127.0.2.2", "65001", &both)?;
    let mut two = start("two", "127.0.2.2", "65001", "127.0.2.1", "65000", &[])?;
    for child in [&one, &two] {
        wait::until(SESSION, "the session is up", || {
            let log = child.stderr();
            if log.contains("BGP session established") { Ok(()) } else { Err(log) }
        })?;
    }
    let listener = service::listen(&host, &format!("{VIP}:8080"))?;
    two.signal(Signal::TERM)?;
    assert_eq!(two.wait(SOON)?.code(), Some(0), "{}", two.tail());
    wait::until(SOON, "one hears why", || {
        let log = one.stderr();
        let why =
            "received 6/2 administrative shutdown: \"ha2bgp stops; its routes are withdrawn\"";
        if log.contains(why) { Ok(()) } else { Err(log) }
    })?;
    drop(listener);
    Ok(())
}
