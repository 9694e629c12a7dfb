//! `check-config` on hosts that are set up well, and on those that are not: what it reads of the kernel
//! is what the kernel does.

use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, program, readme, require};
use std::fs;
use std::path::Path;

/// A host that announces one VIP to the router at the other end of its link.
const CONFIG: &str = "router-id = \"192.0.2.10\"\nlocal-as = 65000\nnetworks = [\"100.64.0.0/24\"]\n\
    [[peer]]\naddress = \"192.0.2.1\"\nremote-as = 65001\n\
    [[service]]\nname = \"web\"\nvips = [\"100.64.0.10\"]\n";

/// The codes of the warnings about a file, in the order of the text; it must be good.
fn codes(host: &Netns, file: &Path) -> Result<Vec<String>> {
    let file = file.display().to_string();
    let said = host.run(&mut program::command(&["check-config", "--json", "--config", &file]))?;
    let codes = said.lines().filter_map(|line| line.trim().strip_prefix("\"code\": \""));
    let codes = codes.filter_map(|code| code.strip_suffix("\","));
    if said.contains("\"error\"") {
        return Err(LabError::Missing(format!("a good configuration: {said}")));
    }
    Ok(codes.map(str::to_owned).collect())
}

#[test]
fn what_the_kernel_says_is_told() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let (host, router) = (Netns::new("warn")?, Netns::new("warn-router")?);
    link::cable(
        End { host: &host, device: "eth0", address: "192.0.2.10/24" },
        End { host: &router, device: "eth0", address: "192.0.2.1/24" },
    )?;
    let dir = readme::workdir()?;
    let file = dir.path().join("a.toml");
    let write = |text: &str| fs::write(&file, text).map_err(LabError::io("the configuration"));
    write(CONFIG)?;
    for (key, value) in [("arp_ignore", "0"), ("arp_announce", "0"), ("rp_filter", "1")] {
        host.sysctl(&format!("net/ipv4/conf/all/{key}"), value)?;
        host.sysctl(&format!("net/ipv4/conf/eth0/{key}"), value)?;
    }
    assert_eq!(codes(&host, &file)?, ["vip-missing"]);
    link::add_address(&host, "100.64.0.10/32", "lo")?;
    assert_eq!(codes(&host, &file)?, ["arp-ignore", "arp-announce"]);
    // With a second link the way back may be another one.
    link::cable(
        End { host: &host, device: "eth1", address: "198.51.100.10/24" },
        End { host: &router, device: "eth1", address: "198.51.100.1/24" },
    )?;
    assert_eq!(codes(&host, &file)?, ["arp-ignore", "arp-announce", "rp-filter"]);
    for (key, value) in [("arp_ignore", "1"), ("arp_announce", "2"), ("rp_filter", "2")] {
        host.sysctl(&format!("net/ipv4/conf/all/{key}"), value)?;
    }
    assert_eq!(codes(&host, &file)?, [""; 0]);
    write(&format!("{CONFIG}rule = \"listen\"\n"))?;
    assert_eq!(codes(&host, &file)?, ["no-address"]);
    host.sysctl("net/ipv4/ip_nonlocal_bind", "1")?;
    assert_eq!(codes(&host, &file)?, ["nonlocal-bind"]);
    // A router that is not at the end of the link, and a VIP that is on it.
    write(&CONFIG.replace("192.0.2.1\"", "203.0.113.1\""))?;
    assert_eq!(codes(&host, &file)?, ["far-peer"]);
    link::add_address(&host, "100.64.0.1/24", "eth1")?;
    write(CONFIG)?;
    assert_eq!(codes(&host, &file)?, ["vip-in-subnet"]);
    Ok(())
}
