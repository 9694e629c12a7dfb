//! Golden transcripts: standard output, byte for byte, for every mode of the original.

use crate::stage::{SOON, Stage};
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, link, require, service, transcript};
use rustix::process::Signal;
use std::time::Duration;

const FAST: [&str; 4] = ["--up-delay", "100ms", "--down-delay", "100ms"];

/// A host with what the transcripts talk about.
fn prepared(hint: &str) -> Result<Netns> {
    let host = Netns::new(hint)?;
    for address in ["100.64.0.10/32", "100.64.0.11/32", "2001:db8:100::10/128"] {
        link::add_address(&host, address, "lo")?;
    }
    Ok(host)
}

/// Two services come, one goes and comes back, then SIGTERM. Each step waits for the one before,
/// so that the order of the lines is certain.
fn play(name: &str, args: &[&str], env: &[(&str, &str)], services: [&str; 2]) -> Result<()> {
    let args = [args, &FAST].concat();
    let mut stage = Stage::with_args(prepared(name)?, &args, env, Answer::Done)?;
    let [first, second] = services;
    let lines = |stage: &mut Stage, count: usize| {
        let text = format!("{count} lines");
        ha2bgp_lab::wait::until(SOON, &text, || match stage.fake.lines().len() {
            seen if seen >= count => Ok(()),
            _ => Err(format!("{}\n{}", stage.fake.text(), stage.fake.child().tail())),
        })
    };
    let a = service::listen(&stage.host, first)?;
    lines(&mut stage, 1)?;
    let b = service::listen(&stage.host, second)?;
    lines(&mut stage, 2)?;
    drop(a);
    lines(&mut stage, 3)?;
    let again = service::listen(&stage.host, first)?;
    lines(&mut stage, 4)?;
    ha2bgp_lab::wait::pause(Duration::from_millis(300));
    stage.fake.child().signal(Signal::TERM)?;
    stage.fake.wait_exit(SOON)?;
    drop((b, again));
    transcript::check(name, &stage.fake.text());
    Ok(())
}

const V4: [&str; 2] = ["100.64.0.10:80", "100.64.0.11:443"];

#[test]
fn defaults_are_the_test_mode() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    play("defaults", &[], &[], ["127.0.0.1:80", "127.0.0.2:443"])
}

#[test]
fn go_style_flags() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    play("go-style", &["-network", "100.64.0.0/24", "-debug=false"], &[], V4)
}

#[test]
fn gnu_style_flags() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    play("gnu-style", &["--network=100.64.0.0/24", "--no-color", "--nexthop", "10.0.0.1"], &[], V4)
}

#[test]
fn environment() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let env = [
        ("HA2BGP_NETWORK_FILTER", "192.0.2.0/24,100.64.0.0/24"),
        ("HA2BGP_LISTEN_FILTER", "sport = :8080"),
        ("HA2BGP_DEVICE", "lo"),
        ("HA2BGP_NEXTHOP", "10.0.0.2"),
    ];
    play("environment", &[], &env, ["100.64.0.10:8080", "100.64.0.11:8080"])
}

#[test]
fn ipv6() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let args = ["-n", "2001:db8:100::/64", "-n", "100.64.0.0/24"];
    play("ipv6", &args, &[], ["[2001:db8:100::10]:80", "100.64.0.11:443"])
}

#[test]
fn exabgp_backend() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    play("exabgp", &["--bgp-backend", "exabgp", "-network", "100.64.0.0/24"], &[], V4)
}

#[test]
fn exabgptest_backend() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    play("exabgptest", &["--bgp-backend", "exabgptest", "-network", "100.64.0.0/24"], &[], V4)
}

#[test]
fn test_backend() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    play("test", &["--bgp-backend", "test", "-network", "100.64.0.0/24"], &[], V4)
}
