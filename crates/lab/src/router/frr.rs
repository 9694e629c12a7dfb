//! FRR: zebra, which bgpd needs to resolve next hops, and bgpd; one directory of sockets a router.

use super::{BfdOf, Config, Router, ipv6};
use crate::child::{self, Child};
use crate::netns::Netns;
use crate::{LabError, Result, wait};
use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

fn text(config: &Config) -> String {
    let Config { asn, neighbor_as, .. } = config;
    // A router that drops all routes for want of a policy is of no use as a receiver.
    let mut text = format!(
        "log stdout\nrouter bgp {asn}\n bgp router-id 10.255.0.1\n no bgp ebgp-requires-policy\n"
    );
    let neighbors: Vec<&String> =
        [&config.neighbor].into_iter().chain(&config.options.second).collect();
    for neighbor in &neighbors {
        // A neighbor that is called as an interface is whoever advertises itself as a router there.
        let device = config.device.as_ref().filter(|device| device != neighbor);
        let found = if config.device.is_some() && device.is_none() { "interface " } else { "" };
        text.push_str(&format!(" neighbor {neighbor} {found}remote-as {neighbor_as}\n"));
        if let Some(device) = device {
            text.push_str(&format!(" neighbor {neighbor} interface {device}\n"));
        }
        if let Some(key) = &config.password {
            text.push_str(&format!(" neighbor {neighbor} password {key}\n"));
        }
        if config.ttl_security {
            text.push_str(&format!(" neighbor {neighbor} ttl-security hops 1\n"));
        }
        if let Some(hops) = config.options.hops {
            text.push_str(&format!(" neighbor {neighbor} ebgp-multihop {hops}\n"));
        }
        if config.options.bfd.is_some_and(|bfd| bfd.of != BfdOf::Nothing) {
            text.push_str(&format!(" neighbor {neighbor} bfd profile lab\n"));
        }
        if ipv6(neighbor) {
            // What RFC 8950 needs; meant for sessions over IPv6.
            text.push_str(&format!(" neighbor {neighbor} capability extended-nexthop\n"));
        }
    }
    for family in ["ipv4", "ipv6"] {
        text.push_str(&format!(" address-family {family} unicast\n"));
        for neighbor in &neighbors {
            text.push_str(&format!("  neighbor {neighbor} activate\n"));
            if config.options.second.is_some() && !config.ebgp() {
                text.push_str(&format!("  neighbor {neighbor} route-reflector-client\n"));
            }
            // It receives several paths anyway.
            if config.options.add_path {
                text.push_str(&format!("  neighbor {neighbor} addpath-tx-all-paths\n"));
            }
        }
        text.push_str(" exit-address-family\n");
    }
    text
}

pub(super) fn start(router: &Router, host: &Netns) -> Result<Vec<Child>> {
    router.write("bgpd.conf", &text(&router.config))?;
    router.write("zebra.conf", "log stdout\n")?;
    if let Some(bfd) = &router.config.options.bfd {
        router.write("bfdd.conf", &bfd.frr())?;
    }
    // Both become the user frr before they make their sockets.
    child::run(Command::new("chown").arg("-R").arg("frr:frr").arg(&router.dir))?;
    let program = |name: &str| {
        let path = format!("/usr/lib/frr/{name}");
        // The others may be busy with many routes, and would be in the way of it, and of us.
        let watches = name == "bfdd";
        let mut command = if watches { router.command(&path) } else { Command::new(path) };
        command.arg("-f").arg(router.file(&format!("{name}.conf")));
        command.arg("-i").arg(router.file(&format!("{name}.pid")));
        command.arg("-z").arg(router.file("zserv.api"));
        command.arg("--vty_socket").arg(&router.dir).args(["-P", "0"]);
        command
    };
    // One that was killed has left its socket, and clients that meet nobody there come back in 10 s,
    // each in its own turn: with bgpd before bfdd, BFD never begins.
    match std::fs::remove_file(router.file("zserv.api")) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(LabError::io("zserv.api")(error));
        }
        _ => {}
    }
    let zebra = host.start("zebra", &mut program("zebra"), &router.dir)?;
    wait::until(Duration::from_secs(20), "zebra takes clients", || {
        if router.file("zserv.api").exists() { Ok(()) } else { Err(zebra.tail()) }
    })?;
    let mut children = vec![zebra];
    if router.config.options.bfd.is_some() {
        let mut bfdd = program("bfdd");
        // Its socket for other managers of it has one place for the whole host otherwise.
        bfdd.arg("--bfdctl").arg(router.file("bfdd.sock"));
        children.push(host.start("bfdd", &mut bfdd, &router.dir)?);
    }
    let mut bgpd = program("bgpd");
    if router.config.device.is_none() {
        bgpd.args(["-l", &router.config.address]);
    }
    children.push(host.start("bgpd", &mut bgpd, &router.dir)?);
    Ok(children)
}

fn ask(router: &Router, question: &str) -> Result<String> {
    tell(router, "bgpd", &[question])
}

/// Commands for one of its daemons.
pub(super) fn tell(router: &Router, daemon: &str, lines: &[&str]) -> Result<String> {
    let mut command = Command::new("vtysh");
    command.arg("--vty_socket").arg(&router.dir).args(["-d", daemon]);
    for line in lines {
        command.args(["-c", line]);
    }
    child::run(&mut command)
}

pub(super) fn neighbor(router: &Router) -> Result<String> {
    ask(router, &format!("show bgp neighbors {}", router.config.neighbor))
}

/// Of both families.
pub(super) fn count(router: &Router) -> Result<usize> {
    let text = ask(router, "show bgp summary json")?;
    let values = text.split("\"pfxRcd\":").skip(1);
    let digits = values.filter_map(|rest| rest.split(',').next()?.trim().parse::<usize>().ok());
    Ok(digits.sum())
}

pub(super) fn refresh(router: &Router) -> Result<()> {
    let neighbor = &router.config.neighbor;
    let family = if ipv6(neighbor) { "ipv6" } else { "ipv4" };
    ask(router, &format!("clear bgp {family} unicast {neighbor} soft in")).map(drop)
}

pub(super) fn route(router: &Router, prefix: &str) -> Result<String> {
    let family = if ipv6(prefix) { "ipv6" } else { "ipv4" };
    let reply = ask(router, &format!("show bgp {family} unicast {prefix}"))?;
    Ok(if reply.contains(prefix) && !reply.contains("not in table") {
        reply
    } else {
        String::new()
    })
}
