//! A network namespace with listening sockets of every kind.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use ha2bgp_proto::family::Family;
use ha2bgp_proto::filter::{Addresses, Names, Socket};
use socket2::{Domain, Protocol, Type};

/// The sockets, open as long as the namespace lives.
pub(crate) struct Place {
    listeners: Vec<(socket2::Socket, u64, Socket)>,
}

/// What to listen on; everything but address and port is ordinary by default.
#[derive(Clone, Copy, Default)]
struct Listen {
    address: &'static str,
    /// Explicit ports keep out of 32768 to 60999: `ss` takes every port there for autobound.
    port: u16,
    only_v6: bool,
    device: Option<&'static str>,
    mark: u32,
}

const fn at(address: &'static str, port: u16) -> Listen {
    Listen { address, port, only_v6: false, device: None, mark: 0 }
}

const LISTENERS: [Listen; 22] = [
    at("127.0.0.1", 80),
    at("127.0.0.1", 443),
    at("127.0.0.2", 443),
    at("127.1.0.0", 80),
    at("192.0.2.1", 80),
    at("192.0.2.2", 8080),
    at("0.0.0.0", 8081),
    at("127.0.0.1", 1),
    at("127.0.0.1", 65535),
    at("0.0.0.0", 0),
    at("::1", 80),
    at("::1", 443),
    at("2001:db8::1", 443),
    at("2001:db8::1", 0),
    at("::", 9000),
    Listen { only_v6: true, ..at("::", 9001) },
    at("::ffff:127.0.0.1", 8443),
    at("::ffff:192.0.2.1", 443),
    Listen { device: Some("lo"), ..at("0.0.0.0", 81) },
    Listen { device: Some("pair0"), ..at("::", 82) },
    Listen { mark: 0x10, ..at("127.0.0.1", 1000) },
    Listen { mark: 0x1f, ..at("::1", 1001) },
];

/// What makes the place, run by `ip`.
const SETUP: [&str; 7] = [
    "link set lo up",
    "link add pair0 type veth peer name pair1",
    "link set pair0 up",
    "address add 192.0.2.1/24 dev pair0",
    "address add 192.0.2.2/24 dev pair0",
    "address add 127.1.0.0/32 dev lo",
    "address add 2001:db8::1/64 dev lo nodad",
];

impl Place {
    /// Runs `check` in a new namespace; an error says why there is none.
    pub(crate) fn run(check: impl FnOnce(&Self) + Send) -> Result<(), String> {
        // Namespaces belong to threads, and everything the thread starts inherits it. It goes
        // with the last socket and process in it, however the check ends.
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                enter_new_namespace()?;
                check(&Self::build()?);
                Ok(())
            });
            thread.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
        })
    }

    fn build() -> Result<Self, String> {
        for arguments in SETUP {
            let output = Command::new("ip")
                .args(arguments.split(' '))
                .output()
                .map_err(|error| format!("ip(8) does not run: {error}"))?;
            if !output.status.success() {
                let error = String::from_utf8_lossy(&output.stderr);
                return Err(format!("ip {arguments}: {error}"));
            }
        }
        let mut place = Self { listeners: Vec::new() };
        let cgroup = own_cgroup().and_then(|path| place.cgroup(&path).ok()).unwrap_or(0);
        for listen in LISTENERS {
            let made = place.listen(listen, cgroup);
            made.map_err(|error| format!("{} port {}: {error}", listen.address, listen.port))?;
        }
        Ok(place)
    }

    fn listen(&mut self, listen: Listen, cgroup: u64) -> std::io::Result<()> {
        let ip: IpAddr = listen.address.parse().expect("an address");
        let domain = Domain::for_address(SocketAddr::new(ip, 0));
        let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        if domain == Domain::IPV6 {
            socket.set_only_v6(listen.only_v6)?;
        }
        if let Some(device) = listen.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if listen.mark != 0 {
            socket.set_mark(listen.mark)?;
        }
        socket.bind(&SocketAddr::new(ip, listen.port).into())?;
        socket.listen(16)?;
        let bound = socket.local_addr()?.as_socket().expect("an IP socket");
        let view = Socket {
            interface: listen.device.and_then(|name| self.device(name)).unwrap_or(0),
            mark: listen.mark,
            cgroup,
            autobound: listen.port == 0,
            ..Socket::listening(ip, bound.port())
        };
        let inode = rustix::fs::fstat(&socket)?.st_ino;
        self.listeners.push((socket, inode, view));
        Ok(())
    }

    /// Each socket as the filter sees it, by inode.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = (u64, Socket)> {
        self.listeners.iter().map(|(_, inode, view)| (*inode, *view))
    }
}

impl Names for Place {
    fn device(&self, name: &str) -> Option<u32> {
        let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, None).ok()?;
        rustix::net::netdevice::name_to_index(&socket, name).ok()
    }

    fn cgroup(&self, path: &str) -> Result<u64, String> {
        // The id of a cgroup is the inode of its directory (kernfs, 64-bit kernels).
        let inode = std::fs::metadata(path).map(|metadata| metadata.ino());
        inode.map_err(|error| error.to_string())
    }
}

pub(crate) fn family(socket: &Socket) -> Family {
    match socket.addresses {
        Addresses::V4 { .. } => Family::V4,
        Addresses::V6 { .. } => Family::V6,
    }
}

/// The directory of the cgroup (v2) that our sockets are made in; `None` without cgroup2.
pub(crate) fn own_cgroup() -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let tree = mounts.find_map(|words| match *words {
        [_, directory, "cgroup2", ..] => Some(directory.to_owned()),
        _ => None,
    })?;
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let directory = format!("{tree}{path}");
    std::fs::metadata(&directory).is_ok().then_some(directory)
}

fn enter_new_namespace() -> Result<(), String> {
    // SAFETY: only the network namespace of this thread changes; no file descriptor does.
    let entered = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) };
    entered.map_err(|error| format!("a network namespace needs root: {error}"))
}
