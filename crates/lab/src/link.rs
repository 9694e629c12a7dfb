//! Cables and addresses between namespaces.
//!
//! Only link types that this kernel can make: veth and bridge (a bridge without ports behaves as
//! a dummy interface would: up, operational state unknown).

use crate::Result;
use crate::netns::Netns;

/// An end of a cable.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The host.
    pub host: &'a Netns,
    /// The interface's name there.
    pub device: &'a str,
    /// Its address with prefix length.
    pub address: &'a str,
}

/// Connects two hosts by a veth pair, both ends up and with addresses.
pub fn cable(a: End<'_>, b: End<'_>) -> Result<()> {
    a.host.ip(&[
        "link",
        "add",
        a.device,
        "type",
        "veth",
        "peer",
        "name",
        b.device,
        "netns",
        b.host.name(),
    ])?;
    for end in [a, b] {
        end.host.ip(&["addr", "add", end.address, "dev", end.device])?;
        end.host.ip(&["link", "set", end.device, "up"])?;
    }
    Ok(())
}

/// Adds an interface without a cable, up.
pub fn bridge(host: &Netns, device: &str) -> Result<()> {
    host.ip(&["link", "add", device, "type", "bridge"])?;
    host.ip(&["link", "set", device, "up"])?;
    Ok(())
}

/// Adds an address. IPv6 skips duplicate detection, so that it can be used at once.
pub fn add_address(host: &Netns, address: &str, device: &str) -> Result<()> {
    let mut args = vec!["addr", "add", address, "dev", device];
    if address.contains(':') {
        args.push("nodad");
    }
    host.ip(&args)?;
    Ok(())
}

/// Removes an address.
pub fn remove_address(host: &Netns, address: &str, device: &str) -> Result<()> {
    host.ip(&["addr", "del", address, "dev", device])?;
    Ok(())
}
