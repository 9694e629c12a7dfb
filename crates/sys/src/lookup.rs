//! Names that people use to numbers that the kernel uses, and whether an address is ours.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::statfs;
use rustix::net::{AddressFamily, SocketType, netdevice, socket};

/// `CGROUP2_SUPER_MAGIC` (include/uapi/linux/magic.h).
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// Addresses that no host has (RFC 5737, RFC 3849), to see whether this one binds everything.
const FOREIGN_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 255);
const FOREIGN_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xffff);

/// The index of the network interface `name` in the network namespace of the calling thread.
pub fn device_index(name: &str) -> Option<u32> {
    // Any socket will do to ask with; this kind needs no address family but AF_UNIX.
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None).ok()?;
    let index = netdevice::name_to_index(socket, name).ok()?;
    NonZeroU32::new(index).map(NonZeroU32::get)
}

/// The address of a socket; with the name of an interface, on that interface (`sin6_scope_id`,
/// ipv6(7)). Nothing when the interface is not there. Indexes change when interfaces are made
/// anew: look it up each time.
pub fn socket_address(ip: IpAddr, port: u16, device: Option<&str>) -> Option<SocketAddr> {
    match (ip, device) {
        (IpAddr::V6(v6), Some(device)) => {
            Some(SocketAddrV6::new(v6, port, 0, device_index(device)?).into())
        }
        _ => Some(SocketAddr::new(ip, port)),
    }
}

/// The id of a cgroup by the path of its directory: the inode number, which `INET_DIAG_CGROUP_ID`
/// and the cgroup condition of socket filters use (`cgroup_id` in include/linux/cgroup.h).
///
/// # Errors
/// When the path does not exist, or is not in a cgroup2 file system.
pub fn cgroup_id(path: &Path) -> io::Result<u64> {
    let metadata = std::fs::metadata(path)?;
    let magic = statfs(path)?.f_type;
    if !metadata.is_dir() || u64::try_from(magic).ok() != Some(CGROUP2_MAGIC) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is not a directory of cgroup2", path.display()),
        ));
    }
    Ok(metadata.ino())
}

/// Whether an address is usable and one of this host, in the network namespace of the calling
/// thread.
///
/// Only what is can be bound. Where anything can (`net.ipv4.ip_nonlocal_bind`), the kernel is asked
/// for the way there: to an address of its own it sends from that very address. Not so to those
/// that are local only because an IPv4 prefix on a loopback interface spans them; with that sysctl
/// they count as foreign.
pub fn is_local(address: IpAddr) -> bool {
    is_local_on(address, None)
}

/// The same for a link-local address of this interface, where one is named.
pub fn is_local_on(address: IpAddr, device: Option<&str>) -> bool {
    let Some(own) = socket_address(address, 0, device) else { return false };
    let (any, foreign): (IpAddr, IpAddr) = match address {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), FOREIGN_V4.into()),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), FOREIGN_V6.into()),
    };
    if UdpSocket::bind(own).is_err() {
        return false;
    }
    if address.is_loopback() || UdpSocket::bind((foreign, 0)).is_err() {
        return true;
    }
    // Port 9, "discard": connecting a UDP socket only chooses the way, nothing is sent.
    let way = UdpSocket::bind((any, 0)).and_then(|socket| {
        let mut discard = own;
        discard.set_port(9);
        socket.connect(discard)?;
        socket.local_addr()
    });
    way.is_ok_and(|local| local.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_host_are_told_from_others() {
        assert!(is_local("127.0.0.1".parse().unwrap()));
        assert!(is_local("127.9.9.9".parse().unwrap()), "all of 127/8 is");
        for foreign in ["192.0.2.77", "2001:db8::77"] {
            assert!(!is_local(foreign.parse().unwrap()), "{foreign}");
        }
    }

    #[test]
    fn devices_have_indexes() {
        assert_eq!(device_index("lo"), Some(1));
        assert_eq!(device_index("no-such-dev"), None);
        assert_eq!(device_index("a name that is far too long"), None);
        assert_eq!(device_index(""), None);
    }

    #[test]
    fn link_local_addresses_are_those_of_an_interface() {
        let address = "fe80::1:2:3:4".parse().unwrap();
        assert_eq!(socket_address(address, 179, Some("no-such-dev")), None);
        let on_lo = socket_address(address, 179, Some("lo")).unwrap();
        assert_eq!(on_lo.to_string(), "[fe80::1:2:3:4%1]:179");
        for device in [None, Some("lo"), Some("no-such-dev")] {
            assert!(!is_local_on(address, device), "{device:?}");
        }
        assert!(is_local_on("127.0.0.1".parse().unwrap(), Some("lo")));
    }

    #[test]
    fn only_cgroup2_directories_have_ids() {
        let refused = cgroup_id(Path::new("/proc")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        let missing = cgroup_id(Path::new("/no/such/path")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            if let Ok(id) = cgroup_id(Path::new(root)) {
                assert_ne!(id, 0, "{root}");
                return;
            }
        }
        println!("skipped: no cgroup2 mounted where it usually is");
    }
}
