//! Cables and addresses between namespaces.
//!
//! Only link types that this kernel can make: veth and bridge (a bridge without ports behaves as
//! a dummy interface would: up, operational state unknown).

use crate::netns::Netns;
use crate::{LabError, Result};
use ha2bgp_sys::lookup::device_index;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::net::{Ipv6Addr, SocketAddrV6};

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

/// Sends one router advertisement (RFC 4861 section 4.2) from a link-local address of the host: a
/// router, but nobody's default one.
pub fn advertise(host: &Netns, source: &str, device: &str) -> Result<()> {
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    // The kernel fills in the checksum.
    let message = [134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let source: Ipv6Addr =
        source.parse().map_err(|_| LabError::Missing(format!("the address {source}")))?;
    let sent = host.within(|| -> std::io::Result<()> {
        let index = device_index(device).unwrap_or_default();
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.set_multicast_hops_v6(255)?;
        socket.bind(&SockAddr::from(SocketAddrV6::new(source, 0, 0, index)))?;
        socket.send_to(&message, &SockAddr::from(SocketAddrV6::new(all_nodes, 0, 0, index)))?;
        Ok(())
    })?;
    sent.map_err(LabError::io("send a router advertisement"))
}

/// Removes an address.
pub fn remove_address(host: &Netns, address: &str, device: &str) -> Result<()> {
    host.ip(&["addr", "del", address, "dev", device])?;
    Ok(())
}
