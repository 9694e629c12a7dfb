//! What is asked of this host while settings are read and judged, so that tests can fake it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use ha2bgp_core::net::Prefix;
use ha2bgp_proto::bgp::PeerAddress;

/// What a path begins with that is in the directory of systemd's credentials, as in unit files.
pub const CREDENTIALS: &str = "%d/";

/// This host, as far as the configuration asks.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// Whether an interface of that name is there.
    pub device_exists: &'a dyn Fn(&str) -> bool,
    /// Whether an address is one of this host.
    pub is_own_address: &'a dyn Fn(PeerAddress) -> bool,
    /// What a file holds.
    pub read_file: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    /// Whether a file may be executed by anybody; an error when it cannot be looked at.
    pub is_executable: &'a dyn Fn(&str) -> io::Result<bool>,
    /// The names in a directory; nothing for what is no directory, or is not there.
    pub list_dir: &'a dyn Fn(&str) -> io::Result<Option<Vec<String>>>,
    /// The permissions of a file, as in chmod(2).
    pub file_mode: &'a dyn Fn(&str) -> io::Result<u32>,
    /// All its addresses; nothing when it does not tell.
    pub addresses: &'a dyn Fn() -> Option<Vec<OwnAddress>>,
    /// Where systemd keeps credentials (`$CREDENTIALS_DIRECTORY`, systemd.exec(5)), if it does.
    pub credentials: Option<&'a str>,
    /// Its name, with or without a domain.
    pub name: &'a str,
}

/// An address of this host, and where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnAddress {
    /// The address.
    pub ip: IpAddr,
    /// Whom it can reach without a router: on a point-to-point link that of the other end.
    pub subnet: Prefix,
    /// The interface.
    pub device: Arc<str>,
    /// Its label, `lo:web`; the interface when it has none.
    pub label: Arc<str>,
    /// The interface is a loopback: there an IPv4 prefix makes every address in it local.
    pub loopback: bool,
    /// The interface is up.
    pub up: bool,
}

impl OwnAddress {
    /// True when it makes `ip` an address of this host.
    pub fn provides(&self, ip: IpAddr) -> bool {
        self.ip == ip || (self.loopback && ip.is_ipv4() && self.subnet.contains(ip))
    }
}

impl Host<'static> {
    /// A host that has nothing and is asked for nothing: whoever fakes one says what is otherwise.
    pub const BARE: Self = Self {
        device_exists: &|_| false,
        is_own_address: &|_| false,
        read_file: &|_| Err(io::Error::from_raw_os_error(2)),
        is_executable: &|_| Err(io::Error::from_raw_os_error(2)),
        list_dir: &|_| Ok(None),
        file_mode: &|_| Err(io::Error::from_raw_os_error(2)),
        addresses: &|| None,
        credentials: None,
        name: "host",
    };
}

impl Host<'_> {
    /// Where a file is that was written as `path`: `%d/NAME` is a credential of systemd.
    ///
    /// # Errors
    /// When there are no credentials.
    pub fn locate(&self, path: &str) -> Result<String, String> {
        match (path.strip_prefix(CREDENTIALS), self.credentials) {
            (Some(name), Some(directory)) => Ok(format!("{directory}/{name}")),
            (Some(_), None) => Err(format!(
                "\"{path}\" is a credential of systemd, and $CREDENTIALS_DIRECTORY is not set: add \
                 LoadCredential= to the unit, or write the path of a file"
            )),
            (None, _) => Ok(path.to_owned()),
        }
    }

    /// The value of a kernel parameter, such as `net/ipv4/conf/all/arp_ignore`; nothing where it
    /// cannot be read.
    pub fn sysctl(&self, name: &str) -> Option<u32> {
        let bytes = (self.read_file)(&format!("/proc/sys/{name}")).ok()?;
        std::str::from_utf8(&bytes).ok()?.trim().parse().ok()
    }
}
