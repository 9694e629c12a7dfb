//! The lab itself: its hosts are cleaned up, its routers carry a route from end to end.
//!
//! A shell script stands in for ha2bgp here, so that these tests fail only with the lab.

use ha2bgp_lab::exabgp::Version;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::readme::{self, Readme};
use ha2bgp_lab::service::{self, Service};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, require, wait};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
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
    let stray = child
        .as_mut()
        .map_err(|e| LabError::Missing(e.to_string()))?;
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
    assert!(
        service::listen(&a, "127.0.0.1:80").is_err(),
        "taken on this host"
    );
    drop(first);
    let again = service::listen(&a, "127.0.0.1:80")?;
    drop((second, again));
    Ok(())
}

/// Prints the lines that the test writes into a FIFO, and swallows the answers.
fn stand_in(dir: &Path) -> Result<String> {
    let fifo = dir.join("lines");
    let script = dir.join("stand-in.sh");
    let text = format!(
        "#!/bin/sh\ncat <&0 >/dev/null &\nwhile :; do cat '{}' || exit; done\n",
        fifo.display()
    );
    std::fs::write(&script, text).map_err(LabError::io("stand-in.sh"))?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
        .map_err(LabError::io("chmod"))?;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .map_err(LabError::errno("mkfifo"))?;
    Ok(script.display().to_string())
}

fn route_through_both_routers(version: Version) -> Result<()> {
    let dir = readme::workdir()?;
    let run = stand_in(dir.path())?;
    let fifo = dir.path().join("lines");
    let lab = Readme::start_with(version, &run, "root", dir)?;
    let say = |line: &str| -> Result<()> {
        wait::until(Duration::from_secs(10), "the stand-in listens", || {
            // Non-blocking: an error as long as nobody reads.
            let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            let opened = std::os::unix::fs::OpenOptionsExt::custom_flags(
                OpenOptions::new().write(true),
                flags,
            )
            .open(&fifo);
            let written = opened.and_then(|mut pipe| writeln!(pipe, "{line}"));
            written.map_err(|error| format!("{error}\n{}", lab.exabgp.log()))
        })
    };
    lab.holds(false, Duration::from_millis(200))?;
    say("announce route 100.64.0.10 next-hop self")?;
    lab.wait_route(true, Duration::from_secs(10))?;
    say("withdraw route 100.64.0.10 next-hop self")?;
    lab.wait_route(false, Duration::from_secs(10))
}

#[test]
fn a_route_reaches_the_second_router_debian() -> Result<()> {
    require!(
        Need::Root,
        Need::Tool("bird"),
        Need::ExaBgp(Version::Debian)
    );
    route_through_both_routers(Version::Debian)
}

#[test]
fn a_route_reaches_the_second_router_4_2_25() -> Result<()> {
    require!(
        Need::Root,
        Need::Tool("bird"),
        Need::ExaBgp(Version::V4_2_25)
    );
    route_through_both_routers(Version::V4_2_25)
}

#[test]
fn a_route_reaches_the_second_router_5_0_15() -> Result<()> {
    require!(
        Need::Root,
        Need::Tool("bird"),
        Need::ExaBgp(Version::V5_0_15)
    );
    route_through_both_routers(Version::V5_0_15)
}
